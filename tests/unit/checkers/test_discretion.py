"""Of a conversation everything is shown but passwords, whoever says them and in whatever form."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.transcript import TEXT_LIMIT
from checkers.probes import ldap_messages
from checkers.probes.discretion import LINES_LIMIT, Discretion
from checkers.probes.pgsql_messages import TLS_REQUEST, password, simple_query, startup
from checkers.probes.redis_reply import command
from config.checks import (
    AnyCheck,
    Credentials,
    FtpCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    PgsqlCheck,
    PopCheck,
    RadiusCheck,
    RedisCheck,
    SmtpCheck,
    TcpCheck,
)
from config.secret import Secret

WORD = 'open "sesame"'
LOGIN = Credentials("monitor", Secret(WORD))
PLAIN = b64encode(f"\0monitor\0{WORD}".encode())
LOGINS: tuple[AnyCheck, ...] = (
    ImapCheck(credentials=LOGIN),
    PopCheck(credentials=LOGIN),
    SmtpCheck(credentials=LOGIN),
    FtpCheck(LOGIN),
    MysqlCheck(LOGIN),
    PgsqlCheck(LOGIN),
    LdapCheck(credentials=LOGIN),
    RedisCheck(credentials=LOGIN),
    RadiusCheck(LOGIN, Secret("shared secret")),
)


def said(check: AnyCheck, words: bytes) -> tuple[str, ...]:
    return Discretion(check).lines(words, len(words), ours=True)


def heard(check: AnyCheck, words: bytes) -> tuple[str, ...]:
    return Discretion(check).lines(words, len(words), ours=False)


@pytest.mark.parametrize(
    ("check", "words", "shown"),
    [
        (ImapCheck(credentials=LOGIN), b'A1 LOGIN "monitor" "x"\r\n', ("A1 LOGIN ***",)),
        (ImapCheck(credentials=LOGIN), b"A2 LOGOUT\r\n", ("A2 LOGOUT",)),
        (ImapCheck(credentials=LOGIN), b"A2 LOGOUT hidden\r\n", ("*** (16 octets that may hold a password)",)),
        (PopCheck(credentials=LOGIN), b"USER monitor\r\n", ("USER monitor",)),
        (PopCheck(credentials=LOGIN), b"PASS x\r\n", ("PASS ***",)),
        (SmtpCheck(credentials=LOGIN), b"EHLO lb1\r\n", ("EHLO lb1",)),
        (SmtpCheck(credentials=LOGIN), b"AUTH PLAIN eA==\r\n", ("AUTH PLAIN ***",)),
        (SmtpCheck(credentials=LOGIN), b"AUTH LOGIN\r\n", ("AUTH LOGIN ***",)),
        (SmtpCheck(credentials=LOGIN), b"eHh4eA==\r\n", ("*** (8 octets that may hold a password)",)),
        (FtpCheck(LOGIN), b"PASS x\r\n", ("PASS ***",)),
        (FtpCheck(LOGIN), b"RETR a file\r\nQUIT\r\n", ("RETR a file", "QUIT")),
        (MysqlCheck(LOGIN), b"\x05\0\0\x01abcde", ("login *** (5 octets that may hold a password)",)),
        (MysqlCheck(LOGIN), b"\x09\0\0\0\x03SELECT 1\x01\0\0\0\x01", ("query: SELECT 1", "quit")),
        (PgsqlCheck(LOGIN), startup("monitor", None), ("startup message, 65 octets",)),
        (LdapCheck(credentials=LOGIN), ldap_messages.bind(1, "cn=monitor", "x"), ("bind request, 25 octets",)),
        (LdapCheck(credentials=LOGIN), b"\x30\x50\x02", ("not (whole) messages of LDAP, 3 octets",)),
        (RedisCheck(credentials=LOGIN), command("AUTH", "monitor", "x"), ("AUTH ***",)),
        (RedisCheck(credentials=LOGIN), command("PING"), ("PING",)),
        (RadiusCheck(LOGIN, Secret("y")), b"\x01\x07\0\x14" + bytes(16), ("Access-Request, 20 octets",)),
        (RadiusCheck(LOGIN, Secret("y")), b"", ("a datagram, 0 octets",)),
        (SmtpCheck(), b"anything goes\r\n", ("anything goes",)),
        (HttpCheck(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("GET / HTTP/1.1", "Host: x", "")),
    ],
)
def test_what_we_say(check: AnyCheck, words: bytes, shown: tuple[str, ...]) -> None:
    assert said(check, words) == shown


def test_after_its_first_message_postgresql_is_read_by_types() -> None:
    discretion = Discretion(PgsqlCheck(LOGIN))
    first, login, query = startup("monitor", "db"), password(b"digest"), simple_query("SELECT 1")
    assert discretion.lines(TLS_REQUEST, len(TLS_REQUEST), ours=True) == ("TLS request, 8 octets",)
    assert discretion.lines(first, len(first), ours=True) == (f"startup message, {len(first)} octets",)
    assert discretion.lines(login, len(login), ours=True) == ("password message ***",)
    assert discretion.lines(query, len(query), ours=True) == ("Q SELECT 1",)
    assert discretion.lines(b"R\0\0\0\x0c\0\0\0\x05saltZ\0\0\0\x05I", 19, ours=False) == ("authentication 5", "Z I")
    assert discretion.lines(b"\0\0", 2, ours=False) == ("\\x00",)  # no message: no endless loop


def test_what_mysql_says() -> None:
    greeting = b"\x0a10.11.4-MariaDB\0" + bytes(40)
    assert heard(MysqlCheck(LOGIN), len(greeting).to_bytes(3, "little") + b"\0" + greeting) == (
        "greeting of 10.11.4-MariaDB",
    )
    assert heard(MysqlCheck(LOGIN), b"\x0d\0\0\x02\xff\x15\x04#28000 no!") == ("error 1045: #28000 no!",)
    assert heard(MysqlCheck(LOGIN), b"\x03\0\0\x02\0\0\0\x02\0\0\x03\x011") == ("ok", "\\x011")


def test_a_digest_is_struck_out_where_it_is_repeated() -> None:
    discretion = Discretion(SmtpCheck(credentials=LOGIN))
    digest = b64encode(b"monitor 0123456789abcdef")
    discretion.lines(digest + b"\r\n", len(digest) + 2, ours=True)
    assert discretion.lines(b"535 " + digest + b"? no\r\n", 41, ours=False) == ("535 ***? no",)


@pytest.mark.parametrize("check", LOGINS, ids=lambda check: type(check).__name__)
@pytest.mark.parametrize(
    "form",
    [
        WORD.encode(),
        WORD.replace('"', '\\"').encode(),
        b64encode(WORD.encode()),
        b64encode(WORD.encode()).rstrip(b"="),
        PLAIN,
        WORD.encode().hex().encode(),
    ],
)
def test_no_form_of_the_password_is_shown_whoever_says_it(check: AnyCheck, form: bytes) -> None:
    for words in (form, b"535 " + form + b" is wrong\r\n", b"a" * 390 + form, b"\x20\0\0\0\x03" + form):
        for ours in (True, False):
            shown = "\n".join(Discretion(check).lines(words, len(words), ours=ours))
            assert form.decode() not in shown
            assert "sesame" not in shown


def test_no_form_leaves_a_part_of_a_longer_one() -> None:
    check = ImapCheck(credentials=Credentials("monitor", Secret("6")))  # which is 36 in hexadecimal digits
    assert heard(check, b"* NO 36\r\n") == ("* NO ***",)


def test_what_is_cut_does_not_show_a_password_that_is_cut_with_it() -> None:
    words = b"x" * 100 + WORD.encode()[:-1]
    shown = Discretion(ImapCheck(credentials=LOGIN)).lines(words, len(words) + 1, ours=False)
    assert "open" not in shown[0]


def test_what_is_long_is_cut_and_what_is_not_text_is_escaped() -> None:
    assert heard(TcpCheck(), b"\x1b[31m\xff") == ("\\x1b[31m\\xff",)
    assert len(heard(TcpCheck(), b"\n" * 1000)) == LINES_LIMIT + 1
    (line,) = heard(TcpCheck(), b"\0" * 1000)
    assert len(line) == TEXT_LIMIT
    assert Discretion(TcpCheck()).struck("as it is") == "as it is"


@given(st.sampled_from(LOGINS), st.binary(max_size=300), st.booleans())
def test_any_octets_are_shown_in_printable_lines(check: AnyCheck, words: bytes, ours: bool) -> None:
    for line in Discretion(check).lines(words, len(words), ours=ours):
        assert len(line) <= TEXT_LIMIT
        assert line.isascii()
        assert line.isprintable()


@given(
    st.sampled_from((ImapCheck, PopCheck, SmtpCheck)),
    st.text(st.characters(codec="utf-8"), min_size=4, max_size=40),
    st.binary(max_size=40),
)
def test_no_password_is_shown_whatever_stands_around_it(
    kind: type[ImapCheck | PopCheck | SmtpCheck], word: str, around: bytes
) -> None:
    check = kind(credentials=Credentials("monitor", Secret(word)))
    if word.encode() in b"***" or word in "octets that may hold a password":
        return
    for ours in (True, False):
        octets = around + word.encode() + around
        shown = "\n".join(Discretion(check).lines(octets, len(octets), ours=ours))
        assert word not in shown or word.encode() in around
