"""Redis: with a password and an account, over TLS, a replica, a replica without its master, one that is loading."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost

PORT, TLS_PORT, REPLICA_PORT, ORPHAN_PORT, LOADING_PORT = 6379, 6380, 6381, 6382, 6383
PASSWORD = "openSesame"
LOGIN = ("monitor", "monitorPassw0rd")
_ALONE = 'save ""\nappendonly no\ndaemonize no\nprotected-mode no\n'
_REPLICA = f"masterauth {PASSWORD}\nreplicaof 127.0.0.1 "
SETTINGS = {
    "redis": f"""port {PORT}
tls-port {TLS_PORT}
tls-cert-file {certificates.CERTIFICATE}
tls-key-file {certificates.KEY}
tls-ca-cert-file {certificates.CA}
tls-auth-clients no
requirepass {PASSWORD}
user {LOGIN[0]} on >{LOGIN[1]} -@all +ping +role +auth
user mute on >{LOGIN[1]} -@all +auth
""",
    "redis-replica": f"port {REPLICA_PORT}\n{_REPLICA}{PORT}\n",
    "redis-orphan": f"port {ORPHAN_PORT}\nreplica-serve-stale-data no\n{_REPLICA}9\n",
    "redis-loading": f"port {LOADING_PORT}\nloading-process-events-interval-bytes 1024\nkey-load-delay 500000\n",
}


@dataclass(frozen=True, slots=True)
class Redis:
    """One of those in SETTINGS."""

    kind: str = "redis"

    @property
    def name(self) -> str:
        """What its log is called."""
        return self.kind

    def start(self, host: LiveHost) -> None:
        """Ready when its port listens."""
        home, port = f"/var/lib/lab-{self.kind}", int(SETTINGS[self.kind].split()[1])
        host.run(["mkdir", "-p", home])
        host.write(f"{home}/redis.conf", f"{_ALONE}dir {home}\n{SETTINGS[self.kind]}")
        if self.kind == "redis-loading":
            _fill(host, home)
        command = ["redis-server", f"{home}/redis.conf"]
        process.start(host, self.kind, command, lambda: process.listening(host, port))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.kind)


def _fill(host: LiveHost, home: str) -> None:
    """A thousand keys of a kilobyte on disk: more than it loads while anybody looks."""
    settings = f"{_ALONE}dir {home}\nport {LOADING_PORT}\nenable-debug-command yes\n"
    host.write(f"{home}/fill.conf", settings)
    process.start(
        host, "redis-fill", ["redis-server", f"{home}/fill.conf"], lambda: process.listening(host, LOADING_PORT)
    )
    for command in ("DEBUG POPULATE 1000 key 1000", "SAVE"):
        host.run(["redis-cli", "-p", str(LOADING_PORT), *command.split()])
    process.stop(host, "redis-fill")
    wait_until(lambda: not process.listening(host, LOADING_PORT), 10, "the port is free")
