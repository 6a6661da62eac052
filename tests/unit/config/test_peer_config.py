"""How balancers look at each other: `daemon: peer`."""

from __future__ import annotations

import pytest

from config.changes import changes
from config.convert.system import daemon_keys
from config.model import Peering
from config.secret import Secret
from tests.unit.config.files_in_memory import codes_of, good

WEB = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.15]}}\n"
SECRET = "0123456789abcdef"


def written(peer: str) -> str:
    return f"{WEB}daemon: {{peer: {peer}}}\n"


def test_who_answers_and_who_is_asked() -> None:
    peer = f'{{listen: "10.0.0.1:8853", peers: "[2001:db8::2]:8853", secret: {SECRET}}}'
    found = good(written(peer)).daemon.peer
    assert found == Peering(Secret(SECRET), ("10.0.0.1", 8853), (("2001:db8::2", 8853),))
    assert good(written(f"{{secret: {SECRET}}}")).daemon.peer == Peering(Secret(SECRET))
    assert good(WEB).daemon.peer is None


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        ("{secret: 0123456789abcde}", "CFG017"),
        ('{listen: "10.0.0.1:8853"}', "CFG012"),
        (f"{{listen: 10.0.0.1, secret: {SECRET}}}", "CFG017"),
        (f"{{peers: [lb2:8853], secret: {SECRET}}}", "CFG017"),
        (f"{{sercet: {SECRET}, secret: {SECRET}}}", "CFG010"),
    ],
)
def test_rules(peer: str, code: str) -> None:
    assert [one.split()[1] for one in codes_of(written(peer))] == [code]


def test_it_is_written_as_it_is_read() -> None:
    peer = f'{{listen: "10.0.0.1:8853", peers: ["10.0.0.2:8853"], secret: {SECRET}}}'
    keys = daemon_keys(good(written(peer)).daemon)
    assert keys == {"peer": {"listen": "10.0.0.1:8853", "peers": ["10.0.0.2:8853"], "secret": SECRET}}


def test_a_changed_secret_is_told_without_it() -> None:
    before = good(written(f"{{secret: {SECRET}}}"))
    after = good(written(f'{{secret: {SECRET}X, listen: "10.0.0.1:8853"}}'))
    assert changes(before, after) == ("daemon: secret changed", "daemon: listen none -> 10.0.0.1, 8853")
