"""Which checks the worker runs, from configuration and what is known already. Pure."""

from __future__ import annotations

from checkers.core.messages import AssignedCheck, Target
from config.checks import Check, FollowCheck, NoCheck
from config.model import Config, RealServer, VirtualEndpoint, VirtualService
from lvsd.core import initial
from lvsd.core.fallback import is_checked
from lvsd.core.health import numbered_checks
from lvsd.core.state import Checked, Director


def configured_checks(config: Config) -> dict[str, Checked]:
    """Every check of a configuration by its identity, those of fallback servers last.

    A real server that is also a fallback server is checked as a real one.
    """
    checks = {
        identity: Checked(virtual, real, check)
        for virtual in config.services
        for real in virtual.real_servers
        for identity, check in numbered_checks(virtual, real)
    }
    for virtual in config.services:
        for real in filter(is_checked, virtual.fallback):
            for identity, check in numbered_checks(virtual, real):
                checks.setdefault(identity, Checked(virtual, real, check))
    return checks


def assigned_checks(director: Director) -> tuple[AssignedCheck, ...]:
    """All checks to run. What is known goes along, so that a restarted worker does not judge afresh."""
    return tuple(
        _assigned(identity, checked, director)
        for identity, checked in director.checks.items()
        if not isinstance(checked.check.kind, NoCheck | FollowCheck)
    )


def _assigned(identity: str, checked: Checked, director: Director) -> AssignedCheck:
    verdict = director.verdicts.get(identity)
    presumed = director.presumed.get(identity)
    return AssignedCheck(
        identity,
        _target(checked.service, checked.real, checked.check),
        checked.check.kind,
        checked.check.timing,
        initial.known(presumed, verdict),
        verdict.weight if verdict is not None else None,
        checked.check.dial,
        unseen=presumed is not None,
    )


def _target(virtual: VirtualService, real: RealServer, check: Check) -> Target:
    endpoint = virtual.virtual
    address, port = (endpoint.address, endpoint.port) if isinstance(endpoint, VirtualEndpoint) else ("", 0)
    return Target(
        check.address or real.address,
        check.port or real.port,
        address,
        port,
        virtual.name,
    )
