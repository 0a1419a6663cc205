"""Pareto fronts against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.objectives import objective as objectives
from hpo_widgets.objectives.pareto import crowding_distance, fronts_in_turn, non_dominated_fronts, pareto_front

# Few distinct numbers, so that ties and equal rows are frequent.
numbers = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.5, -1.0, np.inf, -np.inf, np.nan]) | st.integers(-3, 3).map(float)


@st.composite
def problems(draw):
    columns = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(numbers, min_size=columns, max_size=columns), max_size=14))
    minimise = draw(st.lists(st.booleans(), min_size=columns, max_size=columns))
    return np.array(rows, dtype=float).reshape(len(rows), columns), minimise


def dominates(one, other, minimise):
    at_least = [(a <= b) if small else (a >= b) for a, b, small in zip(one, other, minimise, strict=True)]
    better = [(a < b) if small else (a > b) for a, b, small in zip(one, other, minimise, strict=True)]
    return all(at_least) and any(better)


def fronts_by_force(table, minimise):
    numbers = np.full(len(table), -1)
    rest = {row for row in range(len(table)) if not np.isnan(table[row]).any()}
    number = 0
    while rest:
        front = {row for row in rest if not any(dominates(table[other], table[row], minimise) for other in rest)}
        numbers[list(front)] = number
        rest -= front
        number += 1
    return numbers


@given(problems())
def test_fronts_are_those_of_brute_force(problem):
    table, minimise = problem
    expected = fronts_by_force(table, minimise)
    np.testing.assert_array_equal(non_dominated_fronts(table, minimise), expected)
    np.testing.assert_array_equal(pareto_front(table, minimise), expected == 0)


@given(problems())
def test_the_other_direction_is_the_same_with_changed_signs(problem):
    table, minimise = problem
    other = [not small for small in minimise]
    np.testing.assert_array_equal(non_dominated_fronts(table, minimise), non_dominated_fronts(-table, other))


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("minimise", [True, False])
def test_edges(columns, minimise):
    assert pareto_front(np.empty((0, columns)), minimise).tolist() == []
    assert non_dominated_fronts(np.ones((1, columns)), minimise).tolist() == [0]
    assert pareto_front(np.ones((3, columns)), minimise).tolist() == [True] * 3
    assert non_dominated_fronts(np.full((2, columns), np.nan), minimise).tolist() == [-1, -1]


def test_a_long_chain_has_one_front_per_row():
    chain = np.arange(5000.0)
    assert non_dominated_fronts(np.column_stack([chain, chain])).tolist() == list(range(5000))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"values must be \(n, k\) and minimise k bools"):
        pareto_front(np.ones((3, 2)), [True])
    with pytest.raises(ValueError, match="shapes"):
        pareto_front(np.ones(3))


def test_the_ends_of_a_front_stand_alone():
    table = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0]])
    distance = crowding_distance(table)
    assert distance[[0, 3]].tolist() == [np.inf, np.inf]
    assert distance[1] == pytest.approx(2 / 4 + 3 / 4)
    assert distance[2] == pytest.approx(3 / 4 + 2 / 4)
    assert crowding_distance(np.ones((3, 2)))[1] == 0


def test_fronts_are_part_of_the_objectives_module():
    assert objectives.pareto_front is pareto_front
    assert objectives.non_dominated_fronts is non_dominated_fronts


@given(st.integers(1, 3), st.data())
def test_fronts_come_in_turn_as_they_are_numbered(columns, data):
    row = st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5])] * columns)
    table = np.array(data.draw(st.lists(row, max_size=15)), dtype=float).reshape(-1, columns)
    numbered = non_dominated_fronts(table)
    fronts = list(fronts_in_turn(table))
    assert [front.tolist() for front in fronts] == [
        np.flatnonzero(numbered == number).tolist() for number in range(len(fronts))
    ]
    assert sum(map(len, fronts)) == len(table)
