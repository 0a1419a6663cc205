"""Edges: a range is offered wider only where the best trial asks for it and a wider one makes sense."""

from __future__ import annotations

import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search.widening import MOST_SUGGESTIONS, widen_suggestions
from hpo_widgets.space import Space


def offered(parameter, value, limits=None):
    """The range that is offered when the best trial has this value; None for no offer."""
    space = Space([parameter], limits)
    found = widen_suggestions(space, space.encode({parameter.name: value}))
    return (found[0]["end"], *found[0]["range"]) if found else None


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (LogUniformParameterRange("x", -3, -2), 0.0085, None),  # 7.06 % below the end: not yet
        (LogUniformParameterRange("x", -3, -2), 0.00856, ("upper", 0.001, 0.03)),
        (LogUniformParameterRange("x", -3, -2), 0.00105, ("lower", 0.0003, 0.01)),
        (LogUniformParameterRange("x", -3, -2).with_range((0.001, 0.03)), 0.029, ("upper", 0.001, 0.1)),
        (LogUniformParameterRange("x", 0, 4, base=2), 16.0, ("upper", 1.0, 32.0)),
        (LogUniformParameterRange("x", -4, 0, step_size=0.25), 1.0, ("upper", 1e-4, pytest.approx(10**0.5))),
        (LogUniformParameterRange("x", -4, 0), 0.01, None),
        (UniformParameterRange("x", 0.0, 0.5), 0.49, ("upper", 0.0, 0.7)),
        (UniformParameterRange("x", -3.0, 5.0), -3.0, ("lower", -5.0, 5.0)),
        (UniformParameterRange("x", 10.0, 20.0), 10.0, ("lower", 7.0, 20.0)),
        (UniformParameterRange("x", 0.0, 10.0, step_size=2.5), 10.0, ("upper", 0.0, 12.5)),
        (UniformIntegerParameterRange("x", 1, 6), 6, ("upper", 1, 7)),
        (UniformIntegerParameterRange("x", 1, 6), 5, None),
        (UniformIntegerParameterRange("x", 16, 512, step_size=16), 512, ("upper", 16, 640)),
    ],
    ids=str,
)
def test_a_range_is_offered_up_to_a_number_that_people_write(parameter, value, expected):
    assert offered(parameter, value) == expected


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (UniformParameterRange("x", 0.0, 0.5), 0.0),  # a size does not become negative
        (UniformParameterRange("x", -1.0, 0.0), 0.0),
        (UniformParameterRange("x", 0.5, 1.0), 1.0),  # a share does not pass the whole
        (UniformIntegerParameterRange("x", 1, 6), 1),  # nor a count its first
        (UniformParameterRange("x", 0.0, 10.0).with_range((4.0, 6.0)), 10.0),  # outside of the present range
        (UniformIntegerParameterRange("x", 1, 6).with_range((3, 3)), 3),  # the range has one value
        (DiscreteParameterRange("x", [1, 2, 3]), 3),  # choices have no ends
    ],
    ids=str,
)
def test_nothing_is_offered_where_a_wider_range_makes_no_sense(parameter, value):
    assert offered(parameter, value) is None


def test_limits_bound_what_is_offered_and_at_a_limit_nothing_is():
    parameter = UniformParameterRange("x", 0.0, 10.0)
    assert offered(parameter, 10.0, {"x": (None, 11.0)}) == ("upper", 0.0, 11.0)
    assert offered(parameter, 10.0, {"x": (0.0, 10.0)}) is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (UniformParameterRange("x", -1.7e308, 1.7e308), 1.7e308),
        (LogUniformParameterRange("x", -300, 308), 1e308),
        (LogUniformParameterRange("x", -323, 0), 5e-324 * 2),
    ],
    ids=str,
)
def test_at_the_end_of_all_numbers_nothing_breaks(parameter, value):
    found = offered(parameter, value)
    assert found is None or all(abs(bound) < float("inf") for bound in found[1:])


def test_what_is_offered_can_be_set_and_the_nearest_few_are_offered():
    space = Space([UniformParameterRange(f"p{index}", 0.0, 10.0) for index in range(9)])
    found = widen_suggestions(space, [9.4 + 0.06 * index for index in range(9)])
    assert [one["name"] for one in found] == ["p8", "p7", "p6"][:MOST_SUGGESTIONS]
    for one in found:
        assert space.with_ranges({one["name"]: one["range"]}).ranges[one["name"]] == tuple(one["range"])
