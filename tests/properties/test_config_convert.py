"""What is written as lvsd.yaml is read back as it was."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.convert.tree import tree
from config.convert.yamltext import Value, document
from config.load import load
from config.model import Config
from config.nodes import Mapping, Node, Scalar, Sequence
from config.schema import json_schema
from config.yamltree import NodeBudget, parse
from tests.properties.config_models import configs
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.schema_check import violations

ANY_TEXTS = st.text(st.characters(codec="utf-8"))
PLAIN: st.SearchStrategy[Value] = ANY_TEXTS | st.integers(-(10**18), 10**18) | st.booleans()
TREES: st.SearchStrategy[Value] = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXTS, inner, max_size=3), max_leaves=20
)


@given(configs())
def test_a_configuration_is_the_same_after_writing_and_reading(config: Config) -> None:
    text = document(tree(config), {})
    found = load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": text}))
    assert found.config == config, text
    assert violations(yaml.safe_load(text), json_schema()) == []


def value(node: Node) -> Value:
    """What a node of the loader's tree stands for, single values as the texts they were written as."""
    match node:
        case Scalar():
            return node.text
        case Sequence():
            return [value(item) for item in node.items]
        case Mapping():
            return {str(value(key)): value(item) for key, item in node.entries}


def texts(plain: Value) -> Value:
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, str | int):
        return str(plain)
    if isinstance(plain, dict):
        return {name: texts(item) for name, item in plain.items()}
    return [texts(item) for item in plain]


@given(st.dictionaries(ANY_TEXTS, TREES, max_size=3))
def test_any_tree_is_the_same_after_writing_and_reading(plain: dict[str, Value]) -> None:
    written = document(plain, {})
    assert value(parse("x", written, NodeBudget())) == texts(plain)
    assert yaml.safe_load(written) == (plain or None)


@given(st.lists(ANY_TEXTS, max_size=3), configs())
def test_comments_never_become_anything_else(lines: list[str], config: Config) -> None:
    safe = ["".join(c for c in line if c.isprintable()) for line in lines]
    first = config.services[0].name
    text = document(tree(config), {(): safe, ("services", first): safe, ("services",): safe})
    assert load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": text})).config == config
