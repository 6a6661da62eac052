"""An agent as HAProxy asks one (agent-check), and HAProxy itself that asks it, to compare what both make of a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.lab.daemons import process
from tests.lab.world import CHECKOUT, LiveHost

PORT = 9777
SAYING = "/run/lab-agent/line"
SAID = "/run/lab-agent/said"  # to whom what, in hexadecimal digits
WEIGHT = 100
SOCKET = "/run/lab-haproxy/admin.sock"
BACKEND, SERVER = "farm", "rs1"

_SCRIPT = """
import pathlib, socketserver

class Agent(socketserver.BaseRequestHandler):
    def handle(self):
        line = pathlib.Path("{saying}").read_bytes()
        self.request.sendall(line)
        with open("{said}", "ab") as said:
            said.write(self.client_address[0].encode() + b" " + line.hex().encode() + b"\\n")

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server(("", {port}), Agent).serve_forever()
"""

_HAPROXY = f"""global
    stats socket {SOCKET} level admin
defaults
    mode tcp
    timeout connect 2s
    timeout client 2s
    timeout server 2s
frontend door
    bind 127.0.0.1:8999
    default_backend {BACKEND}
backend {BACKEND}
    server {SERVER} {{address}}:{{served}} weight {WEIGHT} check inter 500ms agent-check agent-port {PORT} agent-inter 300ms
"""  # noqa: E501 - a server is one line


@dataclass(frozen=True, slots=True)
class Agent:
    """Says what the file SAYING holds, and closes."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "agent"

    def start(self, host: LiveHost) -> None:
        """Ready when its port listens."""
        host.write("/run/lab-agent/agent.py", _SCRIPT.format(saying=SAYING, said=SAID, port=PORT))
        say(host, b"up ready 100%\n")
        command = [f"{CHECKOUT}/.venv/bin/python", "/run/lab-agent/agent.py"]
        process.start(host, self.name, command, lambda: process.listening(host, PORT))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


def say(host: LiveHost, line: bytes) -> None:
    """What it says from now on, in ASCII; nobody hears the half of it."""
    host.write(f"{SAYING}.new", line.decode("ascii"))
    host.call(lambda: Path(f"{SAYING}.new").replace(SAYING))
    host.write(SAID, "")


def said(host: LiveHost, line: bytes) -> Counter[str]:
    """How often who has heard this line since it was to be said, by address."""
    told = (entry.partition(" ") for entry in host.read(SAID).splitlines())
    return Counter(address for address, _, digits in told if digits == line.hex())


@dataclass(frozen=True, slots=True)
class Haproxy:
    """A balancer with one server, whose agent it asks."""

    address: str
    served: int

    @property
    def name(self) -> str:
        """What its log is called."""
        return "haproxy"

    def start(self, host: LiveHost) -> None:
        """Ready when its door is open."""
        host.run(["mkdir", "-p", "/run/lab-haproxy"])
        host.write("/run/lab-haproxy/haproxy.cfg", _HAPROXY.format(address=self.address, served=self.served))
        command = ["haproxy", "-db", "-f", "/run/lab-haproxy/haproxy.cfg"]
        process.start(host, self.name, command, lambda: process.listening(host, 8999))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
