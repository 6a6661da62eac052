"""A real MariaDB on 127.0.0.1, a Galera cluster of one node, thrown away after the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.unit.checkers.servers import closed_port

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
NEEDED = ("mariadbd", "mariadb-install-db", "mariadb")
START_SECONDS = 60.0
PASSWORD = "open sesame"


def missing() -> str:
    """What this machine lacks for it; nothing when it can run."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return ", ".join(lacking + ([] if PROVIDER.exists() else [str(PROVIDER)]))


class Server:
    """Started once, asked by its Unix socket, watched for what it counts."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._socket = folder / "socket"
        self._log = folder / "log"
        self.port = closed_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = ["--user=root"] if os.geteuid() == 0 else []
        common = ["--no-defaults", *own, f"--datadir={self._data}", "--innodb-log-file-size=4M"]
        subprocess.run(
            ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
            timeout=120,
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command(common), *self._galera()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()
        self.sql(
            f"CREATE USER monitor@'%' IDENTIFIED BY '{PASSWORD}';"  # noqa: S608 - our own words
            "CREATE DATABASE monitoring; CREATE TABLE monitoring.monitoring (id INT, words VARCHAR(100));"
            "INSERT INTO monitoring.monitoring VALUES (1, 'all is well'), (2, NULL);"
            "CREATE TABLE monitoring.nothing (id INT); CREATE TABLE monitoring.much (words VARCHAR(1000));"
            "INSERT INTO monitoring.much SELECT REPEAT('x', 1000) FROM monitoring.seq_1_to_20000;"
            "GRANT SELECT ON monitoring.* TO monitor@'%';"
        )

    def _command(self, common: list[str]) -> list[str]:
        return [
            "mariadbd",
            *common,
            f"--socket={self._socket}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve",
        ]

    @staticmethod
    def _galera() -> list[str]:
        options = (
            f"gmcast.listen_addr=tcp://127.0.0.1:{closed_port()};ist.recv_addr=127.0.0.1:{closed_port()};"
            "gcache.size=1M;pc.recovery=false;pc.wait_prim_timeout=PT0.5S;pc.announce_timeout=PT0.5S"
        )
        return [
            "--wsrep-on=ON",
            f"--wsrep-provider={PROVIDER}",
            "--wsrep-cluster-address=gcomm://",
            "--wsrep-new-cluster",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-provider-options={options}",
            "--binlog-format=ROW",
        ]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def sql(self, text: str) -> str:
        return subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "-N", "-e", text],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout

    def status(self, name: str) -> str:
        return self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split()[-1]

    def wait_for(self, query: str, answer: str) -> None:
        """Ask until the answer is as given, ten seconds at most."""
        deadline = time.monotonic() + 10
        while (got := self.sql(query).strip()) != answer:
            assert time.monotonic() < deadline, f"{query} gives {got}, not {answer}"
            time.sleep(0.02)

    def aborted(self) -> tuple[int, int]:
        """Aborted_clients and Aborted_connects, once every connection but the one that asks has ended."""
        self.wait_for("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'monitor'", "0")
        return int(self.status("Aborted_clients")), int(self.status("Aborted_connects"))

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline, self._log.read_text(errors="replace")[-2000:]
                time.sleep(0.1)
            else:
                return
