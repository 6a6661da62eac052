"""Inside the lab: a topology, running.

    with World(PAIR) as world:
        world["client"].run(["ping", "-c1", "192.0.2.11"])

Each host is a network, process, mount, host name and IPC namespace of its own with its own file tree; each network a
bridge, in a namespace nobody else sees. All of it ends with the `with` block, so a test may have a world to itself.
What takes time: one fork and exec per host for its addresses, one for its process 1 (about 40 ms each in
User-Mode Linux), and one for all cables together.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from tests.lab import devices, roots, syscalls, topology
from tests.lab.place import Place, Stream
from tests.lab.topology import Host, Topology

Value = TypeVar("Value")
WORLDS = Path("/lab/worlds")
BIN = Path("/lab/bin")
CHECKOUT = str(Path(__file__).resolve().parents[2])
_TABLE = "lab_partition"
_numbers = itertools.count(1)


class CommandFailed(RuntimeError):
    """A command on a host ended with another status than 0."""

    def __init__(self, host: str, done: subprocess.CompletedProcess[str]) -> None:
        command = " ".join(done.args)
        super().__init__(f"{host}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        self.done = done


class Daemon(Protocol):
    """Something that can run on a host; see tests/lab/daemons."""

    @property
    def name(self) -> str: ...

    def start(self, host: LiveHost) -> None:
        """Start it and return when it is ready."""

    def stop(self, host: LiveHost) -> None:
        """Stop it in good order and return when it is gone."""


class LiveHost:
    """One machine of a running world."""

    def __init__(self, world: World, declared: Host) -> None:
        self.world = world
        self.declared = declared
        self.name = declared.name
        self.pid = 0
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._place: Place | None = None
        self._tree = world.directory / declared.name
        roots.lay(self._tree)

    @property
    def place(self) -> Place:
        """Its namespaces. Raises `RuntimeError` while it is dead."""
        if self._place is None:
            raise RuntimeError(f"{self.name} is dead")
        return self._place

    @property
    def alive(self) -> bool:
        """False between `kill` and `revive`."""
        return self._place is not None

    def boot(self) -> None:
        """Namespaces, files, cables, addresses: everything but the daemons."""
        place = Place(self.name, roots.ROOT_FLAGS)
        place.call(lambda: roots.enter(self._tree, self.name, CHECKOUT, self.declared.shares))
        self.pid = place.start_first()
        self._place = place
        place.call(self._settle)
        self.world.switch_ip(topology.cable_batch(self.world.topology, self.declared, self.pid))
        self._ip(topology.address_batch(self.declared))
        self._leave_handle()

    def _settle(self) -> None:
        devices.raise_link("lo")
        roots.write("/etc/hostname", f"{self.name}\n", 0o644)
        roots.write("/etc/hosts", topology.hosts_file(self.world.topology, self.name), 0o644)
        for key, value in self.declared.sysctls:
            roots.set_sysctl(key, value)
        for file in self.declared.files:
            roots.write(file.path, file.text, file.mode)

    def _ip(self, batch: str) -> None:
        self.run(["ip", "-batch", "-"], input=batch)

    @property
    def handle(self) -> Path:
        """A file, out here, with the number of its process 1; 0 while it is dead."""
        return self.world.directory / f"{self.name}.pid"

    def _leave_handle(self) -> None:
        """`lb1 CMD` for a person or a script: see tests/lab/shell.py."""
        self.handle.write_text(f"{self.pid}\n")

    # ---- programs and files -------------------------------------------------------------------------------------

    def popen(
        self,
        command: Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = CHECKOUT,
        log: str | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program on the host; `log` is a file there for its output. `env` adds to the lab's."""
        return self.place.start(
            command, stdin=stdin, stdout=stdout, stderr=stderr, env={**os.environ, **(env or {})}, cwd=cwd, log=log
        )

    def run(
        self,
        command: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - subprocess.run's name
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = CHECKOUT,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end. Raises `CommandFailed` (with `check`) or `subprocess.TimeoutExpired`."""
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        process = self.popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd)
        try:
            output, errors = process.communicate(input, timeout=timeout)
        finally:
            if process.returncode is None:
                process.kill()
            self.place.forget(process)
        done = subprocess.CompletedProcess(list(command), process.returncode, output, errors)
        if check and done.returncode:
            raise CommandFailed(self.name, done)
        return done

    def call(self, function: Callable[[], Value]) -> Value:
        """Run Python on the host: sockets it opens are the host's, files it names are the host's. 0.1 ms."""
        return self.place.call(function)

    def read(self, path: str) -> str:
        """A file's text."""
        return self.call(lambda: Path(path).read_text(encoding="utf-8", errors="replace"))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file with exactly this mode; its directories are made."""
        self.call(lambda: roots.write(path, text, mode))

    def address(self, network: str = "") -> str:
        """Its first address on `network`, by default the first it is on."""
        return self.declared.address(network or self.declared.attachments[0].network)

    def start(self, daemon: Daemon) -> None:
        """Start a daemon and wait until it is ready."""
        daemon.start(self)

    def stop(self, daemon: Daemon) -> None:
        """Stop it in good order."""
        daemon.stop(self)

    # ---- what happens to machines -------------------------------------------------------------------------------

    def link_down(self, network: str) -> None:
        """Pull the cable: the host sees its carrier go."""
        self.world.switch.call(lambda: devices.lower_link(topology.port(self.name, network)))

    def link_up(self, network: str) -> None:
        """Plug it in again."""
        self.world.switch.call(lambda: devices.raise_link(topology.port(self.name, network)))

    def kill(self) -> None:
        """Power loss: not a frame leaves any more, then every process is gone. Its files stay."""
        place = self.place
        self.world.switch.call(self._cut_cables)
        self._place = None
        self.pid = 0
        self.processes.clear()
        self._leave_handle()
        place.kill()
        self.world.switch_ip(self._uncable_batch())
        place.close()

    def _cut_cables(self) -> None:
        for attachment in self.declared.attachments:
            devices.lower_link(topology.port(self.name, attachment.network))

    def _uncable_batch(self) -> str:
        """The end of the namespace takes the cables along too, but some time later, when a new one may be there."""
        ends = (topology.port(self.name, attachment.network) for attachment in self.declared.attachments)
        return "".join(f"link del {end}\n" for end in ends)

    def revive(self) -> None:
        """Boot it again: same addresses, same files, fresh /run and /tmp, no daemon started."""
        if self.alive:
            raise RuntimeError(f"{self.name} is not dead")
        self.boot()

    def close(self) -> None:
        """At the end of the world."""
        if self._place is not None:
            self._place.close()
            self._place = None


class World:
    """A running topology: a mapping of names to hosts, and the switch that joins them."""

    def __init__(self, declared: Topology) -> None:
        self.topology = declared
        self.directory = WORLDS / f"{next(_numbers)}-{declared.name}"
        self._hosts: dict[str, LiveHost] = {}
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.close)
            self._build()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _build(self) -> None:
        self.directory.mkdir(parents=True)
        self._cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)
        syscalls.mount("tmpfs", str(self.directory), "tmpfs", data="mode=755,size=80%")
        self._cleanup.callback(syscalls.detach, str(self.directory))
        self.switch = Place("switch", syscalls.CLONE_NEWNET)
        self._cleanup.callback(self.switch.close)
        self.switch_ip(topology.switch_batch(self.topology))
        for declared in self.topology.hosts:
            host = LiveHost(self, declared)
            self._hosts[declared.name] = host
            self._cleanup.callback(host.close)
            host.boot()
        self._delay()

    def close(self) -> None:
        """Take it all down; nothing of it is left in the lab."""
        self._cleanup.close()

    def __getitem__(self, name: str) -> LiveHost:
        """The host of that name. Raises `KeyError`."""
        return self._hosts[name]

    def __iter__(self) -> Iterator[LiveHost]:
        return iter(self._hosts.values())

    def switch_run(self, command: Sequence[str], text: str = "") -> str:
        """Run a program among the bridges (tcpdump, tc, nft) and return its output."""
        process = self.switch.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(text, timeout=30)
        self.switch.forget(process)
        if process.returncode:
            raise CommandFailed("switch", subprocess.CompletedProcess(list(command), process.returncode, output, ""))
        return output

    def switch_ip(self, batch: str) -> None:
        """`ip -batch` among the bridges."""
        self.switch_run(["ip", "-batch", "-"], batch)

    def _delay(self) -> None:
        delays = {network.name: network.delay_seconds for network in self.topology.networks if network.delay_seconds}
        lines = [
            f"qdisc add dev {topology.port(host.name, attachment.network)} root netem delay "
            f"{delays[attachment.network] * 1e6:.0f}us"
            for host in self
            for attachment in host.declared.attachments
            if attachment.network in delays
        ]
        if lines:
            self.switch_run(["tc", "-batch", "-"], "\n".join(lines) + "\n")

    def partition(self, network: str, one: Sequence[str], other: Sequence[str]) -> None:
        """Drop every frame between the hosts `one` and the hosts `other` on `network`, broadcasts too."""
        rules = [
            f"add rule bridge {_TABLE} forward iifname {topology.port(a, network)} oifname {topology.port(b, network)}"
            " counter drop"
            for left, right in ((one, other), (other, one))
            for a in left
            for b in right
        ]
        table = [
            f"add table bridge {_TABLE}",
            f"add chain bridge {_TABLE} forward {{ type filter hook forward priority 0; }}",
        ]
        self.switch_run(["nft", "-f", "-"], "\n".join([*table, *rules]) + "\n")

    def heal(self) -> None:
        """Undo every partition."""
        self.switch_run(["nft", "-f", "-"], f"add table bridge {_TABLE}\ndelete table bridge {_TABLE}\n")
