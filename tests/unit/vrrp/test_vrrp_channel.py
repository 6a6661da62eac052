"""The connection to the director: it comes and goes, lies, says too much, and never holds us up."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvsd.runtime.vrrp_channel import RETRY_SECONDS, Channel
from lvsd.vrrp.messages import PACKET_LIMIT_BYTES, Configure, Failover, VrrpStatus, decode_status, encode
from tests.unit.vrrp import samples

STATUS = VrrpStatus(1, 42, ())


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(os.fspath(tmp_path / "s"))
        listening.listen(1)
        listening.settimeout(5)
        yield listening


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    made = Channel(tmp_path / "s", lambda _: None, lambda _: None)
    yield made
    made.close()


def test_without_a_director_it_tries_again_later_and_reports_to_nobody(channel: Channel) -> None:
    assert not channel.connect(10.0)
    assert channel.retry_at == 10.0 + RETRY_SECONDS
    channel.send(STATUS)
    assert channel.receive() == ()


def test_it_does_not_try_before_its_time(channel: Channel, listener: socket.socket) -> None:
    channel.retry_at = 5.0
    assert not channel.connect(4.9)
    assert channel.connect(5.0)
    assert not channel.connect(6.0)
    listener.accept()[0].close()


def test_reports_arrive_and_the_last_configuration_counts(channel: Channel, listener: socket.socket) -> None:
    channel.connect(0.0)
    with listener.accept()[0] as director:
        channel.send(STATUS)
        assert decode_status(director.recv(PACKET_LIMIT_BYTES)) == STATUS
        director.send(encode(Configure(1, ())))
        director.send(encode(Configure(2, (samples.instance(),))))
        director.send(encode(Failover(("lb0",))))
        director.send(encode(Failover(back=True)))
        assert channel.receive() == (Configure(2, (samples.instance(),)), Failover(("lb0",)), Failover(back=True))
        assert channel.receive() == ()


@pytest.mark.parametrize("packet", [b"\x00", b"\xff" * 100, encode(STATUS), b"x" * (PACKET_LIMIT_BYTES + 1)])
def test_what_is_not_a_configuration_is_passed_over_and_told(
    channel: Channel, listener: socket.socket, packet: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    channel.connect(0.0)
    with listener.accept()[0] as director:
        director.send(packet)
        director.send(encode(Configure(3, ())))
        director.send(packet)
        assert channel.receive() == (Configure(3, ()),)
    assert capfd.readouterr().err.count("configuration_garbled") == 2


def test_a_director_that_goes_is_left_and_found_again(channel: Channel, listener: socket.socket) -> None:
    channel.connect(0.0)
    director = listener.accept()[0]
    director.close()
    assert channel.receive() == ()
    assert not channel.connected
    assert channel.connect(RETRY_SECONDS)


def test_a_report_to_a_director_that_went_is_no_error(channel: Channel, listener: socket.socket) -> None:
    channel.connect(0.0)
    listener.accept()[0].close()
    channel.send(STATUS)
    assert not channel.connected


def test_a_director_that_does_not_read_holds_nobody_up(channel: Channel, listener: socket.socket) -> None:
    channel.connect(0.0)
    with listener.accept()[0]:
        for _ in range(10_000):
            channel.send(STATUS)
        assert channel.connected


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to play the impostor")
def test_a_socket_of_another_user_is_not_believed(
    tmp_path: Path, channel: Channel, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as impostor:
        impostor.bind(os.fspath(tmp_path / "s"))
        os.seteuid(65534)
        try:
            impostor.listen(1)  # the kernel notes who listens
        finally:
            os.seteuid(0)
        assert not channel.connect(0.0)
    assert "director_refused" in capfd.readouterr().err
