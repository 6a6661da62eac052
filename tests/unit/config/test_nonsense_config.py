"""Nonsense for each key of checks, pools, the daemon, the kernel and VRRP: one error, at the value, in one line, with a
word of help; never an exception, never a second error that follows from the first.
"""

from __future__ import annotations

import re

import pytest

from config.load import load
from config.problems import Severity
from tests.unit.config.files_in_memory import FilesInMemory

REALS = "real_servers: [1.1.1.17, 1.1.1.18]"
PLACES = {
    "daemon": f"daemon: {{@}}\nservices: {{web: {{virtual: '1.1.1.12:80', {REALS}}}}}\n",
    "ipvs": f"ipvs: {{@}}\nservices: {{web: {{virtual: '1.1.1.12:80', {REALS}}}}}\n",
    "service": f"services: {{web: {{virtual: '1.1.1.12:80', weight: 100, @, {REALS}}}}}\n",
    "check": f"services: {{web: {{virtual: '1.1.1.12:80', check: {{@}}, {REALS}}}}}\n",
    "real": "services: {web: {virtual: '1.1.1.12:80', real_servers: [{address: 1.1.1.17, @}]}}\n",
    "fallback": f"services: {{web: {{virtual: '1.1.1.12:80', {REALS}, fallback: {{address: 1.1.1.19, @}}}}}}\n",
    "vrrp": "vrrp: {lb0: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], @}}\n",
    "track": "vrrp: {lb0: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], track: [{@}]}}\n",
}
NONSENSE = {
    "daemon": (
        "workers: →0", "workers: →65", "workers: →-1", "workers: →many", "workers: →1.5", "workers: →true",
        "workers: →[1]", "workers: →'2'", f"workers: →{'9' * 40}", "probes_per_host: →0", "probes_per_host: →10001",
        "probes_per_host: →auto", "→worker: 2",
    ),
    "ipvs": (
        "expire_nodest_conn: →1", "expire_quiescent_template: →[]", "conn_reuse_mode: →4", "conn_reuse_mode: →-1",
        "conn_reuse_mode: →true", "sloppy_tcp: →2", "→sloppy_tpc: true",
    ),
    "service": (
        "initial: →maybe", "initial: →true", "initial: →[up]", "checks_needed: →0", "checks_needed: →101",
        "checks_needed: →some", "checks_needed: →50%", "→checks_needed: 2", "→group: 2", "group_minimum: →0",
        "group_minimum: →101%", "group_minimum: →-3", "group_minimum: →half", "passive: →5", "passive: →probe",
        "passive: →[true]", "passive: {connections: →0}", "passive: {window: →0s}", "passive: {window: →2h}",
        "passive: {action: →kill}", "passive: {→conections: 5}", "latency_weights: →no", "latency_weights: →yes",
        "latency_weights: {minimum: →0%}", "latency_weights: {minimum: →25}", "latency_weights: {slack: →99%}",
        "latency_weights: {slack: →1001%}", "correlated_failure: →yes",
    ),
    "check": (
        "down_interval: →0s", "down_interval: →-1s", "down_interval: →2d", "down_interval: →.nan",
        "down_interval: →.inf", "down_interval: →{}", "type: follow, service: →web", "type: follow, service: →nobody",
        "type: follow, service: →''", "type: follow, service: →7", "→type: follow", "type: redis, role: →primary",
        "type: redis, →path: /", "type: ntp, stratum: →0", "type: ntp, stratum: →16", "type: ntp, →proxy_protocol: 2",
        "type: syn, →path: /", "type: syn, →proxy_protocol: 1", "source: →300.1.1.1", "source: →true",
        "source: →224.0.0.1", "source: →0.0.0.0", "source: →eth0", "mark: →-1", "mark: →4294967296", "mark: →0x7",
        "proxy_protocol: →3", "proxy_protocol: →v2", "type: ping, →proxy_protocol: 1", "type: dns, →proxy_protocol: 1",
        "type: external, command: [/x], →source: 1.1.1.1",
    ),
    "real": ("group: →0", "group: →101", "group: →first", "group: →1.5", "checks_needed: →-1", "initial: →ok"),
    "fallback": ("→group: 2", "→initial: up", "→checks_needed: 2", "check: {type: follow, service: →web}"),
    "vrrp": (
        "virtual_mac: →5", "virtual_mac: →'a name with blanks'", "virtual_mac: →abcdefghijklmnopq",
        "virtual_mac: →'../x'", "→virtual_mac: eth0", "accept: →maybe", "accept: →[false]", "track_interface: →0",
    ),
    "track": (
        "route: →nowhere", "route: →10.0.0.1/8", "route: →10.0.0.0/33", "route: default, table: →0",
        "route: default, via_interface: →'a b'", "route: default, gateway: →x", "interface: eth1, inverted: →maybe",
        "interface: eth1, weight: →254", "route: default, inverted: →1",
    ),
}  # fmt: skip
CASES = [(place, written) for place, values in NONSENSE.items() for written in values]
WITHOUT_HELP = ("a whole number expected, not", "a whole number expected, this is")  # it says all there is


@pytest.mark.parametrize(("place", "written"), CASES, ids=[f"{place} {written}" for place, written in CASES])
def test_nonsense_is_one_error_at_its_place(place: str, written: str) -> None:
    before, after = PLACES[place].replace("@", written).split("→")
    where = f"lvsd.yaml:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}: "
    problems = load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": before + after})).problems
    errors = [str(one) for one in problems if one.severity is Severity.ERROR]
    assert len(errors) == 1, errors
    (error,) = errors
    assert error.startswith(where) or written.startswith("→type"), error  # a key is missing: told at the mapping
    message = error.removeprefix(where)
    assert re.fullmatch(r"[^\n]*[^ (] \[CFG\d{3}\]", message), message
    assert re.search(r"\([^()]{3,}.*\) \[CFG", message) or any(one in message for one in WITHOUT_HELP), message
    assert "one of: )" not in message
    assert not message.startswith("a mapping") or "(true, false, or" in message, message


def test_there_are_enough() -> None:
    assert len(set(CASES)) == len(CASES) > 60
