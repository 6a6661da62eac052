"""Redis probes against servers of the test's own, whose words were seen of Redis 7.0."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import Credentials, RedisCheck, Tls, TlsMode
from config.secret import Secret
from tests.unit.checkers import servers
from tests.unit.checkers.servers import closed_port, outcome, server_context, serving

PASSWORD = "open sesame"
LOGIN = Credentials("monitor", Secret(PASSWORD))
ALONE = Credentials("", Secret(PASSWORD))
MASTER = b"*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n9001\r\n$7\r\n3129242\r\n"
REPLICA = b"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:9000\r\n$9\r\nconnected\r\n:3167038\r\n"
PING, ROLE, QUIT = b"*1\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nROLE\r\n", b"*1\r\n$4\r\nQUIT\r\n"
AUTH = b"*3\r\n$4\r\nAUTH\r\n$7\r\nmonitor\r\n$11\r\nopen sesame\r\n"


async def asked(check: RedisCheck, *steps: bytes) -> tuple[Outcome, list[bytes]]:
    handler, heard = servers.turns(*steps)
    async with serving(handler) as port:
        found = await outcome(check, port)
    return found, heard


async def test_a_pong_is_enough_and_the_goodbye_is_said() -> None:
    found, heard = await asked(RedisCheck(), b"+PONG\r\n")
    assert found == Healthy("PONG")
    assert heard == [PING, QUIT]


async def test_a_login_comes_first() -> None:
    found, heard = await asked(RedisCheck(credentials=LOGIN), b"+OK\r\n", b"+PONG\r\n")
    assert found == Healthy("PONG")
    assert heard == [AUTH, PING, QUIT]


async def test_a_password_alone_has_no_login() -> None:
    _, heard = await asked(RedisCheck(credentials=ALONE), b"+OK\r\n", b"+PONG\r\n")
    assert heard[0] == b"*2\r\n$4\r\nAUTH\r\n$11\r\nopen sesame\r\n"


async def test_no_password_adds_a_command() -> None:
    nasty = "x\r\n*1\r\n$8\r\nFLUSHALL\r\n"
    _, heard = await asked(RedisCheck(credentials=Credentials("", Secret(nasty))), b"+OK\r\n", b"+PONG\r\n")
    assert heard[0] == b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(nasty), nasty.encode())


@pytest.mark.parametrize(("role", "answer"), [("master", MASTER), ("slave", REPLICA)])
async def test_the_role_asked_for(role: str, answer: bytes) -> None:
    found, heard = await asked(RedisCheck(role=role), b"+PONG\r\n", answer)
    assert found == Healthy(f"PONG, {role}")
    assert heard == [PING, ROLE, QUIT]


async def test_another_role_is_not_ready() -> None:
    found, _ = await asked(RedisCheck(role="master"), b"+PONG\r\n", REPLICA)
    assert found == Unhealthy(Reason.NOT_READY, "its role is slave")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"LOADING Redis is loading the dataset in memory", Reason.NOT_READY),
        (b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Reason.NOT_READY),
        (b"NOAUTH Authentication required.", Reason.LOGIN_REFUSED),
        (b"NOPERM this user has no permissions to run the 'ping' command", Reason.LOGIN_REFUSED),
        (b"ERR max number of clients reached", Reason.ERROR_REPLY),
        (b"BUSY Redis is busy running a script.", Reason.ERROR_REPLY),
    ],
)
async def test_an_error_is_told_in_its_words(words: bytes, reason: Reason) -> None:
    found, _ = await asked(RedisCheck(), b"-" + words + b"\r\n")
    assert found == Unhealthy(reason, words.decode())


async def test_the_long_words_of_protected_mode_are_read_and_cut() -> None:
    words = b"DENIED Redis is running in protected mode because " + b"x" * 900
    found, _ = await asked(RedisCheck(), b"-" + words + b"\r\n")
    assert isinstance(found, Unhealthy)
    assert (found.reason, len(found.detail)) == (Reason.ERROR_REPLY, 200)


@pytest.mark.parametrize("words", ["WRONGPASS invalid username-password pair", "ERR invalid password"])
async def test_a_refused_login(words: str) -> None:
    found, heard = await asked(RedisCheck(credentials=LOGIN), f"-{words}\r\n".encode())
    assert found == Unhealthy(Reason.LOGIN_REFUSED, words)
    assert PING not in heard


async def test_a_server_that_loads_is_not_ready_whatever_it_says_of_the_login() -> None:
    found, _ = await asked(RedisCheck(credentials=LOGIN), b"-LOADING soon\r\n")
    assert found == Unhealthy(Reason.NOT_READY, "LOADING soon")


async def test_a_password_that_is_repeated_is_not_shown() -> None:
    found, _ = await asked(RedisCheck(credentials=LOGIN), f"-ERR not {PASSWORD}!\r\n".encode())
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "(not shown: the answer repeats the password)")


@pytest.mark.parametrize("answer", [b":1\r\n", b"$4\r\nPONG\r\n", b"\r\n", b"+OK\r\n", b"HTTP/1.1 400 Bad\r\n"])
async def test_another_answer_than_pong_is_garbled(answer: bytes) -> None:
    found, _ = await asked(RedisCheck(), answer)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"+master\r\n", Reason.GARBLED),
        (b"*0\r\n", Reason.GARBLED),
        (b"*-1\r\n", Reason.GARBLED),
        (b"*99999999999999999999\r\n", Reason.GARBLED),
        (b"*3\r\n:5\r\n", Reason.GARBLED),
        (b"*3\r\n$-1\r\n", Reason.GARBLED),
        (b"*3\r\n$513\r\n", Reason.TOO_LARGE),
        (b"-NOPERM no\r\n", Reason.LOGIN_REFUSED),
        (b"-ERR unknown command 'ROLE'\r\n", Reason.QUERY_FAILED),
    ],
)
async def test_another_answer_than_a_role(answer: bytes, reason: Reason) -> None:
    found, _ = await asked(RedisCheck(role="master"), b"+PONG\r\n", answer)
    assert isinstance(found, Unhealthy)
    assert found.reason is reason


async def test_tls_from_the_first_byte() -> None:
    handler, heard = servers.turns(b"+PONG\r\n")
    async with serving(handler, server_context()) as port:
        assert await outcome(RedisCheck(TlsMode.IMPLICIT, Tls()), port) == Healthy("PONG")
    assert heard[0] == PING


async def test_a_string_whose_end_never_comes_is_told_at_the_timeout() -> None:
    handler, _ = servers.turns(b"+PONG\r\n", b"*1\r\n$6\r\nmas")
    async with serving(handler) as port:
        found = await outcome(RedisCheck(role="master"), port, 0.2)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.REPLY_TIMEOUT


async def test_credentials_that_no_server_takes_are_nobodys_fault() -> None:
    check = RedisCheck(credentials=Credentials("", Secret("p" * 5000)))
    assert isinstance(await outcome(check, closed_port()), Inconclusive)


async def test_answers_that_come_in_pieces() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for whole in (b"+PONG\r\n", MASTER):
            await reader.read(65536)
            for byte in whole:
                writer.write(bytes((byte,)))
                await writer.drain()
        await reader.read(65536)

    async with serving(slowly) as port:
        assert await outcome(RedisCheck(role="master"), port) == Healthy("PONG, master")
