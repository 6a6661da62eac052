"""The guide's cluster, all daemons real: every service answers, directly and through the virtual address."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
from collections.abc import Iterator
from functools import partial

import pymysql
import pytest

from tests.lab import service
from tests.lab.cluster import CLUSTER, DATABASES, MAIL, PRIVATE, PUBLIC, VIP, VIP_NAME
from tests.lab.daemons import certificates, mail, mariadb, process, web
from tests.lab.daemons.balancers import Keepalived, Ldirectord
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

SERVICES = {3306: ("db1", "db2"), 80: MAIL, 443: MAIL, 993: MAIL, 995: MAIL, 465: MAIL, 587: MAIL}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One cluster for all tests of this file: 15 s."""
    lines: list[str] = []
    with World(CLUSTER) as running:
        service.up(running, progress=lines.append)
        assert len(lines) == 10
        balance(running["lb1"])
        yield running


def balance(lb1: LiveHost) -> None:
    """A table by hand, as the guide's would be."""
    lb1.run(["ip", "addr", "add", f"{VIP}/32", "dev", "eth0"])
    rules = ""
    for port, names in SERVICES.items():
        rules += f"-A -t {VIP}:{port} -s rr\n"
        rules += "".join(f"-a -t {VIP}:{port} -r {CLUSTER.host(name).address(PUBLIC)}:{port} -g\n" for name in names)
    lb1.run(["ipvsadm", "-R"], input=rules)


def trust(client: LiveHost) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=client.read(certificates.CA))


def query(host: str, sql: str, login: tuple[str, str] = mariadb.MONITOR) -> list[object]:
    with (
        pymysql.connect(host=host, user=login[0], password=login[1], autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
        return list(cursor.fetchall())


@pytest.mark.parametrize("name", ["lb0.example.net", "mail1.example.net", "mail2.example.net"])
def test_web(world: World, name: str) -> None:
    command = ["curl", "-sS", "--cacert", certificates.CA]
    client = world["client"]
    for url in (f"http://{name}/ldirectord.txt", f"https://{name}/ldirectord.txt"):
        assert client.run([*command, url]).stdout == "ldirectord\n"


def test_the_virtual_address_reaches_both_web_servers(world: World) -> None:
    client = world["client"]
    assert {client.run(["curl", "-sS", f"http://{VIP}/"]).stdout for _ in range(4)} == {"mail1\n", "mail2\n"}


def test_a_certificate_for_another_name_does_not_verify(world: World) -> None:
    done = world["client"].run(["curl", "-sS", "https://mail1.example.net/"], check=False)
    assert "certificate" in done.stderr


def test_the_database_is_one_cluster_of_three_over_the_private_network(world: World) -> None:
    addresses = "SHOW STATUS LIKE 'wsrep_incoming_addresses'"
    for name in DATABASES:
        assert query_on(world, name, "SHOW STATUS LIKE 'wsrep_cluster_size'") == [("wsrep_cluster_size", "3")]
        (row,) = query_on(world, name, addresses)
        assert {one.partition(":")[0] for one in str(row[1]).split(",")} == {
            world[one].address(PRIVATE) for one in DATABASES
        }


def query_on(world: World, name: str, sql: str) -> list[tuple[object, ...]]:
    command = ["mariadb", f"--defaults-file={mariadb.SETTINGS}", "-BN", "-e", sql]
    return [tuple(line.split("\t")) for line in world[name].run(command).stdout.splitlines()]


def test_accounts_work_through_the_virtual_address_and_writes_replicate(world: World) -> None:
    client = world["client"]
    assert client.call(lambda: query(VIP, "SELECT * FROM monitoring.monitoring")) == [("X",)]
    client.call(lambda: query(VIP, "INSERT INTO mail.seen (word) VALUES ('replicated')", mariadb.APP))
    # A write is certified everywhere before it is committed; each node applies it in its own time. It is waited for.
    caught_up = "SET SESSION wsrep_sync_wait = 1; SELECT word FROM mail.seen"
    for name in DATABASES:
        assert query_on(world, name, caught_up) == [("replicated",)]


@pytest.mark.parametrize(("port", "tls"), [(465, "wrapper"), (587, "starttls")])
def test_a_submitted_mail_is_read_back(world: World, port: int, tls: str) -> None:
    """Submitted through one balanced service, read through another: whichever mail hosts they reach."""
    client = world["client"]
    context = trust(client)
    words = f"Subject: by {tls}\r\n\r\nhello\r\n"

    def submit() -> None:
        server: smtplib.SMTP
        if tls == "wrapper":
            server = smtplib.SMTP_SSL(VIP_NAME, port, timeout=20, context=context)
        else:
            server = smtplib.SMTP(VIP_NAME, port, timeout=20)
            server.starttls(context=context)
        with server:
            server.login(*mail.USER)
            server.sendmail("user@example.net", ["user@example.net"], words)

    def subjects() -> list[bytes]:
        with imaplib.IMAP4_SSL(VIP_NAME, ssl_context=context, timeout=20) as box:
            box.login(*mail.USER)
            box.select()
            found = box.search(None, "SUBJECT", f'"by {tls}"')[1]
            return [one for one in found if one]

    client.call(submit)
    wait_until(lambda: client.call(subjects), 20, "the mail is in the box", every_seconds=0.5)


def test_pop(world: World) -> None:
    client = world["client"]
    context = trust(client)

    def log_in() -> bytes:
        box = poplib.POP3_SSL(VIP_NAME, context=context, timeout=20)
        box.user(mail.USER[0])
        answer = box.pass_(mail.USER[1])
        box.quit()
        return answer

    assert client.call(log_in).startswith(b"+OK")


def test_strangers_may_not_relay(world: World) -> None:
    def relay() -> None:
        with smtplib.SMTP(VIP_NAME, 587, timeout=20) as server:
            server.sendmail("a@example.org", ["b@example.org"], "x")

    with pytest.raises(smtplib.SMTPResponseException):
        world["client"].call(relay)


def test_the_other_balancer_runs_what_we_replace(world: World) -> None:
    """keepalived and ldirectord of the guide, on lb2, with an address of their own."""
    lb2 = world["lb2"]
    advertised = Keepalived(
        "vrrp_instance VI_1 {\n state BACKUP\n interface eth1\n virtual_router_id 9\n priority 100\n"
        " virtual_ipaddress {\n 10.1.1.99/24\n }\n}\n"
    )
    checked = Ldirectord(
        "checkinterval=1\nquiescent=no\n"
        f"virtual={VIP}:80\n\treal=1.1.1.17:80 gate\n\tservice=http\n\tscheduler=rr\n"
        '\trequest="ldirectord.txt"\n\treceive="ldirectord"\n'
    )
    lb2.start(advertised)
    wait_until(lambda: "10.1.1.99" in lb2.run(["ip", "addr", "show", "eth1"]).stdout, 15, "keepalived has its address")
    lb2.start(checked)
    wait_until(lambda: "1.1.1.17:80" in lb2.run(["ipvsadm", "-Sn"]).stdout, 15, "ldirectord has its real server")
    lb2.stop(checked)
    lb2.stop(advertised)
    assert "10.1.1.99" not in lb2.run(["ip", "addr", "show", "eth1"]).stdout
    assert lb2.run(["ipvsadm", "-Sn"]).stdout == ""


def test_daemons_stop_and_start_again(world: World) -> None:
    mail2 = world["mail2"]
    for daemon in reversed(service.mail_daemons()):
        mail2.stop(daemon)
    ports = (*web.PORTS, *mail.IMAP_PORTS, *mail.POP_PORTS, *mail.SMTP_PORTS)
    assert not any(process.listening(mail2, port) for port in ports)
    for daemon in service.mail_daemons():
        mail2.start(daemon)
    assert process.listening(mail2, *ports)


def test_a_node_cut_off_from_the_others_is_not_primary_and_still_accepts(world: World) -> None:
    others = ("db1", "filer1")
    for network in (PUBLIC, PRIVATE):
        world.partition(network, ["db2"], others)
    ready = "SHOW STATUS LIKE 'wsrep_cluster_status'"
    wait_until(lambda: query_on(world, "db2", ready) == [("wsrep_cluster_status", "non-Primary")], 40, "db2 is alone")
    assert process.listening(world["db2"], mariadb.PORT)
    with pytest.raises(pymysql.err.OperationalError, match="WSREP has not yet prepared node"):
        world["client"].call(lambda: query("1.1.1.16", "SELECT * FROM monitoring.monitoring"))
    world.heal()
    wait_until(partial(mariadb.is_synced, world["db2"]), 60, "db2 is back")


def test_a_stopped_node_takes_what_it_missed(world: World) -> None:
    db1 = world["db1"]
    daemon = service.node(world, "db1")
    db1.stop(daemon)
    query_on(world, "db2", "INSERT INTO mail.seen (word) VALUES ('missed')")
    db1.start(daemon)
    assert ("missed",) in query_on(world, "db1", "SELECT word FROM mail.seen")


def test_a_crashed_node_comes_back_with_its_data(world: World) -> None:
    db1 = world["db1"]
    db1.kill()
    db1.revive()
    db1.start(service.node(world, "db1"))
    assert ("missed",) in query_on(world, "db1", "SELECT word FROM mail.seen")
