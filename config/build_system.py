"""The daemon's and the kernel's settings: what lvsd.yaml says, else what files in other languages say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from config import codes, shape
from config.build_real_servers import is_ipv6_service
from config.model import ConnectionSync, Daemon, Ipvs, Peering, Timeouts, VirtualService, VrrpInstance
from config.network import Endpoint, is_ipv6
from config.nodes import At
from config.parts import Part
from config.reading import Reading, did_you_mean, shown
from config.rules import where
from config.secret import Secret
from config.sections import Fields, Key
from config.words import SyncRole

T = TypeVar("T")

PEER_SECRET_CHARACTERS: Final = 16


def build_daemon(top: Fields, parts: Sequence[Part], reading: Reading) -> Daemon:
    """The settings of the processes."""
    said = top.value(shape.DAEMON, Fields(top.place))
    built_in = Daemon()
    user = said.value(shape.CHECKER_USER, built_in.checker_user)
    if user == "root":
        message = "the checker cannot run as root: it reads whatever real servers send"
        reading.error(codes.CHECKER_IS_ROOT, said.place_of(shape.CHECKER_USER), message, "checker_user: nobody")
    directories = [part.maintenance_directory for part in parts]
    commands = [part.on_config_change for part in parts]
    return Daemon(
        clear_table_on_stop=said.value(shape.CLEAR_TABLE, _cleared(said, parts, reading)),
        checker_user=user,
        autoreload=said.value(shape.AUTORELOAD, any(part.autoreload for part in parts)),
        on_config_change=_first(said, shape.ON_CONFIG_CHANGE, commands, reading) or (),
        maintenance_directory=_first(said, shape.MAINTENANCE_DIRECTORY, directories, reading),
        command_user=_first(said, shape.COMMAND_USER, [part.command_user for part in parts], reading)
        or built_in.command_user,
        peer=_peering(said, reading),
        notify_fifo=_first(said, shape.NOTIFY_FIFO, [part.notify_fifo for part in parts], reading),
        lvs_notify_fifo=_first(said, shape.LVS_NOTIFY_FIFO, [part.lvs_notify_fifo for part in parts], reading),
        workers=said.value(shape.WORKERS, built_in.workers),
        probes_per_host=said.value(shape.PROBES_PER_HOST, built_in.probes_per_host),
    )


def _peering(said: Fields, reading: Reading) -> Peering | None:
    """A secret that can be guessed from one conversation that somebody overheard is none."""
    found = said.get(shape.PEER)
    if found is None:
        return None
    fields = found.value
    secret = fields.get(shape.PEER_SECRET)
    if secret is not None and len(secret.value) < PEER_SECRET_CHARACTERS:
        message = f"a secret of fewer than {PEER_SECRET_CHARACTERS} characters can be guessed"
        reading.error(codes.MALFORMED, fields.place_of(shape.PEER_SECRET), message, "openssl rand -hex 32")
    listen = fields.get(shape.PEER_LISTEN)
    return Peering(
        secret=Secret(secret.value if secret else ""),
        listen=_with_port(listen.value) if listen else None,
        peers=tuple(_with_port(one.value) for one in fields.value(shape.PEER_PEERS, ())),
    )


def _with_port(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.address, endpoint.port or 0


def _first(said: Fields, key: Key[T], wishes: Sequence[At[T] | None], reading: Reading) -> T | None:
    """What lvsd.yaml says, else the first of the other files; one that wants something else is told."""
    if said.said(key):
        own = said.get(key)
        return own.value if own else None
    return _agreed([wish for wish in wishes if wish is not None], key.name, f"daemon: {key.name}", reading)


def _agreed(wishes: Sequence[At[T]], what: str, key: str, reading: Reading) -> T | None:
    for other in wishes[1:]:
        if other.value != wishes[0].value:
            message = f"this file and another want different things of {what}: the first counts"
            hint = f"the first is {where(wishes[0].place, other.place)}; a lvsd.yaml decides: `{key}`"
            reading.warning(codes.CONTRADICTION, other.place, message, hint)
    return wishes[0].value if wishes else None


def _cleared(said: Fields, parts: Sequence[Part], reading: Reading) -> bool:
    """Whether the other files want the table cleared at stop; where they differ it stays, which harms least."""
    wishes = [part.clear_table for part in parts if part.clear_table is not None]
    if said.said(shape.CLEAR_TABLE) or not wishes:
        return Daemon().clear_table_on_stop
    other = next((one for one in wishes if one.value is not wishes[0].value), None)
    if other is not None:
        message = "this file and another want different things of the table at stop: it stays as it is"
        hint = f"the other is {where(wishes[0].place, other.place)}; a lvsd.yaml decides: daemon: clear_table_on_stop"
        reading.warning(codes.CONTRADICTION, other.place, message, hint)
        return False
    return wishes[0].value


def build_ipvs(
    top: Fields,
    parts: Sequence[Part],
    services: Sequence[VirtualService],
    instances: Sequence[VrrpInstance],
    reading: Reading,
) -> Ipvs:
    """The settings of the kernel's IPVS."""
    said = top.value(shape.IPVS, Fields(top.place))
    wishes = [part.ipvs for part in parts if part.ipvs is not None]
    syncs = [At(one.value.sync, one.place) for one in wishes if one.value.sync is not None]
    if said.said(shape.SYNC):
        sync = _sync(said, instances, reading)
        place = said.place_of(shape.SYNC)
    else:
        sync = _agreed(syncs, "the connection sync daemon", "ipvs: sync", reading)
        place = syncs[0].place if syncs else said.place
    if sync is not None:
        _check_families(At(sync, place), services, reading)
    return Ipvs(
        _timeouts(said, wishes, reading),
        sync,
        said.value(shape.EXPIRE_NODEST_CONN, None),
        said.value(shape.EXPIRE_QUIESCENT_TEMPLATE, None),
        said.value(shape.CONN_REUSE_MODE, None),
        said.value(shape.SLOPPY_TCP, None),
    )


def _timeouts(said: Fields, wishes: Sequence[At[Ipvs]], reading: Reading) -> Timeouts | None:
    if not said.said(shape.TIMEOUTS):
        timeouts = [At(one.value.timeouts, one.place) for one in wishes if one.value.timeouts is not None]
        return _agreed(timeouts, "the kernel's timeouts", "ipvs: timeouts", reading)
    fields = said.value(shape.TIMEOUTS, said)
    return Timeouts(
        tcp=int(fields.value(shape.TIMEOUT_TCP, 0)),
        tcp_fin=int(fields.value(shape.TIMEOUT_TCP_FIN, 0)),
        udp=int(fields.value(shape.TIMEOUT_UDP, 0)),
    )


def _sync(said: Fields, instances: Sequence[VrrpInstance], reading: Reading) -> ConnectionSync | None:
    found = said.get(shape.SYNC)
    if found is None:
        return None
    fields = found.value
    refused = SyncRole.BOTH if fields.said(shape.SYNC_ROLE) else SyncRole.FOLLOW  # nothing more to say about it
    role = fields.value(shape.SYNC_ROLE, refused)
    return ConnectionSync(
        interface=fields.value(shape.SYNC_INTERFACE, ""),
        role=role,
        instance=_followed(fields, role, [one.name for one in instances], reading),
        sync_id=fields.value(shape.SYNC_ID, 0),
        max_length=fields.value(shape.SYNC_MAX_LENGTH, 0),
        group=fields.value(shape.SYNC_GROUP, ""),
        port=fields.value(shape.SYNC_PORT, 0),
        ttl=fields.value(shape.SYNC_TTL, 0),
    )


def _followed(fields: Fields, role: SyncRole, names: Sequence[str], reading: Reading) -> str:
    """The instance that is followed: it has to be one, and may be left out when there is one only."""
    said, place = fields.get(shape.SYNC_INSTANCE), fields.place_of(shape.SYNC_INSTANCE)
    if role is not SyncRole.FOLLOW:
        if fields.said(shape.SYNC_INSTANCE):
            message = f"`instance` has no effect with `role: {role.value}`"
            reading.warning(codes.NO_EFFECT, place, message, "role: follow")
        return ""
    if said is not None and said.value not in names:
        message = f"there is no VRRP instance {shown(said.value)} to follow"
        reading.error(codes.SYNC, place, message, did_you_mean(said.value, names) if names else "role: both")
    if not fields.said(shape.SYNC_INSTANCE) and len(names) != 1:
        message = "`role: follow` needs the `instance` to follow" if names else "there is no VRRP instance to follow"
        hint = f"instance: {names[0]}" if names else "role: master, backup or both"
        reading.error(codes.SYNC, fields.place, message, hint)
    return said.value if said else names[0] if names else ""


def _check_families(sync: At[ConnectionSync], services: Sequence[VirtualService], reading: Reading) -> None:
    """The kernel refuses real servers of another family while connections are told to the other balancer.

    net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_add_dest, ip_vs_genl_new_daemon.
    """
    mixed = next((one.name for one in services if _crosses(one)), None)
    if mixed is not None:
        message = f"service `{mixed}` has real servers of another family: the kernel has no connection sync then"
        reading.error(codes.SYNC, sync.place, message, "remove `sync`, or those real servers")


def _crosses(service: VirtualService) -> bool:
    ipv6 = is_ipv6_service(service.virtual)
    return any(is_ipv6(real.address) != ipv6 for real in (*service.real_servers, *service.fallback))
