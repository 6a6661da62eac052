"""Other programs' keys, with the words of ours: for those who write lvsd.yaml with ldirectord.cf in mind. Pure."""

from __future__ import annotations

from typing import Final

CHECK_STRANGERS: Final = {
    "checktype": "ldirectord's; here `type`",
    "service": "ldirectord's; here `type`",
    "checkinterval": "ldirectord's; here `interval`",
    "delay_loop": "keepalived's; here `interval`",
    "checktimeout": "ldirectord's; here `timeout`",
    "negotiatetimeout": "ldirectord's; here `timeout`",
    "connect_timeout": "keepalived's; here `timeout`",
    "checkcount": "ldirectord's; here `fall`",
    "failurecount": "ldirectord's; here `fall`",
    "retry": "keepalived's; here `fall`",
    "checkport": "ldirectord's; here `port`",
    "connect_port": "keepalived's; here `port`",
    "request": "ldirectord's; here `path` (http) or `query` (mysql)",
    "httpmethod": "ldirectord's; here `method`",
    "virtualhost": "here `virtual_host`",
    "status_code": "keepalived's; here `status`",
    "passwd": "ldirectord's; here `password`",
    "username": "here `login`",
    "checkcommand": "ldirectord's; here `command`",
    "misc_path": "keepalived's; here `command`",
    "delay_before_retry": "keepalived's; here `fast_interval`",
    "fastinter": "HAProxy's; here `fast_interval`",
    "downinter": "HAProxy's; here `down_interval`",
    "bindto": "keepalived's; here `source`",
    "fwmark": "keepalived's; here `mark`",
    "payload": "keepalived's; here `send`, or `send_hex`",
    "require_reply": "keepalived's; here `reply: true`, or `reply_hex`",
    "max_reply_length": "keepalived's; here `reply_length: 1-100`",
    "min_reply_length": "keepalived's; here `reply_length: 1-100`",
    "misc_dynamic": "keepalived's; here `dynamic_weight`",
    "tls": "here a type of its own (https, imaps, pops, smtps), or `starttls: true`",
    "ssl": "here a type of its own (https, imaps, pops, smtps), or `starttls: true`",
}

_IN_CHECK: Final = {
    key: f"it stands inside `check: {{{key}: ...}}`"
    for key in (
        "type",
        "interval",
        "timeout",
        "rise",
        "fall",
        "path",
        "query",
        "receive",
        "login",
        "password",
        "command",
    )
}
SERVICE_STRANGERS: Final = {
    **_IN_CHECK,
    **{key: f"{words}, inside `check:`" for key, words in CHECK_STRANGERS.items()},
    "real": "ldirectord's; here `real_servers`, a list",
    "real_server": "here `real_servers`, a list",
    "servers": "here `real_servers`",
    "lb_algo": "keepalived's; here `scheduler`",
    "lvs_sched": "keepalived's; here `scheduler`",
    "lb_kind": "keepalived's; here `forwarding`",
    "lvs_method": "keepalived's; here `forwarding`",
    "persistent": "ldirectord's; here `persistence`",
    "persistence_timeout": "keepalived's; here `persistence`",
    "persistence_granularity": "keepalived's; here `persistence: {timeout: ..., netmask: ...}`",
    "netmask": "here `persistence: {timeout: ..., netmask: ...}`",
    "quiescent": "ldirectord's; here `on_failure: quiesce`",
    "inhibit_on_failure": "keepalived's; here `on_failure: quiesce`",
    "ops": "here `one_packet`",
    "notify_up": "keepalived's; here `on_up`",
    "notify_down": "keepalived's; here `on_down`",
    "quorum_up": "keepalived's; here `on_quorum_up`",
    "quorum_down": "keepalived's; here `on_quorum_down`",
    "alpha": "keepalived's; here `initial: down`",
    "omega": "keepalived's; here `hooks_on_stop`",
    "backup": "HAProxy's; here `group: 2`, or `fallback`",
    "agent-check": "HAProxy's; here `checks: [..., {type: agent, port: ...}]`",
    "sorry_server": "keepalived's; here `fallback`",
    "emailalert": "ldirectord's; here `mail`",
    "monitorfile": "ldirectord's; here `monitor_file`",
    "persistence_engine": "keepalived's; here `persistence: {timeout: ..., engine: sip}`",
    "tun_type": "here `tunnel: {type: ...}`",
    "uthreshold": "keepalived's; here `upper_threshold`",
    "lthreshold": "keepalived's; here `lower_threshold`",
}

MAIL_STRANGERS: Final = {
    "emailalert": "ldirectord's; here `to`",
    "emailalertfrom": "ldirectord's; here `from`",
    "emailalertfreq": "ldirectord's; here `repeat`",
    "emailalertstatus": "ldirectord's; here `phases`",
    "server": "here `smtp`",
}

SYNC_STRANGERS: Final = {
    "inst": "keepalived's; here `instance`",
    "maxlen": "keepalived's; here `max_length`",
    "syncid": "ipvsadm's; here `id`",
    "mcast_interface": "ipvsadm's; here `interface`",
}

VRRP_STRANGERS: Final = {
    "state": "keepalived's; here the priorities alone decide",
    "advert_int": "keepalived's; here `advertisement_interval`",
    "virtual_ipaddress": "keepalived's; here `addresses`",
    "vrrp_version": "keepalived's; here `version`",
    "vrid": "here `virtual_router_id`",
    "nopreempt": "keepalived's; here `preempt: false`",
    "auth_type": "keepalived's; here `authentication: {type: simple, password: ...}`",
    "auth_pass": "keepalived's; here `authentication: {type: simple, password: ...}`",
    "use_vmac": "keepalived's; here `virtual_mac: true`",
    "no_accept": "keepalived's; here `accept: false`",
    "dont_track_primary": "keepalived's; here `track_interface: false`",
    "track_script": "keepalived's; here `track: [{script: [...]}]`",
    "garp_master_repeat": "keepalived's; here `gratuitous_arp: {repeat: ...}`",
    "garp_master_delay": "keepalived's; here `gratuitous_arp: {delay: ...}`",
    "garp_master_refresh": "keepalived's; here `gratuitous_arp: {refresh: ...}`",
}

TRACK_STRANGERS: Final = {
    "reverse": "keepalived's; here `inverted: true`, and the weight with the other sign",
    "dev": "here `via_interface`",
    "via": "here `gateway`",
}

TOP_STRANGERS: Final = {
    "virtual": "it stands inside a service: `services: {NAME: {virtual: ...}}`",
    "virtual_server": "keepalived's; here `services`",
    "vrrp_instance": "keepalived's; here `vrrp`",
    "global_defs": "keepalived's; there is none here",
    "sync": "it stands inside `ipvs:`",
    "timeouts": "it stands inside `ipvs:`",
    "lvs_sync_daemon": "keepalived's; here `ipvs: {sync: {...}}`",
    "lvs_timeouts": "keepalived's; here `ipvs: {timeouts: {...}}`",
    "autoreload": "it stands inside `daemon:`",
    "maintenancedir": "ldirectord's; here `daemon: {maintenance_directory: ...}`",
    "callback": "ldirectord's; here `daemon: {on_config_change: [...]}`",
    "check": "it stands inside `defaults:` or a service",
    "scheduler": "it stands inside `defaults:` or a service",
    "forwarding": "it stands inside `defaults:` or a service",
    "real_servers": "it stands inside a service",
    "checkinterval": "ldirectord's; here `defaults: {check: {interval: ...}}`",
    "checktimeout": "ldirectord's; here `defaults: {check: {timeout: ...}}`",
    "failurecount": "ldirectord's; here `defaults: {check: {fall: ...}}`",
    "quiescent": "ldirectord's; here `defaults: {on_failure: quiesce}`",
}
