"""Asks and listens for all checks of the syn engine: in turns, each for whoever is due, on asyncio's loop.

To wake is dear and a packet is cheap, so answers to many probes are read in one go. After news, or after many were
asked, a channel rests: what comes wakes nobody, but is read at the next tick, if any probe is out, and before others
are asked. How long an answer took does not suffer: the kernel says when it came.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from itertools import islice
from time import monotonic, time

from checkers.core.books import Histogram
from checkers.core.messages import AssignedCheck
from checkers.core.outcome import Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.attempt import STALLED_SHARE
from checkers.probes.datagram import refused_to_send
from checkers.probes.failures import Failed, Stage, Stuck, a_fault, outcome_of
from checkers.syn.asker import ANSWERED, Asker
from checkers.syn.batch import NOT_OUT, TICK_SECONDS, Batch, tick_after
from checkers.syn.channel import PORTS, Channel, Line, Objection
from checkers.syn.mailbox import PACKETS
from checkers.syn.packet import ACCEPTED, ANSWERS, NUMBERS, SYN
from checkers.syn.post import HANDFUL

PROBES_A_TURN = HANDFUL  # then answers are read, and the loop's others have their turn
MANY = 8  # probes of a turn after which nobody wakes for the first answer
OBJECTIONS_A_TURN = 256
NEAR_SECONDS = 1.5 * TICK_SECONDS  # answers are looked for that much later if others are asked then: one wake for both
LINES_LIMIT = 64  # addresses and marks that packets leave by; each takes 18 descriptors

REFUSED = Unhealthy(Reason.REFUSED, "SYN answered by RST")
SILENT = Unhealthy(Reason.CONNECT_TIMEOUT, "no answer to the SYN")
LOST = Inconclusive("answers were lost: the receive buffer was full (see net.core.rmem_max)")
MOVED = Inconclusive("the address that SYNs left from is this machine's no more")

Probed = Callable[[str, bool], None]
"""A check of that identity was probed, and whether the director must hear of it at once."""

Crashed = Callable[[str, Exception], None]
"""A fault of our own code came up in the probe of that check."""


class Engine:
    """What all checks of the syn engine share."""

    def __init__(self, on_probed: Probed, crashed: Crashed, stalled: Callable[[], float]) -> None:
        """`stalled`: the seconds in which the loop did not turn, so far."""
        self._loop = asyncio.get_running_loop()
        self._on_probed = on_probed
        self._crashed = crashed
        self._stalled = stalled
        self._batch: Batch[Asker] = Batch()
        self._eager: dict[Asker, None] = {}  # in the order of their moments
        self._channels: dict[Line, Channel] = {}
        self._resting: set[Channel] = set()  # looked at when a tick comes, not when something does
        self._quiet: set[Channel] = set()  # those of them from which nothing is to come soon
        self._lost_at: dict[Line, float] = {}
        self._standing: dict[Line, bool] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._going_on = False
        self.lateness = Histogram()  # how long after its moment each probe began
        self.strays = 0  # packets that answered nothing we asked

    def plan(self, asker: Asker) -> None:
        """Ask when its course says."""
        self._batch.plan(asker, asker.moment, asker.ticks)
        self._arm()

    def retime(self, asker: Asker, assigned: AssignedCheck, now: float) -> None:
        """The same question, other timing. A SYN that is out is waited for."""
        asker.retime(assigned, now)
        if asker.number == NOT_OUT:
            self.plan(asker)

    def hurry(self, asker: Asker, now: float) -> None:
        """Ask now, unless a SYN is out."""
        if asker.number == NOT_OUT:
            asker.hurry(now)
            self.plan(asker)

    def let_go(self, asker: Asker) -> None:
        """Ask no more, and wait for no answer: the kernel resets what a real server half opened."""
        asker.lose_way()
        self._eager.pop(asker, None)
        self._batch.end(asker)

    def tidy(self) -> None:
        """Close the channels that nobody uses."""
        for line, channel in tuple(self._channels.items()):
            if not channel.users:
                self._close(line, channel)

    def close(self) -> None:
        """Everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for line, channel in tuple(self._channels.items()):
            self._close(line, channel)

    def _close(self, line: Line, channel: Channel) -> None:
        self._loop.remove_reader(channel.receiver.fileno())
        self._resting.discard(channel)
        self._quiet.discard(channel)
        self._lost_at.pop(line, None)
        del self._channels[line]
        channel.close()

    def _open(self, line: Line) -> Channel:
        channel = self._channels.get(line)
        if channel is None:
            if len(self._channels) >= LINES_LIMIT:
                self.tidy()
            if len(self._channels) >= LINES_LIMIT:
                text = f"more than {LINES_LIMIT} addresses and marks to send SYNs from"
                raise Stuck(text)
            channel = self._channels[line] = Channel(line)
            self._loop.add_reader(channel.receiver.fileno(), self._news, channel)
        return channel

    def _news(self, channel: Channel) -> None:
        self._rest(channel)
        self._turn_over()

    def _rest(self, channel: Channel) -> None:
        self._quiet.discard(channel)
        if channel not in self._resting:
            self._loop.remove_reader(channel.receiver.fileno())
            self._resting.add(channel)

    def _tick(self) -> None:
        self._timer = None
        self._turn_over()

    def _go_on(self) -> None:
        self._going_on = False
        self._turn_over()

    def _turn_over(self) -> None:
        """What came goes before what is late."""
        try:
            self._hear()
            self._standing.clear()
            now = monotonic()
            woken, late = self._batch.due(now)
            self._eager.update(dict.fromkeys(woken))
            if late:
                for channel in self._channels.values():
                    self._look_over(channel)
            for asker in late:
                self._guarded(asker, now)
            if late:  # the next slot of some has come by now
                self._eager.update(dict.fromkeys(self._batch.due(now)[0]))
            self._ask_some()
            self._listen()
        finally:
            self._arm()

    def _hear(self) -> None:
        for channel in tuple(self._resting):
            heard = self._drain(channel)
            if heard >= PACKETS:
                self._soon()
            elif not heard:
                self._quiet.add(channel)

    def _listen(self) -> None:
        """Where nothing came, and nothing was asked meanwhile, wake when something does come."""
        for channel in self._quiet:
            self._resting.discard(channel)
            self._loop.add_reader(channel.receiver.fileno(), self._news, channel)
        self._quiet.clear()

    def _drain(self, channel: Channel) -> int:
        """How many packets were read."""
        if not self._look_over(channel):
            return 0
        heard, told = self._read(channel), 0
        for objection in channel.objections(OBJECTIONS_A_TURN):
            told += 1
            self._objected(objection)
        return heard + told

    def _look_over(self, channel: Channel) -> bool:
        """Whether something lies there. If something was lost, that is written down."""
        lies, lost = channel.state()
        if lost:
            self._lost_at[channel.line] = monotonic()
        return lies

    def _read(self, channel: Channel) -> int:
        """How many answers there were."""
        batch, now = self._batch, monotonic()
        since = time() - now
        answers, moments = channel.hears()
        heard, mark = len(answers), channel.line.mark
        for answer, moment in zip(answers, moments, strict=True):
            if answer is None:
                self.strays += 1
                continue
            source, port, our_port, number, flags = answer
            asker = batch.heard(source, port, our_port, number - 1 if number else NUMBERS - 1)
            if asker is None:
                self.strays += 1
                continue
            if mark and flags & SYN:
                asker.reset(our_port, number - 1)
            came_at = moment - since
            if not asker.asked_at <= came_at <= now:  # a clock was set
                came_at = now if came_at > now else asker.asked_at
            if flags & ANSWERS == ACCEPTED and asker.answered(came_at):
                batch.plan(asker, asker.moment, asker.ticks)
                self._on_probed(asker.identity, False)
            else:
                self._answered(asker, flags, came_at)
        return heard

    def _answered(self, asker: Asker, flags: int, came_at: float) -> None:
        if came_at - asker.asked_at > asker.timeout:
            self._guarded(asker, came_at)
        else:
            self._found(asker, ANSWERED if flags & ANSWERS == ACCEPTED else REFUSED, came_at)

    def _objected(self, objection: Objection | None) -> None:
        about = objection.about if objection is not None else None
        asker = None
        if objection is not None and about is not None:
            asker = self._batch.heard(objection.peer, about.port, about.our_port, about.number)
        if asker is None or objection is None:
            self.strays += 1
        else:
            self._found(asker, Unhealthy(Reason.UNREACHABLE, objection.words), monotonic())

    def _late(self, asker: Asker, now: float) -> None:
        """No answer in time: whose fault is it?"""
        timeout, channel = asker.timeout, asker.channel
        held_up = self._stalled() - asker.stalled_before
        outcome: Outcome = SILENT
        if held_up >= STALLED_SHARE * timeout:
            outcome = Inconclusive(f"the checker itself was held up for {held_up:.1f} s")
        elif channel is not None and self._lost_at.get(channel.line, 0.0) >= asker.asked_at:
            outcome = LOST
        elif channel is not None and not self._stands(channel):
            outcome = MOVED
            asker.lose_way()
        self._batch.end(asker)
        self._found(asker, outcome, asker.given_up(now))

    def _stands(self, channel: Channel) -> bool:
        """Looked at once a turn."""
        if channel.line not in self._standing:
            self._standing[channel.line] = channel.stands()
        return self._standing[channel.line]

    def _ask_some(self) -> None:
        few = list(islice(self._eager, PROBES_A_TURN))
        if not few:
            return
        if len(few) == len(self._eager):
            self._eager.clear()
        else:
            for asker in few:
                del self._eager[asker]
        stalled, ways = self._stalled(), self._by_channel(few)
        for channel, askers in ways.items():
            self._ask(channel, askers, stalled)
        if self._eager:
            self._soon()
        if len(few) >= MANY:
            for channel in ways:
                self._rest(channel)
                if not self._eager and self._read(channel) >= PACKETS:
                    self._soon()  # who is near has answered by now: to wake for it would cost more

    def _by_channel(self, few: list[Asker]) -> dict[Channel, list[Asker]]:
        """Who asks over which channel."""
        now = monotonic()
        found: dict[Channel, list[Asker]] = {}
        before: Channel | None = None
        askers: list[Asker] = []
        for asker in few:
            channel = asker.channel
            if channel is None or now >= asker.look_at:
                channel = self._look(asker, now)
            if channel is None:
                continue
            if channel is not before:
                askers = found.setdefault(channel, [])
                before = channel
            askers.append(asker)
        return found

    def _look(self, asker: Asker, now: float) -> Channel | None:
        """Where its SYN is to leave; None for nowhere."""
        asker.asked_at = now
        try:
            return asker.look(now, self._open)
        except (Failed, Stuck, OSError) as error:
            self._unsent(asker, error, now)
        except Exception as error:  # noqa: BLE001 - the guard: a fault in one check must not stop the others
            self._broken(asker, error)
        return None

    def _ask(self, channel: Channel, askers: list[Asker], stalled: float) -> None:
        """PROBES_A_TURN at most."""
        count, first_port = len(askers), channel.first_port
        numbers = self._batch.free(struct.unpack(f"={count}I", os.urandom(4 * count)))
        our_ports = [first_port + (asker.our_port + 1) % PORTS for asker in askers]
        before = monotonic()
        try:
            failed = channel.ask([asker.form for asker in askers], our_ports, numbers)
            after = monotonic()
            self._batch.ask(askers, numbers, our_ports, [asker.deadline(after) for asker in askers])
        except Exception as error:  # noqa: BLE001 - the guard, as above
            for asker in askers:
                asker.asked_at = before
                self._broken(asker, error)
            return
        moment, each = before, (after - before) / count
        for asker in askers:
            asker.asked_at, asker.stalled_before = moment, stalled
            moment += each
        for at, why in failed.items():
            self._batch.end(askers[at])
            self._unsent(askers[at], why, after)

    def _unsent(self, asker: Asker, error: Failed | Stuck | OSError, now: float) -> None:
        named = refused_to_send(error, at_once=True) if isinstance(error, OSError) else error
        asker.lose_way()
        self._found(asker, outcome_of(named, Stage.CONNECTING), now)

    def _found(self, asker: Asker, outcome: Outcome, now: float) -> None:
        told = asker.observe(outcome, now)
        self._batch.plan(asker, asker.moment, asker.ticks)
        self._on_probed(asker.identity, told)

    def _guarded(self, asker: Asker, now: float) -> None:
        try:
            self._late(asker, now)
        except Exception as error:  # noqa: BLE001 - the guard, as above
            self._broken(asker, error)

    def _broken(self, asker: Asker, error: Exception) -> None:
        self._crashed(asker.identity, error)
        self._batch.end(asker)
        self._found(asker, a_fault(error), monotonic())

    def _soon(self) -> None:
        if not self._going_on:
            self._going_on = True
            self._loop.call_soon(self._go_on)

    def _arm(self) -> None:
        if self._going_on:  # the next turn will: by then there may be less to wake for
            return
        moment = self._batch.next_moment()
        if self._resting and self._batch.out:
            look_at = tick_after(monotonic())
            if moment is None or moment > look_at + NEAR_SECONDS:
                moment = look_at
        if moment is None or (self._timer is not None and self._timer.when() <= moment):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._tick)
