"""What VRRP instances depend on and stand on, as `lvsctl vrrp` shows it."""

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


def test_a_virtual_mac_and_what_is_not_accepted_are_shown() -> None:
    row = VrrpRow(
        "lb0", "eth0", 51, 3, "active", 97, 1.0, "", 0, (), (), 3.0, "start", 1, 0, 9, {}, "",
        virtual_mac="vrrp.51", mac="00:00:5e:00:01:33", accept=False,
    )  # fmt: skip
    assert render.vrrp(VrrpReply(True, 1.0, (row,))).splitlines()[2:] == [
        "lb0: addresses on vrrp.51 with the MAC 00:00:5e:00:01:33",
        "lb0: does not accept packets for itself on its addresses",
    ]
