"""Every test file of the lab is run by one of the labs, and by one alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.shares import SECONDS, files_of

names = st.sets(st.sampled_from([*SECONDS, *(f"test_{number}.py" for number in range(20))])).map(sorted)


@given(names, st.integers(1, 5))
def test_each_file_is_in_one_share(files: list[str], shares: int) -> None:
    found = Counter(name for number in range(shares) for name in files_of(f"{number + 1}/{shares}", files))
    assert found == Counter(files)


def test_the_first_of_two_takes_more() -> None:
    files = [f"test_{number}.py" for number in range(40)]
    assert len(files_of("1/2", files)) == 26


@pytest.mark.parametrize("share", ["0/2", "3/2", "", "x/2", "1/0", "2"])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # int's own message or ours
        files_of(share, ["test_a.py"])
