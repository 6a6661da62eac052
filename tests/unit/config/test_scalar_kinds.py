"""Single values: what is taken, what is refused, with which words."""

from __future__ import annotations

import warnings

import pytest

from config import codes, shape_checks, shape_vrrp
from config.nodes import Meaning, Node, Place, Scalar, Sequence, meaning
from config.problems import Problem
from config.reading import Reading, nearest, shown
from config.scalars import Boolean, Duration, Integer, Kind, Regex, Text, Word, duration_words
from tests.unit.config.files_in_memory import FilesInMemory

HERE = Place("f", 1, 1)


def plain(text: str) -> Scalar:
    return Scalar(text, plain=True, place=HERE)


def quoted(text: str) -> Scalar:
    return Scalar(text, plain=False, place=HERE)


def read(kind: Kind[object], node: Node | str) -> object:
    """The value, or the one problem."""
    reading = Reading(FilesInMemory())
    found = kind.read(plain(node) if isinstance(node, str) else node, reading)
    problems = reading.problems(())
    if found is not None:
        assert problems == ()
        assert found.place == HERE
        return found.value
    (problem,) = problems
    return problem


def code(kind: Kind[object], node: Node | str) -> str:
    problem = read(kind, node)
    assert isinstance(problem, Problem)
    return problem.code


def hint(kind: Kind[object], node: Node | str) -> str:
    problem = read(kind, node)
    assert isinstance(problem, Problem)
    return problem.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Meaning.NULL), ("~", Meaning.NULL), ("null", Meaning.NULL),
        ("yes", Meaning.BOOLEAN), ("Off", Meaning.BOOLEAN), ("TRUE", Meaning.BOOLEAN),
        ("12", Meaning.NUMBER), ("-1.5e3", Meaning.NUMBER), ("0x1F", Meaning.NUMBER), ("010", Meaning.NUMBER),
        ("1_000", Meaning.NUMBER), (".5", Meaning.NUMBER), (".inf", Meaning.NUMBER), (".nan", Meaning.NUMBER),
        ("22:22", Meaning.SEXAGESIMAL), ("1:30:00", Meaning.SEXAGESIMAL),
        ("1.1.1.12", Meaning.TEXT), ("1.1.1.12:80", Meaning.TEXT), ("5s", Meaning.TEXT), ("none", Meaning.TEXT),
        ("22:99", Meaning.TEXT), ("1" * 65, Meaning.TEXT),
    ],
)  # fmt: skip
def test_what_yaml_takes_a_bare_word_for(text: str, expected: Meaning) -> None:
    assert meaning(plain(text)) is expected
    assert meaning(quoted(text)) is Meaning.TEXT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0), ("200ms", 0.2), ("2m", 120.0), ("1h", 3600.0), ("1d", 86400.0), ("5", 5.0), ("0.5", 0.5),
        ("1.5m", 90.0), ("0", 0.0),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert read(Duration(0, 86400), text) == seconds
    assert read(Duration(0, 86400), quoted(text)) == seconds


@pytest.mark.parametrize(
    "text", ["5 s", "5sec", "1m30s", "-5s", "5S", ".5", "1e3", "s", "\u0665s", "9999999999s", "1:30"]
)
def test_what_is_no_duration(text: str) -> None:
    assert code(Duration(0, 86400), text) == codes.MALFORMED


def test_a_duration_to_the_base_60_is_explained() -> None:
    assert "base 60" in hint(Duration(0, 86400), "1:30")
    assert "base 60" not in hint(Duration(0, 86400), "1m30s")


def test_durations_have_a_range() -> None:
    kind = Duration(0.1, 60)
    assert read(kind, "100ms") == 0.1
    assert read(kind, "1m") == 60
    assert code(kind, "99ms") == codes.OUT_OF_RANGE
    assert hint(kind, "61") == "from 100ms to 1m"


def test_whole_seconds() -> None:
    kind = Duration(1, 255, whole_seconds=True)
    assert read(kind, "2s") == 2
    assert code(kind, "1500ms") == codes.OUT_OF_RANGE


@pytest.mark.parametrize("node", [plain("true"), plain("~"), Sequence((), HERE)])
def test_other_types_are_no_duration(node: Node) -> None:
    assert code(Duration(0, 60), node) == codes.WRONG_TYPE


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "5s"),
        (0.2, "200ms"),
        (90, "90s"),
        (120, "2m"),
        (7200, "2h"),
        (86400, "1d"),
        (1.5, "1.5s"),
        (0, "0s"),
        (0.0005, "0.5ms"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_whole_numbers() -> None:
    assert read(Integer(-5, 5), "-5") == -5
    assert read(Integer(0, 5), "0") == 0
    assert read(Integer(0, 5), "5") == 5
    assert code(Integer(0, 5), "6") == codes.OUT_OF_RANGE
    assert code(Integer(0, 5), "-1") == codes.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (plain("010"), "octal"), (plain("0x1f"), "decimal"), (plain("0b1"), "decimal"), (plain("22:22"), "base 60"),
        (plain("1_000"), "digits alone"), (plain("5.0"), "fraction"), (quoted("5"), "remove the quotes"),
        (plain("five"), ""), (plain("1" * 20), "digits alone"),
    ],
)  # fmt: skip
def test_numbers_written_otherwise_are_explained(node: Scalar, word: str) -> None:
    assert code(Integer(0, 99), node) == codes.WRONG_TYPE
    assert word in hint(Integer(0, 99), node)


@pytest.mark.parametrize("text", ["yes", "~"])
def test_other_types_are_no_number(text: str) -> None:
    assert code(Integer(0, 5), text) == codes.WRONG_TYPE


def test_booleans() -> None:
    assert read(Boolean(), "true") is True
    assert read(Boolean(), "False") is False


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (plain("yes"), "write true"), (plain("off"), "write false"), (quoted("true"), "write true, without quotes"),
        (plain("1"), "write true or false"), (Sequence((), HERE), "write true or false"),
    ],
)  # fmt: skip
def test_other_booleans_are_refused_with_the_right_word(node: Node, word: str) -> None:
    assert code(Boolean(), node) == codes.WRONG_TYPE
    assert hint(Boolean(), node).startswith(word)


def test_words_in_either_case() -> None:
    kind = Word("a thing", {"one": 1, "two": 2})
    assert read(kind, "TWO") == 2
    assert code(kind, "three") == codes.UNKNOWN_WORD
    assert hint(kind, "onee") == "did you mean `one`?"
    assert hint(kind, "xyz") == "one of: one, two"
    assert code(kind, Sequence((), HERE)) == codes.WRONG_TYPE
    assert code(kind, "x" * 100_000) == codes.UNKNOWN_WORD


def test_only_the_recommended_words_are_recommended() -> None:
    assert hint(Word("a thing", {"one": 1, "eins": 1}, ("one",)), "xyz") == "one of: one"


def test_texts() -> None:
    assert read(Text(), "a b") == "a b"
    assert read(Text(), quoted("")) == ""
    assert code(Text(), "12") == codes.NOT_QUOTED
    assert read(Text(), quoted("12")) == "12"
    assert code(Text(), Sequence((), HERE)) == codes.WRONG_TYPE


def test_texts_are_limited_in_bytes() -> None:
    assert read(Text(limit_bytes=4), "éé") == "éé"
    assert code(Text(limit_bytes=4), "ééa") == codes.TOO_LARGE


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "a\tb", "a\x1b[0m", "a\u202eb", "\ud800"])
def test_texts_hold_no_control_characters(text: str) -> None:
    assert code(Text(), quoted(text)) == codes.MALFORMED


def test_some_texts_have_several_lines() -> None:
    assert read(Text(several_lines=True), quoted("a\n\tb")) == "a\n\tb"
    assert code(Text(several_lines=True), quoted("a\rb")) == codes.MALFORMED


def test_a_pattern_is_for_the_whole_text() -> None:
    assert read(Text(pattern="a+"), "aa") == "aa"
    assert code(Text(pattern="a+"), "aab") == codes.MALFORMED
    assert code(Text(pattern="a+"), quoted("aa\n")) == codes.MALFORMED


def test_regular_expressions() -> None:
    assert read(Regex(), "^a+$") == "^a+$"
    assert read(Regex(), quoted("a\nb")) == "a\nb"


@pytest.mark.parametrize("text", ["(", "*a", "[[a]", "a{99999999999999999999}", "(?<n", "\\"])
def test_what_is_no_regular_expression(text: str) -> None:
    assert code(Regex(), quoted(text)) == codes.BAD_REGEX


def test_an_ambiguous_regular_expression_is_refused_whatever_python_does_with_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert code(Regex(), "[[a]") == codes.BAD_REGEX


def test_what_is_shown_is_cut_and_harmless() -> None:
    assert shown("a\x1b[31m\nb") == "`a\\x1b[31m\\x0ab`"
    assert shown("x" * 61) == "`" + "x" * 60 + "...`"
    assert shown("x" * 60) == "`" + "x" * 60 + "`"


def test_the_nearest_word() -> None:
    assert nearest("intervall", ["interval", "timeout"]) == "interval"
    assert nearest("INTERVAL", ["interval", "timeout"]) == "interval"
    assert nearest("zzz", ["interval", "timeout"]) is None


@pytest.mark.parametrize("name", ["eth0", "bond0.100", "br-lan", "veth1@if2", "enp0s31f6", "a" * 15])
def test_interface_names(name: str) -> None:
    assert read(shape_vrrp.VRRP_INTERFACE.kind, name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 16, "a/b", "a b", "eth0:1"])
def test_what_is_no_interface_name(name: str) -> None:
    assert code(shape_vrrp.VRRP_INTERFACE.kind, quoted(name)) == codes.MALFORMED


@pytest.mark.parametrize("path", ["/", "/ldirectord.txt", "/a?b=c#d", "/ü"])
def test_paths_of_pages(path: str) -> None:
    assert read(shape_checks.PATH.kind, path) == path


@pytest.mark.parametrize("path", ["/a\r\nHost: evil", "a\0"])
def test_what_is_no_path_of_anything(path: str) -> None:
    assert code(shape_checks.PATH.kind, quoted(path)) == codes.MALFORMED


@pytest.mark.parametrize("host", ["www.example.net", "www.example.net:8080", "1.1.1.12", "[2001:db8::1]:443", "_x"])
def test_virtual_hosts(host: str) -> None:
    assert read(shape_checks.VIRTUAL_HOST.kind, host) == host


@pytest.mark.parametrize("host", ["", "-x", "a b", "a/b", "a:b", "a\nb", "a@b", "x:"])
def test_what_is_no_virtual_host(host: str) -> None:
    assert code(shape_checks.VIRTUAL_HOST.kind, quoted(host)) == codes.MALFORMED
