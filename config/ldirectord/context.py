"""What the check of a real server is made from: the section's settings, the file's, the server's own. Pure."""

from __future__ import annotations

import msgspec

from config.checks import AnyCheck, Credentials, Expect
from config.ldirectord import directives as d
from config.ldirectord.names import SERVICE_PORTS, Names
from config.ldirectord.patterns import expected
from config.ldirectord.servers import Server
from config.ldirectord.values import Known, Said
from config.model import FirewallMark, VirtualEndpoint
from config.nodes import At, Place
from config.reading import Reading
from config.secret import Secret
from config.words import Protocol


class Context(msgspec.Struct, frozen=True):
    """A virtual service's settings, the file's, and where it stands."""

    own: Said
    top: Said
    virtual: VirtualEndpoint | FirewallMark
    place: Place
    names: Names

    @property
    def service(self) -> str:
        """The `service`; unless said, the one whose port is the virtual service's."""
        said = self.own.get(d.SERVICE)
        if said is not None:
            return said.value
        port = self.virtual.port if isinstance(self.virtual, VirtualEndpoint) else 0
        return next((name for name, number in SERVICE_PORTS.items() if number == port), "none")

    @property
    def check_type(self) -> str:
        """The `checktype`: a word, or digits."""
        return self.own.value(d.CHECK_TYPE, "negotiate")

    def place_of(self, *known: Known[object]) -> Place:
        """Where the first of these that is said stands; the virtual service's own place if none is."""
        found = (self.own.get(one) for one in known)
        return next((at.place for at in found if at is not None), self.place)

    def nearest(self, known: Known[int], default: int) -> int:
        """The section's value, else the file's, else the default."""
        return self.own.value(known, self.top.value(known, default))

    @property
    def negotiates(self) -> bool:
        """Whether probes speak the service's protocol, always or now and then."""
        return self.check_type == "negotiate" or self.check_type.isdigit()

    def speaks(self, protocol: Protocol) -> bool:
        """Whether the virtual service is of this protocol; one by firewall mark is of none."""
        return isinstance(self.virtual, VirtualEndpoint) and self.virtual.protocol is protocol


class Elsewhere(msgspec.Struct, frozen=True):
    """A check that dials another place than the real server."""

    kind: AnyCheck
    address: str
    port: int


class Asked(msgspec.Struct, frozen=True):
    """A real server to make a check for. A `real` line's own request and receive come before the section's."""

    context: Context
    server: Server
    reading: Reading

    @property
    def request(self) -> At[str] | None:
        """The request as it was written, None where none is said."""
        if self.server.request is not None:
            return At(self.server.request, self.server.place)
        return self.context.own.get(d.REQUEST)

    @property
    def bare_request(self) -> str:
        """The request without the leading slash that ldirectord takes away from what is no path."""
        return self.request.value.removeprefix("/") if self.request else ""

    @property
    def request_place(self) -> Place:
        """Where the request stands, or the section."""
        return self.request.place if self.request else self.context.place

    @property
    def receive(self) -> At[str] | None:
        """The expression, None where nothing in particular must come."""
        own = self.server.receive
        said = self.context.own.get(d.RECEIVE) if own is None else At(own, self.server.place)
        return said if said is not None and said.value else None

    @property
    def expect(self) -> Expect:
        """What must be found in the answer."""
        return expected(self.receive, self.reading) if self.receive else Expect()

    @property
    def password(self) -> Secret:
        """The `passwd`, perhaps empty."""
        return Secret(self.context.own.value(d.PASSWORD, ""))

    @property
    def login(self) -> Credentials | None:
        """Login and password, where a login is said."""
        said = self.context.own.get(d.LOGIN)
        return Credentials(said.value, self.password) if said else None
