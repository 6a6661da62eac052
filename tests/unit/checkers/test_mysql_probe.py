"""The MySQL probe against a real MariaDB (a Galera node), and against servers that only pretend."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from checkers.probes.attempt import Finding, attempt
from checkers.probes.mysql_connection import COM_QUIT
from config.checks import Credentials, Expect, Galera, MysqlCheck, Timing
from config.secret import Secret
from tests.unit.checkers import mariadb
from tests.unit.checkers.servers import HOST, Handler, outcome, serving

LOGIN = Credentials("monitor", Secret(mariadb.PASSWORD))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    if lacking := mariadb.missing():
        pytest.skip(f"not on this machine: {lacking}")
    started = mariadb.Server(tmp_path_factory.mktemp("mariadb"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


def unhealthy(found: Outcome) -> Unhealthy:
    assert isinstance(found, Unhealthy)
    return found


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (MysqlCheck(LOGIN), Healthy("1")),
        (MysqlCheck(LOGIN, "SELECT * FROM monitoring.monitoring"), Healthy("1\\tall is well\\n2")),
        (MysqlCheck(LOGIN, "SELECT id FROM monitoring", "monitoring"), Healthy("1\\n2")),
        (MysqlCheck(LOGIN, "SELECT * FROM monitoring.nothing"), Unhealthy(Reason.NO_ROW, "the query gave no row")),
        (MysqlCheck(LOGIN, "SET @a = 1"), Unhealthy(Reason.NO_ROW, "the query gave no row")),
        (
            MysqlCheck(LOGIN, "SELECT words FROM monitoring.monitoring", expect=Expect("is well")),
            Healthy("all is well"),
        ),
        (
            MysqlCheck(LOGIN, "SELECT 'a', 2.5, NOW() > 0", expect=Expect(regex=r"^a\t2\.5\t1$")),
            Healthy("a\\t2.5\\t1"),
        ),
        (MysqlCheck(LOGIN, "SELECT 'bad'", expect=Expect("good")), Unhealthy(Reason.NO_MATCH, "bad")),
        (MysqlCheck(LOGIN, "SELECT 1; SELECT 2"), Healthy("1")),
    ],
)
async def test_a_query_is_judged_by_its_rows(server: mariadb.Server, check: MysqlCheck, expected: Outcome) -> None:
    before = server.aborted()
    assert await outcome(check, server.port) == expected
    assert server.aborted() == before


async def test_a_refused_query_has_the_servers_words(server: mariadb.Server) -> None:
    before = server.aborted()
    found = unhealthy(await outcome(MysqlCheck(LOGIN, "SELECT * FROM monitoring.gone"), server.port))
    assert found.reason is Reason.QUERY_FAILED
    assert found.detail.startswith("1142 SELECT command denied") or "doesn't exist" in found.detail
    assert server.aborted() == before


@pytest.mark.parametrize(
    "check",
    [
        MysqlCheck(Credentials("monitor", Secret("wrong"))),
        MysqlCheck(Credentials("nobody", Secret("wrong"))),
        MysqlCheck(LOGIN, database="mysql"),
    ],
)
async def test_a_refused_login_is_named_without_the_password(server: mariadb.Server, check: MysqlCheck) -> None:
    found = unhealthy(await outcome(check, server.port))
    assert found.reason is Reason.LOGIN_REFUSED
    assert "denied" in found.detail
    assert "wrong" not in found.detail


@pytest.mark.parametrize("query", ["SELECT SLEEP(60)", "SELECT BENCHMARK(100000000000, MD5('x'))"])
async def test_a_query_that_takes_too_long_is_left_politely(server: mariadb.Server, query: str) -> None:
    before = server.aborted()
    found = unhealthy(await outcome(MysqlCheck(LOGIN, query), server.port, 0.5))
    assert found.reason is Reason.REPLY_TIMEOUT
    assert server.aborted() == before  # it also waits until the server has ended the query


async def test_a_query_that_waits_for_a_lock_is_left_politely(server: mariadb.Server) -> None:
    before = server.aborted()
    locker = asyncio.create_task(
        asyncio.to_thread(server.sql, "LOCK TABLES monitoring.monitoring WRITE; SELECT SLEEP(4)")
    )
    await asyncio.to_thread(
        server.wait_for, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(4)%'", "1"
    )
    check = MysqlCheck(LOGIN, "SELECT * FROM monitoring.monitoring")
    found = unhealthy(await outcome(check, server.port, 0.4))
    assert found.reason is Reason.REPLY_TIMEOUT
    await locker
    assert server.aborted() == before


async def test_a_cancelled_check_is_left_politely(server: mariadb.Server) -> None:
    before = server.aborted()
    check = AssignedCheck("id", Target(HOST, server.port), MysqlCheck(LOGIN, "SELECT SLEEP(3)"), Timing(timeout=20))
    findings: list[Finding] = []
    task = asyncio.create_task(attempt(check, findings.append))
    await asyncio.to_thread(
        server.wait_for, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(3)%'", "1"
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert findings == []
    assert await asyncio.to_thread(server.aborted) == before


async def test_a_large_table_is_not_read(server: mariadb.Server) -> None:
    before = server.aborted()
    found = await outcome(MysqlCheck(LOGIN, "SELECT * FROM monitoring.much"), server.port)
    assert isinstance(found, Healthy)
    assert server.aborted() == before


async def test_a_row_beyond_the_allowance_is_too_large(server: mariadb.Server) -> None:
    found = unhealthy(await outcome(MysqlCheck(LOGIN, "SELECT REPEAT('x', 2000000)"), server.port))
    assert found.reason is Reason.TOO_LARGE


async def test_a_server_without_room_says_so(server: mariadb.Server) -> None:
    server.sql("SET GLOBAL max_connections = 10; SET GLOBAL extra_max_connections = 1")
    held: list[socket.socket] = []
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(12):
                held.append(stack.enter_context(socket.create_connection((HOST, server.port))))
                held[-1].recv(1024)
            found = unhealthy(await outcome(MysqlCheck(LOGIN), server.port))
    finally:
        with contextlib.suppress(subprocess.SubprocessError):  # what is told is what failed before
            await asyncio.to_thread(server.sql, "SET GLOBAL max_connections = 151")
    assert found.reason is Reason.ERROR_REPLY
    assert found.detail == "1040 Too many connections"


SYNCED = MysqlCheck(LOGIN, galera=Galera.SYNCED)
READY = MysqlCheck(LOGIN, galera=Galera.READY)


async def test_a_synced_node_is_healthy(server: mariadb.Server) -> None:
    before = server.aborted()
    assert await outcome(SYNCED, server.port) == Healthy("1")
    assert await outcome(READY, server.port) == Healthy("1")
    assert server.aborted() == before


async def test_a_donor_is_ready_but_not_synced(server: mariadb.Server) -> None:
    before = server.aborted()
    server.sql("SET GLOBAL wsrep_desync = ON")
    try:
        assert await outcome(READY, server.port) == Healthy("1")
        found = unhealthy(await outcome(SYNCED, server.port))
    finally:
        server.sql("SET GLOBAL wsrep_desync = OFF")
    assert found.reason is Reason.NOT_READY
    assert "wsrep_local_state_comment=Donor/Desynced" in found.detail
    await asyncio.to_thread(server.wait_for, "SHOW GLOBAL STATUS LIKE 'wsrep_local_state'", "wsrep_local_state\t4")
    assert server.aborted() == before


async def test_a_node_without_a_primary_component_is_not_ready(server: mariadb.Server) -> None:
    before = server.aborted()
    await asyncio.to_thread(server.sql, "SET GLOBAL wsrep_cluster_address = 'gcomm://127.0.0.1:1'")
    try:
        found = unhealthy(await outcome(READY, server.port))
        plain = unhealthy(await outcome(MysqlCheck(LOGIN, "SELECT * FROM monitoring.monitoring"), server.port))
    finally:
        await asyncio.to_thread(server.sql, "SET GLOBAL wsrep_cluster_address = 'gcomm://'")
    assert found.reason is Reason.NOT_READY
    assert "wsrep_ready=OFF" in found.detail
    assert plain.reason is Reason.NOT_READY
    assert plain.detail.startswith("1047 WSREP has not yet prepared")
    await asyncio.to_thread(server.wait_for, "SHOW GLOBAL STATUS LIKE 'wsrep_ready'", "wsrep_ready\tON")
    assert server.aborted() == before


GREETING = (
    b"\x0a5.5.5-10.11-MariaDB\0" + struct.pack("<I", 7) + b"12345678\0" + struct.pack("<H", 0xF7FF) + b"\x2d"
    b"\x02\0" + struct.pack("<H", 0x0008) + b"\x15" + b"\0" * 10 + b"123456789012\0mysql_native_password\0"
)


def packet(sequence: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload


def pretending(*answers: bytes) -> tuple[Handler, list[bytes]]:
    """A server that greets, and answers each packet with the next answer; and what it heard."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, GREETING))
        for answer in answers:
            heard.append(await reader.read(4096))
            writer.write(answer)
        while data := await reader.read(4096):
            heard.append(data)
            if data.endswith(COM_QUIT):
                return

    return handler, heard


OK = b"\0\0\0\2\0\0\0"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((packet(2, b"\xfemysql_clear_password\0"),), Reason.LOGIN_REFUSED),
        ((packet(2, b"\xfemysql_old_password\0abc"),), Reason.LOGIN_REFUSED),
        ((packet(2, OK), packet(1, OK), packet(1, b"\xfb/etc/passwd")), Reason.GARBLED),
        ((packet(2, OK), packet(1, OK), packet(1, b"\xff")), Reason.GARBLED),
        ((packet(2, OK), packet(1, OK), packet(1, b"\x01") + packet(2, b"\x03de")), Reason.GARBLED),
        ((packet(2, OK), packet(1, OK), packet(9, OK)), Reason.GARBLED),
        ((packet(2, b"\xff\x15\x04#28000denied"),), Reason.LOGIN_REFUSED),
        ((packet(2, b""),), Reason.GARBLED),
    ],
)
async def test_a_pretender_gets_nothing(answers: tuple[bytes, ...], reason: Reason) -> None:
    handler, heard = pretending(*answers)
    async with serving(handler) as port:
        found = unhealthy(await outcome(MysqlCheck(LOGIN), port, 2.0))
    assert found.reason is reason
    assert mariadb.PASSWORD.encode() not in b"".join(heard)
    assert b"root:" not in b"".join(heard)
    assert heard[-1].endswith(COM_QUIT)


async def test_another_protocol_version_is_garbage() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, b"\x09" + GREETING[1:]))
        await reader.read()

    async with serving(handler) as port:
        assert await outcome(MysqlCheck(LOGIN), port) == Unhealthy(Reason.GARBLED, "protocol version 9")
