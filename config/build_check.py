"""A check's keys, level by level, to the check a worker runs. Pure.

A builder always answers: what it could not find it notes, and a configuration with an error is never used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from config import codes, shape
from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    Expect,
    ExternalCheck,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    NoCheck,
    PopCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from config.nodes import Place
from config.passwords import readable
from config.reading import Reading
from config.secret import Secret
from config.sections import Fields, Key

NO_CHECK_SAID: Final = Fields(Place(""))
_SPECIFIC: Final = frozenset(key.name for keys in shape.TYPE_KEYS.values() for key in keys)


def check_type(fields: Fields) -> str:
    """The type of the check; one that was refused counts as none, so that nothing more is noted about it."""
    return fields.value(shape.TYPE, "none" if fields.said(shape.TYPE) else "tcp")


def inherit_check(outer: Fields, inner: Fields, reading: Reading) -> Fields:
    """A level's keys over those of the level above.

    A type of its own leaves the outer type's specific keys behind, and so does `receive` with an outer
    `receive_regex` and the other way round. Keys said here must belong to the type that results.
    """
    kind = check_type(inner) if inner.said(shape.TYPE) else check_type(outer)
    if not inner.said(shape.TYPE) or inner.get(shape.TYPE) is not None:
        _refuse_foreign_keys(inner, kind, reading)
    left = set(_SPECIFIC) if kind != check_type(outer) else set()
    if inner.said(shape.RECEIVE):
        left.add(shape.RECEIVE_REGEX.name)
    if inner.said(shape.RECEIVE_REGEX):
        left.add(shape.RECEIVE.name)
    return inner.over(outer, without=frozenset(left))


def _refuse_foreign_keys(inner: Fields, kind: str, reading: Reading) -> None:
    own = {key.name for key in (*shape.COMMON_CHECK_KEYS, *shape.TYPE_KEYS[kind])}
    for name, place in inner.key_places.items():
        if name not in own:
            message = f"`{name}` is unknown for type {kind}"
            types = ", ".join(other for other, keys in shape.TYPE_KEYS.items() if name in {key.name for key in keys})
            hint = f"it belongs to {types}" + ("" if inner.said(shape.TYPE) else "; no `type` is said here")
            reading.error(codes.KEY_OF_OTHER_TYPE, place, message, hint)


def build_check(fields: Fields, reading: Reading) -> Check:
    """The check, every default filled in."""
    built_in = Timing()
    timing = Timing(
        interval=fields.value(shape.INTERVAL, built_in.interval),
        timeout=fields.value(shape.TIMEOUT, built_in.timeout),
        rise=fields.value(shape.RISE, built_in.rise),
        fall=fields.value(shape.FALL, built_in.fall),
    )
    port, address = fields.get(shape.CHECK_PORT), fields.get(shape.CHECK_ADDRESS)
    kind = _BUILDERS[check_type(fields)](fields, reading)
    return Check(kind, timing, port.value if port else None, address.value if address else None)


def dials_a_port(kind: AnyCheck) -> bool:
    """Whether the check needs to know a port."""
    return not isinstance(kind, NoCheck | ExternalCheck)


def _none(_fields: Fields, _reading: Reading) -> AnyCheck:
    return NoCheck()


def _tcp(_fields: Fields, _reading: Reading) -> AnyCheck:
    return TcpCheck()


def _http(fields: Fields, reading: Reading) -> AnyCheck:
    return _web(fields, None, reading)


def _https(fields: Fields, reading: Reading) -> AnyCheck:
    """A virtual host is also the server name of the handshake: servers refuse a request whose two names differ."""
    tls = _tls(fields, reading)
    host = fields.get(shape.VIRTUAL_HOST)
    if tls.sni is None and host is not None and not host.value.startswith("["):
        tls = Tls(host.value.partition(":")[0], tls.verify, tls.ca_file)
    return _web(fields, tls, reading)


def _web(fields: Fields, tls: Tls | None, reading: Reading) -> AnyCheck:
    built_in = HttpCheck()
    host = fields.get(shape.VIRTUAL_HOST)
    check = HttpCheck(
        tls=tls,
        path=fields.value(shape.PATH, built_in.path),
        method=fields.value(shape.METHOD, built_in.method),
        virtual_host=host.value if host else None,
        status=fields.value(shape.STATUS, built_in.status),
        expect=_expect(fields, reading),
    )
    if check.method == "HEAD" and check.expect != Expect():
        place = fields.place_of(shape.METHOD)
        reading.error(codes.CONTRADICTION, place, "the answer to HEAD has no body to find a text in", "use GET")
    return check


def _mysql(fields: Fields, reading: Reading) -> AnyCheck:
    for key, hint in ((shape.LOGIN, "login: monitor"), (shape.PASSWORD, "password: {file: /etc/lvsd/mysql.secret}")):
        if not fields.said(key):
            message = f"a check of type mysql needs `{key.name}`"
            reading.error(codes.MISSING_KEY, fields.place, message, hint)
    database = fields.get(shape.DATABASE)
    return MysqlCheck(
        credentials=_login(fields),
        query=fields.value(shape.QUERY, "SELECT 1"),
        database=database.value if database else None,
        expect=_expect(fields, reading),
        galera=fields.value(shape.GALERA, None),
    )


def _imap(fields: Fields, reading: Reading) -> AnyCheck:
    return ImapCheck(_upgrade(fields, reading), _tls(fields, reading), _mail_login(fields, reading))


def _imaps(fields: Fields, reading: Reading) -> AnyCheck:
    return ImapCheck(TlsMode.IMPLICIT, _tls(fields, reading), _mail_login(fields, reading))


def _pop(fields: Fields, reading: Reading) -> AnyCheck:
    return PopCheck(_upgrade(fields, reading), _tls(fields, reading), _mail_login(fields, reading))


def _pops(fields: Fields, reading: Reading) -> AnyCheck:
    return PopCheck(TlsMode.IMPLICIT, _tls(fields, reading), _mail_login(fields, reading))


def _smtp(fields: Fields, reading: Reading) -> AnyCheck:
    return _submit(fields, _upgrade(fields, reading), reading)


def _smtps(fields: Fields, reading: Reading) -> AnyCheck:
    return _submit(fields, TlsMode.IMPLICIT, reading)


def _submission(fields: Fields, reading: Reading) -> AnyCheck:
    """RFC 6409 section 3 and RFC 8314 section 3.3: submission on 587 speaks TLS after STARTTLS."""
    return _submit(fields, TlsMode.STARTTLS, reading)


def _submit(fields: Fields, mode: TlsMode, reading: Reading) -> AnyCheck:
    helo = fields.value(shape.HELO, SmtpCheck().helo)
    return SmtpCheck(mode, _tls(fields, reading), helo, _mail_login(fields, reading))


def _external(fields: Fields, reading: Reading) -> AnyCheck:
    if not fields.said(shape.COMMAND):
        hint = "command: [/path/to/program, argument, ...]"
        reading.error(codes.MISSING_KEY, fields.place, "a check of type external needs `command`", hint)
    return ExternalCheck(fields.value(shape.COMMAND, ()))


def _expect(fields: Fields, reading: Reading) -> Expect:
    text, regex = fields.get(shape.RECEIVE), fields.get(shape.RECEIVE_REGEX)
    if text and regex:
        message = "`receive` and `receive_regex` cannot both be said"
        reading.error(codes.CONTRADICTION, fields.place_of(shape.RECEIVE_REGEX), message, "an expression can do both")
    return Expect(text.value if text else None, regex.value if regex else None)


def _tls(fields: Fields, reading: Reading) -> Tls:
    sni, ca_file = fields.get(shape.SNI), fields.get(shape.CA_FILE)
    verify = fields.value(shape.VERIFY, default=False)
    if ca_file is not None and not verify:
        message = "`ca_file` has no effect without `verify: true`"
        reading.warning(codes.NO_EFFECT, fields.place_of(shape.CA_FILE), message)
    elif ca_file is not None:
        text = readable(ca_file.value, ca_file.place, reading, codes.UNREADABLE)
        if text is not None and "-----BEGIN" not in text:
            message = f"no certificate in {ca_file.value}"
            reading.error(codes.MALFORMED, ca_file.place, message, "a PEM file is needed")
    return Tls(sni.value if sni else None, verify, ca_file.value if ca_file else None)


def _upgrade(fields: Fields, reading: Reading) -> TlsMode:
    if fields.value(shape.STARTTLS, default=False):
        return TlsMode.STARTTLS
    for key in _TLS_KEYS:
        if fields.said(key):
            message = f"`{key.name}` has no effect without TLS"
            hint = f"starttls: true, or type: {check_type(fields)}s"
            reading.warning(codes.NO_EFFECT, fields.place_of(key), message, hint)
    return TlsMode.NONE


_TLS_KEYS: Final[tuple[Key[object], ...]] = (shape.SNI, shape.VERIFY)


def _mail_login(fields: Fields, reading: Reading) -> Credentials | None:
    said, lacking = shape.LOGIN.name, shape.PASSWORD.name
    if not fields.said(shape.LOGIN):
        said, lacking = lacking, said
    if fields.said(shape.LOGIN) != fields.said(shape.PASSWORD):
        place = fields.key_places.get(said, fields.place)
        reading.error(
            codes.CREDENTIALS, place, f"`{said}` without `{lacking}`", "a login needs both, a greeting neither"
        )
    return _login(fields) if fields.said(shape.LOGIN) else None


def _login(fields: Fields) -> Credentials:
    return Credentials(fields.value(shape.LOGIN, ""), Secret(fields.value(shape.PASSWORD, "")))


_BUILDERS: Final[dict[str, Callable[[Fields, Reading], AnyCheck]]] = {
    "none": _none,
    "tcp": _tcp,
    "http": _http,
    "https": _https,
    "mysql": _mysql,
    "imap": _imap,
    "imaps": _imaps,
    "pop": _pop,
    "pops": _pops,
    "smtp": _smtp,
    "smtps": _smtps,
    "submission": _submission,
    "external": _external,
}
