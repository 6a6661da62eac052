"""The daemon's and the kernel's settings as the keys of lvsd.yaml that say them. Pure."""

from __future__ import annotations

from config.convert.values import Keys, duration, endpoint, said
from config.model import ConnectionSync, Daemon, Ipvs, Peering, Timeouts


def daemon_keys(daemon: Daemon) -> Keys:
    """The settings of the processes that are not the default ones."""
    usual = Daemon()
    return said(
        clear_table_on_stop=daemon.clear_table_on_stop or None,
        checker_user=daemon.checker_user if daemon.checker_user != usual.checker_user else None,
        autoreload=daemon.autoreload or None,
        on_config_change=list(daemon.on_config_change) or None,
        maintenance_directory=daemon.maintenance_directory,
        command_user=daemon.command_user if daemon.command_user != usual.command_user else None,
        peer=_peer(daemon.peer) if daemon.peer else None,
        notify_fifo=daemon.notify_fifo,
        lvs_notify_fifo=daemon.lvs_notify_fifo,
        workers=daemon.workers or None,
        probes_per_host=daemon.probes_per_host if daemon.probes_per_host != usual.probes_per_host else None,
    )


def _peer(peer: Peering) -> Keys:
    return said(
        listen=endpoint(*peer.listen) if peer.listen else None,
        peers=[endpoint(*one) for one in peer.peers] or None,
        secret=peer.secret.value,
    )


def ipvs_keys(ipvs: Ipvs) -> Keys:
    """The settings of the kernel."""
    return said(
        timeouts=_timeouts(ipvs.timeouts) if ipvs.timeouts else None,
        sync=_sync(ipvs.sync) if ipvs.sync else None,
        expire_nodest_conn=ipvs.expire_nodest_conn,
        expire_quiescent_template=ipvs.expire_quiescent_template,
        conn_reuse_mode=ipvs.conn_reuse_mode,
        sloppy_tcp=ipvs.sloppy_tcp,
    )


def _timeouts(timeouts: Timeouts) -> Keys:
    return said(
        tcp=duration(timeouts.tcp) if timeouts.tcp else None,
        tcp_fin=duration(timeouts.tcp_fin) if timeouts.tcp_fin else None,
        udp=duration(timeouts.udp) if timeouts.udp else None,
    )


def _sync(sync: ConnectionSync) -> Keys:
    return said(
        interface=sync.interface,
        role=sync.role.value,
        instance=sync.instance or None,
        id=sync.sync_id or None,
        max_length=sync.max_length or None,
        group=sync.group or None,
        port=sync.port or None,
        ttl=sync.ttl or None,
    )
