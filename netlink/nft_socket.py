"""Has the kernel drop what comes for some addresses and IPVS did not take. Needs CAP_NET_ADMIN and Linux 5.12."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from netlink import nft_codec as codec
from netlink.errors import NetlinkError
from netlink.family import Family
from netlink.kernel_socket import RECEIVE_TIMEOUT_SECONDS, failure, open_line
from netlink.wire import ACK, DATAGRAM_LIMIT, ERROR, Message, error_code, frame, messages

_NETLINK_NETFILTER = 12
_KERNEL_PORT = 0
_ANSWERS_LIMIT = 64


class DropTable:
    """Of both families; the kernel takes it away when we end, however we do."""

    def __init__(self) -> None:
        """Nothing is dropped yet, and nothing opened."""
        self._line: socket.socket | None = None
        self._sequence = 0
        self._made: frozenset[Family] = frozenset()

    def set(self, addresses: Iterable[str]) -> None:
        """Drop what comes for these, and for no others, from one moment to the next. Raises NetlinkError.

        After an error nothing is dropped.
        """
        wanted = sorted(set(addresses))
        by_family = {
            Family.INET: [one for one in wanted if ":" not in one],
            Family.INET6: [one for one in wanted if ":" in one],
        }
        requests = [codec.delete_table(family) for family in sorted(self._made)]
        for family, own in by_family.items():
            requests += codec.new_table(family, own) if own else []
        try:
            if requests:
                self._do(requests)
        except NetlinkError:
            self.close()
            raise
        self._made = frozenset(family for family, own in by_family.items() if own)
        if not self._made:
            self.close()

    def close(self) -> None:
        """Drop nothing any more."""
        self._made = frozenset()
        if self._line is not None:
            self._line.close()
            self._line = None

    def _do(self, requests: Sequence[codec.Request]) -> None:
        if self._line is None:
            self._line = open_line(_NETLINK_NETFILTER, timeout_seconds=RECEIVE_TIMEOUT_SECONDS)
        last = self._sequence + len(requests) + 1  # the one before the batch's end, which is not answered
        datagram = b""
        for kind, flags, body in codec.batch(requests):
            self._sequence += 1
            datagram += frame(kind, flags | (ACK if self._sequence == last else 0), self._sequence, body)
        try:
            self._line.send(datagram)
        except OSError as error:
            raise failure("netlink cannot be written", error.errno or 0) from error
        self._await(self._line, last)

    @staticmethod
    def _await(line: socket.socket, last: int) -> None:
        """Until the last is answered, or any is refused."""
        for _ in range(_ANSWERS_LIMIT):
            for message in _receive(line):
                if message.type != ERROR:
                    continue
                code = error_code(message)
                if code:
                    raise failure("the kernel refused to drop packets", code)
                if message.sequence == last:
                    return
        text = "the kernel's answer does not end"
        raise NetlinkError(text)


def _receive(line: socket.socket) -> list[Message]:
    try:
        data, _, _, sender = line.recvmsg(DATAGRAM_LIMIT)
    except OSError as error:
        raise failure("netlink cannot be read", error.errno or 0) from error
    return list(messages(data)) if sender[0] == _KERNEL_PORT else []
