"""Every key of the file itself, of daemon, ipvs and vrrp, declared once; those of services and checks have files of
their own. Pure.
"""

from __future__ import annotations

from typing import Final

from config import codes
from config.compound import Command, PathKind, VirtualAddressKind
from config.network import INTERFACE, PORT_LIMIT, MulticastAddress, PrefixKind
from config.passwords import SecretKind
from config.problems import Severity
from config.scalars import Boolean, Duration, Integer, Text, Word
from config.sections import Key, Listing, Nested, Section, Table
from config.shape_checks import CHECK
from config.shape_services import (
    DEFAULTS,
    FALLBACK_SERVER,
    MAIL_SECTION,
    PERSISTENCE_SECTION,
    REAL_SERVER,
    SERVICE,
    TUNNEL_SECTION,
)
from config.strangers import SYNC_STRANGERS, TOP_STRANGERS, VRRP_STRANGERS
from config.words import SyncRole

TIMEOUT_LIMIT_SECONDS: Final = 2_147_483  # INT_MAX / HZ with 1000 (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout)

# vrrp

MOVED_ADDRESS = Key("address", PrefixKind(), "ADDRESS/PREFIX, or an address alone (/32).", required=True)
MOVED_INTERFACE = Key("interface", INTERFACE, "The interface that holds it; the instance's unless given.")
MOVED = Section("virtual address", "An address VRRP moves.", (MOVED_ADDRESS, MOVED_INTERFACE))

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

VRRP_INTERFACE = Key("interface", INTERFACE, "The interface on which advertisements are sent.", required=True)
VIRTUAL_ROUTER_ID = Key(
    "virtual_router_id", Integer(1, 255), "The same on both balancers, unique on the network.", required=True
)
PRIORITY = Key("priority", Integer(1, 255), "The highest is active. 255 is for the owner of the addresses.", "100")
VERSION = Key("version", Integer(2, 3), "The version of VRRP; the same on both balancers.", "3")
ADVERTISEMENT_INTERVAL = Key(
    "advertisement_interval", Duration(0.01, 255), "Time between advertisements; whole seconds in version 2.", "1s"
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
GRATUITOUS_ARP = Key(
    "gratuitous_arp", Nested(GRATUITOUS_ARP_SECTION), "How loudly a new active balancer announces itself."
)
VRRP_INSTANCE = Section(
    "vrrp instance",
    "A virtual router: addresses that move between the balancers.",
    (
        VRRP_INTERFACE, VIRTUAL_ROUTER_ID, PRIORITY, VERSION, ADVERTISEMENT_INTERVAL, AUTHENTICATION, ADDRESSES,
        PREEMPT, GRATUITOUS_ARP,
    ),
    VRRP_STRANGERS,
)  # fmt: skip

# the file

CLEAR_TABLE = Key(
    "clear_table_on_stop", Boolean(), "Whether our services leave the kernel's table when lvsd stops.", "false"
)
_USER = Text("a user's name", r"[a-z_][a-z0-9_.-]{0,31}", "lower-case letters, digits, _ . -")
CHECKER_USER = Key(
    "checker_user",
    _USER,
    "Whom the checks run as; not root. A change takes effect when lvsd is started again.",
    "nobody",
)
AUTORELOAD = Key("autoreload", Boolean(), "Whether a changed configuration file is taken over by itself.", "false")
ON_CONFIG_CHANGE = Key(
    "on_config_change", Command(), "A command to run when a file's content changed; the path is its last argument."
)
MAINTENANCE_DIRECTORY = Key(
    "maintenance_directory", PathKind(), "A file here named after a real server takes it out of service."
)
COMMAND_USER = Key("command_user", _USER, "Whom the commands of hooks run as.", "root")
DAEMON_SECTION = Section(
    "daemon",
    "The processes themselves.",
    (CLEAR_TABLE, CHECKER_USER, AUTORELOAD, ON_CONFIG_CHANGE, MAINTENANCE_DIRECTORY, COMMAND_USER),
)

# ipvs

_KERNEL_TIMEOUT = Duration(1, TIMEOUT_LIMIT_SECONDS, whole_seconds=True)
TIMEOUT_TCP = Key("tcp", _KERNEL_TIMEOUT, "Of an idle established TCP connection.")
TIMEOUT_TCP_FIN = Key("tcp_fin", _KERNEL_TIMEOUT, "Of a TCP connection after a FIN.")
TIMEOUT_UDP = Key("udp", _KERNEL_TIMEOUT, "Of an idle UDP flow.")
TIMEOUTS_SECTION = Section("timeouts", "The kernel's timeouts.", (TIMEOUT_TCP, TIMEOUT_TCP_FIN, TIMEOUT_UDP))
TIMEOUTS = Key(
    "timeouts", Nested(TIMEOUTS_SECTION), "When the kernel forgets a connection; what is not said is left as it is."
)
SYNC_INTERFACE = Key("interface", INTERFACE, "The interface the balancers tell each other on.", required=True)
SYNC_ROLE = Key(
    "role",
    Word("a role", {one.value: one for one in SyncRole}),
    "master (tells), backup (listens), both, or follow (master while the VRRP instance is active, else backup).",
    "follow",
)
SYNC_INSTANCE = Key("instance", Text("an instance's name"), "The VRRP instance to follow; the only one unless given.")
SYNC_ID = Key("id", Integer(0, 255), "The same on both balancers; tells pairs on one network apart.", "0")
SYNC_MAX_LENGTH = Key("max_length", Integer(1, 65507), "The longest message in bytes; by the interface's unless given.")
SYNC_GROUP = Key("group", MulticastAddress(), "The multicast group; the kernel's 224.0.0.81 unless given.")
SYNC_PORT = Key("port", Integer(1, PORT_LIMIT), "The UDP port; the kernel's 8848 unless given.")
SYNC_TTL = Key("ttl", Integer(1, 255), "How many routers a message may pass; the kernel's 1 unless given.")
SYNC_SECTION = Section(
    "sync",
    "Connections are told to the other balancer, so that they survive a failover.",
    (SYNC_INTERFACE, SYNC_ROLE, SYNC_INSTANCE, SYNC_ID, SYNC_MAX_LENGTH, SYNC_GROUP, SYNC_PORT, SYNC_TTL),
    SYNC_STRANGERS,
)
SYNC = Key("sync", Nested(SYNC_SECTION), "Connections are told to the other balancer.")
IPVS_SECTION = Section("ipvs", "Settings of the kernel's IPVS as a whole.", (TIMEOUTS, SYNC))

# top

VRRP = Key("vrrp", Table(VRRP_INSTANCE), "VRRP instances by name.")
DEFAULTS_KEY = Key("defaults", Nested(DEFAULTS), "What holds for every service that does not say otherwise.")
SERVICES = Key("services", Table(SERVICE), "Virtual services by name.")
INCLUDE = Key(
    "include",
    Listing(PathKind(resolved=False), "a list of paths", single=True),
    "Further files, or globs, relative to this file.",
)
DAEMON = Key("daemon", Nested(DAEMON_SECTION), "The processes themselves.")
IPVS = Key("ipvs", Nested(IPVS_SECTION), "Settings of the kernel's IPVS as a whole.")
TOP = Section(
    "the file",
    "The configuration of lvsd.",
    (INCLUDE, VRRP, DEFAULTS_KEY, SERVICES, DAEMON, IPVS),
    TOP_STRANGERS,
)

SECTIONS: Final = (
    TOP, DAEMON_SECTION, IPVS_SECTION, TIMEOUTS_SECTION, SYNC_SECTION, DEFAULTS, SERVICE, PERSISTENCE_SECTION,
    MAIL_SECTION, REAL_SERVER, TUNNEL_SECTION, FALLBACK_SERVER, CHECK, VRRP_INSTANCE, AUTHENTICATION_SECTION, MOVED,
    GRATUITOUS_ARP_SECTION,
)  # fmt: skip
"""All sections, in the order of the manual."""
