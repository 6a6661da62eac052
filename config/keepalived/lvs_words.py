"""Every keyword of a virtual_server and what stands in it: carried over, told, or asked for anyway. Pure."""

from __future__ import annotations

from typing import Final

from config.keepalived.block import CHANGES, PASSED_OVER, Told, Vocabulary, all_of
from config.keepalived.vrrp_words import MAIL, SCRIPTS, SNMP, TUNING

_INHERITED: Final = ("delay_loop", "retry", "delay_before_retry", "connect_timeout")
_NOT_SIPPED: Final = Told(
    PASSED_OVER, "the first probe comes within a second, at a moment of its own for each real server"
)
_ALPHA: Final = frozenset(("alpha",))  # lvsd always waits for a real server's first success

SERVER: Final = Vocabulary(
    "virtual_server",
    frozenset(
        (
            *_INHERITED,
            "lb_algo",
            "lvs_sched",
            "lb_kind",
            "lvs_method",
            "protocol",
            "persistence_timeout",
            "persistence_granularity",
            "ops",
            "virtualhost",
            "inhibit_on_failure",
            "ip_family",
            "sorry_server",
            "sorry_server_lvs_method",
            "quorum",
            "hysteresis",
            *(f"flag-{number}" for number in (1, 2, 3)),
            "sh-port",
            "sh-fallback",
            "mh-port",
            "mh-fallback",
        )
    ),
    several=frozenset(("real_server",)),
    told={
        **all_of("sorry_server_inhibit", Told(PASSED_OVER, "real servers leave as they do when they fail")),
        **all_of("persistence_engine", Told(CHANGES, "lvsd keeps clients together by address only yet")),
        **all_of("quorum_up quorum_down", SCRIPTS),
        **all_of(
            "ha_suspend",
            Told(PASSED_OVER, "real servers are checked on both balancers, so that a failover finds a true table"),
        ),
        **all_of("smtp_alert", MAIL),
        **all_of("omega", Told(PASSED_OVER, "at its end lvsd runs no scripts and leaves the table as it is")),
        **all_of("warmup", _NOT_SIPPED),
        **all_of("nat_mask", Told(PASSED_OVER, "keepalived does not know it any more either")),
        **all_of("snmp_name", SNMP),
    },
    silent=_ALPHA,
)

REAL: Final = Vocabulary(
    "real_server",
    frozenset(
        (
            *_INHERITED,
            "weight",
            "lvs_method",
            "lb_kind",
            "uthreshold",
            "lthreshold",
            "inhibit_on_failure",
            "virtualhost",
        )
    ),
    several=frozenset(("TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "MISC_CHECK")),
    told={
        **all_of("notify_up notify_down", SCRIPTS),
        **all_of("smtp_alert", MAIL),
        **all_of("warmup", _NOT_SIPPED),
        **all_of("snmp_name", SNMP),
        **all_of(
            "DNS_CHECK PING_CHECK UDP_CHECK BFD_CHECK FILE_CHECK",
            Told(
                CHANGES,
                "lvsd has no such check yet; the server would count as healthy",
                "TCP_CHECK, or MISC_CHECK with a command",
            ),
        ),
    },
)

_SOURCE: Final = Told(PASSED_OVER, "probes leave from the address the kernel chooses")
_MARKED: Final = Told(CHANGES, "the probe would take another way than the clients' packets")
_CHECK_TOLD: Final = {
    **all_of("bindto bind_port bind_if", _SOURCE),
    **all_of("fwmark", _MARKED),
    **all_of("warmup", _NOT_SIPPED),
    **all_of("log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
}
_CHECK: Final = frozenset((*_INHERITED, "connect_ip", "connect_port"))

TCP: Final = Vocabulary("TCP_CHECK", _CHECK | {"nb_get_retry"}, told=_CHECK_TOLD, silent=_ALPHA)
SMTP: Final = Vocabulary(
    "SMTP_CHECK", _CHECK | {"helo_name"}, several=frozenset(("host",)), told=_CHECK_TOLD, silent=_ALPHA
)
SMTP_HOST: Final = Vocabulary(
    "host", frozenset(("connect_ip", "connect_port", "connect_timeout")), told=_CHECK_TOLD, silent=_ALPHA
)
HTTP: Final = Vocabulary(
    "HTTP_GET or SSL_GET",
    _CHECK | {"nb_get_retry", "virtualhost", "enable_sni"},
    several=frozenset(("url",)),
    told={
        **_CHECK_TOLD,
        **all_of("http_protocol", Told(PASSED_OVER, "lvsd asks in HTTP/1.1")),
        **all_of("fast_recovery", Told(PASSED_OVER, "one success brings a real server back")),
        **all_of("tls_compliant", Told(PASSED_OVER, "lvsd always speaks TLS as its standard says")),
    },
    silent=_ALPHA,
)
_DIGEST: Final = Told(
    CHANGES,
    "lvsd does not compare digests, and a wrong page would count as healthy",
    "regex, or lvsd.yaml's `receive`, for a text of the page",
)
_REGEX: Final = Told(
    CHANGES,
    "lvsd looks for the expression in the beginning of the whole page only",
    "write one expression that says it",
)
URL: Final = Vocabulary(
    "url",
    frozenset(("path", "status_code", "virtualhost", "regex", "regex_options")),
    told={
        **all_of("digest", _DIGEST),
        **all_of("regex_no_match regex_min_offset regex_max_offset", _REGEX),
        **all_of("regex_stack", TUNING),
        **all_of("tls_compliant", Told(PASSED_OVER, "lvsd always speaks TLS as its standard says")),
    },
)
MISC: Final = Vocabulary(
    "MISC_CHECK",
    frozenset((*_INHERITED, "misc_path", "misc_timeout")),
    told={
        **all_of(
            "misc_dynamic",
            Told(CHANGES, "lvsd takes 0 for up and anything else for down; weights are not read from the exit status"),
        ),
        **all_of("user", Told(PASSED_OVER, "lvsd runs commands as its checker's user", "`checker_user` in lvsd.yaml")),
        **all_of("warmup", _NOT_SIPPED),
        **all_of("log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
    },
    silent=_ALPHA,
)
