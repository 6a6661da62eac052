"""Files of other programs to lvsd.yaml: how it is written, which comments come along, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.convert.convert import Converted, convert
from config.convert.report import as_lines, as_object
from config.convert.yamltext import scalar
from config.load import load
from tests.unit.config.files_in_memory import FilesInMemory

ROOT = Path(__file__).parents[4]
WILD = sorted(
    path
    for pattern in ("ldirectord/wild/*.cf", "ldirectord/*.cf", "keepalived/wild/*.conf", "keepalived/*.conf")
    for path in (ROOT / "tests/golden").glob(pattern)
)

MAIL = """# The mail farm
# of the north

checktimeout = 3
checkinterval = 5
quiescent = no

# webmail
virtual = 1.1.1.12:80
\treal = 1.1.1.17:80 gate
\treal = 1.1.1.18:80 gate 2
\t# retired: 1.1.1.19
\tservice = http
\trequest = "/up"
\treceive = "ok"

# mailboxes
virtual = 1.1.1.12:143
\treal = 1.1.1.17:143 gate
\tservice = imap
\tlogin = "probe"
\tpasswd = "it's 1: 'no'"
"""


def converted(text: str, name: str = "ldirectord.cf", **others: str | bytes) -> Converted:
    return convert([name], FilesInMemory({name: text, **others}))


def test_it_reads_as_a_person_would_write_it() -> None:
    text = converted(MAIL).text
    assert text is not None
    assert text.splitlines()[:3] == ["# The mail farm", "# of the north", ""]
    web, imap = text.index("  # webmail\n  # retired: 1.1.1.19\n"), text.index("  # mailboxes\n")
    assert web < text.index("virtual: 1.1.1.12:80") < imap < text.index("virtual: 1.1.1.12:143")
    assert "    real_servers:\n      - 1.1.1.17\n      - {address: 1.1.1.18, weight: 2}\n" in text
    assert "check: {type: http, path: /up, receive: ok" in text


def test_the_same_configuration_comes_of_it() -> None:
    found = converted(MAIL)
    assert found.text is not None
    original = load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": MAIL})).config
    assert load(["x.yaml"], FilesInMemory({"x.yaml": found.text})).config == original
    assert found.carried == {"services": 2, "real_servers": 3, "vrrp_instances": 0, "comment_lines": 5}


def test_passwords_are_written_and_shown_nowhere_else() -> None:
    found = converted(MAIL)
    assert found.text is not None
    assert "it's 1" in found.text
    assert "it's 1" not in repr(found) + "\n".join(as_lines(found)) + str(as_object(found))


def test_what_is_told_is_sorted() -> None:
    found = converted('logfile = "/var/log/x"\n' + MAIL)
    lines = list(as_lines(found))
    assert lines[0] == "carried over: 2 services, 3 real servers, 0 VRRP instances, 5 comment lines"
    assert any(line.startswith("not carried over: ") for line in lines)
    assert any(line.startswith("  ldirectord.cf:1:1: warning: logfile") for line in lines)
    left = as_object(found)["not_carried"]
    assert isinstance(left, list)
    assert left[0]["line"] == 1


def test_keepalived_with_comments_and_an_include() -> None:
    text = (
        "! the pair\n\nglobal_defs {\n # who we are\n router_id LB1\n}\n\n# the address\nvrrp_instance VI_1 {\n"
        " interface eth0\n virtual_router_id 7\n # it moves\n virtual_ipaddress {\n  1.1.1.12/24\n }\n}\n"
        "include more.conf\n"
    )
    more = (
        "# web\nvirtual_server 1.1.1.12 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n real_server 1.1.1.17 80 {\n"
        "  # quick\n  TCP_CHECK {\n   connect_timeout 1\n  }\n }\n}\n"
    )
    found = converted(text, "keepalived.conf", **{"more.conf": more})
    assert found.text is not None
    assert found.text.startswith("# the pair\n#\n# who we are\n\n")
    assert "vrrp:\n  # the address\n  # it moves\n  VI_1:\n" in found.text
    assert "services:\n  # web\n  # quick\n" in found.text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lvsd.yaml", "services: {a: {virtual: '1.1.1.1:80', real_servers: []}}", "neither a ldirectord.cf"),
        ("ldirectord.cf", "virtual = nonsense\n", "CFG1"),
        ("ldirectord.cf", "", "neither a service nor"),
    ],
)
def test_nothing_comes_of_an_error(name: str, text: str, message: str) -> None:
    found = converted(text, name)
    assert found.text is None
    assert found.told.errors
    assert any(message in str(problem) for problem in found.told.errors)


def test_comments_in_other_encodings_come_along() -> None:
    found = convert(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": b"# caf\xe9 \x1b[31m\n\n" + MAIL.encode()}))
    assert found.text is not None
    assert found.text.startswith("# caf\xe9  [31m\n")


@pytest.mark.parametrize("path", WILD, ids=lambda path: path.name)
def test_every_file_that_loads_converts_to_the_same(path: Path) -> None:
    files = FilesInMemory({str(path): path.read_bytes()} | _hosts())
    loaded = load([str(path)], files)
    found = convert([str(path)], files)
    if loaded.config is None:
        assert found.text is None
        return
    assert found.text is not None, found.told.errors
    assert load(["/x.yaml"], FilesInMemory({"/x.yaml": found.text})).config == loaded.config


def _hosts() -> dict[str, str | bytes | Exception]:
    """What files in the wild look names up in."""
    return {"/etc/hosts": "127.0.0.1 localhost\n", "/etc/services": Path("/etc/services").read_text()}


@pytest.mark.parametrize(
    ("value", "block", "flow"),
    [
        ("web", "web", "web"),
        ("1.1.1.12:80", "1.1.1.12:80", '"1.1.1.12:80"'),
        ("[2001:db8::1]:80", '"[2001:db8::1]:80"', '"[2001:db8::1]:80"'),
        ("12:30", '"12:30"', '"12:30"'),
        ("no", '"no"', '"no"'),
        ("a b", "a b", "a b"),
        ("a: b", '"a: b"', '"a: b"'),
        ("a, b", '"a, b"', '"a, b"'),
        ("\\d+ ok", "'\\d+ ok'", "'\\d+ ok'"),
        ("it's", '"it\'s"', '"it\'s"'),
        ("a\r\nb\0", '"a\\r\\nb\\0"', '"a\\r\\nb\\0"'),
        ("\u2028", '"\\U00002028"', '"\\U00002028"'),
        ("", '""', '""'),
        (5, "5", "5"),
        (True, "true", "true"),
    ],
)
def test_single_values(value: str | int, block: str, flow: str) -> None:
    assert (scalar(value), scalar(value, flow=True)) == (block, flow)
