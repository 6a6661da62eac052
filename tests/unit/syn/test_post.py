"""Handfuls of SYNs: each is the packet it would be alone, and one that cannot leave keeps nobody back."""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.syn.channel import Channel, Line
from checkers.syn.packet import SHAPE_4, SHAPE_6, Answer, Form
from checkers.syn.post import HANDFUL, Post
from tests.unit.syn.network import NEEDS_ROOT, apart, filtered

OURS_4, OURS_6 = "10.77.0.1", "fd77::1"
PROBES = st.lists(
    st.tuples(st.integers(1, 250), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)),
    min_size=1,
    max_size=HANDFUL,
)


def form(target: str, port: int) -> Form:
    family, ours = (socket.AF_INET6, OURS_6) if ":" in target else (socket.AF_INET, OURS_4)
    return Form(socket.inet_pton(family, ours), socket.inet_pton(family, target), port, struct.pack("=I", 3))


def written(post: Post, family: int, count: int) -> list[tuple[bytes, bytes]]:
    """Where each of the first so many goes, and its packet."""
    shape = SHAPE_6 if family == socket.AF_INET6 else SHAPE_4
    slots = [bytes(post.slots[at * shape.slot_bytes :]) for at in range(count)]
    return [(slot[: shape.name_bytes], slot[shape.name_bytes : shape.end]) for slot in slots]


@pytest.mark.parametrize(("family", "network"), [(socket.AF_INET, "10.77.0.{}"), (socket.AF_INET6, "fd77::{}")])
@given(st.lists(PROBES, min_size=1, max_size=2))
def test_each_packet_of_a_handful_is_what_it_would_be_alone(
    family: int, network: str, handfuls: list[list[tuple[int, int, int, int]]]
) -> None:
    post = Post(family)
    for probes in handfuls:  # what a longer one before left in the buffers does no harm
        forms = [form(network.format(last), port) for last, port, _, _ in probes]
        our_ports, numbers = [probe[2] for probe in probes], [probe[3] for probe in probes]
        post.write(forms, our_ports, numbers)
        alone = [one.fill(our_port, number) for one, our_port, number in zip(forms, our_ports, numbers, strict=True)]
        assert [packet for _, packet in written(post, family, len(probes))] == alone


def test_an_ipv6_target_is_named_with_its_scope() -> None:
    post = Post(socket.AF_INET6)
    post.write([form("fe80::9", 80)], [40000], [7])
    [(name, _)] = written(post, socket.AF_INET6, 1)
    address = socket.inet_pton(socket.AF_INET6, "fe80::9")
    assert name == struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, address, 3)


def await_answers(channel: Channel) -> list[Answer]:
    """Those that lie there when something does."""
    assert select.select([channel.receiver], [], [], 10)[0]
    assert channel.state()[0]
    return [answer for answer in channel.hears()[0] if answer is not None]


@NEEDS_ROOT
def test_those_that_cannot_leave_are_named_and_the_others_leave() -> None:
    async def work() -> None:
        targets = ["192.0.2.1", OURS_4, "192.0.2.2", "192.0.2.3", OURS_4, OURS_4, "192.0.2.4"]
        with closing(Channel(Line(socket.AF_INET, OURS_4, 0, 0))) as channel:
            forms = [form(target, 80) for target in targets]
            failed = channel.ask(forms, [channel.first_port] * len(forms), list(range(100, 107)))
            assert {at: why.errno for at, why in failed.items()} == dict.fromkeys((0, 2, 3, 6), errno.ENETUNREACH)
            heard: set[int] = set()
            while len(heard) < 3:
                heard |= {answer[3] - 1 for answer in await_answers(channel)}
            assert heard == {101, 104, 105}  # refused, each with its own number

    apart(work)


@NEEDS_ROOT
def test_objections_lie_beside_answers_until_both_are_read() -> None:
    async def work() -> None:
        with closing(Channel(Line(socket.AF_INET, OURS_4, 0, 0))) as channel:
            assert channel.state() == (False, False)
            channel.ask([form(OURS_4, 80), form(OURS_4, 81)], [channel.first_port] * 2, [100, 200])
            told: list[int] = []
            heard: list[int] = []
            while not (told and heard):
                heard += [answer[3] for answer in await_answers(channel)]
                told += [one.about.number for one in channel.objections(9) if one is not None]
            assert (told, heard) == ([100], [201])
            assert channel.state() == (False, False)

    apart(work, *filtered("tcp dport 80 reject with icmp type admin-prohibited"))
