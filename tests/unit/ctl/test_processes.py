"""The processes of lvsd, a line each."""

from __future__ import annotations

from lvsd.control.messages import ProcessRow, StatusReply
from lvsd.ctl.processes import processes

ROWS = (
    ProcessRow("checker", 501, connected=True, age=75.0, probes=12),
    ProcessRow("checker-raw", 502, connected=False, age=3.0, probes=0),
    ProcessRow("notify", 503, connected=True, age=75.0),
)


def test_each_has_a_line_and_only_checkers_run_probes() -> None:
    reply = StatusReply(1, 0.0, (), ROWS, (), 0, None, "")
    assert processes(reply) == (
        "PROCESS      PID  STANDING   SINCE  PROBES\n"
        "checker      501  connected  1m15s  12\n"
        "checker-raw  502  gone       3.0s   0\n"
        "notify       503  connected  1m15s  -\n"
    )
    assert "<red>gone" in processes(reply, lambda text, colour: f"<{colour}>{text}")
