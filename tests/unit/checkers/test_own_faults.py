"""What this machine lacks is never a real server's fault, whichever way a check is run."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Inconclusive, Outcome, Reason, Unhealthy
from checkers.lean.way import lean
from checkers.probes.attempt import Finding, attempt
from checkers.probes.failures import OUT_OF_MEANS, OWN_ERRORS, OWN_ERRORS_AT_ONCE, Stage, outcome_of
from checkers.probes.registry import PROBES, load
from config.checks import (
    AgentCheck,
    AnyCheck,
    Credentials,
    DnsCheck,
    Expect,
    ExternalCheck,
    FollowCheck,
    FtpCheck,
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
from config.secret import Secret
from tests.unit.checkers import servers
from tests.unit.lean.test_lean_watch import a_world, check, until

LOGIN = Credentials("monitor", Secret("open sesame"))
ALL: list[AnyCheck] = [
    TcpCheck(),
    HttpCheck(),
    HttpCheck(tls=Tls()),
    HttpCheck(path="/%7e"),
    MysqlCheck(LOGIN),
    ImapCheck(),
    ImapCheck(credentials=LOGIN),
    ImapCheck(mode=TlsMode.STARTTLS),
    PopCheck(),
    PopCheck(credentials=LOGIN),
    SmtpCheck(),
    SmtpCheck(mode=TlsMode.STARTTLS),
    ExternalCheck(("/bin/true",)),
    UdpCheck(),
    DnsCheck(),
    DnsCheck(tcp=True),
    LdapCheck(),
    LdapCheck(mode=TlsMode.IMPLICIT),
    FtpCheck(LOGIN),
    NntpCheck(),
    PgsqlCheck(LOGIN),
    RadiusCheck(LOGIN, Secret("hush")),
    SipCheck(),
    SipCheck(tcp=True),
    SimpleTcpCheck(),
    SimpleTcpCheck(expect=Expect(regex="x")),
    RedisCheck(),
    NtpCheck(),
    AgentCheck(),
]
NO_DESCRIPTOR_NEEDED = {NoCheck, FollowCheck, PingCheck, SynCheck}  # of its own; the shared ones are open already


def named(check: AnyCheck) -> str:
    return f"{type(check).__name__}-{ALL.index(check)}"


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Until the end of the block nothing more can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(2))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def found(check: AnyCheck, port: int) -> list[Outcome]:
    """By the library's way, then by the lean one where that runs it."""
    for kind in PROBES:
        load(kind)
    assigned = AssignedCheck("a", Target(servers.HOST, port), check, Timing(timeout=5.0))
    findings: list[Finding] = []
    async with a_world() as world:
        with no_descriptors():
            await attempt(assigned, findings.append)
            if not lean(assigned):
                return [one.outcome for one in findings]
            world.watch.assign([assigned])
            await until(lambda: world.probes() > 0)
        return [*(one.outcome for one in findings), world.verdict().outcome]


async def prepared() -> None:
    """What a loop opens once, it opens before."""
    await servers.find(TcpCheck(), servers.closed_port())


@pytest.mark.parametrize("check", ALL, ids=named)
async def test_without_a_descriptor_nothing_is_found_out(check: AnyCheck) -> None:
    await prepared()
    async with servers.serving(servers.silent) as port:
        outcomes = await found(check, port)
    for outcome in outcomes:
        assert isinstance(outcome, Inconclusive), outcome
        assert os.strerror(errno.EMFILE) in outcome.detail


def test_every_kind_is_among_them() -> None:
    assert {type(check) for check in ALL} | NO_DESCRIPTOR_NEEDED >= set(PROBES)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("number", sorted(OUT_OF_MEANS), ids=errno.errorcode.get)
def test_what_is_lacking_in_the_midst_of_a_conversation_is_ours_too(number: int, stage: Stage) -> None:
    assert isinstance(outcome_of(OSError(number, os.strerror(number)), stage), Inconclusive)


def test_the_same_words_are_ours_at_once_and_the_networks_later() -> None:
    for number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES):
        assert number in OWN_ERRORS_AT_ONCE
        late = outcome_of(OSError(number, os.strerror(number)), Stage.CONNECTING)
        assert late == Unhealthy(Reason.UNREACHABLE, os.strerror(number))


def test_what_a_real_server_can_cause_is_never_ours() -> None:
    its_own = {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EPIPE,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EPROTO,
    }
    assert not its_own & OWN_ERRORS_AT_ONCE
    assert OUT_OF_MEANS < OWN_ERRORS < OWN_ERRORS_AT_ONCE


async def test_a_worker_of_checks_that_lacks_descriptors_changes_no_verdict() -> None:
    """The lean engine's own loop, with a server that is up: it stays up."""
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port)])
        await until(lambda: world.probes("a") > 1)
        with no_descriptors():
            before = world.probes("a")
            await until(lambda: world.probes("a") > before + 4)
            assert isinstance(world.verdict("a").outcome, Inconclusive)
            assert world.verdict("a").state is State.UP
        await until(lambda: not isinstance(world.verdict("a").outcome, Inconclusive))
        page = world.watch.page("a")
        assert page is not None
        assert page.inconclusive > 4
        assert not page.reasons
