"""`lvsctl probe` of real daemons: what they say is shown, no password is, and what is believed stays."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.balancer import CONFIG, Balancer
from tests.lab.daemons import certificates, mail, mariadb, web
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

RS1 = "192.0.2.11"
LVSCTL = f"{CHECKOUT}/.venv/bin/lvsctl"
LOGIN, PASSWORD = mail.USER
PASSWORDS = (PASSWORD, mariadb.MONITOR[1])
FORMS = [
    *PASSWORDS,
    *(b64encode(one.encode()).decode() for one in PASSWORDS),
    b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode(),
]
SEEN = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Aborted_clients', 'Aborted_connects')"

QUERY = "SELECT * FROM monitoring.monitoring"

CHECKS = {
    # service: port, check
    "web": (80, "type: http, path: /ldirectord.txt, receive: ldirectord"),
    "imaps": (993, f"type: imaps, login: {LOGIN}, password: {PASSWORD}, verify: true, ca_file: {certificates.CA}"),
    "submission": (587, f"type: submission, login: {LOGIN}, password: {PASSWORD}"),
    "database": (
        3306,
        f"type: mysql, login: {mariadb.MONITOR[0]}, password: {mariadb.MONITOR[1]}, query: {QUERY}",
    ),
    "marked": (81, "type: http, path: /ldirectord.txt, port: 80, mark: 7, source: 192.0.2.1"),
    "half": (82, "type: syn, port: 80"),
    "port": (83, "type: tcp, port: 80"),
    "host": (84, "type: ping"),
    "command": (85, "type: external, command: [/bin/sh, -c, 'id -un; grep CapEff /proc/self/status']"),
    "followed": (86, "type: follow, service: web"),
}


def config() -> str:
    lines = ["defaults: {check: {interval: 60s, timeout: 20s, fall: 9, connects: 0}}", "services:"]
    for name, (port, check) in CHECKS.items():
        lines.append(f"  {name}: {{virtual: '{VIP}:{port}', check: {{{check}}}, real_servers: [{RS1}]}}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    mariadb.install_template()
    with World(PAIR) as running:
        certificates.lay_authority(running)
        certificates.lay_certificate(running["rs1"])
        database = mariadb.MariaDB((RS1,), RS1, first=True)
        for daemon in (web.Nginx(), mail.Dovecot(), mail.Postfix(), database):
            running["rs1"].start(daemon)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    wait_until(lambda: set(running.standings().values()) == {"serving"}, 90, "all serve")
    yield running
    assert running.stop() == 0


def probe(balancer: Balancer, *words: str) -> subprocess.CompletedProcess[str]:
    done = balancer.host.run([LVSCTL, "probe", *words], check=False, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    assert not [form for form in FORMS if form in done.stdout + done.stderr]
    return done


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """By the service."""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["uses"][0]["service"]: row for row in found}


def said(row: dict[str, Any], *, ours: bool) -> list[str]:
    return [line for turn in row["said"] if turn["ours"] is ours for line in turn["lines"]]


def test_every_check_is_asked_once_and_what_is_said_is_shown(balancer: Balancer) -> None:
    done = probe(balancer, RS1, "--json")
    found = rows(done)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert {name: row["result"] for name, row in found.items()} == {
        name: "not_probed" if name == "followed" else "ok" for name in CHECKS
    }
    assert said(found["web"], ours=True)[0] == "GET /ldirectord.txt HTTP/1.1"
    assert said(found["web"], ours=False)[0] == "HTTP/1.1 200 OK"
    assert said(found["web"], ours=False)[-1] == "ldirectord"
    imap = found["imaps"]
    assert [line.partition(" ")[2] for line in said(imap, ours=True)] == ["LOGIN ***", "LOGOUT"]
    assert imap["secured"]["version"] == "TLSv1.3"
    assert RS1 in imap["secured"]["certificate"]["names"]
    assert imap["phases"].keys() == {"connect", "tls", "first_byte", "whole"}
    assert [line.partition(" ")[0] for line in said(found["submission"], ours=True)] == [
        "EHLO",
        "STARTTLS",
        "EHLO",
        "AUTH",
        "QUIT",
    ]
    sql = found["database"]
    assert said(sql, ours=True)[0].startswith("login ***")
    assert f"query: {QUERY}" in said(sql, ours=True)
    assert said(sql, ours=True)[-1] == "quit"
    assert said(sql, ours=False)[0].startswith("greeting of ")
    assert (found["marked"]["mark"], found["marked"]["source"]) == (7, "192.0.2.1")
    for silent in ("half", "port", "host", "command"):
        assert found[silent]["said"] == []
        assert found[silent]["unseen"]
    assert found["command"]["detail"].startswith("nobody\\nCapEff:\\t0000000000000000")


def test_a_person_reads_it_beside_what_is_believed(balancer: Balancer) -> None:
    done = probe(balancer, f"{RS1}:993")
    print(done.stdout)
    lines = done.stdout.splitlines()
    assert lines[0] == f"imaps (tcp {VIP}:993): {RS1}:993, check imaps"
    assert any("* TLSv1.3 with " in line for line in lines)
    assert any("= ok: " in line for line in lines)
    assert lines[-1].startswith("  Running: serving; up since ")


def test_a_probe_leaves_no_trace_as_an_aborted_connection(world: World, balancer: Balancer) -> None:
    def aborted() -> str:
        return world["rs1"].run(["mariadb", f"--defaults-file={mariadb.SETTINGS}", "-BN", "-e", SEEN]).stdout

    before = aborted()
    assert rows(probe(balancer, RS1, "--check", "mysql", "--json"))["database"]["result"] == "ok"
    assert aborted() == before


def test_what_runs_is_asked_whatever_the_file_says_by_now(balancer: Balancer) -> None:
    balancer.configure("services: nonsense\n")
    try:
        done = probe(balancer, RS1, "--service", "web")
        assert (done.returncode, done.stderr) == (0, "")
        wrong = probe(balancer, RS1, "-c", CONFIG)
        assert wrong.returncode == 1
        assert "the configuration is wrong: " in wrong.stderr
    finally:
        balancer.configure(config())


def test_a_failure_is_shown_and_changes_nothing(world: World, balancer: Balancer) -> None:
    before = balancer.standings()
    nginx = web.Nginx()
    nginx.stop(world["rs1"])
    try:
        done = probe(balancer, RS1, "--service", "web")
        assert done.returncode == 1
        assert " = refused: Connection refused" in done.stdout
        assert balancer.standings() == before
    finally:
        nginx.start(world["rs1"])
    again = probe(balancer, RS1, "--service", "web")
    assert again.returncode == 0, again


def test_what_is_not_there_is_told_with_what_is(balancer: Balancer) -> None:
    for words, told in (
        (("192.0.2.12",), "lvsctl: no real server '192.0.2.12' (did you mean `192.0.2.11`?)\n"),
        ((RS1, "--service", "wep"), "lvsctl: no virtual service 'wep' (did you mean `web`?)\n"),
        ((f"{RS1}:80", "--check", "pop"), "lvsctl: 192.0.2.11:80 has no check of type 'pop' (one of: http)\n"),
    ):
        done = probe(balancer, *words)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
