"""Files in other programs' languages to the lvsd.yaml that means the same, and what is to be told of it. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config import codes
from config.changes import changes
from config.convert.comments import comments, count
from config.convert.told import Told, sort
from config.convert.tree import tree
from config.convert.yamltext import document
from config.encodings import as_latin1
from config.files import Files
from config.formats import format_of, split_language
from config.load import Loaded, load
from config.model import Config
from config.problems import Problem, Severity

_OUTPUT: Final = "(converted).yaml"


@dataclass(frozen=True, slots=True)
class Converted:
    """`text` is None when an error stands in the way; secrets stand in it as they did in the original."""

    text: str | None
    told: Told
    carried: Mapping[str, int]

    def __repr__(self) -> str:
        """Without the text: passwords are in it."""
        return f"Converted(carried={dict(self.carried)})"


def convert(names: Sequence[str], files: Files) -> Converted:
    """What the files say, as lvsd.yaml. `names` are as `config.load.load` takes them; paths had better be absolute."""
    kept = _Keeping(files)
    loaded = load(names, kept)
    own = [_already(path) for name, path in map(split_language, names) if _is_own(name, path, loaded)]
    if own or loaded.config is None:
        return Converted(None, sort((*own, *loaded.problems)), {})
    sources = {path: text for path, text in kept.texts.items() if path in _named(loaded)}
    carried = comments(sources, loaded.places)
    text = document(tree(loaded.config), carried)
    wrong = _differences(loaded.config, text, names, files)
    if wrong:
        return Converted(None, sort((*wrong, *loaded.problems)), {})
    return Converted(text, sort(loaded.problems), _counts(loaded.config, count(carried)))


def _is_own(language: str | None, path: str, loaded: Loaded) -> bool:
    text = loaded.sources.get(posixpath.normpath(path))
    return text is not None and format_of(path, text, language) is None


def _already(path: str) -> Problem:
    hint = "--from tells the language if it was not recognized"
    return Problem(codes.NOT_CONVERTED, path, 0, 0, "this is neither a ldirectord.cf nor a keepalived.conf", hint)


def _named(loaded: Loaded) -> set[str]:
    """The files things stand in: those of the command line and what they include, not what they look into."""
    return {*loaded.sources, *(place.file for place in loaded.places.values())}


def _differences(config: Config, text: str, names: Sequence[str], files: Files) -> list[Problem]:
    """The text, read, has to be the same configuration: whatever happens, nothing else is handed out."""
    again = load([_OUTPUT], _Beside(files, text))
    if again.config == config:
        return []
    file = split_language(names[0])[1]
    if again.config is None:
        lines = [one.message for one in again.problems if one.severity is Severity.ERROR]
    else:
        lines = list(changes(config, again.config))
    return [
        Problem(codes.NOT_CONVERTED, file, 0, 0, f"lvsd.yaml cannot say all of this: {line}", "run the file as it is")
        for line in lines or ["the order of things"]
    ]


def _counts(config: Config, comment_lines: int) -> dict[str, int]:
    return {
        "services": len(config.services),
        "real_servers": sum(len(one.real_servers) for one in config.services),
        "vrrp_instances": len(config.vrrp),
        "comment_lines": comment_lines,
    }


class _Keeping:
    """Reads through another reader and keeps the texts, also of files that are not UTF-8."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.texts: dict[str, str] = {}

    def read(self, path: str) -> str:
        try:
            self.texts[path] = text = self._files.read(path)
        except UnicodeDecodeError as error:
            self.texts[path] = as_latin1(error) or ""
            raise
        return text

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        return self._files.glob(pattern, relative_to)

    def environ(self, name: str) -> str | None:
        return self._files.environ(name)

    def exposed(self, path: str) -> bool:
        return self._files.exposed(path)


class _Beside(_Keeping):
    """The converted text among the files it names."""

    def __init__(self, files: Files, text: str) -> None:
        super().__init__(files)
        self._text = text

    def read(self, path: str) -> str:
        return self._text if path == _OUTPUT else self._files.read(path)

    def exposed(self, path: str) -> bool:
        return path != _OUTPUT and self._files.exposed(path)
