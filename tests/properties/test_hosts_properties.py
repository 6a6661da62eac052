"""Places at an address: never more than allowed are given, in the order they were asked for, and none is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.hosts import Host, Hosts

ACTS = st.tuples(st.sampled_from(["take"] * 6 + ["leave"] * 3 + ["forget", "allow"]), st.integers(0, 4), st.booleans())


class Probe:
    """Has a place, waits for one, or gave up."""

    def __init__(self, inside: list[Probe], *, hasty: bool) -> None:
        self.inside = inside
        self.hasty = hasty  # it ends as soon as it begins
        self.host: Host | None = None

    def ask(self, host: Host) -> bool:
        self.host = host
        if host.take(self):
            self.seated()
            return True
        return False

    def seated(self) -> None:
        self.inside.append(self)
        if self.hasty:
            self.leave()

    def leave(self) -> None:
        assert self.host is not None
        self.inside.remove(self)
        self.host.leave()


@given(st.integers(1, 3), st.lists(ACTS, min_size=12, max_size=60))
def test_no_more_than_allowed_are_inside_and_nobody_is_passed_over(
    limit: int, acts: list[tuple[str, int, bool]]
) -> None:
    hosts = Hosts(limit)
    host = hosts.host("192.0.2.1")
    inside: list[Probe] = []
    waiting: list[Probe] = []
    for what, which, hasty in acts:
        most = max(hosts.most, len(inside))
        match what:
            case "take":
                probe = Probe(inside, hasty=hasty)
                if not probe.ask(host):
                    waiting.append(probe)
            case "leave" if inside:
                inside[which % len(inside)].leave()
            case "forget" if waiting:
                host.forget(waiting.pop(which % len(waiting)))
            case "allow":
                hosts.allow(which)
                most = max(hosts.most, len(inside))
            case _:
                pass
        assert host.running == len(inside) <= most
        still = waiting[len(waiting) - len(host._waiting) :]
        assert still == list(host._waiting)  # whoever came first had his turn first
        waiting = still
        assert not waiting or len(inside) >= hosts.most  # no place is empty while somebody waits
    for probe in (*waiting, *inside):
        probe.hasty = True
    for probe in tuple(inside):
        probe.leave()
    assert host.running == 0
    assert not host._waiting


def test_an_address_that_nobody_probes_any_more_is_forgotten() -> None:
    hosts = Hosts()
    host = hosts.host("192.0.2.1")
    assert hosts.host("192.0.2.1") is host
    del host
    assert not hosts._hosts
