"""YAML to a tree of places, with every limit."""

from __future__ import annotations

import pytest
import yaml

from config import codes, yamltree
from config.nodes import Mapping, Node, Place, Scalar, Sequence
from config.problems import Problem
from config.yamltree import NODE_LIMIT, NodeBudget, Unreadable, parse


def tree(text: str, limit: int = 1000) -> Node:
    return parse("f", text, NodeBudget(limit))


def refusal(text: str, limit: int = 1000) -> Problem:
    with pytest.raises(Unreadable) as raised:
        tree(text, limit)
    return raised.value.problem


def test_every_node_knows_its_place() -> None:
    assert tree("a:\n  - 'b'\n  - {é: c}\n") == Mapping(
        (
            (
                Scalar("a", plain=True, place=Place("f", 1, 1)),
                Sequence(
                    (
                        Scalar("b", plain=False, place=Place("f", 2, 5)),
                        Mapping(
                            (
                                (
                                    Scalar("é", plain=True, place=Place("f", 3, 6)),
                                    Scalar("c", plain=True, place=Place("f", 3, 9)),
                                ),
                            ),
                            Place("f", 3, 5),
                        ),
                    ),
                    Place("f", 2, 3),
                ),
            ),
        ),
        Place("f", 1, 1),
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n", "\ufeff"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert tree(text) == Mapping((), Place("f", 1, 1))


def test_a_byte_order_mark_moves_nothing() -> None:
    assert tree("\ufeffa") == Scalar("a", plain=True, place=Place("f", 1, 1))


def test_an_alias_is_what_its_anchor_holds() -> None:
    node = tree("[&a [x], *a]")
    assert isinstance(node, Sequence)
    assert node.items[0] is node.items[1]


@pytest.mark.parametrize("tag", ["!!str", "!"])
def test_a_text_by_tag_counts_as_quoted(tag: str) -> None:
    assert tree(f"{tag} 12") == Scalar("12", plain=False, place=Place("f", 1, 1))


@pytest.mark.parametrize("text", ["!!int 12", "!!map {}", "!!seq []", "! []", "!!null", "!!bool true"])
def test_core_tags_are_taken(text: str) -> None:
    tree(text)


@pytest.mark.parametrize(
    "text", ["!mine 12", "!!python/object:os.system x", "!!binary aa", "!!seq {}", "!!map []", "!!set {a}"]
)
def test_other_tags_are_refused_without_being_told(text: str) -> None:
    problem = refusal(text)
    assert (problem.code, problem.line, problem.column) == (codes.TAG, 1, 1)
    assert "mine" not in str(problem)


@pytest.mark.parametrize("text", ["*hunter2", "[*hunter2]", "&a [*a]", "[*a, &a x]"])
def test_an_alias_without_an_anchor_is_refused_without_being_told(text: str) -> None:
    problem = refusal(text)
    assert problem.code == codes.ANCHOR
    assert "hunter2" not in str(problem)


def test_depth_is_limited() -> None:
    tree("[" * 32 + "]" * 32)
    assert refusal("[" * 33 + "]" * 33).code == codes.TOO_MUCH


def test_values_are_limited() -> None:
    tree("[1, 2, 3]", limit=4)
    problem = refusal("[1, 2, 3]", limit=3)
    assert (problem.code, problem.column) == (codes.TOO_MUCH, 8)


def test_an_alias_counts_all_it_stands_for() -> None:
    tree("[&a [1, 2], *a]", limit=7)
    assert refusal("[&a [1, 2], *a]", limit=6).code == codes.TOO_MUCH
    tree("[&a x, *a]", limit=3)
    assert refusal("[&a x, *a]", limit=2).code == codes.TOO_MUCH
    tree("[&a {k: 2}, *a]", limit=7)
    assert refusal("[&a {k: 2}, *a]", limit=6).code == codes.TOO_MUCH


def test_ten_thousand_services_of_ten_real_servers_are_within_the_limit() -> None:
    budget = NodeBudget()
    parse("f", f"s: {{virtual: '1.1.1.1:80', check: {{type: tcp}}, real_servers: [{'{a: 1, w: 2}, ' * 10}]}}", budget)
    assert 10_000 * (NODE_LIMIT - budget.left) < NODE_LIMIT


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9)]
    assert refusal("\n".join(lines), limit=250_000).code == codes.TOO_MUCH


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a:\n\tb: 1\n", "2:1", "a tab where", "spaces"),
        ("a: b\n\tc: 1\n", "2:1", "a tab where", "spaces"),
        ("a: @b", "1:4", "cannot begin with this", "quotes"),
        ('a: "\\q"', "1:5", "an unknown escape", "single quotes"),
        ("a: b: c", "1:5", "a `:` where none", "indentation"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "does not line up", "indentation"),
        ("a: [1, 2\n", "2:1", "a list in [ ]", "]"),
        ("a: {b: 1\n", "2:1", "a mapping in { }", "}"),
        ("a: 'b", "1:6", "a quoted text", "close"),
        ("a: [::1]\n", "1:5", "a value was expected", "IPv6 addresses in quotes"),
        ("a: [fe80::1]:80\nb: 1\n", "1:13", "does not line up", "IPv6 addresses in quotes"),
        ("- a\nb: 1\n", "2:1", "a list ends here", "indentation"),
        ("a: b\nc\n", "3:1", "a key without its", "key: value"),
        ("a\n---\nb\n", "2:1", "a second document", "one document"),
        ("ab\x00c", "1:3", "U+0000", "plain text"),
        ("a\nb\ud800", "2:2", "U+D800", "plain text"),
    ],
)
def test_syntax_errors_are_told_in_words_with_a_hint(text: str, place: str, message: str, hint: str) -> None:
    problem = refusal(text)
    assert (problem.code, f"{problem.line}:{problem.column}") == (codes.SYNTAX, place)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_both_parsers_give_the_same_tree(monkeypatch: pytest.MonkeyPatch, loader: type[object]) -> None:
    text = "a: [1, 'b', \"c\"]\nd: {e: &x f, g: *x}\nh: |\n  i\n"
    expected = tree(text)
    monkeypatch.setattr(yamltree, "_Loader", loader)
    assert tree(text) == expected
    assert refusal("a: [1").code == codes.SYNTAX


def test_a_scalar_hides_its_text() -> None:
    assert "hunter2" not in repr(tree("password: hunter2"))
