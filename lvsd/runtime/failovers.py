"""Hands VRRP instances over because a person asked, and waits until that is done."""

from __future__ import annotations

import asyncio
import time

from lvsd.control.messages import ErrorReply, FailoverReply, FailoverRequest, FailoverRow
from lvsd.core.failover import GOOD, at_the_end, concerned, outcome, refusal, reported
from lvsd.runtime.director_runtime import Runtime
from lvsd.vrrp.messages import Failover

TIMEOUT_LIMIT_SECONDS = 50.0  # lvsctl waits a minute


async def fail_over(runtime: Runtime, request: FailoverRequest) -> FailoverReply | ErrorReply:
    """Begin, and wait for reports of the vrrp process until there is an outcome for every instance."""
    refused = refusal(runtime.belief, request)
    if refused is not None:
        return refused
    configs = {config.name: config for config in concerned(runtime.belief, request)}
    before = reported(runtime.belief)
    began = time.monotonic()
    runtime.order(Failover(tuple(configs), request.back))
    rows: dict[str, FailoverRow] = {}

    def look() -> None:
        found = reported(runtime.belief)
        for name, config in configs.items():
            if name in rows or name not in found or name not in before:
                continue
            word = outcome(config, before[name], found[name], back=request.back)
            if word is not None:
                milliseconds = (time.monotonic() - began) * 1000
                rows[name] = FailoverRow(name, word, found[name].active_router, round(milliseconds, 1))

    try:
        async with asyncio.timeout(max(0.0, min(request.timeout, TIMEOUT_LIMIT_SECONDS))):
            while len(rows) < len(configs):
                await runtime.next_report()
                look()
    except TimeoutError:
        pass  # what has no row by then is told as such
    late = {
        name: FailoverRow(name, at_the_end(back=request.back), "", round((time.monotonic() - began) * 1000, 1))
        for name in configs
    }
    listed = tuple(rows.get(name, late[name]) for name in configs)
    return FailoverReply(all(row.outcome in GOOD for row in listed), listed)
