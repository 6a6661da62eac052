"""What tells an ldirectord.cf from other files. Pure; apart from the reader, which is loaded for such a file alone."""

from __future__ import annotations

import re
from typing import Final

OPENING_WORDS: Final = (
    "autoreload|callback|checkcount|checkinterval|checktimeout|cleanstop|emailalert|emailalertfreq|emailalertfrom"
    "|emailalertstatus|execute|failurecount|fallbackcommand|fork|logfile|maintenancedir|negotiatetimeout|quiescent"
    "|readdquiescent|smtp|supervised|virtual|virtual6"
)
"""What may begin a line that is not indented: the heads of services and every global directive."""

_LOOKED_AT_CHARACTERS: Final = 1_000_000
_TELLING: Final = re.compile(rf"^(?:{OPENING_WORDS})[ \t]*=", re.MULTILINE)


def is_ldirectord(path: str, text: str) -> bool:
    """Whether a file is an ldirectord.cf: by its name, or by a line that begins with a global directive and `=`."""
    return path.endswith("ldirectord.cf") or _TELLING.search(text, 0, _LOOKED_AT_CHARACTERS) is not None
