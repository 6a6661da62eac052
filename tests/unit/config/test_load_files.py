"""Several files: included, merged, unreadable."""

from __future__ import annotations

import pytest

from config import codes
from config.checks import TcpCheck, Timing
from config.files import FileTooLarge
from config.load import Loaded, load
from tests.unit.config.files_in_memory import FilesInMemory

WEB = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.15]}}\n"
DNS = "services: {dns: {virtual: '1.1.1.12:53', protocol: udp, check: {type: dns}, real_servers: [1.1.1.15]}}\n"


def load_all(paths: list[str], **files: str | bytes | Exception) -> Loaded:
    """Files by name: `a` is `etc/a.yaml`, `conf_b` is `etc/conf/b.yaml`."""
    named = {f"etc/{name.replace('_', '/')}.yaml": content for name, content in files.items()}
    return load([f"etc/{path}.yaml" for path in paths], FilesInMemory(named))


def names(loaded: Loaded) -> list[str]:
    assert loaded.problems == ()
    assert loaded.config is not None
    return [one.name for one in loaded.config.services]


def told(loaded: Loaded) -> list[str]:
    return [str(one) for one in loaded.problems]


def test_services_of_several_files_in_order() -> None:
    assert names(load_all(["a", "b"], a=WEB, b=DNS)) == ["web", "dns"]
    assert names(load_all(["b", "a"], a=WEB, b=DNS)) == ["dns", "web"]


def test_the_texts_are_kept_and_hidden() -> None:
    loaded = load_all(["a", "b"], a=WEB, b=DNS)
    assert loaded.sources == {"etc/a.yaml": WEB, "etc/b.yaml": DNS}
    assert "virtual:" not in repr(loaded)


def test_a_file_named_twice_is_read_once() -> None:
    assert names(load_all(["a", "a"], a=WEB)) == ["web"]
    assert names(load_all(["a", "../etc/a"], a=WEB)) == ["web"]
    assert names(load_all(["a", "b"], a="include: b.yaml\n" + WEB, b=DNS)) == ["web", "dns"]


def test_included_files_and_globs() -> None:
    main = "include: [b.yaml, 'conf/*.yaml', 'none/*.yaml']\n" + WEB
    other = "services: {ssh: {virtual: '1.1.1.12:22', real_servers: [1.1.1.15]}}\n"
    assert names(load_all(["a"], a=main, b=DNS, conf_c=other)) == ["web", "dns", "ssh"]


def test_an_included_path_starts_at_its_file() -> None:
    assert names(load_all(["a"], a="include: conf/b.yaml\n", conf_b="include: c.yaml\n", conf_c=WEB)) == ["web"]
    assert names(load_all(["a"], a="include: conf/b.yaml\n", conf_b="include: '../d*.yaml'\n", d=WEB)) == ["web"]


def test_a_loop_is_shown() -> None:
    loaded = load_all(["a"], a="include: b.yaml\n" + WEB, b="include: a.yaml\n")
    assert told(loaded) == [
        "etc/b.yaml:1:10: etc/a.yaml includes itself (etc/a.yaml -> etc/b.yaml -> etc/a.yaml) [CFG008]"
    ]


def test_includes_have_a_depth() -> None:
    files: dict[str, str | bytes | Exception] = {f"f{n}": f"include: f{n + 1}.yaml\n" for n in range(7)}
    assert names(load_all(["f0"], **files, f7=WEB)) == ["web"]
    loaded = load_all(["g"], **files, f7=WEB, g="include: f0.yaml\n")
    assert [(one.code, one.file) for one in loaded.problems] == [(codes.INCLUDE, "etc/f6.yaml")]


def test_the_number_of_files_is_limited() -> None:
    files: dict[str, str | bytes | Exception] = {f"f_n{n}": "" for n in range(300)}
    loaded = load_all(["a"], a="include: f/*.yaml\n" + WEB, **files)
    assert {one.code for one in loaded.problems} == {codes.INCLUDE}
    assert len(loaded.sources) == 256


def test_a_missing_file_is_told_where_it_is_named() -> None:
    assert told(load_all(["a"], a="include: b.yaml\n" + WEB)) == [
        "etc/a.yaml:1:10: etc/b.yaml: No such file or directory [CFG001]",
    ]
    assert told(load_all(["a"])) == ["etc/a.yaml: No such file or directory [CFG001]"]
    assert told(load_all(["../etc/a"])) == ["etc/a.yaml: No such file or directory [CFG001]"]


def test_nothing_named_is_nothing_configured() -> None:
    assert [one.code for one in load([], FilesInMemory()).problems] == [codes.NOTHING_TO_DO]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: b\nc: \xff", "etc/a.yaml:2:4: the byte 0xff is not UTF-8 (is it a text, and saved as UTF-8?) [CFG003]"),
        (WEB.encode("utf-16"), "etc/a.yaml:1:1: the byte 0xff is not UTF-8 (it looks like UTF-16) [CFG003]"),
        (FileTooLarge("a", 16), "etc/a.yaml: the file is too large (16 bytes at most) [CFG002]"),
        (IsADirectoryError(21, "is a directory"), "etc/a.yaml: is a directory [CFG001]"),
        (OSError("no words"), "etc/a.yaml: no words [CFG001]"),
    ],
)
def test_what_cannot_be_read(content: bytes | Exception, message: str) -> None:
    loaded = load_all(["a", "b"], a=content, b=WEB)
    assert told(loaded) == [message]
    assert loaded.config is None


def test_a_glob_that_fails() -> None:
    class Failing(FilesInMemory):
        def glob(self, pattern: str, relative_to: str) -> list[str]:
            raise PermissionError(13, "Permission denied", pattern + relative_to)

    loaded = load(["a"], Failing({"a": "include: '*.yaml'\n" + WEB}))
    assert told(loaded) == ["a:1:10: *.yaml: Permission denied [CFG001]"]


def test_defaults_hold_for_all_files_and_unite_key_by_key() -> None:
    loaded = load_all(
        ["a", "b"],
        a="defaults: {weight: 5, check: {interval: 1s}}\n",
        b="defaults: {scheduler: wlc, check: {fall: 7}}\n" + WEB,
    )
    assert names(loaded) == ["web"]
    assert loaded.config is not None
    (service,) = loaded.config.services
    (real,) = service.real_servers
    assert (service.scheduler, real.weight) == ("wlc", 5)
    assert (real.check.kind, real.check.timing) == (TcpCheck(), Timing(interval=1.0, fall=7))


def test_what_two_files_say_is_told_at_both_places() -> None:
    loaded = load_all(
        ["a", "b"],
        a="defaults: {weight: 5, check: {fall: 1}}\ndaemon: {checker_user: a}\n" + WEB,
        b="defaults: {weight: 5, check: {fall: 7}}\ndaemon: {checker_user: a}\n" + WEB,
    )
    assert told(loaded) == [
        "etc/b.yaml:1:20: `weight` is said in two files (the first is at etc/a.yaml:1) [CFG019]",
        "etc/b.yaml:1:37: `fall` is said in two files (the first is at etc/a.yaml:1) [CFG019]",
        "etc/b.yaml:2:24: `checker_user` is said in two files (the first is at etc/a.yaml:2) [CFG019]",
        "etc/b.yaml:3:12: `web` is said in two files (the first is at etc/a.yaml:3) [CFG019]",
    ]


def test_problems_of_all_files_by_file_and_line() -> None:
    loaded = load_all(["b", "a"], a="x: 1\ny: 1\n", b="z: 1\ninclude: c.yaml\n", c="w: 1\n")
    assert [(one.file, one.line) for one in loaded.problems] == [
        ("etc/b.yaml", 1), ("etc/c.yaml", 1), ("etc/a.yaml", 1), ("etc/a.yaml", 2),
    ]  # fmt: skip


def test_the_size_of_all_files_together_is_limited() -> None:
    many = "x: &x [" + "1," * 1000 + "]\ny: [" + "*x," * 600 + "]\n"
    assert codes.TOO_MUCH not in {one.code for one in load_all(["a"], a=many).problems}
    loaded = load_all(["a", "b"], a=many, b=many)
    assert codes.TOO_MUCH in {one.code for one in loaded.problems}


def test_a_daemon_can_be_configured() -> None:
    loaded = load_all(["a"], a=WEB + "daemon: {clear_table_on_stop: true, checker_user: _lvsd}\n")
    assert loaded.config is not None
    assert (loaded.config.daemon.clear_table_on_stop, loaded.config.daemon.checker_user) == (True, "_lvsd")
    bare = load_all(["a"], a=WEB).config
    assert bare is not None
    assert (bare.daemon.clear_table_on_stop, bare.daemon.checker_user) == (False, "nobody")
