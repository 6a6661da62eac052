"""Sends one mail and ends: over SMTP without any rights, or through the local sendmail.

`python -I -m checkers.runtime.mailer --user NAME`, the letter as JSON on standard input.

It reads what a mail server answers, and is therefore confined as the checker worker is. sendmail, which may be
setgid and has to stay so, is run with NAME's rights, and its words are only passed on. Exit status: 0 sent to one
recipient at least, 75 may succeed later, 69 never will.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import pwd
import resource
import socket
import subprocess
import sys
import time

import aiosmtplib

from checkers.core.letter import LETTER_LIMIT_BYTES, Garbled, Letter, decode
from checkers.runtime.composition import Unsendable, addresses, compose
from checkers.runtime.log import tell
from checkers.runtime.sandbox import ParentGone, Refused, confine

TIMEOUT_SECONDS = 30.0
SENDMAIL = "/usr/sbin/sendmail"
SENT_EXIT = 0
NEVER_EXIT = 69  # sysexits.h: EX_UNAVAILABLE
LATER_EXIT = 75  # EX_TEMPFAIL
SMTP_PORT = 25
PORT_LIMIT = 65535
PORT_DIGITS = len(str(PORT_LIMIT))
PERMANENT = range(500, 600)
ANSWER_SHOWN_CHARACTERS = 300
MEMORY_LIMIT_BYTES = 1024**3
PROCESSOR_LIMIT_SECONDS = 20


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="checkers.runtime.mailer", description="Sends one mail.")
    parser.add_argument("--user", required=True, help="who to become when started as root")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    try:
        letter = decode(sys.stdin.buffer.read(LETTER_LIMIT_BYTES + 1))
        host = socket.gethostname()
        addresses(letter, host)
        if letter.smtp is None:
            return by_sendmail(letter, host, given.user)
        confine(given.user, ())
        _limit()
        return asyncio.run(by_smtp(letter, host))
    except (Garbled, Unsendable, Refused, KeyError) as error:
        tell("error", "mail_refused", error=str(error))
        return NEVER_EXIT
    except ParentGone:
        return LATER_EXIT
    except Exception as error:  # noqa: BLE001 (the outermost guard)
        tell("error", "mail_fault", error=type(error).__name__)
        return NEVER_EXIT


def _limit() -> None:
    """A server that never stops talking costs it this much at most."""
    for kind, bound in ((resource.RLIMIT_AS, MEMORY_LIMIT_BYTES), (resource.RLIMIT_CPU, PROCESSOR_LIMIT_SECONDS)):
        resource.setrlimit(kind, (bound, bound))


async def by_smtp(letter: Letter, host: str) -> int:
    """Over SMTP (RFC 5321), in plain text, as a mail that only tells of servers needs no more."""
    server, port = endpoint(letter.smtp or "")
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _converse(letter, host, server, port)
    except aiosmtplib.SMTPRecipientsRefused as error:
        for one in error.recipients:
            _told_refused(letter, one.recipient, one.code, one.message)
        return NEVER_EXIT if all(one.code in PERMANENT for one in error.recipients) else LATER_EXIT
    except aiosmtplib.SMTPResponseException as error:
        _told_failure(letter, f"{error.code} {error.message}")
        return NEVER_EXIT if error.code in PERMANENT else LATER_EXIT
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # TimeoutError is an OSError
        _told_failure(letter, str(error) or type(error).__name__)
        return LATER_EXIT
    except MemoryError:
        _told_failure(letter, "the server's answer is too long")
        return LATER_EXIT


async def _converse(letter: Letter, host: str, server: str, port: int) -> int:
    sender, recipients = addresses(letter, host)
    content = compose(letter, host, time.time(), local=False)
    client = aiosmtplib.SMTP(hostname=server, port=port, local_hostname=host, timeout=TIMEOUT_SECONDS, start_tls=False)
    await client.connect()
    try:
        refused, _ = await client.sendmail(sender, list(recipients), content)
    except BaseException:
        client.close()
        raise
    for recipient, answer in refused.items():
        _told_refused(letter, recipient, answer.code, answer.message)
    tell("info", "mail_sent", subject=letter.subject, recipients=len(recipients) - len(refused))
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it has taken the mail: what follows is manners
        await client.quit()
    return SENT_EXIT


def endpoint(text: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, an IPv6 address, or `[address]:port`. Raises Unsendable."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not text.startswith("[")):
        return text.strip("[]"), SMTP_PORT
    if not (port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS and int(port) <= PORT_LIMIT):
        words = f"{text!r} is not HOST or HOST:PORT"
        raise Unsendable(words)
    return host.strip("[]"), int(port)


def by_sendmail(letter: Letter, host: str, user: str) -> int:
    """Through the local sendmail. Raises KeyError when there is no such user."""
    sender, recipients = addresses(letter, host)
    account = pwd.getpwnam(user) if os.geteuid() == 0 else None
    try:
        done = subprocess.run(
            [SENDMAIL, "-i", "-f", sender, "--", *recipients],
            input=compose(letter, host, time.time(), local=True),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            cwd="/",
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _told_failure(letter, str(error))
        return LATER_EXIT
    if done.returncode != 0:
        _told_failure(letter, f"exit status {done.returncode}: {done.stdout.decode(errors='replace')}")
        return LATER_EXIT if done.returncode == LATER_EXIT else NEVER_EXIT
    tell("info", "mail_sent", subject=letter.subject, recipients=len(recipients))
    return SENT_EXIT


def _told_failure(letter: Letter, answer: str) -> None:
    tell("error", "mail_not_sent", subject=letter.subject, error=answer[:ANSWER_SHOWN_CHARACTERS])


def _told_refused(letter: Letter, recipient: str, code: int, answer: str) -> None:
    error = f"{code} {answer}"[:ANSWER_SHOWN_CHARACTERS]
    tell("error", "mail_recipient_refused", subject=letter.subject, recipient=recipient, error=error)


if __name__ == "__main__":
    sys.exit(main())
