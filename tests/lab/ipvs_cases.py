"""Services as lvsd.yaml says them, and the ipvsadm commands that mean the same. Data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.words import SCHEDULERS

UNBUILT = ("twos",)  # Linux 6.1 as Debian builds it for User-Mode Linux has no such module
BUILT = tuple(name for name in SCHEDULERS if name not in UNBUILT)
REALS = "real_servers: [192.0.2.11, 192.0.2.12]"
VIP, VIP6 = "192.0.2.100:80", "[2001:db8::100]:80"
DR4 = [f"-a -t {VIP} -r 192.0.2.{host}:80 -g -w 1" for host in (11, 12)]


@dataclass(frozen=True)
class Case:
    """A service in lvsd.yaml, and what a person would have typed."""

    yaml: str
    ipvsadm: Sequence[str]


def web(more: str, options: str, scheduler: str = "wrr") -> Case:
    """A service of two real servers with something more."""
    return Case(f'virtual: "{VIP}", {more}, {REALS}', [f"-A -t {VIP} -s {scheduler} {options}", *DR4])


def one(virtual: str, real: str, service: str, destination: str) -> Case:
    """A service of one real server: the service's options without its scheduler, then the real server's."""
    return Case(f"{virtual}, real_servers: [{{{real}}}]", [f"-A {service} -s wrr", f"-a {service} {destination}"])


def tunnel(said: str, options: str) -> Case:
    return one(
        f'virtual: "{VIP}", forwarding: tunnel, tunnel: {said}',
        "address: 192.0.2.11",
        f"-t {VIP}",
        f"-r 192.0.2.11:80 -i -w 1 {options}",
    )


V4 = f'virtual: "{VIP}"'
V6 = f'virtual: "{VIP6}"'
R6 = "address: '2001:db8::11'"
CASES = {
    **{f"scheduler {name}": web(f"scheduler: {name}, flags: []", "", name) for name in BUILT},
    "sh by default": web("scheduler: sh", "-b sh-fallback", "sh"),
    "mh by default": web("scheduler: mh", "-b mh-fallback", "mh"),
    "sh-port": web("scheduler: sh, flags: [sh-port]", "-b sh-port", "sh"),
    "sh both": web("scheduler: sh, flags: [sh-fallback, sh-port]", "-b sh-fallback,sh-port", "sh"),
    "mh-port": web("scheduler: mh, flags: [mh-port]", "-b mh-port", "mh"),
    "mh both": web("scheduler: mh, flags: [mh-fallback, mh-port]", "-b mh-fallback,mh-port", "mh"),
    "all flags": web("scheduler: rr, flags: [flag-1, flag-2, flag-3]", "-b flag-1,flag-2,flag-3", "rr"),
    "persistence": web("persistence: 10m", "-p 600"),
    "persistence by network": web("persistence: {timeout: 5m, netmask: 24}", "-p 300 -M 255.255.255.0"),
    "IPv6 persistence by network": Case(
        f"{V6}, persistence: {{timeout: 5m, netmask: 64}}, real_servers: ['2001:db8::11']",
        [f"-A -t {VIP6} -s wrr -p 300 -M 64", f"-a -t {VIP6} -r [2001:db8::11]:80 -g -w 1"],
    ),
    "every port": Case(
        "virtual: '192.0.2.100:0', persistence: 5m, check: {type: none}, real_servers: [192.0.2.11]",
        ["-A -t 192.0.2.100:0 -s wrr -p 300", "-a -t 192.0.2.100:0 -r 192.0.2.11:0 -g -w 1"],
    ),
    "sip engine": Case(
        "virtual: '192.0.2.100:5060', protocol: udp, "
        "persistence: {timeout: 5m, engine: sip}, real_servers: [192.0.2.11]",
        ["-A -u 192.0.2.100:5060 -s wrr -p 300 --pe sip", "-a -u 192.0.2.100:5060 -r 192.0.2.11:5060 -g -w 1"],
    ),
    "one packet": Case(
        "virtual: '192.0.2.100:53', protocol: udp, one_packet: true, real_servers: [192.0.2.11]",
        ["-A -u 192.0.2.100:53 -s wrr --ops", "-a -u 192.0.2.100:53 -r 192.0.2.11:53 -g -w 1"],
    ),
    "udp": one(
        "virtual: '192.0.2.100:53', protocol: udp",
        "address: 192.0.2.11",
        "-u 192.0.2.100:53",
        "-r 192.0.2.11:53 -g -w 1",
    ),
    "sctp": one(
        "virtual: '192.0.2.100:2905', protocol: sctp",
        "address: 192.0.2.11",
        "--sctp-service 192.0.2.100:2905",
        "-r 192.0.2.11:2905 -g -w 1",
    ),
    "tcp6": one(V6, R6, f"-t {VIP6}", "-r [2001:db8::11]:80 -g -w 1"),
    "udp6": one(f"{V6}, protocol: udp", R6, f"-u {VIP6}", "-r [2001:db8::11]:80 -g -w 1"),
    "sctp6": one(f"{V6}, protocol: sctp", R6, f"--sctp-service {VIP6}", "-r [2001:db8::11]:80 -g -w 1"),
    "fwmark": one("fwmark: 7", "address: 192.0.2.11", "-f 7", "-r 192.0.2.11:0 -g -w 1"),
    "fwmark6": one("fwmark: 7, family: ipv6", R6, "-f 7 -6", "-r [2001:db8::11]:0 -g -w 1"),
    "great fwmark": one("fwmark: 2147483647", "address: 192.0.2.11", "-f 2147483647", "-r 192.0.2.11:0 -g -w 1"),
    "fwmark, one packet": Case(
        "fwmark: 7, one_packet: true, real_servers: [192.0.2.11]",
        ["-A -f 7 -s wrr --ops", "-a -f 7 -r 192.0.2.11:0 -g -w 1"],
    ),
    "fwmark, direct to another port": one(
        "fwmark: 7", "address: 192.0.2.11, port: 8080", "-f 7", "-r 192.0.2.11:8080 -g -w 1"
    ),
    "masquerade to another port": one(
        f"{V4}, forwarding: masquerade", "address: 192.0.2.11, port: 8080", f"-t {VIP}", "-r 192.0.2.11:8080 -m -w 1"
    ),
    "thresholds": one(
        V4,
        "address: 192.0.2.11, upper_threshold: 9, lower_threshold: 3",
        f"-t {VIP}",
        "-r 192.0.2.11:80 -g -w 1 -x 9 -y 3",
    ),
    "weights": Case(
        f"{V4}, real_servers: [{{address: 192.0.2.11, weight: 65535}}, {{address: 192.0.2.12, weight: 0}}]",
        [f"-A -t {VIP} -s wrr", f"-a -t {VIP} -r 192.0.2.11:80 -g -w 65535", f"-a -t {VIP} -r 192.0.2.12:80 -g -w 0"],
    ),
    "ipip": tunnel("ipip", "--tun-type ipip"),
    "gre": tunnel("gre", "--tun-type gre --tun-nocsum"),
    "gre with checksum": tunnel("{type: gre, checksum: checksum}", "--tun-type gre --tun-csum"),
    "gue": tunnel("{type: gue, port: 6080}", "--tun-type gue --tun-port 6080 --tun-nocsum"),
    "gue with checksum": tunnel(
        "{type: gue, port: 6080, checksum: checksum}", "--tun-type gue --tun-port 6080 --tun-csum"
    ),
    "gue with remote checksum": tunnel(
        "{type: gue, port: 6080, checksum: remote}", "--tun-type gue --tun-port 6080 --tun-remcsum"
    ),
    "IPv6 behind IPv4": one(f"{V4}, forwarding: tunnel", R6, f"-t {VIP}", "-r [2001:db8::11]:80 -i -w 1"),
    "IPv4 behind IPv6": one(
        f"{V6}, forwarding: tunnel", "address: 192.0.2.11", f"-t {VIP6}", "-r 192.0.2.11:80 -i -w 1"
    ),
    "IPv6 behind an IPv4 mark": one("fwmark: 7, forwarding: tunnel", R6, "-f 7", "-r [2001:db8::11]:0 -i -w 1"),
}
