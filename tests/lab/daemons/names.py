"""nsd: DNS for one zone, over UDP and TCP."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 53
ZONE = "example.net"
ADDRESS = "192.0.2.11"  # of ns.example.net, which www is an alias of
_HOME = "/var/lib/lab-nsd"

_CONFIGURATION = f"""
server:
  server-count: 1
  username: nsd
  chroot: ""
  zonesdir: {_HOME}
  database: ""
  pidfile: {_HOME}/nsd.pid
  xfrdfile: {_HOME}/xfrd.state
  xfrdir: {_HOME}
  zonelistfile: {_HOME}/zone.list
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: zone
"""

_RECORDS = f"""$ORIGIN {ZONE}.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A {ADDRESS}
www CNAME ns
{"".join(f"many TXT {'x' * 200}{number}{chr(10)}" for number in range(10))}"""


@dataclass(frozen=True, slots=True)
class Nsd:
    """An authoritative name server."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "nsd"

    def start(self, host: LiveHost) -> None:
        """Ready when its port listens."""
        host.run(["install", "-d", "-o", "nsd", "-g", "nsd", _HOME])
        host.write(f"{_HOME}/nsd.conf", _CONFIGURATION)
        host.write(f"{_HOME}/zone", _RECORDS)
        command = ["nsd", "-d", "-c", f"{_HOME}/nsd.conf"]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
