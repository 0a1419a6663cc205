"""What the history shows, as arrays: who is drawn where, and the best so far."""

from __future__ import annotations

import math

import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.plots.series import ObjectiveValues


def series_of(search, objective=0):
    series = ObjectiveValues(objective, minimise=search.objectives[objective].minimise)
    return series, series.put(search.snapshot())


def test_only_completed_trials_make_the_best():
    search = ScriptedSearch()
    search.add_trial(0.5)
    for state in (TrialState.PRUNED, TrialState.ABORTED, TrialState.RUNNING):
        search.add_trial(0.1, state=state)
    series, _ = series_of(search)
    assert series.best_so_far()[1].tolist() == [0.5]


def test_trials_that_end_out_of_order_are_put_in_their_place():
    search = ScriptedSearch()
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(0.5)
    series, fresh = series_of(search)
    assert fresh.tolist() == [1]
    search.end_trial(0, 0.25)
    assert series.put(search.snapshot()).tolist() == [0]
    assert series.best_so_far()[0].tolist() == [0]


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf]])
def test_without_a_value_there_is_no_best(values):
    search = ScriptedSearch()
    search.add_trials(values)
    series, _ = series_of(search)
    assert [len(corners) for corners in series.best_so_far()] == [0, 0]


def test_each_trial_is_drawn_in_one_place():
    search = ScriptedSearch()
    search.add_trial(0.5)
    search.add_trial(0.4, state=TrialState.PRUNED)
    search.add_trial(state=TrialState.ABORTED)
    search.add_trial(state=TrialState.FAILED)
    search.add_trial(math.inf)
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(state=TrialState.QUEUED)
    series, fresh = series_of(search)
    assert series.completed(fresh).tolist() == [0]
    assert series.partial(fresh).tolist() == [1]
    assert series.failed(fresh).tolist() == [3, 4]
    assert sorted(series.shown_of(fresh)) == [0.4, 0.5]


def test_rows_that_come_twice_are_drawn_once():
    search = ScriptedSearch()
    search.add_trials([0.5, 0.25])
    series, _ = series_of(search)
    assert series.put(search.snapshot()).tolist() == []
    assert not series.has_rewritten


def test_a_drawn_trial_that_changes_is_noticed_once():
    search = ScriptedSearch()
    search.add_trial(0.5)
    series, _ = series_of(search)
    search.end_trial(0, 0.75)
    rows = search.snapshot()
    series.put(rows)
    assert series.has_rewritten
    series.put(search.changes_since(rows.version))
    assert not series.has_rewritten


def test_very_many_steps_of_the_best_become_fewer_and_end_at_the_best():
    search = ScriptedSearch()
    search.add_trials([1.0 / (1 + number) for number in range(2000)])
    series, _ = series_of(search)
    all_x, _ = series.best_so_far()
    x, y = series.best_so_far(least_step=20.0)
    assert len(all_x) == 2 * 2000 - 1
    assert len(x) <= 2 * 101
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 1.0, 1999.0, 1 / 2000)
    # Each corner is a level that was reached there.
    assert y[-3] == 1.0 / (1 + x[-3])
