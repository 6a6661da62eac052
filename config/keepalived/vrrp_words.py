"""Every keyword of a keepalived.conf's file, global_defs and VRRP: carried over, told, or asked for anyway. Pure."""

from __future__ import annotations

from typing import Final

from config.keepalived.block import CHANGES, PASSED_OVER, Told, Vocabulary, all_of

READER: Final = Told(PASSED_OVER, "lvsd starts no reader of a FIFO", "a unit of its own that reads it")
RELOADED: Final = Told(PASSED_OVER, "lvsd tells a role when it changes", "`lvsctl vrrp` tells it at any time")
MAIL: Final = Told(PASSED_OVER, "lvsd sends no mail about VRRP yet", "a `notify` that does")
RELAY: Final = Told(PASSED_OVER, "lvsd's mails go out in its own way")
TUNING: Final = Told(PASSED_OVER, "it tunes keepalived's own process")
SNMP: Final = Told(PASSED_OVER, "lvsd speaks neither SNMP nor D-Bus")
_NOTIFY: Final = Told(PASSED_OVER, "lvsd runs something when a role changes, and then only")
_ANSWERS: Final = Told(PASSED_OVER, "lvsd sets no firewall rules: the virtual addresses answer while they are here")
_MAC: Final = Told(PASSED_OVER, "the addresses move to the interface itself with its own MAC, told by gratuitous ARP")
_BFD: Final = Told(
    CHANGES, "lvsd does not speak BFD, and the address would not move for it", "track a script or process"
)
_DELAYS: Final = Told(CHANGES, "it would change when the addresses move")
_COUNTS: Final = Told(CHANGES, "lvsd asks for a least number of processes only", "track a script that counts")
_BOUNCE: Final = Told(
    CHANGES, "an address would move while the process is restarted", "track a script, with `fall` and `rise`"
)
_WHICH: Final = Told(
    CHANGES, "lvsd looks at the names of processes, not at their arguments", "track a script that looks"
)
_ROUTES: Final = Told(CHANGES, "lvsd sets no routes or rules yet, and answers may not leave without them")
_LOWER: Final = Told(PASSED_OVER, "lvsd answers a lower priority as keepalived does by default")
_ROLES: Final = frozenset(("notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"))
_TRACKERS: Final = frozenset(("track_interface", "track_script", "track_file", "track_process"))
_PROCESS: Final = (
    "auto_priority",
    "no_swap",
    "rt_priority",
    "rlimit_rtime",
    "rlimit_rttime",
    "priority",
    "cpu_affinity",
    "rlimit_nofile",
    "process_name",
)


FILE: Final = Vocabulary(
    "the file",
    frozenset(),
    several=frozenset(
        (
            "global_defs",
            "vrrp_instance",
            "virtual_server",
            "virtual_server_group",
            "vrrp_sync_group",
            "vrrp_script",
            "vrrp_track_file",
            "track_file",
            "vrrp_track_process",
            "track_process",
        )
    ),
    told={
        **all_of(
            "SSL",
            Told(
                PASSED_OVER, "checks show no certificate of their own", "a server that asks for one needs a MISC_CHECK"
            ),
        ),
        **all_of(
            "static_ipaddress",
            Told(
                CHANGES,
                "addresses that do not move are not lvsd's to set",
                "set it with the system's network configuration",
            ),
        ),
        **all_of("static_routes static_rules", _ROUTES),
        **all_of(
            "net_namespace net_namespace_ipvs",
            Told(CHANGES, "lvsd works in the network namespace it is started in", "start it there: ip netns exec"),
        ),
        **all_of("instance use_pid_dir linkbeat_use_polling child_wait_time nopreempt", TUNING),
        **all_of("random_seed umask skip_check_adv_addr", TUNING),
        **all_of(
            "track_group static_track_group garp_group",
            Told(PASSED_OVER, "nothing that lvsd carries over uses it"),
        ),
        **all_of(
            "bfd_instance",
            Told(PASSED_OVER, "nothing that lvsd carries over uses it; where it is tracked an error says so"),
        ),
        **all_of("interface_up_down_delays", _DELAYS),
        **all_of("linkbeat_interfaces", TUNING),
    },
)

GLOBALS: Final = Vocabulary(
    "global_defs",
    frozenset(
        (
            "vrrp_version",
            "vrrp_strict",
            "vrrp_garp_master_delay",
            "vrrp_garp_master_repeat",
            "vrrp_garp_master_refresh",
            "vrrp_garp_master_refresh_repeat",
            "vrrp_min_garp",
            "vrrp_down_timer_adverts",
            "vrrp_mcast_group4",
            "vrrp_mcast_group6",
            "script_user",
            "notify_fifo",
            "vrrp_notify_fifo",
            "lvs_notify_fifo",
            "router_id",
            "notification_email_from",
            "smtp_server",
            "smtp_alert",
            "smtp_alert_checker",
            "no_checker_emails",
            "lvs_timeouts",
            "lvs_sync_daemon",
        )
    ),
    several=frozenset(("notification_email",)),
    told={
        **all_of("smtp_helo_name smtp_connect_timeout", RELAY),
        **all_of("smtp_alert_vrrp email_faults no_email_faults", MAIL),
        **all_of(
            "enable_script_security",
            Told(PASSED_OVER, "lvsd looks at no script's rights; the commands of checks run without any of their own"),
        ),
        **all_of("max_auto_priority min_auto_priority_delay", TUNING),
        **all_of("notify_fifo_script vrrp_notify_fifo_script lvs_notify_fifo_script", READER),
        **all_of("fifo_write_vrrp_states_on_reload", RELOADED),
        **all_of(
            "startup_script shutdown_script startup_script_timeout shutdown_script_timeout",
            Told(
                PASSED_OVER, "lvsd runs nothing when it starts and stops", "ExecStartPre and ExecStopPost of its unit"
            ),
        ),
        **all_of("vrrp_notify_priority_changes", _NOTIFY),
        **all_of("rs_init_notifies", Told(PASSED_OVER, "what runs at a change does not run for the first standing")),
        **all_of("checker_log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
        **all_of("vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat", _LOWER),
        **all_of(
            "vrrp_garp_interval vrrp_gna_interval vrrp_garp_extra_if", Told(PASSED_OVER, "lvsd sends a burst at once")
        ),
        **all_of("vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert", _LOWER),
        **all_of("vrrp_owner_ignore_adverts", Told(PASSED_OVER, "lvsd looks at every advertisement")),
        **all_of("vrrp_ipsets vrrp_iptables", _ANSWERS),
        **all_of("nftables nftables_priority nftables_counters nftables_ifindex vrrp_nftables", _ANSWERS),
        **all_of(
            "vrrp_startup_delay vrrp_delay_after_boot",
            Told(
                PASSED_OVER,
                "lvsd begins as backup and listens for three advertisements, no longer",
                "ExecStartPre=/bin/sleep of its unit",
            ),
        ),
        **all_of(
            "default_interface",
            Told(
                CHANGES, "lvsd reads the interface from the instance only", "write `interface` in every vrrp_instance"
            ),
        ),
        **all_of("lvs_flush", Told(PASSED_OVER, "lvsd adopts the table it finds and changes only what differs")),
        **all_of("lvs_flush_on_stop", Told(PASSED_OVER, "lvsd leaves the table when it stops")),
        **all_of("process_names checker_process_name bfd_process_name dynamic_interfaces umask", TUNING),
        **all_of("vrrp_netlink_cmd_rcv_bufs vrrp_netlink_monitor_rcv_bufs lvs_netlink_cmd_rcv_bufs", TUNING),
        **all_of("lvs_netlink_monitor_rcv_bufs vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier disable_local_igmp", TUNING),
        **all_of("use_symlink_paths json_version include_check tmp_config_directory config_copy_directory", TUNING),
        **all_of("reload_time_file reload_repeat reload_file reload_check_config vmac_prefix vmac_addr_prefix", TUNING),
        **all_of("data_use_instance state_dump_file stats_dump_file json_dump_file log_unknown_vrids", TUNING),
        **all_of(
            " ".join(f"{who}_{what}" for who in ("vrrp", "checker", "bfd", "global") for what in _PROCESS), TUNING
        ),
        **all_of("enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3", SNMP),
        **all_of(
            "snmp_socket enable_snmp_keepalived enable_traps enable_dbus dbus_service_name dbus_no_interface_name", SNMP
        ),
    },
    silent=frozenset(("vrrp_skip_check_adv_addr", "vrrp_check_unicast_src")),
)

INSTANCE: Final = Vocabulary(
    "vrrp_instance",
    frozenset(
        (
            "state",
            "interface",
            "virtual_router_id",
            "priority",
            "advert_int",
            "version",
            "authentication",
            "nopreempt",
            "preempt",
            "strict_mode",
            "garp_master_delay",
            "garp_master_repeat",
            "garp_master_refresh",
            "garp_master_refresh_repeat",
            "down_timer_adverts",
            "preempt_delay",
            "lvs_sync_daemon_interface",
            "lvs_sync_daemon",
            "unicast_src_ip",
            "unicast_fault_no_peer",
            "mcast_src_ip",
            "mcast_dst_ip",
            "v3_checksum_as_v2",
            "use_vmac",
            "accept",
            "no_accept",
            "dont_track_primary",
        )
    )
    | _ROLES,
    several=frozenset(("virtual_ipaddress", "virtual_ipaddress_excluded", "unicast_peer")) | _TRACKERS,
    told={
        **all_of("virtual_routes virtual_routes_excluded virtual_rules", _ROUTES),
        **all_of("unicast_ttl", Told(PASSED_OVER, "lvsd sends with a TTL of 255")),
        **all_of("track_bfd", _BFD),
        **all_of("notify_deleted notify_master_rx_lower_pri notify_priority_changes", _NOTIFY),
        **all_of("smtp_alert", MAIL),
        **all_of("use_vmac_addr use_ipvlan", _MAC),
        **all_of(
            "vmac_xmit_base",
            Told(PASSED_OVER, "multicast advertisements carry the virtual MAC, unicast ones the interface's own"),
        ),
        **all_of("lower_prio_no_advert higher_prio_send_advert garp_lower_prio_delay garp_lower_prio_repeat", _LOWER),
        **all_of("garp_extra_if", Told(PASSED_OVER, "lvsd announces on the address's own interface")),
        **all_of("native_ipv6", Told(PASSED_OVER, "the addresses tell the family")),
        **all_of("old_unicast_checksum", Told(PASSED_OVER, "lvsd sends the checksum keepalived sends by default")),
        **all_of("owner_ignore_adverts", Told(PASSED_OVER, "lvsd looks at every advertisement")),
        **all_of("auth_hmac", Told(CHANGES, "lvsd knows the simple password only; the peer would not accept it")),
        **all_of("promote_secondaries timer_expired_backup thread_timer_expired debug linkbeat_use_polling", TUNING),
        **all_of("linkbeat_interfaces", TUNING),
    },
    silent=frozenset(("skip_check_adv_addr", "check_unicast_src", "track_src_ip", "no_virtual_ipaddress")),
)

SYNC_GROUP: Final = Vocabulary(
    "vrrp_sync_group",
    frozenset(("group", "sync_group_tracking_weight")) | _ROLES,
    several=_TRACKERS,
    told={
        **all_of("notify_deleted notify_priority_changes", _NOTIFY),
        **all_of("smtp_alert", MAIL),
        **all_of("global_tracking", TUNING),
        **all_of("track_bfd", _BFD),
    },
)

SCRIPT: Final = Vocabulary(
    "vrrp_script",
    frozenset(("script", "interval", "timeout", "weight", "rise", "fall", "user")),
    told=all_of("init_fail", Told(PASSED_OVER, "an instance waits for the first result, which counts alone")),
)

TRACK_FILE: Final = Vocabulary(
    "track_file",
    frozenset(("file", "weight")),
    told=all_of("init_file", Told(PASSED_OVER, "lvsd writes no file it tracks", "ExecStartPre= of its unit")),
)

TRACK_PROCESS: Final = Vocabulary(
    "vrrp_track_process",
    frozenset(("process", "quorum", "weight")),
    told={
        **all_of("quorum_max", _COUNTS),
        **all_of("delay terminate_delay", _BOUNCE),
        **all_of("fork_delay", Told(PASSED_OVER, "lvsd looks at the processes once a second")),
        **all_of("full_command param_match", _WHICH),
    },
)

AUTHENTICATION: Final = Vocabulary("authentication", frozenset(("auth_type", "auth_pass")), hidden=True)
