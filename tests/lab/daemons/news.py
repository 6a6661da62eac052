"""leafnode, which an inetd starts for each connection; socat is that inetd."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 119

# It wants a name that could be the only one of the world: .test and .example.net are not.
_CONFIGURATION = """server = news.example.net
expire = 20
hostname = news.lvsd-lab.org
"""


@dataclass(frozen=True, slots=True)
class Leafnode:
    """NNTP without any news."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "leafnode"

    def start(self, host: LiveHost) -> None:
        """Ready when socat listens."""
        host.write("/etc/news/leafnode/config", _CONFIGURATION)
        host.run(
            ["install", "-o", "news", "-g", "news", "-m", "664", "/dev/null", "/var/spool/news/leaf.node/groupinfo"]
        )
        command = ["socat", f"TCP-LISTEN:{PORT},reuseaddr,fork", "EXEC:/usr/sbin/leafnode,nofork"]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
