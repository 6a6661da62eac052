"""What is shown of the configuration: examples, the manual, the schema, the report, many mistakes at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from config import shape, shape_checks
from config.checks import Galera, MysqlCheck, SmtpCheck, TlsMode
from config.load import Loaded, load
from config.model import VirtualEndpoint
from config.problems import Problem, Severity
from config.report import report
from config.schema import json_schema
from config.sections import Section, section_schema
from tests.unit.config.files_in_memory import FilesInMemory, load_text
from tests.unit.config.schema_check import violations

ROOT = Path(__file__).parents[3]
MISTAKES = Path(__file__).parent / "mistakes"
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.yaml"))
SECRETS = {"/etc/lvsd/vrrp.secret": "8letters\n", "/etc/lvsd/mysql.secret": "monitoringPassw0rd\n"}


def load_example(path: str) -> Loaded:
    return load([path], FilesInMemory({path: (ROOT / path).read_text(), **SECRETS}))


def test_the_examples_are_these() -> None:
    assert EXAMPLES == [
        "examples/fast-failover/lb1.yaml", "examples/fast-failover/lb2.yaml", "examples/firewall-mark.yaml",
        "examples/iredmail/lb1.yaml", "examples/iredmail/lb2.yaml", "examples/minimal.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_loads_without_a_word(path: str) -> None:
    loaded = load_example(path)
    assert loaded.problems == ()
    assert loaded.config is not None


def test_the_guides_cluster() -> None:
    config = load_example("examples/iredmail/lb1.yaml").config
    assert config is not None
    endpoints = {one.name: one.virtual for one in config.services}
    assert {name: one.port for name, one in endpoints.items() if isinstance(one, VirtualEndpoint)} == {
        "mysql": 3306, "http": 80, "https": 443, "imaps": 993, "pops": 995, "smtps": 465,
    }  # fmt: skip
    assert {one.address for one in endpoints.values() if isinstance(one, VirtualEndpoint)} == {"1.1.1.12"}
    mysql = config.services[0].real_servers[0].check.kind
    assert isinstance(mysql, MysqlCheck)
    assert (mysql.galera, mysql.query) == (Galera.SYNCED, "SELECT * FROM monitoring.monitoring")
    smtps = config.services[5].real_servers[0].check.kind
    assert isinstance(smtps, SmtpCheck)
    assert smtps.mode is TlsMode.IMPLICIT
    assert [one.scheduler for one in config.services] == ["sh", "sh", "sh", "wrr", "wrr", "wrr"]


def test_the_two_balancers_differ_in_priority_alone() -> None:
    first, second = (load_example(f"examples/iredmail/lb{number}.yaml").config for number in (1, 2))
    assert first is not None
    assert second is not None
    assert first.services == second.services
    assert [one.priority for one in (*first.vrrp, *second.vrrp)] == [200, 100]


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_schema_takes_every_example(path: str) -> None:
    document = yaml.safe_load((ROOT / path).read_text())
    assert violations(document, json_schema()) == []


@pytest.mark.parametrize(
    "text",
    [
        "servics: {}",
        "services: {web: {virtual: '1.1.1.12:80'}}",
        "services: {web: {fwmark: 0, real_servers: []}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [], scheduler: best}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [], check: {interval: soon}}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [], check: {type: http, query: x}}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [{address: 1.1.1.1, check: {intervall: 1}}]}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [{weight: 1}]}}",
        "services: {web: {virtual: '1.1.1.12:80', real_servers: [], persistence: true}}",
        "vrrp: {lb0: {interface: eth0, virtual_router_id: 256, addresses: [1.1.1.12]}}",
        "defaults: {check: {type: mysql, password: 1234}}",
        "services: {'a b': {virtual: '1.1.1.12:80', real_servers: []}}",
        "defaults: {check: {type: ping, proxy_protocol: 1}}",
        "defaults: {check: {type: follow, service: x, interval: 1s}}",
        "defaults: {check: {source: 5}}",
        "defaults: {checks_needed: 0}",
        "defaults: {latency_weights: 50%}",
        "daemon: {workers: many}",
        "ipvs: {conn_reuse_mode: 4}",
        "vrrp: {lb0: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], virtual_mac: a/b}}",
        "vrrp: {lb0: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], track: [{route: x, table: 0}]}}",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(text: str) -> None:
    assert load_text(text).config is None
    assert violations(yaml.safe_load(text), json_schema())


def test_the_schema_is_json_and_describes_every_key() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema

    def undescribed(node: object) -> list[str]:
        match node:
            case {"properties": dict() as properties, "additionalProperties": False, "description": _}:
                bare = [name for name, value in properties.items() if not value.get("description")]
                return bare + [name for value in properties.values() for name in undescribed(value)]
            case dict():
                return [name for value in node.values() for name in undescribed(value)]
            case list():
                return [name for value in node for name in undescribed(value)]
            case _:
                return []

    assert undescribed(schema) == []


@pytest.mark.parametrize("text", ["include: a.yaml", "include: [a.yaml]", "defaults: {persistence: false}"])
def test_the_schema_takes_short_forms(text: str) -> None:
    assert violations(yaml.safe_load(text), json_schema()) == []


def test_the_schema_tells_defaults() -> None:
    check = section_schema(shape_checks.CHECK)["properties"]
    assert isinstance(check, dict)
    assert check["fall"]["description"] == "Failures in a row that take a real server out. Default: 3."
    assert check["receive"]["description"] == "A text the answer must hold."


def manual() -> str:
    return (ROOT / "docs" / "configuration.md").read_text()


def chapter(section: Section) -> str:
    found = re.search(
        rf"^## {re.escape(section.name)}$(.*?)(?=^## |\Z)", manual(), re.MULTILINE | re.DOTALL | re.IGNORECASE
    )
    assert found is not None, section.name
    return found[1]


@pytest.mark.parametrize("section", shape.SECTIONS, ids=lambda section: section.name)
def test_the_manual_tells_every_key_with_its_default(section: Section) -> None:
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", chapter(section), re.MULTILINE)
    rows = {name: cells for name, row in found if len(cells := [cell.strip() for cell in row.split("|")]) == 4}
    assert set(rows) == {key.name for key in section.keys}
    for key in section.keys:
        kind, default, about, example = rows[key.name]
        assert kind, key.name
        assert default.replace("`", "") == (key.default or ("required" if key.required else "")), key.name
        assert about, key.name
        assert example, key.name


def test_the_manual_names_every_type_of_check() -> None:
    rows = re.findall(r"^\| ((?:`[\w]+`(?:, )?)+) \|([^|]*)\|([^|]*)\|$", chapter(shape_checks.CHECK), re.MULTILINE)
    told = {word: set(re.findall(r"`(\w+)`", row[2])) for row in rows for word in re.findall(r"`(\w+)`", row[0])}
    assert {word: told.get(word) for word in shape_checks.CHECK_TYPE_WORDS} == {
        word: {key.name for key in shape_checks.TYPE_KEYS[kind]} for word, kind in shape_checks.CHECK_TYPE_WORDS.items()
    }


def test_every_example_in_the_manual_loads() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", manual(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        files = FilesInMemory({"lvsd.yaml": block, **SECRETS}, {"MYSQL_PASSWORD": "x"})
        problems = [one for one in load(["lvsd.yaml"], files).problems if one.code != "CFG070"]
        assert problems == [], block
        assert violations(yaml.safe_load(block), json_schema()) == [], block


def test_many_mistakes_are_told_at_once_each_at_its_place() -> None:
    loaded = load(["many.yaml"], FilesInMemory({"many.yaml": (MISTAKES / "many.yaml").read_text()}))
    assert "\n".join(report(loaded.problems)) + "\n" == (MISTAKES / "many.problems").read_text()
    assert loaded.config is None


def test_the_report_counts() -> None:
    error = Problem("CFG001", "f", 1, 2, "wrong")
    warning = Problem("CFG002", "f", 0, 0, "odd", "so", Severity.WARNING)
    assert report([]) == ()
    assert report([error]) == ("f:1:2: wrong [CFG001]", "1 error")
    assert report([error, error, warning])[-1] == "2 errors, 1 warning"
    assert report([warning, warning]) == ("f: warning: odd (so) [CFG002]",) * 2 + ("2 warnings",)
