"""What is said of what is on the wire."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lvsd.drill.seen import ARP, HANDOVER, MALFORMED, NEIGHBOUR, PSEUDO, STANDBY, WRONG, Judge, Seen, line

ONE = Seen(
    0.0, "advertisement", "192.0.2.1", "224.0.0.18", "02:00:00:00:00:01", 255, 3, 51, 200, 1.0, ("192.0.2.100",), PSEUDO
)
TWO = replace(ONE, source="192.0.2.2", mac="02:00:00:00:00:02", priority=100)


def codes(*seen: Seen, known: frozenset[int] | None = None) -> list[tuple[str, bool]]:
    judge = Judge(known)
    return [(one.code, one.wrong) for frame in seen for one in judge.judge(frame)]


def at(seen: Seen, moment: float, **more: object) -> Seen:
    return replace(seen, at=moment, **more)


def test_an_ordinary_router_gives_no_reason_to_complain() -> None:
    assert codes(*(at(ONE, moment) for moment in range(10)), known=frozenset((51,))) == []


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (replace(ONE, checksum=WRONG), ("checksum", True)),
        (replace(ONE, ttl=254), ("ttl", True)),
        (replace(ONE, ttl=64, source="fe80::1", destination="fe80::2"), ("ttl", False)),
        (replace(ONE, ttl=64, source="fe80::1", destination="ff02::12"), ("ttl", True)),
        (replace(ONE, interval=0.0), ("interval_zero", True)),
        (replace(ONE, version=2, auth="simple"), ("password_visible", False)),
        (replace(ONE, mac="00:00:5e:00:01:34"), ("foreign_virtual_mac", True)),
        (replace(ONE, priority=0), ("leaving", False)),
        (replace(ONE, kind=MALFORMED, detail="3 bytes"), ("malformed", True)),
    ],
)
def test_what_is_wrong_with_one_message_is_told_once(seen: Seen, expected: tuple[str, bool]) -> None:
    assert codes(seen, at(seen, 1.0)) == [expected]


def test_the_right_virtual_mac_is_well() -> None:
    assert codes(replace(ONE, mac="00:00:5e:00:01:33")) == []


def test_strangers_are_noted_where_it_is_known_who_belongs_here() -> None:
    assert codes(ONE, known=frozenset((52,))) == [("foreign_virtual_router", False)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 2}, ("version_differs", True)),
        ({"interval": 2.0}, ("interval_differs", False)),
        ({"auth": "simple"}, ("auth_differs", True)),
        ({"addresses": ("192.0.2.100", "192.0.2.101")}, ("addresses_differ", True)),
        ({"priority": 200}, ("same_priority", False)),
    ],
)
def test_what_routers_must_have_in_common(change: dict[str, object], expected: tuple[str, bool]) -> None:
    found = codes(ONE, at(TWO, 10.0, **change))
    assert expected in found
    assert len([one for one in found if one != ("password_visible", False)]) == 1


def test_in_version_2_another_interval_is_wrong() -> None:
    assert codes(replace(ONE, version=2), at(TWO, 9.0, version=2, interval=2.0)) == [("interval_differs", True)]


def test_another_virtual_router_or_family_is_another_matter() -> None:
    assert codes(ONE, replace(TWO, virtual_router_id=52, version=2)) == []
    assert codes(ONE, replace(TWO, source="fe80::2", version=2, ttl=255)) == []


def test_two_active_routers_are_told_and_a_takeover_is_not() -> None:
    both = [at(one, moment + shift) for moment in range(5) for one, shift in ((ONE, 0.0), (TWO, 0.5))]
    assert codes(*both) == [("two_active", True)]
    takeover = [*(at(TWO, moment) for moment in range(5)), *(at(ONE, 4.5 + moment) for moment in range(5))]
    assert codes(*takeover) == []
    crossing = [at(TWO, 0.0), at(ONE, 0.9), at(TWO, 1.0), *(at(ONE, 1.9 + moment) for moment in range(5))]
    assert codes(*crossing) == []
    left = [at(ONE, 0.0), at(ONE, 1.0, priority=0), *(at(TWO, 1.6 + moment) for moment in range(5))]
    assert codes(*left) == [("leaving", False)]


@pytest.mark.parametrize("kind", [ARP, NEIGHBOUR])
def test_an_address_announced_by_another_than_advertises_it_is_wrong(kind: str) -> None:
    claim = Seen(0.5, kind, "192.0.2.100", "ff:ff:ff:ff:ff:ff", TWO.mac, addresses=("192.0.2.100",))
    assert codes(ONE, claim) == [("announced_by_another", True)]
    assert codes(ONE, at(claim, 9.0)) == [("announced_by_another", False)]
    assert codes(ONE, replace(claim, mac=ONE.mac)) == []
    assert codes(claim) == []


def test_lines_are_for_people() -> None:
    assert line(ONE) == (
        "192.0.2.1 > 224.0.0.18 VRRPv3 vrid 51 prio 200 interval 1s ttl 255"
        " checksum right, with pseudo header: 192.0.2.100"
    )
    assert "auth simple" in line(replace(ONE, auth="simple"))
    assert "lvsd: stands by vrid 51" in line(replace(ONE, kind=STANDBY))
    assert "lvsd: take over now vrid 51" in line(replace(ONE, kind=HANDOVER))
    assert line(replace(ONE, kind=MALFORMED, detail="3 bytes")) == "192.0.2.1 > 224.0.0.18 malformed: 3 bytes"
    arp = Seen(0.5, ARP, "192.0.2.100", "ff:ff:ff:ff:ff:ff", TWO.mac, addresses=("192.0.2.100",))
    assert line(arp).endswith("gratuitous ARP: 192.0.2.100 is at 02:00:00:00:00:02")


def test_a_flood_of_routers_does_not_fill_the_memory() -> None:
    judge = Judge()
    for number in range(6000):
        judge.judge(replace(ONE, source=f"10.{number >> 8}.{number & 255}.1", addresses=(f"10.1.{number >> 8}.1",)))
    assert sum(map(len, judge._last.values())) <= 16
    assert len(judge._told) <= 4096
