"""What /proc/PID/status must say of a worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.proof import Unreadable, faults, standing

GOOD = """Name:\tpython
Uid:\t997\t997\t997\t997
Gid:\t996\t996\t996\t996
Groups:\t
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
"""


def test_a_worker_that_gave_up_all_is_without_fault() -> None:
    held = standing(GOOD)
    assert faults(held, dropped_by_root=True) == ()
    assert (held.uids, held.effective, held.no_new_privs) == ((997,) * 4, "0000000000000000", True)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("Uid:\t997\t997\t997", "Uid:\t997\t997\t0", "user ids"),
        ("Uid:\t997", "Uid:\t998", "user ids"),
        ("Uid:\t997\t997\t997\t997", "Uid:\t0\t0\t0\t0", "user ids"),
        ("Gid:\t996\t996\t996\t996", "Gid:\t0\t0\t0\t0", "group ids"),
        ("Gid:\t996", "Gid:\t7", "group ids"),
        ("Groups:\t", "Groups:\t4 ", "groups"),
        ("CapInh:\t0000000000000000", "CapInh:\t0000000000000001", "CapInh 1"),
        ("CapPrm:\t0000000000000000", "CapPrm:\t0000000000001000", "CapPrm 1000"),
        ("CapEff:\t0000000000000000", "CapEff:\t0000000000001000", "CapEff 1000"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t8000000000000000", "CapBnd 8000000000000000"),
        ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001", "CapAmb 1"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "no_new_privs"),
    ],
)
def test_each_thing_kept_is_a_fault(before: str, after: str, words: str) -> None:
    status = GOOD.replace(before, after)
    assert status != GOOD
    found = faults(standing(status), dropped_by_root=True)
    assert len(found) == 1
    assert words in found[0]


def test_a_capability_that_is_to_be_kept_must_be_there_alone() -> None:
    raw = GOOD.replace("CapPrm:\t0000000000000000", "CapPrm:\t0000000000002000")
    raw = raw.replace("CapEff:\t0000000000000000", "CapEff:\t0000000000002000")
    assert faults(standing(raw), dropped_by_root=True, kept=1 << 13) == ()
    assert len(faults(standing(GOOD), dropped_by_root=True, kept=1 << 13)) == 2
    more = raw.replace("0000000000002000", "0000000000003000")
    assert len(faults(standing(more), dropped_by_root=True, kept=1 << 13)) == 2


def test_a_process_not_started_by_root_keeps_its_groups_and_bounding_set() -> None:
    status = GOOD.replace("Groups:\t", "Groups:\t4 27 ").replace(
        "CapBnd:\t0000000000000000", "CapBnd:\t00000000000000ff"
    )
    assert faults(standing(status), dropped_by_root=False) == ()
    assert len(faults(standing(status), dropped_by_root=True)) == 2


@pytest.mark.parametrize("line", range(1, 10))
def test_a_status_that_lacks_a_line_proves_nothing(line: int) -> None:
    lines = GOOD.splitlines(keepends=True)
    with pytest.raises(Unreadable):
        standing("".join(lines[:line] + lines[line + 1 :]))


@given(st.text())
def test_any_text_is_readable_or_not(text: str) -> None:
    for status in (text, GOOD + text, GOOD.replace("997", text)):
        try:
            standing(status)
        except Unreadable:
            continue
