"""What runs on a balancer: lvsd, and the two programs it is compared to, with the configuration a test gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tests.lab.daemons import process
from tests.lab.world import CHECKOUT, LiveHost

LVSD = f"{CHECKOUT}/.venv/bin/lvsd"
LVSCTL = f"{CHECKOUT}/.venv/bin/lvsctl"
_STATUS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lvsd:
    """`lvsd run` with configuration files that lie on the host already. Its log is /var/log/lvsd.log."""

    configurations: tuple[str, ...] = ("/etc/lvsd/lvsd.yaml",)
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its log is called."""
        return "lvsd"

    def start(self, host: LiveHost) -> None:
        """Ready when `lvsctl status` answers 0."""
        files = [word for path in self.configurations for word in ("-c", path)]
        process.start(host, self.name, [LVSD, "run", *files, *self.arguments], lambda: answers(host))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM: the address is given up, the table stays."""
        process.stop(host, self.name)


def answers(host: LiveHost) -> bool:
    """Whether the director on the host answers a question."""
    return host.run([LVSCTL, "status"], check=False, timeout=_STATUS_SECONDS).returncode == 0


def has_table(host: LiveHost) -> bool:
    """Whether the host's kernel holds any virtual service."""
    return host.run(["ipvsadm", "-Sn"], check=False).stdout.strip() != ""


@dataclass(frozen=True, slots=True)
class Keepalived:
    """Debian's keepalived, in the foreground."""

    configuration: str

    @property
    def name(self) -> str:
        """What its log is called."""
        return "keepalived"

    def start(self, host: LiveHost) -> None:
        """Ready when it says that it begins to work."""
        host.write("/etc/keepalived/keepalived.conf", self.configuration)
        command = ["keepalived", "--dont-fork", "--log-console", "--log-detail"]
        process.start(host, self.name, command, lambda: "Startup complete" in process.log_tail(host, self._log))

    @property
    def _log(self) -> str:
        return f"/var/log/{self.name}.log"

    def stop(self, host: LiveHost) -> None:
        """SIGTERM: it gives its addresses up."""
        process.stop(host, self.name)


@dataclass(frozen=True, slots=True)
class Ldirectord:
    """Debian's ldirectord, in the foreground."""

    configuration: str

    @property
    def name(self) -> str:
        """What its log is called."""
        return "ldirectord"

    def start(self, host: LiveHost) -> None:
        """Ready when its first virtual service is in the table."""
        host.write("/etc/ldirectord.cf", self.configuration)
        command = ["ldirectord", "-d", "/etc/ldirectord.cf", "start"]
        process.start(host, self.name, command, partial(has_table, host))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM: it clears its services."""
        process.stop(host, self.name)
