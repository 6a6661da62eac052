"""The whole service on a real kernel: deaths of its processes, hands in its table, wrong files, hostile servers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netlink.table import DestinationKey
from tests.lab import farm
from tests.lab.balancer import CONFIG, LOG, Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
WEB = """
  web:
    virtual: 192.0.2.100:80
    scheduler: rr
    check: {type: http, path: /ldirectord.txt, receive: ldirectord}
    real_servers: [192.0.2.11, 192.0.2.12]
"""
CHECK = "defaults: {check: {interval: 1s, timeout: 1s, fall: 2}}\n"
MENDED_SECONDS = 10.0  # two where the machine has little else to do


def config(priority: int, services: str = WEB, extra: str = "") -> str:
    return f"""{extra}
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: {priority}
    version: 2
    authentication: {{type: simple, password: s3cret12}}
    addresses: [192.0.2.100/24]
{CHECK}
services:
{services}
"""


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(PAIR)
    with ExitStack() as servers:
        for name in ("rs1", "rs2"):
            servers.enter_context(farm.Server(world[name], 80, farm.good))
        yield world


def up(world: World, priority: int = 200, **more: str) -> Balancer:
    """lvsd on lb1, active, both real servers serving."""
    balancer = Balancer(world["lb1"], config(priority, **more)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    wait_until(lambda: VIP in balancer.addresses(), 10, "the address on lb1")
    return balancer


def test_each_process_may_be_killed_and_nobody_notices(world: World) -> None:
    balancer = up(world)
    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        for name in ("director", "checker", "vrrp"):
            killed = balancer.kill(name)
            wait_until(balancer._up, 20, f"the {name} process is back")
            assert balancer.pid(name) != killed
            assert balancer.weights() == {RS1: 1, RS2: 1}
        wait_until(lambda: balancer.vrrp().instances[0].role == "active", 5, "active")
        assert balancer.vrrp().instances[0].cause == "resumed"
        polls = len(prober.polls)
        wait_until(lambda: len(prober.polls) > polls + 50, 20, "more polls")
    assert prober.failures() == 0, balancer.log()


def test_after_an_upgrade_on_the_disk_who_dies_is_executed_anew_and_nobody_notices(world: World) -> None:
    """The file stands for any that the supervisor has loaded: Python loads it at its start."""
    lb1 = world["lb1"]
    lb1.write("/root/upgraded/sitecustomize.py", "")
    balancer = Balancer(lb1, config(200))
    environment = {"PYTHONPATH": "/root/upgraded"}
    balancer.process = lb1.popen([f"{CHECKOUT}/.venv/bin/lvsd", "run", "-c", CONFIG], log=LOG, env=environment)
    balancer.until("both serve", {RS1: 1, RS2: 1})
    wait_until(lambda: VIP in balancer.addresses(), 10, "the address on lb1")
    wait_until(balancer._up, 20, "all are there")

    def pid_of(name: str) -> int:
        known = {one.name: one.pid for one in balancer.status().processes if one.connected}
        return known[name] if name in known else balancer.pid(name)

    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        for upgraded in (False, True):
            if upgraded:
                lb1.write("/root/upgraded/sitecustomize.py", "new = True\n")
            for name in ("director", "checker", "vrrp"):
                killed = pid_of(name)
                balancer.end(killed)
                wait_until(lambda: balancer._up() and pid_of(name) != killed, 20, f"another {name}")  # noqa: B023  here
                shown = lb1.read(f"/proc/{pid_of(name)}/cmdline").strip("\0").split("\0")
                assert (shown[1:3] == ["-I", "-m"], shown == [f"lvsd-{name}"]) == (upgraded, not upgraded), shown
    assert prober.failures() == 0, balancer.log()
    assert balancer.weights() == {RS1: 1, RS2: 1}
    assert balancer.stop() == 0


def test_the_supervisors_death_ends_the_others_in_good_order_and_leaves_the_table(world: World) -> None:
    balancer = up(world, extra="daemon: {clear_table_on_stop: true}")
    balancer.kill("supervisor")
    wait_until(lambda: VIP not in balancer.addresses(), 10, "the address is given up")
    wait_until(lambda: not balancer.running(), 10, "all have ended")
    assert balancer.weights() == {RS1: 1, RS2: 1}


def test_a_verdict_outlives_the_directors_death(world: World) -> None:
    balancer = up(world)
    with ExitStack() as stack:
        stack.enter_context(farm.Server(world["rs1"], 81, farm.good))
        world["rs2"].link_down("public")
        balancer.until("rs2 is out", {RS1: 1}, seconds=20)
        balancer.kill("director")
        wait_until(balancer._up, 20, "the director is back")
        assert balancer.weights() == {RS1: 1}
        wait_until(lambda: balancer.standings()[f"web {RS2}:80"] == "out", 10, "the worker tells its levels again")


@pytest.mark.parametrize(
    "edit",
    [
        ["ipvsadm", "-D", "-t", f"{VIP}:80"],
        ["ipvsadm", "-C"],
        ["ipvsadm", "-e", "-t", f"{VIP}:80", "-r", f"{RS1}:80", "-g", "-w", "7"],
        ["ipvsadm", "-d", "-t", f"{VIP}:80", "-r", f"{RS1}:80"],
        ["ipvsadm", "-a", "-t", f"{VIP}:80", "-r", "192.0.2.99:80", "-g"],
        ["ipvsadm", "-E", "-t", f"{VIP}:80", "-s", "wlc"],
        ["ipvsadm", "-E", "-t", f"{VIP}:80", "-s", "rr", "-p", "60"],
        ["ipvsadm", "-e", "-t", f"{VIP}:80", "-r", f"{RS1}:80", "-g", "-w", "1", "-x", "100"],  # not in /proc
    ],
)
def test_an_edit_by_hand_is_told_and_mended_at_once(world: World, edit: list[str]) -> None:
    """It looks once a second."""
    balancer = Balancer(world["lb1"], config(200)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    before = balancer.table()
    balancer.host.run(edit)
    wait_until(lambda: "table_changed_by_stranger" in balancer.log(), MENDED_SECONDS, "told")
    wait_until(lambda: balancer.table() == before, MENDED_SECONDS, "mended")
    assert balancer.status().repairs == 1


def test_a_service_that_is_not_ours_is_never_touched(world: World) -> None:
    lb1 = world["lb1"]
    lb1.run(["ipvsadm", "-A", "-t", "192.0.2.200:25", "-s", "wlc"])
    lb1.run(["ipvsadm", "-a", "-t", "192.0.2.200:25", "-r", "192.0.2.99:25", "-g", "-w", "3"])
    balancer = up(world)
    foreign = [key for key in balancer.table() if key.port == 25]
    held = balancer.table()[foreign[0]]
    balancer.configure(config(200, services="  {}"))
    assert balancer.reload().accepted
    wait_until(lambda: list(balancer.table()) == foreign, 5, "our service is gone, the stranger's is there")
    assert balancer.table()[foreign[0]] == held
    assert balancer.stop() == 0
    assert balancer.table()[foreign[0]] == held


def test_start_adopts_what_it_finds(world: World) -> None:
    lb1 = world["lb1"]
    lb1.run(["ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr"])
    for address in (RS1, RS2):
        lb1.run(["ipvsadm", "-a", "-t", f"{VIP}:80", "-r", f"{address}:80", "-g", "-w", "1"])
    balancer = up(world)
    assert "table_changed " not in balancer.log()


def test_a_wrong_file_is_refused_whole_and_the_running_configuration_stays(world: World) -> None:
    balancer = up(world)
    generation = balancer.status().generation
    balancer.configure(config(200).replace("scheduler: rr", "shceduler: rr").replace("priority: 200", "priority: 0"))
    done = balancer.host.run([f"{CHECKOUT}/.venv/bin/lvsctl", "reload"], check=False)
    assert done.returncode == 1
    assert f"{CONFIG}:" in done.stderr
    assert "scheduler" in done.stderr
    assert "priority" in done.stderr or "out of range" in done.stderr
    assert "Traceback" not in done.stderr
    assert balancer.status().generation == generation
    balancer.kill("director")  # and now the director even has to start beside that file
    wait_until(balancer._up, 20, "the director is back")
    assert "last_good_configuration_used" in balancer.log()
    assert balancer.weights() == {RS1: 1, RS2: 1}
    balancer.configure(config(200))
    assert balancer.process is not None
    balancer.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "config_reloaded" in balancer.log(), 10, "reloaded by SIGHUP")


def test_a_wrong_file_at_start_is_told_and_nothing_runs(world: World) -> None:
    lb1 = world["lb1"]
    lb1.write(CONFIG, "services: {web: {virtual: 300.1.1.1:80, real_servers: []}}\n")
    done = lb1.run([f"{CHECKOUT}/.venv/bin/lvsd", "run", "-c", CONFIG], check=False)
    assert done.returncode == 1
    assert f"{CONFIG}:1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_lvsd_in_the_same_run_directory_is_refused(world: World) -> None:
    balancer = up(world)
    done = balancer.host.run([f"{CHECKOUT}/.venv/bin/lvsd", "run", "-c", CONFIG], check=False)
    assert done.returncode == 1
    assert "another lvsd" in done.stderr
    assert balancer.weights() == {RS1: 1, RS2: 1}


@pytest.mark.parametrize(("setting", "left"), [("false", {RS1: 1, RS2: 1}), ("true", {})])
def test_sigterm_gives_the_address_up_and_leaves_or_clears_the_table(
    world: World, setting: str, left: dict[str, int]
) -> None:
    balancer = up(world, extra=f"daemon: {{clear_table_on_stop: {setting}}}")
    assert balancer.stop() == 0
    assert VIP not in balancer.addresses()
    assert balancer.weights() == left
    assert not balancer.running()
    assert "vrrp_process_lost" not in balancer.log()  # it said that it ends


def test_a_server_fails_is_removed_and_returns(world: World) -> None:
    balancer = up(world)
    world["rs1"].link_down("public")
    balancer.until("rs1 is out", {RS2: 1}, seconds=20)
    row = balancer.status().services[0].real_servers[0]
    assert (row.standing, row.state) == ("out", "down")
    reasons = ("connect_timeout", "unreachable")
    wait_until(lambda: balancer.results()[f"web {RS1}:80"] in reasons, 10, "why")  # of each probe, also of later ones
    world["rs1"].link_up("public")
    balancer.until("rs1 is back", {RS1: 1, RS2: 1}, seconds=20)


def test_quiesce_by_setting(world: World) -> None:
    balancer = up(world, services=WEB.replace("scheduler: rr", "scheduler: rr\n    on_failure: quiesce"))
    world["rs1"].link_down("public")
    balancer.until("rs1 is quiesced", {RS1: 0, RS2: 1}, seconds=20)


def test_a_fallback_server_steps_in(world: World) -> None:
    services = WEB.replace(f"[{RS1}, {RS2}]", f"[{RS1}]\n    fallback: {RS2}")
    balancer = Balancer(world["lb1"], config(200, services=services)).start()
    balancer.until("the real server serves", {RS1: 1})
    world["rs1"].link_down("public")
    balancer.until("the fallback server serves", {RS2: 1}, seconds=20)
    assert balancer.standings() == {f"web {RS1}:80": "out", f"web {RS2}:80": "serving"}
    wait_until(lambda: VIP in balancer.addresses(), 10, "the address on lb1")
    wait_until(lambda: world["client"].call(http(VIP)), 5, "clients are served")
    world["rs1"].link_up("public")
    balancer.until("the real server serves again", {RS1: 1}, seconds=20)


def test_lb2_takes_over_when_lb1_dies_and_lb1_takes_back_by_priority(world: World) -> None:
    first = up(world)
    second = Balancer(world["lb2"], config(100)).start()
    second.until("both serve on lb2 as well", {RS1: 1, RS2: 1})
    wait_until(lambda: second.vrrp().instances[0].role == "backup", 10, "lb2 stands by")
    assert VIP not in second.addresses()
    with Prober(world["client"], http(VIP)) as prober:
        wait_until(lambda: len(prober.polls) > 5, 10, "polls")
        world["lb1"].kill()
        wait_until(lambda: VIP in second.addresses(), 15, "lb2 takes over")
        wait_until(lambda: prober.polls[-1].answered, 15, "and serves")
        world["lb1"].revive()
        first.start()
        wait_until(lambda: VIP in first.addresses(), 20, "lb1 takes back")
        wait_until(lambda: VIP not in second.addresses(), 15, "lb2 lets go")
        wait_until(lambda: prober.polls[-1].answered, 15, "and lb1 serves")
    wait_until(lambda: second.vrrp().instances[0].role == "backup", 10, "lb2 is backup")
    wait_until(lambda: second.vrrp().instances[0].active_router == "192.0.2.1", 10, "of lb1")


HOSTILE = {
    81: (farm.silent, {"reply_timeout"}),
    82: (farm.drop, {"reply_timeout"}),
    83: (farm.flood, {"too_large", "no_match"}),
    84: (farm.reset, {"closed", "refused"}),
    85: (farm.wordless, {"no_match"}),
    86: (farm.late, {"reply_timeout"}),
    87: (farm.reset_midway, {"closed"}),
    88: (farm.error_page, {"status"}),
    89: (farm.endless_header, {"too_large"}),
    25: (farm.endless_banner, {"too_large"}),
}
SMTP = WEB.replace("type: http, path: /ldirectord.txt, receive: ldirectord", "type: smtp")


def test_hostile_servers_are_named_and_disturb_nobody(world: World) -> None:
    services = WEB + "".join(
        (SMTP if port == 25 else WEB)
        .replace("web:", f"bad{port}:")
        .replace("100:80", f"100:{port}")
        .replace(f", {RS2}", "")
        for port in HOSTILE
    )
    with ExitStack() as stack:
        for port, (manner, _) in HOSTILE.items():
            stack.enter_context(farm.Server(world["rs1"], port, manner))
        balancer = Balancer(world["lb1"], config(200, services=services)).start()
        balancer.until("the good ones serve", {RS1: 1, RS2: 1}, seconds=30)
        for port, (_, reasons) in HOSTILE.items():
            name = f"bad{port} {RS1}:{port}"
            # out, too: on a machine that stands still an answer that is late may be there first, and be taken
            wanted = [(reason, "out") for reason in reasons]
            try:
                wait_until(lambda: found(balancer)[name] in wanted, 20, f"{name}: {wanted}")  # noqa: B023  here
            except AssertionError as error:
                raise AssertionError(f"{error}\n{balancer.status()}\n{balancer.log()}") from error
        memory = balancer.host.read(f"/proc/{balancer.pid('checker')}/status")
        peak = next(int(line.split()[1]) for line in memory.splitlines() if line.startswith("VmHWM"))
        assert peak < 120_000, f"{peak} kB"
        wait_until(lambda: max(ages(balancer, "web")) < 5, 20, "the good ones are probed all the time")


def found(balancer: Balancer) -> dict[str, tuple[str, str]]:
    """`service real-server` -> result of its last probe and standing, of one moment."""
    return {
        f"{service.name} {real.real_server}": (real.result, real.standing)
        for service in balancer.status().services
        for real in service.real_servers
    }


def ages(balancer: Balancer, service: str) -> list[float]:
    """Seconds since each of its real servers was probed."""
    (row,) = (one for one in balancer.status().services if one.name == service)
    return [float("inf") if real.probe_age is None else real.probe_age for real in row.real_servers]


def test_two_hundred_services_of_two_thousand_real_servers(world: World) -> None:
    services = "".join(
        f"  s{number}:\n    virtual: 192.0.2.100:{1000 + number}\n    check: {{type: none}}\n"
        f"    real_servers: [{', '.join(f'10.9.{number}.{last}' for last in range(1, 11))}]\n"
        for number in range(200)
    )
    balancer = Balancer(world["lb1"], config(200, services=services)).start()

    def held() -> tuple[int, int]:
        table = balancer.table()
        return len(table), sum(len(entry.destinations) for entry in table.values())

    wait_until(lambda: held() == (200, 2000), 20, "all of it")  # a slow machine starts the others beside it
    balancer.configure(config(200, services=services.replace("10.9.7.3,", "")))
    reply = balancer.reload()
    assert reply.operations == ("delete 10.9.7.3:1007 from tcp 192.0.2.100:1007",)
    assert sum(DestinationKey("10.9.7.3", 1007) in entry.destinations for entry in balancer.table().values()) == 0


def test_secrets_show_nowhere(world: World) -> None:
    balancer = up(world)
    lb1 = balancer.host
    lvsctl = f"{CHECKOUT}/.venv/bin/lvsctl"
    texts = [lb1.run([lvsctl, *words]).stdout for words in (["status", "--json"], ["vrrp", "--json"], ["plan"])]
    arguments = lb1.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout
    assert "lvsd-vrrp" in arguments
    for text in (*texts, arguments, lb1.read(LOG)):
        assert "s3cret12" not in text
