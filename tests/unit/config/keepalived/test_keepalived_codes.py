"""Every code that is keepalived.conf's own comes from some text."""

from __future__ import annotations

import pytest

from config import codes
from tests.unit.config.keepalived.conf import INSTANCE, SERVER, codes_of, put

MAILED = "global_defs {\n notification_email {\n a@example.net\n }\n smtp_server 192.0.2.25\n}\n" + SERVER
TEXTS = {
    codes.UNBALANCED: INSTANCE + "}\n",
    codes.UNKNOWN_KEYWORD: INSTANCE + "bogus\n",
    codes.NOT_YET: put(INSTANCE, "priority 150", "down_timer_adverts 5"),
    codes.PASSED_OVER: put(INSTANCE, "priority 150", "smtp_alert"),
    codes.NOT_TAKEN: put(INSTANCE, "priority 150", "priority high"),
    codes.LEFT_OUT: INSTANCE + INSTANCE,
    codes.WORDS_IGNORED: put(INSTANCE, "priority 150", "priority 150 nopreempt"),
    codes.WORD_CUT: put(INSTANCE, "eth0", "eth0#"),
    codes.SAID_AGAIN: put(INSTANCE, "priority 150", "priority 150\n    priority 150"),
    codes.DEFAULTED: put(SERVER, "    protocol TCP\n", ""),
    codes.FORCED: put(SERVER, "192.0.2.11 80", "192.0.2.11 81"),
    codes.MIXED: put(
        MAILED, "    }\n}\n", "    }\n    real_server 192.0.2.12 80 {\n smtp_alert off\nTCP_CHECK {\n}\n}\n}\n"
    ),
    codes.UNCHECKED: SERVER.replace("TCP_CHECK {\n            connect_timeout 3\n        }", ""),
    codes.DEFINITION: put(INSTANCE, "eth0", "eth0 ${X}"),
    codes.INCLUDE_EMPTY: INSTANCE + "include none\n",
    codes.REPEATED: "virtual_server_group G {\n 192.0.2.1-2 80\n}\n"
    + put(put(SERVER, "192.0.2.100 80", "group G"), "TCP_CHECK", "notify_up /bin/true\nTCP_CHECK"),
}


@pytest.mark.parametrize("code", TEXTS)
def test_each_code_has_a_text(code: str) -> None:
    assert code in {found.split()[1].removesuffix("w") for found in codes_of(TEXTS[code])}


def test_no_code_is_without() -> None:
    assert set(TEXTS) == {code for code in codes.CODES if code.startswith("CFG2")}
