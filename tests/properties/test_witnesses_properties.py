"""Whether the checker is sound, found in one look for all suspicions, is what each would find by looking itself."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State, Verdict
from checkers.core.outcome import Healthy
from config.checks import Check, NoCheck, TcpCheck
from config.model import Config, VirtualService
from lvsd.core.assignment import configured_checks
from lvsd.core.identity import real_id
from lvsd.core.pool_state import Suspicion
from lvsd.core.sharing import is_probed
from lvsd.core.state import Director
from lvsd.core.witnesses import is_sound
from tests.unit.core.world import config, real, virtual

ADDRESSES = ("1.1.1.21", "1.1.1.22", "1.1.1.23")
MOMENTS = st.sampled_from((1.0, 2.0, 3.0))


@st.composite
def services(draw: st.DrawFn, port: int) -> VirtualService:
    kinds = st.sampled_from((Check(TcpCheck()), Check(TcpCheck()), Check(NoCheck())))
    own = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=3))
    spare = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=1))
    reals = (real(one, check=draw(kinds)) for one in own)
    return virtual(*reals, port=port, name=str(port), fallback=tuple(real(one, check=draw(kinds)) for one in spare))


@st.composite
def beliefs(draw: st.DrawFn) -> Director:
    found: Config = config(*(draw(services(port)) for port in (25, 80, 443)))
    checks = configured_checks(found)
    verdicts = {
        name: Verdict(name, draw(st.sampled_from(State)), 1.0, Healthy(), draw(MOMENTS), 0.1, draw(st.integers(0, 1)))
        for name in checks
        if draw(st.booleans())
    }
    return Director(config=found, checks=checks, verdicts=verdicts)


def looked_for(director: Director, suspicion: Suspicion) -> bool:
    others = [
        director.verdicts.get(identity)
        for identity, checked in director.checks.items()
        if real_id(checked.service, checked.real) not in suspicion.members and is_probed(checked)
    ]
    healthy = (one for one in others if one is not None and one.state is State.UP and one.streak == 0)
    return not others or any(one.probed_at > suspicion.since for one in healthy)


@given(beliefs(), st.data())
def test_one_look_for_all_suspicions_is_a_look_for_each(director: Director, data: st.DataObject) -> None:
    for belief in (director, replace(director, verdicts={})):  # also after something else was heard
        for one in belief.config.services:
            names = [real_id(one, server) for server in one.real_servers]
            members = data.draw(st.frozensets(st.sampled_from(names))) if names else frozenset[str]()
            suspicion = Suspicion(data.draw(st.sampled_from((0.5, 1.0, 1.5, 2.5, 3.5))), members)
            assert is_sound(belief, one, suspicion) is looked_for(belief, suspicion)


def test_who_was_probed_last_is_no_witness_for_its_own_service_another_is() -> None:
    first, second = (
        virtual(real(one), port=port, name=str(port)) for one, port in zip(ADDRESSES, (25, 80), strict=False)
    )
    found = config(first, second)
    checks = configured_checks(found)
    moments = dict(zip(checks, (2.0, 3.0), strict=True))
    verdicts = {name: Verdict(name, State.UP, 1.0, Healthy(), moments[name], 0.1) for name in checks}
    director = Director(config=found, checks=checks, verdicts=verdicts)
    suspected = frozenset((real_id(second, second.real_servers[0]),))
    assert is_sound(director, second, Suspicion(1.0, suspected))
    assert not is_sound(director, second, Suspicion(2.0, suspected))
