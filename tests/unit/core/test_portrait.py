"""A balancer's portrait says what a peer has to know, and no secret."""

from __future__ import annotations

from dataclasses import replace as replaced

import msgspec
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import ConnectionSync, Daemon, Ipvs, Peering, VirtualAddress, VrrpInstance
from config.pool_rules import Amount, Floor, PoolRules
from config.secret import Secret
from config.words import SyncRole
from lvsd.control.portrait import Portrait, RealServerPortrait
from lvsd.core.events import MaintenanceSeen, VrrpCame, VrrpHeard
from lvsd.core.identity import service_key
from lvsd.core.portrait import SILENT_SECONDS, Machine, portrait
from lvsd.vrrp.messages import Cause, InstanceStatus, Role, VrrpStatus
from netlink.table import SyncDaemon
from tests.unit.core.world import Bench, config, real, table, virtual

HTTP = virtual(real("1.1.1.17"), real("1.1.1.18"), fallback=(real("1.1.1.19"),))
NAME = "tcp 1.1.1.12:80"


def seen(bench: Bench, connections: int = 0) -> Portrait:
    table = bench.director.kernel.table
    return portrait(bench.director, Machine("lb1", 7.0, bench.now, table, {service_key(HTTP.virtual): connections}))


def test_health_wanted_and_held_are_told_apart() -> None:
    bench = Bench(config(HTTP), table((HTTP, {"1.1.1.17": 1, "1.1.1.99": 1})))
    bench.hear({"1.1.1.17": State.UP, "1.1.1.18": State.DOWN})
    service = seen(bench, 7).services[NAME]
    reals = service.real_servers
    assert (reals["1.1.1.17:80"].state, reals["1.1.1.17:80"].held) == ("up", 1)
    assert reals["1.1.1.18:80"].state == "down"
    assert (reals["1.1.1.18:80"].wanted, reals["1.1.1.18:80"].held) == (None, None)
    assert reals["1.1.1.19:80"].state == "fallback"
    assert service.connections == 7
    assert service.held_settings == ""


def test_what_the_kernel_has_beside_the_configuration_is_a_stranger() -> None:
    bench = Bench(config(HTTP))
    bench.hear({"1.1.1.17": State.UP, "1.1.1.18": State.DOWN})
    edited = table((HTTP, {"1.1.1.17": 5, "1.1.1.18": 1, "1.1.1.99": 1}))
    bench.director = replaced(bench.director, kernel=replaced(bench.director.kernel, table=edited))
    service = seen(bench).services[NAME]
    assert service.strangers == ("1.1.1.99:80",)
    held = {name: (real.wanted, real.held) for name, real in service.real_servers.items()}
    assert held == {"1.1.1.17:80": (1, 5), "1.1.1.18:80": (None, 1), "1.1.1.19:80": (None, None)}
    moved = table((virtual(real("1.1.1.17"), scheduler="rr"), {"1.1.1.17": 1}))
    bench.director = replaced(bench.director, kernel=replaced(bench.director.kernel, table=moved))
    assert seen(bench).services[NAME].held_settings.startswith("rr ")
    bench.director = replaced(bench.director, kernel=replaced(bench.director.kernel, table={}))
    assert seen(bench).services[NAME].held_settings == "not in the kernel"


def test_who_is_only_kept_is_down_for_a_peer() -> None:
    kept = replace(HTTP, rules=PoolRules(Floor(Amount(1))), fallback=())
    bench = Bench(config(kept))
    bench.hear({"1.1.1.17": State.UP, "1.1.1.18": State.UP})
    bench.hear({"1.1.1.17": State.DOWN, "1.1.1.18": State.DOWN})
    reals = seen(bench).services[NAME].real_servers
    assert [(one.state, one.reason, one.wanted) for one in reals.values()] == [
        ("down", "refused", None),
        ("down", "refused", 1),
    ]


def test_maintenance_is_named() -> None:
    bench = Bench(config(HTTP), table((HTTP, {"1.1.1.17": 1})))
    bench.feed(MaintenanceSeen(frozenset(("1.1.1.17",))))
    found = seen(bench).services[NAME].real_servers["1.1.1.17:80"]
    assert (found.state, found.reason) == ("down", "maintenance")
    assert isinstance(found, RealServerPortrait)


def test_a_balancer_that_lacks_its_parts_says_so() -> None:
    one = VrrpInstance(
        "lb0", "eth0", 1, 200, 2, (VirtualAddress("1.1.1.12", 24, "eth0"),), password=Secret("hidden-word")
    )
    bench = Bench(config(vrrp=(one,)))
    assert "the vrrp process is gone" in seen(bench).troubles
    assert seen(bench).instances[0].role == "unknown"
    bench.feed(VrrpCame())
    heard = InstanceStatus("lb0", Role.BACKUP, 150, "1.1.1.2", 200, 0.0, Cause.START, (), 0, 0, {}, 1, yielded=True)
    bench.feed(VrrpHeard(VrrpStatus(1, 42, (heard,))))
    found = seen(bench)
    assert "the vrrp process is gone" not in found.troubles
    (row,) = found.instances
    assert (row.role, row.priority, row.yielded, row.addresses) == ("backup", 150, True, ("1.1.1.12/24",))
    assert b"hidden-word" not in msgspec.json.encode(found)


def test_sync_daemons_are_compared_by_what_must_agree() -> None:
    wanted = replace(config(HTTP), ipvs=Ipvs(sync=ConnectionSync("eth1", SyncRole.MASTER)))
    assert seen(Bench(wanted)).sync_wanted == "master"
    assert seen(Bench(config(HTTP))).sync_wanted == ""
    daemons = (SyncDaemon("backup", "eth9", 3, 1400, "224.0.0.81", 8848, 1),)
    bench = Bench(wanted)
    bench.director = replaced(bench.director, settings=replaced(bench.director.settings, daemons=daemons))
    assert seen(bench).sync_running == ("backup sync id 3 group 224.0.0.81 port 8848",)


def with_secret(word: str, *instances: VrrpInstance) -> Portrait:
    daemon = Daemon(peer=Peering(Secret(word)))
    return portrait(Bench(replace(config(HTTP, vrrp=instances), daemon=daemon)).director, Machine("lb1"))


def test_marks_tell_apart_and_nothing_else() -> None:
    def locked(word: str) -> VrrpInstance:
        return VrrpInstance("lb0", "eth0", 1, 200, 2, (VirtualAddress("1.1.1.12", 24, "eth0"),), password=Secret(word))

    def mark(secret: str, word: str) -> str:
        return with_secret(secret, locked(word)).instances[0].password

    assert mark("s" * 16, "word") == mark("s" * 16, "word") != mark("s" * 16, "other")
    assert mark("s" * 16, "word") != mark("t" * 16, "word")
    assert with_secret("s" * 16).services[NAME].mark == with_secret("s" * 16).services[NAME].mark != ""
    assert portrait(Bench(config(HTTP, vrrp=(locked("word"),))).director, Machine("lb1")).instances[0].password == ""


def test_virtual_addresses_are_named_where_they_are() -> None:
    one = VrrpInstance("lb0", "eth0", 1, 200, 2, (VirtualAddress("1.1.1.12", 24, "eth0"),))
    machine = Machine("lb1", addresses={"lo": ("127.0.0.1", "1.1.1.12"), "eth0": ("1.1.1.1",)})
    assert portrait(Bench(config(vrrp=(one,))).director, machine).present == ("1.1.1.12 on lo",)


def test_a_vrrp_process_that_says_nothing_any_more_is_a_trouble() -> None:
    one = VrrpInstance("lb0", "eth0", 1, 200, 2, (VirtualAddress("1.1.1.12", 24, "eth0"),))
    bench = Bench(config(vrrp=(one,)))
    bench.feed(VrrpCame())
    bench.now += 60
    bench.feed(VrrpHeard(VrrpStatus(1, 42, ())))
    bench.now += SILENT_SECONDS
    assert not any("vrrp" in trouble for trouble in seen(bench).troubles)
    bench.now += 1
    assert "the vrrp process says nothing for 4 s: it hangs or is stopped" in seen(bench).troubles
