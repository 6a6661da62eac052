"""keepalived.conf files as administrators write them: what each means, and what is told of it.

Beside each file stands its meaning (`.meaning`), read and judged by hand; where services are concerned the lab compares
it to the table that keepalived makes of the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from config.load import load
from tests.golden.keepalived.meaning import meaning
from tests.unit.config.files_in_memory import FilesInMemory

WILD = Path(__file__).parent / "wild"
FILES = sorted(path.stem for path in WILD.glob("*.conf"))
REGENERATE = os.environ.get("REGENERATE_GOLDENS") == "1"
OTHERS = {
    "/etc/keepalived/conf.d/10-web.conf": "virtual_server 10.2.0.100 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n"
    " real_server 10.2.0.1 80 {\n  TCP_CHECK {\n  }\n }\n}\n",
    "vips.inc": "vrrp_instance INC {\n interface eth0\n virtual_router_id 2\n include addresses.inc\n}\n",
    "addresses.inc": "virtual_ipaddress {\n 10.2.0.100/24\n}\n",
    "/proc/sys/kernel/hostname": "lb1.example.net\n",
    "/usr/bin/killall": "",
    "/usr/bin/pgrep": "",
}


@pytest.mark.parametrize("name", FILES)
def test_meaning(name: str) -> None:
    text = (WILD / f"{name}.conf").read_bytes().decode()
    found = meaning(load(["keepalived.conf"], FilesInMemory({**OTHERS, "keepalived.conf": text})))
    expected = WILD / f"{name}.meaning"
    if REGENERATE:
        expected.write_text(found)
    assert found == expected.read_text()


@pytest.mark.parametrize("name", FILES)
def test_no_password_is_shown(name: str) -> None:
    text = (WILD / f"{name}.conf").read_text()
    told = (WILD / f"{name}.meaning").read_text()
    assert not [one for one in re.findall(r"auth_pass\s+(\S+)", text) if re.search(rf"\b{re.escape(one)}\b", told)]
