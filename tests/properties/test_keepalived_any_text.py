"""Whatever a keepalived.conf holds, what comes out is a Loaded, soon, and a secret shows nowhere."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.convert.convert import convert
from config.keepalived.lvs_words import DNS, HTTP, MISC, REAL, SERVER, SMTP, TCP, UDP, URL
from config.keepalived.vrrp_words import FILE, GLOBALS, INSTANCE, SCRIPT, SYNC_GROUP, TRACK_FILE, TRACK_PROCESS
from config.load import Loaded, load
from tests.unit.config.files_in_memory import FilesInMemory

NAME = "keepalived.conf"
GOLDEN = Path(__file__).parents[1] / "golden/keepalived"
GUIDE = (GOLDEN / "guide_lb1.conf").read_text()
KEYWORDS = sorted(
    set().union(*(one.words() for one in (FILE, GLOBALS, INSTANCE, SERVER, REAL, TCP, HTTP, URL, SMTP, DNS, UDP, MISC)))
    | set().union(*(one.words() for one in (SCRIPT, SYNC_GROUP, TRACK_FILE, TRACK_PROCESS)))
    | {"authentication", "auth_type", "auth_pass", "TCP_CHECK", "dev", "fwmark", "group", "include", "url"}
)
WORDS = st.one_of(
    st.sampled_from(KEYWORDS),
    st.sampled_from(
        ["{", "}", "\n", '"', "#", "!", ";", "$A", "$A=", "${A}", "@lb1", "@^lb1", "~SEQ(A,1,2)", "MASTER", "PASS"]
    ),
    st.sampled_from(
        ["1", "0", "-1", "80", "255", "99999", "1.5", "192.0.2.1", "192.0.2.2/24", "2001:db8::1", "eth0", "NAT"]
    ),
    st.text(max_size=6),
)
LIMIT_SECONDS = 15.0  # of a processor that may be slow: what grows with the square of these texts takes minutes
PROGRAMS = {"/usr/bin/killall": "", "/usr/bin/pgrep": ""}
WILD = [path.read_bytes().decode() for path in sorted((GOLDEN / "wild").glob("*.conf"))]


def read(text: str | bytes) -> Loaded:
    """What a text loads as; it may include itself."""
    return load([NAME], FilesInMemory({NAME: text, "/proc/sys/kernel/hostname": "lb1\n"}))


def judged(found: Loaded) -> None:
    """A configuration, or an error that says why there is none; every place within reason."""
    errors = [one for one in found.problems if one.severity.value == "error"]
    assert (found.config is None) == bool(errors)
    assert all(one.line >= 0 and one.column >= 0 and str(one).isprintable() for one in found.problems)


@given(st.text())
def test_any_text(text: str) -> None:
    judged(read(text))


@given(st.binary())
def test_any_bytes(content: bytes) -> None:
    judged(read(content))


@given(st.lists(WORDS, max_size=60))
def test_any_words(words: list[str]) -> None:
    judged(read(" ".join(words)))


@given(st.data())
def test_the_guides_file_with_a_piece_lost_or_doubled(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GUIDE)))
    end = data.draw(st.integers(start, min(len(GUIDE), start + 40)))
    again = data.draw(st.sampled_from(["", GUIDE[start:end] * 2, "{", "}", '"', "$A"]))
    judged(read(GUIDE[:start] + again + GUIDE[end:]))


PIECES = st.one_of(WORDS, st.sampled_from(["~SEQ(A,1,3) ", "~LST(A,1,2) ", "~SEQ(", "type gue port 1", "fwmark 1"]))


@given(st.data())
def test_a_file_of_an_administrator_with_pieces_lost_and_strange_ones(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(WILD))
    for _round in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    judged(read(text))


NUMBERS = st.sampled_from(
    [
        "0",
        "1",
        "-1",
        "2",
        "3",
        "0.01",
        "0.015",
        "1.5",
        "40.96",
        "253",
        "254",
        "-254",
        "255",
        "1000",
        "1001",
        "3601",
        "65535",
    ]
)
VRRP = [text for text in WILD if "vrrp_instance" in text]
NUMBER = re.compile(r"(?<= )-?[0-9]+(?:\.[0-9]+)?(?=\n)")


@given(st.data())
def test_what_is_read_can_be_said_in_lvsd_yaml(data: st.DataObject) -> None:
    """Whatever numbers stand in it and whichever lines are lost."""
    lines = [line for line in data.draw(st.sampled_from(VRRP)).split("\n") if data.draw(st.integers(0, 20))]
    text = NUMBER.sub(lambda one: data.draw(NUMBERS) if not data.draw(st.integers(0, 4)) else one[0], "\n".join(lines))
    files = FilesInMemory({NAME: text, **PROGRAMS})
    converted = convert([NAME], files)
    assert (converted.text is None) == (load([NAME], files).config is None), converted.told.errors


@given(st.data())
def test_no_line_goes_without_a_word(data: st.DataObject) -> None:
    """A line that means nothing is told, or it changes what the file means."""
    lines = data.draw(st.sampled_from(WILD)).split("\n")
    number = data.draw(st.integers(0, len(lines)))
    before, after = lines[:number], lines[number:]
    original, changed = read("\n".join(lines)), read("\n".join([*before, "zzqq 1", *after]))
    told = any(one.line == number + 1 for one in changed.problems)
    assert told or original.config is None or changed.config != original.config


@given(st.data())
def test_the_password_shows_nowhere(data: st.DataObject) -> None:
    """Whatever lines and blanks are lost or broken: only one joined to another word may be told as that word."""
    words = GUIDE.replace("mySuperSecretPassw0rd", "mySuperSecretPassw0rd more").split(" ")
    gaps = st.sampled_from([" ", "\n", " # ", ' "" ', " { ", " } "])
    drawn = [data.draw(gaps) for _word in words]
    lines = "".join(word + gap for word, gap in zip(words, drawn, strict=True)).split("\n")
    lost = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=3))
    text = "\n".join(line for number, line in enumerate(lines) if number not in lost)
    if "auth_type" in text.split("mySuper", maxsplit=1)[0].rpartition("}")[2]:  # still where a password belongs
        assert "SuperSecret" not in repr(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        "a " * 5_000_000,
        '"' * 10_000_000,
        "{" * 10_000_000,
        "$A " * 3_000_000,
        "\n" * 10_000_000,
        "{\n" * 5_000_000,
        "a {\n}\n" * 1_500_000,
        "vrrp_instance a {\n" * 500_000,
        "vrrp_instance " * 700_000,
        bytes(range(256)) * 40_000,
        b"\xff\xfe" + "vrrp_instance a {\n}\n".encode("utf-16-le"),
        "$A=${A}${A}\n${A}\n" * 40_000,
        "virtual_server 192.0.2.1 80 {\nreal_server 192.0.2.2 80 {\n}\n}\n" * 30_000,
        "virtual_server_group a {\n" + "192.0.0.1-255 80\n" * 20_000 + "}\n",
        "~SEQ(a,1,65536) ~SEQ(b,1,65536) x\n",
        "~SEQ(a,1,65536) ~SEQ(b,1,65536) ~LST(\n" * 3,
        "~SEQ(a,1,2) " * 5_000,
        "~SEQ(a,1,65536)" + " " * 60_000 + "x\n",
        "virtual_server 192.0.2.1 80 {\nreal_server 192.0.2.2 80 {\n" + "TCP_CHECK {\n}\n" * 20_000 + "}\n}\n",
        "virtual_server 192.0.2.1 80 {\nreal_server 192.0.2.2 80 {\n" + "notify_up true\n" * 20_000 + "}\n}\n",
        "".join(f"vrrp_sync_group {number} {{\ngroup {{\na\n}}\n}}\n" for number in range(20_000)),
        "vrrp_instance a {\ntrack_interface {\n" + "".join(f"e{number}\n" for number in range(100_000)) + "}\n}\n",
        "vrrp_instance a {\nunicast_peer {\n" + "".join(f"::{number:x}\n" for number in range(40_000)) + "}\n}\n",
        "".join(f"vrrp_script {number} {{\nscript true\n}}\n" for number in range(20_000)),
        "vrrp_script a {\nscript true\n}\n" + "vrrp_instance a {\ntrack_script {\na\n}\n}\n" * 20_000,
        "global_defs {\nnotification_email {\n" + "a@b.c\n" * 50_000 + "}\nsmtp_server a\n}\n",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_takes_long(text: str | bytes) -> None:
    began = time.process_time()
    judged(read(text))
    assert time.process_time() - began < LIMIT_SECONDS
