"""PostgreSQL: every way to log in, every way to fail, from a server of bytes; the real one is the lab's."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import struct
from base64 import b64decode, b64encode

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.scram import Refused, Scram
from config.checks import Credentials, Expect, PgsqlCheck
from config.secret import Secret
from tests.unit.checkers.servers import Handler, outcome, server_context, serving, turns

PASSWORD = "open sesame"
CHECK = PgsqlCheck(
    Credentials("monitor", Secret(PASSWORD)), "SELECT words FROM monitoring", "mail", Expect(text="well")
)


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def asks(what: int, rest: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!I", what) + rest)


def error(code: str, words: str) -> bytes:
    return message(b"E", f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode())


def row(*cells: bytes | None) -> bytes:
    told = b"".join(struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell for cell in cells)
    return message(b"D", struct.pack("!H", len(cells)) + told)


IDLE = message(b"Z", b"I")
NOTICE = message(b"N", b"SNOTICE\0\0")
IN = asks(0) + message(b"S", b"server_version\x0015\0") + message(b"K", b"12345678") + NOTICE + IDLE
BEGUN = message(b"C", b"BEGIN\0") + message(b"C", b"SET\0") + message(b"Z", b"T")
STEPS = message(b"1") + message(b"2")
DONE = message(b"C", b"SELECT 1\0") + message(b"Z", b"T") + message(b"C", b"COMMIT\0") + IDLE
GOOD = BEGUN + STEPS + row(b"1", b"all is well") + row(None, b"x") + DONE
UNKNOWN_LOGIN = Unhealthy(Reason.LOGIN_REFUSED, "no login is offered that the check knows (SCRAM-SHA-256, MD5, clear)")
STARTUP = b"\0\0\0\x55\0\3\0\0user\0monitor\0application_name\0lvsd\0client_encoding\0UTF8\0database\0mail\0\0"


async def told(*steps: bytes, check: PgsqlCheck = CHECK) -> tuple[Outcome, list[bytes]]:
    handler, heard = turns(*steps)
    async with serving(handler) as port:
        return await outcome(check, port), heard


async def test_without_a_password_being_asked() -> None:
    found, heard = await told(b"N", IN, GOOD)
    assert found == Healthy("1\\tall is well\\n\\tx")
    assert heard[0] == bytes.fromhex("00000008 04d2162f")
    assert heard[1][4:] == STARTUP[4:]
    assert struct.unpack("!I", heard[1][:4])[0] == len(heard[1])
    asked = heard[2]
    assert re.match(rb"Q\0\0\0.BEGIN; SET LOCAL statement_timeout = \d{4}\0P", asked)
    assert b"\0SELECT words FROM monitoring\0\0\0B" in asked
    assert asked.endswith(b"E\0\0\0\x09\0\0\0\0\x64S\0\0\0\4Q\0\0\0\x0bCOMMIT\0")
    assert heard[3] == b"X\0\0\0\4"


async def test_a_password_in_clear() -> None:
    found, heard = await told(b"N", asks(3), IN, GOOD)
    assert isinstance(found, Healthy)
    assert heard[2] == b"p\0\0\0\x10open sesame\0"


async def test_a_password_by_md5() -> None:
    found, heard = await told(b"N", asks(5, b"salt"), IN, GOOD)
    assert isinstance(found, Healthy)
    inner = hashlib.md5(b"open sesamemonitor", usedforsecurity=False).hexdigest().encode()
    assert (
        heard[2] == b"p\0\0\0\x28md5" + hashlib.md5(inner + b"salt", usedforsecurity=False).hexdigest().encode() + b"\0"
    )


async def scram_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str, forge: bool) -> None:
    """SCRAM-SHA-256 as PostgreSQL's server does it, from RFC 5802."""
    await reader.read(65536)
    writer.write(b"N")
    await reader.read(65536)
    writer.write(asks(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
    first = (await reader.read(65536)).partition(b"n,,")[2]
    nonce = first.partition(b"r=")[2] + b"server"
    salt = b"0123456789abcdef"
    challenge = b"r=" + nonce + b",s=" + b64encode(salt) + b",i=4096"
    writer.write(asks(11, challenge))
    final = (await reader.read(65536))[5:]
    without_proof, _, proof = final.partition(b",p=")
    whole = first + b"," + challenge + b"," + without_proof
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    signature = hmac.digest(stored, whole, "sha256")
    key = bytes(one ^ other for one, other in zip(b64decode(proof), signature, strict=True))
    if hashlib.sha256(key).digest() != stored:
        writer.write(error("28P01", "password authentication failed"))
        return
    proof = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), b"forged" if forge else whole, "sha256")
    writer.write(asks(12, b"v=" + b64encode(proof)) + IN)
    await reader.read(65536)
    writer.write(GOOD)
    await reader.read(65536)


@pytest.mark.parametrize(
    ("password", "forge", "expected"),
    [
        (PASSWORD, False, Healthy("1\\tall is well\\n\\tx")),
        ("other", False, Unhealthy(Reason.LOGIN_REFUSED, "28P01 password authentication failed")),
        (
            PASSWORD,
            True,
            Unhealthy(Reason.LOGIN_REFUSED, "the server does not prove that it knows the password"),
        ),
    ],
)
async def test_a_password_by_scram(password: str, forge: bool, expected: Outcome) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await scram_server(reader, writer, password, forge)

    async with serving(handler) as port:
        assert await outcome(CHECK, port) == expected


def test_scram_is_that_of_rfc_7677() -> None:
    scram = Scram("pencil", "rOprNGfwEbeRWgbNEkqO", "user")
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = scram.final(nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == b"c=biws," + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(Refused):
        scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=abc,s=QUJD",
        b"r=abc,i=4096",
        b"r=ab,s=QUJD,i=4096",  # no nonce of the server's
        b"r=xyzabc,s=QUJD,i=4096",  # another login's
        b"r=abc,s=QUJD,i=0",
        b"r=abc,s=QUJD,i=100001",
        b"r=abc,s=QUJD,i=-1",
        b"r=abc,s=QUJD,i=x",
        b"r=abc,s=,i=4096",
        b"r=abc,s=%%%,i=4096",
        b"r=abc,s=QUJD,i=\xb2",
    ],
)
def test_a_challenge_that_makes_no_sense_is_refused(challenge: bytes) -> None:
    with pytest.raises(Refused):
        Scram("x", "ab").final(challenge)


def test_a_proof_before_the_challenge_is_refused() -> None:
    with pytest.raises(Refused):
        Scram("x", "ab").verify(b"v=")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error("28P01", "wrong"), Unhealthy(Reason.LOGIN_REFUSED, "28P01 wrong")),
        (error("3D000", "no database"), Unhealthy(Reason.LOGIN_REFUSED, "3D000 no database")),
        (error("53300", "too many"), Unhealthy(Reason.ERROR_REPLY, "53300 too many")),
        (error("57P03", "starting up"), Unhealthy(Reason.ERROR_REPLY, "57P03 starting up")),
        (error("08P01", "odd"), Unhealthy(Reason.ERROR_REPLY, "08P01 odd")),
        (message(b"E"), Unhealthy(Reason.ERROR_REPLY, "")),
        (
            error("28P01", f"{PASSWORD}?"),
            Unhealthy(Reason.LOGIN_REFUSED, "(not shown: the answer repeats the password)"),
        ),
        (asks(7), UNKNOWN_LOGIN),
        (asks(10, b"X\0\0"), UNKNOWN_LOGIN),
        (asks(5, b"sal"), UNKNOWN_LOGIN),
        (message(b"R"), Unhealthy(Reason.GARBLED, "a body of less than four bytes")),
        (IDLE, Unhealthy(Reason.GARBLED, "not a login of PostgreSQL's")),
        (b"R\0\0\0\3", Unhealthy(Reason.GARBLED, "not a PostgreSQL message")),
        (b"R\x7f\xff\xff\xff", Unhealthy(Reason.TOO_LARGE, "a message of 2147483643 bytes")),
        (b"HTTP/1.1 400", Unhealthy(Reason.TOO_LARGE, "a message of 1414811691 bytes")),
        (b"\x16\3", Unhealthy(Reason.GARBLED, "not a PostgreSQL message")),
    ],
)
async def test_a_login_that_is_answered_otherwise(answer: bytes, expected: Outcome) -> None:
    found, _ = await told(b"N", answer)
    assert found == expected


FAILED = message(b"Z", b"E") + message(b"C", b"ROLLBACK\0") + IDLE


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (STEPS + DONE, Unhealthy(Reason.NO_ROW, "the query gave no row")),
        (STEPS + row(b"ill") + DONE, Unhealthy(Reason.NO_MATCH, "ill")),
        (error("42P01", "no such table") + FAILED, Unhealthy(Reason.QUERY_FAILED, "42P01 no such table")),
        (error("57014", "timeout") + FAILED, Unhealthy(Reason.REPLY_TIMEOUT, "57014 timeout")),
        (error("57P01", "shutting down"), Unhealthy(Reason.ERROR_REPLY, "57P01 shutting down")),
        (message(b"G", b"\0\0\0"), Unhealthy(Reason.GARBLED, "an answer that nobody asked for")),
        (message(b"D"), Unhealthy(Reason.GARBLED, "a row without its count")),
        (message(b"D", b"\0\2\0\0\0\0"), Unhealthy(Reason.GARBLED, "a row is cut off")),
        (message(b"D", b"\0\1\0\0\0\2x"), Unhealthy(Reason.GARBLED, "a cell of 2 bytes")),
        (message(b"D", b"\0\1\xff\xff\xff\xfe"), Unhealthy(Reason.GARBLED, "a cell of -2 bytes")),
        (message(b"D", b"\xff\xff"), Unhealthy(Reason.GARBLED, "a row of 65535 cells")),
        (NOTICE * 5000, Unhealthy(Reason.TOO_LARGE, "more than 4096 messages")),
    ],
)
async def test_a_query_that_is_answered_otherwise(answer: bytes, expected: Outcome) -> None:
    found, _ = await told(b"N", IN, BEGUN + answer)
    assert found == expected


async def test_more_rows_than_are_asked_for_stay_with_the_server() -> None:
    found, _ = await told(b"N", IN, BEGUN + STEPS + row(b"well") * 100 + message(b"s") + message(b"Z", b"T") + IDLE)
    assert isinstance(found, Healthy)


async def test_tls_is_taken_where_it_is_offered() -> None:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"S" + error("28000", "forged"))
        await writer.start_tls(server_context())
        for step in (asks(3), IN, GOOD):
            heard.append(await reader.read(65536))
            writer.write(step)
        heard.append(await reader.read(65536))

    async with serving(handler) as port:
        found = await outcome(CHECK, port)
    assert found == Healthy("1\\tall is well\\n\\tx")
    assert heard[1].startswith(b"p")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"E", Unhealthy(Reason.ERROR_REPLY, "the server takes no connection")),
        (b"5", Unhealthy(Reason.GARBLED, "not a PostgreSQL answer")),
    ],
)
async def test_the_first_byte_decides(answer: bytes, expected: Outcome) -> None:
    assert (await told(answer))[0] == expected


async def test_nothing_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSFILE", "PGSERVICE", "PGSSLMODE", "PGOPTIONS"):
        monkeypatch.setenv(name, "elsewhere")
    found, heard = await told(b"N", IN, GOOD, check=PgsqlCheck(Credentials("monitor", Secret(PASSWORD))))
    assert isinstance(found, Healthy)
    assert b"database" not in heard[1]
    assert b"elsewhere" not in b"".join(heard)


async def test_a_zero_byte_is_our_own_fault() -> None:
    handler: Handler
    handler, heard = turns()
    async with serving(handler) as port:
        found = await outcome(PgsqlCheck(Credentials("a\0user\0b", Secret("x"))), port)
    assert isinstance(found, Inconclusive)
    assert heard == []
