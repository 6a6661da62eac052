"""Who is still down is told of again: looked at some at a time, it comes to what one look at all would."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import Config, Mail, VirtualService
from lvsd.core import mails
from lvsd.core.effects import SendMail
from lvsd.core.events import ConfigChanged, MaintenanceSeen, Ticked
from lvsd.core.health import standing_state, taken_out
from lvsd.core.identity import real_id, service_key
from lvsd.core.state import Director
from tests.unit.core.world import Bench, config, real, virtual

ADDRESSES = ("1.1.1.21", "1.1.1.22", "1.1.1.23")
MAILS = (
    None,
    Mail(to=("ops@example.com",)),
    *(Mail(to=("ops@example.com",), repeat=seconds) for seconds in (2.0, 5.0)),
)


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    ports = draw(st.lists(st.sampled_from((25, 80, 443, 993)), unique=True, min_size=1))
    return config(*(draw(services(port)) for port in ports))


def services(port: int) -> st.SearchStrategy[VirtualService]:
    servers = st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=3)
    return st.builds(
        lambda addresses, mail: replace(virtual(*map(real, addresses), port=port, name=str(port)), mail=mail),
        servers,
        st.sampled_from(MAILS),
    )


HAPPENINGS = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from((State.UP, State.DOWN)), min_size=1),
        st.integers(1, 4),  # seconds pass
        st.integers(1, 4),
        configurations(),
        st.frozensets(st.sampled_from(ADDRESSES)),
    ),
    max_size=10,
)


class World(Bench):
    """All mails that were sent, each with when; looked at so many real servers at once."""

    def __init__(self, begin: Config, at_once: int) -> None:
        super().__init__(begin)
        self.at_once = at_once
        self.sent: list[tuple[float, SendMail]] = []

    def live(self, happened: object) -> None:
        with patch.object(mails, "REAL_SERVERS_AT_ONCE", self.at_once):
            match happened:
                case dict():
                    self.hear(happened)
                case Config():
                    self.feed(ConfigChanged(happened))
                case frozenset():
                    self.feed(MaintenanceSeen(happened))
                case int():
                    for _ in range(happened):
                        self._note()
                        self.now += 1.0
                        self.feed(Ticked())
                case _:
                    raise AssertionError(happened)
        self._note()

    def _note(self) -> None:
        self.sent += [(self.now, one) for one in self.effects if isinstance(one, SendMail)]
        self.effects = []


def to_be_told_of(director: Director) -> set[str]:
    return {
        real_id(one, server)
        for one in director.config.services
        if one.mail is not None and one.mail.repeat
        for server in one.real_servers
        if standing_state(director, one, server) is State.DOWN and not taken_out(director, one, server)
    }


@given(configurations(), HAPPENINGS, st.sampled_from((1, 3, 5)))
def test_some_at_a_time_the_same_mails_leave(begin: Config, happened: list[object], at_once: int) -> None:
    worlds = [World(begin, size) for size in (at_once, 10_000)]
    for one in (*happened, 1):
        for world in worlds:
            world.live(one)
        parts, whole = worlds
        assert parts.sent == whole.sent
        assert dict(parts.director.post.told_at) == dict(whole.director.post.told_at)
        assert parts.director.post.first_round == whole.director.post.first_round
        assert parts.director.post.looked_at == 0
    director = worlds[0].director
    assert set(director.post.told_at) == to_be_told_of(director)
    assert director.post.first_round <= {service_key(one.virtual) for one in director.config.services}


@given(configurations(), HAPPENINGS, st.sampled_from((1, 3)))
def test_nobody_is_told_of_twice_within_what_was_asked_for(begin: Config, happened: list[object], at_once: int) -> None:
    """A new configuration may ask for another time; one does not come here."""
    world = World(begin, at_once)
    for one in happened:
        if not isinstance(one, Config):
            world.live(one)
    repeats = {one.name: one.mail.repeat for one in begin.services if one.mail is not None}  # named after their ports
    last: dict[str, float] = {}
    for at, mail in world.sent:
        if "Inaccessible" in mail.subject:
            port = mail.subject.rpartition(":")[2].rstrip(")")
            assert at - last.get(mail.subject, -100.0) >= repeats[port]
            last[mail.subject] = at
