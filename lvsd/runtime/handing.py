"""Checks handed to workers: a few at once, thousands with pauses, so that a worker that comes back holds nobody up.

All of an assignment is of one belief, and its parts reach a worker in their order. A later assignment takes the place
of one that is still on its way, of which the worker then never has all parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice

from checkers.core.messages import assigning
from lvsd.core.effects import AssignChecks

STEPS_A_TURN = 8  # parts of 64 checks each, written or sent: one or two milliseconds


class Handing:
    """Gives workers what they are to run."""

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        """`send` gives a worker a packet."""
        self._send = send
        self._going: dict[int, Iterator[bytes | None]] = {}

    def give(self, order: AssignChecks) -> None:
        """Begin at once; what is long goes on in the loop's next turns."""
        going = assigning(order.generation, order.checks, order.probes_per_host)
        self._going[order.worker] = going
        self._go_on(order.worker, going)

    def forget(self, worker: int) -> None:
        """It has gone: what was not sent yet nobody wants."""
        self._going.pop(worker, None)

    def _go_on(self, worker: int, going: Iterator[bytes | None]) -> None:
        if self._going.get(worker) is not going:
            return
        steps = list(islice(going, STEPS_A_TURN))
        for packet in steps:
            if packet is not None:
                self._send(worker, packet)
        if len(steps) == STEPS_A_TURN:
            asyncio.get_running_loop().call_soon(self._go_on, worker, going)
        else:
            self._going.pop(worker, None)
