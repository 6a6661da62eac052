"""Kamailio: SIP over UDP and TCP, which knows the user `lvsd` and no other."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 5060
_SETTINGS = "/etc/kamailio/lab.cfg"
_RUN = "/run/lab-kamailio"

_CONFIGURATION = """
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:{address}:{port}
listen=tcp:{address}:{port}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
request_route {{
    if (method == "OPTIONS" && $rU == "lvsd") {{
        sl_send_reply("200", "OK");
        exit;
    }}
    sl_send_reply("404", "Not Found");
}}
"""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """A SIP server."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "kamailio"

    def start(self, host: LiveHost) -> None:
        """Ready when its TCP port listens: that comes after UDP."""
        host.write(_SETTINGS, _CONFIGURATION.format(address=host.address(), port=PORT))
        host.run(["mkdir", "-p", _RUN])
        command = ["kamailio", "-DD", "-E", "-f", _SETTINGS, "-m", "16", "-M", "2", "-Y", _RUN, "-P", f"{_RUN}/pid"]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
