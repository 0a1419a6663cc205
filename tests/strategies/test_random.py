from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import RandomSearch
from hpo_widgets.strategies.random import BLOCK, PointStream

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
