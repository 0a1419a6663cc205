from __future__ import annotations

import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import GridSearch

SPACE = Space([UniformIntegerParameterRange("n", 1, 4), DiscreteParameterRange("c", ["a", "b", None])])


def zero(point):
    return 0.0


def test_draw_n_is_point_n_of_the_grid(drive):
    search = drive(GridSearch(), SPACE)
    grid = list(SPACE.grid())
    for n in range(12):
        proposal = search.ask()
        assert (proposal.draw, proposal.point) == (n, grid[n])
        search.launch(proposal)
    assert search.strategy.ask() is None
    assert search.strategy.ask() is None


def test_a_grid_of_a_billion_billion_points_is_never_built(drive):
    space = Space([UniformIntegerParameterRange(f"n{i}", 0, 999) for i in range(6)])
    strategy = GridSearch()
    search = drive(strategy, space)
    strategy.begin(space, search.objectives, 0, [], 10**17 + 5)
    assert strategy.ask().point == {"n0": 100, **{f"n{i}": 0 for i in range(1, 5)}, "n5": 5}
    strategy.begin(space, search.objectives, 0, [], 10**18)
    assert strategy.ask() is None


def test_an_opened_search_goes_on_where_it_was(drive):
    strategy = GridSearch()
    search = drive(strategy, SPACE)
    strategy.begin(SPACE, search.objectives, 0, [], 7)
    assert strategy.ask().draw == 7


def test_a_change_of_range_lists_the_new_grid_without_what_was_run(drive):
    search = drive(GridSearch(), SPACE)
    done = search.run(5, zero)
    search.begin(SPACE.with_ranges({"n": (2, 3)}))
    new = search.run(100, zero)
    assert len(new) == 6 - sum(point["n"] in (2, 3) for point in done)
    search.begin(SPACE)
    rest = search.run(100, zero)
    assert sorted(map(repr, done + new + rest)) == sorted(map(repr, SPACE.grid()))


def test_a_range_without_steps_is_listed_in_clearmls_number_of_steps(drive):
    space = Space([UniformParameterRange("x", 0, 1)])
    points = drive(GridSearch(), space).run(1000, zero)
    assert len(points) == 101
    assert (points[0], points[-1]) == ({"x": 0.0}, {"x": 1.0})


@pytest.mark.parametrize("narrow", [None, {"x": (2, 3)}])
def test_combinations_are_listed_one_after_the_other(drive, narrow):
    space = Space(
        [
            ParameterSet(
                [
                    {"kind": "one", "x": UniformIntegerParameterRange("x", 1, 3)},
                    {"kind": "two", "x": 2, "y": DiscreteParameterRange("y", ["a", "b"])},
                ]
            )
        ]
    )
    if narrow is not None:
        space = space.with_ranges(narrow)
    points = drive(GridSearch(), space).run(1000, zero)
    assert len(points) == space.size == (5 if narrow is None else 4)
