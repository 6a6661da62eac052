"""Inside the lab's shell: what a person does to hosts, as words over a socket to the process that holds the world."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import service
from tests.lab.daemons.process import DaemonFailed
from tests.lab.topology import TopologyError
from tests.lab.waiting import WaitError
from tests.lab.world import CommandFailed, World

LINE_LIMIT_BYTES = 4096
USAGE = """lab kill HOST               power loss: not a frame more, then no process
lab revive HOST             boot it again; its daemons are yours to start
lab stop|start HOST DAEMON  mariadb, nginx, dovecot, postfix, lvsd
lab unplug|plug HOST NET    its cable to public or private
lab part NET HOST HOST      no frame passes between the two
lab heal                    undo every part"""


class Controls:
    """Answers one line per connection. A refusal begins with `lab: `."""

    def __init__(self, world: World, path: str) -> None:
        self._world = world
        Path(path).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # shut down: the shell has ended
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(ConnectionError):
                    words = connection.recv(LINE_LIMIT_BYTES).decode(errors="replace").split()
                    connection.sendall(self.answer(words).encode())

    def answer(self, words: list[str]) -> str:
        """Do it; what to print, or `lab: ` and why not."""
        try:
            return self._do(words)
        except KeyError as error:
            return f"lab: there is no {error}"
        except (OSError, RuntimeError, TopologyError, WaitError, CommandFailed, DaemonFailed) as error:
            return f"lab: {error}"

    def _do(self, words: list[str]) -> str:
        world = self._world
        match words:
            case ["kill", host]:
                world[host].kill()
            case ["revive", host]:
                world[host].revive()
            case ["unplug", host, network]:
                world[host].link_down(network)
            case ["plug", host, network]:
                world[host].link_up(network)
            case ["part", network, one, other]:
                world.partition(network, [one], [other])
            case ["heal"]:
                world.heal()
            case ["stop", host, daemon]:
                world[host].stop(service.daemons_of(world, host)[daemon])
            case ["start", host, daemon]:
                world[host].start(service.daemons_of(world, host)[daemon])
            case _:
                return USAGE
        return ""
