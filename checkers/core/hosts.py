"""How many probes run against one address at once: who finds no place waits in a row, late but not failed. Pure."""

from __future__ import annotations

from collections import deque
from typing import Protocol
from weakref import WeakValueDictionary

from checkers.core.messages import PROBES_PER_HOST


class Waiter(Protocol):
    """Who waits for a place."""

    def seated(self) -> None:
        """It has one now, and gives it back by `Host.leave`."""


_NOBODY: deque[Waiter] = deque(maxlen=0)  # of thousands of addresses hardly one has anybody wait


class Host:
    """The probes of one address, whichever services they are for."""

    __slots__ = ("__weakref__", "_hosts", "_waiting", "running")

    def __init__(self, hosts: Hosts) -> None:
        """Nothing runs yet."""
        self._hosts = hosts
        self._waiting = _NOBODY
        self.running = 0

    def take(self, waiter: Waiter) -> bool:
        """Whether there is a place. Who finds none is `seated` later, in the order they came."""
        if self.running >= self._hosts.most:
            if self._waiting is _NOBODY:
                self._waiting = deque()
            self._waiting.append(waiter)
            return False
        self.running += 1
        return True

    def leave(self) -> None:
        """A place is free."""
        self.running -= 1
        if self._waiting:
            self.seat()

    def forget(self, waiter: Waiter) -> None:
        """It waits no more."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def seat(self) -> None:
        """Give the free places to those who wait."""
        while self._waiting and self.running < self._hosts.most:
            self.running += 1
            self._waiting.popleft().seated()


class Hosts:
    """All addresses that anything is probed at, and how many probes each may have at once."""

    def __init__(self, limit: int = PROBES_PER_HOST) -> None:
        """No address is known."""
        self.most = limit  # so many at once; changed by `allow` alone
        self._hosts: WeakValueDictionary[str, Host] = WeakValueDictionary()  # as long as a check holds one

    def allow(self, limit: int) -> None:
        """From now on so many. What runs beyond that is left to end."""
        self.most = max(1, limit)
        for host in tuple(self._hosts.values()):
            host.seat()

    def host(self, address: str) -> Host:
        """That of this address."""
        found = self._hosts.get(address)
        if found is None:
            found = self._hosts[address] = Host(self)
        return found
