"""All that IPVS can hold: from lvsd.yaml into the kernel, and there as if ipvsadm had put it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from netlink.ipvs_socket import IpvsSocket
from netlink.table import Table
from tests.lab.balancer import Balancer
from tests.lab.ipvs_cases import CASES, REALS, UNBUILT
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.world import LiveHost, World

NETWORK = "public"
BOTH = Topology(
    "both",
    (Network(NETWORK, "192.0.2.0/24"),),
    (
        Host("lb1", (Attachment(NETWORK, ("192.0.2.1/24", "2001:db8::a/64")),)),
        Host("lb2", (Attachment(NETWORK, ("192.0.2.2/24", "2001:db8::b/64")),)),
    ),
)


def config(*services: str, more: str = "") -> str:
    lines = [f"  s{number}: {{{text}}}" for number, text in enumerate(services)]
    return "\n".join([more, "defaults: {check: {type: none}}", "services:", *lines]) + "\n"


PLAIN = CASES["scheduler rr"].yaml


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(BOTH) as running:
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config(PLAIN)).start()
    yield running
    assert running.stop() == 0


def table_of(host: LiveHost) -> Table:
    """The kernel's table of a host, nothing of it left out as ipvsadm's listings do."""

    def read() -> Table:
        with IpvsSocket() as socket:
            return socket.read_table()

    return host.call(read)


def same_without_order(one_table: Table, other: Table) -> bool:
    return {key: (entry.service, dict(entry.destinations)) for key, entry in one_table.items()} == {
        key: (entry.service, dict(entry.destinations)) for key, entry in other.items()
    }


def listings(host: LiveHost) -> str:
    return "".join(
        host.run(["ipvsadm", *options]).stdout for options in (["-Sn"], ["-Ln"], ["-Ln", "--thresholds"])
    ).replace("\n\n", "\n")


def lay(host: LiveHost, commands: Sequence[str]) -> None:
    host.run(["ipvsadm", "-C"])
    for command in commands:
        host.run(["ipvsadm", *command.split()])


def hold(balancer: Balancer, yaml: str) -> None:
    balancer.configure(yaml)
    reply = balancer.reload()
    assert reply.accepted, reply.problems
    assert reply.refusals == ()


@pytest.mark.parametrize("name", CASES)
def test_a_service_is_as_ipvsadm_would_have_made_it(world: World, balancer: Balancer, name: str) -> None:
    case = CASES[name]
    lay(world["lb2"], case.ipvsadm)
    hold(balancer, config(case.yaml))
    assert same_without_order(table_of(world["lb1"]), table_of(world["lb2"]))
    assert listings(world["lb1"]) == listings(world["lb2"])


def test_all_of_them_in_turn_leave_nothing_behind(world: World, balancer: Balancer) -> None:
    hold(balancer, config(PLAIN))
    lay(world["lb2"], CASES["scheduler rr"].ipvsadm)
    assert listings(world["lb1"]) == listings(world["lb2"])


def has_module(host: LiveHost, name: str) -> bool:
    return host.run(["modprobe", "--show-depends", name], check=False).returncode == 0


@pytest.mark.parametrize("scheduler", UNBUILT)
def test_what_this_kernel_has_no_module_for_is_refused_and_harms_nothing_else(
    balancer: Balancer, scheduler: str
) -> None:
    assert has_module(balancer.host, "ip_vs_mh"), "modprobe knows no modules at all"
    assert not has_module(balancer.host, f"ip_vs_{scheduler}")
    unheld = f"virtual: '192.0.2.101:80', scheduler: {scheduler}, {REALS}"
    balancer.configure(config(PLAIN, unheld))
    reply = balancer.reload()
    assert reply.accepted
    assert any("scheduler or persistence engine not found" in refusal for refusal in reply.refusals)
    assert [key.address for key in balancer.table()] == ["192.0.2.100"]
    assert len(next(iter(balancer.table().values())).destinations) == 2
