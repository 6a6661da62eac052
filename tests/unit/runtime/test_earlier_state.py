"""What an earlier lvsd left is understood: the state directory it wrote (earlier_state/), its worker's first words."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from checkers.core.messages import PROTOCOL, Hello, decode_from_worker
from config.load import load
from config.words import Initial
from lvsd.core.pool_state import OverrideKind
from lvsd.runtime.store import Replay, Store
from netlink.settings import StartDaemon
from netlink.table import Family, ServiceKey

SAID_AT = 1_800_000_000  # seconds of the epoch
HELLO = (
    b"\x85\xa4type\xa5hello\xa3pid*\xa3uid\xcd\xff\xfe\xaccapabilities\xb00000000000000000\xacno_new_privs\xc3"
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(Path(__file__).parent / "earlier_state", tmp_path / "state")
    return Store(tmp_path / "state")


def test_what_people_said_still_holds(store: Store) -> None:
    ahead = time.time() - time.monotonic()
    found = [
        (
            name,
            one.kind,
            one.weight,
            one.reason,
            one.uid,
            round(one.since + ahead),
            one.until and round(one.until + ahead),
        )
        for name, one in store.overrides().items()
    ]
    said = (3, "why", 1000, SAID_AT)
    assert found == [
        ("tcp 192.0.2.100:80 > 192.0.2.17:80", OverrideKind.DRAIN, *said, SAID_AT + 3600),
        ("tcp 192.0.2.100:80 > 192.0.2.18:80", OverrideKind.DISABLE, *said, None),
        ("tcp 192.0.2.100:80 > 192.0.2.19:80", OverrideKind.WEIGHT, *said, SAID_AT + 3600),
        ("tcp 192.0.2.100:80 > 192.0.2.20:80", OverrideKind.AWAIT, *said, None),
    ]
    assert {(one.deadline, one.left) for one in store.overrides().values()} == {(None, 0)}


def test_its_services_daemons_and_roles_are_ours(store: Store) -> None:
    assert store.owned() == {ServiceKey(Family.INET, 6, "192.0.2.100", 80), ServiceKey(Family.INET6, fwmark=7)}
    assert store.daemons() == {StartDaemon("master", "eth1", 1)}
    assert store.roles() == {"lb0": "active"}


def test_its_last_good_configuration_serves_the_same(store: Store) -> None:
    snapshot = store.last_good()
    assert snapshot is not None
    loaded = load(snapshot.paths, Replay(snapshot))
    assert loaded.config is not None
    assert loaded.problems == ()
    assert [one.name for one in loaded.config.services] == ["db", "web"]
    db, web = loaded.config.services
    assert [(one.address, one.weight) for one in db.real_servers] == [("192.0.2.11", 1), ("192.0.2.12", 5)]
    news = {(one.initial, one.priority_group, one.needed) for one in (*web.real_servers, *db.real_servers)}
    assert news == {(Initial.ADOPT, 1, 0)}
    assert loaded.config.daemon.workers == 0


def test_its_worker_is_known_for_an_older_one() -> None:
    hello = decode_from_worker(HELLO)
    assert isinstance(hello, Hello)
    assert (hello.pid, hello.worker) == (42, 1)
    assert hello.protocol < PROTOCOL
