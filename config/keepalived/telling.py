"""What tells a keepalived.conf from other files. Pure; apart from the reader, which is loaded for such a file alone."""

from __future__ import annotations

import re
from typing import Final

_BLOCKS: Final = "global_defs|vrrp_instance|vrrp_sync_group|vrrp_script|virtual_server|virtual_server_group"
_OPENING: Final = re.compile(
    rf"^[ \t]*(?:@\S+[ \t]+)?"
    rf"(?:~(?:SEQx?|LST)[ \t]*\(|(?:{_BLOCKS})(?:[ \t]+[^\s:{{]+){{0,2}}[ \t]*(?:\{{|$))",
    re.MULTILINE,
)
_NAME: Final = re.compile(r"(?:^|/)keepalived[^/]*\.conf$")
_LOOKED_AT_CHARACTERS: Final = 1024 * 1024


def is_keepalived(path: str, text: str) -> bool:
    """Whether the file is a keepalived.conf: by its name, or by a line that opens a block or stands for several."""
    return bool(_NAME.search(path) or _OPENING.search(text, 0, _LOOKED_AT_CHARACTERS))
