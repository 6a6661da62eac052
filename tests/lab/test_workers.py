"""Several workers on a real kernel: one is killed, another frozen, and clients notice neither; probes that are shared,
counted by a real nginx; the raw worker and its one capability.
"""

from __future__ import annotations

import pytest

from lvsd.core.assignment import chosen
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.daemons import certificates, web
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
ACCESS_LOG = "/var/log/nginx/access.log"
NAMES = {1: "checker", **{number: f"checker-{number}" for number in range(2, 9)}}
WORKERS = next(n for n in range(2, 9) if len({chosen(host, tuple(range(1, n + 1))) for host in (RS1, RS2)}) > 1)
"""So many that the two real servers have different ones."""


def config(workers: int, kind: str = "http, path: /ldirectord.txt", ports: tuple[int, ...] = (80,)) -> str:
    """Services of these ports, all checked alike."""
    services = "".join(
        f"""
  web{port}:
    virtual: {VIP}:{port}
    scheduler: rr
    check: {{type: {kind}, port: 80, interval: 1s, timeout: 1s, fall: 2}}
    real_servers: [{RS1}, {RS2}]
"""
        for port in ports
    )
    return f"""
daemon: {{workers: {workers}}}
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: 200
    addresses: [{VIP}/24]
services:
{services}
"""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(PAIR)
    for name in ("rs1", "rs2"):
        certificates.lay_certificate(world[name])
        web.Nginx().start(world[name])
    return world


def pids(balancer: Balancer) -> dict[str, int]:
    """The checker workers that are connected."""
    found = balancer.status().processes
    return {one.name: one.pid for one in found if one.connected and one.name.startswith("checker")}


def up(world: World, text: str, names: set[str]) -> Balancer:
    balancer = Balancer(world["lb1"], text).start()
    wait_until(lambda: pids(balancer).keys() == names, 20, "all workers")
    balancer.until("both serve", {RS1: 1, RS2: 1}, seconds=20)
    return balancer


def signalled(balancer: Balancer, name: str, number: str) -> int:
    """A signal to that worker: its process id."""
    pid = pids(balancer)[name]
    balancer.host.run(["kill", f"-{number}", str(pid)])
    return pid


def replaced(balancer: Balancer, name: str, before: int) -> None:
    wait_until(lambda: pids(balancer).get(name, before) != before, 40, f"another {name}")


def goes_on(world: World, balancer: Balancer, host: str, address: str) -> None:
    """What happens to this real server is seen."""
    other = {RS1: 1, RS2: 1}
    del other[address]
    web.Nginx().stop(world[host])
    balancer.until(f"{host} is out", other, seconds=25)
    web.Nginx().start(world[host])
    balancer.until(f"{host} is back", {RS1: 1, RS2: 1}, seconds=25)


def test_workers_die_and_hang_and_neither_clients_nor_the_others_checks_notice(world: World) -> None:
    names = {NAMES[number] for number in range(1, WORKERS + 1)}
    balancer = up(world, config(WORKERS), names)
    first, second = (NAMES[chosen(host, tuple(range(1, WORKERS + 1)))] for host in (RS1, RS2))
    wait_until(lambda: VIP in balancer.addresses(), 10, "the address")
    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        for name in sorted(names):
            replaced(balancer, name, signalled(balancer, name, "KILL"))
        frozen = signalled(balancer, first, "STOP")
        polls = len(prober.polls)
        wait_until(lambda: len(prober.polls) > polls + 50, 20, "more polls")
    assert prober.failures() == 0, balancer.log()
    goes_on(world, balancer, "rs2", RS2)
    goes_on(world, balancer, "rs1", RS1)  # by another worker, or by the same number's next
    replaced(balancer, first, frozen)
    killed = signalled(balancer, second, "KILL")
    goes_on(world, balancer, "rs1", RS1)
    replaced(balancer, second, killed)
    assert balancer.weights() == {RS1: 1, RS2: 1}
    assert balancer.stop() == 0


def test_a_reload_changes_how_many_there_are_and_the_table_stays(world: World) -> None:
    balancer = up(world, config(1), {"checker"})
    before = pids(balancer)["checker"]
    for workers in (WORKERS, 1, WORKERS):
        balancer.configure(config(workers))
        assert balancer.reload().operations == ()
        names = {NAMES[number] for number in range(1, workers + 1)}
        wait_until(lambda: pids(balancer).keys() == names, 20, f"{workers} workers")  # noqa: B023  waited for here
        assert pids(balancer)["checker"] == before
        wait_until(lambda: balancer.running("lvsd-checker") == set(pids(balancer).values()), 20, "and no others run")
        goes_on(world, balancer, "rs1", RS1)
        goes_on(world, balancer, "rs2", RS2)


def test_three_services_are_probed_once(world: World) -> None:
    ports = (80, 81, 82)
    balancer = up(world, config(1, ports=ports), {"checker"})
    processes = {one.name: one.probes for one in balancer.status().processes}
    assert processes["checker"] == 2
    asked = len(world["rs1"].read(ACCESS_LOG).splitlines())
    probed = probes(balancer)
    wait_until(lambda: probes(balancer) > probed + 10, 40, "more probes")
    told = probes(balancer) - probed
    seen = len(world["rs1"].read(ACCESS_LOG).splitlines()) - asked
    # what the balancer tells is behind by the probes of some seconds; not shared, there were three times as many
    assert told // 2 <= seen <= 2 * told, f"{seen} requests for {told} probes of each of three services"
    web.Nginx().stop(world["rs1"])
    for port in ports:
        balancer.until("rs1 is out everywhere", {RS2: 1}, port=port, seconds=20)


def probes(balancer: Balancer) -> int:
    """How often rs1 was probed, as every service says."""
    found = {real.probes for one in balancer.status().services for real in one.real_servers if RS1 in real.real_server}
    return min(found)


def test_the_raw_worker_holds_one_capability_and_comes_and_goes_with_its_checks(world: World) -> None:
    balancer = up(world, config(1, kind="syn"), {"checker", "checker-raw"})
    held = {name: capabilities(balancer, pid) for name, pid in pids(balancer).items()}
    raw = f"{1 << 13:016x}"
    nothing = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16)
    assert held == {"checker": nothing, "checker-raw": {**nothing, "CapPrm": raw, "CapEff": raw}}
    goes_on(world, balancer, "rs1", RS1)
    replaced(balancer, "checker-raw", signalled(balancer, "checker-raw", "KILL"))
    goes_on(world, balancer, "rs2", RS2)
    balancer.configure(config(1))
    assert balancer.reload().operations == ()
    wait_until(lambda: pids(balancer).keys() == {"checker"}, 20, "no raw worker")
    goes_on(world, balancer, "rs1", RS1)


def capabilities(balancer: Balancer, pid: int) -> dict[str, str]:
    lines = (line.split() for line in balancer.host.read(f"/proc/{pid}/status").splitlines())
    return {words[0].rstrip(":"): words[1] for words in lines if words and words[0].startswith("Cap")}
