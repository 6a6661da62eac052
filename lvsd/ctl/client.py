"""The control socket's other end: one question, one answer, in bounded time."""

from __future__ import annotations

import socket
from pathlib import Path

from lvsd.control.messages import LENGTH, REPLY_LIMIT_BYTES, ErrorReply, Garbled, Reply, Request, decode_reply, frame

ANSWER_SECONDS = 60.0  # a reload of ten thousand real servers takes a while


class Unanswered(Exception):
    """The director cannot be asked; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        """What failed, and what to do."""
        super().__init__(message)
        self.hint = hint


def ask(run_directory: Path, request: Request) -> Reply:
    """The director's reply. Raises Unanswered, also when the reply is an error."""
    path = run_directory / "control.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(frame(request))
            reply = decode_reply(_receive(connection))
    except TimeoutError as error:
        raise Unanswered(f"{path}: no answer in {ANSWER_SECONDS:.0f} s", "the director hangs: see its log") from error
    except OSError as error:
        raise Unanswered(f"{path}: {error.strerror or error}", _hint(error)) from error
    except Garbled as error:
        raise Unanswered(f"{path}: {error}", "is lvsctl of the same version as lvsd?") from error
    if isinstance(reply, ErrorReply):
        raise Unanswered(reply.message, reply.hint)
    return reply


def _hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "lvsctl has to run as root"
    return "is lvsd running, and in this run directory? (--run-dir)"


def _receive(connection: socket.socket) -> bytes:
    (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    if length > REPLY_LIMIT_BYTES:
        text = f"a reply of {length} bytes"
        raise Garbled(text)
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    chunks: list[bytes] = []
    missing = length
    while missing:
        chunk = connection.recv(min(missing, 1 << 20))
        if not chunk:
            text = "the connection ended before the reply was whole"
            raise Garbled(text)
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
