"""A topology as data: networks, hosts, and what is on them. Pure.

`tests/lab/cluster.py` and `tests/lab/pair.py` declare the two that ship; a test may declare its own in five lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network

INTERFACE_NAME_LIMIT = 15  # IFNAMSIZ less its NUL


class TopologyError(ValueError):
    """The topology cannot be built as it is declared."""


@dataclass(frozen=True, slots=True)
class Network:
    """One Ethernet segment (a bridge). `delay_seconds` is added to each frame a host receives."""

    name: str
    prefix: str
    domain: str = "test"
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attachment:
    """A host's interface on a network: the first is eth0. Addresses carry a prefix length."""

    network: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file to be found on a host when it boots."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Share:
    """A directory several hosts have in common, as from a file server."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. `loopback` addresses are added to lo before any other, as a network script would."""

    name: str
    attachments: tuple[Attachment, ...]
    loopback: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    routes: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    shares: tuple[Share, ...] = ()

    def interface(self, network: str) -> str:
        """The name of the host's interface on `network`."""
        for index, attachment in enumerate(self.attachments):
            if attachment.network == network:
                return f"eth{index}"
        raise TopologyError(f"{self.name} is not on {network}")

    def address(self, network: str) -> str:
        """The host's first address on `network`, without its prefix length."""
        for attachment in self.attachments:
            if attachment.network == network:
                return str(ip_interface(attachment.addresses[0]).ip)
        raise TopologyError(f"{self.name} is not on {network}")


@dataclass(frozen=True, slots=True)
class Topology:
    """All of it. `names` are further lines for every host's /etc/hosts: address, names."""

    name: str
    networks: tuple[Network, ...]
    hosts: tuple[Host, ...]
    names: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse what could not be built. Raises `TopologyError`."""
        known = {network.name for network in self.networks}
        for network in self.networks:
            ip_network(network.prefix)
        for host in self.hosts:
            for attachment in host.attachments:
                if attachment.network not in known:
                    raise TopologyError(f"{host.name} is on {attachment.network}, which is not declared")
                if len(port(host.name, attachment.network)) > INTERFACE_NAME_LIMIT:
                    raise TopologyError(f"{port(host.name, attachment.network)} is too long for an interface's name")

    def host(self, name: str) -> Host:
        """By name. Raises `TopologyError` on an unknown one."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise TopologyError(f"there is no host {name} in {self.name}")


def port(host: str, network: str) -> str:
    """The name of the bridge's end of a host's cable."""
    return f"{host}.{network}"


def hardware_address(topology: Topology, host: str, network: str) -> str:
    """Locally administered, the same at every boot of the host, and readable in a packet dump."""
    networks = [one.name for one in topology.networks]
    hosts = [one.name for one in topology.hosts]
    return f"02:00:00:00:{networks.index(network):02x}:{hosts.index(host) + 1:02x}"


def hosts_file(topology: Topology, own: str) -> str:
    """/etc/hosts of every host: full names, and the short name on the first network the host is on."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    domains = {network.name: network.domain for network in topology.networks}
    for host in topology.hosts:
        for index, attachment in enumerate(host.attachments):
            names = f"{host.name}.{domains[attachment.network]}" + ("" if index else f" {host.name}")
            lines += [f"{ip_interface(address).ip} {names}" for address in attachment.addresses]
    lines += [f"{address} {names}" for address, names in topology.names]
    return f"# {own}, in topology {topology.name}\n" + "\n".join(lines) + "\n"


def switch_batch(topology: Topology) -> str:
    """`ip -batch` that makes the bridges, in the switch's own network namespace."""
    lines = []
    for network in topology.networks:
        lines.append(f"link add {network.name} type bridge mcast_snooping 0 forward_delay 0")
        lines.append(f"link set {network.name} up")
    return "\n".join(lines) + "\n"


def cable_batch(topology: Topology, host: Host, pid: int) -> str:
    """`ip -batch` for the switch: a cable from each of the host's networks into its namespace."""
    lines = []
    for attachment in host.attachments:
        end = port(host.name, attachment.network)
        address = hardware_address(topology, host.name, attachment.network)
        interface = host.interface(attachment.network)
        lines.append(f"link add {end} type veth peer name {interface} address {address} netns {pid}")
        lines.append(f"link set {end} master {attachment.network} up")
    return "\n".join(lines) + "\n"


def address_batch(host: Host) -> str:
    """`ip -batch` for the host itself: loopback, addresses, routes."""
    lines = [f"addr add {address} dev lo" for address in host.loopback]
    for attachment in host.attachments:
        interface = host.interface(attachment.network)
        for address in attachment.addresses:
            # No duplicate address detection: an IPv6 address would be unusable for a second.
            suffix = "nodad" if ":" in address else "brd +"
            lines.append(f"addr add {address} {suffix} dev {interface}")
        lines.append(f"link set {interface} up")
    lines += [f"route add {route}" for route in host.routes]
    return "\n".join(lines) + "\n"
