"""Reports of drills as they are kept, and what clients saw laid beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from lvsd.ctl.asking import as_json
from lvsd.drill.observation import FILE_LIMIT_BYTES, Observation, overlaps, within
from lvsd.drill.report import Report, text

KEPT_MODE = 0o600
FOLDER = "drills"


class Unfit(Exception):
    """A file that is no observation, or that fits no report."""


def keep(report: Report, state_dir: Path) -> None:
    """In text and JSON, named by the moment. Raises OSError."""
    folder = state_dir / FOLDER
    name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(report.began))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, content in ((folder / f"{name}.json", as_json(report)), (folder / f"{name}.txt", text(report))):
        with suppress(FileExistsError):
            path.touch(KEPT_MODE, exist_ok=False)
        path.write_text(content)


def merged(files: tuple[Path, ...], state_dir: Path) -> Report:
    """The last report that these were there for, with what they saw; what an earlier merge said of them is replaced.

    Raises Unfit, OSError.
    """
    found = [_observation(path) for path in files]
    for report in _kept(state_dir):
        ended = report.ended or report.began
        if report.there and all(overlaps(one, report.began, ended) for one in found):
            nodes = {one.node for one in found}
            others = tuple(one for one in report.observed if one.node not in nodes)
            seen = tuple(row for one in found for row in within(one, report.began, ended))
            return msgspec.structs.replace(report, observed=(*others, *seen))
    text_of_it = f"no drill kept in {state_dir / FOLDER} took place while {' and '.join(map(str, files))} was seen"
    raise Unfit(text_of_it)


def _observation(path: Path) -> Observation:
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        text_of_it = f"{path}: more than {FILE_LIMIT_BYTES} bytes"
        raise Unfit(text_of_it)
    try:
        return msgspec.json.decode(content, type=Observation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text_of_it = f"{path}: not written by `lvsctl drill watch`: {error}"
        raise Unfit(text_of_it) from error


def _kept(state_dir: Path) -> Iterator[Report]:
    """The newest first; one that another version wrote is passed over."""
    for path in sorted((state_dir / FOLDER).glob("*.json"), reverse=True):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield msgspec.json.decode(path.read_bytes(), type=Report)
