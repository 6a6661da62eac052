"""Commands, mails, folders and further files that an ldirectord.cf names."""

from __future__ import annotations

import pytest

from config.ldirectord.read import read_ldirectord
from config.load import load
from config.model import Argv, Mail
from config.parts import Part
from config.reading import Reading
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.ldirectord.texts import REAL, lines, load_cf, service, services, told

SHELL = ("/bin/sh", "-c")


def part(text: str, path: str = "ldirectord.cf") -> Part:
    return read_ldirectord(path, text, Reading(FilesInMemory({path: text})))


def commands(text: str) -> tuple[Argv, Argv]:
    """What runs when the last real server goes, and when one returns."""
    found = service(text)
    return found.on_quorum_down, found.on_quorum_up


@pytest.mark.parametrize(
    ("written", "program"),
    [
        ("/usr/local/bin/fallback", ("/usr/local/bin/fallback",)),
        ('"/usr/local/bin/fallback"', ("/usr/local/bin/fallback",)),
        ("/usr/local/bin/fallback  -v --to=a@b", ("/usr/local/bin/fallback", "-v", "--to=a@b")),
        ("logger -t lvs", (*SHELL, 'logger -t lvs "$@"', "lvsd")),
        ("A=1 /bin/x", (*SHELL, 'A=1 /bin/x "$@"', "lvsd")),
        ("A=/tmp /bin/x", (*SHELL, 'A=/tmp /bin/x "$@"', "lvsd")),
        ("/bin/x >/tmp/log; echo", (*SHELL, '/bin/x >/tmp/log; echo "$@"', "lvsd")),
        ("/bin/x $HOME", (*SHELL, '/bin/x $HOME "$@"', "lvsd")),
        ("~/x", (*SHELL, '~/x "$@"', "lvsd")),
        ("/bin/x 'a b'", (*SHELL, "/bin/x 'a b' \"$@\"", "lvsd")),
        ("bin/x", ("/bin/x",)),
    ],
)
def test_fallbackcommand(written: str, program: Argv) -> None:
    for text in (f"fallbackcommand={written}\n" + lines(), lines(f"fallbackcommand={written}")):
        down, up = commands(text)
        assert down == (*program, "start", "192.0.2.100:80", "tcp")
        assert up == (*program, "stop", "192.0.2.100:80", "tcp")
    assert told(lines(f"fallbackcommand={written}")) == (["3:21 CFG109"] if written == "bin/x" else [])
    assert not service(lines(f"fallbackcommand={written}")).hooks_on_stop


def test_fallbackcommand_of_a_section_comes_before_the_global_one() -> None:
    text = "fallbackcommand=/bin/a\n" + lines("fallbackcommand=/bin/b") + "virtual=192.0.2.101:80\n" + REAL
    assert [one.on_quorum_down[0] for one in services(text)] == ["/bin/b", "/bin/a"]
    assert commands('fallbackcommand=""\n' + lines()) == ((), ())
    assert commands(lines()) == ((), ())


def test_fallbackcommand_for_other_addresses() -> None:
    six = "virtual6=[2001:db8::1]:80\n    real6=[2001:db8::2]:80 gate\n    fallbackcommand=/bin/x\n"
    assert commands(six)[0] == ("/bin/x", "start", "[2001:db8::1]:80", "tcp")
    udp = "virtual=192.0.2.100:69\n    real=192.0.2.12:69 gate\n    protocol=udp\n    fallbackcommand=/bin/x\n"
    assert commands(udp)[1] == ("/bin/x", "stop", "192.0.2.100:69", "udp")
    mark = "virtual=5\n    real=192.0.2.12:80 gate\n    fallbackcommand=/bin/x\n"
    assert commands(mark)[0] == ("/bin/x", "start", "5:0", "fwm")


def test_a_mail_whole() -> None:
    text = (
        'emailalertfrom="lvs@example.net"\nemailalertfreq=300\nsmtp=mx.example.net\n'
        'emailalert="ops@example.net, noc@example.net"\nemailalertstatus=starting, running\n'
    )
    found = service(text + lines("servicename=Web shop", "comment=call Ann")).mail
    assert found == Mail(
        ("ops@example.net", "noc@example.net"), "lvs@example.net", "mx.example.net", 300.0, "Web shop", "call Ann",
        frozenset(("starting", "running")),
    )  # fmt: skip
    own = ("emailalert=root", "emailalertfreq=0", "smtp=mx2", "emailalertstatus=all")
    assert service(text + lines(*own)).mail == Mail(("root",), "lvs@example.net", "mx2")
    assert service(text + lines("emailalertstatus=none")).mail is None
    assert service(lines()).mail is None
    assert told(text + lines("servicename=x")) == []
    assert service("emailalert=a@b\nsmtp=mx # ours\n" + lines()).mail == Mail(("a@b",), smtp="mx")
    assert told("emailalert=a@b\nsmtp=mx # ours\n" + lines()) == []
    assert service("emailalert=a@b\nemailalertstatus=\n" + lines()).mail is None


@pytest.mark.parametrize(
    ("written", "to", "warned"),
    [
        ("a@b c@d", ("a@b", "c@d"), False),
        ("a@b;c@d,", ("a@b", "c@d"), False),
        ("Ann Lee <ann@b>", ("ann@b",), False),
        ("root", ("root",), False),
        ("-oQ/tmp@x, a@b", ("a@b",), True),
        ("a@b@c, d@e", ("d@e",), True),
    ],
)
def test_recipients(written: str, to: tuple[str, ...], warned: bool) -> None:
    found = service(lines(f"emailalert={written}")).mail
    assert found is not None
    assert found.to == to
    assert told(lines(f"emailalert={written}")) == (["3:16 CFG107"] if warned else [])


def test_nobody_to_write_to() -> None:
    assert service(lines("emailalert=-x")).mail is None
    assert told(lines("emailalert=-x")) == ["3:16 CFG107"]
    assert told("emailalertfrom=-x\n" + lines("emailalert=a@b")) == ["1:16 CFG107"]


def test_so_many_recipients_a_mail_can_have() -> None:
    assert told(lines("emailalert=" + ",".join(["a@b"] * 64))) == []
    assert told(lines("emailalert=" + ",".join(["a@b"] * 65))) == ["3:16 CFG002"]


def test_what_is_said_of_mails_nobody_gets() -> None:
    text = "emailalertfrom=a@b\nemailalertfreq=5\nsmtp=mx\n" + lines("servicename=x", "emailalertfreq=7", "comment=x")
    assert told(lines("emailalertfreq=0", "emailalertstatus=none")) == []
    assert told("emailalertfreq=0\nemailalertstatus=none\n" + lines()) == []
    assert told(text) == ["1:16 CFG109", "2:16 CFG109", "3:6 CFG109", "7:20 CFG109"]


def test_callback_and_autoreload() -> None:
    found = part('callback="/usr/local/bin/changed"\nautoreload=yes\n')
    assert found.on_config_change is not None
    assert found.on_config_change.value == ("/usr/local/bin/changed",)
    assert found.autoreload
    assert part('callback=""\nautoreload=no\n') == part("")
    assert not part("").autoreload
    assert told('callback="bin/changed"\n' + lines()) == ["1:10 CFG109"]
    for written in ("/bin/x arg", "/bin/x;y", " "):
        assert told(f'callback="{written}"\n' + lines()) == ["1:10 CFG101"]


def test_monitorfile() -> None:
    assert service(lines('monitorfile="/var/log/web.log"')).monitor_file == "/var/log/web.log"
    assert service(lines("monitorfile=web.log")).monitor_file == "/web.log"
    assert service(lines()).monitor_file is None
    assert told(lines("monitorfile=web.log")) == ["3:17 CFG109"]


def test_maintenancedir() -> None:
    text = "maintenancedir=/etc/ha.d/maintenance/\n" + lines()
    found = part(text).maintenance_directory
    assert found is not None
    assert found.value == "/etc/ha.d/maintenance/"
    assert part(lines()).maintenance_directory is None
    assert told(text) == []
    assert told("maintenancedir=maintenance\n" + lines()) == ["1:16 CFG109"]


def test_what_is_in_maintenance_now() -> None:
    text = "maintenancedir=/m\n" + lines()
    names = ["192.0.2.12", "192.0.2.13:80", "[2001:db8::1]:80", "2001:db8::2", "web1", "web2:80"]
    files = FilesInMemory({"ldirectord.cf": text, **{f"/m/{name}": "" for name in names}})
    loaded = load(["ldirectord.cf"], files)
    assert loaded.config is not None
    found = [one for one in loaded.problems if one.code == "CFG111"]
    assert [one.message for one in found] == [
        "maintenancedir: out of service now: `192.0.2.12`, `192.0.2.13:80`, `2001:db8::2`, `[2001:db8::1]:80`",
        "maintenancedir: `web1`, `web2:80` takes no real server out: hosts' names are not looked up",
    ]
    many = FilesInMemory({"ldirectord.cf": text, **{f"/m/192.0.2.{number}": "" for number in range(12, 20)}})
    assert any("and 3 more" in one.message for one in load(["ldirectord.cf"], many).problems)


OTHER = "checktimeout=7\nvirtual=192.0.2.101:80\n" + REAL + "    checktype=connect\n"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("other.cf", "/etc/ha.d/other.cf"),
        ('"other.cf"', "/etc/ha.d/other.cf"),
        ("other.cf", "/etc/ha.d/conf/other.cf"),
        ("other.cf", "/other.cf"),
        ("other.cf", "/root/other.cf"),
        ("sub/other.cf", "/root/sub/other.cf"),
        ("/srv/other.cf", "/srv/other.cf"),
    ],
)
def test_execute_reads_another_file(written: str, path: str) -> None:
    main = "/root/ldirectord.cf"
    files = FilesInMemory({main: f"checktimeout=3\nexecute={written}\n" + lines("checktype=connect"), path: OTHER})
    loaded = load([main], files)
    assert loaded.config is not None, [str(one) for one in loaded.problems]
    assert [one.name for one in loaded.config.services] == ["tcp:192.0.2.100:80", "tcp:192.0.2.101:80"]
    timeouts = [one.real_servers[0].check.timing.timeout for one in loaded.config.services]
    assert timeouts == [3.0, 7.0]  # each file has its own global directives
    assert list(loaded.sources) == [main, path]


def test_execute_takes_ldirectords_folders_first() -> None:
    texts = {"ldirectord.cf": "execute=a.cf\n" + lines(), "a.cf": "nonsense=1\n"}
    for folder in ("/", "/etc/ha.d/conf/", "/etc/ha.d/"):
        texts[f"{folder}a.cf"] = OTHER
        assert list(load(["ldirectord.cf"], FilesInMemory(texts)).sources)[1] == f"{folder}a.cf"


def test_execute_several_files_and_one_twice() -> None:
    third = OTHER.replace("101", "102")
    texts = {"ldirectord.cf": "execute=a.cf\nexecute=b.cf\nexecute=a.cf\n", "a.cf": OTHER, "b.cf": third}
    loaded = load(["ldirectord.cf", "a.cf"], FilesInMemory(texts))
    assert loaded.config is not None
    assert [one.name for one in loaded.config.services] == ["tcp:192.0.2.101:80", "tcp:192.0.2.102:80"]
    assert loaded.problems == ()


def test_execute_in_a_ring_or_too_deep() -> None:
    ring = load_cf("execute=other.cf\n" + lines(), other_cf="execute=ldirectord.cf\n" + OTHER)
    assert [(one.code, one.file) for one in ring.problems if one.severity.value == "error"] == [("CFG008", "other.cf")]
    deep = {f"{number}.cf": f"execute={number + 1}.cf\n" for number in range(1, 12)}
    loaded = load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": "execute=1.cf\n" + lines(), **deep}))
    assert "CFG008" in [one.code for one in loaded.problems]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("nothere.cf", "1:9 CFG001"), ("a b.cf", "1:9 CFG101"), ("*.cf", "1:9 CFG101"), ("", "1:9 CFG101")],
)
def test_execute_of_no_file(value: str, expected: str) -> None:
    assert expected in told(f"execute={value}\n" + lines())


def test_a_mistake_in_an_executed_file_stands_there() -> None:
    loaded = load_cf("execute=other.cf\n" + lines(), other_cf=OTHER + "foo=1\n")
    errors = [(one.file, one.line) for one in loaded.problems if one.severity.value == "error"]
    assert errors == [("other.cf", 5)]
