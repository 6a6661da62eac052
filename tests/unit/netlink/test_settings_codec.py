"""Our packed settings against pyroute2's encoder, given the attributes it does not know, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import genlmsg, nla

from netlink.errors import NetlinkError
from netlink.ipvs_decoding import decode_daemon, decode_timeouts
from netlink.settings import ROLES, SetTimeouts, Setting, StartDaemon, StopDaemon
from netlink.settings_codec import encode_setting
from netlink.table import Family, SyncDaemon, Timeouts
from tests.unit.netlink.strategies import addresses

HEADER_BYTES = 16
Attribute = tuple[str, object]

SECONDS = st.integers(0, 0xFFFFFFFF)
DAEMONS = st.builds(
    StartDaemon,
    st.sampled_from(ROLES),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789.@-", min_size=1, max_size=15),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFF),
    st.one_of(st.just(""), st.sampled_from(tuple(Family)).flatmap(addresses)),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFF),
)
SETTINGS: st.SearchStrategy[Setting] = st.one_of(
    st.builds(SetTimeouts, SECONDS, SECONDS, SECONDS), DAEMONS, st.builds(StopDaemon, st.sampled_from(ROLES))
)


class DaemonNla(nla):  # type: ignore[misc]  # pyroute2 is untyped
    """IPVS_DAEMON_ATTR_* of include/uapi/linux/ip_vs.h."""

    nla_map = (
        ("UNSPEC", "none"),
        ("STATE", "uint32"),
        ("MCAST_IFN", "asciiz"),
        ("SYNC_ID", "uint32"),
        ("SYNC_MAXLEN", "uint16"),
        ("MCAST_GROUP", "ip4addr"),
        ("MCAST_GROUP6", "ip6addr"),
        ("MCAST_PORT", "uint16"),
        ("MCAST_TTL", "uint8"),
    )


class SettingsMessage(genlmsg):  # type: ignore[misc]  # pyroute2 is untyped
    """pyroute2's ipvsmsg declares these as raw hexadecimal."""

    nla_map = (
        ("UNSPEC", "none"),
        ("SERVICE", "hex"),
        ("DEST", "hex"),
        ("DAEMON", "daemon"),
        ("TIMEOUT_TCP", "uint32"),
        ("TIMEOUT_TCP_FIN", "uint32"),
        ("TIMEOUT_UDP", "uint32"),
    )
    daemon = DaemonNla


def oracle_attributes(setting: Setting) -> tuple[int, list[Attribute]]:
    match setting:
        case SetTimeouts(tcp, tcp_fin, udp):
            said = ("TIMEOUT_TCP", tcp), ("TIMEOUT_TCP_FIN", tcp_fin), ("TIMEOUT_UDP", udp)
            return 12, [(name, value) for name, value in said if value]
        case StopDaemon(role):
            return 10, [("DAEMON", {"attrs": [("STATE", 1 + ROLES.index(role))]})]
        case StartDaemon():
            optional: list[Attribute] = [
                ("SYNC_MAXLEN", setting.max_length),
                ("MCAST_GROUP6" if ":" in setting.group else "MCAST_GROUP", setting.group),
                ("MCAST_PORT", setting.port),
                ("MCAST_TTL", setting.ttl),
            ]
            needed: list[Attribute] = [
                ("STATE", 1 + ROLES.index(setting.role)),
                ("MCAST_IFN", setting.interface),
                ("SYNC_ID", setting.sync_id),
            ]
            return 9, [("DAEMON", {"attrs": needed + [one for one in optional if one[1]]})]


def oracle(setting: Setting) -> bytes:
    message = SettingsMessage()
    message["cmd"], message["attrs"] = oracle_attributes(setting)
    message["version"] = 1
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


@given(SETTINGS)
def test_our_bytes_are_pyroute2s(setting: Setting) -> None:
    assert encode_setting(setting) == oracle(setting)


@given(DAEMONS)
def test_a_daemon_is_read_back(wanted: StartDaemon) -> None:
    """The kernel answers with the same attributes, all of them."""
    group = wanted.group or "0.0.0.0"
    assert decode_daemon(memoryview(encode_setting(wanted))) == SyncDaemon(
        wanted.role, wanted.interface, wanted.sync_id, wanted.max_length, group, wanted.port, wanted.ttl
    )


@given(st.builds(SetTimeouts, SECONDS, SECONDS, SECONDS))
def test_timeouts_are_read_back(wanted: SetTimeouts) -> None:
    assert decode_timeouts(memoryview(encode_setting(wanted))) == Timeouts(wanted.tcp, wanted.tcp_fin, wanted.udp)


@pytest.mark.parametrize(
    "setting",
    [
        SetTimeouts(-1),
        SetTimeouts(udp=1 << 32),
        StopDaemon("active"),
        StartDaemon("backup", ""),
        StartDaemon("backup", "a" * 16),
        StartDaemon("backup", "eth\0"),
        StartDaemon("backup", "größe"),
        StartDaemon("backup", "eth0", -1),
        StartDaemon("backup", "eth0", max_length=65536),
        StartDaemon("backup", "eth0", port=65536),
        StartDaemon("backup", "eth0", ttl=256),
        StartDaemon("backup", "eth0", group="nowhere"),
        StartDaemon("backup", "eth0", group="ff02::1::2"),
    ],
)
def test_what_no_message_can_carry(setting: Setting) -> None:
    with pytest.raises(NetlinkError, match="cannot be said to the kernel"):
        encode_setting(setting)
