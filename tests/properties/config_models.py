"""Configurations as the loader makes them: whatever lvsd.yaml can say, and what others' files are read to."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from msgspec.structs import replace

from config.checks import (
    AgentCheck,
    AnyCheck,
    Check,
    Credentials,
    Dial,
    DnsCheck,
    Expect,
    ExternalCheck,
    FollowCheck,
    FtpCheck,
    Galera,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    NntpCheck,
    NoCheck,
    NtpCheck,
    PgsqlCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    RedisCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    SynCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.model import (
    AnyTrack,
    Config,
    ConnectionSync,
    Daemon,
    FirewallMark,
    GratuitousArp,
    Ipvs,
    Mail,
    Persistence,
    RealServer,
    Timeouts,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
    Tunnel,
    VirtualAddress,
    VirtualEndpoint,
    VirtualService,
    VrrpGroup,
    VrrpHooks,
    VrrpInstance,
)
from config.pool_rules import (
    Amount,
    CorrelatedFailure,
    Floor,
    FloorAction,
    HoldDown,
    LatencyWeights,
    Passive,
    PassiveAction,
    PoolRules,
)
from config.secret import Secret
from config.words import (
    HASHING_SCHEDULERS,
    SCHEDULERS,
    WEIGHING_SCHEDULERS,
    Forwarding,
    Initial,
    OnFailure,
    Protocol,
    SyncRole,
    TunnelChecksum,
    TunnelType,
)

PRINTABLE: Final = st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")
TEXTS = st.text(PRINTABLE, max_size=12) | st.sampled_from(
    ["no", "1", "1.5", "~", "null", "a: b", "# x", "x #y", "-", "- a", "'", '"', "\\d+ 'x'", "[a]", "{a}", "&a", "*a",
     "!a", "|", ">", "%a", "@a", "`a", "a,b", "12:30", " a", "a ", "---", "...", "?", "? a", "=", "<<", "0x1f", ".5"],
)  # fmt: skip
LINES = TEXTS | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" \n\t"))
ARGV = st.lists(TEXTS, max_size=3).map(lambda rest: ("/bin/x", *rest))
MAYBE_ARGV = st.just(()) | ARGV
PATHS = st.sampled_from(["/etc/x", "/a b/'c'", "/1"])
CREDENTIALS = st.builds(Credentials, TEXTS, TEXTS.map(Secret))
EXPECT = st.builds(Expect, text=LINES) | st.builds(Expect, regex=st.sampled_from(["a+", "\\d 'x'", "a\nb"])) | st.just(
    Expect()
)  # fmt: skip
HOSTS = st.sampled_from(["www.example.net", "1.1.1.1", "a_b"])
TLS = st.builds(Tls, st.none() | HOSTS, st.booleans())
BYTES = st.binary(max_size=8) | TEXTS.map(str.encode)
RANGES = st.lists(
    st.tuples(st.integers(100, 599), st.integers(100, 599)).map(lambda pair: (min(pair), max(pair))),
    min_size=1, max_size=3,
).map(tuple)  # fmt: skip


WEB = {
    "path": st.sampled_from(["/", "/x?y=1&z", "/ü", "/#"]),
    "method": st.sampled_from(["GET", "OPTIONS"]),
    "virtual_host": st.none() | st.sampled_from(["www.example.net", "www.example.net:8080", "[::1]:80"]),
    "status": RANGES,
    "expect": EXPECT,
    "digest": st.none() | st.just("0123456789abcdef" * 2),
}
SQL = {"credentials": CREDENTIALS, "query": LINES, "database": st.none() | TEXTS, "expect": EXPECT}
MAIL = {"mode": st.sampled_from(TlsMode), "tls": TLS, "credentials": st.none() | CREDENTIALS}
ROLES = st.sampled_from(["", "master", "slave"])
KINDS: st.SearchStrategy[AnyCheck] = st.one_of(
    st.just(NoCheck()),
    st.just(TcpCheck()),
    st.just(NntpCheck()),
    st.builds(HttpCheck, tls=st.none() | TLS, **WEB),
    st.builds(HttpCheck, proxy_url=st.just("http://a/b"), **(WEB | {"path": st.just("/")})),
    st.builds(MysqlCheck, galera=st.none() | st.sampled_from(Galera), **SQL),
    st.builds(PgsqlCheck, **SQL),
    st.builds(ImapCheck, **MAIL),
    st.builds(PopCheck, **MAIL),
    st.builds(SmtpCheck, helo=HOSTS, **MAIL),
    st.builds(LdapCheck, base=st.none() | TEXTS, expect=EXPECT, **MAIL),
    st.builds(FtpCheck, CREDENTIALS, st.none() | TEXTS, EXPECT),
    st.builds(
        DnsCheck, st.sampled_from([".", "example.net", "1.in-addr.arpa"]), st.sampled_from(["A", "NS", "SOA"]), EXPECT,
        st.booleans(), st.booleans(),
    ),
    st.builds(RadiusCheck, CREDENTIALS, TEXTS.map(Secret)),
    st.builds(SipCheck, st.sampled_from(["lvsd", "a@b", "1"]), st.booleans()),
    st.builds(SimpleTcpCheck, BYTES, EXPECT, st.booleans()),
    st.builds(
        UdpCheck, BYTES, EXPECT, st.booleans(), st.none() | st.sampled_from(["0x", "12", "ff"]),
        st.none() | st.sampled_from([(0, 0), (1, 2), (5, 5)]),
    ),
    st.builds(PingCheck, st.integers(1, 20)),
    st.builds(ExternalCheck, ARGV, st.booleans()),
    st.builds(RedisCheck, credentials=st.none() | CREDENTIALS, role=ROLES),
    st.builds(RedisCheck, st.just(TlsMode.IMPLICIT), TLS, st.none() | CREDENTIALS, ROLES),
    st.builds(NtpCheck, st.integers(1, 15)),
    st.builds(AgentCheck, LINES),
    st.just(SynCheck()),
)  # fmt: skip
SECONDS = st.sampled_from([0.1, 0.123456, 1.0, 1.5, 2.123456, 5.0, 60.0, 61.0, 3600.0, 86400.0])
TIMINGS = st.builds(
    Timing, SECONDS, SECONDS.filter(lambda one: one <= 3600), st.integers(1, 3), st.integers(1, 3),
    st.none() | SECONDS, st.integers(0, 2), st.none() | SECONDS,
)  # fmt: skip
DIALS = st.just(Dial()) | st.builds(
    Dial, st.sampled_from(["", "10.9.9.9", "fd00::9"]), st.sampled_from([0, 1, 2**32 - 1]), st.integers(0, 2)
)
ADDRESSES = {False: ["1.1.1.15", "1.1.1.16", "10.0.0.1"], True: ["2001:db8::15", "::1", "fd00::1"]}
CHECKS = st.builds(
    Check, KINDS, st.sampled_from([Timing(), Timing(fall=1)]) | TIMINGS, st.none() | st.integers(1, 65535),
    st.none() | st.sampled_from(ADDRESSES[False]), DIALS,
)  # fmt: skip


def fitting(check: Check, address: str, weight: int = 1) -> Check:
    """The check as a real server of this address and weight may have it."""
    kind, dial, port = check.kind, check.dial, check.port
    source = dial.source if (":" in dial.source) == (":" in (check.address or address)) else ""
    match kind:
        case AgentCheck():
            kind, port = AgentCheck(kind.send, weight), port or 9999
        case NoCheck() | ExternalCheck():
            dial, source = Dial(), ""
        case PingCheck() | UdpCheck() | RadiusCheck() | NtpCheck() | SynCheck():
            dial = Dial(mark=dial.mark)
        case DnsCheck(tcp=False) | SipCheck(tcp=False):
            dial = Dial(mark=dial.mark)
        case _:
            pass
    return Check(kind, check.timing, port, check.address, Dial(source, dial.mark, dial.proxy_protocol))


TUNNELS = st.one_of(
    st.just(Tunnel()),
    st.builds(Tunnel, st.just(TunnelType.GUE), st.integers(1, 65535), st.sampled_from(TunnelChecksum)),
    st.builds(
        Tunnel, st.just(TunnelType.GRE), st.just(0), st.sampled_from([TunnelChecksum.NONE, TunnelChecksum.CHECKSUM])
    ),
)
MAILS = st.builds(
    Mail, st.lists(st.sampled_from(["root", "a@example.net"]), min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(["", "x@y"]), st.none() | st.sampled_from(["mx", "mx:25", "[::1]:25"]),
    st.sampled_from([0.0, 1.0, 3600.0]), TEXTS, LINES,
    st.frozensets(st.sampled_from(sorted(Mail(()).phases))),
)  # fmt: skip


@st.composite
def real_servers(draw: st.DrawFn, port: int, pool: list[Check], *, ipv6: bool, mark: bool) -> tuple[RealServer, ...]:
    """Real servers of one service; with checks that are often alike."""
    addresses = draw(st.lists(st.sampled_from(ADDRESSES[ipv6]), max_size=3, unique=True))
    return tuple(draw(real_server(address, port, pool, mark=mark)) for address in addresses)


@st.composite
def real_server(draw: st.DrawFn, address: str, port: int, pool: list[Check], *, mark: bool) -> RealServer:
    forwarding = draw(st.sampled_from(Forwarding))
    other_port = mark or (forwarding is Forwarding.MASQUERADE and port)
    checks = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2))
    upper = draw(st.integers(0, 3))
    own_port = draw(st.integers(1, 65535)) if other_port and draw(st.booleans()) else port
    if own_port == 0 == port:
        checks = [Check(one.kind, one.timing, one.port or 80, one.address, one.dial) for one in checks]
    weight = draw(st.integers(0, 3))
    checks = [fitting(one, address, weight) for one in checks]
    return RealServer(
        address=address,
        port=own_port,
        weight=weight,
        forwarding=forwarding,
        check=checks[0],
        upper_threshold=upper,
        lower_threshold=draw(st.integers(0, upper)),
        tunnel=draw(TUNNELS) if forwarding is Forwarding.TUNNEL else Tunnel(),
        further_checks=tuple(checks[1:]),
        on_failure=draw(st.none() | st.sampled_from(OnFailure)),
        on_up=draw(MAYBE_ARGV),
        on_down=draw(MAYBE_ARGV),
        needed=draw(st.integers(0, len(checks))),
        initial=draw(st.sampled_from(Initial)),
        priority_group=draw(st.integers(1, 3)),
    )


AMOUNTS = st.builds(Amount, st.integers(1, 100), st.booleans())


@st.composite
def rules(draw: st.DrawFn, scheduler: str, *, real_servers: int, fallback: bool) -> PoolRules:
    """Rules that do not contradict the rest of the service."""
    hashed, weighing = scheduler in HASHING_SCHEDULERS, scheduler in WEIGHING_SCHEDULERS
    minimum, restored = draw(AMOUNTS), draw(st.none() | AMOUNTS)
    if restored is not None and restored.of(real_servers) < minimum.of(real_servers):
        restored = None
    other = FloorAction.SORRY if fallback else FloorAction.WITHDRAW
    action = draw(st.sampled_from([FloorAction.KEEP, FloorAction.FAIL_OPEN, other]))
    first = draw(st.sampled_from([1.0, 10.0, 1200.0]))
    hold_down = HoldDown(first, max(first, draw(st.sampled_from([60.0, 600.0]))), draw(st.sampled_from([60.0, 1800.0])))
    correlated = st.builds(CorrelatedFailure, st.integers(1, 100), st.integers(1, 100))
    slow = st.builds(LatencyWeights, st.integers(1, 100), st.integers(100, 1000))
    return PoolRules(
        floor=draw(st.sampled_from([None, Floor(minimum, action, restored)])),
        correlated_failure=draw(st.none() | st.just(CorrelatedFailure()) | correlated),
        slow_start=0.0 if hashed else draw(st.sampled_from([0.0, 30.5])),
        hold_down=draw(st.sampled_from([None, hold_down])),
        manual_resume=draw(st.booleans()),
        group_minimum=draw(AMOUNTS),
        passive=draw(
            st.none()
            | st.builds(Passive, st.integers(1, 20), st.sampled_from([1.0, 5.0]), st.sampled_from(PassiveAction))
        ),
        latency_weights=draw(st.none() | slow) if weighing else None,
    )


@st.composite
def services(draw: st.DrawFn, name: str, number: int, pool: list[Check], mail: Mail | None) -> VirtualService:
    """A service whose virtual address is that of no other `number`."""
    ipv6, mark = draw(st.booleans()), draw(st.booleans())
    protocol = draw(st.sampled_from(Protocol))
    persistence = None
    if draw(st.booleans()):
        engine = "sip" if (mark or protocol is Protocol.UDP) and draw(st.booleans()) else ""
        netmask = draw(st.sampled_from([1, 24, 32] + ([64, 128] if ipv6 else [])))
        persistence = Persistence(draw(st.integers(1, 86400)), netmask, engine)
    port = 0 if persistence and draw(st.booleans()) else number + 1
    address = f"2001:db8::a:{number}" if ipv6 else f"1.1.2.{number}"
    virtual = FirewallMark(number + 1, ipv6) if mark else VirtualEndpoint(protocol, address, port)
    reals = draw(real_servers(0 if mark else port, pool, ipv6=ipv6, mark=mark))
    quorum = draw(st.integers(1, 3))
    flags = draw(st.sampled_from([0, 0x8, 0x10, 0x38])) | (0x4 if mark or protocol is Protocol.UDP else 0)
    scheduler = draw(st.sampled_from(SCHEDULERS))
    fallback = () if mark else draw(fallbacks(port, pool, ipv6=ipv6))
    return VirtualService(
        name=name,
        virtual=virtual,
        scheduler=scheduler,
        real_servers=reals,
        flags=flags,
        persistence=persistence,
        on_failure=draw(st.sampled_from(OnFailure)),
        fallback=fallback,
        quorum=quorum,
        hysteresis=draw(st.integers(0, quorum - 1)),
        on_quorum_up=draw(MAYBE_ARGV),
        on_quorum_down=draw(MAYBE_ARGV),
        hooks_on_stop=draw(st.booleans()),
        mail=mail,
        monitor_file=draw(st.none() | PATHS),
        rules=draw(rules(scheduler, real_servers=len(reals), fallback=bool(fallback))),
    )


@st.composite
def fallbacks(draw: st.DrawFn, port: int, pool: list[Check], *, ipv6: bool) -> tuple[RealServer, ...]:
    address = "2001:db8::f" if ipv6 else "1.1.3.1"
    forwarding = draw(st.sampled_from(Forwarding))
    on_failure = draw(st.none() | st.sampled_from(OnFailure))
    weight = draw(st.integers(0, 2))
    checks = [fitting(one, address, weight) for one in draw(st.lists(st.sampled_from(pool), max_size=2))]
    if port == 0:
        checks = [replace(one, port=one.port or 80) for one in checks]
    first, *further = checks or [Check(NoCheck())]
    server = RealServer(
        address,
        port,
        weight,
        forwarding,
        first,
        on_failure=on_failure,
        further_checks=tuple(further),
        needed=draw(st.integers(0, 1 + len(further))),
    )
    return draw(st.sampled_from([(), (server,)]))


DAEMONS = st.builds(
    Daemon, st.booleans(), st.sampled_from(["nobody", "_lvsd"]), st.booleans(), MAYBE_ARGV, st.none() | PATHS,
    st.sampled_from(["root", "hooks"]), st.none(), st.none() | PATHS, st.none() | PATHS, st.integers(0, 64),
    st.sampled_from([1, 32, 10000]),
)  # fmt: skip
TIMEOUTS = st.builds(Timeouts, st.integers(0, 86401), st.integers(0, 2), st.integers(0, 2147483))
SYNCS = st.builds(
    ConnectionSync, st.just("eth1"), st.sampled_from([SyncRole.MASTER, SyncRole.BACKUP, SyncRole.BOTH]), st.just(""),
    st.integers(0, 255), st.integers(0, 2000), st.sampled_from(["", "224.0.0.82"]), st.integers(0, 65535),
    st.integers(0, 255),
)  # fmt: skip
TRACKS = st.one_of(
    st.builds(TrackedInterface, st.integers(-253, 253), st.just("eth1"), inverted=st.booleans()),
    st.builds(
        TrackedScript, st.integers(-253, 253), st.sampled_from(["x", "other"]), ARGV, st.sampled_from([1.0, 2.5]),
        st.sampled_from([1.0, 2.5, 3.0]), st.integers(1, 2), st.integers(1, 2), st.sampled_from(["", "root"]),
        inverted=st.booleans(),
    ),
    st.builds(TrackedFile, st.integers(-253, 253), PATHS, inverted=st.booleans()),
    st.builds(
        TrackedProcess, st.integers(-253, 253), st.sampled_from(["nginx", "1"]), st.integers(1, 2),
        inverted=st.booleans(),
    ),
    st.builds(
        TrackedRoute, st.integers(-253, 253), st.sampled_from(["0.0.0.0/0", "10.0.0.0/8"]),
        st.sampled_from(["", "eth1"]), st.sampled_from(["", "10.0.0.1", "fe80::1"]),
        st.sampled_from([1, 254, 2**32 - 1]),
        inverted=st.booleans(),
    ),
    st.builds(
        TrackedRoute, st.just(0), st.sampled_from(["::/0", "2001:db8::/32"]), st.just(""),
        st.sampled_from(["", "fe80::1"]),
    ),
)  # fmt: skip


def tracks(service: str) -> st.SearchStrategy[tuple[AnyTrack, ...]]:
    """What an instance may depend on, an existing service among it."""
    delays = st.sampled_from([0.0, 3.0, 4.5])
    served = st.builds(
        TrackedService, st.integers(-253, 253), st.just(service), delays, st.integers(0, 2), inverted=st.booleans()
    )
    return st.lists(TRACKS | served, max_size=2).map(tuple)


HOOKS = st.builds(VrrpHooks, MAYBE_ARGV, MAYBE_ARGV, MAYBE_ARGV, MAYBE_ARGV, MAYBE_ARGV)
GROUPS = st.lists(
    st.builds(VrrpGroup, st.sampled_from(["no", "G1"]), HOOKS), max_size=2, unique_by=lambda one: one.name
).map(tuple)


@st.composite
def instances(draw: st.DrawFn, name: str, number: int, service: str) -> VrrpInstance:
    """An instance whose addresses and id are those of no other `number`."""
    version = draw(st.sampled_from([2, 3]))
    ipv6 = version != 2 and draw(st.booleans())
    first = f"2001:db8::b:{number}" if ipv6 else f"1.1.4.{number}"
    addresses = [VirtualAddress(first, draw(st.integers(1, 32)), draw(st.sampled_from(["eth0", "eth9"])))]
    if draw(st.booleans()):
        addresses.append(VirtualAddress(f"2001:db8::c:{number}", 64, "eth0", advertised=False))
    preempt = draw(st.booleans())
    return VrrpInstance(
        name=name,
        interface="eth0",
        virtual_router_id=number + 1,
        priority=draw(st.sampled_from([1, 100, 254])),
        version=version,
        addresses=tuple(addresses),
        advertisement_interval=draw(st.sampled_from([1.0, 2.0] + ([0.01, 1.25] if version != 2 else []))),
        password=draw(st.none() | st.sampled_from(["1234", "a b"]).map(Secret)) if version == 2 else None,
        preempt=preempt,
        gratuitous_arp=draw(
            st.builds(GratuitousArp, st.integers(1, 9), st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 60.0]))
        ),
        unicast_peers=draw(st.sampled_from([(), ("2001:db8::d",) if ipv6 else ("1.1.5.1", "1.1.5.2")])),
        source=draw(st.sampled_from(["", "2001:db8::e" if ipv6 else "1.1.5.3"])),
        rfc_checksum=draw(st.booleans()),
        preempt_delay=draw(st.sampled_from([0.0, 5.0])) if preempt else 0.0,
        sync_group=draw(st.sampled_from(["", "no", "G1"])),
        tracks=draw(tracks(service)),
        hooks=draw(HOOKS),
        virtual_mac=draw(st.sampled_from(["", f"vrrp{'6' if ipv6 else ''}.{number + 1}", f"vip{number}"])),
        accept=draw(st.booleans()),
        track_interface=draw(st.booleans()),
    )


NAMES = st.lists(
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,8}", fullmatch=True) | st.sampled_from(["no", "1", "12:30", "1e3"]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


@st.composite
def following(draw: st.DrawFn, found: tuple[VirtualService, ...]) -> tuple[VirtualService, ...]:
    """Some real servers are as healthy as those of the same address in a service before."""
    services_: list[VirtualService] = []
    for service in found:
        servers = []
        for real in service.real_servers:
            pairs = [(one.name, other.port) for one in services_ for other in one.real_servers
                     if other.address == real.address]  # fmt: skip
            follows = draw(st.booleans())
            if pairs and follows:
                name, port = draw(st.sampled_from(pairs))
                check = Check(FollowCheck(name), port=draw(st.sampled_from([None, port])) or None)
                servers.append(replace(real, check=check))
            else:
                servers.append(real)
        services_.append(replace(service, real_servers=tuple(servers)))
    return tuple(services_)


SWITCHES = st.none() | st.booleans()


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration with at least one service."""
    pool = draw(st.lists(CHECKS, min_size=1, max_size=3))
    mail = draw(MAILS)
    choices: list[list[Mail | None]] = [[None], [mail], [None, mail]]
    mails = draw(st.sampled_from(choices))
    found = tuple(
        draw(services(name, number, pool, mails[number % len(mails)])) for number, name in enumerate(draw(NAMES))
    )
    found = draw(following(found))
    routers = tuple(
        draw(instances(name, number, found[0].name)) for number, name in enumerate(draw(st.just([]) | NAMES))
    )
    reuse = st.none() | st.integers(0, 3)
    ipvs = draw(st.builds(Ipvs, st.none() | TIMEOUTS, st.none() | SYNCS, SWITCHES, SWITCHES, reuse, SWITCHES))
    return Config(found, routers, draw(DAEMONS), ipvs, draw(GROUPS))
