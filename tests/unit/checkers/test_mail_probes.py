"""POP, IMAP and SMTP: what is said, what is heard, how it ends."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from config.checks import AnyCheck, Credentials, ImapCheck, PopCheck, SmtpCheck, Tls, TlsMode
from config.secret import Secret
from tests.unit.checkers.servers import AUTHORITY, HOST, Handler, outcome, script, server_context, serving

LOGIN = Credentials("monitor", Secret('open "sesame"'))


def upgrading(before: list[bytes], offer: bytes, after: list[bytes]) -> tuple[Handler, list[bytes]]:
    """A server that says `before`, agrees to TLS with `offer` (and a forged answer in clear), and says `after`."""
    heard: list[bytes] = []
    context = server_context()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in before:
            writer.write(step)
            heard.append((await reader.readline()).rstrip())
        tag = heard[-1].split()[0]
        writer.write(offer.replace(b"TAG", tag))
        await writer.start_tls(context)
        for step in after:
            line = (await reader.readline()).rstrip()
            heard.append(line)
            writer.write(step.replace(b"TAG", line.split()[0]))
        heard.append((await reader.readline()).rstrip())

    return handler, heard


def tagged(*steps: bytes) -> tuple[Handler, list[bytes]]:
    """An IMAP server: a greeting, then each step with the tag of the command it answers."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(steps[0])
        for step in steps[1:]:
            line = (await reader.readline()).rstrip()
            tag, _, words = line.partition(b" ")
            heard.append(words)
            writer.write(step.replace(b"TAG", tag))
        heard.append((await reader.readline()).rstrip().partition(b" ")[2])

    return handler, heard


async def test_pop_greets_and_is_left_politely() -> None:
    handler, heard = script(b"+OK Dovecot ready.\r\n")
    async with serving(handler) as port:
        assert await outcome(PopCheck(), port) == Healthy("Dovecot ready.")
    assert heard == [b"QUIT"]


async def test_pop_logs_in() -> None:
    handler, heard = script(b"+OK hello\r\n", b"+OK\r\n", b"+OK Logged in.\r\n")
    async with serving(handler) as port:
        assert await outcome(PopCheck(credentials=LOGIN), port) == Healthy("hello")
    assert heard == [b"USER monitor", b'PASS open "sesame"', b"QUIT"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"-ERR [AUTH] Authentication failed.\r\n", Reason.LOGIN_REFUSED),
        (b"-ERR [SYS/TEMP] No database.\r\n", Reason.ERROR_REPLY),
        (b"what?\r\n", Reason.GARBLED),
    ],
)
async def test_pop_login_is_answered_otherwise(answer: bytes, expected: Reason) -> None:
    handler, heard = script(b"+OK hello\r\n", b"+OK\r\n", answer)
    async with serving(handler) as port:
        found = await outcome(PopCheck(credentials=LOGIN), port)
    assert isinstance(found, Unhealthy)
    assert found.reason is expected
    assert heard[-1] == b"QUIT"


async def test_a_repeated_password_is_not_shown() -> None:
    handler, _ = script(b"+OK hello\r\n", b"+OK\r\n", b'-ERR unknown command PASS open "sesame"\r\n')
    async with serving(handler) as port:
        found = await outcome(PopCheck(credentials=LOGIN), port)
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "(not shown: the answer repeats the password)")


async def test_pop_that_is_not_well_says_so() -> None:
    handler, _ = script(b"-ERR \x1b[31mmaintenance\r\n")
    async with serving(handler) as port:
        assert await outcome(PopCheck(), port) == Unhealthy(Reason.ERROR_REPLY, "\\x1b[31mmaintenance")


async def test_pop_over_tls() -> None:
    handler, heard = script(b"+OK hello\r\n")
    async with serving(handler, server_context()) as port:
        assert await outcome(PopCheck(TlsMode.IMPLICIT), port) == Healthy("hello")
    assert heard == [b"QUIT"]


async def test_pop_starts_tls_and_forgets_what_was_said_in_clear() -> None:
    handler, heard = upgrading([b"+OK hi\r\n"], b"+OK begin\r\n+OK forged\r\n", [b"+OK\r\n", b"-ERR no\r\n"])
    async with serving(handler) as port:
        found = await outcome(PopCheck(TlsMode.STARTTLS, credentials=LOGIN), port)
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "no")
    assert heard == [b"STLS", b"USER monitor", b'PASS open "sesame"', b"QUIT"]


async def test_pop_without_stls_is_a_tls_failure() -> None:
    handler, _ = script(b"+OK hi\r\n", b"-ERR unknown\r\n")
    async with serving(handler) as port:
        assert await outcome(PopCheck(TlsMode.STARTTLS), port) == Unhealthy(Reason.TLS, "unknown")


async def test_imap_greets_and_is_left_politely() -> None:
    handler, heard = tagged(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    async with serving(handler) as port:
        assert await outcome(ImapCheck(), port) == Healthy("[CAPABILITY IMAP4rev1] ready")
    assert heard == [b"LOGOUT"]


async def test_imap_logs_in_with_quoted_words() -> None:
    handler, heard = tagged(b"* OK hi\r\n", b"TAG OK [CAPABILITY IMAP4rev1] Logged in\r\n")
    async with serving(handler) as port:
        assert await outcome(ImapCheck(credentials=LOGIN), port) == Healthy("hi")
    assert heard == [rb'LOGIN "monitor" "open \"sesame\""', b"LOGOUT"]


async def test_imap_that_is_authenticated_already_needs_no_login() -> None:
    handler, heard = tagged(b"* PREAUTH hi\r\n")
    async with serving(handler) as port:
        assert await outcome(ImapCheck(credentials=LOGIN), port) == Healthy("hi")
    assert heard == [b"LOGOUT"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] no\r\n", Reason.LOGIN_REFUSED),
        (b"TAG NO [UNAVAILABLE] later\r\n", Reason.ERROR_REPLY),
        (b"WRONGTAG OK fine\r\n", Reason.GARBLED),
        (b"TAG\xff OK\r\n* \xff\xfe\r\n\xff OK x\r\n", Reason.REPLY_TIMEOUT),
    ],
)
async def test_imap_login_is_answered_otherwise(answer: bytes, expected: Reason) -> None:
    handler, _ = tagged(b"* OK hi\r\n", answer)
    async with serving(handler) as port:
        found = await outcome(ImapCheck(credentials=LOGIN), port, 0.5)
    assert isinstance(found, Unhealthy)
    assert found.reason is expected
    assert "sesame" not in found.detail


async def test_imap_says_bye() -> None:
    handler, _ = tagged(b"* BYE overloaded\r\n")
    async with serving(handler) as port:
        assert await outcome(ImapCheck(), port) == Unhealthy(Reason.ERROR_REPLY, "overloaded")


async def test_imap_over_tls_and_with_starttls() -> None:
    handler, heard = tagged(b"* OK hi\r\n")
    async with serving(handler, server_context()) as port:
        assert await outcome(ImapCheck(TlsMode.IMPLICIT), port) == Healthy("hi")
    assert heard == [b"LOGOUT"]
    handler, heard = upgrading([b"* OK hi\r\n"], b"TAG OK begin\r\n* forged", [b"TAG OK\r\n"])
    async with serving(handler) as port:
        assert await outcome(ImapCheck(TlsMode.STARTTLS, credentials=LOGIN), port) == Healthy("hi")
    assert [line.split()[1] for line in heard] == [b"STARTTLS", b"LOGIN", b"LOGOUT"]


async def test_smtp_greets_takes_ehlo_and_is_left_politely() -> None:
    handler, heard = script(b"220 mail ESMTP\r\n", b"250-mail\r\n250 SIZE 1\r\n", b"221 bye\r\n")
    async with serving(handler) as port:
        assert await outcome(SmtpCheck(helo="lb1.example"), port) == Healthy("220 mail ESMTP")
    assert heard == [b"EHLO lb1.example", b"QUIT"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((b"421 too busy\r\n",), Unhealthy(Reason.ERROR_REPLY, "421 too busy")),
        ((b"554-no\r\n554 access\r\n",), Unhealthy(Reason.ERROR_REPLY, "554 no\\naccess")),
        ((b"220 hi\r\n", b"502 what\r\n"), Unhealthy(Reason.ERROR_REPLY, "502 what")),
    ],
)
async def test_smtp_refuses(steps: tuple[bytes, ...], expected: Unhealthy) -> None:
    handler, _ = script(*steps)
    async with serving(handler) as port:
        assert await outcome(SmtpCheck(), port) == expected


async def test_smtp_logs_in_once_with_the_best_method() -> None:
    handler, heard = script(
        b"220 hi\r\n", b"250-mail\r\n250 AUTH CRAM-MD5 PLAIN LOGIN\r\n", b"535 5.7.8 no\r\n", b"221 bye\r\n"
    )
    async with serving(handler, server_context()) as port:
        found = await outcome(SmtpCheck(TlsMode.IMPLICIT, credentials=LOGIN), port)
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "535 5.7.8 no")
    expected = base64.b64encode(b'\0monitor\0open "sesame"')
    assert heard[1:] == [b"AUTH PLAIN " + expected, b"QUIT"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"454 4.7.0 temporary\r\n", Unhealthy(Reason.ERROR_REPLY, "454 4.7.0 temporary")),
        (
            b"535 no AG1vbml0b3IAb3BlbiAic2VzYW1lIg==\r\n",
            Unhealthy(Reason.LOGIN_REFUSED, "(not shown: the answer repeats the password)"),
        ),
    ],
)
async def test_smtp_login_is_answered_otherwise(answer: bytes, expected: Unhealthy) -> None:
    handler, _ = script(b"220 hi\r\n", b"250-mail\r\n250 AUTH PLAIN\r\n", answer, b"221 bye\r\n")
    async with serving(handler) as port:
        assert await outcome(SmtpCheck(credentials=LOGIN), port) == expected


async def test_smtp_starts_tls() -> None:
    handler, heard = upgrading(
        [b"220 hi\r\n", b"250-mail\r\n250 STARTTLS\r\n"], b"220 go\r\n250 forged\r\n", [b"250 mail\r\n", b"221 bye\r\n"]
    )
    async with serving(handler) as port:
        assert await outcome(SmtpCheck(TlsMode.STARTTLS), port) == Healthy("220 hi")
    assert heard[:4] == [b"EHLO lvsd.invalid", b"STARTTLS", b"EHLO lvsd.invalid", b"QUIT"]


async def test_smtp_without_starttls_is_a_tls_failure() -> None:
    handler, heard = script(b"220 hi\r\n", b"250 mail\r\n", b"221 bye\r\n")
    async with serving(handler) as port:
        assert await outcome(SmtpCheck(TlsMode.STARTTLS), port) == Unhealthy(Reason.TLS, "STARTTLS is not offered")
    assert heard[-1] == b"QUIT"


async def test_a_login_with_a_line_end_is_never_sent() -> None:
    handler, heard = script(b"+OK hi\r\n")
    async with serving(handler) as port:
        found = await outcome(PopCheck(credentials=Credentials("a\r\nDELE 1", Secret("x"))), port)
    assert found == Inconclusive("the login or password holds a control character")
    assert heard == [b"QUIT"]


@pytest.fixture
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def checks_with(tls: Tls) -> dict[str, AnyCheck]:
    return {
        "pop": PopCheck(TlsMode.IMPLICIT, tls),
        "imap": ImapCheck(TlsMode.IMPLICIT, tls),
        "smtp": SmtpCheck(TlsMode.IMPLICIT, tls),
    }


GREETINGS = {
    "pop": (b"+OK hi\r\n",),
    "imap": (b"* OK hi\r\n",),
    "smtp": (b"220 hi\r\n", b"250 mail\r\n", b"221 bye\r\n"),
}


@pytest.mark.parametrize("name", GREETINGS)
@pytest.mark.parametrize("sni", [None, "mail.example.org"])
async def test_a_certificate_is_verified_on_request(name: str, sni: str | None, ca_file: str) -> None:
    handler, _ = script(*GREETINGS[name])
    check = checks_with(Tls(sni=sni, verify=True, ca_file=ca_file))[name]
    async with serving(handler, server_context(*([sni] if sni else []))) as port:
        assert isinstance(await outcome(check, port), Healthy)
    async with serving(handler, server_context("other.example.org")) as port:
        found = await outcome(check, port)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.CERTIFICATE


async def test_the_sni_is_sent() -> None:
    asked: list[str | None] = []
    context = server_context("mail.example.org")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    handler, _ = script(b"+OK hi\r\n")
    async with serving(handler, context) as port:
        await outcome(PopCheck(TlsMode.IMPLICIT, Tls(sni="mail.example.org")), port)
        await outcome(PopCheck(TlsMode.IMPLICIT), port)
    assert asked == ["mail.example.org", None]


async def test_a_missing_ca_file_is_our_own_fault(tmp_path_factory: pytest.TempPathFactory) -> None:
    missing = str(tmp_path_factory.mktemp("none") / "ca.pem")
    handler, _ = script(b"+OK hi\r\n")
    async with serving(handler, server_context()) as port:
        found = await outcome(PopCheck(TlsMode.IMPLICIT, Tls(verify=True, ca_file=missing)), port)
    assert found == Inconclusive(f"ca_file {missing}: No such file or directory")


@pytest.mark.parametrize("closes", [True, False])
async def test_the_end_of_tls_is_told_to_the_server(closes: bool) -> None:
    """A close_notify, not a cut connection, whether or not the server answers QUIT by closing."""
    context = server_context()
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(5)

        def serve() -> list[bytes]:
            raw, _ = listener.accept()
            raw.settimeout(5)
            with context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) as connection:
                connection.sendall(b"+OK hi\r\n")
                heard = [connection.recv(100)]
                if closes:
                    connection.unwrap().close()
                else:
                    heard.append(connection.recv(100))  # raises SSLEOFError without a close_notify
                return heard

        served = asyncio.get_running_loop().run_in_executor(None, serve)
        assert await outcome(PopCheck(TlsMode.IMPLICIT), listener.getsockname()[1]) == Healthy("hi")
        assert await served == [b"QUIT\r\n"] + ([] if closes else [b""])
