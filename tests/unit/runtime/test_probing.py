"""Which checks `lvsctl probe` means, of which configuration, and what becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Inconclusive, Unhealthy
from checkers.core.outcome import Reason as Why
from checkers.core.transcript import Certificate, Said, Secured, Transcript
from config.checks import HttpCheck, TcpCheck, Timing
from config.load import load
from config.model import Config
from lvsd.control.messages import ErrorReply
from lvsd.control.probes import NOT_PROBED, Note, Order, ProbeRow, UseRow, decode_told, encode
from lvsd.core.assignment import question
from lvsd.runtime import probing
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.probing import Unusable, answered, meant, run, shared, told_of
from lvsd.runtime.store import Recorder, Store
from tests.unit.checkers.servers import closed_port

TEXT = """
defaults: {check: {type: http, path: /, interval: 5s, timeout: 2s}}
services:
  web: {virtual: "192.0.2.100:80", real_servers: [127.0.0.1, "127.0.0.2"]}
  other: {virtual: "192.0.2.101:80", check: {timeout: 3s}, real_servers: [127.0.0.1]}
  mail:
    virtual: "192.0.2.100:993"
    checks: [{type: imaps, login: monitor, password: sesame}, {type: tcp}]
    real_servers: [127.0.0.1, {address: 127.0.0.3, check: {type: none}}]
  follower: {virtual: "192.0.2.102:80", check: {type: follow, service: web}, real_servers: [127.0.0.1]}
  six: {virtual: "[2001:db8::1]:80", real_servers: ["2001:db8::11"]}
"""


def configured(text: str, folder: Path) -> Config:
    file = folder / "lvsd.yaml"
    file.write_text(text)
    loaded = load((str(file),), SystemFiles())
    assert loaded.config is not None, loaded.problems
    return loaded.config


def order(real: str, service: str = "", check: str = "", files: tuple[str, ...] = (), state_dir: str = "") -> Order:
    return Order(real, service, check, files, state_dir)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (order("127.0.0.2"), ["tcp 192.0.2.100:80 > 127.0.0.2:80"]),
        (order("127.0.0.1:993"), ["tcp 192.0.2.100:993 > 127.0.0.1:993", "tcp 192.0.2.100:993 > 127.0.0.1:993 #2"]),
        (order("127.0.0.1", check="tcp"), ["tcp 192.0.2.100:993 > 127.0.0.1:993 #2"]),
        (order("127.0.0.1", service="other"), ["tcp 192.0.2.101:80 > 127.0.0.1:80"]),
        (order("127.0.0.1", service="192.0.2.101:80"), ["tcp 192.0.2.101:80 > 127.0.0.1:80"]),
        (order("2001:db8::11"), ["tcp [2001:db8::1]:80 > [2001:db8::11]:80"]),
        (order("[2001:db8::11]:80"), ["tcp [2001:db8::1]:80 > [2001:db8::11]:80"]),
        (order("[2001:db8::11]"), ["tcp [2001:db8::1]:80 > [2001:db8::11]:80"]),
    ],
)
def test_what_is_meant(tmp_path: Path, asked: Order, found: list[str]) -> None:
    assert [identity for identity, _ in meant(configured(TEXT, tmp_path), asked)] == found


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        (order("127.0.0.1", service="wep"), "no virtual service 'wep'", "did you mean `web`?"),
        (order("127.0.0.8:80"), "no real server '127.0.0.8:80'", "did you mean `127.0.0.2:80`?"),
        (order("127.0.0.11"), "no real server '127.0.0.11'", "did you mean `127.0.0.1`?"),
        (order("2001:db8::12"), "no real server '2001:db8::12'", "did you mean `2001:db8::11`?"),
        (order("[2001:db8::12]:80"), "no real server", "did you mean `[2001:db8::11]:80`?"),
        (order("127.0.0.3", service="web"), "no real server '127.0.0.3' in web", "127.0.0."),
        (order("127.0.0.2", check="htpp"), "127.0.0.2 has no check of type 'htpp'", "did you mean `http`?"),
        (order("127.0.0.3", check="imaps"), "127.0.0.3 has no check of type 'imaps'", "one of: none"),
    ],
)
def test_what_nothing_is_meant_by_is_told_with_what_there_is(
    tmp_path: Path, asked: Order, message: str, hint: str
) -> None:
    with pytest.raises(Unusable, match=message) as raised:
        meant(configured(TEXT, tmp_path), asked)
    assert hint in raised.value.hint


def test_alike_checks_are_one_probe_and_others_are_not(tmp_path: Path) -> None:
    groups = shared(meant(configured(TEXT, tmp_path), order("127.0.0.1")))
    assert [[checked.service.name for _, checked in group] for group in groups] == [
        ["web", "other"],
        ["mail"],
        ["mail"],
        ["follower"],
    ]


def test_what_was_found_is_told_with_all_it_stands_for(tmp_path: Path) -> None:
    group = shared(meant(configured(TEXT, tmp_path), order("127.0.0.1")))[0]
    asked = question(*group[0])
    secured = Secured("TLSv1.3", "AES", Certificate("CN=x", ("x",), "CN=y", "2027-01-31T23:59:59Z"))
    transcript = Transcript(
        group[0][0], Unhealthy(Why.STATUS, "503"), {"whole": 0.5}, (Said(0.1, True, 3, ("GET",)),), secured, 7, "why"
    )
    row = told_of(transcript, group, asked)
    assert row.uses == (
        UseRow("web", "tcp 192.0.2.100:80", "127.0.0.1:80", 1),
        UseRow("other", "tcp 192.0.2.101:80", "127.0.0.1:80", 1),
    )
    assert (row.check, row.target, row.timeout, row.result, row.detail) == (
        "http",
        "127.0.0.1:80",
        2.0,
        "status",
        "503",
    )
    assert row.said[0].lines == ("GET",)
    assert row.secured is not None
    assert row.secured.certificate.names == ("x",)
    assert (row.phases, row.left_out, row.unseen) == ({"whole": 0.5}, 7, "why")
    second = shared(meant(configured(TEXT, tmp_path), order("127.0.0.1", check="tcp")))[0]
    found = told_of(Transcript(second[0][0], Healthy(), {}), second, question(*second[0]))
    assert found.uses[0].number == 2
    assert told_of(Transcript("x", Inconclusive("no"), {}), second, question(*second[0])).result == "inconclusive"


def test_a_probe_of_each_kind_goes_its_way(tmp_path: Path) -> None:
    configured(TEXT.replace("192.0.2.100:993", "192.0.2.100:9"), tmp_path)  # nobody listens at port 9
    files = (str(tmp_path / "lvsd.yaml"),)
    told = list(answered(order("127.0.0.1", service="mail", files=files)))
    assert [one.result for one in told if isinstance(one, ProbeRow)] == ["refused", "refused"]
    never = list(answered(order("127.0.0.3", files=files)))
    assert [(one.result, one.detail) for one in never if isinstance(one, ProbeRow)] == [
        (NOT_PROBED, "it is never probed")
    ]
    (follower,) = answered(order("127.0.0.1", service="follower", files=files))
    assert isinstance(follower, ProbeRow)
    assert follower.detail == "it follows web: probe that one"


def test_the_configuration_that_runs_counts_and_not_what_the_file_says_by_now(tmp_path: Path) -> None:
    file, state = tmp_path / "lvsd.yaml", tmp_path / "state"
    configured(TEXT.replace("127.0.0.1", "127.0.0.7"), tmp_path)
    recorder = Recorder(SystemFiles())
    load((str(file),), recorder)
    Store(state).remember_good(recorder.snapshot((str(file),)))
    file.write_text(TEXT)
    asked = order("127.0.0.7", service="follower", files=(str(file),), state_dir=str(state))
    assert [type(one) for one in answered(asked)] == [ProbeRow]
    elsewhere = order("127.0.0.1", service="follower", files=(str(file),), state_dir=str(tmp_path / "none"))
    assert [type(one) for one in answered(elsewhere)] == [Note, ProbeRow]
    assert not (tmp_path / "none").exists()
    Store(state).remember_good(recorder.snapshot(("another.yaml",)))  # of another lvsd
    assert [type(one) for one in answered(asked.__class__("127.0.0.1", "follower", "", (str(file),), str(state)))] == [
        Note,
        ProbeRow,
    ]


def test_a_wrong_configuration_is_told(tmp_path: Path) -> None:
    file = tmp_path / "lvsd.yaml"
    file.write_text("services: {web: {virtual: nowhere}}")
    with pytest.raises(Unusable, match=r"the configuration is wrong: .*lvsd\.yaml:1:"):
        list(answered(order("127.0.0.1", files=(str(file),))))


def test_a_prober_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check = AssignedCheck("x", Target("127.0.0.1", 1), TcpCheck(), Timing())
    for script, wrong in (
        ("import sys; sys.stdin.read(); sys.exit(3)", "ended with status 3"),
        ("import sys; sys.stdin.read(); print('nonsense')", "is not understood"),
        ('import sys; sys.stdin.read(); print(\'{"id":"y","outcome":{"type":"healthy"},"phases":{}}\')', "ended"),
    ):
        monkeypatch.setattr(probing, "PROBER", (sys.executable, "-I", "-c", script))
        with pytest.raises(Unusable, match=wrong):
            list(run((check,), "nobody"))


def test_the_process_answers_and_tells_no_password(tmp_path: Path) -> None:
    port = closed_port()
    file = tmp_path / "lvsd.yaml"
    check = f"{{type: imaps, port: {port}, login: monitor, password: sesame}}"
    file.write_text(f'services: {{mail: {{virtual: "192.0.2.100:993", check: {check}, real_servers: [127.0.0.1]}}}}')
    command = [sys.executable, "-I", "-m", "lvsd.runtime.probing"]
    done = subprocess.run(
        command, input=encode(order("127.0.0.1", files=(str(file),))), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    told = decode_told(done.stdout)
    assert isinstance(told, ProbeRow)
    assert (told.result, told.target) == ("refused", f"127.0.0.1:{port}")
    assert "sesame" not in json.dumps(str(done.stdout))
    for words in (b"", b"nonsense", b"\xff", encode(order("127.0.0.9", files=(str(file),)))):
        refused = subprocess.run(command, input=words, capture_output=True, timeout=60)
        assert (refused.returncode, refused.stderr) == (0, b"")
        assert isinstance(decode_told(refused.stdout), ErrorReply)


def test_a_question_has_what_the_check_has(tmp_path: Path) -> None:
    text = TEXT.replace('100:80", ', '100:80", check: {source: 127.0.0.1, mark: 7, proxy_protocol: 2}, ')
    (identity, checked), *_ = meant(configured(text, tmp_path), order("127.0.0.2"))
    asked = question(identity, checked)
    assert isinstance(asked.check, HttpCheck)
    row = told_of(Transcript(identity, Healthy(), {}), [(identity, checked)], asked)
    assert (row.source, row.mark, row.proxy_protocol) == ("127.0.0.1", 7, 2)
