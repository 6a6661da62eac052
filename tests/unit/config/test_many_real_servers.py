"""A real server means among others what it means alone: of thousands that say little not each is read at length."""

from __future__ import annotations

import pytest

from config import codes
from config.load import Loaded, load
from tests.unit.config.files_in_memory import FilesInMemory, good, load_text

VIRTUALS = (
    "virtual: '10.9.0.1:80'",
    "virtual: '10.9.0.1:0', persistence: 5m",
    "virtual: '[2001:db8::1]:80'",
    "fwmark: 7",
)
LEVELS = (
    "",
    "weight: 3",
    "check: {type: none}",
    "check: {type: agent, port: 9}",
    "checks: [{type: tcp}, {type: agent, port: 9}]",
    "check: {source: 10.0.0.250}",
    "check: {port: 99}",
    "forwarding: masquerade",
    "forwarding: tunnel, tunnel: gre",
    "forwarding: tunnel, tunnel: {type: gue}",
    "upper_threshold: 9, lower_threshold: 8",
    "lower_threshold: 8",
    "checks: [{type: http}, {type: smtp}], checks_needed: any",
    "checks_needed: 2",
    "initial: up, on_failure: quiesce",
    "on_up: [/bin/true], on_down: [/bin/false]",
)
LISTS = (
    ("10.0.0.1", "{address: 10.0.0.2, weight: 7}", "{address: 10.0.0.3, group: 2}", "10.0.0.4"),
    ("{address: 10.0.0.1, weight: 7, group: 3}", "10.0.0.2", "{address: 10.0.0.3, weight: 0}"),
    ("10.0.0.1", "{address: 10.0.0.2, initial: down, on_failure: quiesce}", "10.0.0.3"),
    ("{address: 10.0.0.1, initial: down, on_failure: quiesce}", "10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "{address: 10.0.0.2, tunnel: gre}", "{address: 10.0.0.3, check: {type: smtp}}", "10.0.0.4"),
    ("10.0.0.1", "{address: 10.0.0.2, lower_threshold: 1}", "{address: 10.0.0.3, on_up: [/bin/x], on_down: false}"),
    ("10.0.0.1", "{address: 10.0.0.2, port: 81}", "{address: 10.0.0.3, port: 0}", "10.0.0.4:80"),
    ("{address: 10.0.0.1, port: 80}", "10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "'2001:db8::2'", "10.9.0.1", "'[2001:db8::1]'", "10.0.0.4"),
    ("10.0.0.1", "{address: 10.0.0.2, weight: none}", "{weight: 2}", "{address: 10.0.0.3, wieght: 2}"),
    ("10.0.0.1", "{address: 10.0.0.2, initial: down}", "{address: 10.0.0.3, on_failure: quiesce}"),
    ("10.0.0.1", "{address: 10.0.0.2, tunel: gre}", "10.0.0.3"),
)


def loaded(virtual: str, level: str, reals: tuple[str, ...]) -> Loaded:
    keys = ", ".join(filter(None, (virtual, level, f"real_servers: [{', '.join(reals)}]")))
    return load_text(f"services:\n  web: {{{keys}}}\n")


def told(found: Loaded) -> set[tuple[str, str, str]]:
    """Places apart: those move with what stands before."""
    return {(one.code, one.message, one.hint) for one in found.problems}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("virtual", VIRTUALS)
def test_a_real_server_means_among_others_what_it_means_alone(virtual: str, level: str) -> None:
    for reals in LISTS:
        together = loaded(virtual, level, reals)
        alone = [loaded(virtual, level, (one,)) for one in reals]
        assert told(together) == set[tuple[str, str, str]]().union(*map(told, alone))
        if together.config is not None:
            expected = [one.config.services[0].real_servers[0] for one in alone if one.config is not None]
            assert list(together.config.services[0].real_servers) == expected


def test_every_one_of_them_is_told_at_its_place() -> None:
    found = load_text(
        "services:\n  web:\n    fwmark: 7\n    real_servers:\n    - 10.0.0.1\n    - {address: 10.0.0.2}\n"
    )
    assert {one.code for one in found.problems} == {codes.CHECK_WITHOUT_PORT}
    assert [one.line for one in found.problems] == [5, 6]


def test_a_weight_that_was_refused_is_not_that_of_the_level_above() -> None:
    found = loaded(VIRTUALS[0], "weight: 3, quorum: 9", ("10.0.0.1", "{address: 10.0.0.2, weight: none}"))
    assert "the weights of all real servers sum up to 4: a quorum of 9 is never reached" in str(found.problems)


def test_what_the_check_of_many_services_is_verified_with_is_read_once() -> None:
    reads: list[str] = []

    class Counting(FilesInMemory):
        def read(self, path: str) -> str:
            reads.append(path)
            return super().read(path)

    lines = ["defaults: {check: {type: https, verify: true, ca_file: ca.pem}}", "services:"]
    lines += [f"  s{n}: {{virtual: '10.9.0.{n}:443', real_servers: [10.0.0.1, 10.0.0.2]}}" for n in range(1, 100)]
    files = Counting({"lvsd.yaml": "\n".join(lines), "ca.pem": "-----BEGIN CERTIFICATE-----"})
    assert load(["lvsd.yaml"], files).problems == ()
    assert reads == ["lvsd.yaml", "ca.pem"]


def test_services_that_share_their_check_hold_one() -> None:
    lines = ["defaults: {check: {type: http}}", "services:"]
    lines += [f"  s{n}: {{virtual: '10.9.0.{n}:80', real_servers: [10.0.0.1]}}" for n in range(1, 4)]
    config = good("\n".join(lines))
    assert len({id(one.real_servers[0].check) for one in config.services}) == 1
