"""Short ldirectord.cf files and what becomes of them."""

from __future__ import annotations

from config.checks import AnyCheck, Check
from config.load import Loaded, load
from config.model import VirtualService
from tests.unit.config.files_in_memory import FilesInMemory

WEB = "virtual=192.0.2.100:80\n"
REAL = "    real=192.0.2.12:80 gate\n"
SYSTEM = {
    "/proc/sys/kernel/hostname": "lb1.example.net\n",
    "/etc/hosts": "127.0.0.1 localhost\n192.0.2.17 mail1 mail1.example.net # first\n2001:db8::17 mail1\n",
    "/etc/services": "svn 3690/tcp subversion\nbad\nodd x/tcp\ntftp 69/udp\n",
}


def load_cf(text: str, **others: str) -> Loaded:
    """What a text loads as, named `ldirectord.cf`, beside this machine's names."""
    named = {name.replace("_", "."): content for name, content in others.items()}
    return load(["ldirectord.cf", *named], FilesInMemory({"ldirectord.cf": text, **SYSTEM, **named}))


def lines(*directives: str) -> str:
    """A virtual service on port 80 with a real server and these directives."""
    return WEB + REAL + "".join(f"    {one}\n" for one in directives)


def services(text: str) -> tuple[VirtualService, ...]:
    """The services of a text without any error."""
    loaded = load_cf(text)
    assert loaded.config is not None, [str(one) for one in loaded.problems]
    return loaded.config.services


def service(text: str) -> VirtualService:
    """The one service of a text without any error."""
    (only,) = services(text)
    return only


def check(text: str) -> Check:
    """The check of the one service's first real server."""
    return service(text).real_servers[0].check


def kind(*directives: str) -> AnyCheck:
    """What is checked with these directives in a virtual service on port 80."""
    return check(lines(*directives)).kind


def told(text: str) -> list[str]:
    """The problems as `LINE:COLUMN CODE`, but for the one about redirects, which every HTTP check has."""
    found = [one for one in load_cf(text).problems if "redirects" not in one.message]
    return [f"{one.line}:{one.column} {one.code}" for one in found]
