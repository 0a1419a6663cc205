"""Dict forms, points and ranges of any form: an error of a sentence, or something that makes sense."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    Parameter,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space

ODD = [10**30, 10**400, -(10**400), 2**63, 1e308, 1e-320, "", "x", "a", "1" * 5000, "\ud800", b"a", 1j, (), set()]
LEAVES = st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.sampled_from(ODD)
NAMES = st.sampled_from(["lr", "share", "n", "kind", "solver", "gone"]) | st.just(3)
KEYS = st.sampled_from(["name", "min_value", "max_value", "step_size", "include_max", "base", "values", "range", "x"])
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=4
)
KINDS = [
    "UniformParameterRange", "LogUniformParameterRange", "UniformIntegerParameterRange", "DiscreteParameterRange",
    "ParameterSet", "Parameter",
]  # fmt: skip
SPACE = Space(
    [
        LogUniformParameterRange("lr", -4, -1),
        UniformParameterRange("share", 0, 1),
        UniformIntegerParameterRange("n", 1, 9),
        DiscreteParameterRange("kind", ["a", "b"]),
        ParameterSet([{"solver": "sgd"}, {"solver": "adam"}]),
    ],
    {"lr": (1e-5, 1.0)},
)
POINT = {"lr": 0.01, "share": 0.5, "n": 3, "kind": "a", "solver": "sgd"}

BOUNDS = {"type": "UniformParameterRange", "name": "x", "min_value": 0, "max_value": 1}

OF_PYTHON = ("has no attribute", "object is not", "not supported between", "unhashable", "__init__()", "positional")
"""What Python itself says of a wrong type, which names nothing that a person has written."""


def tried(function, given):
    """What a function returns; None where it raises a sentence."""
    try:
        return function(given)
    except (TypeError, ValueError) as error:
        sentence = str(error)
    assert not any(words in sentence for words in OF_PYTHON), sentence
    return None


@given(st.fixed_dictionaries({"type": st.sampled_from(KINDS) | JUNK}), st.dictionaries(KEYS, JUNK, max_size=5))
def test_a_dict_form_of_any_content_is_a_parameter_or_a_sentence(form, fields):
    parameter = tried(Parameter.from_dict, form | fields)
    if parameter is not None:
        again = Parameter.from_dict(parameter.to_dict())
        assert again == parameter


@given(st.dictionaries(NAMES, JUNK, max_size=2) | JUNK, st.booleans())
def test_a_point_of_any_content_is_one_of_the_space_or_a_sentence(given_point, is_near):
    point = POINT | given_point if is_near and isinstance(given_point, dict) else given_point
    found = tried(SPACE.normalise, point)
    if found is not None:
        assert SPACE.normalise(found) == found
        assert set(found) == set(POINT)


@given(st.dictionaries(NAMES, st.lists(LEAVES, min_size=2, max_size=2) | JUNK, max_size=2) | JUNK)
def test_ranges_of_any_content_leave_a_space_that_makes_sense_or_are_a_sentence(ranges):
    space = tried(SPACE.with_ranges, ranges)
    if space is not None:
        low, high = space.ranges["lr"]
        assert 1e-5 <= low < high <= 1.0
        assert all(-math.inf < low <= high < math.inf for low, high in (space.ranges[name] for name in ("share", "n")))
        assert set(space.ranges["kind"]) <= {"a", "b"}
        assert space.ranges["kind"]


@pytest.mark.parametrize(
    ("function", "given", "sentence"),
    [
        (Parameter.from_dict, [], "is a dict"),
        (Parameter.from_dict, {"type": {}}, "not a class of parameter"),
        (Parameter.from_dict, {"type": "ParameterSet", "values": 3}, "a list of dicts"),
        (Parameter.from_dict, BOUNDS | {"max_value": 10**400}, "finite"),
        (SPACE.normalise, POINT | {"lr": 10**400}, "'lr'"),
        (SPACE.with_ranges, [], "map names"),
        (SPACE.with_ranges, {"n": (1, 10**400)}, "'n'"),
    ],
)  # fmt: skip
def test_what_python_itself_would_complain_of_is_told_in_the_words_of_the_search(function, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        function(given)


def test_a_base_that_a_class_does_not_have_is_passed_over():
    assert Parameter.from_dict(BOUNDS | {"base": 2}) == UniformParameterRange("x", 0, 1)
