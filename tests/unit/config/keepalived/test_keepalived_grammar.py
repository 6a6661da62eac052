"""keepalived.conf: words, braces, comments, definitions, conditions, includes, and the places of all of them."""

from __future__ import annotations

import pytest

from config.keepalived.source import HOST_NAMES
from config.load import load
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.keepalived.conf import INSTANCE, NAME, codes_of, good, instance, loaded, put, told, whole

PASSWORD = put(INSTANCE, "    virtual_ip", "    authentication {\n  auth_type PASS\n  auth_pass %s\n}\n    virtual_ip")


@pytest.mark.parametrize(
    "text",
    [
        INSTANCE.replace(" {", "\n{"),
        INSTANCE.replace(" {", "{"),
        INSTANCE.replace(" {\n        192.0.2.100/24\n    }", " {192.0.2.100/24}"),
        INSTANCE.replace("\n    }\n}\n", " } }\n"),
        INSTANCE.replace("\n", "\r\n"),
        INSTANCE.replace("    ", "\t"),
        INSTANCE.replace("eth0", '"eth0"'),
        INSTANCE.replace("\n", " # { said } \n"),
        INSTANCE.replace("\n", " ! { said } \n"),
        INSTANCE.replace("eth0", "eth0# at once"),
        "! first\n\n   # second\n" + INSTANCE,
    ],
)
def test_however_it_is_written(text: str) -> None:
    assert instance(text) == instance(INSTANCE)


@pytest.mark.parametrize(
    ("written", "password", "problems"),
    [
        ("secret", "secret", []),
        ('"a b#c!"', "a b#c!", []),
        ('"back\\slash"', "back\\slash", ["8:13 CFG062w"]),
        ("se!cret", "se", ["8:15 CFG207w"]),
        ("se#cret", "se", ["8:15 CFG207w"]),
        ('se"cret"', "se", ["8:15 CFG206w"]),
        ("se cret", "se", ["8:16 CFG206w"]),
        ("$NONE", "$NONE", []),
        ("${NONE}", "${NONE}", ["8:13 CFG213w"]),
    ],
)
def test_a_password_is_the_word_keepalived_takes(written: str, password: str, problems: list[str]) -> None:
    text = PASSWORD % written
    found = instance(text).password
    assert found is not None
    assert found.value == password
    assert codes_of(text) == problems


def test_a_password_is_never_told() -> None:
    text = PASSWORD % "hid#den hidden2 hidden3"
    assert "hid" not in " ".join(map(str, loaded(text).problems))
    text = PASSWORD % "hidden1 hidden2"
    assert "hidden" not in " ".join(map(str, loaded(text).problems))


def test_a_password_in_a_file_everyone_reads() -> None:
    files = FilesInMemory({NAME: PASSWORD % "secret"}, readable_by_all=frozenset((NAME,)))
    assert [f"{one.line}:{one.column} {one.code}" for one in load([NAME], files).problems] == ["8:13 CFG021"]


def test_a_quote_that_does_not_end() -> None:
    assert codes_of(PASSWORD % '"secret') == ["8:13 CFG200"]


def test_definitions_are_filled_in() -> None:
    text = "$NET=192.0.2\n$VIP=${NET}.100\n$IF = eth0\n$RULE=priority 150\n" + INSTANCE
    text = put(
        put(put(text, "192.0.2.100/24", "${VIP}/24"), "interface eth0", "interface $IF"),
        "priority 150\n    v",
        "$RULE\n    v",
    )
    assert good(text).vrrp == good(INSTANCE).vrrp


def test_a_definition_of_several_lines() -> None:
    text = "$VIPS=192.0.2.100/24 \\\n  192.0.2.101/24\n" + put(INSTANCE, "192.0.2.100/24", "$VIPS")
    assert [one.address for one in good(text).vrrp[0].addresses] == ["192.0.2.100", "192.0.2.101"]


def test_a_problem_in_a_definition_stands_where_it_is_used() -> None:
    text = "$P=999\n" + put(INSTANCE, "priority 150", "priority ${P}")
    assert codes_of(text) == ["6:14 CFG204w"]


def test_words_after_a_definition_keep_their_column() -> None:
    text = "$P=priority\n" + put(INSTANCE, "priority 150", "$P 999")
    assert codes_of(text) == ["6:8 CFG204w"]


def test_a_name_before_other_letters_is_not_filled_in() -> None:
    text = "$P=15\n" + put(INSTANCE, "priority 150", "priority $P0")
    assert told(text) == ["6:14: warning: `$P0` is not a whole number from 1 to 255"]


def test_a_definition_of_itself_ends() -> None:
    text = "$A=${A} ${A}\n" + put(INSTANCE, "priority 150", "${A}")
    assert "CFG213" in " ".join(codes_of(text))


def test_definitions_that_grow() -> None:
    text = (
        "$A0=xxxxxxxx\n" + "".join(f"$A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, 30)) + "${A29}\n" + INSTANCE
    )
    assert any(code.endswith("CFG213") for code in codes_of(text))


def test_the_environment() -> None:
    text = put(INSTANCE, "priority 150", "priority ${_ENV PRIORITY}")
    files = FilesInMemory({NAME: text}, {"PRIORITY": "150"})
    assert load([NAME], files).config == good(INSTANCE)
    assert codes_of(text)[0] == "5:14 CFG213"


def test_the_folder_of_the_file() -> None:
    files = FilesInMemory({"/etc/keepalived.conf": "include ${_PWD}/vi.conf\n", "/etc/vi.conf": INSTANCE})
    assert load(["/etc/keepalived.conf"], files).config == good(INSTANCE)


@pytest.mark.parametrize(("host", "priority"), [("lb1.example.net\n", 200), ("lb2\n", 100)])
def test_conditions_choose_lines_by_the_host(host: str, priority: int) -> None:
    text = put(INSTANCE, "    priority 150\n", "    @lb1 priority 200\n    @^lb1 priority 100\n")
    for name in HOST_NAMES:
        found = load([NAME], FilesInMemory({NAME: text, name: host}))
        assert found.problems == ()
        assert found.config is not None
        assert found.config.vrrp[0].priority == priority


def test_a_condition_keeps_columns() -> None:
    text = put(INSTANCE, "    priority 150\n", "    @lb1 priority 999\n")
    found = load([NAME], FilesInMemory({NAME: text, HOST_NAMES[0]: "lb1"})).problems
    assert [(one.line, one.column) for one in found] == [(5, 19)]


def test_a_condition_without_a_host_name() -> None:
    assert codes_of("@lb1 vrrp_script x {\n" + INSTANCE)[0] == "1:1 CFG001"


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("~SEQ(n,1,1,3) 192.0.2.${n}", ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        ("~SEQ(n, 8, 9) 192.0.2.$n", ["192.0.2.8", "192.0.2.9"]),
        ("~SEQ(n,2) 192.0.2.$n", ["192.0.2.1", "192.0.2.2"]),
        ("~SEQ(n,9,-3,3) 192.0.2.$n", ["192.0.2.9", "192.0.2.6", "192.0.2.3"]),
        ("~SEQ(n,9,8) 192.0.2.$n", ["192.0.2.9", "192.0.2.8"]),
        ("~SEQx(n,0x10,8,0x20) 192.0.2.$n", ["192.0.2.10", "192.0.2.18", "192.0.2.20"]),
        ("~LST(n, 5, 7) 192.0.2.$n", ["192.0.2.5", "192.0.2.7"]),
        ("~LST({a, b}, {1,2}, {3,4}) 192.0.${a}.${b}", ["192.0.1.2", "192.0.3.4"]),
        (
            "~LST(a,1,2) ~SEQ(b,3,4) 192.0.${a}.${b}",
            ["192.0.1.3", "192.0.1.4", "192.0.2.3", "192.0.2.4"],
        ),
        ("~SEQ(n,1,2) $LINE", ["198.51.100.1", "198.51.100.2"]),
    ],
)
def test_a_line_that_stands_for_several(line: str, lines: list[str]) -> None:
    text = "$LINE=198.51.100.${n}\n" + put(INSTANCE, "192.0.2.100/24", line)
    assert codes_of(text) == []
    assert [one.address for one in instance(text).addresses] == lines


@pytest.mark.parametrize(
    "head",
    [
        "~SEQ()",
        "~SEQ(n)",
        "~SEQ(n,1,0,3)",
        "~SEQ(n,3,1,1)",
        "~SEQ(n,a)",
        "~SEQ(n,1,2,3,4)",
        "~SEQ(n,1,99999)",
        "~SEQ(1,2)",
        "~SEQ(n,1",
        "~LST(n)",
        "~LST({a,b},{1})",
        "~SEQ(n,1,2) " * 9,
    ],
)
def test_a_line_that_does_not_repeat_as_it_is_written(head: str) -> None:
    assert {one.split()[1] for one in codes_of(f"{head} x\n" + INSTANCE)} == {"CFG017"}


def test_a_name_is_what_it_was_before_after_a_repetition() -> None:
    text = put("$n=7\n" + INSTANCE, "192.0.2.100/24", "~SEQ(n,1,2) 192.0.2.$n\n192.0.2.$n\n~SEQ(m,1) 192.0.3.${m}\n")
    assert [one.address for one in instance(text).addresses] == ["192.0.2.1", "192.0.2.2", "192.0.2.7", "192.0.3.1"]
    assert codes_of(put(INSTANCE, "192.0.2.100/24", "~SEQ(n,1) 192.0.2.$n\n192.0.2.2 ${n}")) == [
        "8:11 CFG213w",
        "8:11 CFG201w",
    ]


def test_a_random_value_is_refused() -> None:
    assert codes_of(put(INSTANCE, "priority 150", "priority ${_RANDOM 1 9}")) == ["5:14 CFG213", "5:14 CFG204w"]


def test_what_is_included_is_among_the_sources() -> None:
    found = loaded(INSTANCE + "include more.conf\n", more_conf="! nothing\n")
    assert found.sources == {NAME: INSTANCE + "include more.conf\n", "more.conf": "! nothing\n"}
    assert "nothing" not in repr(found)


def test_includes_stand_where_they_are_written() -> None:
    text = put(INSTANCE, "192.0.2.100/24", "include vips.conf")
    assert instance(text, vips_conf="192.0.2.100/24\n") == instance(INSTANCE)


def test_a_problem_of_an_included_file_names_it() -> None:
    files = FilesInMemory(
        {"/etc/keepalived.conf": "include d/*.conf\n", "/etc/d/a.conf": INSTANCE, "/etc/d/b.conf": "x\n"}
    )
    found = load(["/etc/keepalived.conf"], files)
    assert [(one.file, one.line, one.code) for one in found.problems] == [("/etc/d/b.conf", 1, "CFG201")]
    assert found.config == good(INSTANCE)


def test_alternatives_in_an_include() -> None:
    files = FilesInMemory({NAME: "include {a,b}.conf\n", "a.conf": INSTANCE, "b.conf": "x\n"})
    assert [one.file for one in load([NAME], files).problems] == ["b.conf"]


def test_an_include_that_finds_nothing() -> None:
    assert codes_of("include none.conf\ninclude none/*\n" + INSTANCE) == ["1:9 CFG214w", "2:9 CFG214w"]


def test_an_include_of_itself() -> None:
    files = FilesInMemory({"a.conf": INSTANCE + "include b.conf\n", "b.conf": "include a.conf\n"})
    (problem,) = load(["a.conf"], files).problems
    assert (problem.file, problem.line, problem.code) == ("b.conf", 1, "CFG008")
    assert "a.conf -> b.conf -> a.conf" in problem.hint


def test_includes_without_end() -> None:
    chain = {f"k{n}.conf": f"include k{n + 1}.conf\n" for n in range(20)}
    (problem, *_others) = load(["k0.conf"], FilesInMemory({**chain, "k0.conf": INSTANCE + chain["k0.conf"]})).problems
    assert (problem.file, problem.code) == ("k7.conf", "CFG008")


def test_an_included_file_that_cannot_be_read() -> None:
    files = FilesInMemory({NAME: "include x\n" + INSTANCE, "x": PermissionError(13, "Permission denied", "x")})
    assert [(one.line, one.code) for one in load([NAME], files).problems] == [(1, "CFG001")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (INSTANCE[:-2], ["1:1 CFG200w"]),
        (INSTANCE + "}\n", ["10:1 CFG200w"]),
        ("{\n" + INSTANCE + "}\n", ["1:1 CFG200w", "11:1 CFG200w"]),
        (put(INSTANCE, "    virtual_ip", "    bogus 1 2\n    virtual_ip"), ["6:5 CFG201w"]),
        (INSTANCE + "{\n}\n", ["10:1 CFG200w", "11:1 CFG200w"]),
        (put(INSTANCE, "eth0", "eth0\u3000x"), ["3:15 CFG017"]),
        (put(INSTANCE, "    virtual_ip", "    bogus {\n  x\n }\n    virtual_ip"), ["6:5 CFG201"]),
        (put(INSTANCE, "priority 150", "priority 150 nopreempt"), ["5:18 CFG206w"]),
        (put(INSTANCE, "priority 150", "priority 1\n    priority 150"), ["6:5 CFG208w"]),
        (put(INSTANCE, "priority 150", "priority"), ["5:5 CFG018"]),
        (put(INSTANCE, "priority 150", "priority 150;"), ["5:14 CFG204w"]),
    ],
)
def test_what_keepalived_accepts_in_silence_is_told(text: str, expected: list[str]) -> None:
    assert codes_of(text) == expected


def test_a_lost_brace_before_a_block_is_an_error() -> None:
    text = INSTANCE[:-2] + INSTANCE.replace("VI_1", "VI_2").replace("51", "52")
    assert codes_of(text) == ["1:1 CFG200w", "9:1 CFG200"]


def test_misspelt_keywords_are_guessed() -> None:
    (problem,) = loaded(put(INSTANCE, "    virtual_ip", "    garp_master_dealy 1\n    virtual_ip")).problems
    assert problem.hint.endswith("did you mean `garp_master_delay`?")


def test_blocks_too_deep() -> None:
    found = codes_of("x{" * 100 + "}" * 100)
    assert [code for code in found if "CFG201" not in code] == ["1:66 CFG007"]


@pytest.mark.parametrize("text", ["x" * 70000, "\n" * 200_000, "a b c d e f g h i j\n" * 60_000])
def test_files_too_large_are_refused(text: str) -> None:
    assert any(code.endswith("CFG007") for code in codes_of(INSTANCE + text))


def test_the_name_alone_tells_the_format() -> None:
    assert codes_of("nothing of it {\n}\n") == ["1:1 CFG201"]


@pytest.mark.parametrize("text", [INSTANCE, INSTANCE.replace(" {", "\n{"), "global_defs {\n}\n" + INSTANCE])
def test_the_content_tells_the_format(text: str) -> None:
    found = load(["/tmp/some.file"], FilesInMemory({"/tmp/some.file": text}))
    assert found.config == whole(INSTANCE)


def test_a_lvsd_yaml_is_not_taken_for_it() -> None:
    text = "services:\n  vrrp_instance:\n    virtual: 192.0.2.100:80\n    real_servers: [192.0.2.11]\n"
    found = load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": text}))
    assert found.problems == ()
