"""PostgreSQL: a database to monitor, and an account for each way to log in."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost

PORT = 5432
DATABASE = "monitoring"
PASSWORD = "monitorPassw0rd"
SCRAM, MD5, CLEAR = "by_scram", "by_md5", "by_clear"
_HOME = "/var/lib/lab-postgresql"
_DATA = f"{_HOME}/data"
_USER = "postgres"
_PROGRAMS = "/usr/lib/postgresql/15/bin"
_DROP = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]

_ACCESS = f"""
local all all trust
host all {MD5} all md5
host all {CLEAR} all password
host all all all scram-sha-256
"""

_ACCOUNTS = f"""
CREATE DATABASE {DATABASE};
CREATE USER {SCRAM} PASSWORD '{PASSWORD}';
CREATE USER {CLEAR} PASSWORD '{PASSWORD}';
SET password_encryption = md5;
CREATE USER {MD5} PASSWORD '{PASSWORD}';
\\connect {DATABASE}
CREATE TABLE health (words text);
INSERT INTO health VALUES ('all is well');
CREATE TABLE nothing (words text);
GRANT SELECT ON health, nothing TO PUBLIC;
"""  # noqa: S608 - constants of this file

_SETTINGS = {
    "listen_addresses": "*",
    "unix_socket_directories": _HOME,
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "20",
    "autovacuum": "off",
    "ssl_cert_file": f"{_HOME}/server.pem",
    "ssl_key_file": f"{_HOME}/server.key",
}


@dataclass(frozen=True, slots=True)
class Postgresql:
    """One server; with `tls` it offers that, and needs a certificate on its host."""

    tls: bool = False

    @property
    def name(self) -> str:
        """What its log is called."""
        return "postgresql"

    def start(self, host: LiveHost) -> None:
        """Ready when it takes a query."""
        fresh = host.run(["test", "-e", _HOME], check=False).returncode != 0
        if fresh:
            _lay(host)
        settings = {**_SETTINGS, "ssl": "on" if self.tls else "off"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [*_DROP, f"{_PROGRAMS}/postgres", "-D", _DATA, *options]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))
        wait_until(lambda: query(host, "SELECT 1", check=False) == "1", 30, "postgresql takes a query")
        if fresh:
            query(host, _ACCOUNTS)

    def stop(self, host: LiveHost) -> None:
        """SIGINT: at once, and in good order."""
        process.stop(host, self.name, signal.SIGINT)


def query(host: LiveHost, words: str, *, check: bool = True) -> str:
    """Ask as the superuser, over the Unix socket; what psql printed."""
    command = [*_DROP, f"{_PROGRAMS}/psql", "-h", _HOME, "-v", "ON_ERROR_STOP=1", "-qAtX", _USER]
    return host.run(command, input=words, check=check).stdout.strip()


def _lay(host: LiveHost) -> None:
    own = ["install", "-o", _USER, "-g", _USER]
    host.run([*own, "-d", "-m", "700", _HOME])
    host.run([*own, "-m", "600", certificates.CERTIFICATE, f"{_HOME}/server.pem"])
    host.run([*own, "-m", "600", certificates.KEY, f"{_HOME}/server.key"])
    command = [f"{_PROGRAMS}/initdb", "-D", _DATA, "-U", _USER, "--no-sync", "--no-locale", "-E", "UTF8"]
    host.run([*_DROP, *command, "-A", "trust"], timeout=120, cwd=_HOME)
    host.write(f"{_DATA}/pg_hba.conf", _ACCESS)
