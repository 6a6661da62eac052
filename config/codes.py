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
OTHER_ENCODING: Final = "CFG022"

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
PERSISTENCE_ENGINE: Final = "CFG051"
QUORUM: Final = "CFG052"
SYNC: Final = "CFG053"
FLOOR: Final = "CFG054"
FOLLOW: Final = "CFG055"
AGENT_ALONE: Final = "CFG056"
CHECKED_BY_TCP: Final = "CFG057"

VRRP_DUPLICATE: Final = "CFG061"
VRRP_AUTHENTICATION: Final = "CFG062"
VRRP_OWNER: Final = "CFG063"
VRRP_TRACK: Final = "CFG067"
VIRTUAL_NOT_MOVED: Final = "CFG064"

NOTHING_TO_DO: Final = "CFG070"
CHECKER_IS_ROOT: Final = "CFG071"
NOT_CONVERTED: Final = "CFG072"

UNBALANCED: Final = "CFG200"
UNKNOWN_KEYWORD: Final = "CFG201"
NOT_YET: Final = "CFG202"
PASSED_OVER: Final = "CFG203"
NOT_TAKEN: Final = "CFG204"
LEFT_OUT: Final = "CFG205"
WORDS_IGNORED: Final = "CFG206"
WORD_CUT: Final = "CFG207"
SAID_AGAIN: Final = "CFG208"
DEFAULTED: Final = "CFG209"
FORCED: Final = "CFG210"
MIXED: Final = "CFG211"
UNCHECKED: Final = "CFG212"
DEFINITION: Final = "CFG213"
INCLUDE_EMPTY: Final = "CFG214"
REPEATED: Final = "CFG215"

LD_UNKNOWN: Final = "CFG100"
LD_VALUE: Final = "CFG101"
LD_INDENTATION: Final = "CFG102"
LD_NOT_QUOTED: Final = "CFG103"
LD_REAL: Final = "CFG104"
LD_NAME: Final = "CFG105"
LD_NOT_YET: Final = "CFG106"
LD_LEFT_OUT: Final = "CFG107"
LD_OTHERWISE: Final = "CFG108"
LD_IGNORED: Final = "CFG109"
LD_PLAIN: Final = "CFG110"
LD_MAINTENANCE: Final = "CFG111"

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
    OTHER_ENCODING: "a file in another program's language is not UTF-8 text",
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
    PERSISTENCE_ENGINE: "the sip persistence engine for a service that is not UDP",
    QUORUM: "a quorum that cannot be reached, or a hysteresis that is not below it",
    FLOOR: "a floor that cannot be kept, or contradicts the fallback servers",
    FOLLOW: "a check follows a service or a real server that is not there, or itself",
    AGENT_ALONE: "an agent's word alone is enough for a real server to serve",
    CHECKED_BY_TCP: "a service of UDP or SCTP is checked over TCP, as no type of check is said",
    SYNC: "the connection sync daemon cannot do what is asked of it",
    VRRP_DUPLICATE: "two VRRP instances share a virtual router id or an address",
    VRRP_AUTHENTICATION: "a VRRP password that does not do what it seems to",
    VRRP_OWNER: "priority 255",
    VRRP_TRACK: "a VRRP instance tracks something that is not there, or several things in one",
    VIRTUAL_NOT_MOVED: "no VRRP instance moves a service's virtual address",
    NOTHING_TO_DO: "neither a service nor a VRRP instance is configured",
    CHECKER_IS_ROOT: "the checker would run as root",
    NOT_CONVERTED: "a file that cannot be converted",
    LD_UNKNOWN: "ldirectord.cf: a directive ldirectord does not know there",
    LD_VALUE: "ldirectord.cf: a value ldirectord would refuse",
    LD_INDENTATION: "ldirectord.cf: a line belongs to no virtual service",
    LD_NOT_QUOTED: "ldirectord.cf: a text without its double quotes",
    LD_REAL: "ldirectord.cf: a real or fallback server is not written as it must be",
    LD_NAME: "ldirectord.cf: a name of a host or a port is not known",
    LD_NOT_YET: "ldirectord.cf: something lvsd does not do, without which it would serve otherwise",
    LD_LEFT_OUT: "ldirectord.cf: a directive has no effect with lvsd",
    LD_OTHERWISE: "ldirectord.cf: lvsd does otherwise than ldirectord",
    LD_IGNORED: "ldirectord.cf: something ldirectord ignores or takes otherwise than it looks",
    LD_PLAIN: "ldirectord.cf: a plain SMTP check on a port of TLS",
    LD_MAINTENANCE: "ldirectord.cf: files in maintenancedir take real servers out, or name none",
    UNBALANCED: "a brace or a quote is missing or too many in a keepalived.conf",
    UNKNOWN_KEYWORD: "a keyword of a keepalived.conf is not known there",
    NOT_YET: "a keyword of a keepalived.conf cannot be honoured yet, and ignoring it would do harm",
    PASSED_OVER: "a keyword of a keepalived.conf is passed over",
    NOT_TAKEN: "a value of a keepalived.conf is not one keepalived takes",
    LEFT_OUT: "a part of a keepalived.conf is left out, as keepalived leaves it out",
    WORDS_IGNORED: "the rest of a line of a keepalived.conf is not read",
    WORD_CUT: "a comment begins inside a word of a keepalived.conf",
    SAID_AGAIN: "a keyword stands twice in one block of a keepalived.conf",
    DEFAULTED: "a keepalived.conf leaves to a default what is better said",
    FORCED: "a value of a keepalived.conf is replaced by the only one that works",
    MIXED: "real servers of one virtual_server differ in what lvsd holds for all of them",
    UNCHECKED: "a real server of a keepalived.conf is never checked",
    DEFINITION: "a definition of a keepalived.conf is missing or without end",
    INCLUDE_EMPTY: "an include of a keepalived.conf finds no file",
    REPEATED: "a command of a keepalived.conf runs for each address of a group",
}
"""The catalogue: every code with its meaning in one line."""
