"""The rules of a service's real servers together as the keys of lvsd.yaml that say them. Pure."""

from __future__ import annotations

from config.convert.values import Keys, duration, said
from config.convert.yamltext import Value
from config.pool_rules import (
    Amount,
    CorrelatedFailure,
    Floor,
    FloorAction,
    HoldDown,
    LatencyWeights,
    Passive,
    PassiveAction,
    PoolRules,
)


def pool_keys(rules: PoolRules) -> Keys:
    """Those that are not the default ones."""
    return said(
        floor=_floor(rules.floor) if rules.floor else None,
        correlated_failure=_correlated(rules.correlated_failure) if rules.correlated_failure else None,
        slow_start=duration(rules.slow_start) if rules.slow_start else None,
        hold_down=_hold_down(rules.hold_down) if rules.hold_down else None,
        resume="manual" if rules.manual_resume else None,
        group_minimum=_amount(rules.group_minimum) if rules.group_minimum != Amount(1) else None,
        passive=_passive(rules.passive) if rules.passive else None,
        latency_weights=_latency(rules.latency_weights) if rules.latency_weights else None,
    )


def _amount(amount: Amount) -> Value:
    return str(amount) if amount.percent else amount.number


def _floor(floor: Floor) -> Value:
    keys = said(
        action=floor.action.value if floor.action is not FloorAction.KEEP else None,
        restored=_amount(floor.restored) if floor.restored else None,
    )
    return {"minimum": _amount(floor.minimum)} | keys if keys else _amount(floor.minimum)


def _correlated(rule: CorrelatedFailure) -> Value:
    usual = CorrelatedFailure()
    keys = said(
        share=f"{rule.share}%" if rule.share != usual.share else None,
        hold=rule.hold if rule.hold != usual.hold else None,
    )
    return keys or True


def _hold_down(rule: HoldDown) -> Value:
    usual = HoldDown(rule.first)
    keys = said(
        longest=duration(rule.longest) if rule.longest != max(usual.longest, rule.first) else None,
        forget=duration(rule.forget) if rule.forget != usual.forget else None,
    )
    return {"first": duration(rule.first)} | keys if keys else duration(rule.first)


def _passive(rule: Passive) -> Value:
    usual = Passive()
    keys = said(
        connections=rule.connections if rule.connections != usual.connections else None,
        window=duration(rule.window) if rule.window != usual.window else None,
        action=rule.action.value if rule.action is not PassiveAction.PROBE else None,
    )
    return keys or True


def _latency(rule: LatencyWeights) -> Value:
    usual = LatencyWeights()
    keys = said(
        minimum=f"{rule.minimum}%" if rule.minimum != usual.minimum else None,
        slack=f"{rule.slack}%" if rule.slack != usual.slack else None,
    )
    return keys or True
