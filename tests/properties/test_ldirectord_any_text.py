"""Whatever an ldirectord.cf holds, `load` answers with `Loaded`, says where, and keeps secrets to itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.ldirectord import directives as d
from config.ldirectord.lines import split_lines
from config.load import Loaded, load
from config.reading import Reading
from config.report import report
from tests.properties.test_config_load import keeps_its_word
from tests.unit.config.files_in_memory import FilesInMemory

GOLDEN = Path(__file__).parents[1] / "golden/ldirectord"
TEXTS = [
    path.read_bytes().decode()
    for path in (GOLDEN / "guide.cf", *sorted(GOLDEN.glob("wild/*.cf")))
    if path.stem not in ("latin1", "gbk")
]

PIECES = st.sampled_from(
    ["\t", "\n", " ", "    ", "=", " = ", '"', "#", "->", ":", "[", "]", "0", "-1", "1.1.1.12", "255.255.255.0", "::1",
     "9999999999999999", "yes", "no", "gate", "masq", "l:5", "u:1", "\x00", "\ufeff", "\ud800", "é", "\r", "\x1b[31m",
     "²", "٣", "virtual=", "virtual6=", "virtual=1.1.1.12:80\n", "virtual=7\n", "    real=1.1.1.15:80 gate\n",
     "    receive=\"(\"\n", "    checktype=external\n", "localhost", "\\", "1.0.0.0->9.9.9.9:80", "é=é"],
) | st.sampled_from([*d.TOP, *d.SECTION, *d.SERVER_LINES, *d.SERVICES, *d.CHECK_TYPES])  # fmt: skip


def loaded(text: str | bytes) -> Loaded:
    return load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": text}))


@given(st.text())
@example("\ud800")
@example("virtual=1.1.1.12:80\n    real=²:80 gate\n")
def test_any_text_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_heap_of_pieces_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(
    st.lists(
        st.tuples(st.sampled_from([*d.TOP, *d.SECTION, *d.SERVER_LINES]), st.text(max_size=12) | PIECES), max_size=8
    )
)
def test_any_value_of_any_directive_is_answered(pairs: list[tuple[str, str]]) -> None:
    lines = [f"{name}={value}\n" for name, value in pairs]
    text = "".join(lines) + "virtual=1.1.1.12:80\n" + "".join("    " + line for line in lines)
    keeps_its_word(loaded(text), len(text))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


@given(damaged())
def test_any_damaged_file_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(damaged() | st.lists(PIECES, max_size=40).map("".join))
@example(TEXTS[0])
def test_no_line_is_lost(text: str) -> None:
    """Each line is a comment, stands in its context, or is told, alone or with those it follows."""
    reading = Reading(FilesInMemory())
    found = split_lines("ldirectord.cf", text, reading)
    placed = {line.place.line for line in (*found.top, *(line for section in found.sections for line in section))}
    told = {problem.line for problem in reading.problems(())}
    open_stray = False
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip(" \t") or raw.lstrip().startswith("#") or not raw.strip():
            continue
        open_stray = number not in placed and (open_stray or number in told)
        assert number in placed or number in told or open_stray


@given(damaged())
def test_what_is_read_is_carried_or_told(text: str) -> None:
    """Each directive has a value that counts, or a problem; no later line takes its place in silence."""
    reading = Reading(FilesInMemory())
    found = split_lines("ldirectord.cf", text, reading)
    parts = [(found.top, d.TOP), *((section[1:], d.SECTION) for section in found.sections)]
    values = [(lines, d.read_directives(lines, known, reading)) for lines, known in parts]
    told = {problem.line for problem in reading.problems(())}
    for lines, said in values:
        twice = Counter(line.name for line in lines)
        for line in lines:
            if line.name in (*d.SERVER_LINES, d.EXECUTE.name) and line.value is not None:
                continue
            at = said.values.get(line.name)
            counts = at is not None and at.place == line.value_place
            assert counts or line.place.line in told or twice[line.name] > 1 or reading.full


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content: bytes) -> None:
    found = loaded(content)
    assert (found.config is None) == any(one.severity.value == "error" for one in found.problems)


HUGE = {
    "one line of 10 MB": "x" * 10_000_000,
    "a value of 10 MB": "virtual=1.1.1.12:80\n    real=" + "1" * 10_000_000,
    "blanks": " " * 10_000_000,
    "quotes": 'virtual=1.1.1.12:80\n    real=1.1.1.15:80 gate "' + '" "' * 3_000_000,
    "many short lines": "virtual=x\n" * 1_000_000,
    "empty lines": "\n" * 10_000_000,
    "ranges": "virtual=1.1.1.12:80\n" + "    real=10.0.0.0->10.255.255.255:80 gate\n" * 1000,
    "wide ranges": "virtual=1.1.1.12:80\n" + "    real=10.0.0.0->10.0.15.255:80 gate\n" * 1000,
    "nothing printable": "\x00\x01\x02\n" * 1_000_000,
    "names": "virtual=1.1.1.12:80\n" + "    real=db:80 gate\n" * 10_000,
    "hints": "\n".join(f"virtuel{number}=x" for number in range(100_000)),
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_what_is_no_configuration_is_told(text: str) -> None:
    found = loaded(text)
    assert found.config is None
    assert found.problems


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=6, max_size=12)
WRITTEN = st.sampled_from(
    ['passwd="%s"', "passwd=%s", 'pasword="%s"', 'passwd "%s"', "passwd='%s'", 'passwd="%s', 'Passwd="%s"',
     'passwd =%s"', 'secret=%s', 'passwd="%s" %s'],
)  # fmt: skip


@given(PASSWORDS, WRITTEN, st.sampled_from(["mysql", "imaps", "pop", "http"]), st.sampled_from(["    ", "", "  "]))
def test_no_problem_and_no_repr_tells_a_password(password: str, written: str, service: str, indent: str) -> None:
    text = f'virtual=1.1.1.12:80\n    real=1.1.1.15:80 gate\n    service={service}\n    login="x"\n    request="q"\n'
    found = loaded(text + indent + written.replace("%s", f"QZ{password}ZQ") + "\n")
    told = "\n".join(report(found.problems)) + repr(found) + str(found)
    assert "QZ" not in told
