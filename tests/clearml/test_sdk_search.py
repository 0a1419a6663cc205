"""A live controller of the SDK as a search: watched, started, stopped; what a person sees of its Tasks."""

from __future__ import annotations

import datetime as dt
import gc
import math
import threading
import weakref

import pytest
from clearml import Task
from clearml.automation import (
    GridSearch,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    ParameterSet,
    RandomSearch,
    UniformParameterRange,
)
from clearml.automation.job import LocalClearmlJob

from hpo_widgets.clearml_sdk import live, tasks, watcher
from hpo_widgets.clearml_sdk.live import adapt
from hpo_widgets.engines.clearml.server import UnreachableError
from hpo_widgets.search import COMMANDS, Search
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import TrialDetails
from tests.clearml.sdk_worker import end, ranges, states
from tests.clearml.way import Way
from tests.conftest import DEADLINE
from tests.runs import wait_for


def test_a_search_is_watched_from_its_start_to_its_natural_end(watched, sdk_worker, until):
    search = watched(total_max_jobs=3)
    assert isinstance(search, Search)
    assert search.status == "idle"
    assert search.elapsed_minutes == 0
    search.command("start")
    first, second = sdk_worker.take(), sdk_worker.take()
    until(search, lambda: states(search) == {"running": 2})
    assert (search.budget.jobs.used, search.budget.jobs.limit) == (0, 3)
    sdk_worker.report(first, 0.5)
    until(search, lambda: search.best_trial is not None)
    assert search.best_trial.is_partial
    sdk_worker.complete(first, 0.5)
    third = sdk_worker.take()
    sdk_worker.complete(second, 0.25)
    sdk_worker.complete(third, 0.75)
    until(search, lambda: not search.status.is_alive)
    assert search.status == "completed"
    assert search.stop_reason.code == "total_max_jobs"
    assert [trial.id for trial in search.top(5)] == [second, first, third]
    assert [trial.value for trial in search.top(5)] == [0.25, 0.5, 0.75]
    assert search.budget.jobs.used == search.budget.jobs.limit == 3
    assert search.errors == []
    ended = search.elapsed_minutes
    assert ended > 0
    assert search.elapsed_minutes == ended  # frozen


def test_an_end_that_comes_during_a_look_is_shown_together_with_how_the_last_trial_ended(
    started, sdk_worker, until, monkeypatch
):
    search, task = started(1, total_max_jobs=1)
    until(search, lambda: states(search) == {"running": 1})
    ask = search._ask

    def ask_just_before_the_end():
        monkeypatch.setattr(search, "_ask", ask)
        changed = ask()
        sdk_worker.complete(task, 0.5)
        wait_for(lambda: not search.is_running, "the SDK's loop did not end")
        return changed

    monkeypatch.setattr(search, "_ask", ask_just_before_the_end)
    until(search, lambda: not search.status.is_alive)
    assert states(search) == {"completed": 1}


def test_a_search_that_runs_already_is_taken_over(controller, sdk_worker, until):
    optimizer = controller()
    optimizer.start()
    first = sdk_worker.take()
    sdk_worker.report(first, 0.5)
    search = adapt(optimizer)
    unsubscribe = search.subscribe(lambda: None)
    until(search, lambda: search.best_trial is not None)
    assert search.status == "running"
    assert search.best_trial.id == first
    search.command("set_ranges", {"General/x": (0.25, 0.5)})
    sdk_worker.complete(first)
    second = sdk_worker.take()  # was proposed before the range changed
    sdk_worker.complete(second, 0.5)
    points = [sdk_worker.point(sdk_worker.take()) for _ in range(2)]
    assert all(0.25 <= float(point["x"]) <= 0.5 for point in points)
    search.command("stop")
    until(search, lambda: not search.status.is_alive)
    unsubscribe()


def test_only_what_changed_is_handed_on(started, sdk_worker, until):
    search, _, second = started(2)
    until(search, lambda: states(search) == {"running": 2})
    version = search.snapshot().version
    number = next(trial for trial in map(search.trial, range(2)) if trial.id == second).number
    sdk_worker.report(second, 0.5)
    until(search, lambda: search.best_trial is not None)
    assert search.changes_since(version).numbers.tolist() == [number]


def test_one_request_a_look_asks_for_all_that_run(started, until, passing_by, monkeypatch):
    search, *_ = started(5, max_number_of_concurrent_tasks=5, pool_period_min=5)
    until(search, lambda: states(search) == {"running": 5})
    search.close()
    search.trials._asked_all_at = math.inf
    way = passing_by()
    with monkeypatch.context() as patch:  # the way is closed before the search is stopped
        patch.setenv("CLEARML_API_HOST", way.environment["CLEARML_API_HOST"])
        search.look()
        search.look()
    assert [step.endpoint for step in way.steps] == ["auth.login", "tasks.get_all", "tasks.get_all"]


def test_a_trial_shows_parameters_scalars_curves_and_console_of_its_task(started, sdk_worker, until):
    search, task = started(1)
    for iteration, value in enumerate([3.0, 1.0, 2.0]):
        sdk_worker.report(task, value, iteration)
        sdk_worker.report(task, -value, iteration, "accuracy", "cat")
    sdk_worker.complete(task)
    until(search, lambda: search.counts[TrialState.COMPLETED] == 1)
    trial = search.top(1)[0]
    assert trial.id == task
    point = sdk_worker.point(task)
    assert trial.parameters == {
        "General/x": float(point["x"]),
        "General/units": int(point["units"]),
        "General/kind": point["kind"],
    }
    assert (trial.value, trial.iterations) == (2.0, (2,))
    assert trial.get_last_scalar_metrics()["accuracy"]["cat"] == {"last": -2.0, "min": -3.0, "max": -1.0}
    curve = trial.get_reported_scalars()["validation"]["loss"]
    assert (curve["x"], curve["y"]) == ([0, 1, 2], [3.0, 1.0, 2.0])
    assert trial.get_output() == ("", "", "")
    assert trial.ended >= trial.started
    frame = search.to_dataframe()
    assert frame.shape[0] == sum(search.counts.values())
    assert frame["task_id"][trial.number] == task


def test_details_do_not_wait_for_the_console_that_the_server_keeps(
    watched, sdk_worker, until, clearml_api, monkeypatch
):
    search = watched()
    search.command("start")
    sdk_worker.complete(sdk_worker.take(), 0.5)
    until(search, lambda: search.counts[TrialState.COMPLETED] == 1)
    search.close()
    with Way(clearml_api.url) as way, monkeypatch.context() as patch:
        patch.setenv("CLEARML_API_HOST", way.url)
        way.gate.clear()
        details = TrialDetails(search, selected=[search.top(1)[0].number])
        assert details.state == "completed"  # though the server has not answered
        asked = search.log_so_far(details.number)
        assert not asked.done()
        way.gate.set()
        assert asked.result(DEADLINE) == ""
        details.close()


@pytest.mark.parametrize(
    ("sign", "order"),
    [("min", [1, 2, 0]), ("max", [0, 2, 1]), ("min_global", [0, 2, 1]), ("max_global", [1, 0, 2])],
)
def test_all_four_signs_rank(started, sdk_worker, until, sign, order):
    search, *tasks = started(3, objective_metric_sign=sign, total_max_jobs=3, max_number_of_concurrent_tasks=3)
    for task, values in zip(tasks, [(1.0, 8.0, 7.0), (5.0, 9.0, 5.0), (4.0, 7.0, 6.0)], strict=True):
        for iteration, value in enumerate(values):
            sdk_worker.report(task, value, iteration)
        sdk_worker.complete(task)
    until(search, lambda: not search.status.is_alive)
    assert [trial.id for trial in search.top(3)] == [tasks[place] for place in order]
    assert search.best_trial.id == tasks[order[0]]


# The SDK's reporter asks for the job whose Task is deleted here, and dies of it.
@pytest.mark.filterwarnings("ignore:Exception in thread .*_report_daemon")
def test_each_end_of_a_task_is_the_right_state_with_the_servers_reason(started, sdk_worker, until):
    search, failed, silent, nan, deleted, reset, stopped, good = started(
        7, total_max_jobs=7, max_number_of_concurrent_tasks=7
    )
    until(search, lambda: states(search) == {"running": 7})
    sdk_worker.fail(failed, "CUDA out of memory")
    sdk_worker.complete(silent)
    sdk_worker.complete(nan, math.nan)
    sdk_worker.client.tasks.delete(task=deleted, force=True)
    sdk_worker.client.tasks.reset(task=reset, force=True)
    sdk_worker.client.tasks.stopped(task=stopped, status_reason="somebody in the web application")
    sdk_worker.complete(good, 1.0)
    until(search, lambda: not any(search.counts[state] for state in (TrialState.QUEUED, TrialState.RUNNING)))
    seen = {trial.id: (trial.state.label, trial.error or "") for trial in map(search.trial, range(7))}
    assert seen[failed] == ("failed", "CUDA out of memory")
    assert seen[silent] == ("failed", "ended without reporting 'validation/loss'")
    assert seen[nan] == ("failed", "validation/loss is NaN")
    assert seen[deleted] == ("aborted", "its Task was deleted on the server")
    assert seen[reset][0] == "aborted"
    assert "reset" in seen[reset][1]
    assert seen[stopped] == ("aborted", "somebody in the web application")
    assert seen[good] == ("completed", "")
    assert [trial.id for trial in search.top(9)] == [good]


def test_a_trial_that_the_sdk_stops_at_its_last_iteration_is_stopped_here_and_there(started, sdk_worker, until):
    search, task = started(1, total_max_jobs=1, max_iteration_per_job=2)
    sdk_worker.report(task, 0.5, 3)
    until(search, lambda: not search.status.is_alive)
    assert sdk_worker.status(task) == "stopped"
    assert (search.trial(0).status, search.trial(0).error) == (
        "aborted",
        "stopped at iteration 3 (max_iteration_per_job is 2)",
    )
    assert search.best_trial.value == 0.5


def test_a_search_whose_jobs_all_fail_has_failed(watched, sdk_worker, until):
    search = watched(total_max_jobs=2)
    search.command("start")
    for task in [sdk_worker.take(), sdk_worker.take()]:
        sdk_worker.fail(task, "CUDA out of memory")
    until(search, lambda: not search.status.is_alive)
    assert (search.status, search.stop_reason.code) == ("failed", "total_max_jobs")
    assert search.stop_reason.sentence == "all 2 jobs have run; no trial has a result, 2 failed"


def test_a_completion_that_comes_after_the_abort_counts(started, sdk_worker, until):
    search, task = started(1, total_max_jobs=1)
    sdk_worker.client.tasks.stopped(task=task)
    until(search, lambda: search.counts[TrialState.ABORTED] == 1)
    sdk_worker.complete(task, 0.5)
    search.trials._asked_all_at = -math.inf
    search.watcher.wake()
    until(search, lambda: search.counts[TrialState.COMPLETED] == 1)
    assert search.best_trial.value == 0.5


def test_a_server_that_is_away_is_told_once_and_nothing_is_lost(started, sdk_worker, until, monkeypatch):
    search, task = started(1)
    until(search, lambda: search.counts[TrialState.RUNNING] == 1)
    away = threading.Event()
    away.set()
    real = tasks.server

    def server():
        if away.is_set():
            raise UnreachableError("the ClearML server does not answer")
        return real()

    monkeypatch.setattr(tasks, "server", server)
    monkeypatch.setattr(watcher, "MOST_SECONDS_AWAY", live.POLL_SECONDS)
    sdk_worker.complete(task, 0.5)
    until(search, lambda: search.errors)
    search.watcher.wake()
    assert search.status == "running"
    away.clear()
    until(search, lambda: search.best_trial is not None)
    until(search, lambda: len(search.errors) == 2)
    assert [notice.source for notice in search.errors] == ["server", "server"]
    assert "trying again" in search.errors[0].sentence
    assert "answers again" in search.errors[1].sentence


def test_closing_ends_our_thread_and_not_the_search(controller, sdk_worker, until):
    optimizer = controller()
    search = adapt(optimizer)
    unsubscribe = search.subscribe(lambda: None)
    search.command("start")
    sdk_worker.take()
    until(search, lambda: states(search).get("running"))
    watcher = search.watcher.thread
    unsubscribe()
    watcher.join(DEADLINE)
    assert not watcher.is_alive()
    assert optimizer.is_running()
    sdk_worker.take()  # the controller goes on
    search.subscribe(lambda: None)
    until(search, lambda: states(search) == {"running": 2})
    search.close()
    assert optimizer.is_running()


def test_two_panels_on_one_controller_show_one_search(controller):
    optimizer = controller()
    search = adapt(optimizer)
    assert adapt(optimizer) is search
    assert adapt(controller()) is not search


def test_what_a_searchs_ranges_are_follows_from_the_sdks_parameters(watched):
    parameters = [
        LogUniformParameterRange("General/lr", -4, -1),
        ParameterSet([{"General/kind": "plain"}, {"General/x": UniformParameterRange("General/x", 0, 2)}]),
    ]
    search = watched(parameters, optimizer_class=GridSearch)
    assert search.space == Space(parameters)
    assert search.space.ranges["General/lr"] == (0.0001, 0.1)
    assert search.strategy_name == "GridSearch"
    assert search.name == "train"


def test_every_command_is_possible_or_has_its_reason_and_none_does_nothing_in_silence(watched):
    search = watched()
    assert set(search.capabilities) == set(COMMANDS)
    for name in [name for name, reason in search.capabilities.items() if reason is not None]:
        told = len(search.errors)
        search.command(name)
        assert len(search.errors) == told + 1
        assert search.errors[-1].sentence == f"{name} did nothing: {search.capabilities[name]}"
    with pytest.raises(ValueError, match="Did you mean 'start'"):
        search.command("strat")


def test_bad_arguments_of_a_command_are_told(watched):
    search = watched()
    for name, arguments, words in [
        ("set_ranges", [{"General/y": (0, 1)}], "Known: 'General/x', 'General/units'"),
        ("set_ranges", [{"General/x": (2, 1)}], "must rise"),
        ("set_total_max_jobs", [0], "at least 1"),
        ("set_max_number_of_concurrent_tasks", [1.5], "whole number"),
        ("set_time_limit", [-1], "above 0"),
        ("set_time_limit", [None, dt.datetime(2001, 1, 1, tzinfo=dt.UTC)], "past"),
        ("retry", [99], "no trial 99"),
        ("enqueue_trial", [{"General/x": 0.5}], "General/units"),
    ]:
        search.command(name, *arguments)
        assert words in search.errors[-1].sentence, name
    assert search.space.ranges == Space(ranges()).ranges
    assert search.total_max_jobs == 10


def test_start_on_this_machine_runs_the_tasks_in_processes_here(template, project, until):
    optimizer = HyperParameterOptimizer(
        template,
        ranges(),
        "validation",
        "loss",
        "min",
        RandomSearch,
        max_number_of_concurrent_tasks=1,
        total_max_jobs=1,
        pool_period_min=0.02,
        auto_connect_task=Task.create(project, "optimizer", task_type="optimizer"),
        spawn_project=f"{project}/trials",
    )
    search = adapt(optimizer, locally=True)
    unsubscribe = search.subscribe(lambda: None)
    search.command("start")
    assert issubclass(optimizer.get_optimizer()._job_class, LocalClearmlJob)
    until(search, lambda: not search.status.is_alive)
    assert states(search) == {"completed": 1}, search.trial(0).error
    trial = search.best_trial
    assert trial.value == pytest.approx((trial.parameters["General/x"] - 0.25) ** 2 + 1 / 3)
    assert search.engine_name == "ClearML, on this machine"
    unsubscribe()
    search.close()
    end(optimizer)


def test_nothing_of_the_credentials_is_in_what_is_shown(started, clearml_api, until):
    search, _ = started(1)
    until(search, lambda: states(search).get("running"))
    search.command("resume")
    secret = clearml_api.environment["CLEARML_API_SECRET_KEY"]
    key = clearml_api.environment["CLEARML_API_ACCESS_KEY"]
    text = " ".join(map(repr, [search, search.trial(0), *search.errors, search.capabilities, search.as_code()]))
    assert secret not in text
    assert key not in text


def test_a_search_that_nobody_holds_any_more_is_collected(base, queue, project):
    optimizer = HyperParameterOptimizer(
        base.id,
        ranges(),
        "validation",
        "loss",
        "min",
        execution_queue=queue,
        auto_connect_task=Task.create(project, "optimizer", task_type="optimizer"),
    )
    search = weakref.ref(adapt(optimizer))
    assert search() is not None
    del optimizer
    gc.collect()
    assert search() is None
