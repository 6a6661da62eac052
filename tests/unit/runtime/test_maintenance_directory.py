"""The maintenance directory: what names mean, and what stays when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvsd.runtime import maintenance
from lvsd.runtime.maintenance import Maintenance, hosts_of, meaning

HOSTS = """
127.0.0.1 localhost
192.0.2.11  Mail1.example.net mail1   # a comment
2001:db8::11 mail1
not-an-address mail2
192.0.2.13
"""


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("192.0.2.11", {"192.0.2.11"}),
        ("192.0.2.11:80", {"192.0.2.11:80"}),
        ("192.0.2.11:080", {"192.0.2.11:80"}),
        ("2001:DB8:0::11", {"2001:db8::11"}),
        ("[2001:db8::11]", {"2001:db8::11"}),
        ("[2001:db8:0::11]:443", {"[2001:db8::11]:443"}),
        ("mail1", {"192.0.2.11", "2001:db8::11"}),
        ("MAIL1.example.net:25", {"192.0.2.11:25"}),
        ("mail1:25", {"192.0.2.11:25", "[2001:db8::11]:25"}),
        ("mail2", set()),
        ("192.0.2.11:", set()),
        ("192.0.2.11:70000", set()),
        ("192.0.2.11:-1", set()),
        ("192.0.2.11:²", set()),
        ("192.0.2.11:" + "1" * 250, set()),
        ("192.0.2.011", set()),
        ("README", set()),
        (":80", set()),
        ("\udcff", set()),
    ],
)
def test_what_a_name_means(name: str, means: set[str]) -> None:
    assert meaning(name, hosts_of(HOSTS)) == means


class Told:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        monkeypatch.setattr(maintenance, "tell", lambda _, event, **__: self.events.append(event))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return Told(monkeypatch).events


def test_files_come_and_go(tmp_path: Path, told: list[str]) -> None:
    watched = Maintenance(tmp_path / "no-hosts")
    directory = str(tmp_path)
    assert watched.look(None) == set()
    assert watched.look(directory) == set()
    (tmp_path / "192.0.2.11").touch()
    assert watched.look(directory) == {"192.0.2.11"}
    (tmp_path / "192.0.2.11").unlink()
    assert watched.look(directory) == set()
    assert told == []


def test_what_cannot_be_read_any_more_stays_as_it_was(tmp_path: Path, told: list[str]) -> None:
    directory = tmp_path / "maintenance"
    watched = Maintenance(tmp_path / "no-hosts")
    assert watched.look(str(directory)) == set()
    assert watched.look(str(directory)) == set()
    assert told == ["maintenance_not_readable"]
    directory.mkdir()
    (directory / "192.0.2.11").touch()
    assert watched.look(str(directory)) == {"192.0.2.11"}
    directory.rename(tmp_path / "away")
    for _ in range(3):
        assert watched.look(str(directory)) == {"192.0.2.11"}
    assert told == ["maintenance_not_readable"] * 2
    assert watched.look(None) == set()


def test_too_many_files_are_not_looked_at(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "NAMES_LIMIT", 3)
    watched = Maintenance(tmp_path / "no-hosts")
    (tmp_path / "192.0.2.11").touch()
    assert watched.look(str(tmp_path)) == {"192.0.2.11"}
    for number in range(3):
        (tmp_path / f"192.0.2.2{number}").touch()
    assert watched.look(str(tmp_path)) == {"192.0.2.11"}
    assert told == ["maintenance_not_readable"]


def test_a_stranger_is_told_once_and_a_hidden_file_never(tmp_path: Path, told: list[str]) -> None:
    for name in ("README", ".swp"):
        (tmp_path / name).touch()
    watched = Maintenance(tmp_path / "no-hosts")
    for _ in range(3):
        assert watched.look(str(tmp_path)) == set()
    assert told == ["maintenance_file_not_understood"]


def test_a_changed_hosts_file_counts(tmp_path: Path, told: list[str]) -> None:
    directory = tmp_path / "maintenance"
    directory.mkdir()
    (directory / "mail1").touch()
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.11 mail1\n")
    watched = Maintenance(hosts)
    assert watched.look(str(directory)) == {"192.0.2.11"}
    hosts.write_text("192.0.2.112 mail1\n")
    assert watched.look(str(directory)) == {"192.0.2.112"}
    hosts.unlink()
    assert watched.look(str(directory)) == {"192.0.2.112"}
    assert told == []
