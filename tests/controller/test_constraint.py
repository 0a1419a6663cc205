"""What a constraint is asked, and what it may answer."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from hpo_widgets.controller.constraint import Constraint
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space

SPACE = Space([UniformIntegerParameterRange("width", 1, 64), UniformIntegerParameterRange("heads", 1, 8)])


def divides(width, heads):
    return width % heads == 0


def test_it_gets_the_parameters_that_it_names_and_its_answer_counts():
    constraint = Constraint(divides)
    assert constraint.allows({"width": 12, "heads": 4, "rate": 0.1})
    assert not constraint.allows({"width": 13, "heads": 4, "rate": 0.1})
    assert repr(constraint) == "divides(width, heads)"


def test_it_gets_all_parameters_by_keyword_where_it_takes_any():
    asked = []
    assert Constraint(lambda **point: asked.append(point) is None).allows({"General/width": 3, "heads": 1})
    assert asked == [{"width": 3, "heads": 1}]


def test_a_name_without_its_section_is_that_of_the_argument():
    constraint = Constraint(divides)
    constraint.check(Space([UniformIntegerParameterRange(f"Args/{name}", 1, 8) for name in ("width", "heads")]))
    assert not constraint.allows({"Args/width": 5, "Args/heads": 2})


def test_a_name_that_may_be_either_of_two_parameters_is_refused_where_it_is_needed():
    space = Space([UniformParameterRange(name, 0, 1) for name in ("encoder/rate", "decoder/rate", "momentum")])
    for function in (lambda rate: rate < 0.5, lambda **point: point["rate"] < 0.5):
        with pytest.raises(ValueError, match=r"'encoder/rate' and 'decoder/rate' would both reach .* as 'rate'"):
            Constraint(function).check(space)
    Constraint(lambda momentum: momentum < 0.5).check(space)


def test_what_would_end_the_process_is_told_as_any_exception():
    with pytest.raises(ValueError, match="raised SystemExit: 3"):
        Constraint(lambda width: sys.exit(3)).allows({"width": 1})


def test_it_does_not_apply_to_a_point_that_lacks_a_parameter_that_it_needs():
    space = Space(
        [ParameterSet([{"solver": "adam"}, {"solver": "sgd", "momentum": UniformParameterRange("momentum", 0, 1)}])]
    )
    needs, has_default = Constraint(lambda momentum: momentum > 2), Constraint(lambda momentum=0: momentum > 2)
    needs.check(space)
    assert needs.allows({"solver": "adam"})
    assert not needs.allows({"solver": "sgd", "momentum": 0.5})
    assert not has_default.allows({"solver": "adam"})


def test_a_truth_value_of_numpy_is_an_answer():
    assert Constraint(lambda width: np.int64(width) > 1).allows({"width": 2})


@pytest.mark.parametrize("answer", [None, 1, 0.0, "yes"], ids=repr)
def test_any_other_answer_is_an_error_that_says_for_which_point(answer):
    with pytest.raises(TypeError, match=r"must return True or False, and returned .* for \{'width': 3\}"):
        Constraint(lambda width: answer).allows({"width": 3})


def test_what_it_raises_names_it_and_the_point():
    with pytest.raises(ValueError, match=r"constraint <lambda>\(width\) raised ZeroDivisionError: .*\{'width': 0\}"):
        Constraint(lambda width: 1 / width > 0).allows({"width": 0})


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        pytest.param(lambda hads: True, r"no parameter 'hads'. Did you mean 'heads'\?", id="unknown name"),
        pytest.param(lambda: True, "takes no parameter of the space. Known: 'width', 'heads'", id="none"),
        pytest.param(lambda widht=8: widht > 4, r"takes no parameter .* Did you mean 'width'\?", id="wrong default"),
        pytest.param(
            lambda width, haeds=8: width % haeds == 0, r"'haeds', .* Did you mean 'heads'\?", id="one wrong default"
        ),
        pytest.param(lambda width: width > 64, "allows none of 10,000 random points", id="allows nothing"),
        pytest.param(lambda width: 1 / (width - 1) > 0, "raised ZeroDivisionError", id="raises for some"),
    ],
)
def test_a_constraint_that_does_not_fit_its_space_is_refused(function, sentence):
    with pytest.raises(ValueError, match=sentence):
        Constraint(function).check(SPACE)


def test_a_space_of_which_few_points_are_allowed_is_taken():
    space = Space([UniformParameterRange(name, 0, 1) for name in "abcdef"])
    Constraint(lambda a, b, c, d, e, f: a < b < c < d < e < f).check(space)  # one in 720


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param(3, "must be a function of the parameters that returns True", id="a number"),
        pytest.param("width > 2", "such as lambda width, heads: width % heads == 0", id="a text"),
        pytest.param(lambda width, /: width > 2, "remove the '/' from its signature", id="by position"),
    ],
)
def test_what_is_no_function_of_parameters_is_refused(given, sentence):
    with pytest.raises(TypeError, match=sentence):
        Constraint(given)


def test_an_argument_that_a_partial_gives_need_not_be_a_parameter():
    at_most = functools.partial(lambda most, width: width <= most, 8)
    keyword = functools.partial(lambda width, most: width <= most, most=8)
    for function in (at_most, keyword):
        constraint = Constraint(function)
        constraint.check(SPACE)
        assert constraint.allows({"width": 8})
        assert not constraint.allows({"width": 9})


def test_an_argument_with_a_default_that_is_like_no_other_parameter_need_not_be_one():
    Constraint(lambda width, most_width=32, widths=(): width < most_width and width not in widths).check(SPACE)


def test_a_choice_is_given_as_its_value():
    space = Space([DiscreteParameterRange("kind", ["a", "b"]), UniformIntegerParameterRange("width", 1, 8)])
    constraint = Constraint(lambda kind, width: kind == "a" or width > 4)
    constraint.check(space)
    assert not constraint.allows({"kind": "b", "width": 4})
