"""Pareto fronts against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.objectives.pareto import crowding_distance, fronts_in_turn, pareto_front

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


def front_by_force(table, minimise, rest):
    return [row for row in rest if not any(dominates(table[other], table[row], minimise) for other in rest)]


@given(problems())
def test_the_front_is_that_of_brute_force(problem):
    table, minimise = problem
    known = np.flatnonzero(~np.isnan(table).any(axis=1)).tolist()
    assert np.flatnonzero(pareto_front(table, minimise)).tolist() == front_by_force(table, minimise, known)


@given(problems())
def test_all_fronts_come_in_turn(problem):
    table, _ = problem
    table = table[~np.isnan(table).any(axis=1)]
    rest = list(range(len(table)))
    for front in fronts_in_turn(table):
        assert front.tolist() == front_by_force(table, [True] * table.shape[1], rest)
        rest = [row for row in rest if row not in front]
    assert rest == []


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("minimise", [True, False])
def test_edges(columns, minimise):
    assert pareto_front(np.empty((0, columns)), minimise).tolist() == []
    assert pareto_front(np.ones((3, columns)), minimise).tolist() == [True] * 3
    assert pareto_front(np.full((2, columns), np.nan), minimise).tolist() == [False] * 2


def test_a_long_chain_has_one_front_per_row():
    chain = np.arange(1000.0)
    assert [front.tolist() for front in fronts_in_turn(np.column_stack([chain, chain]))] == [[n] for n in range(1000)]


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
