"""An HTTP answer read by h11, piece by piece: chunks, interim answers, lengths that lie, bodies without a length."""

from __future__ import annotations

from typing import Any

from checkers.core.outcome import Outcome, Reason, Unhealthy, escaped
from checkers.probes.expect import Search
from checkers.probes.failures import Failed
from checkers.probes.http_body import Body
from config.checks import HttpCheck

HEAD_LIMIT_BYTES = 100 * 1024  # as httpcore takes
TOO_MUCH_HEADER = 431  # h11's hint for an answer whose head does not end


class StrictReader:
    """Reads one answer. Raises Failed and Stuck."""

    def __init__(self, check: HttpCheck) -> None:
        """Nothing has come yet."""
        import h11  # loaded when an answer first asks for it

        self._h11: Any = h11
        self._check = check
        self._line = ""
        self._body = Body(Search(check.expect), check.digest)
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self._connection.send(h11.Request(method=check.method, target="/", headers=[("Host", "x")]))
        self._connection.send(h11.EndOfMessage())

    def receive(self, piece: bytes) -> Outcome | None:
        """Take what came: the outcome, once it is known."""
        return self._turn(piece)

    def ended(self) -> Outcome:
        """The connection ended: so does the answer, or it was not whole."""
        if self._connection.their_state is self._h11.SEND_RESPONSE:
            raise Failed(Reason.CLOSED, "Server disconnected without sending a response.")
        found = self._turn(b"")
        if found is None:
            raise EOFError
        return found

    def _turn(self, piece: bytes) -> Outcome | None:
        try:
            self._connection.receive_data(piece)
            while True:
                event = self._connection.next_event()
                if event is self._h11.NEED_DATA or event is self._h11.PAUSED:
                    return None
                found = self._take(event)
                if found is not None:
                    return found
        except self._h11.RemoteProtocolError as error:
            raise _failure(error) from error

    def _take(self, event: Any) -> Outcome | None:  # noqa: ANN401 - an event of h11, which is loaded late
        h11 = self._h11
        if isinstance(event, h11.Response):
            return self._status(event)
        if isinstance(event, h11.Data):
            self._body.take(bytes(event.data))
            return self._body.judged(self._line) if self._body.enough else None
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return self._body.judged(self._line)
        return None

    def _status(self, event: Any) -> Outcome | None:  # noqa: ANN401 - as above
        status: int = event.status_code
        self._line = f"{status} {bytes(event.reason).decode('ascii', errors='ignore')}".strip()
        if not any(low <= status <= high for low, high in self._check.status):
            return Unhealthy(Reason.STATUS, escaped(self._line))
        return None


def _failure(error: Exception) -> Failed:
    if getattr(error, "error_status_hint", None) == TOO_MUCH_HEADER:
        return Failed(Reason.TOO_LARGE, "a header of more than a check reads")
    words = str(error)
    return Failed(Reason.CLOSED if "closed connection" in words else Reason.GARBLED, words)
