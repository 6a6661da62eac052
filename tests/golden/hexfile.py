"""Annotated hexadecimal files: bytes, white space, and comments after `#`."""

from __future__ import annotations

from pathlib import Path


def read_hex(path: Path) -> bytes:
    """The bytes of the file, without its comments."""
    lines = (line.partition("#")[0] for line in path.read_text(encoding="ascii").splitlines())
    return bytes.fromhex(" ".join(lines))
