"""FTP and NNTP: what is said, what is heard, over one connection and over two."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.ftp import BODY_LIMIT_BYTES, COURTESY_BYTES
from checkers.probes.ftp_control import Reply, port_of
from config.checks import Credentials, Expect, FtpCheck, NntpCheck
from config.secret import Secret
from tests.unit.checkers.servers import Handler, closed_port, outcome, script, serving

ANONYMOUS = Credentials("anonymous", Secret("lvsd@example.net"))
FILE = FtpCheck(ANONYMOUS, "pub/check", Expect(text="ldirectord"))


class Ftp:
    """A server that knows what a check asks; each test breaks one thing."""

    def __init__(self, body: bytes = b"ldirectord\n", **answers: bytes) -> None:
        self.body = body
        self.answers = {
            "greeting": b"220-Welcome\r\n to us\r\n220 ready\r\n",
            "USER": b"331 password?\r\n",
            "PASS": b"230 in\r\n",
            "TYPE": b"200 binary\r\n",
            "PASV": b"",
            "EPSV": b"",
            "RETR": b"150 here it comes\r\n",
            "end": b"226 done\r\n",
            "QUIT": b"221 bye\r\n",
            **answers,
        }
        self.heard: list[str] = []
        self.data_port = 0
        self.fetched = asyncio.Event()

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.answers["greeting"])
        while line := (await reader.readline()).decode().rstrip():
            self.heard.append(line)
            verb = line.split()[0]
            writer.write(self.answers[verb] or self._passive(verb))
            if verb == "RETR" and self.answers[verb].startswith(b"150"):
                self.fetched.set()
                writer.write(self.answers["end"])
            if verb == "QUIT":
                return

    def _passive(self, verb: str) -> bytes:
        if verb == "EPSV":
            return f"229 Extended (|||{self.data_port}|)\r\n".encode()
        return f"227 Passive (10,99,99,99,{self.data_port // 256},{self.data_port % 256}).\r\n".encode()

    async def data(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.fetched.wait()
        writer.write(self.body)
        await writer.drain()

    async def find(self, check: FtpCheck, timeout: float = 5.0) -> Outcome:
        async with serving(self.data) as self.data_port, serving(self.control) as port:
            return await outcome(check, port, timeout)


async def test_a_login_and_a_goodbye() -> None:
    server = Ftp()
    assert await server.find(FtpCheck(ANONYMOUS)) == Healthy("220 ready")
    assert server.heard == ["USER anonymous", "PASS lvsd@example.net", "QUIT"]


async def test_a_login_without_a_password() -> None:
    server = Ftp(USER=b"230 come in\r\n")
    assert await server.find(FtpCheck(ANONYMOUS)) == Healthy("220 ready")
    assert server.heard == ["USER anonymous", "QUIT"]


async def test_a_file_is_read() -> None:
    server = Ftp()
    assert await server.find(FILE) == Healthy("226 done")
    assert server.heard[2:] == ["TYPE I", "EPSV", "RETR pub/check", "QUIT"]


@pytest.mark.parametrize("code", [b"500", b"502", b"522"])
async def test_an_old_server_is_asked_for_pasv_and_its_address_ignored(code: bytes) -> None:
    server = Ftp(EPSV=code + b" what?\r\n")
    assert await server.find(FILE) == Healthy("226 done")
    assert server.heard[3:5] == ["EPSV", "PASV"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"greeting": b"421 too many\r\n"}, Unhealthy(Reason.ERROR_REPLY, "421 too many")),
        ({"greeting": b"120 soon\r\n"}, Unhealthy(Reason.ERROR_REPLY, "120 soon")),
        ({"greeting": b"SSH-2.0\r\n"}, Unhealthy(Reason.GARBLED, "SSH-2.0")),
        ({"greeting": b"220- \r\n" * 600}, Unhealthy(Reason.TOO_LARGE, "a reply of more than 500 lines")),
        ({"USER": b"530 no\r\n"}, Unhealthy(Reason.LOGIN_REFUSED, "530 no")),
        ({"PASS": b"530 no\r\n"}, Unhealthy(Reason.LOGIN_REFUSED, "530 no")),
        ({"PASS": b"332 account?\r\n"}, Unhealthy(Reason.LOGIN_REFUSED, "332 account?")),
        ({"PASS": b"421 full\r\n"}, Unhealthy(Reason.ERROR_REPLY, "421 full")),
        ({"TYPE": b"504 no\r\n"}, Unhealthy(Reason.STATUS, "504 no")),
        ({"EPSV": b"229 (|||0|)\r\n"}, Unhealthy(Reason.GARBLED, "229 (|||0|)")),
        ({"EPSV": b"425 cannot\r\n"}, Unhealthy(Reason.STATUS, "425 cannot")),
        ({"RETR": b"550 no such file\r\n"}, Unhealthy(Reason.STATUS, "550 no such file")),
        ({"end": b"426 broken\r\n"}, Unhealthy(Reason.STATUS, "426 broken")),
    ],
)
async def test_what_is_answered_otherwise(answers: dict[str, bytes], expected: Outcome) -> None:
    server = Ftp(**answers)
    assert await server.find(FILE) == expected


async def test_a_file_without_the_expected() -> None:
    assert await Ftp(b"other").find(FILE) == Unhealthy(Reason.NO_MATCH, "226 done, without the expected")


async def test_a_file_without_end_is_read_to_the_limit() -> None:
    check = FtpCheck(ANONYMOUS, "big")
    server = Ftp(b"x" * (COURTESY_BYTES * 40))
    assert await server.find(check) == Healthy("the file's beginning was read")
    found = await Ftp(b"x" * (BODY_LIMIT_BYTES * 3)).find(FILE)
    assert found == Unhealthy(Reason.TOO_LARGE, "the expected was not found in as much as a check reads")


async def test_a_data_port_that_nobody_answers_is_named() -> None:
    port = closed_port()
    found = await Ftp(EPSV=f"229 (|||{port}|)\r\n".encode()).find(FILE)
    assert found == Unhealthy(Reason.REFUSED, f"data connection to port {port}: Connection refused")


async def test_a_file_that_never_comes_ends_at_the_timeout() -> None:
    server = Ftp(RETR=b"125 soon\r\n")
    found = await server.find(FILE, 0.3)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.REPLY_TIMEOUT


@pytest.mark.parametrize("path", ["a\r\nDELE b", "a\x00"])
async def test_a_path_is_never_a_command(path: str) -> None:
    server = Ftp()
    assert isinstance(await server.find(FtpCheck(ANONYMOUS, path)), Inconclusive)
    assert server.heard[-1] == "QUIT"


@pytest.mark.parametrize(
    ("code", "words", "port"),
    [
        (229, b"229 ok (|||6446|)", 6446),
        (229, b"229 ok (!!!6446!)", 6446),
        (229, b"229 ok (|||99999|)", None),
        (229, b"229 ok (||6446|)", None),
        (227, b"227 ok (192,0,2,1,10,1)", 2561),
        (227, b"227 ok 192,0,2,1,10,1", 2561),
        (227, b"227 ok (192,0,2,1,999,1)", None),
        (227, b"227 ok", None),
        (200, b"200 (|||6446|)", None),
    ],
)
def test_the_port_of_a_passive_reply(code: int, words: bytes, port: int | None) -> None:
    assert port_of(Reply(code, words)) == port


@pytest.mark.parametrize("greeting", [b"200 posting\r\n", b"201 no posting\r\n"])
async def test_news_greets_and_is_left_politely(greeting: bytes) -> None:
    handler, heard = script(greeting)
    async with serving(handler) as port:
        assert await outcome(NntpCheck(), port) == Healthy(greeting.decode().rstrip())
    assert heard == [b"QUIT"]


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"400 later\r\n", Reason.ERROR_REPLY), (b"502 no\r\n", Reason.ERROR_REPLY), (b"220 ftp\r\n", Reason.GARBLED)],
)
async def test_news_that_is_not_ready(greeting: bytes, reason: Reason) -> None:
    handler: Handler
    handler, _ = script(greeting)
    async with serving(handler) as port:
        assert await outcome(NntpCheck(), port) == Unhealthy(reason, greeting.decode().rstrip())
