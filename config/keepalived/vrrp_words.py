"""Every keyword of a keepalived.conf's file, global_defs and VRRP: carried over, told, or asked for anyway. Pure."""

from __future__ import annotations

from typing import Final

from config.keepalived.block import CHANGES, PASSED_OVER, Told, Vocabulary, all_of

SCRIPTS: Final = Told(PASSED_OVER, "lvsd runs no script at a change of VRRP yet")
EVENTS: Final = Told(PASSED_OVER, "lvsd writes no FIFO; `lvsctl events` tells what happens")
MAIL: Final = Told(PASSED_OVER, "lvsd sends no mail about VRRP yet")
RELAY: Final = Told(PASSED_OVER, "lvsd's mails go out in its own way")
USER: Final = Told(PASSED_OVER, "lvsd runs hooks as one user for all", "`command_user` in lvsd.yaml")
TUNING: Final = Told(PASSED_OVER, "it tunes keepalived's own process")
SNMP: Final = Told(PASSED_OVER, "lvsd speaks neither SNMP nor D-Bus")
_LATER_VERSION: Final = Told(PASSED_OVER, "it concerns VRRP version 3, which lvsd does not speak yet")
_ANSWERS: Final = Told(PASSED_OVER, "lvsd sets no firewall rules: the virtual addresses answer while they are here")
_MAC: Final = Told(PASSED_OVER, "the addresses move to the interface itself with its own MAC, told by gratuitous ARP")
_TRACKING: Final = Told(
    CHANGES, "it would change when the addresses move, and lvsd tracks only the instance's interface yet"
)
_UNICAST: Final = Told(CHANGES, "lvsd advertises by multicast only yet; the peer would not hear it")
_ROUTES: Final = Told(CHANGES, "lvsd sets no routes or rules yet, and answers may not leave without them")
_GROUP: Final = Told(CHANGES, "lvsd advertises to 224.0.0.18 only yet; the peer would not hear it")
_LOWER: Final = Told(PASSED_OVER, "lvsd answers a lower priority as keepalived does by default")
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
        ("global_defs", "vrrp_instance", "virtual_server", "virtual_server_group", "vrrp_sync_group", "vrrp_script")
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
            "vrrp_track_process track_group static_track_group garp_group",
            Told(PASSED_OVER, "nothing that lvsd carries over uses it"),
        ),
        **all_of(
            "vrrp_track_file track_file track_process bfd_instance",
            Told(PASSED_OVER, "nothing that lvsd carries over uses it; where it is tracked an error says so"),
        ),
        **all_of("interface_up_down_delays", Told(CHANGES, "it would change when the addresses move")),
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
        **all_of("script_user", USER),
        **all_of(
            "enable_script_security",
            Told(PASSED_OVER, "lvsd looks at no script's rights; the commands of checks run without any of their own"),
        ),
        **all_of("max_auto_priority min_auto_priority_delay", TUNING),
        **all_of("notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script", EVENTS),
        **all_of("lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload", EVENTS),
        **all_of(
            "startup_script shutdown_script startup_script_timeout shutdown_script_timeout",
            Told(
                PASSED_OVER, "lvsd runs nothing when it starts and stops", "ExecStartPre and ExecStopPost of its unit"
            ),
        ),
        **all_of("vrrp_notify_priority_changes", SCRIPTS),
        **all_of("rs_init_notifies", Told(PASSED_OVER, "what runs at a change does not run for the first standing")),
        **all_of("checker_log_all_failures", Told(PASSED_OVER, "lvsctl status tells the last outcome")),
        **all_of("vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat", _LOWER),
        **all_of(
            "vrrp_garp_interval vrrp_gna_interval vrrp_garp_extra_if", Told(PASSED_OVER, "lvsd sends a burst at once")
        ),
        **all_of("vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert", _LOWER),
        **all_of("vrrp_mcast_group4", _GROUP),
        **all_of("vrrp_mcast_group6 vrrp_owner_ignore_adverts vrrp_ipsets vrrp_iptables", _LATER_VERSION),
        **all_of("nftables nftables_priority nftables_counters nftables_ifindex vrrp_nftables", _ANSWERS),
        **all_of("vrrp_startup_delay vrrp_delay_after_boot", Told(CHANGES, "it would change when the addresses move")),
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
        )
    ),
    several=frozenset(("virtual_ipaddress", "track_interface", "track_script")),
    told={
        **all_of(
            "virtual_ipaddress_excluded",
            Told(
                CHANGES,
                "lvsd moves only the addresses it advertises yet; nobody would hold these",
                "move them to virtual_ipaddress, on both balancers",
            ),
        ),
        **all_of("virtual_routes virtual_routes_excluded virtual_rules", _ROUTES),
        **all_of("unicast_peer unicast_src_ip unicast_ttl unicast_fault_no_peer", _UNICAST),
        **all_of("mcast_dst_ip", _GROUP),
        **all_of(
            "mcast_src_ip",
            Told(
                PASSED_OVER,
                "advertisements come from the interface's own address, which decides between equal priorities",
            ),
        ),
        **all_of("track_file track_process track_bfd dont_track_primary track_src_ip", _TRACKING),
        **all_of("notify notify_master notify_backup notify_fault notify_stop notify_deleted", SCRIPTS),
        **all_of("notify_master_rx_lower_pri notify_priority_changes", SCRIPTS),
        **all_of("smtp_alert", MAIL),
        **all_of("use_vmac use_vmac_addr vmac_xmit_base use_ipvlan", _MAC),
        **all_of("no_accept", _ANSWERS),
        **all_of("lower_prio_no_advert higher_prio_send_advert garp_lower_prio_delay garp_lower_prio_repeat", _LOWER),
        **all_of("garp_extra_if", Told(PASSED_OVER, "lvsd announces on the address's own interface")),
        **all_of("native_ipv6 old_unicast_checksum v3_checksum_as_v2 owner_ignore_adverts", _LATER_VERSION),
        **all_of("auth_hmac", Told(CHANGES, "lvsd knows the simple password only; the peer would not accept it")),
        **all_of("promote_secondaries timer_expired_backup thread_timer_expired debug linkbeat_use_polling", TUNING),
        **all_of("linkbeat_interfaces", _TRACKING),
    },
    silent=frozenset(("accept", "skip_check_adv_addr", "check_unicast_src", "no_virtual_ipaddress")),
)

SYNC_GROUP: Final = Vocabulary(
    "vrrp_sync_group",
    frozenset(("group",)),
    told={
        **all_of("notify notify_master notify_backup notify_fault notify_stop notify_priority_changes", SCRIPTS),
        **all_of("smtp_alert", MAIL),
        **all_of("global_tracking sync_group_tracking_weight", TUNING),
        **all_of("track_interface track_script track_file track_process track_bfd", _TRACKING),
    },
)

AUTHENTICATION: Final = Vocabulary("authentication", frozenset(("auth_type", "auth_pass")), hidden=True)
