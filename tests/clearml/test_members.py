"""Rows of the members of `HyperParameterOptimizer` where trials are ClearML Tasks; see `tests.member_rows.table`.

What Tasks are is asked of the SDK.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from clearml import Task
from clearml.automation import ClearmlJob
from clearml.backend_api import Session

from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.engines.clearml import poll_thread
from hpo_widgets.engines.clearml.server import ClearmlError
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.details import TrialDetails
from tests.clearml.fake_worker import close_current_task, print_lines
from tests.conftest import DEADLINE
from tests.member_rows.arguments import RowsOfArguments
from tests.member_rows.beyond import RowsBeyondTheReference
from tests.member_rows.reference import RowsOfTheReference
from tests.member_rows.table import header_of
from tests.runs import finished, wait_for


def ids(trials):
    return [trial.id for trial in trials]


@pytest.fixture
def gate(worker):
    """The gate of the worker, opened and shut as that of trials on this machine is."""
    return SimpleNamespace(open=worker.gate.set, shut=worker.gate.clear)


@pytest.fixture
def failing(optimizer, worker):
    """``failing()`` gives a search of two trials, all of which fail."""
    worker.end = lambda worker, task: worker.call("tasks.failed", task=task)
    return lambda: optimizer(total_max_jobs=2)


class TestTasks(RowsOfArguments, RowsOfTheReference, RowsBeyondTheReference):
    """The rows of every engine."""

    def stop(self, made):
        made.stop()
        assert made.wait()  # `stop` returns once the aborts are sent; the server agrees later


@pytest.mark.parametrize("form", [str, lambda base_task: Task.get_task(task_id=base_task)], ids=["id", "Task"])
def test_argument_base_task_id_is_cloned(optimizer, base_task, form):
    made = finished(optimizer(base=form(base_task)))
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.name == "train"
    for trial in made.top(3):
        task = Task.get_task(task_id=trial.id)
        assert task.parent == base_task
        assert task.name == f"train: x={trial.parameters['x']}"
        assert task.comment == f"x={trial.parameters['x']}"
        assert sorted(task.get_tags()) == ["opt", "optimization"]
        assert task.project == Task.get_task(task_id=base_task).project


def test_argument_hyper_parameters_reach_the_tasks_with_their_types(optimizer):
    made = finished(
        optimizer(
            [
                UniformParameterRange("General/x", 0.2, 0.4, step_size=0.2),
                DiscreteParameterRange("shuffle", values=[True, False]),
                DiscreteParameterRange("Args/free", values=[None, [1, 2]]),
            ],
            optimizer_class=GridSearch,
            total_max_jobs=None,
            max_number_of_concurrent_tasks=8,
        )
    )
    assert made.stop_reason.code == "space_exhausted"
    trials = made.top(20)
    assert len(trials) == 8
    for trial in trials:
        cast = Task.get_task(task_id=trial.id).get_parameters(cast=True)
        assert cast["General/x"] == trial.parameters["General/x"]
        assert cast["General/shuffle"] is trial.parameters["shuffle"]
        assert cast["Args/free"] == trial.parameters["Args/free"]
        assert cast["General/units"] == 4


def test_argument_execution_queue_is_where_trials_go(optimizer, queue):
    made = finished(optimizer(execution_queue=queue))
    assert made.engine_name == f"ClearML, queue {queue}"
    assert header_of(made)["arguments"]["execution_queue"] == queue


def test_argument_auto_connect_task_stores_arguments_and_space(optimizer, own, base_task):
    made = finished(optimizer(auto_connect_task=own))
    own.reload()
    stored = own.get_parameters()
    assert stored["General/opt/base_task_id"] == base_task
    assert stored["General/opt/optimizer_kwargs/total_max_jobs"] == "3"
    assert {Task.get_task(task_id=job).parent for job in ids(made.top(3))} == {own.id}
    with pytest.raises(TypeError, match=r"auto_connect_task must be True, False or a clearml.Task, got 'mine'"):
        optimizer(auto_connect_task="mine")


def test_argument_always_create_task_makes_one_in_the_templates_project(optimizer, project):
    made = finished(optimizer(always_create_task=True))
    own = Task.current_task()
    assert (own.name, own.get_project_name()) == ("Optimizing: train", project)
    assert own.task_type == Task.TaskTypes.optimizer
    assert {Task.get_task(task_id=job).parent for job in ids(made.top(3))} == {own.id}
    close_current_task()


def test_argument_save_top_k_tasks_only_archives_the_rest(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=2, total_max_jobs=5))
    tags = [Task.get_task(task_id=job).get_system_tags() or [] for job in ids(made.top(5))]
    assert ["archived" in own for own in tags] == [trial.archived for trial in made.top(5)]
    assert [trial.archived for trial in made.top(5)] == [False, False, True, True, True]


def test_argument_spawn_project_is_where_the_tasks_are(optimizer, project):
    made = finished(optimizer(spawn_project=f"{project}/trials"))
    assert {Task.get_task(task_id=job).get_project_name() for job in ids(made.top(3))} == {f"{project}/trials"}
    assert header_of(made)["group"] == f"{project}/trials"


def test_get_active_experiments_are_the_tasks_that_run(running, worker):
    made = running()
    active = made.get_active_experiments()
    assert [(type(task), task.status) for task in active] == [(Task, "in_progress")] * 2
    assert [task.id for task in active] == worker.taken
    worker.gate.set()
    assert made.wait()
    assert list(made.get_active_experiments()) == []


def test_get_optimizer_top_experiments_are_tasks(optimizer, base_task):
    made = finished(optimizer())
    top = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", base_task, 2)
    assert [task.id for task in top] == ids(made.top(2))


def test_get_optimizer_top_experiments_says_when_there_is_no_such_task(clearml_api):
    with pytest.raises(ValueError, match=f"there is no Task {'1' * 32} on the ClearML server"):
        HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", "1" * 32, 2)


def test_get_top_experiments_are_tasks_best_first(optimizer):
    made = finished(optimizer())
    top = made.get_top_experiments(top_k=2)
    assert [type(task) for task in top] == [Task, Task]
    assert [task.id for task in top] == ids(made.top(2))
    best = made.top(1)[0]
    x = best.parameters["x"]
    assert float(top[0].get_parameters()["General/x"]) == x
    assert top[0].get_last_scalar_metrics()["validation"]["loss"]["last"] == x
    # The panel's own view of it has the same accessors.
    assert (best.name, best.status) == (f"#{best.number}", "completed")
    assert best.get_last_scalar_metrics()["validation"]["loss"] == {"last": x, "min": x - 1, "max": x + 1}
    assert best.get_reported_scalars()["validation"]["loss"] == {
        "name": "loss",
        "x": [0, 1, 2],
        "y": pytest.approx([x + 1, x - 1, x]),
    }


def test_get_top_experiments_leave_out_tasks_that_somebody_deleted(optimizer, worker):
    made = finished(optimizer())
    first, second, third = ids(made.top(3))
    worker.call("tasks.delete", task=first, force=True)
    assert [task.id for task in made.get_top_experiments(3)] == [second, third]
    assert made.best_trial.id == first


def test_get_top_experiments_details_have_all_parameters_of_the_task(optimizer):
    [details] = finished(optimizer()).get_top_experiments_details(1, all_hyper_parameters=True)
    assert details["hyper_parameters"].items() >= {"General/units": "4", "Args/free": ""}.items()


def test_get_top_experiments_ranks_running_trials_too(running):
    made = running()
    assert [task.status for task in made.get_top_experiments(3)] == ["in_progress", "in_progress"]


def test_set_default_job_class_is_used_from_the_next_start(optimizer, worker):
    made_by = []

    class Counting(ClearmlJob):
        def __init__(self, *args, **keywords):
            made_by.append(keywords["parameter_override"])
            super().__init__(*args, **keywords)

    made = optimizer()
    made.set_default_job_class(Counting)
    finished(made)
    assert [list(override) for override in made_by] == [["General/x"]] * 3
    assert made.counts[TrialState.COMPLETED] == 3
    assert len(worker.taken) == 3
    with pytest.raises(TypeError, match=r"job_class must be clearml.automation.ClearmlJob"):
        made.set_default_job_class(object)


@pytest.mark.slow
def test_start_locally_runs_trials_as_processes_of_this_machine(task_search, template):
    calls = []
    made = task_search(
        [UniformParameterRange("x", 0, 1), DiscreteParameterRange("shuffle", [True])],
        base=template,
        execution_queue="no-such-queue",
        total_max_jobs=2,
    )
    assert made.start_locally(lambda *arguments: calls.append(arguments)) is True
    assert made.engine_name == "ClearML, this machine"
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 2, made.errors
    assert len(calls) == 2
    for task in made.get_top_experiments(2):
        assert task.status == "completed"
        x = float(task.get_parameters()["General/x"])
        assert made.trial(0 if task.id == made.trial(0).id else 1).value == pytest.approx((x - 0.25) ** 2 + 1 / 3)


def test_stop_returns_once_the_aborts_are_sent(running, worker):
    made = running()
    made.stop()
    assert {worker.status(task) for task in worker.taken} == {"stopped"}


def test_engine_name_is_the_queue(optimizer, queue):
    assert optimizer().engine_name == f"ClearML, queue {queue}"


def test_status_is_stopping_until_the_server_agrees(optimizer, running, until, monkeypatch):
    assert optimizer().status is SearchStatus.IDLE
    made = running()
    assert made.status is SearchStatus.RUNNING
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", DEADLINE)
    made.command("stop")
    until(made, lambda: made.status is SearchStatus.STOPPING)
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 0.1)
    assert made.wait()
    assert made.status is SearchStatus.STOPPED


def test_next_poll_is_in_seconds_while_there_is_one(running, worker):
    made = running(pool_period_min=0.05)
    assert 0 <= made.next_poll <= 6
    worker.gate.set()
    made.stop()
    assert made.wait()
    assert made.next_poll is None


def test_max_number_of_concurrent_tasks_is_ten_by_default_and_the_number_of_cores_on_this_machine(
    task_search, template
):
    made = task_search(base=template, max_number_of_concurrent_tasks=None, total_max_jobs=1)
    assert made.max_number_of_concurrent_tasks == 10
    assert made.start_locally()
    assert made.max_number_of_concurrent_tasks == len(os.sched_getaffinity(0))
    made.stop()
    assert made.wait()


def test_trial_by_its_number_has_the_id_of_its_task(optimizer, worker):
    made = finished(optimizer(max_number_of_concurrent_tasks=4))
    assert sorted(made.trial(number).id for number in range(3)) == sorted(worker.taken)


def test_as_code_names_the_task(optimizer, base_task):
    assert f'base_task_id="{base_task}"' in optimizer().as_code()


def test_opening_code_names_the_task(optimizer, base_task):
    made = optimizer()
    assert made.opening_code().splitlines() == [
        "from hpo_widgets import OptimizerWidget",
        "",
        f'OptimizerWidget.open("journals/{made.id}.sqlite", base_task_id="{base_task}")',
    ]


def test_optimizer_task_id_is_that_of_the_task_that_keeps_the_search(optimizer, own):
    made = finished(optimizer(auto_connect_task=own))
    assert made.optimizer_task_id == own.id
    assert HyperParameterOptimizer.open(made.optimizer_task_id).id == made.id
    further = finished(optimizer(auto_connect_task=own))
    assert further.optimizer_task_id is None
    assert optimizer().optimizer_task_id is None


def test_optimizer_task_page_is_that_of_the_web_application_where_it_is_known(optimizer, own, monkeypatch):
    made = optimizer(auto_connect_task=own)
    assert made.optimizer_task_page.endswith(f"/projects/*/experiments/{own.id}/output/log")
    assert optimizer().optimizer_task_page is None
    monkeypatch.setattr(Session, "get_app_server_host", lambda: "nowhere")
    assert made.optimizer_task_page is None


def test_log_so_far_is_the_console_that_the_server_keeps(running, worker):
    made = running()
    task = made.trial(0).id
    print_lines(worker.session, task, "epoch 1", "epoch 2")
    assert made.log_so_far(0).result(60) == "epoch 1\nepoch 2"
    worker.gate.set()
    assert made.wait()
    print_lines(worker.session, task, "done")


@pytest.mark.parametrize("while_it_runs", [False, True])
def test_a_view_has_what_the_server_keeps_of_trials(running, worker, while_it_runs):
    made = running()
    if not while_it_runs:
        worker.gate.set()
        assert made.wait()
    task = made.trial(0).id
    print_lines(worker.session, task, "epoch 1")
    search = HyperParameterOptimizer.open(made.journal_path)
    trial = search.trial(0)
    assert trial.get_reported_scalars()["validation"]["loss"]["x"] == [0, 1, 2]
    assert (trial.get_output(), trial.get_page()) == (("epoch 1", "", ""), made.trial(0).get_page())
    assert search.log_so_far(0).result(60) == "epoch 1"
    details = TrialDetails(search, selected=[0])
    wait_for(lambda: details.log == "epoch 1", "the console is not shown", pause=0.02)
    details.close()
    search.close()
    worker.gate.set()
    assert made.wait()


def test_a_view_of_a_search_whose_server_cannot_be_asked_says_so(optimizer, monkeypatch):
    made = finished(optimizer())
    search = HyperParameterOptimizer.open(made.journal_path)
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "another")
    assert search.trial(0).value == made.trial(0).value
    assert search.trial(0).get_output()[0].startswith("The console of this trial cannot be read now: ")
    with pytest.raises(ClearmlError, match="did not accept the credentials"):
        search.trial(0).get_reported_scalars()
    search.close()


def test_open_continues_by_the_id_of_the_optimizer_task(optimizer, own):
    made = finished(optimizer(auto_connect_task=own))
    again = HyperParameterOptimizer.open(own.id)
    again.set_total_max_jobs(4)
    finished(again)
    assert again.id == made.id
    assert again.counts[TrialState.COMPLETED] == 4


def test_exports_name_the_tasks_of_trials(optimizer):
    made = finished(optimizer())
    tasks = [made.trial(number).id for number in range(3)]
    for search in (made, HyperParameterOptimizer.open(made.journal_path)):
        assert search.to_dataframe()["task_id"].tolist() == tasks
        assert [record["task_id"] for record in json.loads(search.to_json())] == tasks
        assert all(task in line for task, line in zip(tasks, search.to_csv().splitlines()[1:], strict=True))


def test_a_note_and_tags_are_kept_at_the_task_beside_its_own(optimizer):
    made = finished(optimizer())
    trial = made.trial(0)
    before = Task.get_task(task_id=trial.id)
    comment, tags = before.comment, before.get_tags()
    made.set_note(0, "stable")
    made.set_tags(0, ["baseline"])
    wait_for(lambda: "baseline" in Task.get_task(task_id=trial.id).get_tags(), "the server was not told")
    wait_for(lambda: Task.get_task(task_id=trial.id).comment == f"{comment}\n\nstable", "the server was not told")
    made.set_note(0, "stable over three seeds")
    made.set_tags(0, [])
    wait_for(
        lambda: Task.get_task(task_id=trial.id).comment == f"{comment}\n\nstable over three seeds",
        "the server was not told",
    )
    wait_for(lambda: sorted(Task.get_task(task_id=trial.id).get_tags()) == sorted(tags), "the server was not told")
    assert made.trial(0).get_page().endswith(f"/projects/*/experiments/{trial.id}/output/log")
    assert made.errors == []


def test_a_note_for_a_trial_whose_task_was_deleted_is_kept_and_that_is_told(optimizer, worker):
    made = finished(optimizer(total_max_jobs=1))
    task = made.trial(0).id
    worker.call("tasks.delete", task=task, force=True)
    made.set_note(0, "stable")
    wait_for(lambda: made.errors, "nothing is told")
    gone = f"set_note: Task {task} is not on the ClearML server any more; the journal still has it"
    assert [notice.sentence for notice in made.errors] == [gone]
    assert made.trial(0).note == "stable"


def test_add_trial_is_refused_with_what_to_do_as_a_trial_is_a_task(optimizer):
    made = optimizer()
    assert "continue_previous_study=" in made.capabilities["add_trial"]
    with pytest.raises(ValueError, match="each trial of a search on ClearML is a Task"):
        made.add_trial({"x": 0.125}, -1)
    assert not made.journal_path.exists()


def test_add_trials_is_refused_as_add_trial_is(optimizer):
    made = optimizer()
    assert made.capabilities["add_trials"] == made.capabilities["add_trial"]
    with pytest.raises(ValueError, match="each trial of a search on ClearML is a Task"):
        made.add_trials([({"x": 0.125}, -1)])
    assert not made.journal_path.exists()
