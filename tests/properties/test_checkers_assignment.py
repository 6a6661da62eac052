"""Assembly, difference and outbox: what a worker is told arrives whole, what it has to tell is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.assembly import PARTS_LIMIT, Assembly
from checkers.core.difference import difference
from checkers.core.messages import (
    CHECKS_A_PACKET,
    PACKET_LIMIT_BYTES,
    Assign,
    AssignedCheck,
    Hello,
    State,
    Target,
    Verdict,
    Verdicts,
    assignment,
    decode_from_worker,
    decode_to_worker,
)
from checkers.core.outbox import Outbox
from checkers.core.outcome import Healthy
from config.checks import ExternalCheck, HttpCheck, TcpCheck, Timing

NAMES = st.sampled_from("abcd")
ASSIGNED = st.builds(
    AssignedCheck,
    NAMES,
    st.sampled_from([Target("192.0.2.1", 1), Target("192.0.2.1", 2)]),
    st.sampled_from([TcpCheck(), HttpCheck()]),
    st.sampled_from([Timing(), Timing(interval=1.0)]),
    st.sampled_from(State),
)
ASSIGNMENTS = st.lists(ASSIGNED, max_size=6)


def by_name(checks: list[AssignedCheck]) -> dict[str, AssignedCheck]:
    return {check.id: check for check in checks}


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_the_difference_covers_everything_once(old: list[AssignedCheck], new: list[AssignedCheck]) -> None:
    running, wanted = by_name(old), by_name(new)
    change = difference(running, new)
    taken = [*change.started, *change.kept, *change.retimed, *change.replaced]
    assert sorted(check.id for check in taken) == sorted(wanted)
    assert all(wanted[check.id] is check for check in taken)
    assert sorted(change.ended) == sorted(set(running) - set(wanted))


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_each_part_of_the_difference_is_what_it_says(old: list[AssignedCheck], new: list[AssignedCheck]) -> None:
    running = by_name(old)
    change = difference(running, new)
    for check in change.started:
        assert check.id not in running
    for check in change.kept:
        before = running[check.id]
        assert (before.target, before.check, before.timing) == (check.target, check.check, check.timing)
    for check in change.retimed:
        before = running[check.id]
        assert (before.target, before.check) == (check.target, check.check)
        assert before.timing != check.timing
    for check in change.replaced:
        before = running[check.id]
        assert (before.target, before.check) != (check.target, check.check)


@given(ASSIGNMENTS)
def test_what_is_believed_alone_is_no_difference(checks: list[AssignedCheck]) -> None:
    change = difference(by_name(checks), checks)
    assert (change.started, change.retimed, change.replaced, change.ended) == ((), (), (), ())


PARTS = st.lists(ASSIGNMENTS.map(tuple), min_size=1, max_size=4).flatmap(
    lambda parts: st.permutations(list(enumerate(parts)))
)


@given(st.integers(1, 9), PARTS)
def test_parts_in_any_order_make_the_whole(generation: int, parts: list[tuple[int, tuple[AssignedCheck, ...]]]) -> None:
    assembly = Assembly()
    whole = None
    for number, (part, checks) in enumerate(parts, 1):
        whole = assembly.add(Assign(generation, part, len(parts), checks))
        assert (whole is not None) == (number == len(parts))
    expected = tuple(check for _, checks in sorted(parts, key=lambda pair: pair[0]) for check in checks)
    assert whole == expected


def test_what_is_alike_in_the_checks_of_all_packets_is_there_once() -> None:
    wanted = [
        AssignedCheck(str(number), Target("192.0.2.1", number), HttpCheck(path=path), Timing(interval=float(path[1:])))
        for number in range(3 * CHECKS_A_PACKET)
        for path in ("/1", "/2")
    ]
    assembly = Assembly()
    packets = [decode_to_worker(packet) for packet in assignment(1, wanted)]
    *_, whole = [assembly.add(packet) for packet in packets if isinstance(packet, Assign)]
    assert whole is not None
    assert list(whole) == wanted
    assert len({id(check.check) for check in whole}) == 2
    assert len({id(check.timing) for check in whole}) == 2
    assert len({id(check.dial) for check in whole}) == 1


@given(PARTS.filter(lambda parts: len(parts) > 1))
def test_an_older_generation_or_a_senseless_part_changes_nothing(
    parts: list[tuple[int, tuple[AssignedCheck, ...]]],
) -> None:
    assembly = Assembly()
    *first, last = parts
    for part, checks in first:
        assembly.add(Assign(5, part, len(parts), checks))
    for part, of, generation in (
        (0, 1, 4),
        (-1, len(parts), 5),
        (len(parts), len(parts), 5),
        (0, PARTS_LIMIT + 1, 6),
    ):
        assert assembly.add(Assign(generation, part, of, ())) is None
    assert assembly.add(Assign(5, last[0], len(parts), last[1])) is not None


def test_a_newer_generation_drops_an_unfinished_one() -> None:
    assembly = Assembly()
    assert assembly.add(Assign(1, 0, 2, ())) is None
    assert assembly.add(Assign(2, 0, 2, ())) is None
    assert assembly.add(Assign(1, 1, 2, ())) is None
    assert assembly.add(Assign(2, 1, 2, ())) == ()


@given(st.lists(st.integers(0, 8192), max_size=200))
def test_an_assignment_arrives_whole_however_many_and_long_its_checks_are(lengths: list[int]) -> None:
    checks = [
        AssignedCheck(f"{number}", Target("192.0.2.1", 1), ExternalCheck(("x" * length,)), Timing())
        for number, length in enumerate(lengths)
    ]
    packets = assignment(3, checks)
    assert max(len(packet) for packet in packets) <= PACKET_LIMIT_BYTES
    assembly = Assembly()
    *first, last = (decode_to_worker(packet) for packet in packets)
    assert isinstance(last, Assign)
    assert all(isinstance(one, Assign) and len(one.checks) <= CHECKS_A_PACKET for one in (*first, last))
    assert all(isinstance(one, Assign) and assembly.add(one) is None for one in first)
    assert assembly.add(last) == tuple(checks)


HELLO = Hello(1, 2, "0", no_new_privs=True)


def verdict(name: str, detail: str = "") -> Verdict:
    return Verdict(name, State.UP, 0.0, Healthy(detail), 0.0, 0.0)


def said(outbox: Outbox, generation: int, known: dict[str, Verdict]) -> list[Hello | Verdicts]:
    """Everything it says when each packet leaves at once."""
    packets: list[Hello | Verdicts] = []
    while (packet := outbox.packet(generation, known.get)) is not None:
        message = decode_from_worker(packet)
        assert isinstance(message, Hello | Verdicts)
        packets.append(message)
        outbox.sent()
        assert len(packets) < 100
    return packets


@given(st.integers(0, 300))
def test_everything_marked_is_told_once_in_packets_of_a_bounded_size(count: int) -> None:
    known = {str(number): verdict(str(number)) for number in range(count)}
    outbox = Outbox(HELLO)
    outbox.mark(known)
    hello, *packets = said(outbox, 7, known)
    assert hello == HELLO
    told = [each.id for packet in packets if isinstance(packet, Verdicts) for each in packet.verdicts]
    assert told == list(known)
    assert all(isinstance(packet, Verdicts) and len(packet.verdicts) <= CHECKS_A_PACKET for packet in packets)


def test_before_an_assignment_there_is_only_the_hello() -> None:
    outbox = Outbox(HELLO)
    outbox.mark("a")
    assert said(outbox, 0, {"a": verdict("a")}) == [HELLO]


def test_an_assignment_of_nothing_is_confirmed() -> None:
    outbox = Outbox(HELLO)
    outbox.confirm()
    assert said(outbox, 3, {}) == [HELLO, Verdicts(3, (), 1)]


def test_a_packet_that_did_not_leave_is_read_anew() -> None:
    outbox = Outbox(HELLO)
    outbox.packet(1, lambda _: None)
    outbox.sent()
    outbox.mark("a")
    outbox.packet(1, {"a": verdict("a", "old")}.get)
    packet = outbox.packet(1, {"a": verdict("a", "new")}.get)
    assert packet is not None
    assert decode_from_worker(packet) == Verdicts(1, (verdict("a", "new"),), 1)


def test_verdicts_too_large_for_one_packet_travel_in_several() -> None:
    names = [f"{number:02}" + "x" * 5000 for number in range(CHECKS_A_PACKET)]
    known = {name: verdict(name) for name in names}
    outbox = Outbox(HELLO)
    outbox.mark(known)
    packets = said(outbox, 1, known)[1:]
    assert [each.id for packet in packets if isinstance(packet, Verdicts) for each in packet.verdicts] == names


def test_a_verdict_that_fits_no_packet_holds_nothing_up() -> None:
    huge = "h" * 70_000
    known = {huge: verdict(huge), "a": verdict("a")}
    outbox = Outbox(HELLO)
    outbox.mark(known)
    assert said(outbox, 1, known) == [HELLO, Verdicts(1, (verdict("a"),), 1)]


def test_packets_are_numbered_over_one_connection() -> None:
    outbox = Outbox(HELLO)
    names = [f"{number:03}" for number in range(CHECKS_A_PACKET * 3)]
    known = {name: verdict(name) for name in names}
    for _ in range(2):
        outbox.reconnected()
        outbox.mark(known)
        packets = said(outbox, 1, known)[1:]
        assert [packet.number for packet in packets if isinstance(packet, Verdicts)] == [1, 2, 3]
    outbox.confirm()
    assert said(outbox, 1, known) == [Verdicts(1, (), 4)]


def test_a_new_connection_is_greeted_again_first() -> None:
    outbox = Outbox(HELLO)
    said(outbox, 1, {})
    outbox.mark("a")
    outbox.reconnected()
    assert said(outbox, 1, {"a": verdict("a")}) == [HELLO, Verdicts(1, (verdict("a"),), 1)]
