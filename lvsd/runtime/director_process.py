"""The director process: its start, its ticks, its signals and its end."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.load import Loaded
from config.problems import Severity
from lvsd.control.messages import ChangeReply
from lvsd.runtime.answers import Answers
from lvsd.runtime.configuration import Reloader, first_configuration, warn_of_unreadable
from lvsd.runtime.control_server import ControlServer
from lvsd.runtime.director_runtime import Runtime, refused
from lvsd.runtime.journal import tell
from lvsd.runtime.notify_link import NotifyLink
from lvsd.runtime.peering import PeerServer
from lvsd.runtime.process import (
    CAP_NET_ADMIN,
    PARENT_ENV,
    PERMANENT_EXIT,
    Notifier,
    ParentGone,
    die_with_parent,
    keep_capabilities,
    name_process,
    origin,
    settle_memory,
)
from lvsd.runtime.store import Store
from lvsd.runtime.unix_socket import bind_unix, is_gone
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket

TICK_SECONDS = 1.0
SETTLE_SECONDS = 5.0  # a table that takes longer to write is no reason to be silent any longer


@dataclass(frozen=True, slots=True)
class Options:
    """How a director is started. `checker_user`: as the running checkers have it; the configuration's if empty."""

    run_dir: Path
    state_dir: Path
    files: tuple[str, ...]
    checker_user: str = ""
    restarted: bool = False


def tell_problems(loaded: Loaded) -> None:
    """What is wrong with the configuration, or strange."""
    for problem in loaded.problems:
        tell("error" if problem.severity is Severity.ERROR else "warning", "config_problem", problem=str(problem))


async def serve(options: Options, parent: int, heard: Callable[[Loaded], None]) -> int:
    """The process's life. `heard` is called with the configuration once it is read. The exit status."""
    store = Store(options.state_dir)
    loaded, snapshot = first_configuration(store, options.files, restarted=options.restarted)
    heard(loaded)
    if loaded.config is None:
        return PERMANENT_EXIT
    kernel = IpvsSocket()
    runtime = Runtime(store, kernel, IpvsSocket())
    reloader = Reloader(runtime, store, options.files)
    run = options.run_dir
    account = pwd.getpwnam(options.checker_user or loaded.config.daemon.checker_user)
    workers = bind_unix(run / "checkers.sock", socket.SOCK_SEQPACKET, 0o660, account.pw_gid)
    vrrp = bind_unix(run / "vrrp.sock", socket.SOCK_SEQPACKET, 0o600)
    control = bind_unix(run / "control.sock", socket.SOCK_STREAM, 0o660)
    keep_capabilities({CAP_NET_ADMIN})
    die_with_parent()
    warn_of_unreadable(snapshot)
    runtime.attach(NotifyLink(run / "notify.sock", runtime.script_ended))
    runtime.start(loaded.config, snapshot, restarted=options.restarted)
    reloader.begin(snapshot)
    runtime.listen(workers, vrrp, account.pw_uid)
    answers = Answers(runtime, reloader)
    server = ControlServer(answers.answer, refused)
    await server.start(control)
    peers = PeerServer(answers.portrait)
    told = await _until_told(runtime, reloader, peers, run / "control.sock")
    peers.close()
    server.close()
    runtime.stop(in_good_order=told and os.getppid() == parent)
    return 0 if told else 1


async def _until_told(runtime: Runtime, reloader: Reloader, peers: PeerServer, reachable_at: Path) -> bool:
    """Tick until SIGTERM; SIGHUP reloads. False when nobody can reach us any more: a successor will be found."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_fault)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, ended.set)
    reloads: set[asyncio.Task[ChangeReply]] = set()

    def reload() -> None:
        task = loop.create_task(reloader.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    await runtime.settled(SETTLE_SECONDS)  # before the collector, who takes his time
    settle_memory()
    notifier = Notifier.from_environment()
    notifier.ready()
    next_tick = time.monotonic()
    while not ended.is_set():
        notifier.alive()
        runtime.tick()
        notifier.order(runtime.orders())
        reloader.tick()
        await peers.follow(runtime.belief.config.daemon.peer, time.monotonic())
        next_tick = max(next_tick + TICK_SECONDS, time.monotonic() + TICK_SECONDS / 10)
        try:
            async with asyncio.timeout(max(0.0, next_tick - time.monotonic())):
                await ended.wait()
        except TimeoutError:
            if is_gone(reachable_at):
                tell("error", "run_directory_lost", path=str(reachable_at))
                return False
    return True


def live(options: Options, heard: Callable[[Loaded], None] = tell_problems) -> int:
    """A director from its beginning to its end. The exit status."""
    name_process("lvsd-director")
    parent = int(os.environ.get(PARENT_ENV) or os.getppid())
    try:
        options.run_dir.mkdir(mode=0o755, exist_ok=True)  # somebody may have removed it since the start
        return asyncio.run(serve(options, parent, heard))
    except ParentGone:
        return 1
    except (NetlinkError, OSError, KeyError) as error:
        tell("error", "director_cannot_run", error=str(error))
        return 1 if options.restarted else PERMANENT_EXIT
    except Exception as error:  # noqa: BLE001 (the outermost guard: the supervisor starts another)
        tell("error", "director_crashed", error=type(error).__name__, where=origin(error))
        return 1


def main(arguments: list[str]) -> int:
    """`python -I -m lvsd.runtime.director_process`, or forked: whom the supervisor starts."""
    import argparse  # the first director has no arguments to read, and writes a table sooner

    parser = argparse.ArgumentParser(prog="lvsd-director")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--checker-user", default="nobody")
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--restarted", action="store_true")
    said = parser.parse_args(arguments)
    return live(Options(said.run_dir, said.state_dir, tuple(said.config), said.checker_user, said.restarted))


def _fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A fault of ours in one event. Its words are not told: they may hold a password."""
    error = context.get("exception")
    if isinstance(error, Exception):
        tell("error", "director_fault", error=type(error).__name__, where=origin(error))
    else:
        tell("error", "director_fault", error=context.get("message", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
