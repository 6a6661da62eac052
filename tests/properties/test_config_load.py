"""Whatever the files hold, `load` answers with `Loaded`, says where, and keeps secrets to itself."""

from __future__ import annotations

import string
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from config import codes, shape
from config.changes import changes
from config.load import Loaded, load
from config.model import Config
from config.report import report
from config.sections import Section
from tests.unit.config.files_in_memory import FilesInMemory

ROOT = Path(__file__).parents[2]
TEXTS = [path.read_text() for path in sorted((ROOT / "examples").rglob("*.yaml"))]
TEXTS.append((ROOT / "tests/unit/config/mistakes/many.yaml").read_text())
SECRETS = {"/etc/lvsd/vrrp.secret": "8letters\n", "/etc/lvsd/mysql.secret": "monitoringPassw0rd\n"}

PIECES = st.sampled_from(
    ["\t", "\n", " ", ":", ": ", "-", "- ", "{", "}", "[", "]", '"', "'", "&a ", "*a", "!", "#", "|", ">", "%", "@",
     "~", "0", "-1", "1.1.1.12", "::1", "999999999999", "yes", "null", "<<", "\x00", "\ufeff", "\ud800", "\u2028", "é",
     "---\n", "...\n", "? ", "check", "virtual", "real_servers", "services:\n", "sh", "{file: x}", "\\", "\x1b[31m"],
)  # fmt: skip


def loaded(text: str, **others: str) -> Loaded:
    files = {"lvsd.yaml": text, **SECRETS, **{f"{name}.yaml": other for name, other in others.items()}}
    return load(["lvsd.yaml"], FilesInMemory(files))


def keeps_its_word(found: Loaded, lines: int) -> None:
    """What holds of every answer."""
    errors = [one for one in found.problems if one.severity.value == "error"]
    assert (found.config is None) == bool(errors)
    for problem in found.problems:
        assert problem.code in codes.CODES
        assert 0 <= problem.line <= lines + 2
        assert (problem.line == 0) == (problem.column == 0)
        assert len(str(problem)) < 1000
    assert all(line.isprintable() for line in report(found.problems))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with some pieces put in, taken out or written over."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


@st.composite
def shaped(draw: st.DrawFn, section: Section = shape.TOP, depth: int = 0) -> str:
    """Flow YAML of known and unknown keys in known and unknown places."""
    names = [key.name for key in section.keys] + ["web", "unknown"]
    inner: st.SearchStrategy[str] = PIECES.map(lambda piece: piece.replace("\n", " ")) | st.text(
        string.printable, max_size=8
    )
    if depth < 4:
        inner |= st.sampled_from(shape.SECTIONS).flatmap(lambda one: shaped(one, depth + 1))
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), inner), max_size=4))
    body = ", ".join(f"{name}: {value}" for name, value in pairs)
    return draw(st.sampled_from([f"{{{body}}}", f"[{{{body}}}]"])) if depth else f"{{{body}}}"


@given(st.text())
@example("\ud800")
@example("a: \x85b\n\tc")
@example("? - :\n")
@example("%YAML 1.1\n---\n")
@example("!<tag:yaml.org,2002:str> &a *a")
def test_any_text_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_heap_of_pieces_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(mutated())
def test_any_damaged_example_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(shaped())
def test_any_mapping_of_keys_is_answered(text: str) -> None:
    keeps_its_word(loaded(text), len(text))


@given(st.binary(max_size=200), st.sampled_from(TEXTS))
def test_any_bytes_in_any_file_are_answered(content: bytes, main: str) -> None:
    files: dict[str, str | bytes | Exception] = {"lvsd.yaml": main + "include: other.yaml\n", "other.yaml": content}
    files |= dict.fromkeys(SECRETS, content)
    found = load(["lvsd.yaml"], FilesInMemory(files))
    assert (found.config is None) == any(one.severity.value == "error" for one in found.problems)


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=6, max_size=12).map(
    lambda text: f"QZ{text}ZQ",
)
WRITTEN = st.sampled_from(
    ["%s", "'%s'", '"%s"', "*%s", "!%s", "&%s", "[%s]", "{%s}", "{%s: x}", "- %s", "|\n        %s", "%s: %s"],
)


@given(PASSWORDS, WRITTEN, st.sampled_from(["mysql", "imaps", "pop", "submission"]))
def test_no_problem_and_no_repr_tells_a_password(password: str, written: str, kind: str) -> None:
    value = written.replace("%s", password)
    text = (
        f"services:\n  web:\n    virtual: 1.1.1.12:80\n    check:\n      type: {kind}\n      login: x\n"
        f"      password: {value}\n"
        f"    real_servers: [1.1.1.15]\n"
    )
    found = loaded(text)
    told = "\n".join(report(found.problems)) + repr(found) + str(found)
    assert "QZ" not in told
    if found.config is not None:
        assert not any("QZ" in line for line in changes(Config(), found.config))


SETTINGS = {
    "interval": ["1s", "2s"], "timeout": ["1s", "2s"], "rise": ["2", "3"], "fall": ["4", "5"], "port": ["81", "82"],
}  # fmt: skip
LEVELS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in SETTINGS.items()})


@given(LEVELS, LEVELS, LEVELS)
def test_the_nearest_level_counts_key_by_key(
    defaults: dict[str, str], service: dict[str, str], real: dict[str, str]
) -> None:
    def flow(level: dict[str, str]) -> str:
        return "{" + ", ".join(f"{name}: {value}" for name, value in level.items()) + "}"

    nested = (
        f"defaults: {{check: {flow(defaults)}}}\nservices: {{web: {{virtual: '1.1.1.12:80', check: {flow(service)}, "
        f"real_servers: [{{address: 1.1.1.15, check: {flow(real)}}}]}}}}\n"
    )
    flat = (
        f"services: {{web: {{virtual: '1.1.1.12:80', real_servers: [{{address: 1.1.1.15, "
        f"check: {flow({**defaults, **service, **real})}}}]}}}}\n"
    )
    assert loaded(nested).problems == ()
    assert loaded(nested).config == loaded(flat).config


@given(mutated(), mutated())
def test_no_two_configurations_are_too_different_to_compare(first: str, second: str) -> None:
    old, new = loaded(first).config, loaded(second).config
    if old is not None and new is not None:
        lines = changes(old, new)
        assert bool(lines) == (old != new)


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_files_is_the_order_of_services(order: list[str]) -> None:
    files = {
        f"{name}.yaml": f"services: {{{name}: {{virtual: '1.1.1.12:{port}', real_servers: [1.1.1.15]}}}}\n"
        for port, name in enumerate("abc", 1)
    }
    found = load([f"{name}.yaml" for name in order], FilesInMemory(files)).config
    assert found is not None
    assert [one.name for one in found.services] == order
