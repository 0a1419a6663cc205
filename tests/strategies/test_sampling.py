"""Random and grid search."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import GridSearch, RandomSearch
from hpo_widgets.strategies.sampling import BLOCK, EvenGrid, PointStream, even_cells

SPACE = Space(
    [UniformParameterRange("x", 0, 1), LogUniformParameterRange("lr", -4, -1), DiscreteParameterRange("c", ["a", "b"])]
)
FINITE = Space([UniformIntegerParameterRange("n", 1, 5), DiscreteParameterRange("c", ["a", "b"])])


def zero(point):
    return 0.0


def asked(strategy: RandomSearch, n: int) -> list[dict]:
    return [strategy.ask().point for _ in range(n)]


def test_point_n_follows_from_seed_epoch_and_n_alone(drive):
    whole = asked(drive(RandomSearch(seed=7), SPACE).strategy, 200)
    stream = PointStream(SPACE, 7, 0)
    for n in (199, 0, BLOCK, BLOCK - 1, 64, 3):
        assert stream[n] == whole[n]


@pytest.mark.parametrize("draws", [0, 1, 63, 64, 65, 150])
def test_an_opened_search_goes_on_with_the_next_draw(drive, draws):
    whole = asked(drive(RandomSearch(seed=7), SPACE).strategy, 200)
    strategy = RandomSearch(seed=7)
    search = drive(strategy, SPACE)
    strategy.begin(SPACE, search.objectives, 0, [], draws)
    proposal = strategy.ask()
    assert (proposal.point, proposal.draw) == (whole[draws], draws)


def test_seeds_and_epochs_give_unrelated_points(drive):
    streams = [PointStream(SPACE, seed, epoch) for seed, epoch in [(1, 0), (2, 0), (1, 1), (0, 1), (2**80, 0)]]
    units = np.array([[stream[n]["x"] for n in range(BLOCK * 4)] for stream in streams])
    correlations = np.corrcoef(units)
    assert np.abs(correlations - np.eye(len(streams))).max() < 0.25
    assert len(np.unique(units)) == units.size


def test_blocks_of_a_stream_do_not_repeat():
    stream = PointStream(SPACE, 1, 0)
    values = [stream[n]["x"] for n in range(BLOCK * 20)]
    assert len(set(values)) == len(values)


def test_a_proposed_point_is_the_callers_own(drive):
    strategy = drive(RandomSearch(seed=1), SPACE).strategy
    strategy.ask().point.clear()
    assert strategy.ask().point


def test_every_point_of_a_finite_space_is_tried_once_and_then_none_is_left(drive):
    search = drive(RandomSearch(seed=3), FINITE)
    points = search.run(100, zero)
    assert len(points) == FINITE.size == 10
    assert len({FINITE.key(point) for point in points}) == 10
    assert search.strategy.ask() is None
    assert search.strategy.ask() is None


def test_the_last_point_of_a_large_finite_space_is_found_without_spinning(drive):
    space = Space([UniformIntegerParameterRange("n", 0, 9999)])
    search = drive(RandomSearch(seed=3), space)
    search.keys = {space.key({"n": n}) for n in range(10_000) if n != 4321}
    assert search.strategy.ask().point == {"n": 4321}
    assert search.strategy._drawn < 200


def test_with_duplicates_allowed_a_finite_space_never_ends(drive):
    search = drive(RandomSearch(seed=3), FINITE, allow_duplicates=True)
    assert len(search.run(50, zero)) == 50


def test_after_a_change_of_range_a_finite_space_offers_what_is_new(drive):
    search = drive(RandomSearch(seed=3), FINITE.with_ranges({"n": (1, 2)}))
    assert len(search.run(100, zero)) == 4
    search.begin(FINITE)
    assert len(search.run(100, zero)) == 6


def test_integers_of_a_stream_are_even_and_have_any_size():
    stream = PointStream(SPACE, 5, 0)
    drawn = [stream.integer(n, 10) for n in range(2000)]
    counts = np.bincount(drawn, minlength=10)
    assert len(counts) == 10
    assert counts.min() > 120
    assert all(0 <= stream.integer(n, 10**30) < 10**30 for n in range(50))
    assert max(stream.integer(n, 10**30) for n in range(50)) > 10**29


GRID_SPACE = Space([UniformIntegerParameterRange("n", 1, 4), DiscreteParameterRange("c", ["a", "b", None])])


def test_draw_n_is_point_n_of_the_grid(drive):
    search = drive(GridSearch(), GRID_SPACE)
    grid = list(GRID_SPACE.grid())
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


def test_a_change_of_range_lists_the_new_grid_without_what_was_run(drive):
    search = drive(GridSearch(), GRID_SPACE)
    done = search.run(5, zero)
    search.begin(GRID_SPACE.with_ranges({"n": (2, 3)}))
    new = search.run(100, zero)
    assert len(new) == 6 - sum(point["n"] in (2, 3) for point in done)
    search.begin(GRID_SPACE)
    rest = search.run(100, zero)
    assert sorted(map(repr, done + new + rest)) == sorted(map(repr, GRID_SPACE.grid()))


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


def all_of(strategy):
    points = []
    while (proposal := strategy.ask()) is not None:
        points.append(proposal.point)
    return points


def test_an_even_grid_has_the_middles_of_equal_cells_on_each_scale(drive):
    space = Space([UniformParameterRange("x", -5, 10), LogUniformParameterRange("lr", -4, 0)])
    points = all_of(drive(EvenGrid(points=49), space).strategy)
    assert len(points) == 49
    assert sorted({point["x"] for point in points}) == pytest.approx([-5 + 15 * (n + 0.5) / 7 for n in range(7)])
    assert sorted({point["lr"] for point in points}) == pytest.approx(
        [10 ** (-4 + 4 * (n + 0.5) / 7) for n in range(7)]
    )
    assert points[0]["x"] == points[1]["x"]


@pytest.mark.parametrize(
    ("space", "most", "cells"),
    [
        (SPACE, 50, [5, 5, 2]),
        (SPACE, 1, [1, 1, 1]),
        (FINITE, 100, [5, 2]),
        (FINITE, 9, [4, 2]),
    ],
)
def test_a_grid_has_as_many_cells_as_fit_and_no_more_than_there_are_values(space, most, cells):
    assert even_cells(space, most) == cells


def test_an_even_grid_of_a_finite_space_with_room_is_all_of_it(drive):
    points = all_of(drive(EvenGrid(points=100), FINITE).strategy)
    assert sorted((point["n"], point["c"]) for point in points) == [(n, c) for n in range(1, 6) for c in "ab"]


def test_an_even_grid_of_conditional_parameters_repeats_nothing(drive):
    space = Space(
        [ParameterSet([{"kernel": "linear"}, {"kernel": "radial", "width": UniformParameterRange("width", 0, 1)}])]
    )
    search = drive(EvenGrid(points=12), space)
    points = []
    while (proposal := search.ask()) is not None:
        points.append(proposal.point)
        search.launch(proposal)
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)
    assert {point["kernel"] for point in points} == {"linear", "radial"}


def test_an_even_grid_refuses_a_size_that_is_none():
    with pytest.raises(ValueError, match="points must be a whole number"):
        EvenGrid(points=0)
