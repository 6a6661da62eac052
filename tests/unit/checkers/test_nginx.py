"""HTTP and HTTPS against a real nginx: what it logs is what a real server's administrator sees."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checkers.core.outcome import Healthy, Reason, Unhealthy
from checkers.probes.http_body import COURTESY_BYTES
from config.checks import Expect, HttpCheck, Tls
from tests.unit.checkers.servers import AUTHORITY, HOST, closed_port, outcome

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    log_format seen '$request|$status|$http_host|$http_user_agent|$request_completion|$ssl_server_name';
    access_log {folder}/access.log seen;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{plain}; listen 127.0.0.1:{secured} ssl;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/cert.pem;
        root {folder}/www;
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    folder: Path
    plain: int
    secured: int

    def seen(self) -> list[str]:
        """The access log's lines, once the last request has been logged."""
        deadline = time.monotonic() + 10
        while not (lines := (self.folder / "access.log").read_text().splitlines()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (self.folder / "access.log").write_text("")
        return lines


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("not on this machine: nginx")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "www").mkdir()
    (folder / "www/ldirectord.txt").write_text("ldirectord\n")
    (folder / "www/large.txt").write_text("x" * COURTESY_BYTES * 3 + "end")
    certificate = AUTHORITY.issue_cert("www.example.org")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
    started = Nginx(folder, closed_port(), closed_port())
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, plain=started.plain, secured=started.secured))
    with subprocess.Popen([program, "-c", str(configuration), "-e", str(folder / "error.log")]) as process:
        try:
            answers(started.plain)
            yield started
        finally:
            process.terminate()


def answers(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


RECEIVE = Expect(text="ldirectord")


async def test_the_receive_string_is_found(nginx: Nginx) -> None:
    check = HttpCheck(path="/ldirectord.txt", virtual_host="www.example.org", expect=RECEIVE)
    assert await outcome(check, nginx.plain) == Healthy("200 OK")
    assert nginx.seen() == ["GET /ldirectord.txt HTTP/1.1|200|www.example.org|lvsd|OK|-"]


async def test_over_tls_with_sni_and_verification(nginx: Nginx) -> None:
    ca_file = nginx.folder / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(ca_file))
    tls = Tls(sni="www.example.org", verify=True, ca_file=str(ca_file))
    check = HttpCheck(tls=tls, path="/ldirectord.txt", expect=RECEIVE)
    assert await outcome(check, nginx.secured) == Healthy("200 OK")
    [line] = nginx.seen()
    assert line.endswith("|OK|www.example.org")


async def test_a_page_that_lost_its_receive_string(nginx: Nginx) -> None:
    check = HttpCheck(path="/ldirectord.txt", expect=Expect(text="maintenance"))
    assert await outcome(check, nginx.plain) == Unhealthy(Reason.NO_MATCH, "200 OK, without the expected")
    nginx.seen()


async def test_a_page_that_is_gone(nginx: Nginx) -> None:
    assert await outcome(HttpCheck(path="/gone"), nginx.plain) == Unhealthy(Reason.STATUS, "404 Not Found")
    nginx.seen()


async def test_a_large_page(nginx: Nginx) -> None:
    assert await outcome(HttpCheck(path="/large.txt"), nginx.plain) == Healthy("200 OK")
    check = HttpCheck(path="/large.txt", expect=Expect(text="end"))
    assert await outcome(check, nginx.plain) == Healthy("200 OK")
    nginx.seen()


async def test_plain_http_at_a_tls_port(nginx: Nginx) -> None:
    assert await outcome(HttpCheck(), nginx.secured) == Unhealthy(Reason.STATUS, "400 Bad Request")
    found = await outcome(HttpCheck(tls=Tls()), nginx.plain)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.TLS
