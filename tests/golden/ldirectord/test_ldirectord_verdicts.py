"""Files that ldirectord itself was asked about: we accept what it accepts, and refuse at the same line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.ldirectord.read import read_ldirectord
from config.problems import Problem, Severity
from config.reading import Reading
from tests.unit.config.files_in_memory import FilesInMemory

VERDICTS = [
    (line[:12].strip(), json.loads(line[13:]))
    for line in (Path(__file__).parent / "verdicts.txt").read_text().splitlines()
    if not line.startswith("#")
]


def ours(text: str) -> tuple[str, list[Problem]]:
    """Our verdict in the golden file's words, and all problems."""
    reading = Reading(FilesInMemory())
    read_ldirectord("ldirectord.cf", text, reading)
    problems = list(reading.problems(()))
    errors = [one.line for one in problems if one.severity is Severity.ERROR]
    return (f"refused {errors[0]}" if errors else "accepted"), problems


def test_there_are_files() -> None:
    assert len(VERDICTS) > 200
    assert sum(verdict == "accepted" for verdict, _text in VERDICTS) > 100


VIRTUAL = "virtual=192.0.2.100:80\n"
BASIC = VIRTUAL + "    real=192.0.2.12:80 gate\n"
OURS_DIFFERS = {
    # an error there, none here
    BASIC + BASIC: "accepted",  # refused too, by the rules across services
    VIRTUAL: "accepted",  # the last line of a file, taken for a double: a warning that no real server is named
    'logfile="/nonexistent/x"\n': "accepted",  # no such file is opened
    BASIC + '    monitorfile="/nonexistent/m"\n': "accepted",
    # ipvsadm or the kernel would refuse it each time
    VIRTUAL + "    real=192.0.2.12:80 gate 99999999999\n": "refused 2",
    "virtual=192.0.2.100:0\n    real=192.0.2.12:0 gate\n": "refused 1",
    "virtual=0\n    real=192.0.2.12 gate\n": "refused 1",
    "virtual=0.0.0.0:80\n    real=192.0.2.12:80 gate\n": "refused 1",
    BASIC + "    scheduler=zz\n": "refused 3",
    BASIC + "    schedflags=sh-port\n": "refused 3",
    BASIC + "    persistent=0\n": "refused 3",
    # ldirectord would serve another address
    VIRTUAL + "    real=192.0.2.12::80 gate\n": "refused 2",
    VIRTUAL + "    real=x_localhost:80 gate\n": "refused 2",
    # ldirectord would end at the first answer, or send a broken request
    BASIC + '    receive="a(b"\n': "refused 3",
    BASIC + "    virtualhost=a b\n": "refused 3",
    # no such file
    'execute="foo"\n': "refused 1",
    "execute=\n": "refused 1",
}


@pytest.mark.parametrize(("verdict", "text"), VERDICTS)
def test_our_verdict_is_ldirectords(verdict: str, text: str) -> None:
    mine, problems = ours(text)
    expected = OURS_DIFFERS.get(text, verdict)
    assert mine == expected, [str(one) for one in problems]


def test_every_difference_is_one() -> None:
    theirs = {text: verdict for verdict, text in VERDICTS}
    assert [text for text, verdict in OURS_DIFFERS.items() if theirs[text] == verdict] == []
