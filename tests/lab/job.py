"""What the host asks the lab to do, as the processes on the way hand it on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# Inside the box a private tmpfs hides this directory, which every system has and nobody keeps a checkout in. It
# cannot be below /dev, which the guest's kernel mounts over, nor be the guest's own stage (guest.STAGE).
PRIVATE = "/media"  # on it: the job, the way out, the checkout, the memory of the guest
EXIT_NO_LAB = 125


@dataclass(frozen=True, slots=True)
class Job:
    """One command to run in one lab. `out` is a host directory or empty; the two descriptors are the console."""

    command: tuple[str, ...]
    environment: dict[str, str]
    checkout: str
    backend: str
    memory_mib: int
    cpu: int | None
    out: str
    interactive: bool
    from_host_fd: int
    to_host_fd: int
    parent: int


def dump(job: Job) -> str:
    """As JSON, for a pipe or a file."""
    return json.dumps(asdict(job))


def load(text: str) -> Job:
    """Back from `dump`."""
    fields = json.loads(text)
    fields["command"] = tuple(fields["command"])
    return Job(**fields)
