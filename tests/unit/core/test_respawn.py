"""When a process that ended is started again."""

from __future__ import annotations

from lvsd.core.respawn import DELAYS_SECONDS, FAILING_AFTER, Record, ended, started


def test_the_first_end_is_answered_at_once() -> None:
    _, delay = ended(started(Record(), 0.0), 5.0)
    assert delay == 0.0


def test_ends_in_a_row_wait_longer_up_to_a_limit() -> None:
    record, now, delays = Record(), 0.0, []
    for _ in range(10):
        record, delay = ended(started(record, now), now + 1)
        delays.append(delay)
        now += 1 + delay
    assert delays == [*DELAYS_SECONDS, 10.0, 10.0, 10.0]


def test_a_long_life_is_forgiven() -> None:
    record, now = Record(), 0.0
    for _ in range(FAILING_AFTER):
        record, _ = ended(started(record, now), now + 1)
    assert record.keeps_failing
    record, delay = ended(started(record, 100.0), 161.0)
    assert delay == 0.0
    assert not record.keeps_failing
