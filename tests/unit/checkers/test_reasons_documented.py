"""The catalogue of reasons and the page that explains them are the same."""

from __future__ import annotations

import re
from pathlib import Path

from checkers.core.outcome import Reason

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("errors.md",)


def documented() -> set[str]:
    text = "".join((DOCS / page).read_text() for page in PAGES if (DOCS / page).exists())
    section = text.partition("## Checks: reasons")[2].partition("\n## ")[0]
    return set(re.findall(r"(?m)^\| ([a-z_]+) \|", section)) - {"reason"}


def test_every_reason_is_explained_and_no_other() -> None:
    assert documented() == {reason.value for reason in Reason}
