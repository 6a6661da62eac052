"""Which daemons run where in the guide's cluster, and how all of them are brought up.

On one core a cluster is up about 20 s after its hosts: the database 8 s (three joins, one after the other, as Galera
wants them), the mail hosts 6 s, most of it forks of `postfix start`. What waits for the clock runs beside what works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.cluster import BALANCERS, DATABASES, MAIL, PRIVATE
from tests.lab.daemons import certificates, mariadb
from tests.lab.daemons.balancers import Lvsd
from tests.lab.daemons.mail import Dovecot, Postfix
from tests.lab.daemons.mariadb import MariaDB
from tests.lab.daemons.web import Nginx
from tests.lab.world import CHECKOUT, Daemon, World

DATABASE = "database"
MAILHOSTS = "mail"
ALL = (DATABASE, MAILHOSTS)
CONFIGURATION = "/etc/lvsd/lvsd.yaml"
SECRETS = {"/etc/lvsd/vrrp.secret": "mySuper1\n", "/etc/lvsd/mysql.secret": f"{mariadb.MONITOR[1]}\n"}

Progress = Callable[[str], None]


def silent(line: str) -> None:
    """For those who do not care."""


def node(world: World, name: str, *, first: bool = False) -> MariaDB:
    """The database daemon of one of the cluster's hosts; `first` makes the cluster."""
    members = tuple(world[one].address(PRIVATE) for one in DATABASES)
    return MariaDB(members, world[name].address(PRIVATE), first=first)


def mail_daemons() -> tuple[Daemon, ...]:
    """What a mail host runs, in order: Postfix asks Dovecot who may submit."""
    return (Nginx(), Dovecot(), Postfix())


def up(world: World, daemons: Sequence[str] = ALL, progress: Progress = silent) -> None:
    """Start the cluster's daemons and wait until each is ready; a line of progress for every wait.

    Raises `DaemonFailed` with the words of the one that would not.
    """
    certificates.lay_authority(world)
    with ThreadPoolExecutor(len(ALL)) as pool:
        running = []
        if DATABASE in daemons:
            running.append(pool.submit(_databases, world, progress))
        if MAILHOSTS in daemons:
            running.append(pool.submit(_mail_hosts, world, progress))
        for one in running:
            one.result()


def balance(world: World, progress: Progress = silent) -> None:
    """Start lvsd on both balancers from the shipped examples; the real servers should be up."""
    for name in BALANCERS:
        for path, text in SECRETS.items():
            world[name].write(path, text, 0o600)
        example = Path(CHECKOUT, "examples/iredmail", f"{name}.yaml")
        world[name].write(CONFIGURATION, example.read_text())
        _start(world, name, [Lvsd((CONFIGURATION,))], progress)


def daemons_of(world: World, host: str) -> dict[str, Daemon]:
    """What runs on a host of the cluster, by name."""
    found: tuple[Daemon, ...] = ()
    if host in DATABASES:
        found = (node(world, host),)
    elif host in MAIL:
        found = mail_daemons()
    elif host in BALANCERS:
        found = (Lvsd((CONFIGURATION,)),)
    return {daemon.name: daemon for daemon in found}


def _databases(world: World, progress: Progress) -> None:
    began = time.monotonic()
    mariadb.install_template()
    progress(f"MariaDB: system database installed ({time.monotonic() - began:.1f} s)")
    for index, name in enumerate(DATABASES):
        _start(world, name, [node(world, name, first=index == 0)], progress)


def _mail_hosts(world: World, progress: Progress) -> None:
    for name in MAIL:
        certificates.lay_certificate(world[name])
        _start(world, name, mail_daemons(), progress)


def _start(world: World, host: str, daemons: Iterable[Daemon], progress: Progress) -> None:
    for daemon in daemons:
        began = time.monotonic()
        world[host].start(daemon)
        progress(f"{host}: {daemon.name} is ready ({time.monotonic() - began:.1f} s)")
