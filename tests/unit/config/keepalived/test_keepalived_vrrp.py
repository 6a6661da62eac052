"""vrrp_instance, its defaults and rules, and what is told of the rest."""

from __future__ import annotations

import pytest

from config.model import GratuitousArp, TrackedInterface, VirtualAddress, VrrpInstance
from config.secret import Secret
from tests.unit.config.keepalived.conf import INSTANCE, SERVER, codes_of, good, instance, put, told, whole

AUTHENTICATION = "    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n"


def with_line(line: str, text: str = INSTANCE) -> str:
    """The instance with a line more, which becomes line 6."""
    return put(text, "    virtual_ip", f"    {line}\n    virtual_ip")


def test_the_ends_of_the_virtual_router_ids() -> None:
    assert [good(put(INSTANCE, "51", number)).vrrp[0].virtual_router_id for number in ("1", "255")] == [1, 255]


def test_the_least() -> None:
    (found,) = good(INSTANCE).vrrp
    assert found == VrrpInstance(
        name="VI_1",
        interface="eth0",
        virtual_router_id=51,
        priority=150,
        version=2,
        addresses=(VirtualAddress("192.0.2.100", 24, "eth0"),),
    )


@pytest.mark.parametrize(
    ("state", "priority", "expected", "problems"),
    [
        ("state MASTER\n", "", 255, ["1:1 CFG063w"]),
        ("state BACKUP\n", "", 100, []),
        ("", "", 100, []),
        ("state MASTER\n", "priority 7\n", 7, []),
        ("state SLAVE\n", "priority 7\n", 7, ["2:11 CFG204w"]),
        ("", "priority 255\n", 255, ["4:14 CFG063w"]),
        ("state MASTER\n", "priority 256\n", 100, ["5:14 CFG204w"]),
        ("", "priority 0\n", 100, ["4:14 CFG204w"]),
    ],
)
def test_the_priority(state: str, priority: str, expected: int, problems: list[str]) -> None:
    text = put(put(INSTANCE, "state BACKUP\n", state), "    priority 150\n", f"    {priority}")
    text = "\n".join(line for line in text.split("\n") if line.strip()) + "\n"
    assert instance(text).priority == expected
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("line", "master", "preempt", "problems"),
    [
        ("nopreempt", False, False, []),
        ("nopreempt", True, True, ["6:5 CFG204w"]),
        ("preempt", False, True, []),
        ("preempt_delay 0", False, True, []),
        ("preempt_delay 1001", False, True, ["6:19 CFG204w"]),
        ("preempt_delay 300", True, True, ["6:5 CFG203w"]),
        ("strict_mode on\n preempt_delay 300", False, True, ["7:2 CFG203w"]),
        ("nopreempt\n preempt_delay 300", False, False, ["7:2 CFG203w"]),
    ],
)
def test_preemption(line: str, master: bool, preempt: bool, problems: list[str]) -> None:
    text = with_line(line, put(INSTANCE, "BACKUP", "MASTER") if master else INSTANCE)
    assert instance(text).preempt is preempt
    assert instance(text).preempt_delay == 0
    assert codes_of(text) == problems


def test_a_delay_of_preemption() -> None:
    assert good(with_line("preempt_delay 1000")).vrrp[0].preempt_delay == 1000
    assert good(with_line("preempt_delay 0.5")).vrrp[0].preempt_delay == 0.5


@pytest.mark.parametrize(
    ("line", "seconds", "problems"),
    [
        ("advert_int 3", 3.0, []),
        ("advert_int 1.5", 2.0, ["6:16 CFG204w"]),
        ("advert_int 1.49", 1.0, ["6:16 CFG204w"]),
        ("advert_int 0.2", 1.0, ["6:16 CFG204w"]),
        ("advert_int 300", 1.0, ["6:16 CFG204w"]),
        ("advert_int soon", 1.0, ["6:16 CFG204w"]),
    ],
)
def test_the_interval(line: str, seconds: float, problems: list[str]) -> None:
    assert instance(with_line(line)).advertisement_interval == seconds
    assert codes_of(with_line(line)) == problems


@pytest.mark.parametrize(
    ("said", "seconds", "problems"),
    [
        ("0.01", 0.01, []),
        ("0.25", 0.25, []),
        ("40.95", 40.95, []),
        ("0.014", 0.01, ["7:16 CFG204w"]),
        ("0.015", 0.02, ["7:16 CFG204w"]),
        ("0.285", 0.29, ["7:16 CFG204w"]),
        ("40.96", 40.95, ["7:16 CFG204w"]),
        ("255", 40.95, ["7:16 CFG204w"]),
        ("0.009", 1.0, ["7:16 CFG204w"]),
    ],
)
def test_the_interval_of_version_3(said: str, seconds: float, problems: list[str]) -> None:
    text = with_line(f"version 3\n    advert_int {said}")
    assert instance(text).advertisement_interval == seconds
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("old", "new", "password", "problems"),
    [
        ("auth_pass secret", "auth_pass secret", "secret", []),
        ("auth_pass secret", "auth_pass muchtoolong", "muchtoolong", ["8:19 CFG062w"]),
        ("auth_pass secret", "", None, ["6:5 CFG062w"]),
        ("auth_type PASS", "", None, ["6:5 CFG062w"]),
        ("auth_type PASS", "auth_type FOO", None, ["6:5 CFG062w"]),
    ],
)
def test_the_password(old: str, new: str, password: str | None, problems: list[str]) -> None:
    text = with_line(put(AUTHENTICATION, old, new).strip())
    assert instance(text).password == (Secret(password) if password else None)
    assert codes_of(text) == problems


@pytest.mark.parametrize("password", ['""', "a\x7fb"])
def test_a_password_that_cannot_be_is_refused(password: str) -> None:
    assert codes_of(with_line(put(AUTHENTICATION, "secret", password).strip())) == ["8:19 CFG062"]


def test_authentication_by_ah_is_refused() -> None:
    assert codes_of(with_line(put(AUTHENTICATION, "PASS", "AH").strip())) == ["7:19 CFG062"]


@pytest.mark.parametrize("kind", ["PASS", "AH"])
def test_version_3_does_without_a_password(kind: str) -> None:
    text = with_line("version 3\n    " + put(AUTHENTICATION, "PASS", kind).strip())
    assert instance(text).password is None
    assert codes_of(text) == ["9:9 CFG062w"]


@pytest.mark.parametrize("strict", ["global_defs {\n vrrp_strict\n}\n", "global_defs {\n vrrp_strict on\n}\n"])
def test_strict_mode_does_without_a_password(strict: str) -> None:
    text = strict + with_line(AUTHENTICATION.strip())
    assert instance(text).password is None
    assert codes_of(text) == ["11:9 CFG062w"]
    assert instance(put(text, "    priority", "    strict_mode off\n    priority")).password == Secret("secret")


@pytest.mark.parametrize(
    ("lines", "addresses", "problems"),
    [
        ("192.0.2.7", [("192.0.2.7", 32, "eth0")], []),
        ("192.0.2.7/24 dev eth1", [("192.0.2.7", 24, "eth1")], []),
        ("192.0.2.7/24;", [("192.0.2.7", 24, "eth0")], ["7:9 CFG204w"]),
        ("192.0.2.7/33", [("192.0.2.7", 32, "eth0")], ["7:9 CFG204w"]),
        ("192.0.2.7/24 label eth0:1 dev eth1", [("192.0.2.7", 24, "eth1")], ["7:22 CFG203w"]),
        ("192.0.2.7/24 brd + scope link", [("192.0.2.7", 24, "eth0")], ["7:22 CFG203w", "7:28 CFG203w"]),
        ("192.0.2.7 192.0.2.8", [("192.0.2.7", 32, "eth0")], ["7:19 CFG201w"]),
        ("192.0.2.7\n192.0.2.7/24", [("192.0.2.7", 32, "eth0")], ["8:1 CFG205w"]),
        ("192.0.2.7\n2001:db8::7", [("192.0.2.7", 32, "eth0")], ["8:1 CFG205w"]),
        ("192.0.2.7\n224.0.0.18", [("192.0.2.7", 32, "eth0")], ["8:1 CFG205w"]),
        ("192.0.2.7\nwww.example.net", [("192.0.2.7", 32, "eth0")], ["8:1 CFG205w"]),
    ],
)
def test_addresses(lines: str, addresses: list[tuple[str, int, str]], problems: list[str]) -> None:
    text = put(INSTANCE, "192.0.2.100/24", lines)
    found = [(one.address, one.prefix_length, one.interface) for one in instance(text).addresses]
    assert found == addresses
    assert codes_of(text) == problems


def test_no_address_is_no_instance() -> None:
    assert codes_of(put(INSTANCE, "192.0.2.100/24", "") + SERVER) == ["1:1 CFG205w"]


def test_more_addresses_than_an_advertisement_holds() -> None:
    many = "\n".join(f"10.0.{number // 250}.{number % 250 + 1}" for number in range(256))
    text = put(INSTANCE, "192.0.2.100/24", many)
    assert codes_of(text) == ["262:1 CFG204w"]
    assert [one.advertised for one in instance(text).addresses] == [True] * 255 + [False]


def test_more_addresses_of_ipv6_than_a_packet_holds() -> None:
    many = "\n".join(f"2001:db8::{number:x}" for number in range(1, 91))
    text = put(INSTANCE, "192.0.2.100/24", many)
    assert codes_of(text) == ["96:1 CFG204w"]
    assert [one.advertised for one in instance(text).addresses] == [True] * 89 + [False]


def test_addresses_that_are_not_advertised() -> None:
    lines = "192.0.2.101/24 dev eth1\n2001:db8::1/64\n192.0.2.100/24\n"
    text = put(INSTANCE, "    priority", f"    virtual_ipaddress_excluded {{\n{lines}}}\n    priority")
    assert instance(text).addresses == (
        VirtualAddress("192.0.2.100", 24, "eth0"),
        VirtualAddress("192.0.2.101", 24, "eth1", advertised=False),
        VirtualAddress("2001:db8::1", 64, "eth0", advertised=False),
    )
    assert not instance(text).ipv6
    assert codes_of(text) == ["8:1 CFG205w"]


def test_no_advertised_address_is_refused() -> None:
    text = put(put(INSTANCE, "192.0.2.100/24", "192.0.2.100/24"), "virtual_ipaddress", "virtual_ipaddress_excluded")
    assert codes_of(text) == ["1:1 CFG018"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    interface eth0\n", "", "1:1 CFG012"),
        ("interface eth0", "interface much_too_long_name", "3:15 CFG017"),
        ("interface eth0", "interface lo", "3:15 CFG017"),
        ("    virtual_router_id 51\n", "", "1:1 CFG012"),
        ("51", "0", "4:23 CFG015"),
        ("51", "256", "4:23 CFG015"),
        ("51", "x", "4:23 CFG015"),
        ("VI_1", "a/b", "1:15 CFG017"),
    ],
)
def test_what_keepalived_does_not_start_with(old: str, new: str, problem: str) -> None:
    assert codes_of(put(INSTANCE, old, new)) == [problem]


IPV6 = put(INSTANCE, "192.0.2.100/24", "2001:db8::1/64")
GLOBAL = "global_defs {\n vrrp_version %d\n}\n"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (INSTANCE, 2),
        (with_line("version 3"), 3),
        (GLOBAL % 3 + INSTANCE, 3),
        (GLOBAL % 3 + with_line("version 2"), 2),
        (IPV6, 3),
        (GLOBAL % 2 + IPV6, 3),
    ],
)
def test_the_version(text: str, version: int) -> None:
    assert good(text).vrrp[0].version == version


def test_version_2_of_ipv6_is_refused() -> None:
    assert codes_of(with_line("version 2", IPV6)) == ["6:13 CFG043"]


def test_the_form_of_the_checksum() -> None:
    assert not good(with_line("version 3")).vrrp[0].rfc_checksum
    assert good(with_line("version 3\n v3_checksum_as_v2")).vrrp[0].rfc_checksum
    assert not good(with_line("version 3\n v3_checksum_as_v2 off")).vrrp[0].rfc_checksum
    assert codes_of(with_line("v3_checksum_as_v2")) == ["6:5 CFG203w"]
    assert not instance(with_line("v3_checksum_as_v2")).rfc_checksum


@pytest.mark.parametrize(
    ("lines", "source", "problems"),
    [
        ("mcast_src_ip 192.0.2.1", "192.0.2.1", []),
        ("mcast_src_ip 192.0.2.1\n    unicast_src_ip 192.0.2.2", "192.0.2.2", ["7:5 CFG204w"]),
        ("unicast_src_ip 192.0.2.2\n    mcast_src_ip 192.0.2.1", "192.0.2.1", ["6:5 CFG204w"]),
        ("mcast_src_ip here", "", ["6:18 CFG205w"]),
    ],
)
def test_the_source(lines: str, source: str, problems: list[str]) -> None:
    assert instance(with_line(lines)).source == source
    assert codes_of(with_line(lines)) == problems


def test_a_source_of_another_family_is_refused() -> None:
    assert codes_of(with_line("mcast_src_ip 2001:db8::1")) == ["6:18 CFG043"]


@pytest.mark.parametrize(
    ("lines", "peers", "problems"),
    [
        ("unicast_peer {\n192.0.2.2\n}", ("192.0.2.2",), []),
        ("unicast_peer { 192.0.2.2 }", ("192.0.2.2",), []),
        ("unicast_peer {\n192.0.2.2\n}\nunicast_peer {\n192.0.2.3\n}", ("192.0.2.2", "192.0.2.3"), []),
        ("unicast_peer {\n192.0.2.2 192.0.2.3\n}", ("192.0.2.2",), ["7:11 CFG201w"]),
        ("unicast_peer {\n192.0.2.2 min_ttl 3 max_ttl 4\n}", ("192.0.2.2",), ["7:11 CFG203w", "7:21 CFG203w"]),
        ("unicast_peer {\n192.0.2.2\n2001:db8::2\n}", ("192.0.2.2",), ["8:1 CFG205w"]),
        ("unicast_peer {\n192.0.2.2\n192.0.2.2\n}", ("192.0.2.2",), ["8:1 CFG205w"]),
        ("unicast_peer {\n192.0.2.2\n192.0.2.100\n}", ("192.0.2.2",), ["8:1 CFG205w"]),
        ("mcast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n192.0.2.1\n}", ("192.0.2.2",), ["9:1 CFG205w"]),
        ("unicast_peer {\n}", (), ["6:5 CFG204w"]),
        ("unicast_peer {\n192.0.2.2\n}\nunicast_fault_no_peer", ("192.0.2.2",), []),
        ("check_unicast_src\ntrack_src_ip\nunicast_peer {\n192.0.2.2\n}", ("192.0.2.2",), []),
    ],
)
def test_unicast(lines: str, peers: tuple[str, ...], problems: list[str]) -> None:
    assert instance(with_line(lines)).unicast_peers == peers
    assert codes_of(with_line(lines)) == problems


def test_unicast_without_a_peer_that_must_have_one() -> None:
    assert codes_of(with_line("unicast_fault_no_peer")) == ["6:5 CFG202"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (with_line("mcast_dst_ip 224.0.0.18"), []),
        (with_line("mcast_dst_ip 224.0.0.19"), ["6:5 CFG202"]),
        ("global_defs {\n vrrp_mcast_group4 224.0.0.18\n vrrp_mcast_group6 ff02:0::12\n}\n" + INSTANCE, []),
        ("global_defs {\n vrrp_mcast_group4 224.0.0.19\n}\n" + INSTANCE, ["2:2 CFG202"]),
        ("global_defs {\n vrrp_mcast_group6 ff02::13\n}\n" + INSTANCE, ["2:2 CFG202"]),
    ],
)
def test_the_group(text: str, problems: list[str]) -> None:
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("settings", "lines", "expected"),
    [
        ("", "garp_master_delay 10\n garp_master_repeat 3\n garp_master_refresh 60", GratuitousArp(3, 10.0, 60.0)),
        ("vrrp_garp_master_delay 10\n vrrp_garp_master_repeat 3", "", GratuitousArp(3, 10.0, 0.0)),
        ("vrrp_garp_master_repeat 3", "garp_master_repeat 4", GratuitousArp(4, 5.0, 0.0)),
        ("vrrp_min_garp", "", GratuitousArp(1, 0.0, 0.0)),
    ],
)
def test_gratuitous_arp(settings: str, lines: str, expected: GratuitousArp) -> None:
    text = f"global_defs {{\n {settings}\n}}\n" + with_line(lines)
    assert good(text).vrrp[0].gratuitous_arp == expected


@pytest.mark.parametrize(
    "line",
    [
        "virtual_routes {\n default via 192.0.2.254\n }",
        "track_bfd {\n b\n }",
        "down_timer_adverts 5",
    ],
)
def test_what_would_change_who_holds_an_address_is_an_error(line: str) -> None:
    assert codes_of(with_line(line)) == ["6:5 CFG202"]


@pytest.mark.parametrize(
    "line",
    [
        "smtp_alert",
        "notify_deleted",
        "notify_master_rx_lower_pri /bin/true",
        "unicast_ttl 64",
        "old_unicast_checksum",
        "use_vmac_addr",
        "use_ipvlan",
        "vmac_xmit_base",
        "garp_master_refresh_repeat 2",
        "lower_prio_no_advert",
    ],
)
def test_what_changes_nobodys_address_is_a_warning(line: str) -> None:
    assert codes_of(with_line(line)) == ["6:5 CFG203w"]
    assert instance(with_line(line)) == instance(INSTANCE)


@pytest.mark.parametrize(
    ("line", "name", "problems"),
    [
        ("use_vmac", "vrrp.51", []),
        ("use_vmac vip0", "vip0", []),
        ("use_vmac vip0 00:11:22:33:44:55", "vip0", ["6:5 CFG203w"]),
        ("use_vmac 0:11:22:33:44:5", "vrrp.51", ["6:5 CFG203w"]),
        ("use_vmac sixteen_letters_", "vrrp.51", ["6:14 CFG204w"]),
        ("use_vmac a b c", "a", ["6:18 CFG206w"]),
    ],
)
def test_virtual_macs(line: str, name: str, problems: list[str]) -> None:
    assert instance(with_line(line)).virtual_mac == name
    assert codes_of(with_line(line)) == problems


def test_a_virtual_mac_of_ipv6_has_a_name_of_its_own() -> None:
    assert instance(with_line("use_vmac", IPV6)).virtual_mac == "vrrp6.51"


def test_two_virtual_macs_of_one_name_are_refused() -> None:
    first = with_line("use_vmac")
    second = put(put(put(first, "VI_1", "VI_2"), "eth0", "eth1"), "192.0.2.100", "192.0.2.101")
    assert codes_of(first + second) == [f"{first.count(chr(10)) + 6}:5 CFG061"]
    assert codes_of(with_line("use_vmac eth0")) == ["6:5 CFG061"]


@pytest.mark.parametrize(
    ("lines", "accept", "problems"),
    [
        ("no_accept", False, []),
        ("accept", True, []),
        ("accept\n    no_accept", False, []),
        ("no_accept\n    accept", True, []),
    ],
)
def test_whether_it_answers_at_the_addresses(lines: str, accept: bool, problems: list[str]) -> None:
    assert instance(with_line(lines)).accept is accept
    assert codes_of(with_line(lines)) == problems


def test_the_owner_answers_anyway() -> None:
    text = put(INSTANCE, "priority 150", "priority 255\n    no_accept")
    assert instance(text).accept
    assert codes_of(text) == ["5:14 CFG063w", "6:5 CFG203w"]


def test_an_instance_that_does_without_its_interface() -> None:
    found = instance(with_line("dont_track_primary"))
    assert (found.track_interface, found.tracks) == (False, ())
    own = "dont_track_primary\n    track_interface {\neth0 weight 5\n}"
    assert instance(with_line(own)).tracks == (TrackedInterface(5, "eth0"),)


@pytest.mark.parametrize(
    "line", ["accept", "skip_check_adv_addr", "down_timer_adverts 3", "track_interface {\n eth0\n }"]
)
def test_what_lvsd_does_anyway_is_not_told(line: str) -> None:
    assert good(with_line(line)) == good(INSTANCE)


def test_a_second_instance_of_the_name_is_left_out() -> None:
    text = INSTANCE + put(INSTANCE, "51", "52")
    assert codes_of(text) == ["10:1 CFG205w"]
    assert whole(text) == whole(INSTANCE)


def test_global_words_are_told() -> None:
    text = "global_defs {\n notification_email {\n  a@example.net\n }\n router_id lb1\n bogus\n}\n" + INSTANCE
    assert codes_of(text) == ["2:2 CFG034w", "6:2 CFG201w"]
    assert told(text)[0].startswith("2:2: warning: `notification_email` without a `smtp_server`: no mail is sent")


@pytest.mark.parametrize(
    "lines",
    [
        "auth_type PASS hidden",
        "auth_type PASS\nauth_pass\nhidden",
        "auth_pass x hidden",
        "auth_type hidden",
        "hidden x",
    ],
)
def test_what_may_be_a_password_is_not_shown(lines: str) -> None:
    found = told(with_line(f"authentication {{\n{lines}\n}}"))
    assert found
    assert "hidden" not in " ".join(found)
