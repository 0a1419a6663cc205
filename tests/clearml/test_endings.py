"""How trials end when others do things to their Tasks: in the right state, with the server's reason."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from clearml import Task

from hpo_widgets import HyperParameterOptimizer, OptimizerOptuna, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.engines.clearml import poll_thread, silence
from hpo_widgets.engines.clearml.reading import read_task
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.clearml.fake_server import Impatient
from tests.clearml.fake_worker import print_lines, send_events
from tests.runs import finished, let_an_hour_go_by, wait_for


@pytest.fixture
def one(task_search, worker, until):
    """``one()`` gives a search whose only trial runs, has reported, and waits before the gate."""

    def make(hyper_parameters=None, **keywords):
        worker.gate.clear()
        made = task_search(hyper_parameters, **{"total_max_jobs": 1, **keywords})
        assert made.start()
        until(made, lambda: made.counts[TrialState.RUNNING] == 1 and made.top(1))
        return made

    return make


@pytest.fixture
def one_waits(task_search, worker, until, api_client):
    """``one_waits()`` gives a search whose only trial waits in a queue that nobody serves, and the queue's id."""
    name = f"{worker.name}-idle"
    idle = api_client.queues.create(name=name).id

    def make(hyper_parameters=None, **keywords):
        made = task_search(hyper_parameters, execution_queue=name, total_max_jobs=1, **keywords)
        assert made.start()
        until(made, lambda: made.snapshot().numbers.size)
        wait_for(lambda: worker.status(made.trial(0).id) == "queued", "it was not launched", pause=0.02)
        return made, idle

    yield make
    if worker.call("queues.get_all", id=[idle])["queues"]:
        api_client.queues.delete(queue=idle, force=True)


def edit(worker, task, **values):
    """Change values of a Task as a person may, whatever state it is in."""
    found = worker.call("tasks.get_all", id=[task], only_fields=["hyperparams"])["tasks"][0]["hyperparams"]
    for name, value in values.items():
        found["General"][name]["value"] = value
    worker.call("tasks.edit", task=task, hyperparams=found, force=True)


def fail(worker, task, *lines):
    """Have a Task fail as an agent does, after it has sent the console."""
    print_lines(worker.session, task, *lines)
    worker.call("tasks.failed", task=task, status_reason="worker execution exit code 1")


RAISED = """\
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    load()
KeyError: 'set'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "train.py", line 5, in <module>
    raise ValueError("no data in 'set'")
    ^^^^^^^^^^^^^^^^
ValueError: no data in 'set'"""


def said(action, **body):
    """Have the server be told something about a Task."""
    name = "tasks" if action == "archive" else "task"
    return lambda worker, task: worker.call(f"tasks.{action}", **{name: [task] if name == "tasks" else task}, **body)


def printed(*lines):
    return lambda worker, task: fail(worker, task, *lines)


FAILED, ABORTED, COMPLETED = TrialState.FAILED, TrialState.ABORTED, TrialState.COMPLETED
EXIT_1 = "worker execution exit code 1"
WAS_EDITED = "its Task was edited on the server: General/x is '0.875' there and not '{x}'"
GONE = "Forced stop (non-responsive)"
AT_THE_SERVER = {
    "failed": (
        said("failed", status_reason="worker execution exit code 3", status_message="cuda out of memory"),
        FAILED,
        "worker execution exit code 3 cuda out of memory",
    ),
    "failed with a traceback": (
        printed(f"lr is 1\n{RAISED}\nProcess failed, exit code 1"),
        FAILED,
        f"ValueError: no data in 'set' ({EXIT_1})",
    ),
    "failed before its script began": (
        printed("ERROR: No matching distribution found for torhc", "clearml-agent"),
        FAILED,
        f"ERROR: No matching distribution found for torhc ({EXIT_1})",
    ),
    "failed, and its console says no why": (printed("lr is 1", "Process failed, exit code 1"), FAILED, EXIT_1),
    "failed without a word": (said("failed"), FAILED, "the server gives no reason"),
    "aborted": (said("stopped", status_reason="aborted by Ada"), ABORTED, "its Task was stopped: aborted by Ada"),
    "its worker is gone": (said("stopped", force=True, status_reason=GONE), ABORTED, f"its Task was stopped: {GONE}"),
    "archived": (said("archive", status_reason="tidying up"), ABORTED, "its Task was stopped: tidying up"),
    "archived without a word": (said("archive"), ABORTED, "its Task was stopped: it was archived"),
    "reset": (said("reset", force=True), ABORTED, "its Task was reset or taken out of the queue on the server"),
    "deleted": (said("delete", force=True), ABORTED, "its Task was deleted on the server"),
    "edited while it runs": (lambda worker, task: edit(worker, task, x="0.875"), FAILED, WAS_EDITED),
    "edited and completed": (
        lambda worker, task: (edit(worker, task, x="0.875"), worker.call("tasks.completed", task=task)),
        FAILED,
        WAS_EDITED,
    ),
    "published": (said("completed", publish=True), COMPLETED, None),
    "completed by hand": (said("completed", status_reason="good enough"), COMPLETED, None),
}


@pytest.mark.parametrize("what", AT_THE_SERVER)
def test_a_running_trial_ends_as_its_task_does(one, worker, what):
    act, state, sentence = AT_THE_SERVER[what]
    made = one()
    act(worker, made.trial(0).id)
    assert made.wait(timeout=1.0)
    trial = made.trial(0)
    assert (trial.state, trial.error) == (state, sentence and sentence.format(x=trial.parameters["x"]))
    assert made.stop_reason.code == "total_max_jobs"


WHILE_IT_WAITS = {
    "dequeued": (said("dequeue"), ABORTED, "its Task was reset or taken out of the queue on the server"),
    "queue deleted": (
        lambda worker, task: worker.call("queues.delete", queue=queue_of(worker, task), force=True),
        ABORTED,
        "its Task was reset or taken out of the queue on the server: Queue {queue} was deleted",
    ),
    "edited": (
        lambda worker, task: edit(worker, task, units="7"),
        FAILED,
        "its Task was edited on the server: General/units is '7' there and not '{units}'",
    ),
    "stopped": (said("stop", status_reason="not today"), ABORTED, "its Task was stopped: not today"),
}


def queue_of(worker, task):
    found = worker.call("tasks.get_all", id=[task], only_fields=["execution.queue"])["tasks"]
    return found[0]["execution"]["queue"]


@pytest.mark.parametrize("what", WHILE_IT_WAITS)
def test_a_waiting_trial_ends_as_its_task_does(one_waits, worker, until, what):
    act, state, sentence = WHILE_IT_WAITS[what]
    made, queue = one_waits([UniformIntegerParameterRange("units", 1, 4)])
    act(worker, made.trial(0).id)
    # The search goes on where the trial has not used up its budget.
    until(made, lambda: made.trial(0).state.has_ended)
    trial = made.trial(0)
    assert trial.state is state
    assert trial.error.startswith(sentence.format(queue=queue, units=trial.parameters["units"]))
    assert trial.value is None


def test_a_task_that_is_a_draft_while_it_is_being_deleted_was_deleted(asked, one, worker, monkeypatch):
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 60.0)
    made = one()
    task = made.trial(0).id
    # The server deletes in two steps, and the first looks like a reset.
    worker.call("tasks.reset", task=task, force=True)
    asked.start_over()
    wait_for(lambda: asked.counts()["tasks.get_all"] >= 2, "it was not looked at", pause=0.02)
    worker.call("tasks.delete", task=task, force=True)
    assert made.wait(timeout=1.0)
    assert made.trial(0).error == "its Task was deleted on the server"


@pytest.fixture
def live_worker(worker):
    """``live_worker(task)`` has the server know that the worker lives and runs a Task, so that a stop is left to it."""

    def make(task):
        worker.call("workers.register", worker=worker.name, queues=[worker.queue])
        report = {"worker": worker.name, "task": task, "queues": [worker.queue], "timestamp": 0}
        worker.call("workers.status_report", **report)

    yield make
    worker.call("workers.unregister", worker=worker.name)


def test_a_reason_that_an_agent_replaces_is_written_again(one, worker, live_worker):
    made = one(time_limit_per_job=60)
    task = made.trial(0).id
    live_worker(task)
    let_an_hour_go_by(made)
    wait_for(lambda: "time_limit_per_job" in str(Task.get_task(task_id=task).data.status_reason), "it was not stopped")
    worker.call("tasks.stopped", task=task, force=True, status_reason="task was stopped by tasks.stop")
    assert made.wait(timeout=1.0)
    trial = made.trial(0)
    assert trial.error == "aborted after 60 minutes (time_limit_per_job)"
    assert trial.error in Task.get_task(task_id=task).data.status_reason
    # What is used is what the server says that the trial took, once.
    assert 60 * made.budget.compute_minutes.used == pytest.approx(trial.duration)


def test_a_reason_whose_request_gets_lost_is_written_with_the_next_look(way, one, worker, live_worker):
    made = one(time_limit_per_job=60)
    task = made.trial(0).id
    live_worker(task)
    let_an_hour_go_by(made)
    wait_for(lambda: "time_limit_per_job" in str(Task.get_task(task_id=task).data.status_reason), "it was not stopped")
    way.plan("tasks.stopped", "lost")
    worker.call("tasks.stopped", task=task, force=True, status_reason="task was stopped by tasks.stop")
    assert made.wait(timeout=1.0)
    assert made.trial(0).error in Task.get_task(task_id=task).data.status_reason


def test_a_task_that_was_edited_is_stopped(one, worker):
    made = one()
    edit(worker, made.trial(0).id, x="0.875")
    assert made.wait(timeout=1.0)
    assert worker.status(made.trial(0).id) == "stopped"
    assert made.best_trial is None


def test_a_value_that_is_only_written_otherwise_is_no_edit(one, worker):
    made = one([UniformParameterRange("x", 1e-5, 2e-5), UniformIntegerParameterRange("units", 2, 3)])
    trial = made.trial(0)
    edit(worker, trial.id, x=f"{trial.parameters['x']:.12f}", units=f"{trial.parameters['units']}.0")
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.COMPLETED] == 1, made.trial(0).error


def test_a_trial_that_ends_without_the_objective_has_failed(task_search, worker):
    worker.work = lambda worker, task, x: None
    made = finished(task_search(total_max_jobs=10, max_number_of_concurrent_tasks=1))
    assert made.counts[TrialState.FAILED] == 3
    assert made.trial(0).error.startswith("ended without reporting 'validation/loss'")
    assert made.stop_reason.code == "objective_never_reported"
    assert made.status is SearchStatus.FAILED


def test_a_running_trial_that_never_reports_ends_by_its_time_limit(task_search, worker):
    worker.gate.clear()
    worker.work = lambda worker, task, x: None
    made = finished(task_search(total_max_jobs=1, time_limit_per_job=0.005))
    assert (made.trial(0).state, made.trial(0).error) == (
        TrialState.ABORTED,
        "aborted after 0.005 minutes (time_limit_per_job)",
    )
    assert worker.status(made.trial(0).id) == "stopped"


def test_a_trial_that_is_pruned_has_its_task_stopped_and_is_so_without_the_journal(task_search, worker, own, tmp_path):
    worker.gate.clear()
    strategy = {"optimizer_class": OptimizerOptuna, "optuna_pruner": Impatient()}
    made = finished(task_search(total_max_jobs=1, auto_connect_task=own, **strategy))
    trial = made.trial(0)
    assert (trial.state, trial.value) == (TrialState.PRUNED, trial.parameters["x"])
    assert trial.error == "pruned: behind the others at the same iteration"
    assert Task.get_task(task_id=trial.id).data.status_reason == f"User aborted: {trial.error}"
    assert worker.status(trial.id) == "stopped"
    again = HyperParameterOptimizer.open(own.id, journal=tmp_path / "elsewhere", **strategy).trial(0)
    assert (again.state, again.value, again.error) == (TrialState.PRUNED, trial.value, trial.error)


def report(worker, values, *others):
    """Have each trial report these values, and wait before the gate."""
    lines = [*(("validation", "loss", value, at) for at, value in enumerate(values)), *others]
    worker.work = lambda worker, task, x: send_events(worker.session, task, *lines)
    worker.gate.clear()


@pytest.mark.parametrize("values", [(1, 1, 1), (3, 2, 1)], ids=["all are equal", "the last is the least"])
def test_a_trial_that_reports_its_objective_up_to_the_last_iteration_completes(task_search, worker, until, values):
    report(worker, values, ("gpu", "load", 1.0, 9))
    made = task_search(total_max_jobs=1, max_iteration_per_job=2)
    made.start()
    until(made, lambda: made.top(1))
    worker.gate.set()
    assert made.wait(timeout=1.0)
    trial = made.trial(0)
    assert (trial.state, trial.error) == (TrialState.COMPLETED, None)
    assert worker.status(trial.id) == "completed"


@pytest.mark.parametrize("values", [(3, 2, 1), (1, 3, 2)], ids=["the last is the least", "the last is between"])
def test_a_trial_that_goes_beyond_its_iterations_is_stopped_here_and_there(task_search, worker, values):
    report(worker, values)
    made = finished(task_search(total_max_jobs=1, max_iteration_per_job=1))
    trial = made.trial(0)
    assert (trial.state, trial.value) == (TrialState.ABORTED, values[-1])
    assert trial.error == "it went beyond iteration 1 (max_iteration_per_job)"
    assert worker.status(trial.id) == "stopped"
    assert made.best_trial.number == 0


def test_a_trial_is_stopped_though_the_first_question_for_its_curve_gets_lost(way, task_search, worker):
    report(worker, (1, 3, 2))
    made = task_search(total_max_jobs=1, max_iteration_per_job=1)
    way.plan("events.scalar_metrics_iter_histogram", "lost")
    finished(made)
    assert made.trial(0).error == "it went beyond iteration 1 (max_iteration_per_job)"


def test_a_trial_that_completes_while_it_is_aborted_has_completed(one, worker, monkeypatch):
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 60.0)
    made = one()
    task = made.trial(0).id
    made.stop()
    assert made.status is SearchStatus.STOPPING
    worker.call("tasks.completed", task=task)
    assert made.wait(timeout=1.0)
    assert (made.trial(0).state, made.stop_reason.code) == (TrialState.COMPLETED, "stopped")
    assert worker.status(task) == "completed"


def test_a_trial_that_goes_back_into_the_queue_waits_again_and_goes_on(one, worker, monkeypatch):
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 60.0)
    made = one()
    task = made.trial(0).id
    worker.call("tasks.stopped", task=task, force=True)
    worker.call("tasks.enqueue", task=task, queue=worker.queue)
    wait_for(lambda: worker.taken == [task, task], "it was not taken again", pause=0.02)
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.COMPLETED] == 1


def test_trials_that_nobody_takes_are_told_of_and_end_with_the_search(one_waits, monkeypatch, until, worker):
    monkeypatch.setattr(poll_thread, "PATIENCE_SECONDS", 0.1)
    made, _ = one_waits()
    until(made, lambda: made.errors)
    [notice] = made.errors
    assert notice.source == "ClearML"
    name = f"{worker.name}-idle"
    assert notice.sentence == (
        f"no trial runs and 1 waits in the queue '{name}': no agent serves it; "
        f"start one with `clearml-agent daemon --queue {name}`"
    )
    made.stop()
    assert made.wait(timeout=1.0)
    assert (made.trial(0).state, made.trial(0).error) == (TrialState.ABORTED, "stopped by hand")
    assert worker.status(made.trial(0).id) == "stopped"


def test_a_running_trial_of_which_nothing_is_heard_any_more_is_told_of(one, monkeypatch, until, worker):
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.1)
    made = one()
    until(made, lambda: made.errors)
    assert made.errors[0].source == "ClearML"
    assert "there was no sign of life of #0: an agent may have died" in made.errors[0].sentence
    worker.gate.set()
    assert made.wait(timeout=1.0)


def test_silent_trials_are_told_of_together_and_once_until_they_are_heard_of(monkeypatch):
    now = 0.0
    monkeypatch.setattr(silence, "time", SimpleNamespace(monotonic=lambda: now))
    told = []
    watch = silence.SilenceWatch(told.append)

    def look_at(moment, *seconds, status="in_progress"):
        nonlocal now
        now = moment
        began = {"started": "2026-01-01T00:00:00", "status": status}
        views = [read_task({"id": "a", "last_update": f"2026-01-01T00:{at:02}:00", **began}) for at in seconds]
        watch.look(dict(enumerate(views)))
        return len(told)

    assert look_at(0, 1, 1, 1) == look_at(299, 1, 1, 2) == 0
    assert look_at(300, 1, 1, 2) == look_at(500, 1, 1, 3) == 1
    assert told[0].startswith("for 5 minutes there was no sign of life of #0, #1: an agent may have died.")
    # One that was heard of is told of again, for itself.
    assert look_at(550, 2, 1, 4) == look_at(849, 2, 1, 5) == 1
    assert look_at(850, 2, 1, 6) == 2
    assert told[1].startswith("for 5 minutes there was no sign of life of #0: ")
    # What waits gives none, and what could not be looked at neither.
    assert look_at(5000, 7, 7, 7, status="queued") == look_at(9000, 7, 7, 7, status="queued") == 2
    assert look_at(9001, 8) == 2
    watch.forget()
    assert look_at(9500, 8) == look_at(9799, 8) == 2
    assert look_at(9800, 8) == 3


def test_that_nobody_may_know_who_serves_a_queue_is_told_and_the_server_is_not_away(
    way, one_waits, monkeypatch, until, worker
):
    monkeypatch.setattr(poll_thread, "PATIENCE_SECONDS", 0.1)
    way.plan("workers.get_all", (403, 1, "Forbidden"), times=100)
    made, _ = one_waits()
    until(made, lambda: made.errors)
    [notice] = made.errors
    assert f"in the queue '{worker.name}-idle': its agents could not be looked up: " in notice.sentence
    assert "403/1: Forbidden" in notice.sentence
    # It is looked at as before.
    worker.call("tasks.dequeue", task=made.trial(0).id)
    until(made, lambda: made.trial(0).state.has_ended)
    assert [notice] == list(made.errors)


@pytest.mark.parametrize("lost", [0, 1], ids=["at once", "when it is said again"])
def test_a_task_that_goes_on_after_its_stop_is_marked_as_stopped(way, one, worker, live_worker, monkeypatch, lost):
    monkeypatch.setattr(poll_thread, "ESCALATION_SECONDS", 0.2)
    way.plan("tasks.stopped", "lost", times=lost)
    made = one()
    task = made.trial(0).id
    # A worker that is alive but deaf: the server waits for it and goes on saying that the Task runs.
    live_worker(task)
    made.stop()
    assert made.wait(timeout=1.0)
    assert made.trial(0).state is TrialState.ABORTED
    assert worker.status(task) == "stopped"


def test_a_task_that_completes_just_before_it_is_marked_as_stopped_has_completed(
    way, one, worker, live_worker, monkeypatch
):
    class Completed(threading.Event):
        """Holds a request until the Task has completed."""

        def wait(self, timeout=None):
            worker.call("tasks.completed", task=task)
            return True

    monkeypatch.setattr(poll_thread, "ESCALATION_SECONDS", 0.2)
    way.plan("tasks.stopped", Completed())
    made = one()
    task = made.trial(0).id
    live_worker(task)
    made.stop()
    assert made.wait(timeout=1.0)
    assert (made.trial(0).state, worker.status(task)) == (TrialState.COMPLETED, "completed")
