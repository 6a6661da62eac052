"""Secrets: where they come from, and that no problem tells them."""

from __future__ import annotations

import pytest

from config import codes
from config.checks import MysqlCheck
from config.files import FileTooLarge
from config.load import Loaded, load
from tests.unit.config.files_in_memory import FilesInMemory

TEXT = """
services:
  db:
    virtual: 1.1.1.12:3306
    check:
      type: mysql
      login: monitor
      password: %s
    real_servers: [1.1.1.15]
"""


def loaded(
    password: str, *, secrets: dict[str, str | bytes | Exception] | None = None, variables: dict[str, str] | None = None
) -> Loaded:
    files: dict[str, str | bytes | Exception] = {"etc/lvsd.yaml": TEXT % password, **(secrets or {})}
    return load(["etc/lvsd.yaml"], FilesInMemory(files, variables or {}))


def secret(found: Loaded) -> str:
    assert found.problems == ()
    assert found.config is not None
    check = found.config.services[0].real_servers[0].check.kind
    assert isinstance(check, MysqlCheck)
    return check.credentials.password.value


def problem(found: Loaded) -> tuple[str, int, int]:
    assert found.config is None
    (only,) = found.problems
    assert "hunter2" not in str(only)
    assert "hunter2" not in repr(found)
    return only.code, only.line, only.column


@pytest.mark.parametrize(
    ("written", "value"), [("hunter2", "hunter2"), ("'1234'", "1234"), ('""', ""), ("' a b '", " a b ")]
)
def test_literal(written: str, value: str) -> None:
    assert secret(loaded(written)) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("hunter2\n", "hunter2"),
        ("hunter2", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        (" hunter2 \n", " hunter2 "),
        ("1234", "1234"),
    ],
)
def test_from_a_file_without_its_last_line_end(content: str, value: str) -> None:
    assert secret(loaded("{file: /run/secret}", secrets={"/run/secret": content})) == value


def test_a_relative_file_is_beside_the_configuration() -> None:
    assert secret(loaded("{file: mysql.secret}", secrets={"etc/mysql.secret": "hunter2"})) == "hunter2"
    assert secret(loaded("{file: ../mysql.secret}", secrets={"mysql.secret": "hunter2"})) == "hunter2"


def test_from_the_environment() -> None:
    assert secret(loaded("{env: MYSQL_PASSWORD}", variables={"MYSQL_PASSWORD": "hunter2"})) == "hunter2"


def test_an_unset_variable() -> None:
    assert problem(loaded("{env: MYSQL_PASSWORD}")) == (codes.NOT_OBTAINED, 8, 23)


@pytest.mark.parametrize("content", [PermissionError(13, "Permission denied"), b"\xff", "", "\n"])
def test_a_file_without_a_secret(content: str | bytes | Exception) -> None:
    found = loaded("{file: /run/secret}", secrets={"/run/secret": content})
    assert problem(found) == (codes.NOT_OBTAINED, 8, 24)


@pytest.mark.parametrize("content", [FileTooLarge("/run/secret", 16), "hunter2" * 150])
def test_a_secret_too_large(content: str | Exception) -> None:
    assert problem(loaded("{file: /run/secret}", secrets={"/run/secret": content}))[0] == codes.TOO_LARGE


def test_the_longest_secret() -> None:
    assert secret(loaded("{file: /run/secret}", secrets={"/run/secret": "x" * 1024})) == "x" * 1024
    assert problem(loaded("{file: /run/secret}", secrets={"/run/secret": "x" * 1025}))[0] == codes.TOO_LARGE
    assert problem(loaded(f"{{file: /{'x' * 1024}}}"))[0] == codes.MALFORMED
    assert problem(loaded(f"{{file: /{'x' * 1023}}}"))[0] == codes.NOT_OBTAINED


@pytest.mark.parametrize("content", ["hunter2\nmore", "hunter2\x00", "\x1bhunter2"])
def test_a_secret_of_one_printable_line(content: str) -> None:
    assert problem(loaded("{file: /run/secret}", secrets={"/run/secret": content}))[0] == codes.MALFORMED


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("1234", codes.NOT_QUOTED), ("on", codes.NOT_QUOTED), ("12:34", codes.NOT_QUOTED), ("0x1234", codes.NOT_QUOTED),
        ("", codes.NO_VALUE), ("~", codes.NO_VALUE),
        ("[hunter2]", codes.WRONG_TYPE), ("{hunter2}", codes.WRONG_TYPE), ("{hunter2: file}", codes.WRONG_TYPE),
        ("{file: hunter2, env: hunter2}", codes.WRONG_TYPE), ("{file: }", codes.WRONG_TYPE), ("{}", codes.WRONG_TYPE),
        ("{env: 'hunter 2'}", codes.MALFORMED), ("{env: [x]}", codes.WRONG_TYPE), ("{file: [x]}", codes.WRONG_TYPE),
        ("{file: ''}", codes.MALFORMED), ('{file: "a\\0b"}', codes.MALFORMED),
        ("*hunter2", codes.ANCHOR), ("!hunter2", codes.TAG), ("!hunter2 x", codes.TAG), ("@hunter2", codes.SYNTAX),
        ("%hunter2", codes.SYNTAX), ("hunter2: x", codes.SYNTAX), ('"hunter2\\q"', codes.SYNTAX),
        ("'hunter2'x", codes.SYNTAX),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_not_told(written: str, code: str) -> None:
    found = loaded(written)
    assert found.problems[0].code == code
    assert found.problems[0].line in (8, 9)
    told = " ".join(str(one) for one in found.problems)
    assert "1234" not in told
    assert "hunter2" not in told


def test_a_misspelt_password_is_not_told() -> None:
    text = (TEXT % "hunter2").replace("password", "pasword")
    found = load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": text}))
    assert [one.message for one in found.problems] == ["unknown key `pasword` in check"]
    assert "password" in found.problems[0].hint
