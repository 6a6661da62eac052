"""Which checks the worker runs, from configuration and what is known already. Pure."""

from __future__ import annotations

from checkers.core.messages import AssignedCheck, State, Target
from config.checks import NoCheck
from config.model import Config, RealServer, VirtualEndpoint, VirtualService
from lvsd.core.identity import check_id
from lvsd.core.state import Checked, Director


def configured_checks(config: Config) -> dict[str, Checked]:
    """Every check of a configuration by its identity."""
    return {
        check_id(virtual, real): Checked(virtual, real) for virtual in config.services for real in virtual.real_servers
    }


def assigned_checks(director: Director) -> tuple[AssignedCheck, ...]:
    """All checks to run. What is known goes along, so that a restarted worker does not judge afresh."""
    return tuple(
        _assigned(identity, checked, director)
        for identity, checked in director.checks.items()
        if not isinstance(checked.real.check.kind, NoCheck)
    )


def _assigned(identity: str, checked: Checked, director: Director) -> AssignedCheck:
    verdict = director.verdicts.get(identity)
    check = checked.real.check
    return AssignedCheck(
        identity,
        _target(checked.service, checked.real),
        check.kind,
        check.timing,
        verdict.state if verdict is not None else State.UNKNOWN,
    )


def _target(virtual: VirtualService, real: RealServer) -> Target:
    endpoint = virtual.virtual
    address, port = (endpoint.address, endpoint.port) if isinstance(endpoint, VirtualEndpoint) else ("", 0)
    return Target(
        real.check.address or real.address,
        real.check.port or real.port,
        address,
        port,
        virtual.name,
    )
