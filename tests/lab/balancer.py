"""lvsd on a host of the lab: start it with a configuration, ask it, read the table beside it, kill its parts."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from lvsd.control.messages import (
    ChangeReply,
    ReloadRequest,
    Reply,
    Request,
    StatusReply,
    StatusRequest,
    VrrpReply,
    VrrpRequest,
)
from lvsd.ctl.client import Unanswered, ask
from netlink.ipvs_socket import IpvsSocket
from netlink.table import Table
from tests.lab.waiting import WaitError, wait_until
from tests.lab.world import CHECKOUT, LiveHost

RUN = Path("/run/lvsd")
CONFIG = "/etc/lvsd/lvsd.yaml"
LOG = "/var/log/lvsd.log"
START_SECONDS = 30.0
STOP_SECONDS = 30.0  # more than all its processes together may take
STATE, THREADS = 0, 20 - 3  # their places in proc_pid_stat(5), counted from the state, which follows the name


class Balancer:
    """One lvsd. `config` is the text of its file; `others` are paths of further ones."""

    def __init__(self, host: LiveHost, config: str, *others: str) -> None:
        self.host = host
        self.files = (CONFIG, *others)
        self.process: subprocess.Popen[str] | None = None
        self.configure(config)

    def configure(self, config: str) -> None:
        """Write the file; nothing is told to lvsd."""
        self.host.write(CONFIG, config, 0o600)

    def start(self) -> Balancer:
        """`lvsd run`, until the checker worker and the vrrp process are connected."""
        self.process = self.host.popen(
            [f"{CHECKOUT}/.venv/bin/lvsd", "run", *(f"--config={path}" for path in self.files)], log=LOG
        )
        wait_until(self._up, START_SECONDS, f"lvsd on {self.host.name}")
        return self

    def _up(self) -> bool:
        assert self.process is None or self.process.poll() is None, self.log()
        reply = self.try_ask(StatusRequest())
        there = {one.name: one.connected for one in reply.processes} if isinstance(reply, StatusReply) else {}
        return {"checker", "vrrp"} <= there.keys() and all(there.values())

    def stop(self) -> int:
        """SIGTERM to the supervisor; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        self.process = None
        return status

    def ask(self, request: Request) -> Reply:
        """A question to the director, as lvsctl puts it."""
        return self.host.call(lambda: ask(RUN, request))

    def try_ask(self, request: Request) -> Reply | None:
        """The same; None when there is no answer."""
        try:
            return self.ask(request)
        except Unanswered:
            return None

    def status(self) -> StatusReply:
        reply = self.ask(StatusRequest())
        assert isinstance(reply, StatusReply)
        return reply

    def vrrp(self) -> VrrpReply:
        reply = self.ask(VrrpRequest())
        assert isinstance(reply, VrrpReply)
        return reply

    def reload(self) -> ChangeReply:
        reply = self.ask(ReloadRequest())
        assert isinstance(reply, ChangeReply)
        return reply

    def standings(self) -> dict[str, str]:
        """`service real-server` -> standing."""
        return {
            f"{service.name} {real.real_server}": real.standing
            for service in self.status().services
            for real in service.real_servers
        }

    def results(self) -> dict[str, str]:
        """`service real-server` -> result of its last probe."""
        return {
            f"{service.name} {real.real_server}": real.result
            for service in self.status().services
            for real in service.real_servers
        }

    def table(self) -> Table:
        """The kernel's own table, asked without lvsd."""

        def read() -> Table:
            kernel = IpvsSocket()
            try:
                return kernel.read_table()
            finally:
                kernel.close()

        return self.host.call(read)

    def weights(self, port: int = 80) -> dict[str, int]:
        """address -> weight of the service on that port."""
        return {
            key.address: destination.weight
            for service, entry in self.table().items()
            if service.port == port
            for key, destination in entry.destinations.items()
        }

    def until(self, what: str, weights: dict[str, int], port: int = 80, seconds: float = 15.0) -> None:
        """Wait until the kernel holds these weights."""
        try:
            wait_until(lambda: self.weights(port) == weights, seconds, what)
        except WaitError as error:
            raise WaitError(f"{error}: {self.weights(port)}, not {weights}") from error

    def pid(self, name: str) -> int:
        """The process id, as seen on the host, of supervisor, director, checker, vrrp or notify."""
        if name == "supervisor":
            return int(self.host.read(str(RUN / "lvsd.pid")))
        found = self.running(f"lvsd-{name}")
        assert len(found) == 1, f"{name}: {found}\n{self.log()}"
        return found.pop()

    def running(self, name: str = "lvsd") -> set[int]:
        """The process ids of that name, or whose name begins so, with a hyphen behind it. Zombies do not run."""
        found = self.host.run(["pgrep", "-x", "-r", "D,R,S,T", f"{name}(-.*)?"], check=False).stdout
        return {int(one) for one in found.split()}

    def kill(self, name: str) -> int:
        """SIGKILL one process; its id."""
        number = self.pid(name)
        self.end(number)
        return number

    def end(self, number: int) -> None:
        """SIGKILL a process, and wait until it has ended: by then those who were connected to it can know."""
        self.host.run(["kill", "-9", str(number)])
        wait_until(lambda: self._has_ended(number), STOP_SECONDS, f"the end of process {number}")

    def _has_ended(self, number: int) -> bool:
        """Whether nothing is left of a process, or nothing but its status: no thread that holds its files, either."""
        try:
            fields = self.host.read(f"/proc/{number}/stat").rpartition(")")[2].split()
        except OSError:
            return True
        return fields[STATE] in "ZX" and int(fields[THREADS]) <= 1

    def log(self) -> str:
        """What it has told so far."""
        return self.host.read(LOG)

    def addresses(self) -> str:
        """`ip -brief address` of the host."""
        return self.host.run(["ip", "-brief", "address", "show", "dev", "eth0"]).stdout
