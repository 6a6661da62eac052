"""`lvsctl vrrp watch` on recorded captures, and scapy as a second opinion on every packet of ours and theirs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.model import VirtualAddress, VrrpInstance
from config.secret import Secret
from lvsd.ctl.dissect import dissected, recorded
from lvsd.ctl.main import main
from lvsd.drill.seen import ADVERTISEMENT, HANDOVER, MALFORMED, PLAIN, PSEUDO, RIGHT, STANDBY, WRONG
from lvsd.vrrp.ip import VRRP_PROTOCOL, ipv4_packet, packed
from lvsd.vrrp.packet import Kind, Wire, encode, encode_message
from tests.golden.vrrp.captures import FOLDER, advertisements, neighbour_advertisements

CAPTURES = sorted(path.name for path in FOLDER.glob("*.pcap"))
ETHERNET = bytes.fromhex("01005e000012020000000001")


def watched(name: str, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["vrrp", "watch", "--read", str(FOLDER / name), *words])
    return done.exit_code, done.output


@pytest.mark.parametrize("name", CAPTURES)
def test_every_recorded_advertisement_is_seen_as_our_own_codec_sees_it(name: str) -> None:
    seen = [one for one in recorded(FOLDER / name) if one.kind == ADVERTISEMENT]
    ours = advertisements(name)
    assert [one.priority for one in seen] == [one.datagram.message[2] for one in ours]
    assert [packed(one.source) for one in seen] == [one.datagram.source for one in ours]
    assert [one.ttl for one in seen] == [one.datagram.ttl for one in ours]
    assert {one.checksum for one in seen} <= {RIGHT, PSEUDO}
    assert {one.virtual_router_id for one in seen} == {51}


@pytest.mark.parametrize("name", CAPTURES)
def test_recordings_of_keepalived_are_right(name: str) -> None:
    status, output = watched(name)
    unicast_ipv6 = name == "v3_ipv6_unicast.pcap"
    assert (status, "WRONG" in output) == (0, False), output
    assert ("[ttl]" in output) == unicast_ipv6  # keepalived leaves it at the system's there
    assert "52vDxTyL" not in output


def test_neighbour_advertisements_are_counted() -> None:
    kinds = Counter(one.kind for one in recorded(FOLDER / "v3_ipv6.pcap"))
    assert kinds["neighbour_advertisement"] == len(neighbour_advertisements("v3_ipv6.pcap"))


def test_json_has_a_line_for_each_and_no_password() -> None:
    status, output = watched("v2_pass.pcap", "--json", "--count", "3")
    rows = [json.loads(row) for row in output.splitlines()]
    assert (status, len(rows)) == (0, 3)
    first = next(row for row in rows if row["kind"] == ADVERTISEMENT)
    assert first["auth"] == "simple"
    password = advertisements("v2_pass.pcap")[0].datagram.message[-8:].rstrip(b"\0").decode()
    assert len(password) > 3
    assert password not in watched("v2_pass.pcap")[1] + output


def test_what_is_no_capture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"not a capture at all, but long enough to be read as one")
    done = CliRunner().invoke(main, ["vrrp", "watch", "--read", str(path)])
    assert done.exit_code == 1
    assert "lvsctl:" in done.output


def wire(version: int, *, ipv6: bool = False, plain: bool = False) -> Wire:
    address = VirtualAddress("fe80::5:1" if ipv6 else "192.0.2.100", 64 if ipv6 else 24, "eth0")
    secret = Secret("hushhush") if version == 2 else None
    one = VrrpInstance("lb0", "eth0", 51, 200, version, (address,), password=secret, rfc_checksum=plain)
    return Wire.of(one, "fe80::1" if ipv6 else "192.0.2.1")


@pytest.mark.parametrize(("version", "plain", "expected"), [(2, False, RIGHT), (3, False, PSEUDO), (3, True, PLAIN)])
def test_scapy_finds_our_own_packets_right(version: int, plain: bool, expected: str) -> None:
    frame = ETHERNET + b"\x08\0" + encode(wire(version, plain=plain), 200, 7)
    seen = dissected(frame, 1.5)
    assert seen is not None
    assert (seen.kind, seen.checksum, seen.ttl, seen.priority) == (ADVERTISEMENT, expected, 255, 200)
    assert (seen.version, seen.interval, seen.addresses) == (version, 1.0, ("192.0.2.100",))
    assert seen.auth == ("simple" if version == 2 else "")
    assert "hushhush" not in repr(seen)


def test_over_ipv6_too() -> None:
    spoken = wire(3, ipv6=True)
    message = encode_message(spoken, 150, packed("ff02::12"))
    head = b"\x60\0\0\0" + len(message).to_bytes(2, "big") + bytes([VRRP_PROTOCOL, 255])
    frame = ETHERNET + b"\x86\xdd" + head + spoken.source + packed("ff02::12") + message
    seen = dissected(frame, 0.0)
    assert seen is not None
    assert (seen.kind, seen.checksum, seen.addresses) == (ADVERTISEMENT, RIGHT, ("fe80::5:1",))


@pytest.mark.parametrize(("kind", "expected"), [(Kind.STANDBY, STANDBY), (Kind.HANDOVER, HANDOVER)])
def test_whispers_are_named(kind: Kind, expected: str) -> None:
    frame = ETHERNET + b"\x08\0" + encode(wire(3), 200, 7, packed("192.0.2.2"), kind)
    seen = dissected(frame, 0.0)
    assert seen is not None
    assert (seen.kind, seen.checksum) == (expected, PSEUDO)


def test_a_damaged_message_is_wrong_and_a_cut_one_malformed() -> None:
    message = encode_message(wire(3), 200, packed("224.0.0.18"))
    damaged = message[:2] + b"\x01" + message[3:]
    cases = {damaged: WRONG, message[:5]: "", message[:-1]: "", b"\x51" + message[1:]: ""}
    for body, checksum in cases.items():
        packet = ipv4_packet(packed("192.0.2.1"), packed("224.0.0.18"), 1, body)
        seen = dissected(ETHERNET + b"\x08\0" + packet, 0.0)
        assert seen is not None
        assert seen.checksum == checksum
        assert (seen.kind == MALFORMED) is (checksum == "")


def test_padding_behind_a_short_packet_does_no_harm() -> None:
    frame = (ETHERNET + b"\x08\0" + encode(wire(3), 200, 7)).ljust(80, b"\xff")
    seen = dissected(frame, 0.0)
    assert seen is not None
    assert seen.checksum == PSEUDO
