"""Which test files a lab takes when several labs run the tests side by side. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SECONDS = {
    "test_lvsd.py": 220,
    "test_all_together.py": 110,
    "test_workers.py": 97,
    "test_ipvs_whole.py": 90,
    "test_leaving.py": 60,
}
"""How long the longest files take, roughly: only the balance depends on it."""

USUAL_SECONDS = 30
HOST_SECONDS = 360
"""The last of several labs begins when the tests of the checkout itself are over."""


def files_of(share: str, names: Sequence[str]) -> frozenset[str]:
    """The files of `N/M`: each of `names` is in one share, the longest are dealt first. Raises ValueError."""
    number, _, number_of_shares = share.partition("/")
    mine, shares = int(number), int(number_of_shares)
    if not 1 <= mine <= shares:
        message = f"{share} is no share"
        raise ValueError(message)
    loads = [0] * shares
    loads[-1] += HOST_SECONDS if shares > 1 else 0
    dealt: dict[str, int] = {}
    for name in sorted(names, key=lambda one: (-SECONDS.get(one, USUAL_SECONDS), one)):
        lightest = loads.index(min(loads))
        loads[lightest] += SECONDS.get(name, USUAL_SECONDS)
        dealt[name] = lightest + 1
    return frozenset(name for name, number in dealt.items() if number == mine)
