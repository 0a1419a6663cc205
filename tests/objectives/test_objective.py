"""Objectives and summaries of scalars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.objectives import SIGNS, Objective, ScalarSummary, make_objectives

reports = st.lists(st.tuples(st.floats(allow_nan=False), st.integers(0, 99)), min_size=1, max_size=20)


def summary_of(pairs):
    summary = ScalarSummary()
    for value, iteration in pairs:
        summary.update(value, iteration)
    return summary


@given(reports)
def test_each_sign_measures_its_value_with_the_iteration_that_reported_it(pairs):
    summary = summary_of(pairs)
    values = [value for value, _ in pairs]
    measured = {sign: Objective("a", "b", sign).measure(summary) for sign in SIGNS}
    assert measured["min"] == measured["max"] == pairs[-1]
    assert measured["min_global"] == next(pair for pair in pairs if pair[0] == min(values))
    assert measured["max_global"] == next(pair for pair in pairs if pair[0] == max(values))
    assert summary.count == len(pairs)


@given(reports)
def test_a_summary_survives_its_list_form(pairs):
    summary = summary_of(pairs)
    again = ScalarSummary.from_list(summary.to_list())
    assert again.to_list() == summary.to_list()
    assert repr(again) == repr(summary)


@given(reports, reports)
def test_a_reported_nan_stays_visible(before, after):
    summary = summary_of([*before, (math.nan, 7), *after])
    assert math.isnan(Objective("a", "b", "min_global").measure(summary).value)
    assert math.isnan(Objective("a", "b", "max_global").measure(summary).value)
    assert Objective("a", "b", "max_global").measure(summary).iteration == 7
    assert Objective("a", "b", "min").measure(summary) == after[-1]


def test_last_means_last_reported_not_the_highest_iteration():
    assert Objective("a", "b", "max").measure(summary_of([(0.5, 10), (0.1, 3)])) == (0.1, 3)


def test_nothing_is_measured_without_a_report():
    for sign in SIGNS:
        assert Objective("a", "b", sign).measure(None) is None
        assert Objective("a", "b", sign).measure(ScalarSummary()) is None


@pytest.mark.parametrize(
    ("sign", "minimise", "is_global"),
    [("min", True, False), ("max", False, False), ("min_global", True, True), ("max_global", False, True)],
)
def test_a_sign_says_direction_and_scope(sign, minimise, is_global):
    objective = Objective("validation", "loss", sign)
    assert objective.key == "validation/loss"
    assert objective.minimise is minimise
    assert objective.is_global is is_global


def test_three_strings_are_one_objective():
    assert make_objectives("validation", "loss", "min") == (Objective("validation", "loss", "min"),)


def test_three_lists_are_several_objectives():
    made = make_objectives(["v", "v"], ("loss", "acc"), ["min", "max_global"])
    assert [(objective.key, objective.sign) for objective in made] == [("v/loss", "min"), ("v/acc", "max_global")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "minimum"), "'minimum' is not a sign of an objective. Did you mean 'min'?"),
        (("a", "b", "maximize"), "'maximize' is not a sign of an objective. Did you mean 'max'?"),
        (("a", "b", "Minimise"), "Did you mean 'min'?"),
        (("a", "b", "max-global"), "Did you mean 'max_global'?"),
        (("a", "b", "upwards"), "Known: 'min', 'max', 'min_global', 'max_global'"),
        ((["a", "b"], ["c"], ["min", "max"]), "must be lists of equal length, got 2, 1 and 2"),
        ((["a", "b"], ["c", "d"], "min"), "objective_metric_sign is a single string"),
        (("a", "b", ["min"]), "objective_metric_title and objective_metric_series is a single string"),
        (([], [], []), "at least one objective"),
        ((["a", "a"], ["b", "b"], ["min", "max"]), "the objective 'a/b' is given twice"),
        ((list(map(str, range(1001))), ["b"] * 1001, ["min"] * 1001), "at most 1000 objectives, got 1001"),
    ],
)
def test_impossible_objectives_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_objectives(*arguments)


@pytest.mark.parametrize("arguments", [(None, "b", "min"), ("a", 3, "min")])
def test_titles_and_series_are_strings(arguments):
    with pytest.raises(TypeError, match="of an objective must be a string"):
        Objective(*arguments)


@pytest.mark.parametrize(
    ("key", "iteration", "words"),
    [
        ("objective", 0, "objective is NaN"),
        ("validation/loss", 0, "validation/loss is NaN"),
        ("validation/loss", None, "validation/loss is NaN"),
        ("validation/loss", 7, "validation/loss is NaN at iteration 7"),
    ],
)
def test_nan_is_told_by_the_name_and_the_iteration_that_a_person_knows(key, iteration, words):
    assert Objective.named(key, "min").nan_words(iteration) == words
