"""Every key of the configuration file, declared once for the loader, the JSON Schema and the manual's test. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.compound import PathKind, PersistenceKind, RealServerKind, VirtualAddressKind
from config.network import INTERFACE, PORT_LIMIT, Address, EndpointKind, Netmask, PrefixKind
from config.passwords import SecretKind
from config.problems import Severity
from config.scalars import Boolean, Duration, Integer, Text, Word
from config.sections import Key, Listing, Nested, Section, Table
from config.shape_checks import CHECK
from config.strangers import SERVICE_STRANGERS, TOP_STRANGERS, VRRP_STRANGERS
from config.words import FORWARDING_WORDS, SCHEDULER_FLAGS, SCHEDULERS, OnFailure, Protocol

WEIGHT_LIMIT: Final = 2**31 - 1  # the kernel holds it in an int (include/net/ip_vs.h, struct ip_vs_dest)
THRESHOLD_LIMIT: Final = 2**32 - 1
PERSISTENCE_LIMIT_SECONDS: Final = 31 * 86400  # ipvsadm's

# services

CHECK_KEY = Key("check", Nested(CHECK), "How the real servers are probed; key by key over the level above.", "tcp")
FORWARDING = Key(
    "forwarding",
    Word("a forwarding method", FORWARDING_WORDS, ("direct", "tunnel", "masquerade")),
    "How packets reach the real server: direct (gate, DR), tunnel (ipip, TUN) or masquerade (masq, NAT).",
    "direct",
)
WEIGHT = Key("weight", Integer(0, WEIGHT_LIMIT), "The real server's share of new connections; 0 gives it none.", "1")
UPPER_THRESHOLD = Key(
    "upper_threshold", Integer(0, THRESHOLD_LIMIT), "No new connections above this many; 0 for no limit.", "0"
)
LOWER_THRESHOLD = Key(
    "lower_threshold",
    Integer(0, THRESHOLD_LIMIT),
    "New connections again below this many; 0 for three quarters of upper.",
    "0",
)
CHECKS_KEY = Key(
    "checks",
    Listing(
        Nested(CHECK),
        "a list of checks",
        hint="write it as a list: [{type: http}, {type: smtp}]",
        when_empty=(codes.NO_VALUE, Severity.ERROR, "an empty list of checks: for none, `check: {type: none}`"),
    ),
    "Several checks, all of which must be healthy; each over this level's `check`, key by key.",
)
_REAL_SERVER_SETTINGS = (FORWARDING, WEIGHT, CHECK_KEY, CHECKS_KEY, UPPER_THRESHOLD, LOWER_THRESHOLD)

REAL_ADDRESS = Key("address", Address(), "The real server's address.", required=True)
REAL_PORT = Key("port", Integer(0, PORT_LIMIT), "Its port; the virtual service's unless given.")
REAL_SERVER = Section(
    "real server",
    "A server behind the virtual service.",
    (REAL_ADDRESS, REAL_PORT, *_REAL_SERVER_SETTINGS),
    SERVICE_STRANGERS,
)

PERSISTENCE_TIMEOUT = Key(
    "timeout",
    Duration(1, PERSISTENCE_LIMIT_SECONDS, whole_seconds=True),
    "How long after its last connection a client returns to the same real server.",
    required=True,
)
NETMASK = Key("netmask", Netmask(), "Clients alike in this prefix go together: 24 or 255.255.255.0.", "32 (IPv6: 128)")
PERSISTENCE_SECTION = Section("persistence", "Clients return to the same real server.", (PERSISTENCE_TIMEOUT, NETMASK))

SCHEDULER = Key(
    "scheduler", Word("a scheduler", {word: word for word in SCHEDULERS}), "How a real server is chosen.", "wrr"
)
FLAGS = Key(
    "flags",
    Listing(Word("a scheduler flag", {word: word for word in SCHEDULER_FLAGS}), "a list of scheduler flags"),
    "The scheduler's flags, in ipvsadm's words.",
    "[sh-fallback] for sh, [mh-fallback] for mh, else []",
)
PERSISTENCE = Key(
    "persistence",
    PersistenceKind(PERSISTENCE_SECTION, PERSISTENCE_TIMEOUT),
    "Clients return to the same real server: a duration, or a mapping; `false` for none.",
    "false",
)
ON_FAILURE = Key(
    "on_failure",
    Word("what happens on failure", {one.value: one for one in OnFailure}),
    "Whether a failed real server is removed or kept with weight 0 (quiesce).",
    "remove",
)
_SERVICE_SETTINGS = (SCHEDULER, FLAGS, PERSISTENCE, ON_FAILURE, *_REAL_SERVER_SETTINGS)

VIRTUAL = Key("virtual", EndpointKind(port_needed=True), "Address and port that clients use.")
PROTOCOL = Key(
    "protocol", Word("a protocol", {one.name.lower(): one for one in Protocol}), "The transport protocol.", "tcp"
)
FWMARK = Key("fwmark", Integer(1, 2**32 - 1), "The firewall mark of the packets, instead of `virtual`.")
FAMILY_KEY = Key(
    "family", Word("a family", {"ipv4": False, "ipv6": True}), "With `fwmark`: the family of the packets.", "ipv4"
)
ONE_PACKET = Key("one_packet", Boolean(), "UDP: every packet is scheduled on its own.", "false")
REAL_SERVERS = Key(
    "real_servers",
    Listing(
        RealServerKind(REAL_SERVER, REAL_ADDRESS, REAL_PORT),
        "a list of real servers",
        hint="write it as a list: [1.1.1.15, 1.1.1.16]",
        when_empty=(
            codes.NO_REAL_SERVERS,
            Severity.WARNING,
            "the service has no real server: nobody serves its clients",
        ),
    ),
    "The real servers: ADDRESS, ADDRESS:PORT or a mapping.",
    required=True,
)
FALLBACK_SERVER = Section(
    "fallback server",
    "A server that is never probed and serves while no real server does.",
    (REAL_ADDRESS, REAL_PORT, WEIGHT, FORWARDING),
    SERVICE_STRANGERS,
)
FALLBACK = Key(
    "fallback",
    Listing(
        RealServerKind(FALLBACK_SERVER, REAL_ADDRESS, REAL_PORT),
        "a list of fallback servers",
        single=True,
        hint="an address, or a list: [1.1.1.19]",
    ),
    "Servers that serve while no real server does; never probed.",
)
SERVICE = Section(
    "service",
    "A virtual service and its real servers.",
    (VIRTUAL, FWMARK, FAMILY_KEY, PROTOCOL, ONE_PACKET, *_SERVICE_SETTINGS, REAL_SERVERS, FALLBACK),
    SERVICE_STRANGERS,
)
DEFAULTS = Section(
    "defaults", "What holds for every service that does not say otherwise.", _SERVICE_SETTINGS, SERVICE_STRANGERS
)

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
CHECKER_USER = Key(
    "checker_user",
    Text("a user's name", r"[a-z_][a-z0-9_.-]{0,31}", "lower-case letters, digits, _ . -"),
    "Whom the checks run as; not root. A change takes effect when lvsd is started again.",
    "nobody",
)
DAEMON_SECTION = Section("daemon", "The processes themselves.", (CLEAR_TABLE, CHECKER_USER))

VRRP = Key("vrrp", Table(VRRP_INSTANCE), "VRRP instances by name.")
DEFAULTS_KEY = Key("defaults", Nested(DEFAULTS), "What holds for every service that does not say otherwise.")
SERVICES = Key("services", Table(SERVICE), "Virtual services by name.")
INCLUDE = Key(
    "include",
    Listing(PathKind(resolved=False), "a list of paths", single=True),
    "Further files, or globs, relative to this file.",
)
DAEMON = Key("daemon", Nested(DAEMON_SECTION), "The processes themselves.")
TOP = Section("the file", "The configuration of lvsd.", (INCLUDE, VRRP, DEFAULTS_KEY, SERVICES, DAEMON), TOP_STRANGERS)

SECTIONS: Final = (
    TOP, DAEMON_SECTION, DEFAULTS, SERVICE, PERSISTENCE_SECTION, REAL_SERVER, FALLBACK_SERVER, CHECK, VRRP_INSTANCE,
    AUTHENTICATION_SECTION, MOVED, GRATUITOUS_ARP_SECTION,
)  # fmt: skip
"""All sections, in the order of the manual."""
