"""Which of the configuration's files have changed on disk: a cheap look each second, a closer one where it pays.

A file counts as changed when its content is another and it has lain still for a second: an editor may be half-way
through writing it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from config.files import Files, FileTooLarge
from lvsd.runtime.store import Snapshot

Signature = tuple[int, int, int] | None
"""Modification time, size and inode; None where there is no file to look at."""

_WILDCARDS = frozenset("*?[")
_UNREADABLE = "unreadable"


class ConfigWatch:
    """Remembers what was read and finds what is different. `look` only stats; `changed` reads."""

    def __init__(self, files: Files) -> None:
        """Watch nothing yet. `files` reads and matches."""
        self._files = files
        self._contents: dict[str, str] = {}
        self._globs: dict[str, list[str]] = {}
        self._known: dict[str, Signature] = {}
        self._seen: dict[str, Signature] = {}
        self._files_seen: dict[str, Signature] = {}

    def remember(self, snapshot: Snapshot, missed: Iterable[str], *, accepted: bool) -> tuple[str, ...]:
        """What was read just now: the files among it whose content is another than remembered.

        What was refused may not have been read to its end: what is known from before stays watched then.
        """
        contents = {path: _digest(text) for path, text in snapshot.reads.items()} | dict.fromkeys(missed, _UNREADABLE)
        contents |= {path: hashlib.sha256(content).hexdigest() for path, content in snapshot.raw.items()}
        globs = {key: list(names) for key, names in snapshot.globs.items()}
        found = tuple(path for path, digest in contents.items() if self._contents.get(path) != digest)
        self._contents = contents if accepted else {**self._contents, **contents}
        self._globs = globs if accepted else {**self._globs, **globs}
        self._known, self._seen, self._files_seen = {}, {}, {}
        return found

    def look(self) -> bool:
        """Whether something looks different from when it was compared last, and no file has moved since the last look.

        A folder may be restless for reasons of its own; files that have come to match in it have to lie still too.
        """
        folders = {key: _signature(_folder(key)) for key in self._globs}
        restless = [key for key, signature in folders.items() if signature != self._known.get(key)]
        newcomers = [path for key in restless for path in self._matching(key)]
        files = {path: _signature(path) for path in (*self._contents, *newcomers)}
        still = files == self._files_seen
        self._files_seen, self._seen = files, {**files, **folders}
        return still and any(signature != self._known.get(place) for place, signature in self._seen.items())

    def changed(self) -> tuple[str, ...]:
        """The files whose content is another than remembered, now remembered. Reads; may run in a thread."""
        found = []
        before = dict(self._seen)  # from before the reading: what changes meanwhile is seen at the next look
        for path, digest in self._contents.items():
            now = self._digest_of(path)
            if now != digest:
                self._contents[path] = now
                found.append(path)
        for key, names in self._globs.items():
            now_there = self._matching(key)
            if now_there != names:
                found.extend(sorted({*names} ^ {*now_there}))
                self._globs[key] = now_there
        self._known = before
        return tuple(dict.fromkeys(found))

    def _digest_of(self, path: str) -> str:
        try:
            return _digest(self._files.read(path))
        except UnicodeDecodeError as error:
            return hashlib.sha256(error.object).hexdigest()
        except (OSError, FileTooLarge):
            return _UNREADABLE

    def _matching(self, key: str) -> list[str]:
        relative_to, pattern = key.split("\n", 1)
        try:
            return list(self._files.glob(pattern, relative_to))
        except OSError:
            return []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _signature(path: str) -> Signature:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _folder(key: str) -> str:
    """The folder whose change tells that other files may match: the last one without wildcards."""
    relative_to, pattern = key.split("\n", 1)
    folder = (Path(relative_to).parent / pattern).parent
    while _WILDCARDS & set(str(folder)):
        folder = folder.parent
    return str(folder)
