"""Statistics of searches side by side, on planted data and against known numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.search.comparison import (
    LEAST_DISTANCE,
    Trace,
    active_seconds,
    area,
    band_by_minutes,
    band_by_trial,
    best_levels,
    distances,
    idle_times,
    pairs,
    standings,
    steps,
    trace_of,
    verdict,
    wilson_interval,
)
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import Rows

DONE, FAILED, PRUNED, RUNNING = TrialState.COMPLETED, TrialState.FAILED, TrialState.PRUNED, TrialState.RUNNING


def rows(*each):
    """Trials as columns, each given as value, or values, start, end and state."""
    value, started, ended, state = zip(*each, strict=True)
    zeros = np.zeros(len(each), dtype=int)
    return Rows(
        version=0,
        numbers=np.arange(len(each)),
        state=np.array(state, dtype=np.uint8),
        values=np.array(value, dtype=float).reshape(len(each), -1),
        iteration=zeros,
        started=np.array(started, dtype=float),
        ended=np.array(ended, dtype=float),
        seconds=np.subtract(ended, started),
        epoch=zeros,
        worker=zeros,
        archived=zeros.astype(bool),
        enqueued=zeros.astype(bool),
        parameters={},
    )


def trace(*levels, minutes=None):
    values = np.array(levels, dtype=float)
    return Trace(values, np.array(minutes or range(1, len(levels) + 1), dtype=float), values)


def test_the_best_so_far_is_that_of_completed_trials_in_either_direction():
    ends = (0, FAILED), (3, DONE), (1, PRUNED), (math.nan, DONE), (2, DONE)
    ended = rows(*((value, 0, 1, state) for value, state in ends))
    values = ended.values[:, 0]
    assert best_levels(values, ended.can_be_best, minimise=True).tolist() == [math.inf, 3, 3, 3, 2]
    assert best_levels(values, ended.can_be_best, minimise=False).tolist() == [-math.inf, 3, 3, 3, 3]


def test_a_trace_follows_the_order_in_which_trials_ended_and_the_minutes_since_the_first_start():
    found = trace_of(rows((3, 600, 720, DONE), (1, 600, 660, DONE), (9, 660, math.nan, RUNNING)))
    assert found.levels.tolist() == [1, 1]
    assert found.minutes.tolist() == [1, 2]
    assert found.end == 1


def test_a_trial_that_is_left_out_took_its_time_and_counts_for_nothing_else():
    found = trace_of(rows((3, 600, 660, DONE), (1, 600, 720, TrialState.LEFT_OUT), (2, 660, 780, DONE)))
    assert found.levels.tolist() == [3, 3, 2]
    assert found.minutes.tolist() == [1, 2, 3]
    assert sorted(found.values.tolist()) == [2, 3]


def test_a_trial_without_a_finite_value_of_another_objective_is_not_the_best():
    found = trace_of(rows(((3, 1), 600, 660, DONE), ((1, math.inf), 600, 720, DONE), ((2, 5), 660, 780, DONE)))
    assert found.levels.tolist() == [3, 3, 2]
    assert sorted(found.values.tolist()) == [1, 2, 3]


def test_a_pause_stops_the_clock():
    moments = np.array([100.0, 200.0, 300.0, 400.0])
    assert active_seconds(moments, 100.0, [(150.0, 260.0)]).tolist() == [0, 50, 90, 190]
    assert active_seconds(moments, 100.0, [(0.0, 110.0), (390.0, 900.0)]).tolist() == [0, 90, 190, 280]


def test_a_night_between_two_runs_is_no_time_of_a_search():
    some = rows((1, 0, 60, DONE), (2, 50, 90, DONE), (3, 4000, 4060, DONE), (4, 4061, 4070, DONE))
    assert idle_times(some) == [(90, 4000)]
    assert trace_of(some, pauses=idle_times(some)).minutes.tolist() == [1, 1.5, 2.5, 160 / 60]
    assert idle_times(rows((1, math.nan, math.nan, FAILED))) == []


def test_a_band_has_the_quartiles_of_the_repeats_from_where_each_has_a_value():
    found = band_by_trial([trace(math.inf, 4, 4), trace(3, 2, 2), trace(5, 3, 0)])
    assert found.at.tolist() == [2, 3]
    assert found.median.tolist() == [3, 2]
    assert found.low.tolist() == [2.5, 1]
    assert found.high.tolist() == [3.5, 3]


def test_a_search_that_ended_early_keeps_its_last_level():
    found = band_by_trial([trace(4, 2)], 4)
    assert found.median.tolist() == [4, 2, 2, 2]
    assert band_by_trial([], 4).at.tolist() == []
    assert band_by_trial([trace(4), trace()], 4).at.tolist() == []


def test_over_time_each_moment_has_the_levels_that_all_had_then():
    found = band_by_minutes([trace(4, 2, minutes=[1, 3]), trace(8, 6, minutes=[2, 4])])
    assert found.at.tolist() == [2, 3, 4]
    assert found.median.tolist() == [6, 5, 4]


def test_over_time_there_are_some_hundred_moments_at_most():
    long = trace(*range(2000, 0, -1))
    found = band_by_minutes([long])
    assert len(found.at) == 400
    assert (found.at[0], found.at[-1]) == (1, 2000)


def test_a_line_keeps_its_level_until_the_next_step():
    x, y = steps(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 5.0, 2.0, 2.0]))
    assert (x.tolist(), y.tolist()) == ([1, 3, 3, 4], [5, 5, 2, 2])


def test_the_distance_from_an_optimum_is_above_0_in_either_direction():
    assert distances(trace(3, 1), 1.0, minimise=True).levels.tolist() == [2, LEAST_DISTANCE]
    assert distances(trace(0.5, 0.9), 1.0, minimise=False).levels.tolist() == pytest.approx([0.5, 0.1])


def test_the_area_is_the_mean_level_over_the_budget():
    assert area(trace(4, 2), 4, is_log=False) == 2.5
    assert area(trace(100, 10, 1), 3, is_log=True) == pytest.approx(1.0)
    assert area(trace(math.inf, 4), 2, is_log=False) == 4
    assert math.isnan(area(trace(), 2, is_log=False))


@pytest.mark.parametrize(
    ("wins", "total", "low", "high"),
    [
        # R 4.3: binom::binom.confint(x, n, methods = "wilson")
        pytest.param(6, 10, 0.3126738, 0.8318197, id="6 of 10"),
        pytest.param(10, 10, 0.7224672, 1.0, id="all of 10"),
        pytest.param(0, 10, 0.0, 0.2775328, id="none of 10"),
        pytest.param(8, 10, 0.4901625, 0.9433178, id="8 of 10"),
        pytest.param(15, 20, 0.5312993, 0.8881384, id="15 of 20"),
        pytest.param(0, 0, 0.0, 1.0, id="nothing counted"),
    ],
)
def test_the_interval_of_wilson_has_the_published_ends(wins, total, low, high):
    assert wilson_interval(wins, total) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_holds_the_share_and_is_that_of_the_losses_turned_round(counted):
    wins, total = counted
    low, high = wilson_interval(wins, total)
    assert 0 <= low <= wins / total <= high <= 1
    assert wilson_interval(total - wins, total) == pytest.approx((1 - high, 1 - low))


def planted(**ends):
    return {name: [trace(9, end) for end in some] for name, some in ends.items()}


def test_wins_are_counted_repeat_by_repeat_and_a_tie_is_nobodys():
    found = {
        one.name: one for one in standings(planted(a=[1, 1, 5, 2], b=[2, 2, 2, 2]), 2, minimise=True, is_log=False)
    }
    assert (found["a"].wins, found["b"].wins) == (2, 1)
    assert (found["a"].end, found["b"].end) == (1.5, 2)
    assert found["a"].interval == wilson_interval(2, 4)


def test_the_first_in_the_standings_has_most_wins_and_then_the_better_median():
    some = planted(a=[1, 9, 9], b=[9, 1, 5], c=[5, 5, 1])
    assert [one.name for one in standings(some, 2, minimise=True, is_log=False)] == ["b", "c", "a"]
    assert [one.name for one in standings(planted(a=[1], b=[2]), 2, minimise=False, is_log=False)] == ["b", "a"]


def test_a_pair_begins_with_the_one_that_was_better_more_often():
    [pair] = pairs(planted(a=[1, 5, 5, 5], b=[2, 2, 2, 5]), minimise=True)
    assert (pair.first, pair.second, pair.wins, pair.losses, pair.ties) == ("b", "a", 2, 1, 1)
    assert pair.interval == wilson_interval(2, 3)


def test_a_search_without_a_value_loses():
    [pair] = pairs({"a": [trace(math.inf, math.inf)], "b": [trace(9, 9)]}, minimise=True)
    assert (pair.first, pair.wins, pair.losses) == ("b", 1, 0)


def said(**ends):
    some = planted(**ends)
    return verdict(standings(some, 2, minimise=True, is_log=False), pairs(some, minimise=True))


def test_six_of_ten_is_not_distinguishable_yet_and_ten_of_ten_is_ahead():
    even = said(a=[1] * 6 + [3] * 4, b=[2] * 10)
    assert even[0] == "a and b are not distinguishable yet."
    assert even[1] == "6 of 10 fits any share from 31 to 83 %; more repeats narrow it."
    [pair] = pairs(planted(a=[1] * 6 + [3] * 4, b=[2] * 10), minimise=True)
    assert pair.verdict == "not distinguishable yet"
    assert said(a=[1] * 10, b=[2] * 10)[0] == "a is ahead of b."


def test_equal_ends_and_no_repeat_decide_nothing():
    assert said(a=[1] * 10, b=[1] * 10)[0] == "a and b are not distinguishable."
    assert said(a=[], b=[])[0] == "No repeat has ended yet."
    assert [one.verdict for one in pairs(planted(a=[1], b=[1]), minimise=True)] == ["always equal"]
    assert [one.verdict for one in pairs(planted(a=[], b=[]), minimise=True)] == ["no repeat yet"]


def test_of_two_that_are_alike_few_races_find_one_ahead():
    """The verdict is wrong in about one of twenty races of equals, as a 95 % interval promises."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        ends = random.random((2, 12))
        [pair] = pairs(planted(a=ends[0], b=ends[1]), minimise=True)
        wrong += pair.is_decided
    assert wrong / 300 < 0.08
