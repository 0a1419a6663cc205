"""Rows of the members beyond ClearML's reference."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import JournalError, find
from hpo_widgets.search import COMMANDS, SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.viewer import SearchViewer
from tests.member_rows.table import Table
from tests.runs import finished


class RowsBeyondTheReference(Table):
    def test_wait_async_lets_other_coroutines_go_on(self, running, gate):
        made = running()

        async def main():
            waiting = asyncio.create_task(made.wait_async())
            assert await made.wait_async(timeout=0.0001) is False
            gate.open()
            return await waiting

        assert asyncio.run(main()) is True

    def test_pause_launches_nothing_more_and_lets_trials_finish(self, running, gate, until):
        made = running()
        made.pause()
        gate.open()
        until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
        assert (made.status, made.is_active(), made.is_running()) == (SearchStatus.PAUSED, True, True)
        assert made.wait(timeout=0.0005) is False
        assert len(made.snapshot()) == 2

    def test_resume_launches_again(self, running, gate, until):
        made = running()
        made.pause()
        gate.open()
        until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
        made.resume()
        assert made.wait()
        assert made.counts[TrialState.COMPLETED] == 4

    def test_set_range_bounds_every_trial_proposed_afterwards(self, running, gate):
        made = running()
        made.set_range("x", (0.4, 0.45))
        gate.open()
        assert made.wait()
        assert all(0.4 <= made.trial(number).parameters["x"] <= 0.45 for number in (2, 3))
        assert [made.trial(number).epoch for number in range(4)] == [0, 0, 1, 1]

    def test_set_ranges_is_one_epoch(self, optimizer):
        made = optimizer([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b", "c"])])
        made.set_ranges({"x": (0.4, 0.45), "kind": ("b", "c")})
        finished(made)
        assert len(made.epochs) == 2
        for trial in made.top(3):
            assert 0.4 <= trial.parameters["x"] <= 0.45
            assert trial.parameters["kind"] in "bc"

    def test_add_choices_gives_the_next_trials_the_new_choice_and_keeps_all(self, optimizer):
        space = [DiscreteParameterRange("x", [0.5]), DiscreteParameterRange("kind", ["a", "b"])]
        made = finished(optimizer(space, optimizer_class=GridSearch, total_max_jobs=None))
        assert made.stop_reason.code == "space_exhausted"
        made.add_choices("kind", ["resnet"])
        assert made.space.ranges["kind"] == ("a", "b", "resnet")
        finished(made)
        assert [made.trial(number).parameters["kind"] for number in range(3)] == ["a", "b", "resnet"]
        assert [made.trial(number).epoch for number in range(3)] == [0, 0, 1]
        assert len(made.snapshot()) == 3
        made.enqueue_trial({"x": 0.5, "kind": "resnet"})
        made.undo()
        assert made.space.ranges["kind"] == ("a", "b")
        with pytest.raises(ValueError, match="already: allow it again with set_range"):
            made.add_choices("kind", ["resnet"])
        finished(made)
        assert made.trial(3).parameters == {"x": 0.5, "kind": "resnet"}
        assert "resnet" not in made.as_code()
        made.redo()
        assert "resnet" in made.as_code()

    def test_set_prior_is_followed_by_the_trials_proposed_afterwards(self, running, gate):
        made = running(total_max_jobs=8)
        made.set_prior("x", [0, 0, 0, 1])
        gate.open()
        assert made.wait()
        assert sum(made.trial(number).parameters["x"] > 0.75 for number in range(2, 8)) >= 4

    def test_set_priors_is_one_epoch(self, optimizer):
        made = optimizer([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b", "c"])])
        made.set_priors({"x": [1, 2], "kind": {"a": 1}})
        assert len(made.epochs) == 2

    def test_priors_are_those_that_hold_in_the_form_that_set_prior_takes(self, optimizer):
        made = optimizer()
        assert made.priors == {}
        made.set_prior("x", [1, 2])
        assert made.priors == {"x": {"weights": (0.5, 1.0), "range": (0.0, 1.0)}}

    def test_undo_goes_back_to_the_ranges_before(self, optimizer):
        made = optimizer()
        made.set_range("x", (0.4, 0.5))
        made.undo()
        assert made.space.ranges["x"] == (0, 1)
        finished(made)
        assert {made.trial(number).epoch for number in range(3)} == {2}

    def test_redo_takes_back_the_undo(self, optimizer):
        made = optimizer()
        made.set_range("x", (0.4, 0.5))
        made.undo()
        made.redo()
        assert made.space.ranges["x"] == (0.4, 0.5)
        finished(made)
        assert all(0.4 <= trial.parameters["x"] <= 0.5 for trial in made.top(3))

    def test_enqueue_trial_runs_a_point_by_hand_next(self, running, gate):
        made = running()
        made.enqueue_trial({"x": 0.125})
        gate.open()
        assert made.wait()
        assert (made.trial(2).parameters, made.trial(2).enqueued) == ({"x": 0.125}, True)
        assert made.trial(2).value == 0.125
        assert not made.trial(3).enqueued
        assert made.budget.jobs.used == 4

    def test_num_waiting_points_are_enqueued_and_not_taken_by_a_worker_yet(self, running, gate, until):
        made = running()
        assert made.num_waiting_points == 0
        made.enqueue_trial({"x": 0.125})
        made.retry(0)
        with SearchViewer(made.journal_path) as viewer:
            assert made.num_waiting_points == 2
            until(viewer, lambda: viewer.num_waiting_points == 2)
            gate.open()
            assert made.wait()
            viewer.refresh()
            assert (made.num_waiting_points, viewer.num_waiting_points) == (0, 0)

    def test_retry_runs_the_same_point_again(self, running, gate):
        made = running()
        made.retry(made.trial(1))
        gate.open()
        assert made.wait()
        assert made.trial(2).parameters == made.trial(1).parameters
        assert made.trial(2).id != made.trial(1).id

    def test_retry_failed_runs_each_failed_point_once(self, failing):
        made = finished(failing())
        points = [made.trial(number).parameters for number in (0, 1)]
        made.set_total_max_jobs(4)
        assert made.retry_failed() == 2
        assert made.retry_failed() == 0  # they wait
        finished(made)
        assert [made.trial(number).parameters for number in (2, 3)] == points
        assert [made.trial(number).enqueued for number in range(4)] == [False, False, True, True]
        assert made.retry_failed() == 2  # they have failed once more

    def test_failed_points_are_those_that_retry_failed_queues(self, failing):
        made = failing()
        assert made.failed_points() == []
        finished(made)
        with SearchViewer(made.journal_path) as viewer:
            assert (made.failed_points(), viewer.failed_points()) == ([0, 1], [0, 1])
            assert made.retry_failed() == 2
            viewer.refresh()
            assert (made.failed_points(), viewer.failed_points()) == ([], [])

    def test_stop_trial_aborts_one_and_the_search_goes_on(self, running, gate, until):
        made = running()
        made.stop_trial(1)
        until(made, lambda: made.trial(1).state is TrialState.ABORTED)
        assert made.trial(1).error == "stopped by hand"
        assert made.trial(0).state is TrialState.RUNNING
        gate.open()
        assert made.wait()
        made.stop_trial(made.trial(0))  # it has ended, and stays as it is
        assert made.counts[TrialState.COMPLETED] == 3
        assert made.budget.jobs.used == 4

    def test_set_max_number_of_concurrent_tasks_while_running(self, running, gate, until):
        made = running()
        made.set_max_number_of_concurrent_tasks(3)
        until(made, lambda: made.counts[TrialState.RUNNING] == 3)
        made.set_max_number_of_concurrent_tasks(1)
        gate.open()
        assert made.wait()
        assert made.max_number_of_concurrent_tasks == 1
        assert made.counts[TrialState.COMPLETED] == 4

    def test_set_total_max_jobs_raises_the_budget_and_the_search_goes_on(self, optimizer):
        made = finished(optimizer())
        made.set_total_max_jobs(5)
        assert made.total_max_jobs == 5
        finished(made)
        assert made.counts[TrialState.COMPLETED] == 5

    def test_set_compute_time_limit_ends_a_running_search(self, running):
        made = running()
        made.set_compute_time_limit(0.0001)
        assert made.wait()
        assert made.stop_reason.code == "compute_time_limit"

    def test_to_dataframe_has_typed_values(self, optimizer):
        units, free = UniformIntegerParameterRange("units", 1, 9), DiscreteParameterRange("Args/free", ["a", None, 1])
        made = finished(optimizer([UniformParameterRange("x", 0, 1), units, free]))
        frame = made.to_dataframe()
        assert list(frame.index) == [0, 1, 2]
        assert list(frame["state"]) == ["completed"] * 3
        for number in range(3):
            trial = made.trial(number)
            assert frame.loc[number, "units"] == trial.parameters["units"]
            assert frame.loc[number, "Args/free"] is trial.parameters["Args/free"]
            assert frame.loc[number, "validation/loss"] == trial.value
        assert str(frame["units"].dtype) == "Int64"

    def test_set_note_keeps_a_text_about_a_trial(self, optimizer):
        made = finished(optimizer())
        made.set_note(made.trial(1), " stable over three seeds ")
        made.set_note(0, "x")
        made.set_note(0, "")
        assert [made.trial(number).note for number in range(3)] == ["", "stable over three seeds", ""]
        assert made.to_dataframe()["note"].tolist() == ["", "stable over three seeds", ""]
        with SearchViewer(made.journal_path) as viewer:
            assert viewer.trial(1).note == "stable over three seeds"
        with pytest.raises(IndexError, match="no trial 9"):
            made.set_note(9, "x")
        with pytest.raises(TypeError, match="a note is a text"):
            made.set_note(0, 5)

    def test_set_tags_gives_a_trial_words(self, optimizer):
        made = finished(optimizer())
        made.set_tags(0, ["baseline", "3 seeds", "baseline", " "])
        assert made.trial(0).tags == ("baseline", "3 seeds")
        made.command("set_tags", 1, ["other"])
        with SearchViewer(made.journal_path) as viewer:
            assert viewer.trial(0).tags == ("baseline", "3 seeds")
        assert made.to_dataframe()["tags"].tolist()[0] == "baseline, 3 seeds"
        with pytest.raises(ValueError, match="at most 20 tags"):
            made.set_tags(0, [str(number) for number in range(21)])

    def test_leave_out_has_a_trial_count_for_nothing_but_the_budget(self, optimizer):
        made = finished(optimizer())
        best, second, _ = (trial.number for trial in made.top(3))
        frame, budget = made.to_dataframe(), made.budget.jobs
        made.leave_out(made.trial(best))
        assert made.best_trial.number == second
        assert (made.trial(best).status, made.trial(best).values) == ("left out", (made.trial(best).value,))
        assert made.counts[TrialState.LEFT_OUT] == 1
        assert made.budget.jobs == budget
        assert made.to_dataframe()["state"].tolist().count("left out") == 1
        assert made.to_optuna().best_trial.user_attrs["number"] == second
        with SearchViewer(made.journal_path) as viewer:
            assert [trial.number for trial in viewer.top(3)] == [trial.number for trial in made.top(3)]
            made.take_back([best])
            viewer.refresh()
            assert viewer.best_trial.number == best
        assert made.to_dataframe().equals(frame)

    def test_take_back_takes_back_all_or_none(self, optimizer):
        made = finished(optimizer())
        made.leave_out([0, 1])
        with pytest.raises(IndexError, match="no trial 9"):
            made.take_back([0, 9])
        assert made.counts[TrialState.LEFT_OUT] == 2
        made.command("take_back", [1, 2])
        assert (made.trial(0).state, made.trial(1).state) == (TrialState.LEFT_OUT, TrialState.COMPLETED)

    def test_to_csv_has_a_line_a_trial_and_writes_a_file(self, optimizer, tmp_path):
        made = finished(optimizer())
        assert len(made.to_csv(tmp_path / "trials.csv").splitlines()) == 4
        assert (tmp_path / "trials.csv").read_text() == made.to_csv()

    def test_to_json_has_the_trials_that_pass_a_filter(self, optimizer, tmp_path):
        made = finished(optimizer())
        trials = json.loads(made.to_json(tmp_path / "trials.json"))
        assert json.loads((tmp_path / "trials.json").read_text()) == trials
        assert [trial["parameters"] for trial in trials] == [dict(made.trial(number).parameters) for number in range(3)]
        (best,) = json.loads(made.to_json(filter=TrialFilter(top_k=1)))
        assert best["number"] == made.best_trial.number

    def test_to_optuna_is_a_study_of_the_search(self, optimizer):
        made = finished(optimizer())
        study = made.to_optuna()
        assert study.best_value == made.best_trial.value
        assert study.best_params == made.best_trial.parameters
        assert len(study.trials) == 3

    def test_from_optuna_begins_with_the_trials_of_a_study(self, optimizer):
        made = finished(optimizer())
        with HyperParameterOptimizer.from_optuna(made.to_optuna(), journal=made.journal_path.parent) as view:
            assert view.counts == made.counts
            assert [view.trial(number).value for number in range(3)] == [made.trial(n).value for n in range(3)]
            assert view.best_trial.number == made.best_trial.number

    def test_id_is_readable_unique_and_finds_its_file(self, optimizer):
        made, other = finished(optimizer()), optimizer()
        assert made.id != other.id
        assert made.id.startswith("train")
        assert find(made.id, made.journal_path.parent) == made.journal_path

    def test_journal_path_is_there_once_the_search_was_started(self, optimizer):
        made = optimizer()
        assert not made.journal_path.exists()
        finished(made)
        assert made.journal_path.is_file()

    def test_backup_is_a_journal_that_opens_while_the_search_runs(self, optimizer, tmp_path):
        made = optimizer()
        with pytest.raises(JournalError, match="no journal"):
            made.backup(tmp_path / "too early.sqlite")
        finished(made)
        copy = made.backup(tmp_path / "copies" / "copy.sqlite")
        with SearchViewer(copy) as viewer:
            assert viewer.id == made.id
            assert viewer.snapshot().values.tolist() == made.snapshot().values.tolist()
            again = viewer.backup(copy.parent / "again.sqlite")
        assert again.is_file()

    def test_name_is_given_or_the_templates(self, optimizer):
        assert optimizer(name="mine").name == "mine"

    def test_space_is_that_of_the_present_epoch(self, optimizer):
        made = optimizer()
        made.set_range("x", (0, 0.5))
        assert made.space.ranges == {"x": (0, 0.5)}

    def test_objectives_are_those_of_the_constructor(self, optimizer):
        [objective] = optimizer().objectives
        assert (objective.key, objective.sign) == ("validation/loss", "min")

    def test_strategy_name(self, optimizer):
        assert optimizer(optimizer_class=GridSearch).strategy_name == "GridSearch"

    def test_strategy_title(self, optimizer):
        assert optimizer(optimizer_class=GridSearch).strategy_title == "grid search"

    def test_constraint_names_the_function_and_its_arguments(self, optimizer):
        def fits(x):
            return x < 0.5

        assert optimizer().constraint is None
        made = finished(optimizer(constraint=fits))
        assert made.constraint == "fits(x)"
        assert all(made.trial(number).parameters["x"] < 0.5 for number in range(len(made.snapshot())))

    def test_allows_asks_the_constraint(self, optimizer):
        assert optimizer().allows({"x": 0.75})
        made = optimizer(constraint=lambda x: x < 0.5)
        assert (made.allows({"x": 0.25}), made.allows({"x": 0.75})) == (True, False)
        with pytest.raises(ValueError, match="constraint"):
            made.enqueue_trial({"x": 0.75})
        finished(made)
        with SearchViewer(made.journal_path) as viewer, pytest.raises(RuntimeError, match="does not hold"):
            viewer.allows({"x": 0.25})

    def test_stop_reason_is_a_code_and_a_sentence(self, optimizer):
        made = optimizer()
        assert made.stop_reason is None
        finished(made)
        assert made.stop_reason.code == "total_max_jobs"
        assert "3 trials" in made.stop_reason.sentence

    def test_budget_has_limits_and_what_is_used(self, optimizer):
        made = optimizer(optimization_time_limit=10, compute_time_limit=20, max_iteration_per_job=100)
        budget = made.budget
        assert (budget.jobs.limit, budget.jobs.used) == (3, 0)
        finished(made)
        budget = made.budget
        assert (budget.jobs.limit, budget.jobs.used) == (3, 3)
        assert (budget.iterations.limit, budget.iterations.used) == (300, 6)
        assert budget.compute_minutes.limit == 20
        durations = [trial.duration for trial in made.top(3)]
        assert 0 < budget.compute_minutes.used * 60 == pytest.approx(sum(durations), abs=1e-3)
        assert budget.wall_minutes.limit == 10
        assert budget.wall_minutes.used == made.elapsed()

    def test_elapsed_minutes_is_zero_before_the_start(self, optimizer):
        made = optimizer()
        assert made.elapsed_minutes == 0
        finished(made)
        assert made.elapsed_minutes == made.elapsed()

    def test_close_files_lets_the_next_look_open_them_again(self, optimizer):
        made = finished(optimizer())
        before = made.trial(0)
        made.close_files()
        assert made.trial(0) == before

    def test_prepare_workers_before_the_start_changes_no_result(self, optimizer):
        made = optimizer()
        made.prepare_workers()
        assert made.status == "idle"
        finished(made)
        assert made.counts[TrialState.COMPLETED] == 3

    def test_release_workers_lets_a_start_have_new_ones(self, optimizer):
        made = optimizer()
        made.prepare_workers()
        made.release_workers()
        finished(made)
        assert made.counts[TrialState.COMPLETED] == 3

    def test_epochs_begin_with_the_first_space(self, optimizer):
        made = finished(optimizer())
        made.set_range("x", (0.5, 1))
        assert [(mark.epoch, mark.first_number, dict(mark.ranges)) for mark in made.epochs] == [
            (0, 0, {"x": (0, 1)}),
            (1, 3, {"x": (0.5, 1)}),
        ]
        assert made.epochs[1].changed == {"x": (0.5, 1)}

    def test_counts_of_trials_by_state(self, optimizer):
        made = optimizer()
        assert made.counts == dict.fromkeys(TrialState, 0)
        finished(made)
        assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 3}

    def test_best_trial_prefers_completed_ones_and_marks_a_partial_best(self, running, gate, until):
        made = running(total_max_jobs=2)
        assert made.best_trial.is_partial
        gate.open()
        assert made.wait()
        assert not made.best_trial.is_partial
        assert made.best_trial == made.top(1)[0]

    def test_errors_are_in_words(self, optimizer):
        made = optimizer()
        assert list(made.errors) == []
        finished(made, lambda *arguments: 1 / 0)
        assert {notice.source for notice in made.errors} == {"callback"}
        assert "ZeroDivisionError" in made.errors[0].sentence

    def test_capabilities_say_why_not(self, running, optimizer):
        made = optimizer()
        assert tuple(made.capabilities) == COMMANDS
        assert made.capabilities["start"] is None
        assert made.capabilities["stop"] == "the search is not running"
        made = running()
        assert made.capabilities["start"] == "the search is running"
        assert made.capabilities["stop"] is None

    def test_snapshot_has_all_trials_as_columns(self, optimizer):
        made = finished(optimizer())
        snapshot = made.snapshot()
        assert list(snapshot.numbers) == [0, 1, 2]
        assert list(snapshot.values[:, 0]) == list(snapshot.parameters["x"])
        assert list(snapshot.iteration[:, 0]) == [2, 2, 2]
        assert (snapshot.ended >= snapshot.started).all()

    def test_changes_since_has_the_changed_rows_only(self, optimizer):
        made = finished(optimizer())
        version = made.snapshot().version
        assert len(made.changes_since(version)) == 0
        made.set_total_max_jobs(4)
        finished(made)
        assert list(made.changes_since(version).numbers) == [3]

    def test_subscribe_tells_of_changes_until_it_is_ended(self, optimizer):
        made = optimizer()
        first, second = threading.Event(), threading.Event()
        made.subscribe(first.set)
        unsubscribe = made.subscribe(second.set)
        unsubscribe()
        finished(made)
        assert first.is_set()
        assert not second.is_set()

    def test_trial_by_its_number(self, optimizer):
        made = finished(optimizer())
        assert made.trial(1).number == 1
        for number in (3, -1):
            with pytest.raises(IndexError, match=f"no trial {number}: the search has 3"):
                made.trial(number)

    def test_best_by_one_objective(self, optimizer):
        made = finished(optimizer())
        assert made.best_by(0) == made.best_trial

    def test_top_is_best_first(self, optimizer):
        made = finished(optimizer())
        assert [trial.value for trial in made.top(3)] == sorted(trial.value for trial in made.top(3))
        assert [trial.id for trial in made.top(2)] == [task.id for task in made.get_top_experiments(2)]

    def test_command_returns_at_once_and_tells_problems_as_notices(self, running, gate):
        made = running()
        made.command("undo")
        made.command("set_range", "x", (5, 4))
        made.command("set_range", "x", (0.4, 0.45))
        made.command("set_total_max_jobs", 2)
        gate.open()
        assert made.wait()
        sentences = [notice.sentence for notice in made.errors]
        assert len(sentences) == 2
        assert sentences[0] == "undo did nothing: no range was changed"
        assert "must rise from low to high" in sentences[1]
        assert made.space.ranges["x"] == (0.4, 0.45)
        assert made.total_max_jobs == 2
        with pytest.raises(ValueError, match="'stopp' is not a command.*'stop'"):
            made.command("stopp")
