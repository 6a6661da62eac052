"""Unix sockets in the run directory: bound with the right mode from the start, and who is at the other end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

PEERS_LIMIT = 8

_UCRED = struct.Struct("3i")


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end of a Unix socket (SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[1])


def peer_pid(connection: socket.socket) -> int:
    """The process id of the process at the other end (SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[0])


def bind_unix(path: Path, kind: socket.SocketKind, mode: int, group: int = -1) -> socket.socket:
    """A listening Unix socket of `mode`, in place of whatever socket an earlier process left at `path`."""
    listener = socket.socket(socket.AF_UNIX, kind)
    staged = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        staged.unlink()
    listener.bind(os.fspath(staged))
    os.chown(staged, -1, group)
    staged.chmod(mode)
    listener.listen(PEERS_LIMIT)
    listener.setblocking(False)
    staged.replace(path)  # at no moment does the path name a socket with other rights, or nothing
    return listener


def is_gone(path: Path) -> bool:
    """Whether there is nothing at the path, for certain: what may not be looked at may well be there."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
