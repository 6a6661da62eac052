"""Why a real server stands as it does, in sentences. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from lvsd.control.messages import BooksRow, CheckRow, OverrideMark, PhaseRow, RealServerRow, ServiceRow
from lvsd.ctl.render import floor_broken, out_in, quorum_is_lost, span

TWO_DIGITS_BELOW = 0.1  # seconds

_HOLDS = {
    "floor": "Its checks fail, and it is kept: without it fewer would be left than the floor of the service says.",
    "suspected": "It failed with so many others at once that the checker is suspected: until confirmed it serves.",
    "unanswered": "Its checks pass, and it is held out, as it answered no clients.",
    "flapping": "Its checks pass, and it is held out, as it failed too often of late.",
}
_SAID = {
    "drain": "drained it: no new connections",
    "drained": "drained it, and that is over: it is out",
    "disable": "disabled it",
    "weight": "gave it this weight",
}


def explained(service: ServiceRow, real: RealServerRow) -> str:
    """A paragraph for one real server of one virtual service."""
    lines = [
        f"{service.name} ({service.virtual}): {real.real_server} is {real.standing}, {_weights(real)}.",
        *_why(service, real),
    ]
    checks: tuple[RealServerRow | CheckRow, ...] = real.checks or (replace(real, state=real.checked or real.state),)
    lines += [line for one in checks for line in _check(one)]
    return "\n  ".join(lines) + "\n"


def _weights(real: RealServerRow) -> str:
    held = "not in the kernel's table" if real.weight_held is None else f"weight {real.weight_held} in the kernel"
    wanted = "none is wanted" if real.weight_wanted is None else f"{real.weight_wanted} is wanted"
    said = "" if real.weight_asked is None else f", it asks for {real.weight_asked} itself"
    return f"{held}, {wanted}, {real.weight_configured} is configured{said}"


def _why(service: ServiceRow, real: RealServerRow) -> list[str]:
    """What has the last word over its checks."""
    lines = ["A file in the maintenance directory holds it out."] if real.maintenance else []
    if real.override is not None:
        lines.append(_said(real.override))
    if real.hold:
        lines.append(_HOLDS.get(real.hold, real.hold))
    if real.slow_start is not None:
        lines.append(f"It is back since not long and has {real.slow_start} % of its weight yet.")
    if real.standing == "standby":
        lines.append(f"It is of priority group {real.priority_group}, which serves when too few are up before it.")
    if real.unanswered:
        lines.append("Its clients are not answered, as their packets tell.")
    if real.latency_share is not None:
        lines.append(f"It is slower than the others and has {real.latency_share} % of its weight.")
    if real.checks:
        needed = "1 is needed" if real.checks_needed == 1 else f"{real.checks_needed} are needed"
        lines.append(f"{real.checks_up} of its {len(real.checks)} checks are up, {needed}.")
    if service.floor_broken:
        lines.append(f"T{floor_broken(service)[1:]}.")
    if quorum_is_lost(service):
        weight = service.quorum + service.hysteresis
        lines.append(f"The quorum is lost: weight {service.weight_up} is up, {weight} is needed.")
    return lines


def _said(mark: OverrideMark) -> str:
    left = "until `lvsctl enable`" if mark.left is None else f"for {span(mark.left)} more"
    if mark.kind == "await":
        return f"It failed {span(mark.age)} ago and waits {left}, as `resume: manual` says."
    reason = f": {mark.reason}" if mark.reason else ""
    return f"User {mark.uid} {_SAID.get(mark.kind, mark.kind)}, {span(mark.age)} ago, {left}{out_in(mark)}{reason}."


def found(one: RealServerRow | CheckRow) -> str:
    """What is believed of a check that was probed, and what its last probe found."""
    detail = f": {one.detail}" if one.detail else ""
    latency = "" if one.latency is None else f" in {one.latency * 1000:.1f} ms"
    last = f"{span(one.probe_age)} ago it found {one.result}{latency}{detail}"
    return f"{one.state} since {span(one.state_age)}; {last}{'' if last.endswith('.') else '.'}"


def _check(one: RealServerRow | CheckRow) -> list[str]:
    if one.check in ("none", "fallback"):
        return ["It is never probed."]
    about = f" ({one.about})" if one.about else ""
    if not one.result:
        return [f"Check {one.check}{about}: not probed yet."]
    line = f"Check {one.check}{about}: {found(one)}"
    if one.check == "follow":
        return [line, "It is as healthy as the real server that it follows; nothing is probed for it."]
    lines = [line, _next(one)]
    if one.shared:
        lines.append(f"It is probed once for {', '.join(one.shared)}.")
    return [*lines, *(_books(one.books) if one.books is not None else ())]


_PHASES = {"late": "begun late", "first_byte": "first byte", "tls": "TLS"}
_ORDER = ("connect", "tls", "first_byte", "whole", "late")


def _books(books: BooksRow) -> list[str]:
    """Why its probes failed and how long their parts took, since the worker runs it."""
    reasons = sorted(books.reasons.items(), key=lambda item: (-item[1], item[0]))
    failed = ", ".join(f"{count} {reason}" for reason, count in reasons)
    lines = [f"Failures: {failed}."] if failed else []
    if books.inconclusive:
        why = "the checker could not probe, or an agent told nothing"
        lines.append(f"{books.inconclusive} of its probes found nothing out: {why}.")
    return [*lines, *(_phase(name, books.phases[name]) for name in _ORDER if name in books.phases)]


def _phase(name: str, row: PhaseRow) -> str:
    times = (("p50", row.p50), ("p99", row.p99), ("longest", row.longest))
    told = "".join(f"  {word} {milliseconds(seconds):>10}" for word, seconds in times)
    return f"  {_PHASES.get(name, name):<10}{told}"


def milliseconds(seconds: float) -> str:
    """`0.27 ms`, `312 ms`."""
    return f"{seconds * 1000:.2f} ms" if seconds < TWO_DIGITS_BELOW else f"{seconds * 1000:.0f} ms"


def _counts(one: RealServerRow | CheckRow) -> tuple[int, int]:
    """Probes and failures: as the worker told last, or as its books have them, which are newer and may be halved."""
    if one.books is None or "late" not in one.books.phases:
        return one.probes, one.failures
    return max(one.probes, one.books.phases["late"].count), max(one.failures, sum(one.books.reasons.values()))


def _next(one: RealServerRow | CheckRow) -> str:
    """What would have to happen for it to change."""
    other = "down" if one.state == "up" else "up"
    word, words = ("failure", "failures") if one.state == "up" else ("success", "successes")
    if one.streak:
        counted = f"{one.streak} of {one.needed} {words} in a row are seen"
    elif one.needed > 1:
        counted = f"{one.needed} {words} in a row are needed"
    else:
        counted = f"1 {word} is needed"
    probes, failures = _counts(one)
    failed = f"{failures} of {probes} probes failed"
    return f"Probed every {one.interval:g} s, {one.timeout:g} s at most; {counted} for it to be {other}; {failed}."
