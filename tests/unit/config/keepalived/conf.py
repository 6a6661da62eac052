"""Texts of a keepalived.conf, and what they load as."""

from __future__ import annotations

from config.load import Loaded, load
from config.model import Config, RealServer, VirtualService, VrrpInstance
from tests.unit.config.files_in_memory import FilesInMemory

NAME = "keepalived.conf"

INSTANCE = """vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"""
SERVER = """virtual_server 192.0.2.100 80 {
    delay_loop 10
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.11 80 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""


def put(text: str, old: str, new: str) -> str:
    """The text with its one `old` replaced."""
    assert text.count(old) == 1
    return text.replace(old, new)


def loaded(text: str | bytes, **others: str) -> Loaded:
    """What `text` loads as; other files by name, `_` for `.` and no folder."""
    named = {name.replace("_", "."): content for name, content in others.items()}
    return load([NAME], FilesInMemory({NAME: text, **named}))


def told(text: str, **others: str) -> list[str]:
    """Its problems without the file's name and the hints."""
    return [str(one).removeprefix(f"{NAME}:").partition(" (")[0] for one in loaded(text, **others).problems]


def codes_of(text: str, **others: str) -> list[str]:
    """Its problems as `LINE:COLUMN CODE`, warnings with a `w`."""
    return [
        f"{one.line}:{one.column} {one.code}{'w' if one.severity.value == 'warning' else ''}"
        for one in loaded(text, **others).problems
    ]


def whole(text: str, **others: str) -> Config:
    """The configuration of a text without an error."""
    found = loaded(text, **others)
    assert found.config is not None, [str(one) for one in found.problems]
    return found.config


def good(text: str, **others: str) -> Config:
    """The configuration of a text without any problem."""
    assert told(text, **others) == []
    return whole(text, **others)


def instance(text: str, **others: str) -> VrrpInstance:
    """The one instance of a text without an error."""
    (only,) = whole(text, **others).vrrp
    return only


def service(text: str, **others: str) -> VirtualService:
    """The one service of a text without an error."""
    (only,) = whole(text, **others).services
    return only


def real(text: str, **others: str) -> RealServer:
    """The one real server of a text without an error."""
    (only,) = service(text, **others).real_servers
    return only
