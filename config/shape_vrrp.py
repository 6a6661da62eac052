"""Every key of VRRP instances, declared once for the loader, the schema and the manual's test. Pure."""

from __future__ import annotations

from config import codes
from config.compound import Command, PathKind, Switchable, VirtualAddressKind
from config.network import INTERFACE, Address, NetworkKind, PrefixKind
from config.passwords import SecretKind
from config.problems import Severity
from config.scalars import Boolean, Duration, Integer, Text, Word
from config.sections import NAME_PATTERN, Key, Listing, Nested, Section
from config.strangers import TRACK_STRANGERS, VRRP_STRANGERS

MOVED_ADDRESS = Key("address", PrefixKind(), "ADDRESS/PREFIX, or an address alone (/32).", required=True)
MOVED_INTERFACE = Key("interface", INTERFACE, "The interface that holds it; the instance's unless given.")
MOVED_ADVERTISED = Key(
    "advertised",
    Boolean(),
    "Whether advertisements name it; one that they do not name moves all the same, and may be of either family.",
    "true",
)
MOVED = Section("virtual address", "An address VRRP moves.", (MOVED_ADDRESS, MOVED_INTERFACE, MOVED_ADVERTISED))

AUTHENTICATION_TYPE = Key(
    "type", Word("a type of authentication", {"simple": True, "none": False}), "`simple` or `none`.", "simple"
)
AUTHENTICATION_PASSWORD = Key("password", SecretKind(), "The shared password; its first 8 bytes count.")
AUTHENTICATION_SECTION = Section(
    "authentication", "Authentication of version 2.", (AUTHENTICATION_TYPE, AUTHENTICATION_PASSWORD), VRRP_STRANGERS
)

ARP_REPEAT = Key("repeat", Integer(1, 100), "How many are sent at once.", "5")
ARP_DELAY = Key("delay", Duration(0, 3600), "After how long they are sent again; 0 for not again.", "5s")
ARP_REFRESH = Key("refresh", Duration(0, 86400), "One more each so often while active; 0 for none.", "0s")
GRATUITOUS_ARP_SECTION = Section(
    "gratuitous_arp", "How loudly a new active balancer announces itself.", (ARP_REPEAT, ARP_DELAY, ARP_REFRESH)
)

TRACK_WEIGHT = Key(
    "weight",
    Integer(-253, 253),
    "0: while it is bad the instance cannot run. Above 0: added to the priority while it is good; below 0: taken off"
    " while it is bad.",
    "0",
)
TRACK_INTERFACE = Key("interface", INTERFACE, "Good while this interface is up and has a carrier.")
TRACK_SCRIPT = Key("script", Command(), "Good while this command ends with status 0. No shell.")
TRACK_NAME = Key(
    "name", Text("a name", NAME_PATTERN, "letters, digits, _ . : @ + -"), "What the script is called; its program's."
)
TRACK_INTERVAL = Key("interval", Duration(0.1, 86400), "With `script`: from one run to the next.", "1s")
TRACK_TIMEOUT = Key("timeout", Duration(0.1, 3600), "With `script`: when it is killed; the interval unless given.")
TRACK_RISE = Key("rise", Integer(1, 1000), "With `script`: successes in a row that make it good.", "1")
TRACK_FALL = Key("fall", Integer(1, 1000), "With `script`: failures in a row that make it bad.", "1")
TRACK_USER = Key(
    "user",
    Text("a user's name", r"[a-z_][a-z0-9_.-]{0,31}", "lower-case letters, digits, _ . -"),
    "With `script`: whom it runs as; `command_user` unless given.",
)
TRACK_FILE = Key(
    "file",
    PathKind(),
    "The number in this file, times `weight`, is added to the priority; with weight 0 any number but 0 is bad.",
)
TRACK_PROCESS = Key(
    "process", Text("a program's name", r"[^\s/]{1,64}", "as `ps -o comm` shows it"), "Good while it runs."
)
TRACK_COUNT = Key("count", Integer(1, 100000), "With `process`: how many of it must run.", "1")
TRACK_SERVICE = Key("service", Text("a service's name"), "Good while this virtual service can serve from here.")
TRACK_DELAY = Key(
    "delay", Duration(0, 3600), "With `service`: how long something must be so before the address moves for it.", "3s"
)
TRACK_EACH = Key(
    "each", Integer(0, 253), "With `service`: taken off the priority for each real server whose checks fail.", "0"
)
TRACK_ROUTE = Key(
    "route", NetworkKind(), "Good while there is a route to exactly this network: ADDRESS/PREFIX, or `default`."
)
TRACK_VIA = Key("via_interface", INTERFACE, "With `route`: it must go over this interface.")
TRACK_GATEWAY = Key("gateway", Address(), "With `route`: it must go to this gateway.")
TRACK_TABLE = Key("table", Integer(1, 2**32 - 1), "With `route`: the routing table it stands in; main is 254.", "254")
TRACK_INVERTED = Key("inverted", Boolean(), "Whether what is good otherwise is bad here, and the reverse.", "false")
TRACK_SECTION = Section(
    "track",
    "Something the priority depends on: one of `interface`, `script`, `file`, `process`, `service`, `route`.",
    (
        TRACK_INTERFACE, TRACK_SCRIPT, TRACK_FILE, TRACK_PROCESS, TRACK_SERVICE, TRACK_ROUTE, TRACK_WEIGHT,
        TRACK_INVERTED, TRACK_NAME, TRACK_INTERVAL, TRACK_TIMEOUT, TRACK_RISE, TRACK_FALL, TRACK_USER, TRACK_COUNT,
        TRACK_DELAY, TRACK_EACH, TRACK_VIA, TRACK_GATEWAY, TRACK_TABLE,
    ),
    TRACK_STRANGERS,
)  # fmt: skip

VRRP_INTERFACE = Key("interface", INTERFACE, "The interface on which advertisements are sent.", required=True)
VIRTUAL_ROUTER_ID = Key(
    "virtual_router_id", Integer(1, 255), "The same on both balancers, unique on the network.", required=True
)
PRIORITY = Key("priority", Integer(1, 255), "The highest is active. 255 is for the owner of the addresses.", "100")
VERSION = Key("version", Integer(2, 3), "The version of VRRP; the same on both balancers.", "3")
ADVERTISEMENT_INTERVAL = Key(
    "advertisement_interval",
    Duration(0.01, 255),
    "Time between advertisements: whole seconds in version 2, 10ms to 40.95s in steps of 10ms in version 3.",
    "1s",
)
AUTHENTICATION = Key(
    "authentication", Nested(AUTHENTICATION_SECTION), "Simple password authentication (version 2 only)."
)
ADDRESSES = Key(
    "addresses",
    Listing(
        VirtualAddressKind(MOVED, MOVED_ADDRESS),
        "a list of addresses",
        hint="write it as a list: [1.1.1.12/24]",
        when_empty=(codes.NO_VALUE, Severity.ERROR, "the instance moves no address; at least one is needed"),
    ),
    "The virtual addresses this instance moves.",
    required=True,
)
PREEMPT = Key("preempt", Boolean(), "Whether the higher priority takes the addresses back when it returns.", "true")
PREEMPT_DELAY = Key(
    "preempt_delay", Duration(0, 1000), "How long it waits before it takes them back from a lower priority.", "0s"
)
GRATUITOUS_ARP = Key(
    "gratuitous_arp", Nested(GRATUITOUS_ARP_SECTION), "How loudly a new active balancer announces itself."
)
UNICAST_PEERS = Key(
    "unicast_peers",
    Listing(Address(), "a list of addresses", single=True),
    "The other balancers' addresses, where multicast does not work: advertisements go to them and come from them.",
)
SOURCE = Key("source", Address(), "The address advertisements come from; the interface's first unless given.")
CHECKSUM = Key(
    "checksum",
    Word("a form of checksum", {"keepalived": False, "rfc": True}),
    "Version 3 over IPv4: with a pseudo header (keepalived) or without (rfc). Both are understood.",
    "keepalived",
)
SYNC_GROUP = Key(
    "sync_group",
    Text("a group's name", NAME_PATTERN, "letters, digits, _ . : @ + -"),
    "Instances of one group are active together or not at all.",
)
TRACK = Key(
    "track", Listing(Nested(TRACK_SECTION), "a list of mappings"), "What the priority, or running at all, depends on."
)
VIRTUAL_MAC = Key(
    "virtual_mac",
    Switchable(INTERFACE),
    "Whether the addresses live on an interface of their own with the virtual router's MAC; its name, or `true`.",
    "false",
)
ACCEPT = Key("accept", Boolean(), "Whether the active balancer answers at the addresses itself.", "true")
TRACK_INTERFACE_ITSELF = Key(
    "track_interface", Boolean(), "Whether the instance needs `interface` to be up to run.", "true"
)
ON_ACTIVE = Key("on_active", Command(), "A command to run when it becomes active.")
ON_BACKUP = Key("on_backup", Command(), "A command to run when it becomes backup.")
ON_FAULT = Key("on_fault", Command(), "A command to run when it cannot run any more.")
ON_STOP = Key("on_stop", Command(), "A command to run when lvsd stops.")
ON_CHANGE = Key(
    "on_change",
    Command(),
    "A command to run on each of these, with INSTANCE or GROUP, the name, MASTER BACKUP FAULT or STOP, the priority.",
)
GROUP_SECTION = Section(
    "sync group",
    "Commands for the role of a sync group.",
    (ON_ACTIVE, ON_BACKUP, ON_FAULT, ON_STOP, ON_CHANGE),
)
VRRP_INSTANCE = Section(
    "vrrp instance",
    "A virtual router: addresses that move between the balancers.",
    (
        VRRP_INTERFACE, VIRTUAL_ROUTER_ID, PRIORITY, VERSION, ADVERTISEMENT_INTERVAL, AUTHENTICATION, ADDRESSES,
        PREEMPT, PREEMPT_DELAY, GRATUITOUS_ARP, UNICAST_PEERS, SOURCE, CHECKSUM, SYNC_GROUP, TRACK, VIRTUAL_MAC,
        ACCEPT, TRACK_INTERFACE_ITSELF, ON_ACTIVE, ON_BACKUP, ON_FAULT, ON_STOP, ON_CHANGE,
    ),
    VRRP_STRANGERS,
)  # fmt: skip
