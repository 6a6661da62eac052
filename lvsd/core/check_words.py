"""A check's type in the word an administrator wrote. Pure."""

from __future__ import annotations

from config.checks import AnyCheck, HttpCheck, ImapCheck, LdapCheck, PopCheck, SmtpCheck, Tls, TlsMode


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
