"""Names for the lab's own /etc: of hosts and services, short and too long for a column."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOSTS = """
192.0.2.1 vip.example.net vip
192.0.2.2 a-name-that-is-too-long-for-one-column.example.net
192.0.2.11 rs1.example.net rs1
192.0.2.12 a-very-long-hostname-for-real-server-number-twelve.of.the.cluster.example.net
192.0.2.13 exactly-28-columns-with-port
2001:db8::1 vip6.example.net
2001:db8::11 rs6
2001:db8::12 a-very-long-v6-hostname-for-real-server-number-twelve.example.com
"""
SERVICES = """
lvsd-diameter 3868/sctp
lvsd-own 47111/tcp
lvsd-own 47111/udp
"""


@contextmanager
def added() -> Iterator[None]:
    """The names, put away again for the tests that follow; what the lab writes in /etc is thrown away with it."""
    files = {Path("/etc/hosts"): HOSTS, Path("/etc/services"): SERVICES}
    before = {path: path.read_text() for path in files}
    for path, text in files.items():
        path.write_text(before[path] + text)
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)
