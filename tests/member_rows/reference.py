"""Rows of the members that ClearML's reference has."""

from __future__ import annotations

import datetime as dt

import pytest

from hpo_widgets import GridSearch, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.journal import Journal
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.member_rows.table import Table
from tests.runs import finished


class RowsOfTheReference(Table):
    def test_elapsed_is_negative_before_the_start_and_frozen_after_the_end(self, optimizer):
        made = optimizer()
        assert made.elapsed() < 0
        finished(made)
        assert 0 < made.elapsed() == made.elapsed() < 5

    def test_get_num_active_experiments(self, running, optimizer):
        assert optimizer().get_num_active_experiments() == 0
        made = running()
        assert made.get_num_active_experiments() == 2
        self.stop(made)
        assert made.get_num_active_experiments() == 0

    def test_get_optimizer_is_the_strategy(self, optimizer):
        assert type(optimizer(optimizer_class=GridSearch).get_optimizer()) is GridSearch

    def test_get_time_limit_is_none_without_a_limit_and_naive_local_time_with_one(self, optimizer):
        made = optimizer()
        assert made.get_time_limit() is None
        before = dt.datetime.now()
        made.set_time_limit(in_minutes=10.0)
        ten = dt.timedelta(minutes=10)
        assert before + ten <= made.get_time_limit() <= dt.datetime.now() + ten

    def test_get_top_experiments_details_have_the_exact_shape(self, optimizer):
        made = finished(optimizer([UniformParameterRange("x", 0, 1), UniformIntegerParameterRange("Args/depth", 1, 9)]))
        best = made.best_trial
        x, depth = best.parameters["x"], best.parameters["Args/depth"]
        loss = {
            "validation/loss": {
                "metric": "validation",
                "variant": "loss",
                "value": x,
                "min_value": x - 1,
                "max_value": x + 1,
            }
        }
        expected = {
            "task_id": best.id,
            "hyper_parameters": {"General/x": str(x), "Args/depth": str(depth)},
            "metrics": loss,
        }
        assert made.get_top_experiments_details(1) == [expected]
        assert list(made.get_top_experiments_details(1)[0]) == ["task_id", "hyper_parameters", "metrics"]

        cat = {"metric": "accuracy per class", "variant": "cat", "value": -x, "min_value": -x, "max_value": -x}
        assert made.get_top_experiments_details(1, all_metrics=True) == [
            {**expected, "metrics": {**loss, "accuracy per class/cat": cat}}
        ]
        everything = made.get_top_experiments_details(1, all_hyper_parameters=True)[0]["hyper_parameters"]
        assert everything.items() > expected["hyper_parameters"].items()
        assert all(isinstance(value, str) for value in everything.values())
        assert len(made.get_top_experiments_details(2)) == 2

    def test_get_top_experiments_details_leave_out_what_did_not_complete_if_asked(self, running):
        made = running()
        self.stop(made)
        assert len(made.get_top_experiments_details(5)) == 2
        assert made.get_top_experiments_details(5, only_completed=True) == []

    def test_is_active_before_and_during_but_not_after(self, running, optimizer):
        assert optimizer().is_active() is True
        made = running()
        assert made.is_active() is True
        self.stop(made)
        assert made.is_active() is False

    def test_is_running_only_during(self, running, optimizer):
        assert optimizer().is_running() is False
        made = running()
        assert made.is_running() is True
        self.stop(made)
        assert made.is_running() is False

    def test_reached_time_limit_is_false_without_one_and_stays_true_past_it(self, optimizer):
        made = finished(optimizer())
        assert made.reached_time_limit() is False
        limited = optimizer(optimization_time_limit=0.0005, total_max_jobs=None)
        assert limited.reached_time_limit() is False
        finished(limited)
        assert limited.reached_time_limit() is True

    def test_set_report_period_reports_progress_to_the_journal(self, running):
        made = running()
        made.set_report_period(0.0001)
        with Journal.view(made.journal_path) as reader:
            sequence = reader.sequence
            while not [event for event in reader.events() if event["kind"] == "report"]:
                sequence = reader.wait_for_change(sequence, DEADLINE)
            report = next(event for event in reader.events() if event["kind"] == "report")
        assert report["budget"]["jobs"]["limit"] == 4
        assert sorted(report["top"]) == [0, 1]
        with pytest.raises(ValueError, match="above 0"):
            made.set_report_period(0)

    def test_set_time_limit_by_minutes_or_by_a_moment_naive_or_aware(self, optimizer):
        made = optimizer()
        moment = dt.datetime.now() + dt.timedelta(hours=1)
        made.set_time_limit(specific_time=moment)
        assert made.get_time_limit() == moment
        made.set_time_limit(specific_time=moment.astimezone(dt.timezone(dt.timedelta(hours=5))))
        assert made.get_time_limit() == moment
        made.set_time_limit(in_minutes=1, specific_time=moment)
        assert made.get_time_limit() == moment
        made.set_time_limit()
        assert made.get_time_limit() is None

    def test_set_time_limit_ends_a_running_search(self, running):
        made = running()
        made.set_time_limit(in_minutes=0.0001)
        assert made.wait() is True
        assert made.stop_reason.code == "optimization_time_limit"
        assert made.reached_time_limit() is True

    def test_start_returns_at_once_and_again_while_it_runs(self, running, gate):
        made = running()
        assert made.start() is True
        assert made.counts[TrialState.RUNNING] == 2
        gate.open()
        assert made.wait()
        assert made.start() is False
        assert made.stop_reason.code == "total_max_jobs"

    def test_start_calls_back_for_each_job(self, optimizer):
        calls = []
        made = finished(optimizer(), lambda *arguments: calls.append(arguments))
        ids = [call[0] for call in calls]
        assert sorted(ids) == sorted(trial.id for trial in made.top(3))
        for job_id, value, iteration, parameters, best_id in calls:
            assert (type(job_id), type(value), type(iteration), type(parameters)) == (str, float, int, dict)
            assert value == parameters["x"]
            assert iteration == 2
            assert best_id in ids
        assert calls[-1][4] == made.best_trial.id

    def test_stop_aborts_what_runs_and_may_be_repeated(self, running):
        made = running()
        self.stop(made)
        assert made.status is SearchStatus.STOPPED
        assert made.stop_reason.code == "stopped"
        assert made.counts[TrialState.ABORTED] == 2
        assert {trial.error for trial in made.top(2)} == {"stopped by hand"}
        made.stop(timeout=1.0, wait_for_reporter=False)
        assert made.counts[TrialState.ABORTED] == 2

    def test_stop_lets_the_same_search_be_continued(self, running, gate):
        made = running()
        made.stop()
        gate.open()
        finished(made)
        assert made.stop_reason.code == "total_max_jobs"
        assert (made.counts[TrialState.ABORTED], made.counts[TrialState.COMPLETED]) == (2, 2)

    def test_wait_is_true_at_once_where_nothing_was_started(self, optimizer):
        made = optimizer()
        assert made.wait() is True
        assert not made.is_running()

    def test_wait_is_false_when_it_timed_out_and_true_at_the_end(self, running, gate):
        made = running()
        assert made.wait(timeout=0.0005) is False
        assert made.is_running()
        gate.open()
        assert made.wait(timeout=1.0) is True
