"""What lvsd-notify is asked to do: commands, mails, lines in files and pipes, tracked scripts. Pure.

One message is one packet of a SOCK_SEQPACKET socket, encoded with MessagePack. But for Instruct these are edges, not
levels: something has happened and is told once, and what comes of it is in the log. Results of scripts alone come back.
"""

from __future__ import annotations

import msgspec

from checkers.core.letter import Letter

PACKET_LIMIT_BYTES = 65536


class RunCommand(msgspec.Struct, frozen=True, tag="run_command"):
    """Run a command, without a shell. Those of one `lane` run one at a time, in their order.

    `environment` is added to a small clean one. `user`: whom it runs as, empty for lvsd's own.
    """

    lane: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    user: str = ""


class SendMail(msgspec.Struct, frozen=True, tag="send_mail"):
    """Send a letter, with the rights of `user`."""

    letter: Letter
    user: str


class AppendLine(msgspec.Struct, frozen=True, tag="append_line"):
    """Add a line, without its newline, to a file."""

    path: str
    line: str


class WriteFifo(msgspec.Struct, frozen=True, tag="write_fifo"):
    """Write a line, without its newline, into a named pipe."""

    path: str
    line: str


class Script(msgspec.Struct, frozen=True):
    """A command to run again and again, seconds from one start to the next; its group is ended at `timeout`."""

    id: str
    name: str
    argv: tuple[str, ...]
    interval: float
    timeout: float
    user: str = ""


class Instruct(msgspec.Struct, frozen=True, tag="instruct"):
    """All scripts that are to run, all pipes that are to be open: a level, the only one among these messages."""

    scripts: tuple[Script, ...] = ()
    fifos: tuple[str, ...] = ()


class ScriptEnded(msgspec.Struct, frozen=True, tag="script_ended"):
    """What lvsd-notify says: a run of a script has ended, or was ended at its time limit (a moment of CLOCK_MONOTONIC).

    The last result of each is said again to whoever instructs.
    """

    id: str
    status: int
    timed_out: bool
    at: float


ToNotify = RunCommand | SendMail | AppendLine | WriteFifo | Instruct


class Garbled(Exception):
    """A packet that is not one of ours, or would not fit into one."""


_to_notify: msgspec.msgpack.Decoder[ToNotify] = msgspec.msgpack.Decoder(ToNotify)
_from_notify = msgspec.msgpack.Decoder(ScriptEnded)
_encoder = msgspec.msgpack.Encoder()


def encode(message: ToNotify | ScriptEnded) -> bytes:
    """One packet. Raises Garbled when it would exceed the limit, or is no text."""
    try:
        packet = _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise Garbled(str(error)) from error
    if len(packet) > PACKET_LIMIT_BYTES:
        text = f"a packet of {len(packet)} bytes"
        raise Garbled(text)
    return packet


def decode(packet: bytes) -> ToNotify:
    """What lvsd-notify is asked to do. Raises Garbled and nothing else."""
    try:
        return _to_notify.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error


def decode_result(packet: bytes) -> ScriptEnded:
    """What lvsd-notify says. Raises Garbled and nothing else."""
    try:
        return _from_notify.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error
