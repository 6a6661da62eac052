"""Sysctls as files: read, written, and what goes wrong with them."""

from __future__ import annotations

from pathlib import Path

from lvsd.core.events import SysctlsApplied, SysctlsRead
from lvsd.runtime.sysctls import apply, read


def test_numbers_are_read_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "conn_reuse_mode").write_text("1\n")
    (tmp_path / "sloppy_tcp").write_text("words\n")
    found = read(("conn_reuse_mode", "sloppy_tcp", "expire_nodest_conn"), tmp_path)
    errors = {"sloppy_tcp": "not a number", "expire_nodest_conn": "No such file or directory"}
    assert found == SysctlsRead({"conn_reuse_mode": 1}, errors)


def test_numbers_are_written_and_no_file_is_made(tmp_path: Path) -> None:
    (tmp_path / "conn_reuse_mode").write_text("1\n")
    answer = apply({"conn_reuse_mode": 0, "sloppy_tcp": 1}, tmp_path)
    assert answer == SysctlsApplied(
        {"conn_reuse_mode": 0, "sloppy_tcp": 1}, {"sloppy_tcp": "No such file or directory"}
    )
    assert (tmp_path / "conn_reuse_mode").read_text() == "0\n"
    assert not (tmp_path / "sloppy_tcp").exists()
