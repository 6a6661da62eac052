"""The configuration as the program sees it: frozen, complete, every default filled in. Pure.

Addresses are strings in canonical form (`ipaddress` compressed), times are seconds.
"""

from __future__ import annotations

import msgspec

from config.checks import Check
from config.pool_rules import PoolRules
from config.secret import Secret
from config.words import Forwarding, Initial, OnFailure, Protocol, SyncRole, TunnelChecksum, TunnelType

Argv = tuple[str, ...]
"""A program (absolute path) and its arguments; empty: none."""


class VirtualEndpoint(msgspec.Struct, frozen=True, gc=False, tag="endpoint"):
    """A virtual service's address, as clients use it."""

    protocol: Protocol
    address: str
    port: int


class FirewallMark(msgspec.Struct, frozen=True, gc=False, tag="fwmark"):
    """A virtual service by firewall mark; `ipv6` tells the family of the marked packets."""

    mark: int
    ipv6: bool = False


class Persistence(msgspec.Struct, frozen=True, gc=False):
    """Clients stay with their real server for `seconds`; `netmask` groups them (a prefix length).

    `engine`: the kernel's persistence engine (`sip`: calls stay together by Call-ID), empty for addresses alone.
    """

    seconds: int
    netmask: int
    engine: str = ""


class Tunnel(msgspec.Struct, frozen=True, gc=False):
    """How packets to a real server are encapsulated; `port` is GUE's (UDP)."""

    type: TunnelType = TunnelType.IPIP
    port: int = 0
    checksum: TunnelChecksum = TunnelChecksum.NONE


class RealServer(msgspec.Struct, frozen=True, gc=False):
    """A server behind a virtual service.

    It is up when `check` and all of `further_checks` are, or so many of them as are `needed` (0: all). `initial`: what
    is believed of it before its first verdict. Servers of a higher `priority_group` serve when too few of the lower
    do, see PoolRules. `on_failure` replaces the service's. `on_up` and `on_down` are commands to run when it enters and
    leaves service.
    """

    address: str
    port: int
    weight: int
    forwarding: Forwarding
    check: Check
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel: Tunnel = Tunnel()
    further_checks: tuple[Check, ...] = ()
    on_failure: OnFailure | None = None
    on_up: Argv = ()
    on_down: Argv = ()
    needed: int = 0
    initial: Initial = Initial.ADOPT
    priority_group: int = 1

    @property
    def checks(self) -> tuple[Check, ...]:
        """All its checks."""
        return (self.check, *self.further_checks)


class Mail(msgspec.Struct, frozen=True):
    """Who is told by mail when real servers of a service come and go.

    `smtp` is the host that takes the mail (`host` or `host:port`), None for the local sendmail. `repeat`: seconds
    between reminders of a server that stays down, 0 for none. `label` and `comment` go into the mail.
    `phases`: tell only while the service is `starting`, `running`, `stopping` or `reloading`.
    """

    to: tuple[str, ...]
    sender: str = ""
    smtp: str | None = None
    repeat: float = 0.0
    label: str = ""
    comment: str = ""
    phases: frozenset[str] = frozenset(("starting", "running", "stopping", "reloading"))


class VirtualService(msgspec.Struct, frozen=True, gc=False):
    """One virtual service. `flags` are the kernel's bits (config.words.SCHEDULER_FLAGS and 0x4 one-packet).

    With `fallback` servers, these serve alone when the weights of the healthy real servers sum up to less than
    `quorum - hysteresis` (or to nothing), until they sum up to `quorum + hysteresis` again. `on_quorum_up` and
    `on_quorum_down` are commands to run when that changes, also without fallback servers. `hooks_on_stop`: run
    `on_down` and `on_quorum_down` when lvsd stops. `monitor_file` gets one line for each outcome of a probe.
    `rules` hold for its real servers together.
    """

    name: str
    virtual: VirtualEndpoint | FirewallMark
    scheduler: str
    real_servers: tuple[RealServer, ...]
    flags: int = 0
    persistence: Persistence | None = None
    on_failure: OnFailure = OnFailure.REMOVE
    fallback: tuple[RealServer, ...] = ()  # without checks all serve while no real server does, else the first
    quorum: int = 1
    hysteresis: int = 0
    on_quorum_up: Argv = ()
    on_quorum_down: Argv = ()
    hooks_on_stop: bool = False
    mail: Mail | None = None
    monitor_file: str | None = None
    rules: PoolRules = PoolRules()


class VirtualAddress(msgspec.Struct, frozen=True):
    """An address VRRP moves, with its prefix length, on `interface` (the instance's unless said).

    One that is not `advertised` moves with the others without being named in advertisements.
    """

    address: str
    prefix_length: int
    interface: str
    advertised: bool = True


class GratuitousArp(msgspec.Struct, frozen=True):
    """Bursts of gratuitous ARP: `repeat` at once, again after `delay` s (0: none), one each `refresh` s (0: no)."""

    repeat: int = 5
    delay: float = 5.0
    refresh: float = 0.0


class Invertible(msgspec.Struct, frozen=True, kw_only=True):
    """`inverted`: what is said below to be good is bad (keepalived's `reverse`)."""

    inverted: bool = False


class Track(Invertible, frozen=True):
    """Something an instance's priority depends on.

    `weight` 0: the instance cannot run while it is bad. Above 0: so much is added while it is good; below 0: so much is
    taken off while it is bad.
    """

    weight: int = 0


class TrackedInterface(Track, frozen=True, tag="interface"):
    """Good while the interface is up and running."""

    name: str = ""


class TrackedScript(Track, frozen=True, tag="script"):
    """Good while the command ends with status 0 (`rise` and `fall` in a row). Seconds; no shell."""

    name: str = ""
    command: Argv = ()
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 1
    fall: int = 1
    user: str = ""


class TrackedFile(Track, frozen=True, tag="file"):
    """The number a file holds, times `weight` (0: any other number than 0 is bad), is added to the priority."""

    path: str = ""


class TrackedProcess(Track, frozen=True, tag="process"):
    """Good while at least `count` processes of that name run."""

    name: str = ""
    count: int = 1


class TrackedService(Track, frozen=True, tag="service"):
    """Good while the virtual service has its quorum here.

    `each` is taken off the priority for each real server whose checks fail. What would make this balancer yield, or
    take over, counts after `delay` seconds. Weight 0: the lowest priority rather than a fault, see
    lvsd.core.tracked_services.
    """

    name: str = ""
    delay: float = 3.0
    each: int = 0


class TrackedRoute(Track, frozen=True, tag="route"):
    """Good while the main table (or table `table`) holds a route to exactly this prefix (`default`: 0.0.0.0/0 or ::/0).

    `interface`, `gateway`: the route must go there; empty: anywhere. One whose next hop is down or dead does not count.
    """

    prefix: str = ""
    interface: str = ""
    gateway: str = ""
    table: int = 254


AnyTrack = TrackedInterface | TrackedScript | TrackedFile | TrackedProcess | TrackedService | TrackedRoute


class VrrpHooks(msgspec.Struct, frozen=True):
    """Commands to run when the role changes; `any` is told type, name, role and priority as keepalived tells them."""

    active: Argv = ()
    backup: Argv = ()
    fault: Argv = ()
    stop: Argv = ()
    any: Argv = ()


class VrrpInstance(msgspec.Struct, frozen=True):
    """One virtual router. `advertisement_interval` in seconds: whole ones in version 2, hundredths in version 3.

    `unicast_peers`: advertisements go to these addresses instead of the group. `source`: the address they come from,
    else the interface's first. `rfc_checksum`: version 3 over IPv4 without a pseudo header (RFC 9568) instead of
    keepalived's form; both are believed. `preempt_delay`: seconds to wait before taking over from a lower priority.
    Instances of one `sync_group` are active together or not at all. `virtual_mac`: addresses live on a macvlan
    interface of this name with the virtual router's MAC (RFC 9568 section 7.3), empty: on the interface itself.
    `accept`: packets to the addresses are taken though we do not own them (RFC 9568 section 6.1, Accept_Mode).
    `track_interface`: the instance cannot run while `interface` is down.
    """

    name: str
    interface: str
    virtual_router_id: int
    priority: int
    version: int
    addresses: tuple[VirtualAddress, ...]
    advertisement_interval: float = 1.0
    password: Secret | None = None
    preempt: bool = True
    gratuitous_arp: GratuitousArp = GratuitousArp()
    unicast_peers: tuple[str, ...] = ()
    source: str = ""
    rfc_checksum: bool = False
    preempt_delay: float = 0.0
    sync_group: str = ""
    tracks: tuple[AnyTrack, ...] = ()
    hooks: VrrpHooks = VrrpHooks()
    virtual_mac: str = ""
    accept: bool = True
    track_interface: bool = True

    @property
    def ipv6(self) -> bool:
        """Whether it moves IPv6 addresses: those it advertises are all of one family."""
        return any(":" in one.address for one in self.addresses if one.advertised)


class VrrpGroup(msgspec.Struct, frozen=True):
    """Commands for a sync group's role, which is its members' when they agree."""

    name: str
    hooks: VrrpHooks = VrrpHooks()


class Peering(msgspec.Struct, frozen=True):
    """How balancers look at each other: addresses and ports; `listen` is our own, None: nobody may look at us."""

    secret: Secret
    listen: tuple[str, int] | None = None
    peers: tuple[tuple[str, int], ...] = ()


class Daemon(msgspec.Struct, frozen=True):
    """Settings of the processes themselves.

    `autoreload`: a changed configuration file is taken over by itself. `on_config_change`: a command run, with the
    file's path as its last argument, when a file's content changed. `maintenance_directory`: a file named after a real
    server there (`address` or `address:port`) takes it out of service. `command_user`: whom the commands of hooks run
    as. `notify_fifo`, `lvs_notify_fifo`: pipes that get a line for each role of VRRP, and for each real server and
    quorum that comes or goes. `workers`: checker workers, 0: as many as the checks and the machine have use for.
    `probes_per_host`: how many probes may run against one address at once.
    """

    clear_table_on_stop: bool = False
    checker_user: str = "nobody"
    autoreload: bool = False
    on_config_change: Argv = ()
    maintenance_directory: str | None = None
    command_user: str = "root"
    peer: Peering | None = None
    notify_fifo: str | None = None
    lvs_notify_fifo: str | None = None
    workers: int = 0
    probes_per_host: int = 32


class Timeouts(msgspec.Struct, frozen=True):
    """The kernel's connection timeouts, in seconds; 0 leaves one as it is."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


class ConnectionSync(msgspec.Struct, frozen=True):
    """The kernel's connection sync daemons, so that established connections survive a failover.

    `instance` is the VRRP instance that SyncRole.FOLLOW follows. Zeros and empty texts are the kernel's defaults.
    """

    interface: str
    role: SyncRole
    instance: str = ""
    sync_id: int = 0
    max_length: int = 0
    group: str = ""
    port: int = 0
    ttl: int = 0


class Ipvs(msgspec.Struct, frozen=True):
    """Settings of the kernel's IPVS as a whole; what is not said (None) is left as it is.

    The last four are sysctls of net.ipv4.vs: `expire_nodest_conn` ends the connections of a real server that was
    removed at once, `expire_quiescent_template` the persistence of one at weight 0; `conn_reuse_mode` and `sloppy_tcp`
    as the kernel's documentation has them (ipvs-sysctl.rst).
    """

    timeouts: Timeouts | None = None
    sync: ConnectionSync | None = None
    expire_nodest_conn: bool | None = None
    expire_quiescent_template: bool | None = None
    conn_reuse_mode: int | None = None
    sloppy_tcp: bool | None = None


class Config(msgspec.Struct, frozen=True):
    """A whole configuration."""

    services: tuple[VirtualService, ...] = ()
    vrrp: tuple[VrrpInstance, ...] = ()
    daemon: Daemon = Daemon()
    ipvs: Ipvs = Ipvs()
    vrrp_groups: tuple[VrrpGroup, ...] = ()
