"""Every keyword of a virtual_server and what stands in it: carried over, told, or asked for anyway. Pure."""

from __future__ import annotations

from typing import Final

from config.keepalived.block import CHANGES, PASSED_OVER, Told, Vocabulary, all_of
from config.keepalived.vrrp_words import SNMP, TUNING

_INHERITED: Final = ("delay_loop", "retry", "delay_before_retry", "connect_timeout")
_AS_EVER: Final = frozenset(("alpha", "warmup"))
"""lvsd always waits for a real server's first success, and its first probe comes within a second."""

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
            "persistence_engine",
            "weight",
            "ops",
            "virtualhost",
            "inhibit_on_failure",
            "ip_family",
            "sorry_server",
            "sorry_server_lvs_method",
            "sorry_server_inhibit",
            "quorum",
            "hysteresis",
            "quorum_up",
            "quorum_down",
            "omega",
            "smtp_alert",
            *(f"flag-{number}" for number in (1, 2, 3)),
            "sh-port",
            "sh-fallback",
            "mh-port",
            "mh-fallback",
        )
    ),
    several=frozenset(("real_server",)),
    told={
        **all_of(
            "ha_suspend",
            Told(PASSED_OVER, "real servers are checked on both balancers, so that a failover finds a true table"),
        ),
        **all_of("nat_mask", Told(PASSED_OVER, "keepalived does not know it any more either")),
        **all_of("snmp_name", SNMP),
    },
    silent=_AS_EVER,
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
            "notify_up",
            "notify_down",
            "smtp_alert",
        )
    ),
    several=frozenset(
        (
            "TCP_CHECK",
            "HTTP_GET",
            "SSL_GET",
            "SMTP_CHECK",
            "DNS_CHECK",
            "UDP_CHECK",
            "PING_CHECK",
            "MISC_CHECK",
        )
    ),
    told={
        **all_of("snmp_name", SNMP),
        **all_of(
            "BFD_CHECK FILE_CHECK",
            Told(CHANGES, "lvsd has no such check; the server would count as healthy", "MISC_CHECK with a command"),
        ),
    },
    silent=_AS_EVER,
)

_SOURCE: Final = Told(PASSED_OVER, "probes leave from the port and interface the kernel chooses")
_CHECK_TOLD: Final = {
    **all_of("bind_port bind_if", _SOURCE),
    **all_of("log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
}
_CHECK: Final = frozenset((*_INHERITED, "connect_ip", "connect_port", "bindto", "fwmark"))

TCP: Final = Vocabulary("TCP_CHECK", _CHECK | {"nb_get_retry"}, told=_CHECK_TOLD, silent=_AS_EVER)
PING: Final = Vocabulary("PING_CHECK", _CHECK | {"nb_get_retry"}, told=_CHECK_TOLD, silent=_AS_EVER)
DNS: Final = Vocabulary("DNS_CHECK", _CHECK | {"nb_get_retry", "type", "name"}, told=_CHECK_TOLD, silent=_AS_EVER)
UDP: Final = Vocabulary(
    "UDP_CHECK",
    _CHECK | {"nb_get_retry", "payload", "require_reply", "min_reply_length", "max_reply_length"},
    told=_CHECK_TOLD,
    silent=_AS_EVER,
)
SMTP: Final = Vocabulary(
    "SMTP_CHECK",
    _CHECK | {"nb_get_retry", "helo_name"},
    several=frozenset(("host",)),
    told=_CHECK_TOLD,
    silent=_AS_EVER,
)
SMTP_HOST: Final = Vocabulary(
    "host",
    frozenset(("connect_ip", "connect_port", "connect_timeout", "bindto", "fwmark")),
    told={
        **_CHECK_TOLD,
        **all_of(
            "retry delay_before_retry delay_loop",
            Told(PASSED_OVER, "what the SMTP_CHECK around it says counts", "say it there, as keepalived takes it too"),
        ),
    },
    silent=_AS_EVER,
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
    silent=_AS_EVER,
)
_REGEX: Final = Told(
    CHANGES,
    "lvsd looks for the expression in the beginning of the whole page only",
    "write one expression that says it",
)
URL: Final = Vocabulary(
    "url",
    frozenset(("path", "status_code", "virtualhost", "regex", "regex_options", "digest")),
    told={
        **all_of("regex_no_match regex_min_offset regex_max_offset", _REGEX),
        **all_of("regex_stack", TUNING),
        **all_of("tls_compliant", Told(PASSED_OVER, "lvsd always speaks TLS as its standard says")),
    },
)
MISC: Final = Vocabulary(
    "MISC_CHECK",
    frozenset((*_INHERITED, "nb_get_retry", "misc_path", "misc_timeout", "misc_dynamic")),
    told={
        **all_of("user", Told(PASSED_OVER, "lvsd runs commands as its checker's user", "`checker_user` in lvsd.yaml")),
        **all_of("log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
    },
    silent=_AS_EVER,
)
