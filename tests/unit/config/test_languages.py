"""Files in other programs' languages: told by content or by word, and read when they are not UTF-8."""

from __future__ import annotations

import pytest

from config.formats import LANGUAGES, format_of, split_language, with_language
from config.load import Loaded, load
from config.model import Config
from tests.unit.config.files_in_memory import FilesInMemory

LDIRECTORD = 'checktimeout=5\nvirtual=1.1.1.12:80\n\treal=1.1.1.17:80 gate\n\tservice=http\n\trequest="/x"\n'
KEEPALIVED = (
    "virtual_server 1.1.1.12 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n"
    " real_server 1.1.1.17 80 {\n TCP_CHECK {\n}\n}\n}\n"
)
OWN = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}}\n"


def told(loaded: Loaded, code: str) -> list[str]:
    return [f"{one.file}:{one.line}:{one.column}" for one in loaded.problems if one.code == code]


def loaded(name: str, content: str | bytes) -> Loaded:
    return load([name], FilesInMemory({split_language(name)[1]: content}))


def services(found: Loaded) -> int:
    return len(found.config.services) if found.config else -1


@pytest.mark.parametrize(("language", "text"), list(zip(LANGUAGES, (LDIRECTORD, KEEPALIVED, OWN), strict=True)))
def test_a_language_that_is_said_counts(language: str, text: str) -> None:
    assert services(loaded(with_language("/etc/a", language), text)) == 1
    others = [loaded(with_language("/etc/a", other), text) for other in LANGUAGES if other != language]
    assert [services(one) for one in others] == [-1, -1]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (KEEPALIVED, "keepalived"),
        ("~SEQ(I, 1, 3) virtual_server 192.0.2.$I 80 {\n}\n", "keepalived"),
        ("$A=x\n@lb1 ~SEQx (I, 1, 3) $A\n", "keepalived"),
        ("\t~LST(I, a, b) $I\n", "keepalived"),
        (LDIRECTORD, "ldirectord"),
        (OWN, None),
        ("# ~SEQ(I, 1, 3) x\n" + OWN, None),
        ("vrrp: {lb0: ~}\n", None),
    ],
)
def test_a_language_is_told_by_what_is_written(text: str, language: str | None) -> None:
    found = format_of("/etc/a", text)
    assert (found.name if found else None) == language


def test_where_a_language_may_stand() -> None:
    assert split_language("keepalived:/a") == ("keepalived", "/a")
    assert split_language("keepalived:a") == (None, "keepalived:a")
    assert split_language("other:/a") == (None, "other:/a")
    assert with_language("/a", None) == "/a"


LATIN = [
    ("ldirectord.cf", "# caf\xe9\n" + LDIRECTORD),
    ("keepalived.conf", "! caf\xe9\n" + KEEPALIVED),
    ("ldirectord:/etc/a", "# caf\xe9\n" + LDIRECTORD),
    ("keepalived:/etc/a", "# caf\xe9\n" + KEEPALIVED),
]


@pytest.mark.parametrize(("name", "text"), LATIN)
def test_comments_in_latin_1_do_no_harm_and_are_told_once(name: str, text: str) -> None:
    found = loaded(name, text.encode("latin-1"))
    assert services(found) == 1
    assert told(found, "CFG022") == [f"{split_language(name)[1]}:1:6"]
    without = loaded(name, text)
    assert found.config == without.config
    assert told(without, "CFG022") == []


def test_comments_in_gbk_too() -> None:
    assert services(loaded("keepalived.conf", "# \u8d1f\u8f7d\n".encode("gbk") + KEEPALIVED.encode())) == 1


def test_characters_outside_of_comments_are_told_apart() -> None:
    text = LDIRECTORD + '\t# caf\xe9\n\treceive="caf\xe9"\n'
    found = loaded("ldirectord.cf", text.encode("latin-1"))
    assert told(found, "CFG022") == ["ldirectord.cf:6:7", "ldirectord.cf:7:1"]


@pytest.mark.parametrize("name", ["ldirectord.cf", "keepalived.conf", "keepalived:/etc/a", "ldirectord:/etc/a"])
@pytest.mark.parametrize("content", [b"\x7fELF\xff\0\0", b"a\0b", LDIRECTORD.encode("utf-16"), b"\0" * 100])
def test_what_is_no_text_is_refused(name: str, content: bytes) -> None:
    found = loaded(name, content)
    assert found.config is None
    assert [one.code for one in found.problems][:1] == ["CFG003"]


def test_lvsd_yaml_stays_strict() -> None:
    found = loaded("lvsd.yaml", b"# caf\xe9\n" + OWN.encode())
    assert told(found, "CFG003") == ["lvsd.yaml:1:6"]
    assert loaded("lvsd:/etc/a", b"# caf\xe9\n" + LDIRECTORD.encode()).config is None


def test_an_include_of_keepalived_in_latin_1() -> None:
    files = FilesInMemory({"keepalived.conf": "include more.conf\n", "more.conf": b"# caf\xe9\n" + KEEPALIVED.encode()})
    found = load(["keepalived.conf"], files)
    assert isinstance(found.config, Config)
    assert told(found, "CFG022") == ["more.conf:1:6"]
