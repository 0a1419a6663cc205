"""Choices: identity, labels and JSON form."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.parameters.choices import ChoiceTable, UnknownChoice, choice_label, from_json, identity, to_json

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_like)
def test_the_json_form_keeps_types_and_structure(value):
    again = from_json(json.loads(json.dumps(to_json(value))))
    assert again == value
    assert identity(again) == identity(value)


@given(json_like, json_like)
def test_equal_identities_mean_equal_values(one, other):
    if identity(one) == identity(other):
        assert one == other
    if type(one) is not type(other):
        assert identity(one) != identity(other)


@pytest.mark.parametrize(
    "values", [(True, 1, 1.0, "1"), (None, "None"), ([1], [True], (1,)), ({"a": 1}, {"a": 1.0}), ({1}, frozenset([1]))]
)
def test_types_are_told_apart(values):
    assert len({identity(value) for value in values}) == len(values)


def test_nan_is_one_value():
    assert identity(math.nan) == identity(float("nan"))
    assert math.isnan(from_json(to_json(math.nan)))


def test_objects_have_no_json_value_but_a_type():
    form = to_json(print)
    assert form == {"type": "builtin_function_or_method"}
    assert "value" not in to_json([1, print])
    assert "value" not in to_json({1: 2})


def test_objects_that_cannot_be_hashed_or_pickled_are_themselves():
    class Odd:
        __hash__ = None

        def __reduce__(self):
            raise TypeError

    one, other = Odd(), Odd()
    table = ChoiceTable([one, other])
    assert [table.index_of(one), table.index_of(other), table.index_of(Odd())] == [0, 1, None]


def test_labels_are_short_and_without_addresses():
    def activation():
        pass

    assert choice_label(activation) == "activation"
    assert choice_label(dict) == "dict"
    assert choice_label("two\nlines") == "two lines"
    assert choice_label("") == "''"
    assert "0x" not in choice_label(object())
    assert len(choice_label("x" * 500)) <= 60
    assert choice_label(UnknownChoice("relu", "torch.nn.ReLU")) == "relu"


def test_a_value_that_appears_twice_is_refused():
    with pytest.raises(ValueError, match="the value 1 appears twice"):
        ChoiceTable([1, 2, 1])
