"""The lean engine's own epoll and timer wheel, seen by asyncio as one descriptor and one timer.

asyncio wakes for a batch; within it nothing of asyncio is paid for. What hangs is woken by the wheel, in ticks.
"""

from __future__ import annotations

import asyncio
import select
from time import monotonic
from typing import Protocol

from checkers.lean.wheel import Sleeper, Wheel

EVENTS_A_WAKE = 256
BEGUN_AT_ONCE = 10  # of those that are due together; then those before them are looked at, or they would seem slow
INTEREST = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
TROUBLE = select.EPOLLERR | select.EPOLLHUP


class Listener(Protocol):
    """Who owns a descriptor."""

    def ready(self, mask: int, now: float) -> None:
        """Something happened at it."""

    def go_on(self, now: float) -> None:
        """It asked for another turn."""

    def broken(self, error: Exception, now: float) -> None:
        """What was called raised what it must not."""

    def drop(self) -> None:
        """Close the descriptor: nobody watches it any more."""


class Reactor:
    """Edge-triggered: one registration a connection, which ends with the descriptor."""

    def __init__(self) -> None:
        """Nothing is watched."""
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._register = self._epoll.register
        self._listeners: dict[int, Listener] = {}
        self._wheel = Wheel()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._eager: list[Listener] = []
        self._loop.add_reader(self._epoll.fileno(), self._look)

    def now(self) -> float:
        """Seconds of the clock that alarms are set by, the loop's."""
        return monotonic()

    def listen(self, descriptor: int, listener: Listener) -> None:
        """Tell `listener` of this descriptor until `forget`."""
        self._listeners[descriptor] = listener
        self._register(descriptor, INTEREST)

    def forget(self, descriptor: int) -> None:
        """The descriptor is about to be closed, which ends the kernel's interest in it."""
        self._listeners.pop(descriptor, None)

    def again(self, listener: Listener) -> None:
        """It has not read all that came: its turn comes after the others'."""
        if not self._eager:
            self._loop.call_soon(self._go_on)
        self._eager.append(listener)

    def wake_at(self, moment: float, sleeper: Sleeper, ticks: int = 1) -> None:
        """Call its `due` then, and not when it was to be called before; at a multiple of so many ticks."""
        self._wheel.add(moment, sleeper, ticks)
        if self._timer is None or moment < self._timer_at:
            self._arm()

    def close(self) -> tuple[Listener, ...]:
        """Watch nothing any more: who still listened."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        left = tuple(self._listeners.values())
        self._listeners.clear()
        return left

    def _look(self) -> None:
        for descriptor, mask in self._epoll.poll(0, EVENTS_A_WAKE):
            listener = self._listeners.get(descriptor)
            if listener is None:
                continue
            try:
                listener.ready(mask, monotonic())
            except Exception as error:  # noqa: BLE001 - the guard: a fault in one check must not stop the others
                listener.broken(error, monotonic())

    def _go_on(self) -> None:
        eager, self._eager = self._eager, []
        for listener in eager:
            try:
                listener.go_on(monotonic())
            except Exception as error:  # noqa: BLE001 - as above
                listener.broken(error, monotonic())

    def _tick(self) -> None:
        """What came goes before what is late; and what was begun now may have been answered at once."""
        self._timer = None
        self._look()
        for number, sleeper in enumerate(self._wheel.due(monotonic()), 1):
            if self._listeners and not number % BEGUN_AT_ONCE:
                self._look()
            try:
                sleeper.due(monotonic())
            except Exception as error:  # noqa: BLE001 - as above
                sleeper.broken(error, monotonic())
        if self._listeners:
            self._look()
        self._arm()

    def _arm(self) -> None:
        moment = self._wheel.next_moment()
        if moment is None or (self._timer is not None and self._timer_at <= moment):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = moment
        self._timer = self._loop.call_at(moment, self._tick)
