"""MariaDB with Galera, as the guide sets it up: three nodes that replicate over the private network.

A system database is installed once per lab (1.7 s) and each node starts from a copy of it. The copies carry the same
Galera state, so a node that joins needs no snapshot from another (30 s with rsync in User-Mode Linux), only what was
written since.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.daemons import process
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost

TEMPLATE = Path("/lab/mariadb")
DATA = "/var/lib/mysql"
PORT = 3306
SETTINGS = "/etc/mysql/lab.cnf"
JOIN_SECONDS = 120.0
MONITOR = ("monitor", "monitoringPassw0rd")
APP = ("app", "appPassw0rd")

# Small files and no syncing: the data lives in memory and dies with the lab. innodb-buffer-pool-size-max (8 TB of
# address space by default since 10.11.12) does not fit into User-Mode Linux; older servers do not know it.
_SMALL = """
user=mysql
datadir={data}
innodb_buffer_pool_size=24M
loose-innodb-buffer-pool-size-max=128M
innodb_log_file_size=8M
innodb_data_file_path=ibdata1:4M:autoextend
innodb_autoextend_increment=1
innodb_flush_log_at_trx_commit=0
innodb_flush_method=nosync
innodb_doublewrite=0
innodb_use_native_aio=0
innodb_buffer_pool_dump_at_shutdown=0
innodb_buffer_pool_load_at_startup=0
performance_schema=OFF
aria_log_file_size=8M
aria_pagecache_buffer_size=4M
key_buffer_size=1M
"""

_NODE = (
    "[mysqld]"
    + _SMALL
    + """
binlog_format=ROW
default-storage-engine=innodb
innodb_autoinc_lock_mode=2
bind-address=0.0.0.0
skip-name-resolve
socket=/run/mysqld/mysqld.sock
pid-file=/run/mysqld/mysqld.pid
wsrep_on=ON
wsrep_provider=/usr/lib/galera/libgalera_smm.so
wsrep_provider_options="gcache.size=16M"
wsrep_cluster_name=db_cluster
wsrep_cluster_address="gcomm://{members}"
wsrep_sst_method=rsync
wsrep_node_name={name}
{address}
"""
)

_ACCOUNTS = f"""
FLUSH PRIVILEGES;
CREATE DATABASE monitoring;
CREATE TABLE monitoring.monitoring (data VARCHAR(1)) ENGINE=InnoDB;
INSERT INTO monitoring.monitoring VALUES ('X');
CREATE USER '{MONITOR[0]}'@'%' IDENTIFIED BY '{MONITOR[1]}';
GRANT SELECT ON monitoring.* TO '{MONITOR[0]}'@'%';
CREATE DATABASE mail;
CREATE TABLE mail.seen (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(80)) ENGINE=InnoDB;
CREATE USER '{APP[0]}'@'%' IDENTIFIED BY '{APP[1]}';
GRANT ALL ON mail.* TO '{APP[0]}'@'%';
"""  # noqa: S608 - constants of this file

_PROVIDER = "/usr/lib/galera/libgalera_smm.so"
_TRANSFER = "/usr/bin/wsrep_sst_lab"
_READY_WORDS = "Synchronized with group"


@dataclass(frozen=True, slots=True)
class MariaDB:
    """One node. `members` are the private addresses of all; `address` is its own, empty to let it guess."""

    members: tuple[str, ...]
    address: str
    first: bool = False  # makes the cluster, once
    fresh: bool = False  # start from an empty state, and take a full snapshot from another node

    @property
    def name(self) -> str:
        """What its log is called."""
        return "mariadb"

    def start(self, host: LiveHost) -> None:
        """Ready when it is synced with a primary component."""
        made = self.prepare(host)
        host.call(_lay_transfer)
        command = ["mariadbd", f"--defaults-file={SETTINGS}"]
        if made and not self.fresh:
            # All copies are equal: nothing to transfer. A later start takes what was written since from the others.
            command.append("--wsrep-sst-method=lab")
        elif not made:
            command += _recovered_position(host)
        if self.first:
            command.append("--wsrep-new-cluster")
        process.start(host, self.name, command, lambda: is_synced(host), timeout_seconds=JOIN_SECONDS)

    def prepare(self, host: LiveHost) -> bool:
        """Configuration, and a data directory unless there is one; whether that was made."""
        address = f"wsrep_node_address={self.address}" if self.address else ""
        text = _NODE.format(data=DATA, members=",".join(self.members), name=host.name, address=address)
        host.write(SETTINGS, text)
        return host.call(lambda: _lay_data(fresh=self.fresh))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM: it leaves its cluster in good order."""
        process.stop(host, self.name)


def is_synced(host: LiveHost) -> bool:
    """Whether the node says it is synced and ready for queries."""
    answer = host.run(["mariadb", f"--defaults-file={SETTINGS}", "-BN", "-e", _READY], check=False)
    return answer.stdout.split() == ["4", "Primary", "ON"]


_READY = (
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN "
    "('wsrep_local_state', 'wsrep_cluster_status', 'wsrep_ready') ORDER BY FIELD(VARIABLE_NAME, "
    "'wsrep_local_state', 'wsrep_cluster_status', 'wsrep_ready')"
)


def install_template() -> None:
    """The system database, the guide's accounts and a Galera state, once per lab."""
    if TEMPLATE.exists():
        return
    TEMPLATE.mkdir(parents=True)
    settings = TEMPLATE / "install.cnf"
    settings.write_text("[mysqld]" + _SMALL.format(data=TEMPLATE / "data"))
    accounts = TEMPLATE / "accounts.sql"
    accounts.write_text(_ACCOUNTS)
    command = ["mariadb-install-db", f"--defaults-file={settings}", "--skip-test-db", "--skip-name-resolve"]
    command += ["--auth-root-authentication-method=socket", f"--extra-file={accounts}"]
    subprocess.run(command, check=True, capture_output=True)
    _make_first_state(settings, TEMPLATE / "data")


def _make_first_state(settings: Path, data: Path) -> None:
    """Run a cluster of one for a moment: the state it leaves is in its tables too, not only in a file."""
    node = [
        "--wsrep-on=ON",
        "--wsrep-new-cluster",
        "--wsrep-cluster-address=gcomm://",
        "--wsrep-cluster-name=db_cluster",
    ]
    node += [f"--wsrep-provider={_PROVIDER}", "--wsrep-provider-options=gcache.size=1M", "--binlog-format=ROW"]
    node += ["--wsrep-node-address=127.0.0.1", "--skip-networking", f"--socket={data}/socket", f"--pid-file={data}/pid"]
    log = data.parent / "log"
    with log.open("w") as words:
        server = subprocess.Popen(["mariadbd", f"--defaults-file={settings}", *node], stdout=words, stderr=words)
    try:
        wait_until(lambda: server.poll() is not None or _READY_WORDS in log.read_text(), JOIN_SECONDS, "the template")
        server.terminate()
        server.wait(JOIN_SECONDS)
    finally:
        server.kill()
        server.wait()
    if "seqno:   -1" in (data / "grastate.dat").read_text():
        raise process.DaemonFailed(f"the database template: {log.read_text()}")
    (data / "galera.cache").unlink()


def _lay_data(*, fresh: bool) -> bool:
    """A data directory unless there is one; whether it was made."""
    runtime = Path("/run/mysqld")
    runtime.mkdir(exist_ok=True)
    shutil.chown(runtime, "mysql")
    target = Path(DATA)
    if (target / "lab").exists():
        return False
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(TEMPLATE / "data"), str(target)], check=True)
    (target / "lab").touch()
    if fresh:
        (target / "grastate.dat").unlink()
    return True


def _lay_transfer() -> None:
    """Put wsrep_sst_lab where the server looks for the method `lab`."""
    script = Path(_TRANSFER)
    script.write_text((Path(__file__).parent / "wsrep_sst_lab").read_text())
    script.chmod(0o755)


def _recovered_position(host: LiveHost) -> list[str]:
    """What systemd's unit does after a crash: ask the tables for the position the state file lost."""
    if "seqno:   -1" not in host.read(f"{DATA}/grastate.dat"):
        return []
    done = host.run(["mariadbd", f"--defaults-file={SETTINGS}", "--wsrep-recover"], timeout=JOIN_SECONDS)
    position = done.stderr.rpartition("Recovered position:")[2].split()
    return [f"--wsrep-start-position={position[0]}"] if position else []
