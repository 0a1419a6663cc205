"""Results that people have already: recorded as trials that did not run here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerOptuna,
    RandomSearch,
    UniformIntegerParameterRange,
    replay,
)
from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.search import SearchStatus
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.runs import X, finished, identity

KIND = DiscreteParameterRange("kind", ["a", "b", "c"])


def of_kind(kind, x=None):
    return float(ord(kind))


def two_values(x):
    return {"loss/loss": x, "size/size": 1 - x}


def fails(x):
    raise ValueError("no luck")


def is_full(*_arguments):
    raise JournalError("the journal could not be written: the disk is full")


def points_told(made):
    """What the sampler of a search that has run knows."""
    return [trial.params["x"] for trial in made.get_optimizer().study.trials]


class Listening(SearchStrategy):
    """Proposes x = 0.5 and remembers what it is told; learns nothing where it is asked on the controller's thread."""

    is_model_based = True

    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self.history = [observation.values for observation in history]
        self.told = []

    def ask(self):
        return Proposal({"x": 0.5})

    def tell(self, observation):
        self.told.append((observation.point, observation.state, observation.values))


# What it is ------------------------------------------------------------------------------------------------------


def test_before_the_start_a_result_is_durable_at_once_and_shown_here_and_elsewhere(search):
    made = search(identity, total_max_jobs=3)
    assert made.add_trial({"x": 0.25}, 0.125, note="of the paper", tags=["paper"]) == 0
    with SearchViewer(made.journal_path) as viewer:
        for seen in (made, viewer):
            trial = seen.trial(0)
            assert seen.status is SearchStatus.IDLE
            assert (seen.best_trial, seen.top(2), seen.counts[TrialState.COMPLETED]) == (trial, [trial], 1)
            assert (trial.state, trial.is_recorded, trial.enqueued) == (TrialState.COMPLETED, True, False)
            assert (trial.parameters, trial.values) == ({"x": 0.25}, (0.125,))
            assert (trial.worker, math.isnan(trial.started), math.isnan(trial.duration)) == (-1, True, True)
            assert (trial.note, trial.tags) == ("of the paper", ("paper",))
            assert seen.budget.jobs.used == seen.budget.compute_minutes.used == 0
            assert seen.get_top_experiments_details(1)[0]["metrics"]["objective/objective"]["value"] == 0.125


def test_it_counts_against_no_limit_here_in_a_view_and_after_reopening(search):
    made = search(identity, total_max_jobs=3)
    for x in (0.1, 0.2, 0.3, 0.4):
        made.add_trial({"x": x}, 2.0)
    finished(made)
    assert made.add_trial({"x": 0.5}, 2.0) == 7
    with SearchViewer(made.journal_path) as viewer:
        again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
        for seen in (made, viewer, again):
            assert (seen.counts[TrialState.COMPLETED], seen.budget.jobs.used) == (8, 3)
            seconds = seen.snapshot().seconds
            assert np.isnan(seconds).tolist() == [True] * 4 + [False] * 3 + [True]
            assert seen.budget.compute_minutes.used == pytest.approx(np.nansum(seconds) / 60)
            assert seen.stop_reason.code == "total_max_jobs"
    again.set_total_max_jobs(5)
    finished(again)
    assert (again.counts[TrialState.COMPLETED], again.budget.jobs.used) == (10, 5)
    assert not any(again.trial(number).is_recorded for number in (4, 5, 6, 8, 9))


def test_while_trials_run_it_takes_the_next_number_and_is_shown_when_the_call_returns(two_running, gate):
    made = two_running(total_max_jobs=3)
    assert made.add_trial({"x": 0.25}, -1.0) == 2
    assert made.trial(2).is_recorded
    assert made.best_trial.number == 2
    assert made.counts[TrialState.RUNNING] == 2
    gate.open()
    assert made.wait()
    assert (made.counts[TrialState.COMPLETED], made.budget.jobs.used) == (4, 3)
    assert [made.trial(number).worker >= 0 for number in range(4)] == [True, True, False, True]


def test_while_short_trials_run_its_number_is_that_of_no_other_and_its_point_is_not_run_afterwards(search, until):
    made = search(identity, [UniformIntegerParameterRange("x", 0, 4999)], total_max_jobs=3000, seed=1)
    made.start()
    until(made, lambda: made.counts[TrialState.COMPLETED] > 0)
    recorded = {}
    for x in range(0, 5000, 125):
        recorded[made.add_trial({"x": x}, -1.0)] = x
    assert made.wait()
    rows = made.snapshot()
    assert rows.numbers[rows.is_recorded].tolist() == list(recorded)
    assert (len(rows), made.budget.jobs.used) == (3040, 3000)
    ran = {int(x): number for number, x in enumerate(rows.parameters["x"]) if number not in recorded}
    assert len(ran) == 3000
    assert all(ran.get(x, -1) < number for number, x in recorded.items())


def test_the_callback_for_jobs_that_end_is_not_called(search):
    calls = []
    made = search(identity, total_max_jobs=2)
    made.add_trial({"x": 0.25}, -1.0)
    made.start(job_complete_callback=lambda *arguments: calls.append(arguments))
    made.add_trial({"x": 0.75}, -2.0)
    assert made.wait()
    assert len(calls) == 2


def test_of_several_objectives_the_values_come_in_order_or_by_name_with_other_scalars(search):
    titles = ["loss", "size"]
    made = search(
        two_values,
        objective_metric_title=titles,
        objective_metric_series=titles,
        objective_metric_sign=["min", "min"],
        total_max_jobs=2,
    )
    made.add_trial({"x": 0.5}, np.array([0.25, 0.75]))
    made.add_trial({"x": 0.5}, {"size": 0.125, "loss/loss": -1, "seconds a step": 3.5})
    assert [made.trial(number).values for number in range(2)] == [(0.25, 0.75), (-1.0, 0.125)]
    assert made.to_dataframe()["seconds a step/seconds a step"].tolist() == pytest.approx([math.nan, 3.5], nan_ok=True)
    assert [trial.number for trial in made.top(1)] == [1]


def test_many_are_recorded_by_one_write_of_the_journal_with_a_note_and_tags_for_each(search):
    made = search(identity, total_max_jobs=2)
    assert made.add_trials(iter([]), tags=["paper"]) == []
    assert not made.journal_path.exists()
    made.add_trial({"x": 0.125}, 4.0)
    writes = []
    write = Journal.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", lambda *given: (writes.append(given), write(*given))[1])
        assert made.add_trials((({"x": x / 8}, x) for x in range(3)), note="table 2", tags=["paper"]) == [1, 2, 3]
    assert len(writes) == 1
    finished(made)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    for seen in (made, again):
        assert [seen.trial(number).is_recorded for number in range(6)] == [True] * 4 + [False] * 2
        assert [seen.trial(number).value for number in range(1, 4)] == [0.0, 1.0, 2.0]
        assert {(seen.trial(number).note, seen.trial(number).tags) for number in range(1, 4)} == {
            ("table 2", ("paper",))
        }


# What strategies make of it --------------------------------------------------------------------------------------


def test_a_strategy_that_learns_is_told_at_once_and_has_it_in_its_history_afterwards(search, two_running, gate):
    made = two_running(optimizer_class=Listening, allow_duplicates=True, total_max_jobs=2)
    made.add_trial({"x": 0.25}, 4.0)
    told = made.get_optimizer().told
    gate.open()
    assert made.wait()
    assert told[0] == ({"x": 0.25}, TrialState.COMPLETED, (4.0,))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, optimizer_class=Listening)
    again.add_trial({"x": 0.75}, 5.0)
    again.set_total_max_jobs(3)
    finished(again)
    assert again.get_optimizer().history == [(0.5,), (0.5,), (4.0,), (5.0,)]


def test_a_strategy_learns_once_from_results_at_which_a_subscriber_has_changed_ranges(two_running, gate):
    made = two_running(optimizer_class=Listening, allow_duplicates=True, total_max_jobs=2)

    def narrow():
        if len(made.snapshot()) > 2 and made.epochs[-1].epoch == 0:
            made.set_range("x", (0.0, 0.75))

    made.subscribe(narrow)
    made.add_trials([({"x": 0.25}, 4.0)] * 3)
    gate.open()
    assert made.wait()
    strategy = made.get_optimizer()
    known = [*strategy.history, *(values for _point, _state, values in strategy.told)]
    assert known.count((4.0,)) == 3


def test_optuna_learns_from_many_results_recorded_while_trials_run(two_running, gate):
    made = two_running(optimizer_class=OptimizerOptuna, total_max_jobs=4, seed=1, max_observations=None)
    made.add_trials([({"x": x / 1000}, x / 1000) for x in range(200)])
    gate.open()
    assert made.wait()
    assert {x / 1000 for x in range(200)} < set(points_told(made))
    assert (len(points_told(made)), made.budget.jobs.used) == (204, 4)


def test_optuna_learns_from_results_recorded_before_the_start(search):
    made = search(identity, optimizer_class=OptimizerOptuna, total_max_jobs=2, seed=1)
    for x in (0.25, 0.5):
        made.add_trial({"x": x}, x)
    finished(made)
    assert points_told(made)[:2] == [0.25, 0.5]
    assert len(points_told(made)) == 4


def test_a_point_outside_the_present_ranges_is_kept_and_learned_from_when_they_hold_it(search):
    made = search(identity, optimizer_class=OptimizerOptuna, total_max_jobs=1, seed=1, limits={"x": (0, 9)})
    made.set_range("x", (0.5, 0.75))
    made.add_trial({"x": 0.25}, -1.0)
    made.add_trial({"x": 4}, -2.0)
    finished(made)
    assert made.best_trial.parameters == {"x": 4.0}
    assert not {0.25, 4.0} & set(points_told(made))
    made.set_range("x", (0.0, 5.0))
    made.set_total_max_jobs(2)
    finished(made)
    assert {0.25, 4.0} <= set(points_told(made))


@pytest.mark.parametrize("strategy", [GridSearch, RandomSearch, OptimizerOptuna])
def test_no_strategy_runs_its_point_again_also_after_reopening(search, strategy):
    made = search(of_kind, [KIND], optimizer_class=strategy, total_max_jobs=1)
    made.add_trial({"kind": "a"}, 1.0)
    finished(made)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=of_kind)
    again.set_total_max_jobs(None)
    finished(again)
    assert again.stop_reason.code == "space_exhausted"
    assert sorted(again.trial(number).parameters["kind"] for number in range(3)) == ["a", "b", "c"]
    assert len(again.snapshot()) == 3


def test_where_duplicates_are_allowed_its_point_is_run_too(search):
    made = search(of_kind, [KIND], optimizer_class=GridSearch, allow_duplicates=True)
    made.add_trial({"kind": "a"}, 1.0)
    finished(made)
    assert [made.trial(number).parameters["kind"] for number in range(4)] == ["a", "a", "b", "c"]


def test_a_search_whose_own_trials_all_fail_has_failed_though_a_result_was_recorded(search):
    made = search(fails, total_max_jobs=3)
    made.add_trial({"x": 0.5}, 1.0)
    finished(made)
    assert made.status is SearchStatus.FAILED
    assert "; no trial that ran has a result, 3 failed; the last: ValueError: no luck" in made.stop_reason.sentence
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=fails)
    again.set_total_max_jobs(4)
    finished(again)
    assert again.status is SearchStatus.FAILED


# What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "values", "words"),
    [
        ({"x": 0.5, "y": 1}, 1.0, "no parameter 'y'"),
        ({}, 1.0, "lacks a value for 'x'"),
        ({"x": math.nan}, 1.0, "'x' takes a finite number, got nan"),
        ({"x": 10}, 1.0, "limits"),
        ({"x": 0.5}, math.nan, "the value is a number, got nan"),
        ({"x": 0.5}, None, "the value is a number, got None"),
        ({"x": 0.5}, "0.5", "the value is a number, got '0.5'"),
        ({"x": 0.5}, 10**400, "the value is a number, got 1000"),
        ({"x": 0.5}, [1.0, 2.0], "the search has 1 objective, 'objective/objective': got 2 values"),
        ({"x": 0.5}, {"los": 1.0}, "the values lack 'objective/objective', they have 'los/los'"),
        ({"x": 0.5}, {"objective": 1.0, "accuracy": math.nan}, "the value of 'accuracy' is a number, got nan"),
        ({"x": 0.5}, {"objective": 1.0, "": 2.0}, "got a dict with key ''"),
    ],
)
def test_what_is_no_result_is_refused_before_anything_happens(search, parameters, values, words):
    made = search(identity, limits={"x": (0, 9)})
    with pytest.raises(ValueError) as raised:
        made.add_trial(parameters, values)
    assert words in str(raised.value)
    assert len(made.snapshot()) == 0
    assert not made.journal_path.exists()
    assert made.add_trial({"x": 0.5}, math.inf) == 0


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (({"x": 0.5}, math.nan), ValueError, "results[2]: the value is a number, got nan"),
        (({"x": 0.5, "y": 1}, 1.0), ValueError, "results[2]: the space has no parameter 'y'"),
        (({"x": 0.5}, 1.0, ["paper"]), TypeError, "results[2] is a pair of parameters and values, got ("),
        ("xy", TypeError, "results[2] is a pair of parameters and values, got 'xy'"),
        ((0.5, 1.0), ValueError, "results[2]: a point is a dict"),
    ],
)
def test_of_many_the_first_wrong_one_is_named_and_none_is_recorded(search, wrong, error, words):
    made = search(identity)
    right = ({"x": 0.5}, 1.0)
    with pytest.raises(error) as raised:
        made.add_trials([right, right, wrong, right])
    assert str(raised.value).startswith(words)
    assert len(made.snapshot()) == 0
    assert not made.journal_path.exists()
    assert made.add_trials([right]) == [0]


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_what_a_full_disk_keeps_from_the_journal_is_not_recorded_and_may_be_recorded_again(search, is_first):
    made = search(of_kind, [KIND], optimizer_class=GridSearch)
    if not is_first:
        made.add_trial({"kind": "b"}, 0.0)
    before = len(made.snapshot())
    results = [({"kind": "a"}, 1.0), ({"kind": "b"}, 2.0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", is_full)
        with pytest.raises(JournalError, match="the disk is full"):
            made.add_trials(results, tags=["paper"])
    assert len(made.snapshot()) == before
    finished(made)
    names = [made.trial(number).parameters["kind"] for number in range(len(made.snapshot()))]
    assert sorted(names) == ["a", "b", "c"]
    assert made.add_trials(results, tags=["paper"]) == [3, 4]
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert (viewer.counts, viewer.trial(4).tags) == (made.counts, ("paper",))


def test_while_trials_run_a_full_disk_keeps_it_from_strategy_and_numbers_too(two_running, gate):
    made = two_running(optimizer_class=Listening, allow_duplicates=True, total_max_jobs=3)
    write = Journal.write

    def is_full_for_results(journal, trials=(), *more):
        # A worker that is slow to begin has the search write, too, which ends where it cannot.
        if any(row.state == TrialState.COMPLETED for row in trials):
            is_full()
        return write(journal, trials, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", is_full_for_results)
        with pytest.raises(JournalError, match="the disk is full"):
            made.add_trial({"x": 0.25}, 4.0, tags=["paper"])
    assert made.add_trial({"x": 0.25}, 5.0) == 2
    assert made.trial(2).tags == ()
    gate.open()
    assert made.wait()
    assert [values for _point, _state, values in made.get_optimizer().told] == [(5.0,), (0.5,), (0.5,), (0.5,)]
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert (viewer.counts, len(viewer.snapshot()), viewer.trial(2).tags) == (made.counts, 4, ())


def test_a_note_that_is_none_is_refused_before_anything_happens(search):
    made = search(identity)
    with pytest.raises(TypeError, match="tags are a list of words"):
        made.add_trial({"x": 0.5}, 1.0, tags="paper")
    assert len(made.snapshot()) == 0


def test_a_view_says_who_can_record_a_result(search):
    made = search(identity)
    made.add_trial({"x": 0.5}, 1.0)
    with SearchViewer(made.journal_path) as viewer, pytest.raises(RuntimeError, match="to continue, open it with"):
        viewer.add_trial({"x": 0.5}, 1.0)


# Where it is seen ------------------------------------------------------------------------------------------------


def test_as_code_it_is_recorded_again_but_for_choices_that_the_ranges_leave_out(search):
    made = search(of_kind, [KIND, X])
    made.add_trial({"kind": "a", "x": 0.5}, 1.0)
    made.add_trial({"kind": "b", "x": 2}, math.inf)
    lines = [
        'optimizer.add_trials([\n    ({"kind": "a", "x": 0.5}, 1.0),\n',
        '    ({"kind": "b", "x": 2.0}, float("inf")),\n])\n',
    ]
    with SearchViewer(made.journal_path) as viewer:
        for code in (made.as_code(), viewer.as_code()):
            assert code.endswith("".join(lines))
    made.leave_out(1)
    assert made.trial(1).is_recorded
    assert made.as_code().endswith(lines[0] + "])\n")
    made.take_back(1)
    made.set_range("kind", ["b", "c"])
    assert made.as_code().endswith("optimizer.add_trials([\n" + lines[1])
    made.set_range("kind", ["c"])
    assert "optimizer.add_trial" not in made.as_code()


def test_a_replay_shows_it_from_the_moment_at_which_it_was_recorded(search):
    made = search(identity, total_max_jobs=2)
    made.add_trial({"x": 0.5}, 1.0)
    finished(made)
    with replay(made.journal_path) as played:
        assert played.trial(0).is_recorded
        played.seek(played.duration)
        assert [played.trial(number).is_recorded for number in range(3)] == [True, False, False]
