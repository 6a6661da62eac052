"""The floor's judgement on any real servers whatever: who may go, who is kept, who is called back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State
from config.pool_rules import Amount, Floor, FloorAction
from lvsd.core.floor import Member, judged

DOWN = State.DOWN

amounts = st.one_of(st.builds(Amount, st.integers(1, 6)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
floors = st.builds(Floor, amounts, st.just(FloorAction.KEEP), st.none() | amounts)


@st.composite
def pools(draw: st.DrawFn) -> list[Member]:
    """Real servers of which no two failed at the same moment. Who is kept serves."""
    moments = draw(st.permutations(range(draw(st.integers(1, 7)))))
    members = []
    for number, since in enumerate(moments):
        serving = draw(st.booleans())
        kept = serving and draw(st.booleans())
        state, enabled = draw(st.sampled_from(State)), draw(st.sampled_from([True, True, True, False]))
        members.append(Member(f"rs{number}", state, enabled, serving, kept, float(since)))
    return members


def down(members: list[Member]) -> list[Member]:
    return [one for one in members if one.enabled and one.state is DOWN]


def up(members: list[Member]) -> int:
    able = [one for one in members if one.enabled and one.state is not DOWN]
    return sum(one.state is State.UP or one.serving for one in able)


def waiting(members: list[Member]) -> int:
    """Who may turn out to be up."""
    return sum(one.enabled and one.state is State.UNKNOWN and not one.serving for one in members)


def least(floor: Floor, members: list[Member], *, broken: bool) -> int:
    low = floor.minimum.of(len(members))
    return max(low, floor.restored.of(len(members))) if broken and floor.restored else low


@given(floors, pools(), st.booleans(), st.data())
def test_the_order_in_which_they_are_listed_is_nothing(
    floor: Floor, members: list[Member], broken: bool, data: st.DataObject
) -> None:
    others = data.draw(st.permutations(members))
    assert judged(floor, others, broken=broken) == judged(floor, members, broken=broken)


@given(floors, pools(), st.booleans())
def test_who_leaves_leaves_enough_behind_that_are_up(floor: Floor, members: list[Member], broken: bool) -> None:
    """The earliest failure first; those that failed after it were up when it left."""
    found = judged(floor, members, broken=broken)
    needed = least(floor, members, broken=broken)
    failing = [one for one in down(members) if one.serving and not one.kept]
    for one in failing:
        if one.name not in found.kept:
            assert up(members) + sum(other.since > one.since for other in failing) >= needed


@given(floors, pools(), st.booleans())
def test_who_was_kept_goes_when_enough_are_up_and_not_before(floor: Floor, members: list[Member], broken: bool) -> None:
    found = judged(floor, members, broken=broken)
    kept = {one.name for one in down(members) if one.kept}
    if up(members) < least(floor, members, broken=broken):
        assert kept <= found.kept
    else:
        assert not kept & found.kept


@given(floors, pools(), st.booleans())
def test_in_the_end_as_many_serve_as_the_low_mark_says(floor: Floor, members: list[Member], broken: bool) -> None:
    found = judged(floor, members, broken=broken)
    wanted = floor.minimum.of(len(members)) - waiting(members)
    assert up(members) + len(found.kept) >= min(wanted, up(members) + len(down(members)))


@given(floors, pools(), st.booleans())
def test_who_failed_last_is_the_likeliest_to_do_some_good(floor: Floor, members: list[Member], broken: bool) -> None:
    found = judged(floor, members, broken=broken)
    gone = [one for one in down(members) if one.name not in found.kept]
    for one in down(members):
        if one.name in found.kept and not one.kept:
            rivals = [other for other in gone if not one.serving or (other.serving and not other.kept)]
            assert all(other.since < one.since for other in rivals)


@given(st.builds(Floor, amounts, st.sampled_from(FloorAction), st.none() | amounts), pools(), st.booleans())
def test_who_is_held_is_down_and_nobody_took_it_out_and_the_floor_is_broken(
    floor: Floor, members: list[Member], broken: bool
) -> None:
    found = judged(floor, members, broken=broken)
    failed = {one.name for one in down(members)}
    assert found.kept <= failed
    assert found.broken or not found.kept
    match floor.action:
        case FloorAction.SORRY | FloorAction.WITHDRAW:
            assert not found.kept
        case FloorAction.FAIL_OPEN:
            assert found.kept == (failed if found.broken else set())
        case FloorAction.KEEP:
            pass


@given(st.builds(Floor, amounts, st.sampled_from(FloorAction), st.none() | amounts), pools(), st.booleans())
def test_below_the_low_mark_it_breaks_and_at_the_high_one_it_holds(
    floor: Floor, members: list[Member], broken: bool
) -> None:
    found = judged(floor, members, broken=broken)
    low, high = floor.minimum.of(len(members)), least(floor, members, broken=True)
    assert found.up == up(members)
    if up(members) + waiting(members) < low:
        assert found.broken
    elif up(members) >= high:
        assert not found.broken
    elif floor.action is not FloorAction.KEEP or not down(members):
        assert found.broken is (broken and up(members) < high)


@given(amounts, amounts, st.sampled_from(FloorAction), pools(), st.booleans())
def test_a_high_mark_below_the_low_one_is_none(
    minimum: Amount, restored: Amount, action: FloorAction, members: list[Member], broken: bool
) -> None:
    if restored.of(len(members)) > minimum.of(len(members)):
        return
    assert judged(Floor(minimum, action, restored), members, broken=broken) == judged(
        Floor(minimum, action), members, broken=broken
    )
