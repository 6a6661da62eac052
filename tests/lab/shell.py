"""Inside the lab: a topology with its daemons, and a shell in which each host's name is a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import service
from tests.lab.cluster import CLUSTER
from tests.lab.controls import Controls
from tests.lab.pair import PAIR
from tests.lab.world import World

BIN = Path("/lab/bin")
CONTROL = "/lab/control"
PROMPT = "lab# "
TOPOLOGIES = {"cluster": CLUSTER, "pair": PAIR}
HELP = """
  HOST COMMAND ...     run a command on a host: {hosts}
  HOST                 a shell there
  lab                  what can be done to the hosts: kill, revive, unplug, plug, part, heal, stop, start
  exit                 end it all; nothing is left behind

  lb1 lvsctl status    lb1 ipvsadm -Ln    client curl http://1.1.1.12/    lb1 tail /var/log/lvsd.log
"""

# env -C: nsenter starts in the host's root directory, and a relative path should mean what it looks like.
_ENTER = """#!/bin/sh
# {host} COMMAND...: run it on {host}
pid=$(cat {handle}) || exit
[ "$pid" -gt 0 ] || {{ echo "{host} is dead: lab revive {host}" >&2; exit 1; }}
[ $# -gt 0 ] || set -- bash
exec nsenter -t "$pid" -m -u -i -n -p -- env -C "$PWD" PS1='{host}# ' "$@"
"""
_LAB = f"""#!/bin/sh
# lab WORDS...: ask the process that holds the world
answer=$(printf '%s\\n' "$*" | socat -t 300 - UNIX-CONNECT:{CONTROL})
case $answer in
"lab: "*) printf '%s\\n' "$answer" >&2; exit 1 ;;
?*) printf '%s\\n' "$answer" ;;
esac
"""


def main(topology: str) -> int:
    """The shell's exit status."""
    if topology == "none":
        return run_shell()
    if topology not in TOPOLOGIES:
        sys.stderr.write(f"no topology {topology}: there are {', '.join(TOPOLOGIES)} and none\n")
        return 2
    began = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {line}", flush=True)

    with World(TOPOLOGIES[topology]) as world:
        progress(f"{len(list(world))} hosts")
        if topology == "cluster":
            service.up(world, progress=progress)
            service.balance(world, progress=progress)
        _lay_commands(world)
        with Controls(world, CONTROL):
            if os.isatty(0):
                print(HELP.format(hosts=" ".join(host.name for host in world)), flush=True)
            return run_shell()


def _lay_commands(world: World) -> None:
    for host in world:
        _lay(host.name, _ENTER.format(host=host.name, handle=host.handle))
    _lay("lab", _LAB)


def _lay(name: str, text: str) -> None:
    path = BIN / name
    path.write_text(text)
    path.chmod(0o755)


def run_shell() -> int:
    """Bash with the lab's prompt: on a terminal a person's, on a pipe one that does as it reads."""
    return subprocess.run(["bash", "--norc"], env={**os.environ, "PS1": PROMPT}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
