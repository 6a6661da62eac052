"""What instances and sync groups track, who is told of their roles, and whom commands run as."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.load import Loaded, load
from config.model import (
    AnyTrack,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedScript,
    VrrpGroup,
    VrrpHooks,
)
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.keepalived.conf import INSTANCE, put

PROGRAMS = dict.fromkeys(("/bin/true", "/etc/check.sh", "/usr/bin/killall", "/etc/a[b].sh"), "")
SCRIPT = "vrrp_script check {\n script /bin/true\n}\n"
OTHER = put(put(put(INSTANCE, "VI_1", "VI_2"), "51", "52"), "192.0.2.100", "192.0.2.101")
GROUP = "vrrp_sync_group G {\n group {\n  VI_1\n  VI_2\n }\n}\n"
CHECK = TrackedScript(0, "check", ("/bin/true",))


def read(text: str) -> Loaded:
    return load(["keepalived.conf"], FilesInMemory({"keepalived.conf": text, **PROGRAMS}))


def codes_of(text: str) -> list[str]:
    return [
        f"{one.line}:{one.column} {one.code}{'w' if one.severity.value == 'warning' else ''}"
        for one in read(text).problems
    ]


def with_line(line: str, text: str = INSTANCE) -> str:
    """The instance with a line more, which becomes line 6."""
    return put(text, "    virtual_ip", f"    {line}\n    virtual_ip")


def tracks(text: str) -> tuple[AnyTrack, ...]:
    """What the first instance tracks."""
    found = read(text)
    assert found.config is not None, [str(one) for one in found.problems]
    return found.config.vrrp[0].tracks


@pytest.mark.parametrize(
    ("inside", "expected", "problems"),
    [
        ("eth1", [TrackedInterface(0, "eth1")], []),
        ("eth1 weight -20", [TrackedInterface(-20, "eth1")], []),
        ("eth1 weight +20 noreverse", [TrackedInterface(20, "eth1")], []),
        ("eth1 weight 254", [TrackedInterface(0, "eth1")], ["7:13 CFG204w"]),
        ("eth1 weight", [TrackedInterface(0, "eth1")], ["7:6 CFG201w"]),
        ("eth1 weight 5 fast", [TrackedInterface(5, "eth1")], ["7:15 CFG201w"]),
        ("eth1 eth2", [TrackedInterface(0, "eth1")], ["7:6 CFG201w"]),
        ("eth1\neth1 weight 5", [TrackedInterface(0, "eth1")], ["8:1 CFG205w"]),
        ("eth0", [], []),
        ("eth0 weight -5", [], ["7:1 CFG203w"]),
        ("eth0\nlo\neth1", [TrackedInterface(0, "lo"), TrackedInterface(0, "eth1")], []),
    ],
)
def test_interfaces(inside: str, expected: list[AnyTrack], problems: list[str]) -> None:
    text = with_line(f"track_interface {{\n{inside}\n}}")
    assert tracks(text) == tuple(expected)
    assert codes_of(text) == problems


def test_how_much_can_be_tracked() -> None:
    many = "\n".join(f"e{number}" for number in range(256))
    assert len(tracks(with_line(f"track_interface {{\n{many}\n}}"))) == 256
    assert codes_of(with_line(f"track_interface {{\n{many}\ne256\n}}")) == ["263:1 CFG007"]


def script(lines: str) -> str:
    """A script of these lines that the instance tracks; they begin on line 2."""
    return f"vrrp_script check {{\n{lines}\n}}\n" + with_line("track_script {\ncheck\n}")


@pytest.mark.parametrize(
    ("lines", "expected", "problems"),
    [
        ("script /bin/true", CHECK, []),
        (
            "script \"/etc/check.sh -p 'a b' c\"",
            TrackedScript(0, "check", ("/etc/check.sh", "-p", "a b", "c")),
            [],
        ),
        ("script /etc/a[b].sh", TrackedScript(0, "check", ("/etc/a[b].sh",)), []),
        ("script /etc/check.sh -p", TrackedScript(0, "check", ("/etc/check.sh",)), ["2:22 CFG206w"]),
        ('script "killall -0 x"', TrackedScript(0, "check", ("/usr/bin/killall", "-0", "x")), []),
        ('script "/bin/true | x"', TrackedScript(0, "check", ("/bin/true", "|", "x")), ["2:8 CFG204w"]),
        ('script "</run/up"', TrackedScript(0, "check", ("/usr/bin/test", "-r", "/run/up")), []),
        (
            'script "</dev/tcp/1.1.1.1/80"',
            TrackedScript(0, "check", ("/usr/bin/test", "-r", "/dev/tcp/1.1.1.1/80")),
            ["2:8 CFG204w"],
        ),
        (
            "script /bin/true\ninterval 5\nrise 2\nfall 3\nweight -20\nuser nobody nobody",
            TrackedScript(-20, "check", ("/bin/true",), 5.0, 5.0, 2, 3, "nobody"),
            [],
        ),
        (
            "script /bin/true\ninterval 5\ntimeout 2\nuser nobody nogroup",
            TrackedScript(0, "check", ("/bin/true",), 5.0, 2.0, user="nobody"),
            ["5:13 CFG203w"],
        ),
        ("script /bin/true\ninterval 1.5\ntimeout 0\nuser A-b", CHECK, ["3:10 CFG204w", "4:9 CFG204w", "5:6 CFG204w"]),
        ("script /bin/true\nrise 0\nfall 1001\nweight 254", CHECK, ["3:6 CFG204w", "4:6 CFG204w", "5:8 CFG204w"]),
        ("script /bin/true\ninit_fail", CHECK, ["3:1 CFG203w"]),
    ],
)
def test_scripts(lines: str, expected: AnyTrack, problems: list[str]) -> None:
    assert tracks(script(lines)) == (expected,)
    assert codes_of(script(lines)) == problems


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("script /none", "2:8 CFG205w"),
        ('script "none at all"', "2:8 CFG205w"),
        ("script etc/check.sh", "2:8 CFG205w"),
        ('script ""', "2:8 CFG205w"),
        (f'script "/bin/true {"x" * 8192}"', "2:8 CFG205w"),
        ("interval 2", "1:13 CFG205w"),
    ],
)
def test_a_script_that_is_not_there_is_tracked_by_nobody(lines: str, problem: str) -> None:
    text = script(lines)
    assert tracks(text) == ()
    assert codes_of(text)[0] == problem
    assert codes_of(text)[1:] == ["10:1 CFG205w"]


def test_a_script_without_a_value_is_refused() -> None:
    assert codes_of(script("script"))[0] == "2:1 CFG018"


def test_what_nobody_defined_or_tracks() -> None:
    assert codes_of(with_line("track_script {\ncheck\n}")) == ["7:1 CFG205w"]
    assert codes_of(SCRIPT + INSTANCE) == ["1:13 CFG203w"]
    twice = SCRIPT + "vrrp_script check {\n script /none\n}\n" + with_line("track_script {\ncheck\n}")
    assert codes_of(twice) == ["4:1 CFG205w"]
    assert tracks(twice) == (CHECK,)
    assert codes_of(SCRIPT + "vrrp_script {\n script /bin/true\n}\n" + INSTANCE)[1:] == ["4:1 CFG018"]


def test_a_trackers_weight_goes_before_the_scripts() -> None:
    weighted = put(SCRIPT, "true\n", "true\n weight 5\n")
    assert tracks(weighted + with_line("track_script {\ncheck weight -7\n}"))[0].weight == -7
    assert tracks(weighted + with_line("track_script {\ncheck weight 300\n}"))[0].weight == 5


PROCESS = "vrrp_track_process p {\nprocess nginx\nweight -5 reverse\n}\n"


@pytest.mark.parametrize(
    ("text", "track"),
    [
        (SCRIPT + with_line("track_script {\ncheck weight 5 reverse\n}"), replace(CHECK, weight=-5, inverted=True)),
        (
            put(SCRIPT, "true\n", "true\n weight -5 reverse\n") + with_line("track_script {\ncheck\n}"),
            replace(CHECK, weight=5, inverted=True),
        ),
        (with_line("track_interface {\neth1 weight 0 reverse\n}"), TrackedInterface(0, "eth1", inverted=True)),
        (with_line("track_interface {\neth1 weight 7 reverse\n}"), TrackedInterface(-7, "eth1", inverted=True)),
        (PROCESS + with_line("track_process {\np\n}"), TrackedProcess(5, "nginx", inverted=True)),
        (PROCESS + with_line("track_process {\np weight 2 noreverse\n}"), TrackedProcess(2, "nginx")),
    ],
)
def test_reverse(text: str, track: AnyTrack) -> None:
    """Measured beside keepalived: N is counted where it would not be, with the other sign."""
    assert tracks(text) == (track,)
    assert codes_of(text) == []


@pytest.mark.parametrize(
    ("lines", "line", "weight", "problems"),
    [
        ("file /run/f", "f", 1, []),
        ("file /run/f\nweight 3", "f", 3, []),
        ("file /run/f\nweight 3 reverse", "f", -3, []),
        ("file /run/f\nweight 3", "f weight 2 reverse", -2, []),
        ("file /run/f", "f weight 0", 0, []),
        ("file /run/f\ninit_file 1", "f", 1, ["3:1 CFG203w"]),
        ("file /run/f", "f weight 255", 1, ["10:10 CFG204w"]),
    ],
)
def test_files(lines: str, line: str, weight: int, problems: list[str]) -> None:
    text = f"track_file f {{\n{lines}\n}}\n" + with_line(f"track_file {{\n{line}\n}}")
    assert tracks(text) == (TrackedFile(weight, "/run/f"),)
    assert codes_of(text) == problems
    assert tracks("vrrp_" + text) == (TrackedFile(weight, "/run/f"),)


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ("file run/f", "f", "2:6 CFG017"),
        ("file /run/f\nweight 1000", "f", "11:1 CFG015"),
        ("file /run/f", "f weight 254", "10:1 CFG015"),
        ("file /run/f", "f weight 0 reverse", "10:1 CFG202"),
    ],
)
def test_files_that_are_refused(lines: str, line: str, problem: str) -> None:
    text = f"track_file f {{\n{lines}\n}}\n" + with_line(f"track_file {{\n{line}\n}}")
    assert problem in codes_of(text)


@pytest.mark.parametrize(
    ("lines", "expected", "problems"),
    [
        ("process nginx", TrackedProcess(0, "nginx"), []),
        ("process nginx\nquorum 2\nweight -5", TrackedProcess(-5, "nginx", 2), []),
        ("process nginx\nweight 254", TrackedProcess(253, "nginx"), []),
        ("process nginx\nquorum 0\nweight 255", TrackedProcess(0, "nginx"), ["3:8 CFG204w", "4:8 CFG204w"]),
        ("process more_than_fifteen", TrackedProcess(0, "more_than_fifte"), ["2:9 CFG204w"]),
        ("process nginx\nfork_delay 2", TrackedProcess(0, "nginx"), ["3:1 CFG203w"]),
    ],
)
def test_processes(lines: str, expected: AnyTrack, problems: list[str]) -> None:
    text = f"vrrp_track_process p {{\n{lines}\n}}\n" + with_line("track_process {\np\n}")
    assert tracks(text) == (expected,)
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("process nginx worker", "2:1 CFG202"),
        ("process /usr/sbin/nginx", "2:9 CFG017"),
        ("process", "2:1 CFG018"),
        ("quorum 2", "1:20 CFG205w"),
        ("process nginx\nquorum_max 3", "3:1 CFG202"),
        ("process nginx\nterminate_delay 3", "3:1 CFG202"),
        ("process nginx\nfull_command", "3:1 CFG202"),
    ],
)
def test_processes_that_are_refused(lines: str, problem: str) -> None:
    text = f"vrrp_track_process p {{\n{lines}\n}}\n" + with_line("track_process {\np\n}")
    assert problem in codes_of(text)


def test_a_trackers_weight_of_a_process() -> None:
    text = "vrrp_track_process p {\nprocess nginx\nweight 7\n}\n"
    assert tracks(text + with_line("track_process {\np weight -254\n}"))[0].weight == -253
    assert tracks(text + with_line("track_process {\np weight 255\n}"))[0].weight == 7


def test_hooks() -> None:
    lines = 'notify_master /a\nnotify_backup "/b x \'y z\'"\nnotify_fault /c\nnotify_stop /d\nnotify "/e f" root'
    config = read(with_line(lines)).config
    assert config is not None
    assert config.vrrp[0].hooks == VrrpHooks(("/a",), ("/b", "x", "y z"), ("/c",), ("/d",), ("/e", "f"))
    assert codes_of(with_line(lines)) == ["10:15 CFG203w"]


def group(text: str) -> tuple[list[str], tuple[VrrpGroup, ...]]:
    """The sync group of each instance, and the groups that tell somebody."""
    config = read(text).config
    assert config is not None, [str(one) for one in read(text).problems]
    return [one.sync_group for one in config.vrrp], config.vrrp_groups


def test_a_sync_group() -> None:
    assert group(INSTANCE + OTHER + GROUP) == (["G", "G"], ())
    assert codes_of(INSTANCE + OTHER + GROUP) == []
    one_line = put(GROUP, "  VI_1\n  VI_2\n", "  VI_1 VI_2\n")
    assert group(INSTANCE + OTHER + one_line) == (["G", "G"], ())


def test_who_is_told_of_a_sync_groups_role() -> None:
    text = INSTANCE + OTHER + put(GROUP, " }\n", ' }\n notify_master "/a b"\n notify /c\n')
    assert group(text)[1] == (VrrpGroup("G", VrrpHooks(active=("/a", "b"), any=("/c",))),)
    assert codes_of(text) == []


@pytest.mark.parametrize(
    ("text", "groups", "problems"),
    [
        (INSTANCE + OTHER + put(GROUP, "  VI_2\n", ""), ["G", ""], ["4:23 CFG034w"]),
        (INSTANCE + OTHER + put(GROUP, "VI_2", "VI_3"), ["G", ""], ["4:23 CFG034w", "22:3 CFG205w"]),
        (INSTANCE + OTHER + GROUP + put(GROUP, "_group G", "_group H"), ["G", "G"],
         ["25:17 CFG205w", "27:3 CFG205w", "28:3 CFG205w"]),
        (INSTANCE + "vrrp_sync_group G {\n notify /a\n}\n", [""], ["10:17 CFG205w"]),
        (INSTANCE + OTHER + put(GROUP, " }\n", " }\n smtp_alert\n"), ["G", "G"], ["24:2 CFG203w"]),
    ],
)  # fmt: skip
def test_what_is_told_of_sync_groups(text: str, groups: list[str], problems: list[str]) -> None:
    assert group(text)[0] == groups
    assert codes_of(text) == problems


def test_groups_of_one_name_are_refused() -> None:
    assert codes_of(INSTANCE + OTHER + GROUP + GROUP) == ["25:17 CFG019"]
    assert codes_of(INSTANCE + OTHER + put(GROUP, "_group G", "_group a/b")) == ["19:17 CFG017"]


WEIGHTED = (
    "vrrp_script heavy {\n script /bin/true\n weight 9\n}\n"
    "track_file f {\n file /run/f\n}\n"
    "vrrp_track_process p {\n process nginx\n weight 5\n}\n"
)
TRACKING = (
    "track_script {\nheavy\ncheck\n}\ntrack_file {\nf\n}\ntrack_process {\np\n}\ntrack_interface {\neth1 weight 3\n}"
)


def test_members_of_a_sync_group_do_not_weigh() -> None:
    text = WEIGHTED + SCRIPT + with_line(TRACKING) + OTHER + GROUP
    light = (CHECK, TrackedFile(0, "/run/f"), TrackedProcess(5, "nginx"), TrackedInterface(0, "eth1"))
    assert tracks(text) == light
    assert [one.split()[1] for one in codes_of(text)] == ["CFG205w", "CFG204w", "CFG204w"]


def test_a_members_reversed_weight_is_refused() -> None:
    member = with_line("track_interface {\neth1 weight 3 reverse\n}") + OTHER
    assert codes_of(member + GROUP) == ["7:1 CFG202"]
    weighs = put(GROUP, " }\n", " }\n sync_group_tracking_weight\n")
    assert tracks(member + weighs) == (TrackedInterface(-3, "eth1", inverted=True),)


def test_members_weigh_where_the_group_says_so() -> None:
    text = WEIGHTED + SCRIPT + with_line(TRACKING) + OTHER + put(GROUP, " }\n", " }\n sync_group_tracking_weight\n")
    assert [one.weight for one in tracks(text)] == [9, 0, 1, 5, 3]
    assert codes_of(text) == []


def test_what_a_sync_group_tracks_weighs_for_all() -> None:
    text = SCRIPT + INSTANCE + OTHER + put(GROUP, " }\n", " }\n track_script {\n check weight 7\n }\n")
    config = read(text).config
    assert config is not None
    assert [one.tracks for one in config.vrrp] == [(TrackedScript(7, "check", ("/bin/true",)),)] * 2
    assert codes_of(text) == []


@pytest.mark.parametrize(
    ("line", "user", "fifo", "lvs_fifo", "problems"),
    [
        ("script_user nobody", "nobody", None, None, []),
        ("script_user nobody nogroup", "nobody", None, None, ["2:20 CFG203w"]),
        ("script_user No-body", "root", None, None, ["2:13 CFG204w"]),
        ("notify_fifo /run/f", "root", "/run/f", "/run/f", []),
        ("vrrp_notify_fifo /run/f", "root", "/run/f", None, []),
        ("lvs_notify_fifo /run/f user", "root", None, "/run/f", ["2:24 CFG203w"]),
        ("notify_fifo /run/f\nlvs_notify_fifo /run/g", "root", "/run/f", "/run/g", ["2:1 CFG203w"]),
        ("notify_fifo_script /bin/true", "root", None, None, ["2:1 CFG203w"]),
        ("vrrp_startup_delay 5", "root", None, None, ["2:1 CFG203w"]),
    ],
)
def test_global_settings(line: str, user: str, fifo: str | None, lvs_fifo: str | None, problems: list[str]) -> None:
    text = f"global_defs {{\n{line}\n}}\n{INSTANCE}"
    config = read(text).config
    assert config is not None
    assert (config.daemon.command_user, config.daemon.notify_fifo, config.daemon.lvs_notify_fifo) == (
        user, fifo, lvs_fifo,
    )  # fmt: skip
    assert codes_of(text) == problems


def test_a_fifo_needs_an_absolute_path() -> None:
    assert codes_of("global_defs {\nnotify_fifo f\n}\n" + INSTANCE) == ["2:13 CFG017"]


def test_what_lvsd_yaml_says_of_the_user_goes_before() -> None:
    files = FilesInMemory(
        {
            "keepalived.conf": "global_defs {\n script_user nobody\n}\n" + INSTANCE,
            "lvsd.yaml": "daemon: {command_user: hooks}\n",
        }
    )
    config = load(["keepalived.conf", "lvsd.yaml"], files).config
    assert config is not None
    assert config.daemon.command_user == "hooks"
