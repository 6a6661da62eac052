"""vrrp_instance and vrrp_sync_group to VRRP instances. Pure.

Rules of keepalived 2.2.7, measured: priority 255 for `state MASTER` without a priority, else 100; `nopreempt` does
not go with `state MASTER`; strict mode does without a password; addresses are /32 (/128) without a length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from config import codes
from config.build_vrrp import ADDRESS_LIMIT, OWNER_PRIORITY, PASSWORD_BYTES, VERSION_2, BuiltInstance
from config.keepalived.addresses import virtual_addresses
from config.keepalived.block import CHANGES, PASSED_OVER, Block, Told, note
from config.keepalived.globals import Globals, gratuitous_arp, note_down_timer
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import seconds, sole_word, switch, whole, without_semicolon, word
from config.keepalived.vrrp_words import AUTHENTICATION, INSTANCE, SYNC_GROUP
from config.model import VrrpInstance
from config.network import INTERFACE, is_ipv6
from config.nodes import At, Scalar
from config.reading import Reading, shown
from config.secret import Secret
from config.sections import NAME_PATTERN

DEFAULT_PRIORITY: Final = 100
ROUTER_ID_LIMIT: Final = 255
LONGEST_INTERVAL: Final = 255.0
SHORTEST_INTERVAL: Final = 0.01


def instance_blocks(found: list[Statement], reading: Reading) -> dict[str, Block]:
    """The instances' blocks by name, each once."""
    blocks: dict[str, Block] = {}
    for statement in found:
        name = _name(statement, reading)
        if name is not None and name in blocks:
            message = f"vrrp_instance {shown(name)} is here for the second time"
            hint = "keepalived leaves this one out, and so is it here"
            reading.warning(codes.LEFT_OUT, statement.place, message, hint)
        elif name is not None:
            blocks[name] = Block(statement, INSTANCE, reading)
    return blocks


def read_instances(
    blocks: Mapping[str, Block], scripts: frozenset[str], settings: Globals, reading: Reading
) -> list[BuiltInstance]:
    """The instances; `scripts` are the names of the vrrp_scripts."""
    built = (_instance(name, block, scripts, settings, reading) for name, block in blocks.items())
    return [one for one in built if one is not None]


def _name(statement: Statement, reading: Reading) -> str | None:
    no_more(statement, 2, reading)
    at = word(statement, reading)
    if at is not None and not re.fullmatch(NAME_PATTERN, at.value):
        hint = "up to 64 letters, digits, and _ . : @ + - inside"
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a name", hint)
        return None
    return at.value if at else None


def _instance(
    name: str, block: Block, scripts: frozenset[str], settings: Globals, reading: Reading
) -> BuiltInstance | None:
    interface, router_id = _interface(block, reading), _router_id(block, reading)
    master = _is_master(block, reading)
    _note_tracking(block, interface, scripts, reading)
    addresses = virtual_addresses(block, interface.value if interface else "", reading)
    if len(addresses) > ADDRESS_LIMIT:
        message = f"{len(addresses)} addresses: an advertisement holds {ADDRESS_LIMIT}"
        reading.error(codes.OUT_OF_RANGE, block.statement.place, message, "make two instances of it")
    ipv6 = bool(addresses) and is_ipv6(addresses[0].value.address)
    version = _version(block, ipv6, settings, reading)
    note_down_timer(block.get("down_timer_adverts"), reading)
    password = _password(block, settings, reading)
    priority = _priority(block, master, reading)
    preempt = _preempts(block, master, settings, reading)
    interval = _interval(block, version, reading)
    burst = gratuitous_arp(block, "garp_master", settings.gratuitous_arp, reading)
    if interface is None or router_id is None or not addresses:
        return None
    instance = VrrpInstance(
        name, interface.value, router_id.value, priority, version, tuple(at.value for at in addresses),
        interval, password, preempt, burst,
    )  # fmt: skip
    return BuiltInstance(instance, router_id.place, tuple(at.place for at in addresses))


def _interface(block: Block, reading: Reading) -> At[str] | None:
    statement = block.get("interface")
    if statement is None:
        hint = "keepalived does not start without one"
        reading.error(codes.MISSING_KEY, block.statement.place, "`interface` is missing in vrrp_instance", hint)
        return None
    at = sole_word(statement, reading)
    found = None if at is None else INTERFACE.read(Scalar(at.value, plain=False, place=at.place), reading)
    if found is not None and found.value == "lo":
        reading.error(codes.MALFORMED, found.place, "VRRP does not work on the loopback interface")
    return found


def _router_id(block: Block, reading: Reading) -> At[int] | None:
    statement = block.get("virtual_router_id")
    if statement is None:
        hint = "keepalived does not start without one"
        reading.error(codes.MISSING_KEY, block.statement.place, "`virtual_router_id` is missing in vrrp_instance", hint)
        return None
    at = sole_word(statement, reading)
    if at is None:
        return None
    if re.fullmatch(r"[0-9]{1,4}", at.value) and 1 <= int(at.value) <= ROUTER_ID_LIMIT:
        return At(int(at.value), at.place)
    message = f"{shown(at.value)} is not a virtual router id"
    reading.error(codes.OUT_OF_RANGE, at.place, message, "from 1 to 255; keepalived does not start with that")
    return None


def _is_master(block: Block, reading: Reading) -> bool:
    """What `state` says. It decides about defaults only: every router begins as a backup."""
    statement = block.get("state")
    at = sole_word(statement, reading) if statement else None
    if at is not None and at.value not in ("MASTER", "BACKUP"):
        hint = "keepalived takes it for BACKUP, and so is it here"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is neither MASTER nor BACKUP", hint)
    return at is not None and at.value == "MASTER"


def _priority(block: Block, master: bool, reading: Reading) -> int:
    statement = block.get("priority")
    if statement is not None:
        at = whole(statement, 1, OWNER_PRIORITY, str(DEFAULT_PRIORITY), reading)
        number, place = (at.value, at.place) if at else (DEFAULT_PRIORITY, statement.place)
    else:
        number, place = (OWNER_PRIORITY if master else DEFAULT_PRIORITY), block.statement.place
    if number == OWNER_PRIORITY:
        default = "" if statement else " (keepalived's default for `state MASTER`)"
        message = f"priority 255{default} is for the router that owns the addresses: it always takes them"
        reading.warning(codes.VRRP_OWNER, place, message, "use 254 or less")
    return number


def _preempts(block: Block, master: bool, settings: Globals, reading: Reading) -> bool:
    never = block.get("nopreempt")
    stays = switch(never, reading) if never else not switch(block.get("preempt"), reading, default=True)
    if stays and master and never is not None:
        message = "`nopreempt` does not go with `state MASTER` and is not in force"
        reading.warning(codes.NOT_TAKEN, never.place, message, "keepalived clears it too; write `state BACKUP`")
        stays = False
    delay = block.get("preempt_delay")
    at = seconds(delay, 0, 1000, "0", reading) if delay else None
    if delay is not None and at is not None and at.value and not stays:
        if _strict(block, settings, reading) or master:
            note(delay, Told(PASSED_OVER, "keepalived clears it too, with `state MASTER` and in strict mode"), reading)
        else:
            note(
                delay, Told(CHANGES, "lvsd takes the addresses back at once", "nopreempt, or lvsd without it"), reading
            )
    elif delay is not None and stays:
        note(delay, Told(PASSED_OVER, "it has no effect with `nopreempt`, in keepalived either"), reading)
    return not stays


def _strict(block: Block, settings: Globals, reading: Reading) -> bool:
    return switch(block.get("strict_mode"), reading, default=settings.strict)


def _version(block: Block, ipv6: bool, settings: Globals, reading: Reading) -> int:
    statement = block.get("version")
    at = whole(statement, 2, 3, "its default", reading) if statement else None
    version = at.value if at else settings.version or (3 if ipv6 else VERSION_2)
    place = at.place if at else block.statement.place
    if version != VERSION_2:
        why = "" if at or settings.version else ", keepalived's default for IPv6,"
        message = f"VRRP version {version}{why} is not supported yet"
        reading.error(codes.VRRP_VERSION, place, message, "version 2, on both balancers" if not ipv6 else "")
    elif ipv6:
        reading.error(codes.FAMILY, place, "VRRP version 2 moves IPv4 addresses only")
    return version


def _interval(block: Block, version: int, reading: Reading) -> float:
    statement = block.get("advert_int")
    at = seconds(statement, SHORTEST_INTERVAL, LONGEST_INTERVAL, "1", reading) if statement else None
    if at is None:
        return 1.0
    if version == VERSION_2 and at.value != int(at.value):
        rounded = max(1.0, float(int(at.value + 0.5)))
        message = f"VRRP version 2 advertises in whole seconds: {at.value:g} becomes {rounded:g}"
        reading.warning(codes.NOT_TAKEN, at.place, message, "keepalived rounds too; the peer must have the same")
        return rounded
    return at.value


def _password(block: Block, settings: Globals, reading: Reading) -> Secret | None:
    statement = block.get("authentication")
    if statement is None:
        return None
    inside = Block(statement, AUTHENTICATION, reading)
    kind = inside.get("auth_type")
    method = word(kind, reading) if kind else None
    if kind is not None:
        _no_more_of_a_secret(kind, reading)
    if method is not None and method.value == "AH":
        message = "authentication by IPsec AH is not supported: the peer would not hear this balancer"
        reading.error(codes.VRRP_AUTHENTICATION, method.place, message, "auth_type PASS, on both balancers")
    said = inside.get("auth_pass")
    if said is None or method is None or method.value not in ("PASS", "AH"):
        message = "without `auth_type PASS` and `auth_pass` there is no authentication"
        reading.warning(codes.VRRP_AUTHENTICATION, statement.place, message, "keepalived too advertises without")
        return None
    if _strict(block, settings, reading):
        message = "strict mode knows no authentication: the password is not used"
        reading.warning(codes.VRRP_AUTHENTICATION, said.place, message, "keepalived too advertises without")
        return None
    return _secret(said, reading)


def _secret(statement: Statement, reading: Reading) -> Secret | None:
    """The password as it stands; nothing of it is ever told."""
    _no_more_of_a_secret(statement, reading)
    if len(statement.words) == 1:
        word(statement, reading)
        return None
    at = statement.words[1]
    if reading.files.exposed(at.place.file):
        message = "every user of this machine can read the secret in this file"
        reading.warning(codes.EXPOSED, at.place, message, f"chmod o-r {at.place.file}")
    if not at.value or any(not c.isprintable() for c in at.value):
        message = "the password is empty" if not at.value else "a control character in the password"
        reading.error(codes.VRRP_AUTHENTICATION, at.place, message)
    elif len(at.value.encode(errors="surrogatepass")) > PASSWORD_BYTES:
        message = f"only the first {PASSWORD_BYTES} bytes of the password count"
        reading.warning(codes.VRRP_AUTHENTICATION, at.place, message, "keepalived cuts it alike")
    return Secret(at.value)


def _no_more_of_a_secret(statement: Statement, reading: Reading) -> None:
    """Note words after the first one without showing them: a password may be among them."""
    others = statement.words[2:]
    if others:
        message = f"what follows the first word of `{statement.keyword}` is not read"
        hint = 'one statement a line; put a password with blanks in double quotes: "..."'
        reading.warning(codes.WORDS_IGNORED, others[0].place, message, hint)


def _note_tracking(block: Block, interface: At[str] | None, scripts: frozenset[str], reading: Reading) -> None:
    """The instance's own interface is tracked anyway; a script that is not defined is not tracked by anyone."""
    told = INSTANCE_TRACKING
    for statement in block.every("track_interface", "track_script"):
        for one in statement.body or ():
            name = without_semicolon(one.words[0], reading).value
            if statement.keyword == "track_script" and name not in scripts:
                message = f"there is no vrrp_script {shown(name)}: it is not tracked"
                reading.warning(codes.LEFT_OUT, one.place, message, "keepalived ignores it too")
            elif statement.keyword == "track_script" or len(one.words) > 1 or not interface or name != interface.value:
                reading.error(
                    codes.NOT_YET, one.place, f"`{statement.keyword}` of {shown(name)} is not carried over: {told}"
                )


INSTANCE_TRACKING: Final = INSTANCE.told["track_file"].why


def note_sync_groups(found: list[Statement], instances: frozenset[str], reading: Reading) -> None:
    """A group of one changes nothing; one of several makes its members move together."""
    for statement in found:
        block = Block(statement, SYNC_GROUP, reading)
        group = block.get("group")
        members = [at for one in (group.body or () if group else ()) for at in one.words]
        for at in members:
            if at.value not in instances:
                message = f"there is no vrrp_instance {shown(at.value)} for this group"
                reading.warning(codes.LEFT_OUT, at.place, message, "keepalived leaves it out too")
        if len({at.value for at in members} & instances) > 1:
            told = Told(CHANGES, "its instances must move together, and lvsd moves each alone yet")
            note(statement, told, reading)
