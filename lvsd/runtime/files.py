"""The configuration's files and environment, read with limits; files of ours, written whole."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.files import FileTooLarge

SIZE_LIMIT_BYTES: Final = 16 * 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024


class SystemFiles:
    """`config.files.Files` on this machine."""

    def read(self, path: str) -> str:
        """The text of a regular file, read once, `SIZE_LIMIT_BYTES` at most.

        Raises OSError (also for what is not a regular file), UnicodeDecodeError and FileTooLarge.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hold us up
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
                raise OSError(number, "is a directory" if stat.S_ISDIR(mode) else "is not a regular file", path)
            content = _content(descriptor)
        finally:
            os.close(descriptor)
        if len(content) > SIZE_LIMIT_BYTES:
            raise FileTooLarge(path, SIZE_LIMIT_BYTES)
        return content.decode()

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        """The files that match, sorted; hidden ones only where the pattern names the dot."""
        return sorted(glob.glob(str(Path(relative_to).parent / pattern)))  # noqa: PTH207  # Path.glob refuses absolute ones

    def environ(self, name: str) -> str | None:
        """An environment variable."""
        return os.environ.get(name)

    def exposed(self, path: str) -> bool:
        """Whether others than the file's owner and group may read it."""
        try:
            return bool(Path(path).stat().st_mode & stat.S_IROTH)
        except OSError:
            return False


def _content(descriptor: int) -> bytes:
    """All there is, or a little more than the limit: memory is asked for as the file turns out to need it."""
    content = bytearray()
    while len(content) <= SIZE_LIMIT_BYTES and (chunk := os.read(descriptor, CHUNK_BYTES)):
        content += chunk
    return bytes(content)


def write_private(path: Path, text: str, *, replace: bool) -> None:
    """Write a file whole or not at all, readable by its owner alone.

    Raises OSError, which is FileExistsError unless what is there may be replaced.
    """
    import tempfile  # a start of the service must not wait for it

    descriptor, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(staged, path)  # noqa: PTH105  beside os.link
        else:
            os.link(staged, path)  # refuses what is there, also what came there just now
    finally:
        Path(staged).unlink(missing_ok=True)
