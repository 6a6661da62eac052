"""What an ldirectord.cf holds and lvsd does not do is told; how a file is known for one; where mistakes stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import codes
from config.formats import format_of
from config.ldirectord import directives as d
from config.ldirectord.lines import HEADS
from config.ldirectord.read import read_ldirectord
from config.ldirectord.telling import OPENING_WORDS, is_ldirectord
from config.load import load
from config.reading import Reading
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.ldirectord.texts import REAL, WEB, lines, load_cf, told

ROOT = Path(__file__).parents[4]
VALUES = {
    "quiescent": "yes", "cleanstop": "yes", "checktimeout": "3", "negotiatetimeout": "3", "checkinterval": "3",
    "failurecount": "3", "checkcount": "3", "fallbackcommand": "/bin/x", "emailalert": "a@b", "emailalertfreq": "5",
    "emailalertstatus": "all", "smtp": "mail", "fork": "yes", "maintenancedir": "/tmp/x", "supervised": "yes",
    "autoreload": "yes", "readdquiescent": "yes", "callback": '"/bin/x"', "execute": "other.cf", "logfile": '"local0"',
    "emailalertfrom": "a@b", "service": "http", "checktype": "connect", "checkcommand": "/bin/x", "checkport": "80",
    "request": '"x"', "receive": '"x"', "httpmethod": "GET", "virtualhost": "www", "login": '"x"', "passwd": '"x"',
    "database": '"x"', "scheduler": "rr", "persistent": "5", "netmask": "255.0.0.0", "schedflags": "flag-1",
    "protocol": "tcp", "ops": "no", "secret": '"x"', "load": '"x"', "monitorfile": "/tmp/x", "servicename": "x",
    "comment": "x",
}  # fmt: skip
SILENT_TOP = {"quiescent", "cleanstop", "checktimeout", "negotiatetimeout", "checkinterval", "failurecount", "fork",
              "supervised", "readdquiescent", "autoreload", "fallbackcommand", "emailalert", "callback",
              "maintenancedir"}  # fmt: skip
SILENT_SECTION = {
    "quiescent", "cleanstop", "checktimeout", "negotiatetimeout", "failurecount", "service", "checktype", "checkport",
    "request", "receive", "httpmethod", "virtualhost", "scheduler", "persistent", "schedflags", "protocol", "ops",
    "fallbackcommand", "emailalert", "monitorfile", "servicename", "comment",
}  # fmt: skip


def test_there_is_a_value_for_every_directive() -> None:
    assert set(VALUES) == set(d.TOP) | set(d.SECTION)


@pytest.mark.parametrize("name", d.TOP)
def test_a_global_directive_is_carried_or_told(name: str) -> None:
    found = told(f"{name}={VALUES[name]}\n" + lines())
    assert bool(found) is (name not in SILENT_TOP), found
    assert all(one.startswith("1:") for one in found)


@pytest.mark.parametrize("name", d.SECTION)
def test_a_directive_of_a_virtual_service_is_carried_or_told(name: str) -> None:
    found = told(lines(f"{name}={VALUES[name]}"))
    assert bool(found) is (name not in SILENT_SECTION), found
    assert all(one.startswith("3:") for one in found)


@pytest.mark.parametrize("name", [*d.TOP, *d.SECTION, *d.SERVER_LINES, "virtual", "virtual6"])
def test_the_manual_tells_what_becomes_of_every_directive(name: str) -> None:
    rows = [
        line.partition("|")[2].partition(" | ")[0] for line in (ROOT / "docs/migrating.md").read_text().splitlines()
    ]
    whole = (ROOT / "docs/migrating.md").read_text()
    assert any(f"`{name}`" in row or f"`{name}=" in row for row in rows) or f"`{name}`" in whole


def test_a_fallbackcommand_that_is_none() -> None:
    assert told('fallbackcommand=""\n' + lines()) == []


def test_autoreload_and_supervised() -> None:
    assert told("autoreload=no\nsupervised\n" + lines()) == []


def test_the_last_of_two_counts_and_is_told() -> None:
    text = lines("checktimeout=3", "checktimeout=4")
    assert told(text) == ["4:5 CFG109"]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/etc/ha.d/ldirectord.cf", "", True),
        ("/etc/ha.d/web.cf", "# web\n\nchecktimeout = 3\n", True),
        ("lvsd.yaml", WEB + REAL, True),
        ("lvsd.yaml", "virtual6=[::1]:80\n", True),
        ("lvsd.yaml", "services: {}\n", False),
        ("lvsd.yaml", "services:\n  web:\n    check: {type: mysql, query: |\n      checktimeout=3\n    }\n", False),
        ("lvsd.yaml", "comment: virtual=1\n", False),
        ("keepalived.conf", "vrrp_instance VI_1 {\n}\n", False),
        ("lvsd.yaml", "", False),
    ],
)
def test_a_file_is_known_by_what_stands_in_it(path: str, text: str, expected: bool) -> None:
    assert is_ldirectord(path, text) is expected
    found = format_of(path, text)
    assert (found is not None and found.name == "ldirectord") is expected


def test_every_global_directive_tells_the_file() -> None:
    assert sorted(OPENING_WORDS.split("|")) == sorted({*HEADS, *d.TOP})


MISTAKES = {
    "foo=bar\n": "1:1 CFG100",
    "real=192.0.2.12:80 gate\n": "1:1 CFG100",
    "timeout=3\n": "1:1 CFG100",
    "checktimeout\n": "1:1 CFG100",
    "checktimeout=soon\n": "1:14 CFG101",
    "checktimeout=99999\n": "1:14 CFG101",
    "\tchecktimeout = soon\n": "1:2 CFG102",
    "virtual=192.0.2.100:80\n    real=192.0.2.12:80 gate\n\n    scheduler=rr\n    checktimeout=3\n": "4:5 CFG102",
    "virtual=192.0.2.100:80\n  real=192.0.2.12:80 gate\n": "2:3 CFG102",
    lines("quiescent = yes "): "3:17 CFG101",
    lines("request=index.html"): "3:13 CFG103",
    lines('receive="a#b"'): "3:13 CFG103",
    lines("scheduler=rr\t", "\treceive=x"): "4:14 CFG103",
    lines("real=192.0.2.13:80"): "3:10 CFG104",
    lines("real=192.0.2.13:80 gate junk"): "3:10 CFG104",
    lines("real=db1:80 gate"): "3:10 CFG105",
    lines("real=192.0.2.13:nonsense gate"): "3:10 CFG105",
    lines("real=192.0.2.13:70000 gate"): "3:10 CFG105",
    lines("service=oracle"): "3:13 CFG106",
    lines("virtualhost=a\x01b"): "3:17 CFG017",
    lines('request="' + "x" * 1025 + '"'): "3:13 CFG002",
    "x" * 9000: "1:1 CFG002",
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.items())
def test_a_mistake_stands_where_it_is(text: str, expected: str) -> None:
    errors = [one for one in load_cf(text).problems if one.severity.value == "error"]
    found = [f"{one.line}:{one.column} {one.code}" for one in errors if one.code != codes.NOTHING_TO_DO]
    assert found == [expected]


def test_every_mistake_at_once() -> None:
    text = "foo=1\nchecktimeout=x\n" + WEB + "    real=192.0.2.12:80\n    service=foo\n    receive=x\nbar=2\n"
    assert [one.split()[0].split(":")[0] for one in told(text)] == ["1", "2", "4", "5", "6", "7"]


def test_every_code_is_shown_by_a_text() -> None:
    texts = [*MISTAKES, 'logfile="local0"\n' + lines(), lines(), lines("ops=yes"), "maintenancedir=/m\n" + lines(),
             "virtual=192.0.2.100:465\n    real=192.0.2.12 gate\n    service=smtp\n    checkport=465\n"]  # fmt: skip
    files = [FilesInMemory({"ldirectord.cf": text, "/m/192.0.2.12": ""}) for text in texts]
    shown = {one.code for one_file in files for one in load(["ldirectord.cf"], one_file).problems}
    assert {code for code in codes.CODES if "CFG100" <= code < "CFG200"} - shown == set()


SAID = {
    "Virtual=1.1.1.1:80\n": "unknown directive `Virtual` (did you mean `virtual`?) [CFG100]",
    "checktimout=3\n": "unknown directive `checktimout` (did you mean `checktimeout`?) [CFG100]",
    "zzzzzzzzz=3\n": "unknown directive `zzzzzzzzz` [CFG100]",
    "checktimeout\n": "`checktimeout` has no `=` (checktimeout=...) [CFG100]",
    "fallback\n": "`fallback` has no `=` (fallback=...) [CFG100]",
    "service=http\n": "`service` cannot be said globally (it belongs in a virtual service) [CFG100]",
    lines("fork=yes"): "`fork` cannot be said in a virtual service (it belongs above) [CFG100]",
    lines("connecttimeout=3"): "`connecttimeout` is no longer known to ldirectord (instead: negotiatetimeout) [CFG100]",
    lines("     "): "a line of blanks in a virtual service (remove it, or leave four blanks at most) [CFG100]",
    "fork=yes\r\n": "fork: `yes\\x0d` is not `yes` or `no` "
    "(the file has the line ends of Windows: sed -i 's/\\r$//') [CFG101]",
    "fork=Yes\n": "fork: `Yes` is not `yes` or `no` (in small letters) [CFG101]",
    "fork=yes \n": "fork: `yes ` is not `yes` or `no` (nothing may follow, neither a blank nor a comment) [CFG101]",
    "checktimeout=0\n": "checktimeout: `0` is not a number it takes (from 1 to 3600) [CFG101]",
    "checktimeout=3601\n": "checktimeout: `3601` is not a number it takes (from 1 to 3600) [CFG101]",
    "checkinterval=86401\n": "checkinterval: `86401` is not a number it takes (from 1 to 86400) [CFG101]",
    "failurecount=1001\n": "failurecount: `1001` is not a number it takes (from 1 to 1000) [CFG101]",
    lines("netmask=24"): "netmask: `24` is not a netmask here (255.255.255.0, ones and then zeros) [CFG101]",
    "virtual=4294967296\n": "4294967296 is no firewall mark (from 1 to 4294967295) [CFG015]",
    lines(
        "real=192.0.2.13:80 gate 2147483648"
    ): "the weight 2147483648 is out of range (from 0 to 2147483647) [CFG015]",
    lines("real=192.0.2.13:80 gate l:1 u:4294967296"): "a threshold of 4294967296 is out of range "
    "(from 0 to 4294967295) [CFG015]",
    " fork=yes\n": "this line belongs to no virtual service "
    "(nothing before a global directive; four blanks or a tab before one of a virtual service) [CFG102]",
    "\tfork=yes\n": "this line belongs to no virtual service "
    "(it is indented, but no `virtual=` stands above it) [CFG102]",
}


@pytest.mark.parametrize(("text", "expected"), SAID.items())
def test_a_mistake_is_told_in_words(text: str, expected: str) -> None:
    assert any(str(one).endswith(f": {expected}") for one in load_cf(text).problems), list(
        map(str, load_cf(text).problems)
    )


BOUNDS = (
    "checktimeout=3600\n", "checkinterval=86400\n", "failurecount=1000\n", "emailalertfreq=0\n",
    lines("real=192.0.2.13:80 gate 2147483647 l:4294967295 u:4294967295"), lines("persistent=2678400"),
    "virtual=4294967295\n    real=192.0.2.13 gate\n", lines("netmask=255.255.255.255"), "#" + "x" * 8191,
)  # fmt: skip


@pytest.mark.parametrize("text", BOUNDS)
def test_what_is_just_within_its_bounds(text: str) -> None:
    errors = [str(one) for one in load_cf(text).problems if one.severity.value == "error"]
    assert [one for one in errors if codes.NOTHING_TO_DO not in one] == []


@pytest.mark.parametrize(("written", "told_at"), [("3", []), ("3 ", []), ("3 # s", []), ("3s", ["1:14 CFG109"])])
def test_what_follows_a_number(written: str, told_at: list[str]) -> None:
    assert told(f"checktimeout={written}\n" + lines()) == told_at


CONTEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "checkcount": ("3", ("checktype=ping",)),
    "negotiatetimeout": ("7", ()),
    "checktimeout": ("7", ("checktype=connect",)),
    "checkinterval": ("7", ()),
    "failurecount": ("7", ()),
    "emailalertfreq": ("7", ("emailalert=a@b",)),
    "emailalertstatus": ("running", ("emailalert=a@b",)),
    "smtp": ("mx", ("emailalert=a@b",)),
    "emailalertfrom": ("c@d", ("emailalert=a@b",)),
    "servicename": ("shop", ("emailalert=a@b",)),
    "comment": ("shop", ("emailalert=a@b",)),
    "cleanstop": ("no", ()),
    "service": ("smtp", ()),
    "checkcommand": ("/bin/x", ("checktype=external",)),
    "checkport": ("81", ()),
    "httpmethod": ("HEAD", ()),
    "login": ('"x"', ("service=imap",)),
    "passwd": ('"x"', ("service=imap", 'login="x"')),
    "database": ('"x"', ("service=mysql", 'login="x"', 'request="q"')),
    "secret": ('"y"', ("service=radius", 'login="x"', 'secret="x"')),
    "netmask": ("255.0.0.0", ("persistent=5",)),
    "schedflags": ("sh-port", ("scheduler=sh",)),
    "protocol": ("udp", ("checktype=connect",)),
    "ops": ("yes", ("protocol=udp",)),
}
"""A value of a directive and what must be said beside it for the value to matter; VALUES and nothing for others."""
ALWAYS_SO = {"fork", "supervised", "readdquiescent", "logfile", "load", "execute"}


def _held(text: str) -> object:
    """All that a text asks for, without the places where it does."""
    found = read_ldirectord("ldirectord.cf", text, Reading(FilesInMemory()))
    hooks = (found.clear_table, found.on_config_change, found.maintenance_directory)
    return [one.service for one in found.services], found.autoreload, [at and at.value for at in hooks]


@pytest.mark.parametrize("name", sorted({*d.TOP, *d.SECTION} - ALWAYS_SO))
def test_every_directive_changes_what_is_asked_for(name: str) -> None:
    value, beside = CONTEXTS.get(name, (VALUES[name], ()))
    for known, text in ((d.TOP, f"{{}}{lines(*beside)}"), (d.SECTION, lines(*beside) + "    {}")):
        if name in known and (name, known is d.SECTION) != ("checkinterval", True):
            assert _held(text.format(f"{name}={value}\n")) != _held(text.format("# nothing\n")), text
