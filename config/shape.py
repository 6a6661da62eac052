"""Every key of the file itself, of daemon and ipvs, declared once; those of services, checks and VRRP instances have
files of their own. Pure.
"""

from __future__ import annotations

from typing import Final

from config.compound import Command, PathKind, WordOrNumber
from config.network import INTERFACE, PORT_LIMIT, EndpointKind, MulticastAddress
from config.passwords import SecretKind
from config.scalars import Boolean, Duration, Integer, Text, Word
from config.sections import Key, Listing, Nested, Section, Table
from config.shape_checks import CHECK
from config.shape_pool import POOL_SECTIONS
from config.shape_services import (
    DEFAULTS,
    FALLBACK_SERVER,
    MAIL_SECTION,
    PERSISTENCE_SECTION,
    REAL_SERVER,
    SERVICE,
    TUNNEL_SECTION,
)
from config.shape_vrrp import (
    AUTHENTICATION_SECTION,
    GRATUITOUS_ARP_SECTION,
    GROUP_SECTION,
    MOVED,
    TRACK_SECTION,
    VRRP_INSTANCE,
)
from config.strangers import SYNC_STRANGERS, TOP_STRANGERS
from config.words import SyncRole

WORKERS_LIMIT: Final = 64
TIMEOUT_LIMIT_SECONDS: Final = 2_147_483  # INT_MAX / HZ with 1000 (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout)

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
PEER_LISTEN = Key("listen", EndpointKind(port_needed=True), "Where this balancer answers its peers: ADDRESS:PORT.")
PEER_PEERS = Key(
    "peers",
    Listing(EndpointKind(port_needed=True), "a list of ADDRESS:PORT", single=True),
    "Where the other balancers answer.",
)
PEER_SECRET = Key(
    "secret", SecretKind(), "What both know, 16 characters or more; it never goes over the network.", required=True
)
PEER_SECTION = Section(
    "peer",
    "How balancers look at each other, so that `lvsctl drill` can compare them; nothing can be changed this way.",
    (PEER_LISTEN, PEER_PEERS, PEER_SECRET),
)
PEER = Key("peer", Nested(PEER_SECTION), "How balancers look at each other, for `lvsctl drill`.")
NOTIFY_FIFO = Key("notify_fifo", PathKind(), "A named pipe that gets a line for each change of a VRRP role.")
LVS_NOTIFY_FIFO = Key(
    "lvs_notify_fifo", PathKind(), "A named pipe that gets a line for each real server and quorum that comes or goes."
)
WORKERS = Key(
    "workers",
    WordOrNumber("how many workers", {"auto": 0}, WORKERS_LIMIT),
    "How many processes probe; `auto` for as many as the checks and the machine have use for.",
    "auto",
)
PROBES_PER_HOST = Key(
    "probes_per_host", Integer(1, 10_000), "How many probes may run against one address at once; others wait.", "32"
)
DAEMON_SECTION = Section(
    "daemon",
    "The processes themselves.",
    (
        CLEAR_TABLE, CHECKER_USER, AUTORELOAD, ON_CONFIG_CHANGE, MAINTENANCE_DIRECTORY, COMMAND_USER, PEER,
        NOTIFY_FIFO, LVS_NOTIFY_FIFO, WORKERS, PROBES_PER_HOST,
    ),
)  # fmt: skip

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
EXPIRE_NODEST_CONN = Key(
    "expire_nodest_conn", Boolean(), "Whether the connections of a real server that was removed end at once."
)
EXPIRE_QUIESCENT_TEMPLATE = Key(
    "expire_quiescent_template", Boolean(), "Whether clients leave a real server at weight 0 despite persistence."
)
CONN_REUSE_MODE = Key(
    "conn_reuse_mode", Integer(0, 3), "What a client's port in use again means, as in the kernel's ipvs-sysctl.rst."
)
SLOPPY_TCP = Key("sloppy_tcp", Boolean(), "Whether any TCP packet may begin a connection, not a SYN alone.")
IPVS_SECTION = Section(
    "ipvs",
    "Settings of the kernel's IPVS as a whole.",
    (TIMEOUTS, SYNC, EXPIRE_NODEST_CONN, EXPIRE_QUIESCENT_TEMPLATE, CONN_REUSE_MODE, SLOPPY_TCP),
)

# top

VRRP = Key("vrrp", Table(VRRP_INSTANCE), "VRRP instances by name.")
SYNC_GROUPS = Key("sync_groups", Table(GROUP_SECTION), "Commands for the roles of sync groups, by name.")
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
    (INCLUDE, VRRP, SYNC_GROUPS, DEFAULTS_KEY, SERVICES, DAEMON, IPVS),
    TOP_STRANGERS,
)

SECTIONS: Final = (
    TOP, DAEMON_SECTION, PEER_SECTION, IPVS_SECTION, TIMEOUTS_SECTION, SYNC_SECTION, DEFAULTS, SERVICE,
    PERSISTENCE_SECTION, *POOL_SECTIONS, MAIL_SECTION, REAL_SERVER, TUNNEL_SECTION, FALLBACK_SERVER, CHECK,
    VRRP_INSTANCE, AUTHENTICATION_SECTION, MOVED, GRATUITOUS_ARP_SECTION, TRACK_SECTION, GROUP_SECTION,
)  # fmt: skip
"""All sections, in the order of the manual."""
