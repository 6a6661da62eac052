"""FreeRADIUS: one account, one client network whose requests must be signed (RFC 3579)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 1812
LOGIN = ("monitor", "monitorPassw0rd")
SECRET = "testing123"
_HOME = "/etc/lab-radius"

_CONFIGURATION = f"""
prefix = /usr
name = radiusd
raddbdir = /etc/freeradius/3.0
libdir = /usr/lib/freeradius
logdir = {_HOME}
run_dir = {_HOME}
pidfile = {_HOME}/pid
security {{
    reject_delay = 0
}}
thread pool {{
    start_servers = 1
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 1
}}
client lab {{
    ipaddr = 192.0.2.0/24
    secret = {SECRET}
    require_message_authenticator = yes
}}
modules {{
    pap {{
    }}
    files {{
        usersfile = {_HOME}/users
    }}
}}
server lab {{
    listen {{
        type = auth
        ipaddr = *
        port = {PORT}
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Freeradius:
    """A RADIUS server."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "freeradius"

    def start(self, host: LiveHost) -> None:
        """Ready when it says so."""
        host.write(f"{_HOME}/radiusd.conf", _CONFIGURATION)
        host.write(f"{_HOME}/users", f'{LOGIN[0]} Cleartext-Password := "{LOGIN[1]}"\n')
        host.write(f"/var/log/{self.name}.log", "")
        command = ["freeradius", "-f", "-l", "stdout", "-d", _HOME, "-n", "radiusd"]
        process.start(host, self.name, command, lambda: "Ready to process requests" in self._said(host))

    def _said(self, host: LiveHost) -> str:
        return process.log_tail(host, f"/var/log/{self.name}.log")

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
