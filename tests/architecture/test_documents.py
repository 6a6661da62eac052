"""The documents say what the code does: every event, every link, no leftovers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/lab/*.md")])
CODE = [path for package in ("lvsd", "checkers") for path in sorted((ROOT / package).rglob("*.py"))]
TOLD = re.compile(r"""[tT]ell\(\s*(?:Level\.(?:WARNING|ERROR)|"(?:warning|error)")\s*,\s*"([a-z_0-9]+)\"""")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


def told() -> set[str]:
    return {event for path in CODE for event in TOLD.findall(path.read_text())}


def test_every_warning_and_error_of_the_log_is_explained() -> None:
    events = told()
    assert len(events) >= 30  # the pattern still finds them
    page = (ROOT / "docs/errors.md").read_text().partition("## The log's warnings and errors")[2]
    explained = {event for row in re.findall(r"(?m)^\| (`[^|]+) \|", page) for event in re.findall(r"`([a-z_]+)`", row)}
    assert events - explained == set()
    code = "".join(path.read_text() for path in CODE)
    assert [event for event in explained if f'"{event}"' not in code] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, _ in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


def test_modules_that_documents_name_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"`((?:lvsd|checkers|netlink|config|tests)/[a-z_/0-9]+\.py)`", text))
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []
