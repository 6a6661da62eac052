"""What lvsd-notify is asked to do: commands, mails, lines in files. Pure.

One message is one packet of a SOCK_SEQPACKET socket, encoded with MessagePack. These are the only messages that
are edges, not levels: something has happened and is told once. Nothing is answered; what comes of it is in the log.
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


ToNotify = RunCommand | SendMail | AppendLine


class Garbled(Exception):
    """A packet that is not one of ours, or would not fit into one."""


_to_notify: msgspec.msgpack.Decoder[ToNotify] = msgspec.msgpack.Decoder(ToNotify)
_encoder = msgspec.msgpack.Encoder()


def encode(message: ToNotify) -> bytes:
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
