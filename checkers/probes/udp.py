"""Any protocol of datagrams: something is sent, and what ICMP or the real server says of it is judged.

A real server limits how many ICMP errors it sends (Linux: one a second to each address, net.ipv4.icmp_ratelimit), so
many checks of closed ports on one machine are not all told. Ask for a reply where the protocol gives one.
"""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.datagram import Datagrams
from checkers.probes.expect import holds
from checkers.probes.failures import Failed, Stuck
from checkers.probes.session import Session
from config.checks import Expect, UdpCheck

ANY_DIGIT = "x"


async def probe(session: Session, check: UdpCheck) -> Outcome:
    """Healthy at the first datagram that comes back and fits; without need of one, when nobody objects."""
    holds(b"", check.expect)  # a mistake in the expression or pattern is told at once
    begins(b"", check.reply_hex or "")
    with Datagrams(session) as port:
        port.send(check.payload)
        if not _reply_needed(check):
            session.silence = Healthy("sent, and nobody objects")
        reply = await port.receive()
    _judge(reply, check)
    return Healthy(f"a reply of {len(reply)} bytes")


def _reply_needed(check: UdpCheck) -> bool:
    return (
        check.reply_needed or check.expect != Expect() or check.reply_hex is not None or check.reply_length is not None
    )


def _judge(reply: bytes, check: UdpCheck) -> None:
    if check.reply_length is not None:
        least, most = check.reply_length
        if not least <= len(reply) <= most:
            raise Failed(Reason.NO_MATCH, f"a reply of {len(reply)} bytes, not {least} to {most}")
    if check.reply_hex is not None and not begins(reply, check.reply_hex):
        raise Failed(Reason.NO_MATCH, f"the reply begins with {reply[: len(check.reply_hex) // 2].hex()}")
    if not holds(reply, check.expect):
        raise Failed(Reason.NO_MATCH, escaped(reply))


def begins(reply: bytes, pattern: str) -> bool:
    """Whether a reply's hexadecimal digits begin as `pattern`, where `x` stands for any. Raises Stuck."""
    digits = "".join(pattern.split()).lower()
    if any(digit not in f"0123456789abcdef{ANY_DIGIT}" for digit in digits):
        text = "not hexadecimal digits"
        raise Stuck(text)
    begun = reply[: (len(digits) + 1) // 2].hex()
    return len(begun) >= len(digits) and all(
        wanted in (ANY_DIGIT, found) for wanted, found in zip(digits, begun, strict=False)
    )
