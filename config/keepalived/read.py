"""keepalived.conf as it is: told from other files, read, mapped to the configuration. Pure."""

from __future__ import annotations

import re
from typing import Final

from config import codes
from config.keepalived.block import Block, note
from config.keepalived.globals import Globals, read_globals
from config.keepalived.groups import read_groups
from config.keepalived.instances import instance_blocks, note_sync_groups, read_instances
from config.keepalived.kernel import read_kernel
from config.keepalived.services import read_services
from config.keepalived.source import Source
from config.keepalived.statements import Statement, statements
from config.keepalived.values import switch
from config.keepalived.vrrp_words import FILE, MAIL
from config.nodes import At, Place
from config.parts import Part
from config.reading import Reading, shown

_BLOCKS: Final = "global_defs|vrrp_instance|vrrp_sync_group|vrrp_script|virtual_server|virtual_server_group"
_OPENING: Final = re.compile(
    rf"^[ \t]*(?:@\S+[ \t]+)?(?:{_BLOCKS})(?:[ \t]+[^\s:{{]+){{0,2}}[ \t]*(?:\{{|$)", re.MULTILINE
)
_NAME: Final = re.compile(r"(?:^|/)keepalived[^/]*\.conf$")
_LOOKED_AT: Final = 1024 * 1024


def is_keepalived(path: str, text: str) -> bool:
    """Whether the file is a keepalived.conf: by its name, or by a line that opens one of its blocks."""
    return bool(_NAME.search(path) or _OPENING.search(text, 0, _LOOKED_AT))


def read_keepalived(path: str, text: str, reading: Reading) -> Part:
    """The services and VRRP instances of the file and of what it includes."""
    source = Source(reading)
    found = statements(source.tokens(path, text), reading)
    if source.too_large:
        return Part()
    whole = Block(Statement((At(path, Place(path)),), found), FILE, reading)
    settings = read_globals(whole.every("global_defs"), reading)
    scripts = whole.every("vrrp_script")
    instances = whole.every("vrrp_instance")
    blocks = instance_blocks(instances, reading)
    built = read_instances(blocks, _names(scripts), settings, reading)
    routers = {one.instance.name: one.instance.virtual_router_id for one in built}
    kernel = read_kernel(settings.block, list(blocks.values()), routers, reading)
    _note_unused(scripts, instances, reading)
    _note_mails(settings, instances, reading)
    names = frozenset(one.words[1].value for one in instances if len(one.words) > 1)
    note_sync_groups(whole.every("vrrp_sync_group"), names, reading)
    groups = read_groups(whole.every("virtual_server_group"), reading)
    services = read_services(whole.every("virtual_server"), groups, settings, reading)
    return Part(tuple(services), tuple(built), ipvs=kernel, sources=source.sources)


def _names(found: list[Statement]) -> frozenset[str]:
    return frozenset(one.words[1].value for one in found if len(one.words) > 1)


def _note_mails(settings: Globals, instances: list[Statement], reading: Reading) -> None:
    """A `smtp_alert` of global_defs is about instances too."""
    said = settings.block.get("smtp_alert") if settings.block else None
    if said is not None and instances and switch(said, reading):
        note(said, MAIL, reading)


def _note_unused(scripts: list[Statement], instances: list[Statement], reading: Reading) -> None:
    """A script that an instance tracks is told there, as an error."""
    tracked = {
        one.words[0].value
        for instance in instances
        for inner in instance.body or ()
        if inner.keyword == "track_script"
        for one in inner.body or ()
    }
    for script in scripts:
        name = script.words[1].value if len(script.words) > 1 else ""
        if name not in tracked:
            message = f"vrrp_script {shown(name)} is tracked by no instance"
            reading.warning(codes.PASSED_OVER, script.place, message, "keepalived does not run it either")
