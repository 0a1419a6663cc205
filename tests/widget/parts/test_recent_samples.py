"""Where a sampler has sampled recently, digit by digit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.recent_samples import FEW_BINS, MOST_BINS, MOST_SAMPLES, RecentSamples


def drawn_of(search, epoch=0, strategy="OptimizerOptuna"):
    """What was drawn in an epoch of a search so far."""
    drawn = RecentSamples(search.space, epoch, strategy)
    drawn.put(search.snapshot())
    return drawn


def profile(parameter, values, *, strategy="OptimizerOptuna"):
    """The profile of one parameter after draws of these values."""
    search = ScriptedSearch([parameter])
    for value in values:
        search.add_trial(0.5, {"x": value})
    (shown,) = drawn_of(search, 0, strategy).shown()
    return shown


def test_it_is_highest_where_most_was_drawn():
    values = [0.5, 0.49, 0.51] * 5 + [0.1, 0.9]
    shown = profile(UniformParameterRange("x", 0.0, 1.0), values)
    assert len(shown) == MOST_BINS
    assert shown[MOST_BINS // 2] == "9"
    assert max(shown[: MOST_BINS // 4]) < "4"
    assert shown == shown[::-1]


def test_places_are_even_in_the_logarithm_where_the_track_is():
    shown = profile(LogUniformParameterRange("x", -4, 0), [0.01] * 20)
    assert shown[MOST_BINS // 2] == "9"
    assert shown == shown[::-1]


@pytest.mark.parametrize(
    "parameter",
    [
        UniformParameterRange("x", 0.0, 1.0),
        LogUniformParameterRange("x", -4, 0),
        UniformParameterRange("x", -1.7e308, 1.7e308),
        UniformIntegerParameterRange("x", 0, 10**6),
    ],
    ids=["float", "log", "widest", "int"],
)
def test_even_draws_are_even_up_to_both_ends(parameter):
    search = ScriptedSearch([parameter])
    units = (np.arange(MOST_SAMPLES) + 0.5) / MOST_SAMPLES
    values = [point["x"] for point in search.space.points(units[:, None])]
    assert set(profile(parameter, values)) <= {"8", "9"}


@pytest.mark.parametrize(
    ("parameter", "values", "places"),
    [
        (UniformIntegerParameterRange("x", 1, 6), range(1, 7), [0, 8, 16, 24, 32, 40]),
        (UniformParameterRange("x", 0.0, 0.3, step_size=0.1), [0.0, 0.1, 0.2, 0.3], [0, 13, 27, 40]),
        (UniformIntegerParameterRange("x", 1, 40), range(1, 41), None),
    ],
    ids=["int", "stepped", "40"],
)
def test_each_step_has_a_place_of_its_own(parameter, values, places):
    even = profile(parameter, [*values] * (MOST_SAMPLES // len(values)))
    places = places or [round(step * (MOST_BINS - 1) / 39) for step in range(40)]
    assert {even[place] for place in places} == {"9"}
    uneven = profile(parameter, [values[1]] * 20)
    assert [place for place in places if uneven[place] == "9"] == [places[1]]


def test_so_many_draws_are_remembered_that_a_change_of_mind_is_seen():
    shown = profile(UniformParameterRange("x", 0.0, 1.0), [0.0] * 200 + [1.0] * MOST_SAMPLES)
    assert (shown[0] < "3", shown[-1]) == (True, "9")


@pytest.mark.parametrize("strategy", ["RandomSearch", "GridSearch"])
def test_strategies_without_preferences_have_none_shown(strategy):
    assert profile(UniformParameterRange("x", 0.0, 1.0), [0.5] * 20, strategy=strategy) == ""


def test_the_first_few_draws_say_nothing():
    parameter = UniformParameterRange("x", 0.0, 1.0)
    assert profile(parameter, [0.5] * 9) == ""
    assert profile(parameter, [0.5] * 10) != ""


def test_choices_and_a_single_step_have_no_shape():
    assert profile(DiscreteParameterRange("x", [0.0, 1.0]), [1.0] * 20) == ""
    search = ScriptedSearch([UniformIntegerParameterRange("x", 1, 6)])
    search.set_ranges({"x": (2, 2)})
    search.add_trials([0.5] * 20)
    assert drawn_of(search, 1).shown() == [""]


def test_enqueued_and_of_earlier_ranges_do_not_count():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    for _ in range(20):
        search.add_trial(0.5, {"x": 0.2})
    search.set_ranges({"x": (0.1, 1.0)})
    drawn = RecentSamples(search.space, 1, "OptimizerOptuna")
    assert drawn.put(search.snapshot()) is False
    for _ in range(20):
        search.add_trial(0.5, {"x": 0.8})
    rows = search.snapshot()
    rows.enqueued[:] = True
    assert drawn.put(rows) is False
    assert drawn.shown() == [""]
    assert drawn.put(search.snapshot()) is True
    assert drawn.shown() != [""]


def test_recorded_results_do_not_count():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    for _ in range(20):
        search.add_trial(0.5, {"x": 0.2}, seconds=math.nan)
    assert RecentSamples(search.space, 0, "OptimizerOptuna").put(search.snapshot()) is False


def test_rows_that_come_again_change_nothing():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    drawn = RecentSamples(search.space, 0, "OptimizerOptuna")
    for value in np.linspace(0.2, 0.4, 12):
        search.add_trial(None, {"x": float(value)}, state=TrialState.RUNNING)
    # A value counts when it is drawn, not when its trial ends.
    assert drawn.put(search.snapshot()) is True
    before = drawn.shown()
    search.end_trial(3, 0.5)
    assert drawn.put(search.snapshot()) is False
    assert drawn.shown() == before


def test_profiles_are_shorter_where_there_are_many():
    search = ScriptedSearch([UniformParameterRange(f"x{index}", 0.0, 1.0) for index in range(17)])
    search.add_trials([0.5] * 20)
    assert {len(shown) for shown in drawn_of(search).shown()} == {FEW_BINS}


def test_a_random_search_is_shown_to_prefer_what_has_a_prior_and_nothing_else():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0), UniformParameterRange("y", 0.0, 1.0)])
    search.set_priors({"x": [0, 1]})
    for _ in range(20):
        search.add_trial(0.5, {"x": 0.9, "y": 0.9})
    x, y = drawn_of(search, 1, "RandomSearch").shown()
    assert x[-5] == "9"
    assert y == ""
