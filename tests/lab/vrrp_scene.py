"""What tests of VRRP between machines have in common: balancers with the vrrp process, keepalived, captures."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
from collections.abc import Callable

from config.model import VrrpInstance
from lvsd.vrrp.messages import Cause, InstanceStatus, Role
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost
from tests.unit.vrrp.fake_director import FakeDirector

PYTHON = ".venv/bin/python"
SOCKET, HELD, LOG = "/run/vrrp.sock", "/run/vrrp.held", "/var/log/vrrp.log"
KEEPALIVED_FILE, KEEPALIVED_LOG = "/etc/keepalived/keepalived.conf", "/var/log/keepalived.log"
RESTING_LOOKS = 5
_numbers = itertools.count(1)
_KILL_BOTH = """
for number in $(pgrep -x keepalived); do kill -STOP $number; done
for number in $(pgrep -x keepalived); do kill -KILL $number; done
"""
TAKE_OVER_SECONDS = 10.0  # 3.6 at most, and a slow machine
END_SECONDS = 30.0  # of a process with dozens of routers, and a slow machine


class Balancer:
    """A host with a vrrp process and somebody who plays its director."""

    def __init__(self, host: LiveHost, *configs: VrrpInstance) -> None:
        self.host = host
        self.director = host.call(lambda: FakeDirector(SOCKET, configs))
        self.process: subprocess.Popen[str] | None = None
        self._gone = 0  # the process that ended last: its words are no news of the next

    def start(self, *more: str) -> None:
        command = [PYTHON, "-I", "-m", "lvsd.runtime.vrrp_process", "--socket", SOCKET, "--held-file", HELD, *more]
        self.process = self.host.popen(command, log=LOG)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(END_SECONDS)
        self.process = None
        reports = self.director.reports()
        self._gone = reports[-1].pid if reports else 0
        return status

    def configure(self, *configs: VrrpInstance) -> None:
        """Another configuration, until the process says that it has it."""
        self.director.configure(*configs)
        becomes(lambda: self.director.reports()[-1].generation == self.director.generation, f"{self.host.name} has it")

    def log(self) -> str:
        return self.host.read(LOG)

    def status(self, name: str = "lb0") -> InstanceStatus:
        status = self.director.status(name)
        assert status is not None, f"{self.host.name} has said nothing of {name}\n{self.log()}"
        return status

    def is_role(self, role: Role, *causes: Cause, name: str = "lb0") -> bool:
        """By what the process said last; one that has ended, or has said nothing yet, has none."""
        reports = self.director.reports()
        if not reports or reports[-1].pid == self._gone:
            return False
        found = [one for one in reports[-1].instances if one.name == name and one.role is role]
        return any(not causes or one.cause in causes for one in found)

    def became(self, role: Role, cause: Cause) -> bool:
        """Whether an instance ever did, however short it was: the director hears of what lasts, the journal of all."""
        return f" after={role.value} cause={cause.value} " in self.log()

    def wait(self, role: Role, *causes: Cause, name: str = "lb0") -> None:
        """Until the process says so, and its director has heard it."""

        def told() -> bool:
            return self.is_role(role, *causes, name=name)

        wait_until(told, TAKE_OVER_SECONDS, f"{self.host.name}: {name} {role.value} {causes}\n{self.log()}")


def start_keepalived(host: LiveHost, text: str) -> subprocess.Popen[str]:
    """Debian's, its VRRP part alone, with pid files of its own: those of a killed one would stop the next."""
    host.write(KEEPALIVED_FILE, text)
    number = next(_numbers)
    files = ["-p", f"/run/keepalived-{number}.pid", "-r", f"/run/keepalived-vrrp-{number}.pid"]
    return host.popen(["keepalived", "-n", "-l", "-P", "-D", *files], log=KEEPALIVED_LOG)


def kill_keepalived(host: LiveHost, process: subprocess.Popen[str]) -> None:
    """Parent and child together, so that neither says goodbye."""
    host.run(["sh", "-c", _KILL_BOTH])
    process.wait(END_SECONDS)


def capture(host: LiveHost, expression: str, interface: str = "eth0") -> Callable[[], list[bytes]]:
    """Frames that the host sees or sends from now on; the call ends it and gives them."""
    path = f"/var/log/capture-{next(_numbers)}"
    room = ["-s", "512", "-B", "8192"]  # with whole packets, its ring holds 32: less than a burst of several routers
    process = host.popen(
        ["tcpdump", *room, "-i", interface, "-U", "-xx", "-n", "--immediate-mode", expression], log=path
    )
    becomes(lambda: "listening on" in host.read(path), "tcpdump listens")

    def frames() -> list[bytes]:
        _come_to_rest(host, path)
        process.send_signal(signal.SIGINT)
        process.wait(END_SECONDS)
        return _frames(host.read(path))

    return frames


def _come_to_rest(host: LiveHost, path: str) -> None:
    """Until nothing more is written: an interrupted tcpdump forgets what it has not written yet."""
    sizes: list[int] = []

    def rests() -> bool:
        sizes.append(len(host.read(path)))
        return len(sizes) > RESTING_LOOKS and len(set(sizes[-RESTING_LOOKS:])) == 1

    becomes(rests, "tcpdump has written all")


def _frames(output: str) -> list[bytes]:
    found: list[bytes] = []
    for line in output.splitlines():
        words = re.match(r"\s+0x([0-9a-f]{4}):  (.*)", line)
        if words is None:
            found.append(b"")
        else:
            found[-1] += bytes.fromhex(words[2].replace(" ", ""))
    return [frame for frame in found if frame]


def addresses_of(host: LiveHost, interface: str = "") -> frozenset[str]:
    """All that the host holds, without their prefix lengths."""
    shown = host.run(["ip", "-o", "addr", "show", *(["dev", interface] if interface else [])]).stdout
    return frozenset(re.findall(r" inet6? ([^/ ]+)[/ ]", shown))


def becomes(what: Callable[[], bool], text: str) -> None:
    wait_until(what, TAKE_OVER_SECONDS, text)
