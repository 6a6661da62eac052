"""The checker workers: who shares the probes, who is gone, silent or talks too much, and who is told what. Pure.

A worker takes part from its Hello on. One that has said nothing for SILENT_SECONDS takes part no more, its checks go to
the others with all that is known of them, and when it speaks again it gets its share back. The one with CAP_NET_RAW has
checks that nobody else can run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from checkers.core.messages import CAP_NET_RAW, PROTOCOL, RAW_WORKER, Hello, Verdict, Verdicts
from lvsd.core import division
from lvsd.core.assignment import Load, assigned_checks, place, shares, workers_wanted
from lvsd.core.crew import name_of
from lvsd.core.effects import AskAll, AssignChecks, Effect, Level, RestartWorker, Tell, Yield
from lvsd.core.sharing import fanned_out
from lvsd.core.state import Director, Share, Worker, Workers

SILENT_SECONDS = 6.0  # a worker says something every two
PAUSE_SECONDS = 3.0  # the director ticks each second: after a longer gap it was it that did not run
MUTE_SECONDS = 20.0  # its supervisor hears of it and we do not: it will not mend by itself
MOVE_SECONDS = 5.0  # until others have said that they run what a surplus worker ran
SPARE_VERDICTS = 2000.0
"""Beyond what its checks can have a worker say."""

Change = tuple[Director, list[Effect]]


def seen(workers: Workers) -> Iterator[tuple[int, Worker]]:
    """Those that are to be there or are, the raw one last."""
    for number, worker in sorted(workers.known.items(), key=lambda item: (item[0] == RAW_WORKER, item[0])):
        if worker.connected or takes_part(workers, number):
            yield number, worker


def missing(workers: Workers) -> Iterator[str]:
    """The names of those that are not there and should be."""
    for number in (*range(1, workers.wanted + 1), *((RAW_WORKER,) if workers.raw else ())):
        if number not in workers.known or not workers.known[number].connected:
            yield name_of(number)


def begun(director: Director, now: float, cores: int) -> Director:
    """Nobody has come yet: all that are wanted are waited for.

    Assignments count from the machine's age, so that none is taken for one of a director before us.
    """
    return replace(director, workers=Workers(cores=cores, sharing=(), ticked_at=now, assignments=int(now)))


def configured(director: Director, now: float, load: Load | None = None) -> Change:
    """Take over what the configuration says, and give everybody his checks. Who is new joins when it comes."""
    workers = director.workers
    wanted, raw = workers_wanted(director.config, director.checks, workers.cores, load)
    all_wanted = range(1, wanted + 1)
    expected = (number for number in (*all_wanted, *((RAW_WORKER,) if raw else ())) if number not in workers.known)
    changed = replace(
        workers,
        wanted=wanted,
        raw=raw,
        sharing=sharing_of(workers, wanted),
        division=None,
        known={**workers.known, **{number: Worker(changed_at=now, heard_at=now) for number in expected}},
        kept=max(wanted, workers.kept),
        kept_until=now + MOVE_SECONDS,
    )
    return _given(replace(director, workers=changed), _connected(changed))


def sharing_of(workers: Workers, wanted: int) -> tuple[int, ...]:
    """Who shares the probes when so many are to: those that are here, else all of them."""
    here = {*workers.sharing, *_connected(workers)}
    return tuple(number for number in range(1, wanted + 1) if number in here) or tuple(range(1, wanted + 1))


def came(director: Director, hello: Hello, now: float) -> Change:
    """A worker gets checks only after it proved that it holds nothing (CAP_NET_RAW: exactly that)."""
    number = hello.worker
    fields: dict[str, str | int | float] = {"worker": name_of(number), "pid": hello.pid, "uid": hello.uid}
    fields["capabilities"] = hello.capabilities
    if hello.uid == 0 or not _bears_only(hello) or not hello.no_new_privs:
        nobody = _with(director, number, Worker(changed_at=now, heard_at=now))  # whatever it says is not heard
        return nobody, [Tell(Level.ERROR, "worker_not_confined", fields)]
    before = director.workers
    newcomer = Worker(hello, connected=True, changed_at=now, heard_at=now)
    met = _with(director, number, replace(newcomer, credit=_burst(newcomer)))
    told: list[Effect] = [Tell(Level.INFO, "worker_connected", fields), *_outdated(before, hello)]
    if not takes_part(before, number):
        return met, told
    own = _given(met, (number,)) if number in (*before.sharing, RAW_WORKER) else (met, [])
    given = _joined(own[0], number)
    return given[0], [*told, *own[1], *given[1]]


def _outdated(before: Workers, hello: Hello) -> list[Effect]:
    """One from before an upgrade probes what it understands until its successor is there.

    It is replaced once: where the next one is no newer, the program on the disk is an older one than ours.
    """
    if hello.protocol >= PROTOCOL:
        return []
    last = before.known.get(hello.worker, Worker()).hello
    if last is not None and last.protocol < PROTOCOL:
        return []
    told = Tell(Level.WARNING, "worker_outdated", {"worker": name_of(hello.worker), "pid": hello.pid})
    return [told, RestartWorker(hello.worker)]


def _bears_only(hello: Hello) -> bool:
    try:
        return int(hello.capabilities, 16) == (CAP_NET_RAW if hello.worker == RAW_WORKER else 0)
    except ValueError:
        return False


def takes_part(workers: Workers, number: int) -> bool:
    """Whether there is anything for it to do, by the configuration."""
    return workers.raw if number == RAW_WORKER else 1 <= number <= workers.wanted


def went(director: Director, number: int, now: float) -> Change:
    """What it said last stands."""
    worker = director.workers.known.get(number)
    if worker is None or not worker.connected:
        return director, []
    gone = replace(worker, connected=False, changed_at=now)
    fields: dict[str, str | int | float] = {"worker": name_of(number), "verdicts": "stand"}
    left = _not_joined(_with(director, number, gone), number)
    told = [Tell(Level.WARNING, "worker_lost", fields)] if takes_part(director.workers, number) else []
    return left[0], [*told, *left[1]]


def heard(director: Director, number: int, message: Verdicts, now: float) -> tuple[Director, Verdicts, list[Effect]]:
    """What counts of a worker's words, for every check that it concerns.

    It may be late, doubled or a lie: it speaks for its own checks alone, and only so much.
    """
    worker = director.workers.known.get(number)
    nothing = Verdicts(message.generation, ())
    if worker is None or not worker.connected:
        return director, nothing, []
    credit = min(_burst(worker), worker.credit + (now - worker.heard_at) * worker.pace)
    credit -= max(1, len(message.verdicts))
    if credit < 0:
        flooded = replace(worker, connected=False, changed_at=now)
        return _with(director, number, flooded), nothing, _distrusted("worker_flooding", number)
    own = _own(director, number, message.verdicts)
    effects: list[Effect] = []
    if message.number and message.number != worker.packet + 1:
        effects.append(AskAll(number))
    strange = len(own) < len(message.verdicts) and message.generation == worker.assignment
    if strange and not worker.overstepped:
        fields: dict[str, str | int | float] = {"worker": name_of(number)}
        effects.append(Tell(Level.ERROR, "worker_overstepped", fields))
    listening = replace(
        worker,
        heard_at=now,
        credit=credit,
        packet=message.number,
        running=min(message.generation, worker.assignment),
        overstepped=worker.overstepped or strange,
    )
    after = _with(director, number, listening)
    if takes_part(after.workers, number):
        after, back = _joined(after, number)
        effects += back
    return after, Verdicts(message.generation, tuple(fanned_out(director, own))), effects


def _own(director: Director, number: int, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    workers = director.workers
    if workers.sharing == (number,) and not workers.raw and not director.shared.probe:
        return verdicts  # there is nobody else; checks we do not know are left out by whoever reads on
    checks, sharing, doubles = director.checks, workers.sharing, director.shared.probe
    return tuple(
        verdict
        for verdict in verdicts
        if (checked := checks.get(verdict.id)) is not None
        and verdict.id not in doubles
        and place(checked, sharing) == number
    )


def _burst(worker: Worker) -> float:
    """At most said at once: all there is, some times over, after a pause, a reload or a storm of failures."""
    return SPARE_VERDICTS + 4 * worker.probes + 10 * worker.pace


def _distrusted(event: str, number: int) -> list[Effect]:
    return [Tell(Level.ERROR, event, {"worker": name_of(number)}), RestartWorker(number)]


def ticked(director: Director, now: float) -> Change:
    """Who has said nothing for long takes part no more; who is not needed any more may end."""
    workers = director.workers
    if now - workers.ticked_at > PAUSE_SECONDS:  # their silence may be ours
        awake = {number: replace(worker, heard_at=now) for number, worker in workers.known.items()}
        return replace(director, workers=replace(workers, known=awake, ticked_at=now)), []
    looked = replace(director, workers=_moved(replace(workers, ticked_at=now), now))
    replaced = [effect for number in _mute(workers, now) for effect in _distrusted("worker_mute", number)]
    sharing = _soon(workers)
    silent = [number for number in sharing if now - workers.known[number].heard_at > SILENT_SECONDS]
    left = tuple(number for number in sharing if number not in silent)
    if not silent or not left:
        return looked, [*replaced, *_under_way(looked)]
    given = _divided(looked, left)
    told = (Tell(Level.WARNING, "worker_silent", {"worker": name_of(number)}) for number in silent)
    return given[0], [*told, *given[1], *replaced]


def _mute(workers: Workers, now: float) -> Iterator[int]:
    """Those that are connected and say nothing at all."""
    for number, worker in workers.known.items():
        if worker.connected and now - worker.heard_at > MUTE_SECONDS and takes_part(workers, number):
            yield number


def _moved(workers: Workers, now: float) -> Workers:
    """Surplus workers may end once the others run what they are given."""
    if workers.kept == workers.wanted:
        return workers
    own = (workers.known[number] for number in workers.sharing)
    if now < workers.kept_until and not all(one.connected and one.running >= one.assignment for one in own):
        return workers
    return replace(workers, kept=workers.wanted)


def _soon(workers: Workers) -> tuple[int, ...]:
    """Who shares the probes once what is under way is done."""
    return workers.sharing if workers.division is None else workers.division.among


def _joined(director: Director, number: int) -> Change:
    """One more shares, unless it does already or will soon."""
    sharing = _soon(director.workers)
    if number in (*sharing, RAW_WORKER):
        return director, []
    return _divided(director, tuple(sorted((*sharing, number))))


def _not_joined(director: Director, number: int) -> Change:
    """It goes before it had anything."""
    sharing = _soon(director.workers)
    if number in director.workers.sharing or number not in sharing:
        return director, []
    return _divided(director, tuple(one for one in sharing if one != number))


def _divided(director: Director, among: tuple[int, ...]) -> Change:
    """These are to share the probes, as soon as it is worked out how."""
    to_be = None if among == director.workers.sharing else division.begun(director, among)
    return gone_on(replace(director, workers=replace(director.workers, division=to_be)))


def gone_on(director: Director) -> Change:
    """Work out some more of who shares what, and give it to them once that is done.

    Who is new is told first, so that no check is without a worker.
    """
    workers = director.workers
    if workers.division is None:
        return director, []
    found = division.gone_on(workers.division)
    if not division.is_over(found):
        after = replace(director, workers=replace(workers, division=found))
        return after, _under_way(after)
    done = replace(workers, sharing=found.among, division=None)
    newcomers = (number for number in found.among if number not in workers.sharing)
    divided = replace(director, workers=done, shares=division.shares(found))
    return _given(divided, dict.fromkeys((*newcomers, *_connected(done))))


def _under_way(director: Director) -> list[Effect]:
    return [] if director.workers.division is None else [Yield()]


def _given(director: Director, numbers: Iterable[int]) -> Change:
    """Give these workers what is theirs now."""
    effects: list[Effect] = []
    director = replace(director, shares=shares(director))
    known, assignments = dict(director.workers.known), director.workers.assignments
    for number in numbers:
        assignments += 1
        part = takes_part(director.workers, number)
        checks = assigned_checks(director, number) if part else ()
        pace = (director.shares.given.get(number, Share()).pace if part else 0.0) + len(checks)
        worker = replace(known[number], assignment=assignments, probes=len(checks), pace=pace)
        known[number] = replace(worker, credit=_burst(worker))
        effects.append(AssignChecks(assignments, checks, number, director.config.daemon.probes_per_host))
    workers = replace(director.workers, known=known, assignments=assignments)
    return replace(director, workers=workers), effects


def _connected(workers: Workers) -> tuple[int, ...]:
    return tuple(number for number, worker in workers.known.items() if worker.connected)


def _with(director: Director, number: int, worker: Worker) -> Director:
    known: Mapping[int, Worker] = {**director.workers.known, number: worker}
    return replace(director, workers=replace(director.workers, known=known))
