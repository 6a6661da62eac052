"""Identical checks of one endpoint: probed once, believed for each service, told for each service."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import AssignedCheck, State, Verdicts
from config.checks import AnyCheck, Check, Dial, ExternalCheck, FollowCheck, HttpCheck, NoCheck, TcpCheck, Timing
from config.model import RealServer, VirtualService
from config.words import Initial
from lvsd.core import views
from lvsd.core.effects import AppendLine, AssignChecks, RunCommand
from lvsd.core.events import ConfigChanged, VerdictsHeard
from lvsd.core.identity import check_id, virtual_text
from lvsd.ctl.explaining import explained
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN


def service(name: str, port: int, *reals: RealServer) -> VirtualService:
    return virtual(*(reals or (real(A), real(B))), port=port, name=name)


WEB, SHOP, NEWS = service("web", 80), service("shop", 81), service("news", 82)


def assigned(bench: Bench) -> dict[str, AssignedCheck]:
    [given] = [one for one in bench.greet() if isinstance(one, AssignChecks)]
    return {one.id: one for one in given.checks}


def name(virtual: VirtualService, address: str) -> str:
    return check_id(virtual, real(address))


def say(bench: Bench, identity: str, state: State) -> None:
    bench.feed(VerdictsHeard(Verdicts(1, (verdict(identity, state, bench.now),))))


def test_one_probe_for_three_services_takes_the_real_server_out_of_all() -> None:
    bench = Bench(config(WEB, SHOP, NEWS), table(*((one, {A: 1, B: 1}) for one in (WEB, SHOP, NEWS))))
    assert assigned(bench).keys() == {name(WEB, A), name(WEB, B)}
    say(bench, name(WEB, A), DOWN)
    assert [bench.weights(one) for one in (WEB, SHOP, NEWS)] == [{B: 1}] * 3
    assert bench.told().count("real_server_down") == 3
    assert [one.id for one in bench.director.verdicts.values()] == [name(one, A) for one in (WEB, SHOP, NEWS)]


def test_commands_and_lines_are_each_services_own() -> None:
    def with_all(one: VirtualService) -> VirtualService:
        return replace(
            one,
            monitor_file=f"/var/log/{one.name}",
            real_servers=tuple(replace(each, on_down=("/bin/tell", one.name)) for each in one.real_servers),
        )

    services = [with_all(one) for one in (WEB, SHOP)]
    bench = Bench(config(*services), table(*((one, {A: 1, B: 1}) for one in services)))
    say(bench, name(WEB, A), DOWN)
    lines = [one.path for one in bench.effects if isinstance(one, AppendLine)]
    assert lines == ["/var/log/web", "/var/log/shop"]
    assert [one.argv[1] for one in bench.effects if isinstance(one, RunCommand)] == ["web", "shop"]


@pytest.mark.parametrize(
    "other",
    [
        Check(TcpCheck(), Timing(interval=1.0)),
        Check(TcpCheck(), Timing(), port=81),
        Check(TcpCheck(), Timing(), address="1.1.1.99"),
        Check(TcpCheck(), Timing(), dial=Dial(source="1.1.1.1")),
        Check(HttpCheck(), Timing()),
    ],
)
def test_whoever_asks_something_else_or_otherwise_is_probed_apart(other: Check) -> None:
    bench = Bench(config(service("web", 80, real(A)), service("shop", 81, real(A, check=other))))
    assert len(assigned(bench)) == 2
    assert bench.director.shared.others == {}


@pytest.mark.parametrize("kind", [ExternalCheck(("/bin/true",)), NoCheck(), FollowCheck("web")])
def test_commands_are_told_their_service_and_what_is_not_probed_is_not_shared(kind: AnyCheck) -> None:
    bench = Bench(config(service("a", 80, real(A, check=Check(kind))), service("b", 81, real(A, check=Check(kind)))))
    found = assigned(bench)
    assert len(found) == (2 if isinstance(kind, ExternalCheck) else 0)
    assert {one.target.service for one in found.values()} <= {"a", "b"}
    assert bench.director.shared.others == {}


def test_a_probes_target_says_nothing_of_one_service() -> None:
    found = assigned(Bench(config(WEB, SHOP)))[name(WEB, A)]
    assert (found.target.service, found.target.virtual_address, found.target.virtual_port) == ("", "", 0)


def test_who_joins_begins_with_what_is_known() -> None:
    bench = Bench(config(WEB), table((WEB, {A: 1, B: 1})))
    bench.hear({A: DOWN, B: UP})
    bench.feed(ConfigChanged(config(WEB, SHOP)))
    assert bench.weights(SHOP) == {B: 1}
    assert bench.director.verdicts[name(SHOP, A)].state is DOWN


def test_a_probe_keeps_its_name_when_others_come_before_it_and_hands_its_knowledge_on_when_it_goes() -> None:
    bench = Bench(config(SHOP, NEWS))
    bench.hear({A: DOWN})
    bench.feed(ConfigChanged(config(WEB, SHOP, NEWS)))
    assert name(SHOP, A) in assigned(bench)
    assert bench.director.shared.others[name(SHOP, A)] == (name(WEB, A), name(NEWS, A))
    bench.feed(ConfigChanged(config(WEB, NEWS)))
    found = assigned(bench)
    assert found.keys() == {name(WEB, A), name(WEB, B)}
    assert found[name(WEB, A)].known is DOWN
    bench.feed(ConfigChanged(config(NEWS)))
    assert assigned(bench)[name(NEWS, A)].known is DOWN
    assert bench.director.shared.others == {}


def test_who_parts_from_a_probe_takes_what_is_known_along() -> None:
    bench = Bench(config(WEB, SHOP))
    bench.hear({A: DOWN, B: UP})
    faster = service("shop", 81, *(real(one, check=Check(TcpCheck(), Timing(interval=1.0))) for one in (A, B)))
    bench.feed(ConfigChanged(config(WEB, faster)))
    found = assigned(bench)
    assert {identity: one.known for identity, one in found.items()} == {
        name(WEB, A): DOWN,
        name(WEB, B): UP,
        name(SHOP, A): DOWN,
        name(SHOP, B): UP,
    }
    say(bench, name(SHOP, A), UP)
    assert bench.director.verdicts[name(WEB, A)].state is DOWN


def test_what_a_worker_says_of_a_check_that_is_not_the_probes_name_is_nothing() -> None:
    bench = Bench(config(WEB, SHOP))
    say(bench, name(SHOP, A), DOWN)
    assert bench.director.verdicts == {}


def test_several_checks_of_one_real_server_that_are_alike_are_one_probe() -> None:
    one = real(A)
    twice = replace(one, further_checks=(one.check,))
    bench = Bench(config(service("web", 80, twice)))
    assert len(assigned(bench)) == 1
    say(bench, name(WEB, A), UP)
    assert len(bench.director.verdicts) == 2


def test_what_is_presumed_differently_is_probed_apart_until_it_is_judged() -> None:
    careful = service("shop", 81, replace(real(A), initial=Initial.DOWN), real(B))
    bench = Bench(config(service("web", 80)))
    bench.hear({A: UP, B: UP})
    bench.feed(ConfigChanged(config(service("web", 80), careful)))
    assert assigned(bench)[name(SHOP, A)].known is DOWN
    say(bench, name(SHOP, A), UP)
    bench.feed(ConfigChanged(config(service("web", 80), careful, NEWS)))
    assert assigned(bench).keys() == {name(WEB, A), name(WEB, B)}


def test_it_is_told_who_shares_a_probe() -> None:
    bench = Bench(config(WEB, SHOP, service("own", 83, real("1.1.1.19"))))
    bench.hear({A: UP})
    status = views.status(bench.director, bench.now)
    rows = {(one.name, real.real_server): real.shared for one in status.services for real in one.real_servers}
    assert rows[("shop", f"{A}:80")] == ("web", "shop")
    assert rows[("own", "1.1.1.19:80")] == ()
    assert "It is probed once for web, shop." in explained(status.services[1], status.services[1].real_servers[0])
    assert "probed once" not in explained(status.services[2], status.services[2].real_servers[0])
    assert virtual_text(WEB.virtual) == "tcp 1.1.1.12:80"
