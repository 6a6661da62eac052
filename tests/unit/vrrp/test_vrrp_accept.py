"""Accept mode: whose packets are dropped, in which role, and what is told where that cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.model import VrrpInstance
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp.messages import Configure, Role
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork

CONFIG = msgspec.structs.replace(samples.instance(priority=100), accept=False)
ADDRESSES = {"192.0.2.100", "192.0.2.101"}
TAKES_OVER_AT = 3 + 156 / 256


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


def run(network: FakeNetwork, tmp_path: Path, *configs: VrrpInstance) -> Routers:
    """As active router."""
    routers = Routers(network, HeldFile(tmp_path / "held"), 0.0, restarted=False)
    routers.configure(Configure(1, configs), 0.0)
    assert network.dropped == frozenset()
    routers.wake(TAKES_OVER_AT)
    assert {one.role for one in routers.status().instances} == {Role.ACTIVE}
    return routers


def test_what_comes_for_an_active_router_is_dropped_after_it_was_announced(
    network: FakeNetwork, tmp_path: Path
) -> None:
    run(network, tmp_path, CONFIG)
    assert network.dropped == ADDRESSES
    assert network.words()[-4:] == ["send", "add", "announce", "drop"]


@pytest.mark.parametrize("config", [samples.instance(), msgspec.structs.replace(CONFIG, priority=255)])
def test_accept_mode_and_the_owner_accept(network: FakeNetwork, tmp_path: Path, config: VrrpInstance) -> None:
    run(network, tmp_path, config)
    assert "drop" not in network.words()


def test_it_ends_with_the_role(network: FakeNetwork, tmp_path: Path) -> None:
    run(network, tmp_path, CONFIG).stop(5.0)
    assert network.dropped == frozenset()


def test_it_follows_the_configuration(network: FakeNetwork, tmp_path: Path) -> None:
    other = msgspec.structs.replace(
        samples.instance(priority=100, name="b", virtual_router_id=52, addresses=("192.0.2.110",)), accept=False
    )
    routers = run(network, tmp_path, CONFIG, other)
    assert network.dropped == ADDRESSES | {"192.0.2.110"}
    routers.configure(Configure(2, (msgspec.structs.replace(CONFIG, accept=True), other)), 5.0)
    assert network.dropped == {"192.0.2.110"}
    routers.configure(Configure(3, (msgspec.structs.replace(CONFIG, accept=True),)), 6.0)
    assert network.dropped == frozenset()


def test_what_cannot_be_is_told_once_and_accepted(
    network: FakeNetwork, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    routers = Routers(network, HeldFile(tmp_path / "held"), 0.0, restarted=False)
    routers.configure(Configure(1, (CONFIG,)), 0.0)

    network.dropping = False
    routers.wake(TAKES_OVER_AT)
    routers.configure(Configure(2, (msgspec.structs.replace(CONFIG, addresses=CONFIG.addresses[:1]),)), 5.0)
    assert routers.status().instances[0].role is Role.ACTIVE
    assert capfd.readouterr().err.count("virtual_addresses_accepted instance=lb0") == 1
