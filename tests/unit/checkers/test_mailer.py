"""Mails: what is composed, and the mailer as a process against mail servers, good ones and hostile ones."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from checkers.core.letter import Garbled, Letter, decode, encode
from checkers.runtime import mailer
from checkers.runtime.composition import Unsendable, addresses, compose
from checkers.runtime.mailer import endpoint
from tests.unit.checkers.servers import HOST, serving

LETTER = Letter(("root@example.net", "ops@example.net"), "Deleted real server: 192.0.2.1:80", "It is gone.\n")


def parsed(letter: Letter, *, local: bool = False) -> email.message.EmailMessage:
    text = compose(letter, "lb1.example.net", 0.0, local=local)
    return email.message_from_bytes(text, policy=email.policy.default)


def test_a_mail_has_what_a_mail_needs() -> None:
    mail = parsed(LETTER)
    assert mail["From"] == "lvsd@lb1.example.net"
    assert mail["To"] == "root@example.net, ops@example.net"
    assert mail["Subject"] == LETTER.subject
    assert mail["Date"].datetime.timestamp() == 0
    assert mail["Message-ID"].endswith("@lb1.example.net>")
    assert mail["Message-ID"] != parsed(LETTER)["Message-ID"]
    assert mail.get_content().splitlines() == ["It is gone."]


def test_lines_end_as_their_taker_wants() -> None:
    assert b"\n" not in compose(LETTER, "lb1", 0.0, local=False).replace(b"\r\n", b"")
    assert b"\r" not in compose(LETTER, "lb1", 0.0, local=True)


@pytest.mark.parametrize(
    "forged", ["x\nBcc: evil@example.net", "x\r\nBcc: evil@example.net", "x\rBcc: e", "x\x0bBcc: e"]
)
def test_no_subject_adds_a_header(forged: str) -> None:
    for text in (msgspec.structs.replace(LETTER, subject=forged), msgspec.structs.replace(LETTER, body=forged)):
        mail = parsed(text)
        assert mail["Bcc"] is None
        assert len(mail.items()) == len(parsed(LETTER).items())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "-oQ/tmp@example.net",
        "a b@example.net",
        "a@example.net>\r\nRCPT TO:<b@c",
        "a@b\n",
        "a@b,c@d",
        "<a@b>",
        "ä@b.de",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Unsendable):
        addresses(msgspec.structs.replace(LETTER, to=(address,)), "lb1")
    if address:
        with pytest.raises(Unsendable):
            addresses(msgspec.structs.replace(LETTER, sender=address), "lb1")


def test_any_text_travels() -> None:
    body = "größer 漢字\n.\n" + "x" * 2000 + "\n\0\x1b[31m"
    mail = parsed(msgspec.structs.replace(LETTER, subject="größer", body=body))
    assert mail["Subject"] == "größer"
    assert mail.get_content().splitlines()[:3] == ["größer 漢字", ".", "x" * 2000]
    assert "\x1b" not in mail.get_content()
    wire = compose(msgspec.structs.replace(LETTER, body=body), "lb1", 0.0, local=False)
    assert wire.isascii()
    assert max(map(len, wire.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx", ("mx", 25)),
        ("mx:587", ("mx", 587)),
        ("192.0.2.1:2525", ("192.0.2.1", 2525)),
        ("2001:db8::1", ("2001:db8::1", 25)),
        ("[2001:db8::1]", ("2001:db8::1", 25)),
        ("[2001:db8::1]:2525", ("2001:db8::1", 2525)),
    ],
)
def test_where_the_server_is(text: str, expected: tuple[str, int]) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize("text", ["mx:", "mx:smtp", "mx:-1", "[::1]:x", "mx:²", "mx:65536", "mx:" + "9" * 5000])
async def test_no_place_of_a_server(text: str) -> None:
    with pytest.raises(Unsendable):
        endpoint(text)
    status, told = await run(msgspec.structs.replace(LETTER, smtp=text))
    assert (status, "mail_refused" in told, len(told.splitlines())) == (69, True, 1)


def test_a_letter_that_is_none() -> None:
    assert decode(encode(LETTER)) == LETTER
    for wrong in (b"", b"{}", b"\xff", b"[" * 100000, b" " * 200000):
        with pytest.raises(Garbled):
            decode(wrong)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A mail server: what it answers to each verb, and what it was told."""

    def __init__(self, **answers: str) -> None:
        self.answers = {
            "EHLO": "250-mx\r\n250-STARTTLS\r\n250 8BITMIME",
            "MAIL": "250 ok",
            "RCPT": "250 ok",
            "DATA": "354 go",
            ".": "250 taken",
            "QUIT": "221 bye",
            **answers,
        }
        self.heard: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.answers.get('BANNER', '220 mx')}\r\n".encode())
        data = False
        while line := (await reader.readline()).decode():
            self.heard.append(line.rstrip("\r\n"))
            if data and line != ".\r\n":
                continue
            verb = line.split()[0].upper()
            words = self.answers[line.strip()] if line.strip() in self.answers else self.answers.get(verb, "250 ok")
            data = words.startswith("354")
            writer.write(f"{words}\r\n".encode())
            await writer.drain()
            if words.startswith(("221", "421")):
                return


async def send(serve: Script, letter: Letter = LETTER, *arguments: str) -> tuple[int, str]:
    """The mailer as a process: its status and what it told."""
    async with serving(serve) as port:
        return await run(msgspec.structs.replace(letter, smtp=f"{HOST}:{port}"), *arguments)


async def run(letter: Letter, *arguments: str) -> tuple[int, str]:
    command = (*(arguments or ("-m", "checkers.runtime.mailer")), "--user", "nobody")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            _, told = await process.communicate(encode(letter))
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, told.decode()


# The same with a shorter timeout.
IMPATIENT = """
import sys
from checkers.runtime import mailer
mailer.TIMEOUT_SECONDS = 0.5
sys.exit(mailer.main())
"""


async def test_a_mail_is_sent_to_each_recipient() -> None:
    server = Server()
    status, told = await send(server.serve)
    assert (status, "mail_sent" in told) == (0, True), told
    host = socket.gethostname()
    assert server.heard[0].split() == ["EHLO", host]
    assert server.heard[1].startswith(f"MAIL FROM:<lvsd@{host}>")
    assert server.heard[2:5] == ["RCPT TO:<root@example.net>", "RCPT TO:<ops@example.net>", "DATA"]
    assert f"Subject: {LETTER.subject}" in server.heard
    assert server.heard[-3:] == ["It is gone.", ".", "QUIT"]


async def test_a_dot_alone_does_not_end_the_mail() -> None:
    server = Server()
    status, told = await send(server.serve, msgspec.structs.replace(LETTER, body="a\n.\nRSET\nb"))
    assert status == 0, told
    assert ".." in server.heard


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({"BANNER": "421 busy"}, 75),
        ({"BANNER": "554 go away"}, 69),
        ({"MAIL": "451 later"}, 75),
        ({"MAIL": "550 never"}, 69),
        ({"RCPT": "450 greylisted"}, 75),
        ({"RCPT": "550 unknown"}, 69),
        ({"DATA": "451 later"}, 75),
        ({".": "552 too large"}, 69),
        ({"RCPT TO:<ops@example.net>": "550 unknown"}, 0),
        ({"QUIT": "421 gone"}, 0),
    ],
)
async def test_what_the_server_says_decides_whether_to_try_again(answers: dict[str, str], status: int) -> None:
    assert (await send(Server(**answers).serve))[0] == status


async def test_a_partly_refused_mail_names_who_did_not_get_it() -> None:
    _, told = await send(Server(**{"RCPT TO:<ops@example.net>": "550 unknown"}).serve)
    assert "mail_recipient_refused" in told
    assert "recipient=ops@example.net" in told
    assert "recipients=1" in told


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-more\r\n" * 1000)
        await writer.drain()


async def long_line(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"2" * 65536)
        await writer.drain()


async def forging(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"421 no\x1b[31m \xff\xfe error forged=1\r\n")
    await writer.drain()


@pytest.mark.parametrize("server", [silent, endless, long_line, forging])
async def test_a_hostile_server_gains_nothing(server: Script) -> None:
    status, told = await send(server, LETTER, "-c", IMPATIENT)
    assert status == mailer.LATER_EXIT, told
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told


async def test_nobody_there() -> None:
    status, told = await run(msgspec.structs.replace(LETTER, smtp=f"{HOST}:1"))
    assert (status, "mail_not_sent" in told) == (75, True)


async def test_a_letter_without_a_recipient_is_told_once_and_for_all() -> None:
    status, told = await run(msgspec.structs.replace(LETTER, to=()))
    assert (status, "mail_refused" in told) == (69, True)


def mailers() -> list[str]:
    """The status of every process that is a mailer of ours."""
    ours = [Path(f"/proc/{number}") for number in children(os.getpid())]
    return [
        (one / "status").read_text() for one in ours if b"checkers.runtime.mailer" in (one / "cmdline").read_bytes()
    ]


def children(pid: int) -> list[str]:
    return [word for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
async def test_the_mailer_talks_to_servers_without_rights() -> None:
    seen: list[str] = []

    async def looking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await asyncio.to_thread(mailers))
        await Server().serve(reader, writer)

    assert (await send(looking))[0] == 0
    (status,) = seen
    fields = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines() if ":" in line}
    assert fields["CapEff"] == fields["CapPrm"] == ["0" * 16]
    assert "0" not in fields["Uid"]
    assert fields["NoNewPrivs"] == ["1"]


SENDMAIL = """#!/bin/sh
printf '%s\\n' "$@" > {directory}/arguments
id -u > {directory}/who
cat > {directory}/mail
exit {status}
"""


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that the mailer's user may enter and write to, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (75, 75), (64, 69)])
async def test_the_local_sendmail_gets_arguments_and_a_mail(open_path: Path, status: int, expected: int) -> None:
    directory = open_path
    program = directory / "sendmail"
    program.write_text(SENDMAIL.format(directory=directory, status=status))
    program.chmod(0o755)
    code = f"import sys; from checkers.runtime import mailer; mailer.SENDMAIL = '{program}'; sys.exit(mailer.main())"
    found, told = await run(msgspec.structs.replace(LETTER, sender="lb@example.net"), "-c", code)
    assert found == expected, told
    arguments = (directory / "arguments").read_text().splitlines()
    assert arguments == ["-i", "-f", "lb@example.net", "--", *LETTER.to]
    assert b"Subject: Deleted" in (directory / "mail").read_bytes()
    assert ((directory / "who").read_text() == "0\n") is False
