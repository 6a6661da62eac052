"""Every key of services and real servers, declared once for the loader, the schema and the manual's test. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.compound import Command, MailKind, PathKind, PersistenceKind, RealServerKind, TunnelKind, WordOrNumber
from config.network import PORT_LIMIT, Address, EndpointKind, Netmask
from config.problems import Severity
from config.scalars import Boolean, Duration, Integer, Text, Word
from config.sections import Key, Listing, Nested, Section
from config.shape_checks import CHECK
from config.shape_pool import POOL_SETTINGS
from config.strangers import MAIL_STRANGERS, SERVICE_STRANGERS
from config.words import (
    FORWARDING_WORDS,
    SCHEDULER_FLAGS,
    SCHEDULERS,
    Initial,
    OnFailure,
    Protocol,
    TunnelChecksum,
    TunnelType,
)

WEIGHT_LIMIT: Final = 2**31 - 1  # the kernel holds it in an int (include/net/ip_vs.h, struct ip_vs_dest)
THRESHOLD_LIMIT: Final = 2**32 - 1
PERSISTENCE_LIMIT_SECONDS: Final = 31 * 86400  # ipvsadm's
CHECKS_LIMIT: Final = 100
MAIL_PHASE_WORDS: Final = ("starting", "running", "stopping", "reloading")

CHECK_KEY = Key("check", Nested(CHECK), "How the real servers are probed; key by key over the level above.", "tcp")
FORWARDING = Key(
    "forwarding",
    Word("a forwarding method", FORWARDING_WORDS, ("direct", "tunnel", "masquerade")),
    "How packets reach the real server: direct (gate, DR), tunnel (ipip, TUN) or masquerade (masq, NAT).",
    "direct",
)
TUNNEL_TYPE = Key(
    "type", Word("a type of tunnel", {one.name.lower(): one for one in TunnelType}), "ipip, gue or gre.", "ipip"
)
TUNNEL_PORT = Key("port", Integer(1, PORT_LIMIT), "With gue: the UDP port the real server takes the packets on.")
TUNNEL_CHECKSUM = Key(
    "checksum",
    Word("a checksum", {one.name.lower(): one for one in TunnelChecksum}),
    "With gue and gre: none, checksum, or (gue) remote.",
    "none",
)
TUNNEL_SECTION = Section(
    "tunnel", "How packets to a real server are encapsulated.", (TUNNEL_TYPE, TUNNEL_PORT, TUNNEL_CHECKSUM)
)
TUNNEL = Key(
    "tunnel",
    TunnelKind(TUNNEL_SECTION, TUNNEL_TYPE),
    "With `forwarding: tunnel`: ipip, gre, or a mapping with the port of gue.",
    "ipip",
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
    "Several checks; each over this level's `check`, key by key.",
)
ON_FAILURE = Key(
    "on_failure",
    Word("what happens on failure", {one.value: one for one in OnFailure}),
    "Whether a failed real server is removed or kept with weight 0 (quiesce).",
    "remove",
)
ON_UP = Key("on_up", Command(optional=True), "A command to run when a real server enters service; `false` for none.")
ON_DOWN = Key("on_down", Command(optional=True), "A command to run when a real server leaves service.")
CHECKS_NEEDED = Key(
    "checks_needed",
    WordOrNumber("how many checks must be healthy", {"all": 0, "any": 1}, CHECKS_LIMIT),
    "How many of a real server's checks must be healthy: all, any, or a number.",
    "all",
)
INITIAL = Key(
    "initial",
    Word("a state to begin with", {one.value: one for one in Initial}),
    "What is believed before the first verdict: adopt (as the kernel has it), unknown, up or down.",
    "adopt",
)
_REAL_SERVER_SETTINGS = (
    FORWARDING, TUNNEL, WEIGHT, CHECK_KEY, CHECKS_KEY, CHECKS_NEEDED, INITIAL, UPPER_THRESHOLD, LOWER_THRESHOLD,
    ON_FAILURE, ON_UP, ON_DOWN,
)  # fmt: skip

REAL_ADDRESS = Key("address", Address(), "The real server's address.", required=True)
REAL_PORT = Key("port", Integer(0, PORT_LIMIT), "Its port; the virtual service's unless given.")
PRIORITY_GROUP = Key(
    "group", Integer(1, 100), "Group 1 serves; the next one when too few are up before it (`group_minimum`).", "1"
)
REAL_SERVER = Section(
    "real server",
    "A server behind the virtual service.",
    (REAL_ADDRESS, REAL_PORT, *_REAL_SERVER_SETTINGS, PRIORITY_GROUP),
    SERVICE_STRANGERS,
)

PERSISTENCE_TIMEOUT = Key(
    "timeout",
    Duration(1, PERSISTENCE_LIMIT_SECONDS, whole_seconds=True),
    "How long after its last connection a client returns to the same real server.",
    required=True,
)
NETMASK = Key("netmask", Netmask(), "Clients alike in this prefix go together: 24 or 255.255.255.0.", "32 (IPv6: 128)")
ENGINE = Key(
    "engine", Word("a persistence engine", {"sip": "sip"}), "`sip`: calls stay together by their Call-ID (UDP only)."
)
PERSISTENCE_SECTION = Section(
    "persistence", "Clients return to the same real server.", (PERSISTENCE_TIMEOUT, NETMASK, ENGINE)
)

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
QUORUM = Key("quorum", Integer(1, WEIGHT_LIMIT), "The weight of healthy real servers below which it has too few.", "1")
HYSTERESIS = Key(
    "hysteresis", Integer(0, WEIGHT_LIMIT), "How far from the quorum things must go before they count; below it.", "0"
)
ON_QUORUM_UP = Key("on_quorum_up", Command(optional=True), "A command to run when the quorum is reached.")
ON_QUORUM_DOWN = Key("on_quorum_down", Command(optional=True), "A command to run when the quorum is lost.")
HOOKS_ON_STOP = Key(
    "hooks_on_stop", Boolean(), "Whether `on_down` and `on_quorum_down` are run when lvsd stops.", "false"
)
_MAIL_ADDRESS = Text("a mail address", r"[^\s@<>,;]+(?:@[^\s@<>,;]+)?", "admin@example.net")
MAIL_TO = Key(
    "to", Listing(_MAIL_ADDRESS, "a list of mail addresses", single=True), "Who gets the mail.", required=True
)
MAIL_FROM = Key("from", _MAIL_ADDRESS, "The sender; lvsd's user at this machine unless given.")
MAIL_SMTP = Key(
    "smtp",
    Text(
        "a mail server",
        r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?",
        "HOST or HOST:PORT",
    ),
    "The host that takes the mail, HOST or HOST:PORT; the local sendmail unless given.",
)
MAIL_REPEAT = Key("repeat", Duration(0, 31 * 86400), "How often a server that stays down is told again; 0 never.", "0s")
MAIL_LABEL = Key("label", Text("a label"), "A word in the subject, to know the cluster by.")
MAIL_COMMENT = Key("comment", Text("a comment", several_lines=True), "A text in every mail.")
MAIL_PHASES = Key(
    "phases",
    Listing(Word("a phase", {word: word for word in MAIL_PHASE_WORDS}), "a list of phases", single=True),
    "Mail only while the service is in one of these.",
    "all four",
)
MAIL_SECTION = Section(
    "mail",
    "Who is told when real servers come and go.",
    (MAIL_TO, MAIL_FROM, MAIL_SMTP, MAIL_REPEAT, MAIL_LABEL, MAIL_COMMENT, MAIL_PHASES),
    MAIL_STRANGERS,
)
MAIL = Key(
    "mail",
    MailKind(MAIL_SECTION, MAIL_TO),
    "Who is told by mail when real servers come and go: an address, or a mapping; `false` for nobody.",
    "false",
)
MONITOR_FILE = Key("monitor_file", PathKind(), "A file that gets one line for each outcome of a probe.")
_SERVICE_SETTINGS = (
    SCHEDULER, FLAGS, PERSISTENCE, *_REAL_SERVER_SETTINGS, QUORUM, HYSTERESIS, ON_QUORUM_UP, ON_QUORUM_DOWN,
    HOOKS_ON_STOP, MAIL, MONITOR_FILE, *POOL_SETTINGS,
)  # fmt: skip

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
FALLBACK_ON_FAILURE = Key(
    ON_FAILURE.name, ON_FAILURE.kind, "`quiesce` keeps it in the table with weight 0 while it does not serve.", "remove"
)
FALLBACK_CHECK = Key(
    CHECK_KEY.name, CHECK_KEY.kind, "How it is probed; the service's checks are not inherited.", "none"
)
FALLBACK_CHECKS = Key(CHECKS_KEY.name, CHECKS_KEY.kind, "Several checks instead.")
FALLBACK_SERVER = Section(
    "fallback server",
    "A server that serves while no real server does; not probed unless it says how.",
    (
        REAL_ADDRESS, REAL_PORT, WEIGHT, FORWARDING, TUNNEL, FALLBACK_ON_FAILURE, FALLBACK_CHECK, FALLBACK_CHECKS,
        CHECKS_NEEDED,
    ),
    SERVICE_STRANGERS,
)  # fmt: skip
FALLBACK = Key(
    "fallback",
    Listing(
        RealServerKind(FALLBACK_SERVER, REAL_ADDRESS, REAL_PORT),
        "a list of fallback servers",
        single=True,
        hint="an address, or a list: [1.1.1.19]",
    ),
    "Servers that serve while no real server does: all together, or the first healthy one of those with a check.",
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
