"""Every code a problem can carry. Meaning, cause and remedy of each stand in docs/errors.md. Pure."""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "CFG001"
TOO_LARGE: Final = "CFG002"
NOT_UTF8: Final = "CFG003"
SYNTAX: Final = "CFG004"
ANCHOR: Final = "CFG005"
TAG: Final = "CFG006"
TOO_MUCH: Final = "CFG007"
INCLUDE: Final = "CFG008"
TOO_MANY_PROBLEMS: Final = "CFG009"

UNKNOWN_KEY: Final = "CFG010"
DUPLICATE_KEY: Final = "CFG011"
MISSING_KEY: Final = "CFG012"
WRONG_TYPE: Final = "CFG013"
NOT_QUOTED: Final = "CFG014"
OUT_OF_RANGE: Final = "CFG015"
UNKNOWN_WORD: Final = "CFG016"
MALFORMED: Final = "CFG017"
NO_VALUE: Final = "CFG018"
SAID_TWICE: Final = "CFG019"

NOT_OBTAINED: Final = "CFG020"
EXPOSED: Final = "CFG021"

KEY_OF_OTHER_TYPE: Final = "CFG030"
BAD_REGEX: Final = "CFG031"
CREDENTIALS: Final = "CFG032"
CHECK_WITHOUT_PORT: Final = "CFG033"
NO_EFFECT: Final = "CFG034"
CONTRADICTION: Final = "CFG035"

DUPLICATE_SERVICE: Final = "CFG040"
DUPLICATE_REAL_SERVER: Final = "CFG041"
PORT_ZERO: Final = "CFG042"
FAMILY: Final = "CFG043"
PORT_REWRITE: Final = "CFG044"
REAL_IS_VIRTUAL: Final = "CFG045"
NO_REAL_SERVERS: Final = "CFG046"
FLAG_OF_OTHER_SCHEDULER: Final = "CFG047"
ONE_PACKET: Final = "CFG048"
THRESHOLDS: Final = "CFG049"
ADDRESS_UNFIT: Final = "CFG050"

VRRP_VERSION: Final = "CFG060"
VRRP_DUPLICATE: Final = "CFG061"
VRRP_AUTHENTICATION: Final = "CFG062"
VRRP_OWNER: Final = "CFG063"
VIRTUAL_NOT_MOVED: Final = "CFG064"

NOTHING_TO_DO: Final = "CFG070"
CHECKER_IS_ROOT: Final = "CFG071"

CODES: Final = {
    UNREADABLE: "a file cannot be read",
    TOO_LARGE: "a file or value is too large",
    NOT_UTF8: "a file is not UTF-8 text",
    SYNTAX: "a file is not YAML",
    ANCHOR: "an alias has no anchor, or contains itself",
    TAG: "a YAML tag is not allowed",
    TOO_MUCH: "a file is nested too deep or holds too many values",
    INCLUDE: "includes form a loop, go too deep or name too many files",
    TOO_MANY_PROBLEMS: "there are more problems than are shown",
    UNKNOWN_KEY: "a key is not known here",
    DUPLICATE_KEY: "a key stands twice in one mapping",
    MISSING_KEY: "a required key is missing",
    WRONG_TYPE: "a value is of the wrong type",
    NOT_QUOTED: "YAML reads a bare word as other than a text",
    OUT_OF_RANGE: "a value is out of its range",
    UNKNOWN_WORD: "a word is not one of those allowed",
    MALFORMED: "a value is not written as it must be",
    NO_VALUE: "a key has no value",
    SAID_TWICE: "something is said in two places",
    NOT_OBTAINED: "a secret cannot be got",
    EXPOSED: "a secret is readable by every user of the machine",
    KEY_OF_OTHER_TYPE: "a check's key belongs to another type of check",
    BAD_REGEX: "a regular expression is not valid",
    CREDENTIALS: "a login lacks its password, or a password its login",
    CHECK_WITHOUT_PORT: "a check does not know which port to dial",
    NO_EFFECT: "a key has no effect as things are",
    CONTRADICTION: "two keys contradict each other",
    DUPLICATE_SERVICE: "two services have the same virtual address, port and protocol, or the same mark",
    DUPLICATE_REAL_SERVER: "a service lists a real server twice",
    PORT_ZERO: "port 0 without persistence",
    FAMILY: "a real server's address is of another family than the service's",
    PORT_REWRITE: "a real server's port differs although the forwarding method cannot rewrite ports",
    REAL_IS_VIRTUAL: "a real server has the virtual address itself",
    NO_REAL_SERVERS: "a service has no real server",
    FLAG_OF_OTHER_SCHEDULER: "a flag belongs to another scheduler",
    ONE_PACKET: "one-packet scheduling of a service that is not UDP",
    THRESHOLDS: "the lower threshold is above the upper one",
    ADDRESS_UNFIT: "an address cannot serve there",
    VRRP_VERSION: "a VRRP version that cannot be used",
    VRRP_DUPLICATE: "two VRRP instances share a virtual router id or an address",
    VRRP_AUTHENTICATION: "a VRRP password that does not do what it seems to",
    VRRP_OWNER: "priority 255",
    VIRTUAL_NOT_MOVED: "no VRRP instance moves a service's virtual address",
    NOTHING_TO_DO: "neither a service nor a VRRP instance is configured",
    CHECKER_IS_ROOT: "the checker would run as root",
}
"""The catalogue: every code with its meaning in one line."""
