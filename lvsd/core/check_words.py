"""A check's type in the word an administrator wrote. Pure."""

from __future__ import annotations

from config.checks import (
    AnyCheck,
    Check,
    FollowCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    PopCheck,
    SmtpCheck,
    Tls,
    TlsMode,
)


def check_word(kind: AnyCheck) -> str:
    """The check's type as the configuration has it: `imaps` is `imap` over TLS from the first byte."""
    word = str(kind.__struct_config__.tag)
    match kind:
        case HttpCheck(proxy_url=str()):
            return "http_proxy"
        case HttpCheck(tls=Tls()):
            return f"{word}s"
        case (
            ImapCheck(mode=TlsMode.IMPLICIT)
            | LdapCheck(mode=TlsMode.IMPLICIT)
            | PopCheck(mode=TlsMode.IMPLICIT)
            | SmtpCheck(mode=TlsMode.IMPLICIT)
        ):
            return f"{word}s"
        case SmtpCheck(mode=TlsMode.STARTTLS):
            return "submission"
        case _:
            return word


def check_about(check: Check) -> str:
    """What tells a check from others of its type, in few words."""
    words: list[str] = []
    match check.kind:
        case FollowCheck(service=service):
            words.append(service)
        case HttpCheck(path=path, proxy_url=None) if path != "/":
            words.append(path)
        case _:
            pass
    if check.address is not None:
        words.append(f"at {check.address}")
    if check.port is not None:
        words.append(f"port {check.port}")
    if check.dial.source:
        words.append(f"from {check.dial.source}")
    if check.dial.mark:
        words.append(f"mark {check.dial.mark}")
    return ", ".join(words)
