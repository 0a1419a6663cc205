"""Rugs: where something was tried, how good it was, and how little of it goes over the wire."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.rug import FEW_BINS, MANY, MOST_BINS, Levels, TriedValues

BEST = 8


def shown(search, *, minimise=True):
    """What was tried by parameter, as the space panel gathers it."""
    tracks = {
        name: search.space.leaf(name).declared
        for name in search.space.names
        if search.space.leaf(name).kind != "choice"
    }
    tried = TriedValues(search.space, tracks, minimise=minimise)
    assert tried.put(search.snapshot())
    return dict(zip(search.space.names, tried.shown(search.epochs[-1].epoch), strict=True))


def levels(text):
    """Bin to level 1 to 8, 0 for failed, whatever the epoch."""
    return {
        at: 0 if sign in "xX" else int(sign) if sign.isdigit() else "abcdefgh".index(sign) + 1
        for at, sign in enumerate(text)
        if sign != " "
    }


def search_over(*values, parameter=None, **kind):
    search = ScriptedSearch([parameter or UniformParameterRange("x", 0.0, 1.0)], **kind)
    for x, value in values:
        search.add_trial(value, {"x": x})
    return search


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (UniformParameterRange("x", 0.0, 1.0), (0.0, 0.5, 1.0)),
        (LogUniformParameterRange("x", -4, 0), (1e-4, 1e-2, 1)),
        (UniformParameterRange("x", -1.7e308, 1.7e308), (-1.7e308, 0.0, 1.7e308)),
        (LogUniformParameterRange("x", -300, 300), (1e-300, 1.0, 1e300)),
    ],
    ids=["even", "log", "widest", "widest log"],
)
@pytest.mark.filterwarnings("error")
def test_a_value_is_in_the_bin_at_its_place_on_the_track(parameter, values):
    text = shown(search_over(*((value, 0.5) for value in values), parameter=parameter))["x"]
    assert len(text) == MOST_BINS
    assert list(levels(text)) == [0, 64, MOST_BINS - 1]


def test_few_whole_numbers_have_a_bin_each_and_many_share():
    few = search_over((1, 1), (3, 1), (6, 1), parameter=UniformIntegerParameterRange("x", 1, 6))
    assert (len(shown(few)["x"]), list(levels(shown(few)["x"]))) == (6, [0, 2, 5])
    many = search_over((10_000, 1), parameter=UniformIntegerParameterRange("x", 0, 10_000))
    assert list(levels(shown(many)["x"])) == [MOST_BINS - 1]


@pytest.mark.parametrize(
    ("parameter", "value", "place"),
    [
        (UniformIntegerParameterRange("x", 0, 1, include_max_value=False), 0, 0),
        (UniformParameterRange("x", 2.0, 3.0, 1.0, include_max_value=False), 2.0, 64),
        (LogUniformParameterRange("x", -1, 0, step_size=1, include_max_value=False), 0.1, 64),
    ],
    ids=["int", "float", "log"],
)
@pytest.mark.filterwarnings("error")
def test_a_parameter_of_one_value_has_one_bin_with_all_trials(parameter, value, place):
    search = search_over((value, 0.5), (value, 0.25), parameter=parameter)
    assert levels(shown(search)["x"]) == {place: BEST}
    tried = TriedValues(search.space, {"x": parameter.declared}, minimise=True, bins={"x": 1})
    assert tried.put(search.snapshot())
    assert tried.histogram("x") == "9"


@pytest.mark.parametrize(("sign", "order"), [("min", 1), ("max", -1)])
def test_better_is_higher_and_the_best_has_the_highest_level(sign, order):
    values = [order * value for value in (1e-300, 1e-200, 1e-10, 1.0, 1e100, 1e200, 1e300, 1e301)]
    search = search_over(*((0.1 * at, value) for at, value in enumerate(values)), signs=sign)
    found = list(levels(shown(search, minimise=sign == "min")["x"]).values())
    assert found[0] == BEST
    assert found == sorted(found, reverse=True)
    assert found[-1] < BEST / 2


def test_a_bin_shows_the_best_of_its_trials():
    search = search_over((0.5, 100.0), (0.5, 0.1), (0.9, 50.0))
    found = levels(shown(search)["x"])
    assert found[64] == BEST
    assert found[114] < BEST


def test_trials_that_are_all_equal_are_all_as_good_as_the_best():
    assert set(levels(shown(search_over((0.1, 2.0), (0.5, 2.0), (0.9, 2.0)))["x"]).values()) == {BEST}


def test_one_trial_is_the_best_and_none_shows_nothing():
    assert levels(shown(search_over((0.5, 3.0)))["x"]) == {64: BEST}
    assert shown(search_over())["x"] == " " * MOST_BINS


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None], ids=str)
@pytest.mark.parametrize("sign", ["min", "max"])
def test_a_trial_without_a_finite_value_is_drawn_as_failed(value, sign):
    search = search_over((0.5, value), (1.0, 0.5), signs=sign)
    assert levels(shown(search, minimise=sign == "min")["x"]) == {64: 0, MOST_BINS - 1: BEST}


def test_failed_trials_are_never_drawn_as_good_and_hide_no_good_one():
    search = search_over((0.5, 3.0))
    for x in (0.0, 0.5):
        search.add_trial(-100.0, {"x": x}, state=TrialState.FAILED, error="no")
    search.add_trial(-50.0, {"x": 0.25}, state=TrialState.PRUNED)
    search.add_trial(-50.0, {"x": 1.0}, state=TrialState.RUNNING)
    assert levels(shown(search)["x"]) == {0: 0, 32: 1, 64: BEST}


def test_bins_of_the_present_ranges_are_told_from_those_of_earlier_ones():
    search = search_over((0.25, 1.0), (0.5, 1.0))
    search.set_ranges({"x": (0.4, 1.0)})
    assert shown(search)["x"].strip() == "8" + " " * 31 + "8"
    search.add_trial(1.0, {"x": 0.5})
    search.add_trial(None, {"x": 1.0}, state=TrialState.FAILED)
    text = shown(search)["x"]
    assert (text[32], text[64], text[-1]) == ("8", "h", "X")


def test_parameters_that_do_not_apply_leave_no_mark():
    parameters = [
        ParameterSet([{"kind": "a", "x": UniformParameterRange("x", 0.0, 1.0)}, {"kind": "b"}]),
    ]
    search = ScriptedSearch(parameters)
    search.add_trial(1.0, {"kind": "b"})
    assert shown(search)["x"].strip() == ""
    assert sum(shown(search)["kind"]) == 1


def test_a_point_by_hand_off_the_track_is_left_out():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    search.add_trial(1.0, {"x": 7.0})
    assert shown(search)["x"].strip() == ""


def test_choices_count_their_trials_from_the_start_of_each():
    search = ScriptedSearch([DiscreteParameterRange("c", ["a", "b", "z"])])
    for choice, state in [("a", 2), ("b", 1), ("a", 3), ("z", 0)]:
        search.add_trial(0.5, {"c": choice}, state=TrialState(state))
    assert shown(search)["c"] == [2, 1, 0]


def test_rows_that_come_again_change_nothing():
    search = search_over((0.5, 3.0), (0.25, 1.0))
    search.add_trial(None, {"x": 0.1}, state=TrialState.FAILED)
    tried = TriedValues(search.space, {"x": (0.0, 1.0)}, minimise=True)
    assert tried.put(search.snapshot())
    before = tried.shown(0)
    assert tried.put(search.snapshot())
    assert tried.shown(0) == before


def test_a_trial_that_changed_after_its_end_asks_for_new_bins():
    search = search_over((0.5, 3.0))
    tried = TriedValues(search.space, {"x": (0.0, 1.0)}, minimise=True)
    assert tried.put(search.snapshot())
    search.end_trial(0, 4.0)
    assert not tried.put(search.snapshot())


@pytest.mark.parametrize(
    ("parameter", "once"),
    [(UniformIntegerParameterRange("x", 1, 2), "h "), (DiscreteParameterRange("x", [1, 2]), [1, 0])],
)
def test_a_value_of_a_trial_that_was_aborted_before_it_ran_was_not_tried(parameter, once):
    search = search_over((1, 0.5), parameter=parameter)
    search.add_trial(None, {"x": 2}, state=TrialState.ABORTED, seconds=math.nan)
    assert shown(search)["x"] == once


def test_what_is_shown_does_not_depend_on_the_order_in_which_rows_came():
    search = ScriptedSearch()
    values = np.random.default_rng(3).random(50).tolist()
    tracks = {name: search.space.leaf(name).declared for name in ("lr", "dropout", "layers")}
    tried = TriedValues(search.space, tracks, minimise=True)
    version = 0
    for value in values:
        search.add_trial(value)
        rows = search.changes_since(version)
        version = rows.version
        assert tried.put(rows)
    whole = TriedValues(search.space, tracks, minimise=True)
    whole.put(search.snapshot())
    assert tried.shown(0) == whole.shown(0)


def test_rugs_are_shorter_where_there_are_many():
    names = [f"p{index}" for index in range(MANY + 1)]
    search = ScriptedSearch([UniformParameterRange(name, 0.0, 1.0) for name in names])
    assert {len(text) for text in shown(search).values()} == {FEW_BINS}


def test_levels_hold_ever_fewer_trials():
    fitted = Levels()
    losses = np.arange(100.0)
    fitted.fit(losses)
    found = fitted.of(losses)
    assert [int((found >= level).sum()) for level in range(BEST, 0, -1)] == [1, 2, 4, 7, 14, 27, 52, 100]


def test_a_trial_that_is_left_out_has_no_mark_and_the_others_are_judged_without_it():
    search, others = search_over((0.1, 0.0), (0.5, 0.25), (0.9, 0.5)), search_over((0.5, 0.25), (0.9, 0.5))
    search.command("leave_out", 0)
    assert shown(search) == shown(others)
