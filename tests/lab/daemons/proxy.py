"""tinyproxy: a proxy for anybody."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 8888
_SETTINGS = "/etc/tinyproxy/lab.conf"
_CONFIGURATION = f"""Port {PORT}
User nobody
Group nogroup
Timeout 10
MaxClients 10
LogLevel Error
"""


@dataclass(frozen=True, slots=True)
class Tinyproxy:
    """HTTP by proxy."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "tinyproxy"

    def start(self, host: LiveHost) -> None:
        """Ready when the port listens."""
        host.write(_SETTINGS, _CONFIGURATION)
        command = ["tinyproxy", "-d", "-c", _SETTINGS]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
