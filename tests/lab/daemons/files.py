"""vsftpd: one file for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import process
from tests.lab.world import LiveHost

PORT = 21
FILE = "check.txt"
_ROOT = "/srv/lab-ftp"
_EMPTY = "/run/vsftpd/empty"
_SETTINGS = "/etc/vsftpd.lab.conf"
_CONFIGURATION = f"""listen=YES
background=NO
anonymous_enable=YES
local_enable=NO
anon_root={_ROOT}
secure_chroot_dir={_EMPTY}
seccomp_sandbox=NO
port_enable=NO
"""


@dataclass(frozen=True, slots=True)
class Vsftpd:
    """Anonymous, read only, passive connections only."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "vsftpd"

    def start(self, host: LiveHost) -> None:
        """Ready when the port listens."""
        host.run(["mkdir", "-p", _EMPTY, _ROOT])
        host.write(f"{_ROOT}/{FILE}", "ldirectord\n")
        host.write(_SETTINGS, _CONFIGURATION)
        process.start(host, self.name, ["vsftpd", _SETTINGS], lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
