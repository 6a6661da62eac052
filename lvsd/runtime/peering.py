"""Balancers look at each other over TCP: answers whoever knows the secret, and asks the peers.

Read-only: nothing that a peer says changes anything here. See lvsd.control.peer for the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from config.model import Peering
from lvsd.control import peer
from lvsd.control.messages import Garbled, PeerPortrait
from lvsd.control.portrait import Portrait
from lvsd.runtime.sparingly import Sparingly
from netlink.errors import NetlinkError
from netlink.route_socket import RouteSocket

TALK_SECONDS = 5.0  # a whole conversation
TALKS_LIMIT = 4
PAUSE_SECONDS = 0.2  # at most so often an answer: it costs a look at the kernel's table
RETRY_SECONDS = 5.0  # the address may not be there yet

IPVS_SYSCTLS = Path("/proc/sys/net/ipv4/vs")
FORWARD_SYSCTLS = (Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv6/conf/all/forwarding"))
INTERFACE_SYSCTLS = Path("/proc/sys/net/ipv4/conf")
INTERFACE_NAMES = ("accept_local", "arp_announce", "arp_filter", "arp_ignore", "rp_filter")
SYSCTL_LIMIT_BYTES = 64


class PeerServer:
    """Answers peers as long as the configuration wants it to."""

    def __init__(self, portrait: Callable[[], Portrait | Awaitable[Portrait]]) -> None:
        """Not listening yet: `follow` does that. A portrait may take its time."""
        self._portrait = portrait
        self._wanted: Peering | None = None
        self._server: asyncio.Server | None = None
        self._retry_at = 0.0
        self._talks = 0
        self._answered_at = 0.0
        self._told = Sparingly()

    async def follow(self, wanted: Peering | None, now: float) -> None:
        """Listen where the configuration says, if it is not so yet."""
        if wanted != self._wanted:
            self.close()
            self._wanted, self._retry_at = wanted, now
        if self._wanted is None or self._wanted.listen is None or self._server is not None or now < self._retry_at:
            return
        self._retry_at = now + RETRY_SECONDS
        address, port = self._wanted.listen
        try:
            self._server = await asyncio.start_server(self._serve, address, port, limit=peer.ASK_BYTES)
        except OSError as error:
            self._told.tell(
                "listen", now, "warning", "peer_not_listening", address=address, port=port, error=str(error)
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks += 1
        try:
            if self._talks <= TALKS_LIMIT and self._wanted is not None:
                async with asyncio.timeout(TALK_SECONDS):
                    await self._answer(self._wanted.secret.value, reader, writer)
        except Garbled as error:
            asker = str((writer.get_extra_info("peername") or ("",))[0])
            self._told.tell("refused", time.monotonic(), "warning", "asker_refused", peer=asker, error=str(error))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # he went away
        finally:
            self._talks -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, secret: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonce = os.urandom(peer.NONCE_BYTES)
        writer.write(peer.hello(nonce))
        asker = peer.proven_asker(secret, nonce, await reader.readexactly(peer.ASK_BYTES))
        now = time.monotonic()
        wait, self._answered_at = self._answered_at + PAUSE_SECONDS - now, max(now, self._answered_at + PAUSE_SECONDS)
        await asyncio.sleep(max(0.0, wait))
        found = self._portrait()
        portrait = found if isinstance(found, Portrait) else await found
        writer.write(peer.answer(secret, nonce, asker, portrait))
        await writer.drain()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None


async def ask_all(peering: Peering | None, instead: tuple[tuple[str, int], ...] = ()) -> tuple[PeerPortrait, ...]:
    """The portraits of every peer, or of those `instead`, or why there is none."""
    if peering is None:
        return ()
    asked = instead or peering.peers
    return tuple(await asyncio.gather(*(_ask(one, peering.secret.value) for one in asked)))


async def _ask(endpoint: tuple[str, int], secret: str) -> PeerPortrait:
    address, port = endpoint
    name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        async with asyncio.timeout(TALK_SECONDS):
            portrait, asked_at, answered_at = await _look(address, port, secret)
            return PeerPortrait(name, portrait, ahead=round(portrait.time - (asked_at + answered_at) / 2, 3))
    except Garbled as error:
        return PeerPortrait(name, error=str(error))
    except TimeoutError:
        return PeerPortrait(name, error=f"no answer in {TALK_SECONDS:.0f} s")
    except asyncio.IncompleteReadError:
        return PeerPortrait(name, error="it ended the conversation: is the secret the same on both?")
    except OSError as error:
        return PeerPortrait(name, error=error.strerror or str(error))


async def _look(address: str, port: int, secret: str) -> tuple[Portrait, float, float]:
    """Its portrait, and when it was asked and had answered by our clock, seconds since 1970."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        theirs = peer.nonce_of(await reader.readexactly(peer.HELLO_BYTES))
        ours = os.urandom(peer.NONCE_BYTES)
        asked_at = time.time()
        writer.write(peer.ask(secret, theirs, ours))
        head = await reader.readexactly(peer.HEAD.size)
        body = await reader.readexactly(peer.length_of(head))
        return peer.proven_answer(secret, (theirs, ours), head, body), asked_at, time.time()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def node_name() -> str:
    """What this balancer is called."""
    return socket.gethostname()


def sysctls(interfaces: Iterable[str] = ()) -> dict[str, int]:
    """What of the kernel's settings matters to forwarding, by name; those that cannot be read are left out."""
    found = {f"net.ipv4.vs.{path.name}": path for path in sorted(IPVS_SYSCTLS.glob("*"))}
    found |= {"net." + ".".join(path.parts[4:]): path for path in FORWARD_SYSCTLS}
    for interface in ("all", *interfaces):
        for name in INTERFACE_NAMES:
            found[f"net.ipv4.conf.{interface}.{name}"] = INTERFACE_SYSCTLS / interface / name
    values: dict[str, int] = {}
    for name, path in found.items():
        with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
            values[name] = int(file.read(SYSCTL_LIMIT_BYTES))
    return values


def addresses() -> dict[str, tuple[str, ...]]:
    """All that is on this machine, by interface; nothing where rtnetlink is not to be had."""
    found: dict[str, tuple[str, ...]] = {}
    with contextlib.suppress(NetlinkError), RouteSocket() as routes:
        names = {link.index: name for name, link in routes.links().items()}
        for one in routes.addresses():
            name = names.get(one.index, "")
            found[name] = (*found.get(name, ()), one.address)
    return found
