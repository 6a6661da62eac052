"""Every key of a check, declared once for the loader, the JSON Schema and the manual's test. Pure."""

from __future__ import annotations

from typing import Final

from config.checks import Galera
from config.compound import Command, OrNone, PathKind, Statuses
from config.network import PORT_LIMIT, Address
from config.passwords import SecretKind
from config.payloads import HexBytes, HexPattern, LengthRange, Payload
from config.scalars import Boolean, Duration, Integer, Regex, Text, Word
from config.sections import NAME_PATTERN, Key, Section
from config.strangers import CHECK_STRANGERS

QUERY_LIMIT_BYTES: Final = 4096
HOST_PATTERN: Final = r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})"
HOST_AND_PORT_PATTERN: Final = rf"(?:{HOST_PATTERN}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?"
_HOST_HINT = "letters, digits, - and ."

# the keys of every type

CHECK_TYPE_WORDS: Final = {
    "tcp": "tcp",
    "http": "http",
    "https": "https",
    "http_proxy": "http_proxy",
    "mysql": "mysql",
    "pgsql": "pgsql",
    "imap": "imap",
    "imaps": "imaps",
    "pop": "pop",
    "pop3": "pop",
    "pops": "pops",
    "pop3s": "pops",
    "smtp": "smtp",
    "smtps": "smtps",
    "submission": "submission",
    "ldap": "ldap",
    "ldaps": "ldaps",
    "ftp": "ftp",
    "nntp": "nntp",
    "dns": "dns",
    "radius": "radius",
    "sip": "sip",
    "simpletcp": "simpletcp",
    "udp": "udp",
    "ping": "ping",
    "redis": "redis",
    "rediss": "rediss",
    "ntp": "ntp",
    "agent": "agent",
    "syn": "syn",
    "follow": "follow",
    "external": "external",
    "none": "none",
}
TYPE = Key("type", Word("a type of check", CHECK_TYPE_WORDS), "What is spoken with the real server.", "tcp")
INTERVAL = Key("interval", Duration(0.1, 86400), "From the start of one probe to the start of the next.", "5s")
FAST_INTERVAL = Key(
    "fast_interval",
    Duration(0.1, 86400),
    "Instead of `interval` while the outcomes contradict what is believed of the real server.",
)
DOWN_INTERVAL = Key(
    "down_interval", Duration(0.1, 86400), "Instead of `interval` while the real server is believed down."
)
TIMEOUT = Key("timeout", Duration(0.01, 3600), "How long a whole probe may take before it counts as failed.", "3s")
RISE = Key("rise", Integer(1, 1000), "Successes in a row that bring a real server back.", "1")
FALL = Key("fall", Integer(1, 1000), "Failures in a row that take a real server out.", "3")
CONNECTS = Key(
    "connects",
    Integer(0, 1_000_000),
    "After a healthy probe so many times only the connection is tried; 0 for whole probes always.",
    "0",
)
CHECK_PORT = Key("port", Integer(1, PORT_LIMIT), "The port to probe instead of the real server's own.")
CHECK_ADDRESS = Key("address", Address(), "The address to probe instead of the real server's own.")
SOURCE = Key("source", OrNone(Address()), "The address probes come from; `false` for the kernel's choice.")
MARK = Key("mark", Integer(0, 2**32 - 1), "The mark (SO_MARK) of the probe's packets; 0 for none.", "0")
PROXY_PROTOCOL = Key(
    "proxy_protocol",
    Integer(0, 2),
    "Begin with the PROXY protocol's header, version 1 or 2, which says that no client is behind it; 0 for none.",
    "0",
)
COMMON_CHECK_KEYS: Final = (
    TYPE, INTERVAL, FAST_INTERVAL, DOWN_INTERVAL, TIMEOUT, RISE, FALL, CONNECTS, CHECK_PORT, CHECK_ADDRESS, SOURCE,
    MARK, PROXY_PROTOCOL,
)  # fmt: skip

# the keys of some types

PATH = Key("path", Text("a path"), "The page to ask for (http), the file to read (ftp).", "/ (ftp: none)")
URL = Key("url", Text("a URL", r"https?://\S+", "http://www.example.net/"), "The URL to ask the proxy for.")
METHOD = Key(
    "method",
    Word("a method", {word: word.upper() for word in ("get", "head", "options")}),
    "The request's method.",
    "GET",
)
VIRTUAL_HOST = Key(
    "virtual_host",
    Text("a host name", HOST_AND_PORT_PATTERN, "www.example.net, and a port if need be"),
    "The Host header to send; the real server's address unless given. With https also the SNI, unless `sni` is given.",
)  # fmt: skip
STATUS = Key("status", Statuses(), 'Statuses that are healthy: 200, "200-299", or a list of them.', "200-299")
DIGEST = Key(
    "digest",
    Text("an MD5 digest", r"[0-9A-Fa-f]{32}", "32 hexadecimal digits, as keepalived's genhash prints them"),
    "The MD5 digest the page must have.",
)
RECEIVE = Key("receive", Text("a text", several_lines=True), "A text the answer must hold.")
RECEIVE_REGEX = Key("receive_regex", Regex(), "A regular expression (Python's) that must be found in the answer.")
SNI = Key(
    "sni",
    OrNone(Text("a host name", HOST_PATTERN, _HOST_HINT)),
    "The server name sent in the TLS handshake; `false` for none.",
)
VERIFY = Key("verify", Boolean(), "Whether the certificate must be valid.", "false")
CA_FILE = Key(
    "ca_file", PathKind(), "PEM file of the authorities to trust when `verify` is on; the system's unless given."
)
LOGIN = Key("login", Text("a login"), "The user to log in as.", "none (ftp: anonymous)")
PASSWORD = Key("password", SecretKind(), "The login's password.", "none (ftp: lvsd@)")
STARTTLS = Key("starttls", Boolean(), "Whether to go over to TLS with STARTTLS (STLS).", "false")
HELO = Key(
    "helo", Text("a host name", HOST_PATTERN, _HOST_HINT), "The name to introduce ourselves with.", "lvsd.invalid"
)
QUERY = Key(
    "query",
    Text("a query", several_lines=True, limit_bytes=QUERY_LIMIT_BYTES),
    "The query; a row in its answer is success.",
    "SELECT 1",
)
DATABASE = Key("database", Text("a database's name"), "The database to use.")
GALERA = Key(
    "galera",
    Word("a Galera state", {"ready": Galera.READY, "synced": Galera.SYNCED, "true": Galera.SYNCED, "false": None}),
    "What the node must be besides: `ready` (a donor passes) or `synced` (also written `true`).",
    "false",
)
BASE = Key("base", Text("a distinguished name"), 'The entry that must be found; "" is the root DSE.')
SECRET = Key("secret", SecretKind(), "The secret shared with the RADIUS server.")
DNS_NAME = Key(
    "name", Text("a domain name", r"\S{1,255}", "example.net, or . for the root"), "The name to ask for.", "."
)
RECORD = Key(
    "record",
    Word(
        "a type of record",
        {
            word.lower(): word
            for word in (
                "A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "RRSIG",
                "SOA", "SRV", "SVCB", "TLSA", "TXT",
            )
        },
    ),
    "The type of record to ask for.",
    "SOA",
)  # fmt: skip
ANSWER_NEEDED = Key("answer_needed", Boolean(), "Whether a record of that type must be in the answer.", "true")
TRANSPORT = Key("transport", Word("a transport", {"udp": False, "tcp": True}), "What carries the question.", "udp")
USER = Key("user", Text("a SIP user", r"[^\s<>]+", "lvsd, or lvsd@example.net"), "Who is asked about and asks.", "lvsd")
SEND = Key("send", Payload(), 'The text to send; "\\r\\n" and the like in double quotes.')
SEND_HEX = Key("send_hex", HexBytes(), "The bytes to send, in hexadecimal digits.")
HALF_CLOSE = Key("half_close", Boolean(), "Whether our side of the connection ends after sending.", "false")
REPLY = Key("reply", Boolean(), "Whether any answer must come.", "false")
REPLY_HEX = Key("reply_hex", HexPattern(), "How the answer must begin, in hexadecimal digits, `x` for any.")
REPLY_LENGTH = Key("reply_length", LengthRange(), 'How long the answer must be, in bytes: 12, or "10-200".')
COUNT = Key("count", Integer(1, 20), "Echo requests, of which one must be answered.", "1")
ROLE = Key(
    "role",
    Word("a role", {"master": "master", "slave": "slave"}),
    "What the answer to ROLE must say; not asked unless.",
)
STRATUM = Key("stratum", Integer(1, 15), "The highest stratum at which the server is healthy.", "15")
FOLLOWED_SERVICE = Key(
    "service",
    Text("a service's name", NAME_PATTERN, "letters, digits, _ . : @ + -"),
    "The service whose real server of the same address is followed.",
)
COMMAND = Key("command", Command(), "Program (absolute path) and arguments; exit status 0 is success. No shell.")
DYNAMIC_WEIGHT = Key(
    "dynamic_weight",
    Boolean(),
    "Whether an exit status from 2 to 255 is success too and asks for the weight `status - 2`.",
    "false",
)

_TLS = (SNI, VERIFY, CA_FILE)
_EXPECT = (RECEIVE, RECEIVE_REGEX)
_PAGE = (METHOD, VIRTUAL_HOST, STATUS, DIGEST, *_EXPECT)
_SQL = (LOGIN, PASSWORD, QUERY, DATABASE, *_EXPECT)
_MAIL = (LOGIN, PASSWORD, *_TLS)
_LDAP = (LOGIN, PASSWORD, BASE, *_EXPECT, *_TLS)
TYPE_KEYS: Final[dict[str, tuple[Key[object], ...]]] = {
    "none": (),
    "tcp": (),
    "http": (PATH, *_PAGE),
    "https": (PATH, *_PAGE, *_TLS),
    "http_proxy": (URL, *_PAGE),
    "mysql": (*_SQL, GALERA),
    "pgsql": _SQL,
    "imap": (*_MAIL, STARTTLS),
    "imaps": _MAIL,
    "pop": (*_MAIL, STARTTLS),
    "pops": _MAIL,
    "smtp": (*_MAIL, STARTTLS, HELO),
    "smtps": (*_MAIL, HELO),
    "submission": (*_MAIL, HELO),
    "ldap": (*_LDAP, STARTTLS),
    "ldaps": _LDAP,
    "ftp": (LOGIN, PASSWORD, PATH, *_EXPECT),
    "nntp": (),
    "dns": (DNS_NAME, RECORD, ANSWER_NEEDED, TRANSPORT, *_EXPECT),
    "radius": (LOGIN, PASSWORD, SECRET),
    "sip": (USER, TRANSPORT),
    "simpletcp": (SEND, SEND_HEX, HALF_CLOSE, *_EXPECT),
    "udp": (SEND, SEND_HEX, REPLY, REPLY_HEX, REPLY_LENGTH, *_EXPECT),
    "ping": (COUNT,),
    "redis": (LOGIN, PASSWORD, ROLE),
    "rediss": (*_MAIL, ROLE),
    "ntp": (STRATUM,),
    "agent": (SEND,),
    "syn": (),
    "follow": (FOLLOWED_SERVICE,),
    "external": (COMMAND, DYNAMIC_WEIGHT),
}
"""The keys each type of check has besides the common ones."""

STREAM_TYPES: Final = frozenset(
    (
        "tcp", "http", "https", "http_proxy", "mysql", "pgsql", "imap", "imaps", "pop", "pops", "smtp", "smtps",
        "submission", "ldap", "ldaps", "ftp", "nntp", "dns", "sip", "simpletcp", "redis", "rediss", "agent",
    ),
)  # fmt: skip
"""Types that hold, or may hold, a conversation over a stream: there a PROXY header can go before."""

_OWN_PACKETS: Final = frozenset(("none", "external", "follow"))  # or none at all
_FOLLOWING: Final = frozenset((TYPE.name, CHECK_PORT.name))


def common_keys(kind: str) -> tuple[Key[object], ...]:
    """Those of the common keys that mean something to a type of check."""
    return tuple(key for key in COMMON_CHECK_KEYS if _means(key.name, kind))


def _means(name: str, kind: str) -> bool:
    if kind == "follow":
        return name in _FOLLOWING
    if name == PROXY_PROTOCOL.name:
        return kind in STREAM_TYPES
    return name not in (SOURCE.name, MARK.name) or kind not in _OWN_PACKETS


def known_keys(kind: str) -> tuple[Key[object], ...]:
    """All the keys of a type of check."""
    return (*common_keys(kind), *TYPE_KEYS[kind])


CHECK = Section(
    "check",
    "How a real server is probed.",
    (
        *COMMON_CHECK_KEYS, PATH, URL, METHOD, VIRTUAL_HOST, STATUS, DIGEST, RECEIVE, RECEIVE_REGEX, LOGIN, PASSWORD,
        QUERY, DATABASE, GALERA, BASE, SECRET, DNS_NAME, RECORD, ANSWER_NEEDED, TRANSPORT, USER, SEND, SEND_HEX,
        HALF_CLOSE, REPLY, REPLY_HEX, REPLY_LENGTH, COUNT, ROLE, STRATUM, FOLLOWED_SERVICE, STARTTLS, HELO, SNI, VERIFY,
        CA_FILE, COMMAND, DYNAMIC_WEIGHT,
    ),
    CHECK_STRANGERS,
)  # fmt: skip
