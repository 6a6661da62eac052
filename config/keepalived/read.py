"""keepalived.conf as it is: read, mapped to the configuration. Pure."""

from __future__ import annotations

from config.keepalived.block import Block, note
from config.keepalived.daemon import read_wishes
from config.keepalived.globals import Globals, read_globals
from config.keepalived.groups import read_groups
from config.keepalived.instances import Around, instance_blocks, read_instances
from config.keepalived.kernel import read_kernel
from config.keepalived.services import read_services
from config.keepalived.source import Source
from config.keepalived.statements import Statement, statements
from config.keepalived.sync_groups import by_member, commands_of, read_sync_groups
from config.keepalived.trackables import note_unused, read_trackables
from config.keepalived.tracking import Tracker
from config.keepalived.values import switch
from config.keepalived.vrrp_words import FILE, MAIL
from config.nodes import At, Place
from config.parts import Part
from config.reading import Reading


def read_keepalived(path: str, text: str, reading: Reading) -> Part:
    """The services and VRRP instances of the file and of what it includes."""
    source = Source(reading)
    found = statements(source.tokens(path, text), reading)
    if source.too_large:
        return Part()
    whole = Block(Statement((At(path, Place(path)),), found), FILE, reading)
    settings = read_globals(whole.every("global_defs"), reading)
    instances = whole.every("vrrp_instance")
    blocks = instance_blocks(instances, reading)
    known = read_trackables(whole, reading)
    tracker = Tracker(known, reading)
    names = frozenset(one.words[1].value for one in instances if len(one.words) > 1)
    sync_groups = read_sync_groups(whole.every("vrrp_sync_group"), names, tracker, reading)
    built = read_instances(blocks, Around(settings, tracker, by_member(sync_groups)), reading)
    note_unused(known, tracker.used, reading)
    routers = {one.instance.name: one.instance.virtual_router_id for one in built}
    _note_mails(settings, instances, reading)
    groups = read_groups(whole.every("virtual_server_group"), reading)
    wishes = read_wishes(settings.block, reading)
    return Part(
        services=tuple(read_services(whole.every("virtual_server"), groups, settings, reading)),
        instances=tuple(built),
        ipvs=read_kernel(settings.block, list(blocks.values()), routers, reading),
        groups=commands_of(sync_groups, routers),
        command_user=wishes.command_user,
        notify_fifo=wishes.notify_fifo,
        lvs_notify_fifo=wishes.lvs_notify_fifo,
        sources=source.sources,
    )


def _note_mails(settings: Globals, instances: list[Statement], reading: Reading) -> None:
    """A `smtp_alert` of global_defs is about instances too."""
    said = settings.block.get("smtp_alert") if settings.block else None
    if said is not None and instances and switch(said, reading):
        note(said, MAIL, reading)
