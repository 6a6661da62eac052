"""TLS of a probe: one context for each policy, since making one costs as much as a hundred handshakes."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from checkers.probes.failures import Stuck
from config.checks import Tls

CONTEXTS_LIMIT = 64


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The shared context of this policy. A `ca_file` that was replaced is read anew.

    Raises Stuck when `ca_file` cannot be read: that is this machine's fault, not the real server's.
    """
    try:
        changed_at = Path(tls.ca_file).stat().st_mtime_ns if tls.ca_file is not None else 0
        return _context(tls.verify, tls.ca_file, changed_at)
    except (OSError, ssl.SSLError) as error:
        text = f"ca_file {tls.ca_file}: {error.strerror or error}"
        raise Stuck(text) from error


@lru_cache(maxsize=CONTEXTS_LIMIT)
def _context(verify: bool, ca_file: str | None, _changed_at: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs()
    return context
