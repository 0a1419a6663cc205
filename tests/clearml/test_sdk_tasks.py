"""What the server says of the Tasks of an SDK's search, as trials."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from clearml import Task

from hpo_widgets import UniformParameterRange
from hpo_widgets.clearml_sdk import tasks
from hpo_widgets.clearml_sdk.tasks import TaskTrials, abort
from hpo_widgets.clearml_sdk.watcher import Notices
from hpo_widgets.engines.clearml.server import LazyServer, RequestFailedError
from hpo_widgets.objectives import Objective
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState
from tests.clearml.fake_server import FakeServer

WITHOUT = "its Task was stopped; the server gives no reason"
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def at(seconds):
    """A time of the server's, seconds after noon."""
    return (NOON + dt.timedelta(seconds=seconds)).isoformat()


def task(status, **fields):
    return {"id": "t0", "status": status, **fields}


@pytest.fixture
def notices():
    return Notices()


@pytest.fixture
def limits():
    """Limits of the SDK's, by the name of the argument that sets them."""
    return {}


@pytest.fixture
def trials(notices, limits):
    space = Space([UniformParameterRange("x", 0, 1)])
    return TaskTrials(space, (Objective("validation", "loss", "min"),), limits.get, lambda _trial: False, notices)


@pytest.fixture
def answers(monkeypatch):
    """A server whose ``task`` is that of the trial; ``num_full`` requests have asked for scalars."""

    class Answers(FakeServer):
        def __init__(self):
            super().__init__(self.tasks_as_asked)
            self.task = task("in_progress", started=at(0), last_update=at(1))
            self.num_full = 0

        def tasks_as_asked(self, action, **body):
            assert action == "tasks.get_all"
            self.num_full += "last_metrics" in body["only_fields"]
            return {"tasks": [{name: self.task[name] for name in self.task if name in body["only_fields"]}]}

        def report(self, value, **fields):
            entry = {"metric": "validation", "variant": "loss", "value": value}
            self.task |= {"last_metrics": {"m": {"v": entry}}, **fields}

    made = Answers()
    monkeypatch.setattr(tasks, "server", lambda: made)
    monkeypatch.setattr(tasks, "_POLL_ALL_SECONDS", 0.0)
    return made


@pytest.fixture
def trial(trials):
    return trials.add("t0", {"x": 0.5}, 0)


def test_a_task_that_is_a_draft_while_it_is_being_deleted_is_told_as_deleted(trials, trial):
    trials.update(trial, task("in_progress", started=at(0), last_update=at(1)))
    trials.update(trial, task("created"))
    assert trial.state is TrialState.RUNNING
    trials.update(trial, None)
    assert (trial.state, trial.row.error) == (TrialState.ABORTED, "its Task was deleted on the server")


def test_a_task_that_stays_a_draft_was_reset(trials, trial):
    trials.update(trial, task("queued"))
    trials.update(trial, task("created"))
    trials.update(trial, task("created"))
    assert (trial.state, trial.row.error) == (TrialState.ABORTED, "its Task was reset, or taken out of its queue")


def test_the_scalars_of_a_trial_that_has_ended_are_read_only_where_its_task_has_changed(trials, trial, answers):
    answers.report(0.5, status="completed", completed=at(5), last_update=at(5))
    assert trials.ask() == [trial]
    num_full = answers.num_full
    assert trials.ask() == trials.ask() == []
    assert answers.num_full == num_full
    answers.report(0.25, last_update=at(6))  # what was on its way at the end
    assert trials.ask() == [trial]
    assert trial.row.values == [0.25]
    answers.task |= {"system_tags": ["archived"]}
    assert trials.ask() == [trial]
    assert trial.row.archived
    answers.task |= {"status": "created", "last_update": at(7)}
    trials.ask()
    assert trials.ask() == [trial]
    assert trial.state is TrialState.ABORTED


def test_why_a_trial_was_aborted_may_be_known_after_its_end(trials, trial, answers, monkeypatch):
    answers.report(0.5, status="stopped", completed=at(5))
    trials.ask()
    assert trial.state is TrialState.ABORTED
    monkeypatch.setattr(trials, "_was_pruned", lambda _trial: True)
    assert trials.ask() == [trial]
    assert trial.state is TrialState.PRUNED


def test_a_stop_without_a_reason_gets_a_sentence(trials, trial):
    trials.update(trial, task("stopped", started=at(0), completed=at(5)))
    assert trial.row.error == WITHOUT


def test_a_task_that_cannot_be_read_is_told_of_once_until_it_can(trials, trial, notices):
    for status in ("unknown", "unknown", "in_progress", "unknown"):
        trials.update(trial, task(status))
    assert trial.state is TrialState.RUNNING
    cannot_be_read = "what the ClearML server says of Task t0 cannot be read (KeyError: 'unknown')"
    assert [notice.sentence for notice in notices.shown] == [cannot_be_read] * 2


def test_compute_time_is_what_the_server_measured_whatever_our_clock_says(trials, trial, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOON.timestamp() + 86_400)  # a day ahead
    trials.update(trial, task("in_progress", started=at(0), last_update=at(6)))
    assert trials.compute_minutes == pytest.approx(0.1, abs=0.05)
    trials.update(trial, task("completed", started=at(0), completed=at(12), last_update=at(12)))
    trials.update(trial, task("completed", started=at(0), completed=at(12), last_update=at(12)))
    assert trials.compute_minutes == pytest.approx(0.2)


def test_compute_time_runs_on_between_two_reports_and_never_back(trials, trial, monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    trials.update(trial, task("in_progress", started=at(0), last_update=at(0)))
    now += 30
    assert trials.compute_minutes == pytest.approx(0.5)
    trials.update(trial, task("in_progress", started=at(0), last_update=at(20)))
    assert trials.compute_minutes == pytest.approx(0.5)


def test_trials_that_run_are_not_counted_as_ended(trials, trial):
    trials.update(trial, task("in_progress", started=at(0)))
    assert trials.num_ended == 0
    trials.update(trial, task("failed", started=at(0), completed=at(1)))
    assert trials.num_ended == 1


@pytest.mark.parametrize(
    ("last", "sentence"), [(3, WITHOUT), (101, "stopped at iteration 101 (max_iteration_per_job is 100)")]
)
def test_the_limit_of_iterations_is_about_those_of_the_objective(trials, trial, limits, monkeypatch, last, sentence):
    server = FakeServer({"validation": {"loss": {"x": [0, last], "y": [1.0, 0.5]}}})
    monkeypatch.setattr(LazyServer, "call", lambda _self, action, **body: server.call(action, **body))
    entry = {"metric": "validation", "variant": "loss", "value": 0.5, "count": 2}
    # The resource monitor counts seconds.
    stopped = task("stopped", last_iteration=240, last_metrics={"m": {"v": entry}})
    told = []
    for limit in (100, 100, 500):
        limits["max_iteration_per_job"] = limit
        trials.update(trial, stopped)
        told.append(trial.row.error)
    assert told == [sentence, sentence, WITHOUT]
    assert server.asked == ["events.scalar_metrics_iter_histogram"]


@pytest.fixture
def busy(monkeypatch):
    """``busy(status)`` has somebody else change the Task at the moment of our stop, to a status."""

    def make(status):
        def answer(action, **_body):
            if action == "tasks.get_all":
                return {"tasks": [task(status)]}
            return RequestFailedError(action, 400, 121, "Task status was changed by another call")

        monkeypatch.setattr(tasks, "server", lambda: FakeServer(answer))

    return make


def test_a_stop_that_somebody_else_made_in_this_moment_is_no_error(trial, busy):
    busy("stopped")
    abort(trial)
    assert trial.was_stopped or trial.was_withdrawn


def test_a_stop_that_did_not_happen_is_an_error(trial, busy):
    busy("in_progress")
    with pytest.raises(RequestFailedError):
        abort(trial)


@pytest.mark.parametrize(("ends", "status"), [(True, "completed"), (False, "stopped")])
def test_a_stop_leaves_alone_a_task_that_has_completed_since_the_last_look(trials, api_client, project, ends, status):
    job = Task.create(project, "job").id
    api_client.tasks.started(task=job)
    trials.update(trials.add(job, {"x": 0.5}, 0), {"id": job, "status": "in_progress"})
    if ends:
        api_client.tasks.completed(task=job)
    abort(trials.all[0])
    assert str(api_client.tasks.get_by_id(task=job).status.value) == status
