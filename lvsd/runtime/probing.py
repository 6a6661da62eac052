"""What `lvsctl probe` starts: finds the checks that are meant, and has them run once by a confined process.

`python -I -m lvsd.runtime.probing`, the order as JSON on standard input, what came of it as JSON on standard output, a
line each (lvsd/control/probes.py). It reads the configuration with the passwords in it, and no octet of a real server:
that is checkers.runtime.prober's, which runs with the rights of a checker worker.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from checkers.core.messages import AssignedCheck, Target
from checkers.core.transcript import (
    CHECKS_LIMIT,
    TOLD_LIMIT_BYTES,
    Said,
    Secured,
    Transcript,
    decode_told,
    encode_asked,
)
from checkers.core.transcript import Garbled as GarbledTranscript
from config.checks import Dial, FollowCheck
from config.load import Loaded, load
from config.model import Config
from config.problems import Severity
from config.reading import did_you_mean
from lvsd.control.messages import ErrorReply, Garbled
from lvsd.control.probes import (
    NOT_PROBED,
    CertificateRow,
    Note,
    Order,
    ProbeRow,
    SaidRow,
    SecuredRow,
    Told,
    UseRow,
    decode_order,
    encode,
)
from lvsd.core.assignment import configured_checks, question
from lvsd.core.check_words import check_word
from lvsd.core.identity import endpoint_text, virtual_text
from lvsd.core.sharing import is_probed
from lvsd.core.state import Checked
from lvsd.core.verdicts import outcome_words
from lvsd.core.views import names
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.store import Replay, Store

ORDER_LIMIT_BYTES = 64 * 1024
PROBER = (sys.executable, "-I", "-m", "checkers.runtime.prober")
NAMES_SHOWN = 20


class Unusable(Exception):
    """The order cannot be carried out; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        """What is wrong, and what to do."""
        super().__init__(message)
        self.hint = hint


def main() -> int:
    """The exit status: 0, 1 where nobody takes what is told. What cannot be done is among that."""
    try:
        for told in _answered(sys.stdin.buffer.read(ORDER_LIMIT_BYTES)):
            sys.stdout.buffer.write(encode(told))
            sys.stdout.buffer.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # nobody wants to know any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _answered(line: bytes) -> Iterator[Told]:
    try:
        yield from answered(decode_order(line))
    except Unusable as error:
        yield ErrorReply(str(error), error.hint)
    except (Garbled, OSError) as error:
        yield ErrorReply(str(error))


def answered(order: Order) -> Iterator[Told]:
    """Everything there is to tell, each as soon as it is known. Raises Unusable and OSError."""
    loaded, note = _configuration(order)
    if note:
        yield Note(note)
    if loaded.config is None:
        wrong = [str(problem) for problem in loaded.problems if problem.severity is Severity.ERROR]
        text = f"the configuration is wrong: {wrong[0] if wrong else order.files}"
        raise Unusable(text, "`lvsd check` tells all of it")
    groups = shared(meant(loaded.config, order))
    for group in groups:
        if not is_probed(group[0][1]):
            yield _never_probed(group)
    probed = {group[0][0]: group for group in groups if is_probed(group[0][1])}
    if len(probed) > CHECKS_LIMIT:
        text = f"{len(probed)} probes are meant, {CHECKS_LIMIT} are possible at a time"
        raise Unusable(text, "name a service (--service) or a check (--check)")
    if probed:
        asked = {name: question(name, group[0][1]) for name, group in probed.items()}
        for transcript in run(tuple(asked.values()), loaded.config.daemon.checker_user):
            yield told_of(transcript, probed[transcript.id], asked[transcript.id])


def _configuration(order: Order) -> tuple[Loaded, str]:
    """As it runs where that is known, else as it stands on the disk; and what is to be said of that."""
    if not order.state_dir:
        return load(order.files, SystemFiles()), ""
    directory = Path(order.state_dir)
    try:
        snapshot = Store(directory).last_good() if directory.is_dir() else None
    except (OSError, ValueError):
        snapshot = None
    if snapshot is None or snapshot.paths != order.files:
        return load(order.files, SystemFiles()), "what runs was not kept: the files are read as they stand on the disk"
    return load(snapshot.paths, Replay(snapshot)), ""


Named = tuple[str, Checked]
"""A check with its identity."""


def meant(config: Config, order: Order) -> list[Named]:
    """The checks that the order means, in the configuration's order. Raises Unusable where it means none."""
    if order.service and not any(names(virtual, order.service) for virtual in config.services):
        text = f"no virtual service {order.service!r}"
        raise Unusable(text, _known(order.service, (virtual.name for virtual in config.services)))
    there = {
        identity: checked
        for identity, checked in configured_checks(config).items()
        if not order.service or names(checked.service, order.service)
    }
    chosen = [(identity, checked) for identity, checked in there.items() if _means(order.real, checked)]
    if not chosen:
        where = f" in {order.service}" if order.service else ""
        text = f"no real server {order.real!r}{where}"
        raise Unusable(text, _known(order.real, _reals(there.values(), order.real)))
    if not order.check:
        return chosen
    found = [(identity, checked) for identity, checked in chosen if check_word(checked.check.kind) == order.check]
    if not found:
        text = f"{order.real} has no check of type {order.check!r}"
        raise Unusable(text, _known(order.check, (check_word(checked.check.kind) for _, checked in chosen)))
    return found


def _known(word: str, words: Iterable[str]) -> str:
    known = tuple(dict.fromkeys(words))
    return did_you_mean(word, known[:NAMES_SHOWN] if len(known) > NAMES_SHOWN else known) if known else "there is none"


def _reals(there: Iterable[Checked], real: str) -> Iterator[str]:
    """What they are called, with a port where one was said."""
    bare = "]:" not in real and real.count(":") != 1
    return (checked.real.address if bare else _endpoint(checked) for checked in there)


def _endpoint(checked: Checked) -> str:
    return endpoint_text(checked.real.address, checked.real.port)


def _means(real: str, checked: Checked) -> bool:
    return real in (_endpoint(checked), checked.real.address, f"[{checked.real.address}]")


def shared(checks: Iterable[Named]) -> list[list[Named]]:
    """Those that ask the same thing, together: they are probed once."""
    groups: dict[object, list[Named]] = {}
    for identity, checked in checks:
        asked = question(identity, checked)
        alike = (asked.target, asked.check, asked.dial) if is_probed(checked) else identity
        groups.setdefault(alike, []).append((identity, checked))
    return list(groups.values())


def run(checks: tuple[AssignedCheck, ...], user: str) -> Iterator[Transcript]:
    """Each as soon as it is over. Raises Unusable where the prober ends before it has told all."""
    with subprocess.Popen(
        [*PROBER, "--user", user], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    ) as prober:
        assert prober.stdin is not None and prober.stdout is not None  # noqa: S101, PT018 - pipes were asked for
        with prober.stdin:
            prober.stdin.write(encode_asked(checks))
        missing = {check.id for check in checks}
        for transcript in _heard(prober.stdout):
            if transcript.id not in missing:
                break
            missing.remove(transcript.id)
            yield transcript
    if missing:
        text = f"the process that probes ended with status {prober.returncode}"
        raise Unusable(text, "what it says of itself stands above")


def _environment() -> Mapping[str, str]:
    """Nothing of whoever asks: commands find the PATH that a service has, not that of a shell."""
    return {"LANG": "C.UTF-8"}


def _heard(pipe: IO[bytes]) -> Iterator[Transcript]:
    while line := pipe.readline(TOLD_LIMIT_BYTES):
        try:
            yield decode_told(line)
        except GarbledTranscript as error:
            text = f"the process that probes is not understood: {error}"
            raise Unusable(text) from error


def _never_probed(group: list[Named]) -> ProbeRow:
    kind = group[0][1].check.kind
    why = f"it follows {kind.service}: probe that one" if isinstance(kind, FollowCheck) else "it is never probed"
    return ProbeRow(_uses(group), check_word(kind), "", 0.0, NOT_PROBED, why)


def told_of(transcript: Transcript, group: list[Named], asked: AssignedCheck) -> ProbeRow:
    """What lvsctl shows of it."""
    result, detail = outcome_words(transcript.outcome)
    dial: Dial = asked.dial
    return ProbeRow(
        _uses(group),
        check_word(asked.check),
        _target(asked.target),
        asked.timing.timeout,
        result,
        detail,
        transcript.phases,
        tuple(_said(one) for one in transcript.said),
        _secured(transcript.secured) if transcript.secured is not None else None,
        transcript.left_out,
        transcript.unseen,
        dial.source,
        dial.mark,
        dial.proxy_protocol,
    )


def _target(target: Target) -> str:
    return endpoint_text(target.address, target.port)


def _uses(group: list[Named]) -> tuple[UseRow, ...]:
    return tuple(
        UseRow(checked.service.name, virtual_text(checked.service.virtual), _endpoint(checked), _number(identity))
        for identity, checked in group
    )


def _number(identity: str) -> int:
    """Which of the real server's checks."""
    number = identity.rpartition(" #")[2]
    return int(number) if number.isdecimal() else 1


def _said(one: Said) -> SaidRow:
    return SaidRow(one.at, one.ours, one.octets, one.lines)


def _secured(one: Secured) -> SecuredRow:
    shown = one.certificate
    return SecuredRow(one.version, one.cipher, CertificateRow(shown.subject, shown.names, shown.issuer, shown.ends))


if __name__ == "__main__":
    sys.exit(main())
