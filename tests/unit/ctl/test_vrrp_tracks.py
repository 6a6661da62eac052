"""What VRRP instances depend on, as `lvsctl vrrp` shows it."""

from __future__ import annotations

from lvsd.control.messages import TrackRow, VrrpReply, VrrpRow
from lvsd.ctl import render


def test_tracks_are_shown_with_what_they_add() -> None:
    tracks = (
        TrackRow("script", "gateway", "bad", 0, "script gateway: status 1"),
        TrackRow("file", "/run/weight", "-4", -8, ""),
        TrackRow("service", "web", "good", 5, ""),
        TrackRow("process", "nginx", "good", 0, ""),
    )
    row = VrrpRow(
        "lb0", "eth0", 1, 3, "initialize", 97, 1.0, "", 0, (), (), 3.0, "link_down", 1, 0, 9, {},
        "script gateway: status 1", tracks=tracks,
    )  # fmt: skip
    text = render.vrrp(VrrpReply(True, 1.0, (row,)), lambda part, colour: f"<{colour}>{part}")
    assert text.splitlines()[2:] == [
        "<red>lb0: script gateway: status 1",
        "<yellow>lb0: script gateway: bad (fault)",
        "<yellow>lb0: file /run/weight: -4 (-8)",
        "lb0: service web: good (+5)",
        "lb0: process nginx: good (0)",
    ]
