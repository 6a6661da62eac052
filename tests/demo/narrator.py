"""Tells the demo: what a person types and sees, what is checked, what is waited for."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.lab.waiting import SLOWEST, wait_until
from tests.lab.world import LiveHost

Value = TypeVar("Value")

SHOWN_LINES = 40
COLOUR = "LVSD_DEMO_COLOUR"  # set where a terminal reads along


class StepFailed(Exception):
    """Something the demo shows is not as it should be: the whole demo fails."""


class Narrator:
    """Numbers the steps, shows commands and their output, and fails at the first thing that is not right."""

    def __init__(self) -> None:
        self._steps = 0
        self._checks = 0
        self._began = time.monotonic()
        self._coloured = COLOUR in os.environ

    def step(self, title: str) -> None:
        """A new chapter."""
        self._steps += 1
        self.say("")
        self.say(self._paint(f"== {self._steps}. {title}  [{self.elapsed():.0f} s]", "1"))

    def say(self, text: str) -> None:
        """A line to the reader."""
        print(text, flush=True)

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def type(
        self,
        host: LiveHost,
        command: str | Sequence[str],
        *,
        check: bool = True,
        show: bool = True,
        timeout: float = 60,
    ) -> str:
        """Run a command as a person would, show both; its output. Raises StepFailed when it fails."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        text = command if isinstance(command, str) else " ".join(words)
        self.say(self._paint(f"{host.name}# {text}", "36"))
        try:
            done = host.run(words, check=False, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise StepFailed(f"{host.name}: {text}: no end within {timeout:.0f} s") from error
        output = done.stdout + done.stderr
        if show or done.returncode:
            lines = output.rstrip("\n").splitlines()
            for line in lines[:SHOWN_LINES]:
                self.say(f"    {line}")
            if len(lines) > SHOWN_LINES:
                self.say(f"    ... {len(lines) - SHOWN_LINES} lines more")
        if check and done.returncode:
            raise StepFailed(f"{host.name}: {text}: exit status {done.returncode}")
        return output

    def check(self, what: str, right: object, seen: object = "") -> None:
        """One thing that has to be so. Raises StepFailed when it is not."""
        if not right:
            raise StepFailed(f"{what}: NOT SO{f'; seen: {seen}' if seen else ''}")
        self._checks += 1
        self.say(self._paint(f"  ok: {what}", "32"))

    def wait(self, what: str, predicate: Callable[[], Value], timeout_seconds: float) -> float:
        """Wait for something, told before and after; the seconds it took. Raises StepFailed at the limit."""
        self.say(f"  ... {what} (at most {timeout_seconds:.0f} s)")
        began = time.monotonic()
        try:
            wait_until(predicate, timeout_seconds / SLOWEST, what)
        except AssertionError as error:
            raise StepFailed(str(error)) from error
        took = time.monotonic() - began
        self._checks += 1
        self.say(self._paint(f"  ok: {what}: after {took:.1f} s", "32"))
        return took

    def end(self) -> None:
        """The last line of a demo that worked."""
        self.say("")
        self.say(self._paint(f"All {self._checks} checks of {self._steps} steps hold. {self.elapsed():.0f} s.", "1;32"))

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._coloured else text
