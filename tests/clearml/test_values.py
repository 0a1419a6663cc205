"""Parameter values as the text of a Task, and whether a text is that of a value."""

from __future__ import annotations

import pytest

from hpo_widgets.engines.clearml.values import entry, full_name, is_same, text_of, type_of


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (1, "1", "int"),
        (1e-05, "1e-05", "float"),
        (True, "True", "bool"),
        (None, "", None),
        ("1", "1", "str"),
        ("", "", "str"),
        ([1, 2], "[1, 2]", "list/int"),
        ([1, "a"], '[1, "a"]', "list"),
        ([], "[]", "list"),
        ((1.5,), "[1.5]", "tuple/float"),
        ({"a": 1}, '{"a": 1}', "dict/int"),
    ],
    ids=repr,
)
def test_a_value_has_a_text_and_a_type(value, text, kind):
    assert (text_of(value), type_of(value)) == (text, kind)


def test_a_name_without_a_section_is_general():
    assert [full_name(name) for name in ("lr", "Args/lr", "Args/a/b")] == ["General/lr", "Args/lr", "Args/a/b"]


def test_type_and_description_are_those_of_the_template_where_it_has_them():
    known = {"type": "float", "description": "the step"}
    assert entry(1, "Args", "lr", known) == {
        "section": "Args",
        "name": "lr",
        "value": "1",
        "description": "the step",
        "type": "float",
    }
    assert entry(1, "Args", "lr", None)["type"] == "int"
    assert "type" not in entry(None, "Args", "lr", known)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.00001", 1e-05),
        ("3.0", 3),
        ("0.333333", 0.333333333),
        ("true", True),
        ("None", None),
        ("", None),
        ("['a', 'b']", ["a", "b"]),
        ("[1,2]", (1, 2)),
        ("{'a': 1}", {"a": 1}),
        ("text", "text"),
        ("1", "1"),
    ],
)
def test_a_text_may_be_written_otherwise(text, value):
    assert is_same(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.2", 0.1), ("2", True), ("False", True), ("0", None), ("[2, 1]", [1, 2]), ("a", "b"), ("[", "x"), ("", 0),
        ("{[1]: 2}", 0.5), ("{{}}", "x"), ("1" * 400, 0.5),
    ],
)  # fmt: skip
def test_another_value_is_another(text, value):
    assert not is_same(text, value)
