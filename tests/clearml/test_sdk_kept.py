"""A search of the SDK's controller, seen by the id of its optimizer Task."""

from __future__ import annotations

import pytest
from clearml import Task
from clearml.automation import DiscreteParameterRange, ParameterSet, UniformParameterRange

from hpo_widgets import HyperParameterOptimizer, OptimizerWidget
from hpo_widgets.clearml_sdk import kept
from hpo_widgets.clearml_sdk.live import adapt
from hpo_widgets.engines.clearml import children
from hpo_widgets.engines.clearml.server import Server
from hpo_widgets.search import COMMANDS, Search
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState
from tests.clearml.sdk_worker import ranges, states


@pytest.fixture
def opened(until):
    """``opened(task)`` opens a search by its optimizer Task, until the test ends."""
    made = []

    def make(task):
        made.append(HyperParameterOptimizer.open(task.id))
        return made[-1]

    yield make
    for search in made:
        search.close()


def test_a_search_that_runs_is_seen_and_followed_to_its_end(controller, sdk_worker, opened, until):
    optimizer = controller(total_max_jobs=4, max_iteration_per_job=100)
    optimizer.start()
    first, second = sdk_worker.take(), sdk_worker.take()
    sdk_worker.report(first, 0.5, 4)
    task = optimizer._task
    task.mark_started(force=True)
    search = opened(task)
    assert isinstance(search, Search)
    assert (search.id, search.name, search.strategy_name) == (task.id, "optimizer", "RandomSearch")
    assert search.space == Space(ranges())
    assert [(one.title, one.series, one.sign) for one in search.objectives] == [("validation", "loss", "min")]
    assert (search.total_max_jobs, search.max_number_of_concurrent_tasks) == (4, 2)
    assert (search.status, search.stop_reason, states(search)) == ("running", None, {"running": 2})
    assert search.budget.jobs.used == 0
    assert search.budget.iterations.used == 4
    point = sdk_worker.point(first)
    assert search.best_trial.id == first
    assert search.best_trial.parameters == {
        "General/x": float(point["x"]),
        "General/units": int(point["units"]),
        "General/kind": point["kind"],
    }
    end = search.subscribe(lambda: None)
    sdk_worker.complete(first, 0.5)
    sdk_worker.complete(second, 0.25)
    sdk_worker.complete(sdk_worker.take(), 0.75)
    sdk_worker.complete(sdk_worker.take(), 1.0)
    search.watcher.wake()
    until(search, lambda: search.counts[TrialState.COMPLETED] == 4)
    task.mark_completed()
    search.look()
    assert (search.status, search.stop_reason.code) == ("completed", "total_max_jobs")
    assert [trial.value for trial in search.top(3)] == [0.25, 0.5, 0.75]
    assert search.optimizer_task_id == adapt(optimizer).optimizer_task_id == task.id
    assert search.optimizer_task_page.endswith(f"/projects/*/experiments/{task.id}/output/log")
    frame = search.to_dataframe()
    assert list(frame["task_id"]) == [search.trial(number).id for number in range(4)]
    end()


def test_no_command_is_possible_and_each_says_why(controller, sdk_worker, opened):
    optimizer = controller(total_max_jobs=1)
    optimizer.start()
    sdk_worker.take()
    search = opened(optimizer._task)
    assert set(search.capabilities) == set(COMMANDS)
    search.command("stop")
    assert search.errors[-1].sentence == (
        "stop did nothing: this is a view of a search of ClearML's own controller, which runs elsewhere or has ended"
    )
    widget = OptimizerWidget.open(optimizer._task.id)
    assert widget.status == str(search.status)
    widget.close()


def test_a_stopped_one_says_so_with_the_servers_reason(controller, sdk_worker, opened):
    optimizer = controller()
    optimizer.start()
    sdk_worker.take()
    task = optimizer._task
    task.mark_started(force=True)
    task.mark_stopped(force=True, status_message="by somebody in the web UI")
    search = opened(task)
    assert search.status == "stopped"
    assert "was stopped after 0 jobs" in search.stop_reason.sentence
    assert "by somebody in the web UI" in search.stop_reason.sentence


def test_values_that_only_some_combinations_have_are_absent_elsewhere(controller, sdk_worker, opened):
    combinations = ParameterSet(
        [{"General/kind": "plain"}, {"General/kind": "fancy", "General/x": UniformParameterRange("General/x", 0, 2)}]
    )
    optimizer = controller([combinations, DiscreteParameterRange("General/units", [1, 2])])
    optimizer.start()
    tasks = [sdk_worker.take(), sdk_worker.take()]
    search = opened(optimizer._task)
    made = optimizer.get_optimizer().get_created_jobs_ids()
    assert {trial.id: dict(trial.parameters) for trial in map(search.trial, range(2))} == {
        task: made[task] for task in tasks
    }


def test_its_code_is_the_call_that_made_it(controller, opened):
    optimizer = controller(optimization_time_limit=30, min_iteration_per_job=1)
    names = {}
    code = opened(optimizer._task).as_code()
    exec(code.replace("HyperParameterOptimizer(", "HyperParameterOptimizer(auto_connect_task=False,", 1), names)
    again = names["optimizer"]
    assert again.base_task_id == optimizer.base_task_id
    assert again.get_optimizer().total_max_jobs == 10
    assert again.execution_queue == optimizer.execution_queue
    assert [one.name for one in again.hyper_parameters] == ["General/x", "General/units", "General/kind"]


def test_a_look_asks_for_the_newest_tasks_only(controller, sdk_worker, opened, monkeypatch):
    for module in (kept, children):
        monkeypatch.setattr(module, "PAGE", 2)
    pages, call = [], Server.call

    def note(self, action, **body):
        if "parent" in body:
            pages.append(body["page"])
        return call(self, action, **body)

    monkeypatch.setattr(Server, "call", note)
    optimizer = controller(total_max_jobs=6, max_number_of_concurrent_tasks=5)
    optimizer.start()
    tasks = [sdk_worker.take() for _ in range(5)]
    search = opened(optimizer._task)
    assert pages == [0, 1, 2]
    made = optimizer.get_optimizer().get_created_jobs_ids()
    assert [search.trial(number).id for number in range(5)] == list(made)
    sdk_worker.complete(tasks[0], 0.5)
    last = sdk_worker.take()
    pages.clear()
    for _ in range(2):
        search.look()
    assert search.trial(5).id == last
    assert pages == [0, 0]


def test_a_task_that_keeps_no_search_is_refused(project):
    with pytest.raises(ValueError, match="is not the optimizer Task of a search"):
        HyperParameterOptimizer.open(Task.create(project, "train").id)


def test_a_view_is_continued_by_nobody(controller):
    with pytest.raises(TypeError, match="it can only be viewed"):
        HyperParameterOptimizer.open(controller()._task.id, base_task_id="another")
