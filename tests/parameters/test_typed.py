"""Parameters as a person types them: values, not exponents."""

from __future__ import annotations

import pytest

from hpo_widgets.parameters import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.parameters.typed import typed_choice, typed_choices, typed_range


@pytest.mark.parametrize(
    ("kind", "low", "high", "made"),
    [
        ("log", "1e-5", "0.1", LogUniformParameterRange("x", -5, -1)),
        ("log", "0.0003", "1", LogUniformParameterRange("x", -3.522879, 0)),
        ("int", "1", "4.0", UniformIntegerParameterRange("x", 1, 4)),
        ("float", "-1", "2.5", UniformParameterRange("x", -1, 2.5)),
    ],
)
def test_bounds_are_values_and_become_the_shortest_exponents(kind, low, high, made):
    assert typed_range("x", kind, low, high) == made


@pytest.mark.parametrize(
    ("kind", "low", "high", "said"),
    [
        ("log", "0", "1", "lies above 0"),
        ("log", "1e-400", "1", "lies above 0"),
        ("float", "1", "", "'' is not a number"),
        ("float", "nan", "1", "finite"),
        ("float", "0", "inf", "finite"),
        ("int", "1", "2.5", "not a whole number"),
        ("int", "4", "1", "below its max"),
    ],
)
def test_bounds_that_are_no_range_are_refused(kind, low, high, said):
    with pytest.raises(ValueError, match=said):
        typed_range("x", kind, low, high)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("adam, sgd", ["adam", "sgd"]),
        ("16, 0.5, True, None", [16, 0.5, True, None]),
        ("'a, b', c", ["a, b", "c"]),
        ("(64,), (64, 32)", [(64,), (64, 32)]),
        ("resnet-18, resnet-50", ["resnet-18", "resnet-50"]),
        ("a b, , c", ["a b", "c"]),
        ("elastic-net, l2, None", ["elastic-net", "l2", None]),
        ("", []),
        ("]", ["]"]),
        ("1], [2", ["1]", "[2"]),
        ("__import__('os')", ["__import__('os')"]),
    ],
)
def test_choices_stand_between_commas(text, values):
    assert typed_choices(text) == values


@pytest.mark.parametrize(
    ("text", "known", "value"),
    [
        ("resnet", ["a", "b"], "resnet"),
        ("3", ["a", "b"], "3"),
        ('"x", y', ["a"], '"x", y'),
        ("64", [16, 32], 64),
        ("0.5", [1, 2], 0.5),
        ("2", [0.1, 0.5], 2.0),
        ("(64, 32)", [(64,), ()], (64, 32)),
        ("None", ["a", None, 1], None),
        ("1", ["a", None, 1], 1),
        ("gelu", ["a", None, 1], "gelu"),
    ],
)
def test_a_further_choice_has_a_type_that_others_have(text, known, value):
    typed = typed_choice(text, known)
    assert (typed, type(typed)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        ("", ["a"], "type the new choice"),
        ("many", [16, 32], "'many' is no number, as the other choices are: in code, add_choices takes any value"),
        ("True", [16, 32], "'True' is no number"),
        ("1, 2", [16, 32], "'1, 2' is no number"),
        ("64", [(64,), None], r"'64' is of another kind than \(64,\): in code"),
        ("relu", [object()], "'relu' is of another kind than <object"),
    ],
)
def test_a_further_choice_of_another_type_is_refused(text, known, said):
    with pytest.raises(ValueError, match=said):
        typed_choice(text, known)
