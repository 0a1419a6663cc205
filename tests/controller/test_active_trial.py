"""What a trial reports, returns and leaves behind."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.engines.base import Summary
from hpo_widgets.objectives import make_objectives
from hpo_widgets.trials import TrialRow, TrialState

LOSS = make_objectives("validation", "loss", "min")
TWO = make_objectives(["validation", "validation"], ["loss", "accuracy"], ["min", "max_global"])


@pytest.fixture
def trial():
    return ActiveTrial(TrialRow(3, int(TrialState.RUNNING), 0, [0.5]), None, 0.0)


def test_before_the_first_report_there_are_no_values(trial):
    row = trial.refresh(LOSS)
    assert (row.values, row.iteration, row.summary) == (None, None, {})
    assert trial.last_iteration == -1


def test_a_row_has_the_objectives_and_a_summary_of_every_scalar(trial):
    for value, iteration in ((3.0, 0), (1.0, 1), (2.0, 2)):
        trial.report("validation", "loss", value, iteration)
    trial.report("train", "loss", 9.0, 5)
    row = trial.refresh(TWO)
    assert (row.values, row.iteration) == ([2.0, None], [2, None])
    trial.report("validation", "accuracy", 0.9, 3)
    trial.report("validation", "accuracy", 0.8, 4)
    assert trial.refresh(TWO) is row
    assert (row.values, row.iteration) == ([2.0, 0.9], [2, 3])
    assert row.summary == {
        "validation/loss": [2.0, 2, 1.0, 1, 3.0, 0, 3],
        "train/loss": [9.0, 5, 9.0, 5, 9.0, 5, 1],
        "validation/accuracy": [0.8, 4, 0.8, 4, 0.9, 3, 2],
    }
    assert trial.last_iteration == 5


@pytest.mark.parametrize("result", [2, 2.0, np.float32(2), np.int64(2), Fraction(2), True])
def test_a_number_that_is_returned_is_the_last_report(trial, result):
    trial.report("train", "loss", 9.0, 7)
    assert trial.take_result(result, LOSS) is None
    row = trial.refresh(LOSS)
    assert (row.values, row.iteration) == ([float(result)], [7])


def test_without_a_report_what_is_returned_is_of_iteration_zero(trial):
    trial.take_result(1.5, LOSS)
    assert trial.refresh(LOSS).iteration == [0]


def test_a_dict_that_is_returned_is_a_report_a_key(trial):
    assert trial.take_result({"validation/loss": 1, "validation/accuracy": 0.5, "a/b/c": 2.0}, TWO) is None
    row = trial.refresh(TWO)
    assert row.values == [1.0, 0.5]
    assert list(trial.summaries) == [("validation", "loss"), ("validation", "accuracy"), ("a/b", "c")]


def test_the_objectives_key_is_split_as_the_objective_is(trial):
    slashes = make_objectives("loss", "val/mse", "min")
    assert trial.take_result({"loss/val/mse": 0.5, "loss/train/mse": 2.0}, slashes) is None
    assert trial.validate_objectives(slashes) is None
    row = trial.refresh(slashes)
    assert row.values == [0.5]
    again = ActiveTrial(row, None, 0.0)
    again.restore(slashes)
    assert set(again.summaries) == {("loss", "val/mse"), ("loss/train", "mse")}
    assert again.refresh(slashes).values == [0.5]


@pytest.mark.parametrize("key", ["loss", "loss/"])
def test_an_objective_without_a_series_is_returned_by_its_title(trial, key):
    untold = make_objectives("loss", "", "min")
    assert trial.take_result({key: 0.5, "size": 2.0}, untold) is None
    assert trial.refresh(untold).values == [0.5]
    assert set(trial.summaries) == {("loss", ""), ("size", "size")}


def test_a_word_that_two_objectives_have_is_none_of_them_and_a_whole_key_is_its_own(trial):
    two = make_objectives(["", "a", "loss"], ["loss", "loss", ""], ["min"] * 3)
    assert trial.take_result({"loss": 0.5, "/loss": 1.0, "a/loss": 2.0, "loss/": 3.0}, two) is None
    assert trial.refresh(two).values == [1.0, 2.0, 3.0]
    assert ("loss", "loss") in trial.summaries


def test_a_trial_that_is_taken_over_has_the_last_iteration_of_its_row_which_may_be_beyond_its_scalars(trial):
    seen = Summary({("validation", "loss"): [0.5, 3, 0.5, 3, 0.5, 3, 1]}, 8)
    trial.take_summary(seen)
    again = ActiveTrial(trial.refresh(LOSS), None, 0.0)
    again.restore(LOSS)
    assert again.last_iteration == 8
    assert not again.take_summary(seen)


def test_nothing_returned_adds_nothing(trial):
    assert trial.take_result(None, LOSS) is None
    assert trial.summaries == {}


@pytest.mark.parametrize(
    ("result", "objectives", "sentence"),
    [
        ("0.5", LOSS, "returned a str; return a number, a dict of names to numbers, or report"),
        ([0.5], LOSS, "returned a list"),
        (1j, LOSS, "returned a complex"),
        (0.5, TWO, "returned one number for 2 objectives; return a dict with 'validation/loss', 'validation/accuracy'"),
        ({"": 0.5}, LOSS, "returned a dict with key ''; keys are names, such as 'validation/loss'"),
        ({"loss/": 0.5}, LOSS, "returned a dict with key 'loss/'"),
        ({"validation/loss": "0.5"}, LOSS, "returned '0.5' for 'validation/loss'; return numbers"),
        ({"validation/loss": None}, LOSS, "returned None for 'validation/loss'"),
        ({"validation/loss": 0.5, "size": "big"}, LOSS, "returned 'big' for 'size'; return numbers"),
        (10**400, LOSS, "returned a number too large for a float"),
        ({"validation/loss": 10**400}, LOSS, "returned a number too large for a float for 'validation/loss'"),
    ],
)
def test_what_cannot_be_a_result_is_told_and_nothing_of_it_counts(trial, result, objectives, sentence):
    assert trial.take_result(result, objectives).startswith(sentence)
    assert trial.summaries == {}


def test_a_trial_with_all_its_objectives_is_judged_well(trial):
    trial.report("validation", "loss", math.inf, 0)
    assert trial.validate_objectives(LOSS) is None


def test_a_trial_that_reports_nothing_is_told_so(trial):
    assert trial.validate_objectives(LOSS) == (
        "returned and reported nothing: return a number, or report 'validation/loss' with trial.report_scalar"
    )
    trial.row.job = "0a1b"
    assert trial.validate_objectives(LOSS) == "ended without reporting 'validation/loss'; it reported nothing"


def test_a_trial_that_reports_something_else_is_told_what_and_offered_the_nearest(trial):
    trial.report("train", "time", 1.0, 0)
    trial.report("validation", "los", 1.0, 0)
    assert trial.validate_objectives(TWO) == (
        "ended without reporting 'validation/loss', only other scalars. Did you mean 'validation/los'?"
    )


def test_of_many_other_scalars_a_few_are_named(trial):
    for number in range(50):
        trial.report("t", f"s{number}", 1.0, 0)
    sentence = trial.validate_objectives(LOSS)
    assert "'t/s4'" in sentence
    assert "'t/s49'" not in sentence


def test_a_nan_is_a_failure_with_its_iteration(trial):
    trial.report("validation", "loss", 1.0, 3)
    trial.report("validation", "loss", math.nan, 4)
    assert trial.validate_objectives(LOSS) == "validation/loss is NaN at iteration 4"


def test_the_end_writes_state_time_and_error_and_keeps_no_nan(trial):
    trial.report("validation", "loss", math.nan, 4)
    trial.report("validation", "accuracy", 0.5, 4)
    trial.refresh(TWO)
    row = trial.finish(TrialState.FAILED, 12.5, "is NaN")
    assert (row.state, row.ended, row.error) == (int(TrialState.FAILED), 12.5, "is NaN")
    assert type(row.state) is int
    assert row.values == [None, 0.5]


def test_a_job_that_has_completed_has_run_though_its_server_does_not_say_when(trial):
    row = trial.finish(TrialState.COMPLETED, 12.5, None)
    assert (row.started, row.ended, row.duration, row.is_recorded) == (12.5, 12.5, 0.0, False)
    aborted = ActiveTrial(TrialRow(4, int(TrialState.QUEUED), 0, [0.5]), None, 0.0).finish(
        TrialState.ABORTED, 12.5, None
    )
    assert aborted.never_ran


def test_an_end_before_any_report_has_no_values(trial):
    assert trial.finish(TrialState.ABORTED, 1.0, None).values is None
