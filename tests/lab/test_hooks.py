"""Commands, mails, maintenance and autoreload through the whole service, with real nginx and real Postfix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.balancer import CONFIG, Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.daemons import certificates, mail
from tests.lab.daemons.mail import Dovecot, Postfix
from tests.lab.daemons.web import Nginx
from tests.lab.pair import PAIR
from tests.lab.waiting import wait_until
from tests.lab.world import World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
HOOK, HEARD = "/etc/lvsd/hook", "/var/log/hooks"
SCRIPT = f"""#!/bin/sh
echo "$* $(env | grep ^LVSD_ | sort | tr '\\n' ' ')" >> {HEARD}
"""
INBOX = Path(mail.MAILBOXES) / mail.USER[0] / "Maildir" / "new"
MAINTENANCE = "/etc/lvsd/maintenance"


def config(*, smtp: str = "smtp: 127.0.0.1, ", scheduler: str = "rr") -> str:
    return f"""
daemon: {{autoreload: true, on_config_change: [{HOOK}, changed], maintenance_directory: {MAINTENANCE}}}
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 3}}}}
services:
  web:
    virtual: 192.0.2.100:80
    scheduler: {scheduler}
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    on_up: [{HOOK}, up]
    on_down: [{HOOK}, down]
    on_quorum_down: [{HOOK}, short]
    hooks_on_stop: true
    monitor_file: /var/log/outcomes
    mail: {{to: [user@example.net], {smtp}from: lvsd@example.net}}
    real_servers: [{RS1}, {RS2}]
"""


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(PAIR)
    certificates.lay_authority(world)
    with ExitStack() as stack:
        for name, daemons in (("rs1", (Nginx(),)), ("rs2", (Nginx(),)), ("lb1", (Dovecot(), Postfix()))):
            certificates.lay_certificate(world[name])
            for daemon in daemons:
                world[name].start(daemon)
                stack.callback(stop, world, name, daemon)
        world["lb1"].write(HOOK, SCRIPT, 0o755)
        world["lb1"].run(["mkdir", "-p", MAINTENANCE])
        yield world


def stop(world: World, name: str, daemon: Nginx | Dovecot | Postfix) -> None:
    if world[name].run(["pgrep", daemon.name], check=False).returncode == 0:
        world[name].stop(daemon)


def heard(balancer: Balancer) -> str:
    return balancer.host.run(["cat", HEARD], check=False).stdout


def mails(balancer: Balancer) -> list[str]:
    return balancer.host.call(lambda: [path.read_text() for path in sorted(INBOX.glob("*"))] if INBOX.exists() else [])


def up(world: World, text: str) -> Balancer:
    balancer = Balancer(world["lb1"], text).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    return balancer


def test_a_server_that_stops_is_told_by_command_mail_and_file(world: World) -> None:
    balancer = up(world, config())
    world["rs1"].stop(Nginx())
    balancer.until("one serves", {RS2: 1})
    try:
        wait_until(lambda: "down LVSD_" in heard(balancer), 20, "the command")
        wait_until(lambda: any(f"Deleted real server: {RS1}:80" in one for one in mails(balancer)), 20, "the mail")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{heard(balancer)}\n{balancer.log()}") from error
    (line,) = [line for line in heard(balancer).splitlines() if line.startswith("down")]
    assert f"LVSD_REAL_SERVER={RS1}:80" in line
    assert "LVSD_SERVICE=web" in line
    assert "LVSD_STATE=down" in line
    (text,) = [one for one in mails(balancer) if "Deleted" in one]
    assert "From: lvsd@example.net" in text
    assert "Return-Path: <lvsd@example.net>" in text
    assert "for <user@example.net>" in text
    assert "Daemon-Status: running" in text
    assert balancer.host.read("/var/log/outcomes").count(RS1) > 0

    balancer.host.run(["pkill", "-x", "-9", "lvsd-notify"])
    world["rs1"].start(Nginx())
    balancer.until("both serve", {RS1: 1, RS2: 1})
    wait_until(lambda: "\nup LVSD_" in heard(balancer), 20, "the command of the one that came back")
    wait_until(lambda: any("Added real server" in one for one in mails(balancer)), 20, "the mail")
    for name in ("director", "checker", "vrrp"):
        assert balancer.log().count(f"process_started process={name}") == 1
    assert balancer.log().count("process_started process=notify") == 2

    assert balancer.stop() == 0
    assert heard(balancer).splitlines()[-1].startswith("short LVSD_")


def test_a_file_takes_a_server_out_and_its_removal_brings_it_back(world: World) -> None:
    balancer = up(world, config())
    for name in (RS1, f"{RS1}:80", "vip-less"):
        balancer.host.write(f"{MAINTENANCE}/{name}", "")
        if name == "vip-less":
            wait_until(lambda: "maintenance_file_not_understood" in balancer.log(), 10, "told")
            break
        balancer.until(f"{name} in maintenance", {RS2: 1})
        balancer.host.run(["rm", f"{MAINTENANCE}/{name}"])
        balancer.until(f"{name} back", {RS1: 1, RS2: 1})
    balancer.host.write(f"{MAINTENANCE}/{RS2}", "")
    balancer.until("the other in maintenance", {RS1: 1})
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    balancer.until("still in maintenance", {RS1: 1})
    balancer.host.run(["mv", MAINTENANCE, f"{MAINTENANCE}-elsewhere"])  # `rm -r` would first take out the file
    wait_until(lambda: "maintenance_not_readable" in balancer.log(), 10, "told")
    assert balancer.weights() == {RS1: 1}
    balancer.host.run(["mkdir", MAINTENANCE])
    balancer.until("both serve", {RS1: 1, RS2: 1})
    assert balancer.stop() == 0


def test_a_good_file_is_taken_over_by_itself_and_a_bad_one_is_not(world: World) -> None:
    balancer = up(world, config(smtp=""))
    balancer.configure(config(scheduler="nonsense"))
    wait_until(lambda: "config_refused" in balancer.log(), 10, "the bad file is refused")
    wait_until(lambda: f"changed {CONFIG}" in heard(balancer), 10, "the command")
    assert balancer.status().generation == 1
    balancer.configure(config(smtp="", scheduler="wlc"))
    wait_until(lambda: balancer.status().generation == 2, 10, "the good file is taken over")
    assert {key.port: entry.service.scheduler for key, entry in balancer.table().items()} == {80: "wlc"}
    wait_until(lambda: heard(balancer).count(f"changed {CONFIG}") == 2, 10, "the command")
    balancer.host.run(["touch", CONFIG])
    world["rs1"].stop(Nginx())
    balancer.until("one serves", {RS2: 1})
    wait_until(lambda: any(f"Deleted real server: {RS1}:80" in one for one in mails(balancer)), 20, "mail by sendmail")
    assert balancer.log().count("config_refused") == 1
    assert balancer.status().generation == 2
    assert heard(balancer).count(f"changed {CONFIG}") == 2
    assert balancer.stop() == 0
