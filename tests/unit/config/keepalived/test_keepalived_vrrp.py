"""vrrp_instance, its defaults and rules, and what is told of the rest."""

from __future__ import annotations

import pytest

from config.model import GratuitousArp, VirtualAddress, VrrpInstance
from config.secret import Secret
from tests.unit.config.keepalived.conf import INSTANCE, SERVER, codes_of, good, instance, put, told, whole

AUTHENTICATION = "    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n"


def with_line(line: str, text: str = INSTANCE) -> str:
    """The instance with a line more, which becomes line 6."""
    return put(text, "    virtual_ip", f"    {line}\n    virtual_ip")


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
        ("preempt_delay 300", True, True, ["6:5 CFG203w"]),
        ("strict_mode on\n preempt_delay 300", False, True, ["7:2 CFG203w"]),
        ("nopreempt\n preempt_delay 300", False, False, ["7:2 CFG203w"]),
    ],
)
def test_preemption(line: str, master: bool, preempt: bool, problems: list[str]) -> None:
    text = with_line(line, put(INSTANCE, "BACKUP", "MASTER") if master else INSTANCE)
    assert instance(text).preempt is preempt
    assert codes_of(text) == problems


def test_a_delay_of_preemption_is_refused() -> None:
    assert codes_of(with_line("preempt_delay 300")) == ["6:5 CFG202"]


@pytest.mark.parametrize(
    ("line", "seconds", "problems"),
    [
        ("advert_int 3", 3.0, []),
        ("advert_int 1.5", 2.0, ["6:16 CFG204w"]),
        ("advert_int 0.2", 1.0, ["6:16 CFG204w"]),
        ("advert_int 300", 1.0, ["6:16 CFG204w"]),
        ("advert_int soon", 1.0, ["6:16 CFG204w"]),
    ],
)
def test_the_interval(line: str, seconds: float, problems: list[str]) -> None:
    assert instance(with_line(line)).advertisement_interval == seconds
    assert codes_of(with_line(line)) == problems


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


def test_authentication_by_ah_is_refused() -> None:
    assert codes_of(with_line(put(AUTHENTICATION, "PASS", "AH").strip())) == ["7:19 CFG062"]


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
        ("192.0.2.7\n192.0.2.7", [("192.0.2.7", 32, "eth0")], ["8:1 CFG205w"]),
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
    assert codes_of(put(INSTANCE, "192.0.2.100/24", many)) == ["1:1 CFG015"]


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (with_line("version 3"), "6:13 CFG060"),
        ("global_defs {\n vrrp_version 3\n}\n" + INSTANCE, "4:1 CFG060"),
        (put(INSTANCE, "192.0.2.100/24", "2001:db8::1/64"), "1:1 CFG060"),
        (with_line("version 2", put(INSTANCE, "192.0.2.100/24", "2001:db8::1/64")), "6:13 CFG043"),
    ],
)
def test_version_3_is_not_spoken_yet(text: str, problem: str) -> None:
    assert codes_of(text) == [problem]


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
        "unicast_peer {\n 192.0.2.2\n }",
        "unicast_src_ip 192.0.2.1",
        "virtual_ipaddress_excluded {\n 192.0.2.101\n }",
        "virtual_routes {\n default via 192.0.2.254\n }",
        "track_file {\n f\n }",
        "track_process {\n p\n }",
        "dont_track_primary",
        "mcast_dst_ip 224.0.0.19",
        "down_timer_adverts 5",
        "track_src_ip",
    ],
)
def test_what_would_change_who_holds_an_address_is_an_error(line: str) -> None:
    assert codes_of(with_line(line)) == ["6:5 CFG202"]


@pytest.mark.parametrize(
    "line",
    [
        "notify_master /bin/true",
        'notify "/bin/true x"',
        "smtp_alert",
        "use_vmac",
        "no_accept",
        "mcast_src_ip 192.0.2.1",
        "garp_master_refresh_repeat 2",
        "lower_prio_no_advert",
    ],
)
def test_what_changes_nobodys_address_is_a_warning(line: str) -> None:
    assert codes_of(with_line(line)) == ["6:5 CFG203w"]
    assert instance(with_line(line)) == instance(INSTANCE)


@pytest.mark.parametrize(
    "line", ["accept", "skip_check_adv_addr", "down_timer_adverts 3", "track_interface {\n eth0\n }"]
)
def test_what_lvsd_does_anyway_is_not_told(line: str) -> None:
    assert good(with_line(line)) == good(INSTANCE)


@pytest.mark.parametrize("inside", ["eth1", "eth0 weight -5"])
def test_tracking_another_interface_is_refused(inside: str) -> None:
    assert codes_of(with_line(f"track_interface {{\n{inside}\n}}")) == ["7:1 CFG202"]


def test_tracking_a_script() -> None:
    tracked = with_line("track_script {\ncheck\n}")
    assert codes_of(tracked) == ["7:1 CFG205w"]
    assert codes_of('vrrp_script check {\n script "/bin/true"\n}\n' + tracked) == ["10:1 CFG202"]
    assert codes_of('vrrp_script check {\n script "/bin/true"\n}\n' + INSTANCE) == ["1:1 CFG203w"]


def test_a_second_instance_of_the_name_is_left_out() -> None:
    text = INSTANCE + put(INSTANCE, "51", "52")
    assert codes_of(text) == ["10:1 CFG205w"]
    assert whole(text) == whole(INSTANCE)


def test_groups() -> None:
    other = put(put(put(INSTANCE, "VI_1", "VI_2"), "51", "52"), "192.0.2.100", "192.0.2.101")
    group = "vrrp_sync_group G {\n group {\n  VI_1\n  %s\n }\n}\n"
    assert codes_of(INSTANCE + group % "") == []
    assert codes_of(INSTANCE + group % "VI_2") == ["13:3 CFG205w"]
    assert codes_of(INSTANCE + other + group % "VI_2") == ["19:1 CFG202"]


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
