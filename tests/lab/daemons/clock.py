"""chrony: one that serves its own clock's time as of stratum 10, and one that is not synchronised to anything."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT, LOST_PORT = 123, 1123
STRATUM = 10
_UDP = "/proc/1/net/udp"


@dataclass(frozen=True, slots=True)
class Chrony:
    """An NTP server; `lost` without a time to tell."""

    lost: bool = False

    @property
    def name(self) -> str:
        """What its log is called."""
        return "chrony-lost" if self.lost else "chrony"

    @property
    def port(self) -> int:
        """Where it answers."""
        return LOST_PORT if self.lost else PORT

    def start(self, host: LiveHost) -> None:
        """Ready when its port is there."""
        run = f"/run/lab-{self.name}"
        host.run(["install", "-d", "-m", "750", run])
        local = "" if self.lost else f"local stratum {STRATUM}\n"
        settings = (
            f"port {self.port}\nallow all\n{local}cmdport 0\nbindcmdaddress /\n"
            f"pidfile {run}/pid\ndriftfile {run}/drift\nuser root\n"
        )
        host.write(f"{run}/chrony.conf", settings)
        command = ["chronyd", "-d", "-x", "-f", f"{run}/chrony.conf"]
        process.start(host, self.name, command, lambda: self._bound(host))

    def _bound(self, host: LiveHost) -> bool:
        table = host.call(lambda: _read(_UDP))
        return any(int(line.split()[1].rpartition(":")[2], 16) == self.port for line in table.splitlines()[1:])

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as table:  # noqa: PTH123 - as in process.py
        return table.read()
