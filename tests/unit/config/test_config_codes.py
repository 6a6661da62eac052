"""Every code: a text that brings it, its place, and its page in the manual."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import codes
from config.files import FileTooLarge
from config.load import load
from tests.unit.config.files_in_memory import FilesInMemory

WEB = "services:\n  web:\n    virtual: 1.1.1.12:80\n"  # three lines
REAL = "    real_servers: [1.1.1.17]\n"
LB0 = "vrrp:\n  lb0:\n    interface: eth0\n    virtual_router_id: 1\n    version: 2\n    addresses: [1.1.1.12]\n"  # six

# code: text, and line:column of the one problem it has
TEXTS: dict[str, tuple[str, str]] = {
    codes.UNREADABLE: (WEB + REAL + "include: other.yaml\n", "5:10"),
    codes.SYNTAX: ("services:\n\tweb: 1\n", "2:1"),
    codes.ANCHOR: (WEB + "    check: *check\n" + REAL, "4:12"),
    codes.TAG: (WEB + "    weight: !local 1\n" + REAL, "4:13"),
    codes.TOO_MUCH: (WEB + "    check: " + "[" * 40, "4:41"),
    codes.INCLUDE: (WEB + REAL + "include: [lvsd.yaml]\n", "5:11"),
    codes.UNKNOWN_KEY: (WEB + "    wait: 1\n" + REAL, "4:5"),
    codes.DUPLICATE_KEY: (WEB + "    weight: 1\n    weight: 2\n" + REAL, "5:5"),
    codes.MISSING_KEY: (WEB, "2:3"),
    codes.WRONG_TYPE: (WEB + "    weight: [1]\n" + REAL, "4:13"),
    codes.NOT_QUOTED: (WEB + "    check: {type: http, receive: 200}\n" + REAL, "4:34"),
    codes.OUT_OF_RANGE: (WEB + "    weight: -1\n" + REAL, "4:13"),
    codes.UNKNOWN_WORD: (WEB + "    scheduler: best\n" + REAL, "4:16"),
    codes.MALFORMED: (WEB + "    check: {interval: soon}\n" + REAL, "4:23"),
    codes.NO_VALUE: (WEB + "    weight:\n" + REAL, "4:5"),
    codes.NOT_OBTAINED: (WEB + "    check: {type: mysql, login: x, password: {file: none}}\n" + REAL, "4:53"),
    codes.KEY_OF_OTHER_TYPE: (WEB + "    check: {type: tcp, path: /}\n" + REAL, "4:24"),
    codes.BAD_REGEX: (WEB + "    check: {type: http, receive_regex: '['}\n" + REAL, "4:40"),
    codes.CREDENTIALS: (WEB + "    check: {type: imaps, login: monitor}\n" + REAL, "4:26"),
    codes.CHECK_WITHOUT_PORT: ("services: {web: {fwmark: 7, real_servers: [1.1.1.17]}}\n", "1:44"),
    codes.NO_EFFECT: (WEB + "    check: {type: imap, sni: mail.example.net}\n" + REAL, "4:25"),
    codes.CONTRADICTION: (WEB + "    fwmark: 7\n" + REAL, "4:5"),
    codes.DUPLICATE_SERVICE: (WEB + REAL + "  other: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}\n", "5:20"),
    codes.DUPLICATE_REAL_SERVER: (WEB + "    real_servers: [1.1.1.17, 1.1.1.17]\n", "4:30"),
    codes.PORT_ZERO: (
        "services: {web: {virtual: '1.1.1.12:0', check: {type: none}, real_servers: [1.1.1.17]}}\n",
        "1:27",
    ),
    codes.FAMILY: (WEB + "    real_servers: ['2001:db8::17']\n", "4:20"),
    codes.PORT_REWRITE: (WEB + "    real_servers: [1.1.1.17:8080]\n", "4:20"),
    codes.REAL_IS_VIRTUAL: (WEB + "    real_servers: [1.1.1.12]\n", "4:20"),
    codes.NO_REAL_SERVERS: (WEB + "    real_servers: []\n", "4:19"),
    codes.FLAG_OF_OTHER_SCHEDULER: (WEB + "    flags: [sh-port]\n" + REAL, "4:13"),
    codes.ONE_PACKET: (WEB + "    one_packet: true\n" + REAL, "4:5"),
    codes.THRESHOLDS: (WEB + "    upper_threshold: 5\n    lower_threshold: 6\n" + REAL, "5:5"),
    codes.ADDRESS_UNFIT: (WEB + "    real_servers: [224.0.0.18]\n", "4:20"),
    codes.PERSISTENCE_ENGINE: (WEB + "    persistence: {timeout: 1h, engine: sip}\n" + REAL, "4:40"),
    codes.FLOOR: (WEB + "    floor: {minimum: 1, action: sorry}\n" + REAL, "4:5"),
    codes.FOLLOW: (WEB + "    check: {type: follow, service: other}\n" + REAL, "4:36"),
    codes.AGENT_ALONE: (WEB + "    check: {type: agent, port: 9999}\n" + REAL, "4:13"),
    codes.CHECKED_BY_TCP: (WEB + "    protocol: udp\n" + REAL, "4:5"),
    codes.QUORUM: (WEB + "    quorum: 2\n" + REAL, "4:5"),
    codes.SYNC: (WEB + REAL + "ipvs: {sync: {interface: eth1}}\n", "5:14"),
    codes.VRRP_TRACK: (LB0 + "    track: [{service: http}]\n", "4:24"),
    codes.VRRP_DUPLICATE: (LB0.replace("[1.1.1.12]", "[1.1.1.12, 1.1.1.12]"), "6:27"),
    codes.VRRP_AUTHENTICATION: (LB0 + "    authentication: {password: ''}\n", "7:32"),
    codes.VRRP_OWNER: (LB0 + "    priority: 255\n", "7:5"),
    codes.VIRTUAL_NOT_MOVED: (LB0 + "services: {dns: {virtual: '1.1.1.13:53', real_servers: [1.1.1.17]}}\n", "7:27"),
    codes.NOTHING_TO_DO: ("daemon: {clear_table_on_stop: true}\n", "0:0"),
    codes.CHECKER_IS_ROOT: (WEB + REAL + "daemon: {checker_user: root}\n", "5:10"),
}
WITHOUT_TEXT = {  # these need more than one text: below
    codes.TOO_LARGE, codes.NOT_UTF8, codes.TOO_MANY_PROBLEMS, codes.SAID_TWICE, codes.EXPOSED,
    codes.OTHER_ENCODING, codes.NOT_CONVERTED,
}  # fmt: skip


def problems_of(files: FilesInMemory) -> list[tuple[str, str]]:
    """Code and place of each problem."""
    return [(one.code, f"{one.line}:{one.column}") for one in load(["lvsd.yaml"], files).problems]


@pytest.mark.parametrize("code", TEXTS)
def test_one_mistake_is_one_problem_at_its_place(code: str) -> None:
    text, place = TEXTS[code]
    assert problems_of(FilesInMemory({"lvsd.yaml": text})) == [(code, place)]


def test_a_file_too_large() -> None:
    files = FilesInMemory({"lvsd.yaml": FileTooLarge("lvsd.yaml", 16)})
    assert (codes.TOO_LARGE, "0:0") in problems_of(files)


def test_a_file_that_is_not_utf8() -> None:
    files = FilesInMemory({"lvsd.yaml": b"services:\n  w\xe9b: {}\n"})
    assert (codes.NOT_UTF8, "2:4") in problems_of(files)


def test_a_secret_everyone_reads() -> None:
    text = WEB + "    check: {type: mysql, login: x, password: {file: /s}}\n" + REAL
    files = FilesInMemory({"lvsd.yaml": text, "/s": "hidden\n"}, readable_by_all=frozenset(("/s",)))
    assert problems_of(files) == [(codes.EXPOSED, "4:53")]


def test_a_literal_secret_in_a_file_everyone_reads() -> None:
    text = WEB + "    check: {type: mysql, login: x, password: hidden}\n" + REAL
    files = FilesInMemory({"lvsd.yaml": text}, readable_by_all=frozenset(("lvsd.yaml",)))
    assert problems_of(files) == [(codes.EXPOSED, "4:46")]


def test_more_problems_than_anyone_reads() -> None:
    text = "services:\n" + "".join(f"  web{number}: {{virtuel: 1}}\n" for number in range(600))
    found = problems_of(FilesInMemory({"lvsd.yaml": text}))
    assert len(found) == 501
    assert found[-1] == (codes.TOO_MANY_PROBLEMS, "0:0")


def test_the_same_name_in_two_files() -> None:
    files = FilesInMemory({"lvsd.yaml": WEB + REAL + "include: more.yaml\n", "more.yaml": WEB + REAL})
    loaded = load(["lvsd.yaml"], files)
    assert [str(one) for one in loaded.problems] == [
        "more.yaml:2:3: `web` is said in two files (the first is at lvsd.yaml:2) [CFG019]",
    ]


def test_every_code_is_shown_by_a_text() -> None:
    own = {code for code in codes.CODES if code < "CFG100"}  # those above are other languages', shown in their tests
    assert set(TEXTS) | WITHOUT_TEXT == own


def test_every_code_is_named_and_told_apart() -> None:
    names = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert names == set(codes.CODES)


def catalogue() -> str:
    """The page of errors."""
    return (Path(__file__).parents[3] / "docs/errors.md").read_text()


@pytest.mark.parametrize("code", codes.CODES)
def test_the_manual_tells_meaning_cause_and_remedy(code: str) -> None:
    row = re.search(rf"^\| {code} \|([^|]+)\|([^|]+)\|([^|]+)\|$", catalogue(), re.MULTILINE)
    assert row is not None
    assert all(cell.strip() for cell in row.groups())
    assert row[1].strip() == codes.CODES[code]


def test_the_manual_names_no_code_that_is_not() -> None:
    assert set(re.findall(r"^\| (CFG\d+) \|", catalogue(), re.MULTILINE)) == set(codes.CODES)
