"""The demo itself, inside the lab: the guide's cluster served by lvsd, told and checked step by step."""

from __future__ import annotations

import re
import sys
import time

from tests.demo.narrator import Narrator, StepFailed
from tests.demo.stage import BALANCERS, EXAMPLES, VIP, Stage
from tests.lab.cluster import CLUSTER
from tests.lab.prober import Prober, http
from tests.lab.world import World

CA = "--cacert /etc/lab/ca.pem"
LOGIN = "--user user:userPassw0rd"
SQL = f"MYSQL_PWD=appPassw0rd mysql -h {VIP} -u app -N -e"
SUBMIT = (
    "printf 'From: user@example.net\\nTo: user@example.net\\nSubject: through the VIP\\n\\nhello\\n' | "
    f"curl -sS {CA} {LOGIN} --mail-from user@example.net --mail-rcpt user@example.net -T - "
    "smtps://lb0.example.net:465 && echo submitted"
)


def main() -> int:
    """Play every scene; 1 at the first thing that is not as it should be."""
    tell = Narrator()
    tell.say("The mail cluster of the guide: client, lb1, lb2, db1, db2, filer1, mail1, mail2; lvsd on lb1 and lb2.")
    try:
        with World(CLUSTER) as world:
            stage = Stage(world, tell)
            play(stage)
    except StepFailed as failure:
        tell.say(f"\nFAILED: {failure}")
        return 1
    tell.end()
    return 0


def play(stage: Stage) -> None:
    """Every scene, in order."""
    stage.build()
    start(stage)
    table(stage)
    services(stage)
    database_stopped(stage)
    database_not_ready(stage)
    page_changed(stage)
    edited_by_hand(stage)
    balancer_killed(stage)
    balancer_back(stage)
    reload_adds(stage)


def start(stage: Stage) -> None:
    """lvsd on both balancers, from the examples."""
    tell = stage.tell
    tell.step("lvsd starts on lb1 and lb2")
    for name in BALANCERS:
        stage.install(name)
        tell.type(stage.host(name), f"lvsd check {EXAMPLES}/{name}.yaml")
        stage.start(name)
    for name in BALANCERS:
        tell.wait(f"every real server serves on {name}", lambda name=name: stage.all_serve(name), 60)  # type: ignore[misc]
    tell.wait("lb1, by its priority, holds the virtual address", lambda: stage.holds("lb1"), 15)
    tell.type(stage.host("lb1"), "lvsctl vrrp")
    tell.type(stage.host("lb2"), "lvsctl vrrp")
    tell.check("lb2 does not hold it", not stage.holds("lb2"))
    tell.type(stage.host("lb1"), "lvsctl status")


def table(stage: Stage) -> None:
    """`lvsctl show` and `ipvsadm -L` print the same bytes."""
    tell, lb1 = stage.tell, stage.host("lb1")
    tell.step("the table, as ipvsadm prints it")
    ours = tell.type(lb1, "lvsctl show")
    tell.check("`ipvsadm -L` prints the same, byte for byte", ours == lb1.run(["ipvsadm", "-L"]).stdout)
    numbers = lb1.run(["lvsctl", "show", "-n"]).stdout
    tell.check("and so does `ipvsadm -Ln`", numbers == lb1.run(["ipvsadm", "-L", "-n"]).stdout)
    other = stage.host("lb2").run(["lvsctl", "show", "-n"]).stdout
    tell.check("lb2 holds the same table", other == numbers, other)


def services(stage: Stage) -> None:
    """A client uses all six services through the virtual address."""
    tell, client = stage.tell, stage.host("client")
    tell.step("a client uses all six services through the virtual address")
    said = tell.type(client, f"{SQL} 'SELECT @@hostname'")
    tell.check("a database answered", said.strip() in ("db1", "db2"), said)
    said = tell.type(client, f"curl -sS http://{VIP}/ldirectord.txt")
    tell.check("a web server answered", "ldirectord" in said, said)
    said = tell.type(client, f"curl -sS {CA} https://lb0.example.net/ldirectord.txt")
    tell.check("over TLS, its certificate verified, too", "ldirectord" in said, said)
    said = tell.type(client, SUBMIT)
    tell.check("a mail was submitted", "submitted" in said, said)
    said = tell.type(client, f"curl -sS {CA} {LOGIN} imaps://lb0.example.net/INBOX -X 'STATUS INBOX (MESSAGES)'")
    tell.check("an IMAP login", "MESSAGES" in said, said)
    said = tell.type(
        client, f"curl -sS {CA} {LOGIN} -v pop3s://lb0.example.net/ 2>&1 | grep -E '^[<>] (PASS|.OK Logged)'"
    )
    tell.check("a POP login", "OK Logged in" in said, said)
    tell.type(stage.host("lb1"), "lvsctl show -n")


def database_stopped(stage: Stage) -> None:
    """MariaDB stops on db1: removed, and back when it is back."""
    tell, client, lb1 = stage.tell, stage.host("client"), stage.host("lb1")
    tell.step("MariaDB is stopped on db1")
    stage.stop_database("db1")
    took = tell.wait("db1 gets no new client any more", lambda: stage.weight("lb1", 3306, "db1") in (None, 0), 40)
    tell.say(f"  removed {took:.1f} s after it had stopped (interval 5 s, three failures)")
    tell.type(lb1, f"lvsctl status {VIP}:3306")
    said = tell.type(client, f"{SQL} 'SELECT @@hostname'")
    tell.check("clients are served by db2", said.strip() == "db2", said)
    stage.start_database("db1")
    took = tell.wait("db1 is back in the table", lambda: stage.weight("lb1", 3306, "db1") == 1, 60)
    tell.say(f"  returned {took:.1f} s after it was ready")


def database_not_ready(stage: Stage) -> None:
    """A Galera node that answers TCP but is not ready: cut off from the cluster, non-primary."""
    tell, lb1 = stage.tell, stage.host("lb1")
    tell.step("db2 is cut off from the other database nodes: it answers, but is not ready")
    stage.world.partition("private", ["db2"], ["db1", "filer1"])
    took = tell.wait("db2 gets no new client any more", lambda: stage.weight("lb1", 3306, "db2") in (None, 0), 60)
    said = tell.type(lb1, f"lvsctl status {VIP}:3306")
    tell.check("lvsd says why", "not_ready" in said, said)
    answers = stage.host("client").run(["bash", "-c", "exec 3<>/dev/tcp/1.1.1.16/3306 && head -c 20 <&3 | wc -c"])
    tell.check("and it does answer TCP, with its greeting", answers.stdout.strip() == "20", answers.stdout)
    said = tell.type(stage.host("client"), f"{SQL} 'SELECT @@hostname'")
    tell.check("clients are served by db1", said.strip() == "db1", said)
    tell.say(f"  removed {took:.1f} s after the cut")
    stage.world.heal()
    tell.wait(
        "healed, db2 joins the cluster and is back in the table", lambda: stage.weight("lb1", 3306, "db2") == 1, 90
    )


def page_changed(stage: Stage) -> None:
    """A web server whose page lost its receive string."""
    tell, lb1, mail1 = stage.tell, stage.host("lb1"), stage.host("mail1")
    tell.step("mail1's page loses the string it is known by")
    tell.type(mail1, f"echo 'under construction' > {stage.page}")
    for port in (80, 443):
        tell.wait(f"mail1 is out of port {port}", lambda port=port: stage.weight("lb1", port, "mail1") in (None, 0), 40)  # type: ignore[misc]
    said = tell.type(lb1, "lvsctl status http")
    tell.check("lvsd says why", "no_match" in said, said)
    tell.check("its mail services stay", stage.weight("lb1", 993, "mail1") == 1)
    tell.type(mail1, f"echo ldirectord > {stage.page}")
    for port in (80, 443):
        tell.wait(f"mail1 is back on port {port}", lambda port=port: stage.weight("lb1", port, "mail1") == 1, 40)  # type: ignore[misc]


def edited_by_hand(stage: Stage) -> None:
    """A hand clears the table; lvsd mends it."""
    tell, lb1 = stage.tell, stage.host("lb1")
    tell.step("somebody types ipvsadm -C")
    before = lb1.run(["lvsctl", "show", "-n"]).stdout.splitlines()
    tell.type(lb1, "ipvsadm -C")
    wanted = [_settings(line) for line in before]

    def mended() -> bool:
        return [_settings(line) for line in lb1.run(["lvsctl", "show", "-n"]).stdout.splitlines()] == wanted

    took = tell.wait("the table is as it was", mended, 15)
    tell.say(f"  mended {took:.1f} s after, with the time that `lvsctl show` takes to look")
    said = tell.type(lb1, "grep table_changed_by_stranger /var/log/lvsd.log | tail -1 | cut -c1-150")
    tell.check("and told", "table_changed_by_stranger" in said)


def _settings(line: str) -> str:
    """A line of the table without its counters."""
    return re.sub(r"\d+ +\d+ *$", "", line)


def balancer_killed(stage: Stage) -> None:
    """lb1 dies outright; the client's outage is measured."""
    tell = stage.tell
    tell.step("lb1 is killed outright, while the client asks http://1.1.1.12/ again and again")
    with Prober(stage.host("client"), http(VIP)) as prober:
        time.sleep(1)
        killed = time.monotonic()
        stage.host("lb1").kill()
        tell.wait("the address is on lb2", lambda: stage.holds("lb2"), 20)
        tell.wait(
            "the client is served again", lambda: prober.polls[-1].answered and prober.polls[-1].began > killed, 20
        )
        time.sleep(1)
    tell.type(stage.host("lb2"), "ip -brief address show dev eth0")
    tell.type(stage.host("lb2"), "lvsctl vrrp")
    tell.say(f"  the client's outage: {prober.outage_seconds() * 1000:.0f} ms")
    tell.check(
        "not much longer than three advertisements and the skew time (3.6 s): the rest is the polls' and the machine's",
        prober.outage_seconds() < 8,
    )


def balancer_back(stage: Stage) -> None:
    """lb1 boots, and takes the address by priority."""
    tell = stage.tell
    tell.step("lb1 comes back and takes the address by its priority")
    with Prober(stage.host("client"), http(VIP)) as prober:
        stage.host("lb1").revive()
        stage.install("lb1")
        stage.start("lb1")
        tell.wait("lb1 holds the address", lambda: stage.holds("lb1"), 30)
        tell.wait("lb2 has let it go", lambda: not stage.holds("lb2"), 15)
        tell.wait("every real server serves on lb1", lambda: stage.all_serve("lb1"), 60)
        time.sleep(1)
    tell.type(stage.host("lb1"), "lvsctl vrrp")
    tell.say(
        f"  the client's longest wait: {prober.outage_seconds() * 1000:.0f} ms, {prober.failures()} questions failed"
    )


def reload_adds(stage: Stage) -> None:
    """A reload adds a real server, without disturbing anything."""
    tell = stage.tell
    tell.step("a reload adds a real server: filer1 for MySQL")
    filer1 = stage.host("filer1")
    tell.type(
        filer1,
        f"sysctl -q net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; ip address add {VIP}/32 dev lo",
    )
    for name in BALANCERS:
        host = stage.host(name)
        tell.type(
            host,
            "sed -i 's/1.1.1.15, 1.1.1.16/1.1.1.15, 1.1.1.16, 1.1.1.11/' /etc/lvsd/lvsd.yaml",
        )
        said = tell.type(host, "lvsctl plan", show=name == "lb1")
        tell.check("the plan names it", "1.1.1.11" in said, said)
        tell.type(host, "lvsctl reload", show=name == "lb1")
    tell.wait("filer1 serves", lambda: stage.weight("lb1", 3306, "filer1") == 1, 30)
    tell.type(stage.host("lb1"), f"lvsctl show -n -t {VIP}:3306")
    tell.step("lvsd stops on lb1 in good order")
    stage.stop("lb1")
    tell.wait("lb2 holds the address", lambda: stage.holds("lb2"), 15)
    tell.check("lb1's table stays", stage.weight("lb1", 3306, "db1") == 1)


if __name__ == "__main__":
    sys.exit(main())
