"""What every tier shares: hypothesis is derandomised, so that a red run is red again; and signals are as in the
foreground. A shell that starts the tests in the background has it ignored that somebody interrupts them, and whatever
they start would inherit that.
"""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=200)
settings.register_profile("hunt", derandomize=False, deadline=None, max_examples=5000)
settings.load_profile("gate")

for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)
