"""The lab's certificate authority: made once per lab, its certificates laid on the hosts that need them.

/etc/lab/ca.pem on every host is what a client verifies against; /etc/lab/server.pem and server.key are a host's own,
good for its names, its addresses, and the virtual service's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from ipaddress import ip_interface

import trustme

from tests.lab.world import LiveHost, World

CA = "/etc/lab/ca.pem"
CERTIFICATE = "/etc/lab/server.pem"
KEY = "/etc/lab/server.key"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its chain, and its key, as PEM."""

    certificate: str
    key: str


@cache
def authority() -> trustme.CA:
    """One for the life of the process; elliptic curves, 40 ms."""
    return trustme.CA(organization_name="the lab")


def issue(*identities: str) -> Issued:
    """For these host names and addresses; the first is the common name."""
    leaf = authority().issue_cert(*identities, common_name=identities[0])
    chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
    return Issued(chain, leaf.private_key_pem.bytes().decode())


def lay_authority(world: World) -> None:
    """The CA on every host."""
    text = authority().cert_pem.bytes().decode()
    for host in world:
        host.write(CA, text)


def lay_certificate(host: LiveHost) -> None:
    """A certificate for the host, and for all further names of the topology (the virtual service's)."""
    issued = issue(*_identities(host))
    host.write(CERTIFICATE, issued.certificate)
    host.write(KEY, issued.key, 0o600)


def _identities(host: LiveHost) -> list[str]:
    topology = host.world.topology
    domain = topology.networks[0].domain
    found = [f"{host.name}.{domain}"]
    for attachment in host.declared.attachments:
        found += [str(ip_interface(address).ip) for address in attachment.addresses]
    for address, names in topology.names:
        found += [name for name in names.split() if "." in name] + [address]
    return found
