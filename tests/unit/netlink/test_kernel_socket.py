"""Requests and answers, with a kernel that is late, lossy or a liar."""

from __future__ import annotations

import errno
import socket

import pytest

from netlink import kernel_socket
from netlink.errors import NetlinkError
from netlink.kernel_socket import BATCH_LIMIT, DUMP_ATTEMPTS, KernelSocket, open_line
from netlink.wire import ACK, DUMP, DUMP_INTERRUPTED, NOOP, OVERRUN, REQUEST
from tests.unit.netlink.kernel import Answer, ScriptedKernel, done, error, message, requests

FAMILY = 30
NETLINK_ROUTE = 0


def opened(*answers_to_each: list[Answer]) -> tuple[ScriptedKernel, KernelSocket]:
    """The first datagram is answered with the first list, and so on."""
    queue = list(answers_to_each)
    kernel = ScriptedKernel(lambda _: queue.pop(0) if queue else [])
    return kernel, KernelSocket(kernel)


def test_an_answer_ends_with_its_acknowledgement() -> None:
    kernel, line = opened([message(FAMILY, 1, b"abcd") + error(1, 0)])
    assert [bytes(body) for body in line.ask(FAMILY, b"")] == [b"abcd"]
    assert requests(kernel.sent[0]) == [(FAMILY, REQUEST | ACK, 1, b"")]


def test_a_refusal_carries_its_errno_and_a_hint() -> None:
    _, line = opened([error(1, errno.EPERM)])
    with pytest.raises(NetlinkError, match="CAP_NET_ADMIN") as caught:
        line.ask(FAMILY, b"")
    assert caught.value.errno == errno.EPERM


def test_a_late_answer_is_not_taken_for_anothers() -> None:
    _, line = opened([], [message(FAMILY, 1, b"late") + error(1, 0), message(FAMILY, 2, b"mine"), error(2, 0)])
    with pytest.raises(NetlinkError, match="in time"):
        line.ask(FAMILY, b"")
    assert [bytes(body) for body in line.ask(FAMILY, b"")] == [b"mine"]


def test_other_processes_are_not_believed() -> None:
    kernel, line = opened([error(1, 0)])
    kernel.sender = (4711, 0)
    with pytest.raises(NetlinkError, match="in time"):
        line.ask(FAMILY, b"")


def test_a_datagram_above_the_limit_is_garbled() -> None:
    kernel, line = opened([error(1, 0)])
    kernel.flags = socket.MSG_TRUNC
    with pytest.raises(NetlinkError, match="above the limit"):
        line.ask(FAMILY, b"")


@pytest.mark.parametrize("lost", [OSError(errno.ENOBUFS, "no buffer space"), message(OVERRUN, 0, b"")])
def test_lost_answers_are_told(lost: Answer) -> None:
    _, line = opened([lost])
    with pytest.raises(NetlinkError, match="lost") as caught:
        line.ask(FAMILY, b"")
    assert caught.value.errno == errno.ENOBUFS


def test_noop_is_skipped() -> None:
    _, line = opened([message(NOOP, 1, b"????"), error(1, 0)])
    assert line.ask(FAMILY, b"") == []


def test_a_dump_comes_in_parts() -> None:
    kernel, line = opened(
        [message(FAMILY, 1, b"1111") + message(FAMILY, 1, b"2222"), message(FAMILY, 1, b"3333"), done(1)]
    )
    assert [bytes(body) for body in line.dump(FAMILY, b"")] == [b"1111", b"2222", b"3333"]
    assert requests(kernel.sent[0])[0][1] == REQUEST | DUMP


def test_a_dump_takes_nothing_from_another() -> None:
    _, line = opened([message(FAMILY, 9, b"9999") + message(FAMILY, 1, b"1111") + message(FAMILY, 9, b"9999"), done(1)])
    assert [bytes(body) for body in line.dump(FAMILY, b"")] == [b"1111"]


def test_an_interrupted_dump_is_taken_again() -> None:
    first: list[Answer] = [message(FAMILY, 1, b"1111", flags=DUMP_INTERRUPTED), done(1)]
    _, line = opened(first, [message(FAMILY, 2, b"2222"), done(2)])
    assert [bytes(body) for body in line.dump(FAMILY, b"")] == [b"2222"]


def test_an_interrupted_end_counts_too_and_attempts_are_bounded() -> None:
    answers: list[list[Answer]] = [[done(number + 1, flags=DUMP_INTERRUPTED)] for number in range(DUMP_ATTEMPTS + 1)]
    kernel, line = opened(*answers)
    with pytest.raises(NetlinkError, match="changed"):
        line.dump(FAMILY, b"")
    assert len(kernel.sent) == DUMP_ATTEMPTS


def test_a_dump_in_steps_is_the_same_dump() -> None:
    datagrams: list[Answer] = [message(FAMILY, 1, bytes([number] * 4)) for number in range(5)]
    _, line = opened([*datagrams, done(1)])
    steps = list(line.dump_in_steps(FAMILY, b"", 2))
    assert steps[:-1] == [None, None]
    assert steps[-1] is not None
    assert [bytes(body) for body in steps[-1]] == [bytes([number] * 4) for number in range(5)]


def test_a_dump_in_steps_is_taken_again_when_it_was_interrupted() -> None:
    first: list[Answer] = [message(FAMILY, 1, b"1111"), message(FAMILY, 1, b"1111", flags=DUMP_INTERRUPTED), done(1)]
    kernel, line = opened(first, [message(FAMILY, 9, b"9999"), message(FAMILY, 2, b"2222"), done(2)])
    assert list(line.dump_in_steps(FAMILY, b"", 1)) == [None, None, None, None, [b"2222"]]
    assert len(kernel.sent) == 2


def test_a_refusal_within_a_dump_in_steps_is_an_error() -> None:
    _, line = opened([message(FAMILY, 1, b"1111"), error(1, errno.EPERM)])
    steps = line.dump_in_steps(FAMILY, b"", 1)
    assert next(steps) is None
    with pytest.raises(NetlinkError, match="CAP_NET_ADMIN"):
        next(steps)


def test_a_dump_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_socket, "MESSAGE_LIMIT", 3)
    _, line = opened([message(FAMILY, 1, b"1111")] * 4)
    with pytest.raises(NetlinkError, match="does not end"):
        line.dump(FAMILY, b"")
    _, line = opened([message(FAMILY, 1, b"1111")] * 4)
    with pytest.raises(NetlinkError, match="does not end"):
        list(line.dump_in_steps(FAMILY, b"", 2))


def test_a_refused_dump_is_an_error() -> None:
    _, line = opened([error(1, errno.EPERM)])
    with pytest.raises(NetlinkError):
        line.dump(FAMILY, b"")


def test_batches_ask_only_at_their_end_and_match_failures_by_number() -> None:
    size = BATCH_LIMIT + 3
    first: list[Answer] = [error(7, errno.EEXIST), error(BATCH_LIMIT, 0)]
    second: list[Answer] = [error(BATCH_LIMIT + 1, errno.ENOENT) + error(BATCH_LIMIT + 3, errno.ESRCH)]
    kernel, line = opened(first, second)
    refused = line.send_batch(FAMILY, [b"body"] * size)
    assert refused == {6: errno.EEXIST, BATCH_LIMIT: errno.ENOENT, BATCH_LIMIT + 2: errno.ESRCH}
    sent = [requests(data) for data in kernel.sent]
    assert [len(batch) for batch in sent] == [BATCH_LIMIT, 3]
    assert [[flags & ACK for _, flags, _, _ in batch] for batch in sent] == [
        [0] * (BATCH_LIMIT - 1) + [ACK],
        [0, 0, ACK],
    ]


def test_an_empty_batch_says_nothing() -> None:
    kernel, line = opened()
    assert line.send_batch(FAMILY, []) == {}
    assert kernel.sent == []


def test_lost_answers_to_a_batch_are_told() -> None:
    _, line = opened([error(1, errno.EEXIST), OSError(errno.ENOBUFS, "no buffer space")])
    with pytest.raises(NetlinkError) as caught:
        line.send_batch(FAMILY, [b"body"] * 3)
    assert caught.value.errno == errno.ENOBUFS


def test_a_real_socket_waits_no_longer_than_it_was_told() -> None:
    line = open_line(NETLINK_ROUTE, timeout_seconds=0.01)
    try:
        with pytest.raises(BlockingIOError):
            line.recvmsg(16)
    finally:
        line.close()


def test_a_protocol_the_kernel_has_not_is_a_netlink_error() -> None:
    with pytest.raises(NetlinkError, match="not available"):
        open_line(1_000_000, timeout_seconds=1.0)
