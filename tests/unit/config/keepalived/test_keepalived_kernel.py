"""lvs_timeouts and lvs_sync_daemon; mails."""

from __future__ import annotations

import pytest

from config.keepalived.read import read_keepalived
from config.model import ConnectionSync, Ipvs, Mail, Timeouts
from config.reading import Reading
from config.words import SyncRole
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.keepalived.conf import INSTANCE, NAME, SERVER, codes_of, loaded, put, service


def kernel(text: str) -> Ipvs | None:
    """What a file says of the kernel's IPVS as a whole."""
    found = read_keepalived(NAME, text, Reading(FilesInMemory({}))).ipvs
    return found.value if found else None


def settings(*lines: str) -> str:
    """global_defs, whose first line is line 2, and an instance."""
    return "\n".join(("global_defs {", *lines, "}", INSTANCE))


@pytest.mark.parametrize(
    ("line", "timeouts", "problems"),
    [
        ("lvs_timeouts tcp 7200 tcpfin 120 udp 300", Timeouts(7200, 120, 300), []),
        ("lvs_timeouts udp 300", Timeouts(udp=300), []),
        ("lvs_timeouts tcp 0", None, ["2:18 CFG204w"]),
        ("lvs_timeouts tcp", None, ["2:14 CFG018"]),
        ("lvs_timeouts tcp_fin 3 udp 4", Timeouts(udp=4), ["2:14 CFG204w", "2:22 CFG204w"]),
        ("lvs_timeouts", None, []),
    ],
)
def test_timeouts(line: str, timeouts: Timeouts | None, problems: list[str]) -> None:
    found = kernel(settings(line))
    assert (found.timeouts if found else None) == timeouts
    assert codes_of(settings(line)) == problems


@pytest.mark.parametrize(
    ("line", "sync", "problems"),
    [
        ("lvs_sync_daemon eth1", ConnectionSync("eth1", SyncRole.BOTH), []),
        ("lvs_sync_daemon eth1 id 5", ConnectionSync("eth1", SyncRole.BOTH, sync_id=5), []),
        ("lvs_sync_daemon eth1 VI_1", ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51), []),
        ("lvs_sync_daemon eth1 inst VI_1 id 5", ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 5), []),
        (
            "lvs_sync_daemon eth1 VI_1 maxlen 1400 port 9000 ttl 2 group 224.0.0.82",
            ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51, 1400, "224.0.0.82", 9000, 2),
            [],
        ),
        ("lvs_sync_daemon eth1 VI_2", None, ["2:22 CFG205w"]),
        ("lvs_sync_daemon eth1 VI_1 id 256", ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51), ["2:30 CFG204w"]),
        ("lvs_sync_daemon eth1 VI_1 id", ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51), ["2:27 CFG018"]),
        ("lvs_sync_daemon eth1 VI_1 x", ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51), ["2:27 CFG201w"]),
        ("lvs_sync_daemon eth1 group 192.0.2.1", ConnectionSync("eth1", SyncRole.BOTH), ["2:28 CFG204w"]),
        ("lvs_sync_daemon", None, ["2:1 CFG018"]),
        ("lvs_sync_daemon much_too_long_name", None, ["2:17 CFG017"]),
    ],
)
def test_the_sync_daemon(line: str, sync: ConnectionSync | None, problems: list[str]) -> None:
    text = settings(line)
    found = kernel(text)
    assert (found.sync if found else None) == sync
    assert codes_of(text) == problems


def test_the_sync_daemon_as_an_instance_says_it() -> None:
    text = put(INSTANCE, "priority 150", "lvs_sync_daemon_interface eth1")
    found = kernel(text)
    assert found is not None
    assert found.sync == ConnectionSync("eth1", SyncRole.FOLLOW, "VI_1", 51)
    assert codes_of(text) == []
    assert codes_of("global_defs {\n lvs_sync_daemon eth2\n}\n" + text) == ["8:5 CFG205w"]


def test_it_reaches_the_configuration() -> None:
    found = loaded(settings("lvs_timeouts udp 300")).config
    assert found is not None
    assert found.ipvs.timeouts == Timeouts(udp=300)


MAIL = ("notification_email {", "a@example.net", "b@example.net", "}", "smtp_server 192.0.2.25")
TO = ("a@example.net", "b@example.net")


@pytest.mark.parametrize(
    ("lines", "mail"),
    [
        ((), Mail(TO, "", "192.0.2.25")),
        (
            ("notification_email_from lb@example.net", "router_id LB1"),
            Mail(TO, "lb@example.net", "192.0.2.25", label="LB1"),
        ),
        (("smtp_alert",), Mail(TO, "", "192.0.2.25")),
        (("smtp_alert off",), None),
        (("smtp_alert on", "smtp_alert_checker off"), None),
        (("no_checker_emails",), None),
    ],
)
def test_mails(lines: tuple[str, ...], mail: Mail | None) -> None:
    text = "\n".join(("global_defs {", *MAIL, *lines, "}", SERVER))
    assert codes_of(text) == []
    assert service(text).mail == mail


@pytest.mark.parametrize(
    ("server", "smtp"),
    [
        ("mail.example.net", "mail.example.net"),
        ("192.0.2.25 587", "192.0.2.25:587"),
        ("2001:db8::25 25", "[2001:db8::25]:25"),
        ("2001:db8::25", "[2001:db8::25]"),
    ],
)
def test_the_server_that_takes_mails(server: str, smtp: str) -> None:
    text = "\n".join(("global_defs {", *MAIL[:-1], f"smtp_server {server}", "}", SERVER))
    found = service(text).mail
    assert found is not None
    assert found.smtp == smtp


def test_without_a_server_that_takes_them_there_are_no_mails() -> None:
    assert service("\n".join(("global_defs {", *MAIL[:-1], "}", SERVER))).mail is None
    assert service("\n".join(("global_defs {", MAIL[-1], "}", SERVER))).mail is None


def test_mails_about_instances_are_told() -> None:
    assert codes_of(settings("smtp_alert")) == ["2:1 CFG203w"]
    assert codes_of(settings("smtp_alert off")) == []


def test_a_service_may_be_silent() -> None:
    head = "\n".join(("global_defs {", *MAIL, "}", ""))
    silent = put(SERVER, "        TCP_CHECK", "        smtp_alert off\n        TCP_CHECK")
    assert service(head + silent).mail is None
    assert codes_of(head + silent) == []
    both = put(silent, "    protocol TCP", "    smtp_alert\n    protocol TCP")
    assert service(head + both).mail is not None
    assert codes_of(head + both) == ["14:5 CFG211w"]


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        (("notification_email {", "a@example.net <x>", "}", "smtp_server m"), ["3:15 CFG205w"]),
        (("notification_email {", "a@example.net", "}"), ["2:1 CFG034w"]),
        (("notification_email {", "a@example.net", "}", "smtp_server a/b"), ["2:1 CFG034w", "5:13 CFG204w"]),
        (("notification_email_from @x",), ["2:25 CFG205w"]),
        (("smtp_alert_vrrp",), ["2:1 CFG203w"]),
    ],
)
def test_what_is_told_of_mails(lines: tuple[str, ...], problems: list[str]) -> None:
    assert codes_of("\n".join(("global_defs {", *lines, "}", SERVER))) == problems
