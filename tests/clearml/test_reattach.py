"""A search on ClearML taken up again: after its kernel's death, with its journal and without, here and elsewhere."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import psutil
import pytest
from clearml import Task

from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer
from hpo_widgets.engines.clearml import launch_thread, optimizer_task, reporting, server
from hpo_widgets.engines.clearml.optimizer_task import OptimizerTask, TakenOverError
from hpo_widgets.engines.clearml.server import UnreachableError
from hpo_widgets.engines.clearml.template import TaskTemplate
from hpo_widgets.journal import JournalError, JournalInUse, JournalNotFound, Owner
from hpo_widgets.journal.lease import SILENCE
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from hpo_widgets.widget.parts import summary
from tests.clearml.fake_worker import make_base_task
from tests.clearml.way import Way
from tests.conftest import DEADLINE
from tests.runs import finished, wait_for

KERNEL = """
import sys
from clearml import Task
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

task = Task.init("{project}", "search", task_type="optimizer", reuse_last_task_id=False,
                 auto_connect_frameworks=False, auto_resource_monitoring=False)
optimizer = HyperParameterOptimizer(
    "{base_task}", [UniformParameterRange("x", 0, 1)], "validation", "loss", "min", execution_queue="{queue}",
    max_number_of_concurrent_tasks=2, total_max_jobs=5, pool_period_min=0.005, seed=1, journal="{journal}",
    save_top_k_tasks_only=2)
optimizer.start()
print(task.id, optimizer.id, flush=True)
for line in sys.stdin:
    optimizer.pause()
"""


@pytest.fixture
def new_kernel(project, base_task, queue, clearml_api, tmp_path, monkeypatch):
    """``new_kernel(source, ...)`` gives a kernel that runs a search, and the ids of its Task and of its search.

    Further arguments are variables of its environment.
    """
    for name in ("CLEARML_PROC_MASTER_ID", "TRAINS_PROC_MASTER_ID"):
        monkeypatch.delenv(name, raising=False)
    kernels = []

    def make(source, **environment):
        path = tmp_path / "kernel.py"
        path.write_text(source.format(project=project, base_task=base_task, queue=queue, journal=tmp_path / "journals"))
        kernel = subprocess.Popen(
            [sys.executable, path.name],
            cwd=tmp_path,
            env={**os.environ, **clearml_api.environment, "TMPDIR": str(tmp_path), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        kernels.append(kernel)
        lines = iter(kernel.stdout.readline, "")
        said = next(line for line in lines if len(line.split()) == 2 and len(line.split()[0]) == 32).split()
        wait_for(lambda: "hpo_widgets" in (Task.get_task(task_id=said[0]).data.configuration or {}), "nothing is kept")
        return kernel, *said

    yield make
    for kernel in kernels:
        kernel.kill()
        kernel.wait()
        kernel.stdin.close()
        kernel.stdout.close()


def kill(kernel):
    kernel.kill()
    kernel.wait()


def pause(kernel):
    """Have the kernel pause its search."""
    kernel.stdin.write("pause\n")
    kernel.stdin.flush()


@pytest.fixture
def kernel_search(new_kernel, worker):
    """``kernel_search()`` gives a kernel that runs two trials, and the ids of its Task and of its search."""

    def make():
        worker.gate.clear()
        made = new_kernel(KERNEL)
        wait_for(lambda: len(worker.taken) == 2, "the trials did not begin")
        return made

    return make


@pytest.fixture
def dead_paused_search(kernel_search, until, tmp_path):
    """``dead_paused_search()`` gives the id of the Task of a kernel that was killed while its search paused."""

    def make():
        kernel, task_id, search_id = kernel_search()
        pause(kernel)
        with SearchViewer(tmp_path / "journals" / f"{search_id}.sqlite") as viewer:
            until(viewer, lambda: viewer.status is SearchStatus.PAUSED)
        kill(kernel)
        return task_id

    return make


@pytest.fixture
def dead_search(kernel_search, until, tmp_path):
    """``dead_search()`` gives the ids of Task and search of a kernel that was killed with two trials running."""

    def make():
        kernel, *said = kernel_search()
        # A trial that the journal does not know to have run uses up no budget when it is aborted.
        with SearchViewer(tmp_path / "journals" / f"{said[1]}.sqlite") as viewer:
            until(viewer, lambda: viewer.counts[TrialState.RUNNING] == 2)
        kill(kernel)
        return said

    return make


@pytest.fixture
def _reports_at_once(monkeypatch):
    """What an optimizer Task keeps is written fifty times a second."""
    for name in ("LOOK_SECONDS", "KEEP_SECONDS"):
        monkeypatch.setattr(reporting, name, 0.02)


@pytest.fixture
def opened():
    """``opened(...)`` opens a search that is ended after the test."""
    searches = []

    def make(*arguments, **keywords):
        searches.append(HyperParameterOptimizer.open(*arguments, **keywords))
        return searches[-1]

    yield make
    for search in searches:
        if isinstance(search, SearchViewer):
            search.close()
        else:
            search.stop()
            assert search.wait(timeout=1.0)


@pytest.mark.parametrize("journal", [pytest.param("journals", marks=pytest.mark.slow), "elsewhere"])
def test_running_trials_are_taken_over_and_the_budget_goes_on(dead_search, opened, worker, tmp_path, journal, own_ids):
    task_id, search_id = dead_search()
    before = list(worker.taken)
    again = opened(task_id, journal=tmp_path / journal)
    assert again.id == search_id
    assert again.status is not SearchStatus.RUNNING
    assert again.counts[TrialState.RUNNING] == 2
    assert {again.trial(number).id for number in (0, 1)} == set(before)
    assert again.start() is True
    worker.gate.set()
    assert again.wait(timeout=1.0), again.counts
    assert again.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 5}
    assert worker.taken[:2] == before
    assert len(worker.taken) == 5
    assert own_ids(task_id) == set(worker.taken)
    assert again.stop_reason.code == "total_max_jobs"


@pytest.fixture
def own_ids(api_client):
    """``own_ids(task)`` gives the ids of all Tasks below one."""
    return lambda parent: {
        task.id for task in api_client.tasks.get_all(parent=parent, only_fields=["id"], search_hidden=True)
    }


@pytest.mark.slow
def test_what_ended_meanwhile_has_ended_with_its_values(dead_search, opened, worker, tmp_path):
    task_id, _ = dead_search()
    worker.gate.set()
    first, second = worker.taken
    wait_for(lambda: [worker.status(task) for task in (first, second)] == ["completed"] * 2, "they did not end")
    for journal in ("journals", "elsewhere"):
        again = opened(task_id, journal=tmp_path / journal)
        assert again.counts[TrialState.COMPLETED] == 2
        for trial in again.top(2):
            assert trial.value == trial.parameters["x"]
            assert trial.duration > 0
    finished(again)
    assert again.counts[TrialState.COMPLETED] == 5


ENDLESS = """
import os, pathlib, time
(pathlib.Path({folder!r}) / str(os.getpid())).touch()
time.sleep(1000)
"""


@pytest.fixture
def local_kernel(new_kernel, api_client, base_task, tmp_path):
    """``local_kernel()`` gives a kernel whose two trials are processes of this machine, its Task, and the processes."""
    folder = tmp_path / "processes"
    folder.mkdir()
    processes = []

    def make():
        script = {"diff": ENDLESS.format(folder=str(folder)), "entry_point": "train.py", "repository": ""}
        api_client.tasks.edit(task=base_task, script={**script, "binary": "python"}, force=True)
        kernel, task_id, _ = new_kernel(KERNEL.replace("optimizer.start()", "optimizer.start_locally()"))
        wait_for(lambda: len(list(folder.iterdir())) == 2, "the trials did not begin")
        processes.extend(psutil.Process(int(path.name)) for path in folder.iterdir())
        return kernel, task_id, processes

    yield make
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_trials_of_this_machine_that_end_with_their_kernel_are_aborted_at_the_server(
    local_kernel, opened, own_ids, worker, tmp_path
):
    kernel, task_id, processes = local_kernel()
    kernel.stdin.close()
    assert kernel.wait(DEADLINE) == 0
    assert all(map(is_gone, processes))
    assert [worker.status(task) for task in own_ids(task_id)] == ["stopped"] * 2
    again = opened(task_id, journal=tmp_path / "elsewhere")
    assert again.counts[TrialState.ABORTED] == 2
    assert "its process ended with the one that ran the search" in again.trial(0).error


@pytest.mark.slow
def test_processes_that_outlive_a_killed_kernel_are_taken_over_and_those_that_do_not_are_aborted(
    local_kernel, opened, own_ids, worker, tmp_path
):
    kernel, task_id, processes = local_kernel()
    kill(kernel)
    assert opened(task_id, journal=tmp_path / "first").counts[TrialState.RUNNING] == 2
    processes[0].kill()
    wait_for(lambda: is_gone(processes[0]), "it goes on")
    again = opened(task_id, journal=tmp_path / "second")
    assert (again.counts[TrialState.RUNNING], again.counts[TrialState.ABORTED]) == (1, 1)
    assert sorted(worker.status(task) for task in own_ids(task_id)) == ["in_progress", "stopped"]


@pytest.mark.slow
def test_the_points_of_a_search_are_the_same_whether_its_journal_is_there_or_not(
    dead_search, opened, worker, tmp_path, task_search
):
    task_id, _ = dead_search()
    worker.gate.set()
    again = finished(opened(task_id, journal=tmp_path / "elsewhere"))
    whole = finished(task_search(total_max_jobs=5))
    assert [again.trial(n).parameters for n in range(5)] == [whole.trial(n).parameters for n in range(5)]


@pytest.mark.slow
def test_a_trial_whose_task_is_gone_was_aborted_a_draft_is_launched_and_a_persons_clone_is_no_trial(
    dead_search, opened, worker, api_client, tmp_path
):
    task_id, _ = dead_search()
    gone, kept = worker.taken
    Task.clone(source_task=kept, parent=task_id)
    api_client.tasks.delete(task=gone, force=True)
    # The kernel died between making a Task and sending it to the queue.
    draft = Task.clone(source_task=kept, parent=task_id)
    draft.set_parameters({**draft.get_parameters(), "hpo_widgets/trial": 2})
    again = opened(task_id, journal=tmp_path / "journals")
    assert len(again.snapshot()) == 3
    states = [again.trial(number).state for number in range(3)]
    assert sorted(states[:2]) == [TrialState.RUNNING, TrialState.ABORTED]
    assert states[2] is TrialState.QUEUED
    again.start()
    worker.gate.set()
    assert again.wait(timeout=1.0)
    assert again.trial(2).id == draft.id
    assert again.counts[TrialState.COMPLETED] == 4


def test_trials_that_run_below_another_template_are_taken_over(
    task_search, opened, worker, until, api_client, project, tmp_path
):
    worker.gate.clear()
    made = task_search()
    made.start()
    with SearchViewer(made.journal_path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.RUNNING] == 2)
    copy = made.backup(tmp_path / "copy.sqlite")
    again = opened(copy, base_task_id=make_base_task(api_client, project))
    assert {again.trial(number).id for number in (0, 1)} == set(worker.taken)
    assert again.counts[TrialState.RUNNING] == 2
    made.stop()
    assert made.wait(timeout=1.0)


def test_a_task_that_was_edited_and_completed_while_nobody_followed_is_not_the_result_of_its_trial(
    task_search, opened, worker, until, base_task, tmp_path
):
    worker.gate.clear()
    made = task_search()
    made.start()
    with SearchViewer(made.journal_path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.RUNNING] == 2 and len(viewer.top(2)) == 2)
    copy = made.backup(tmp_path / "copy.sqlite")
    made.stop()
    assert made.wait(timeout=1.0)
    edited = worker.call("tasks.get_all", id=[made.trial(0).id], only_fields=["hyperparams"])["tasks"][0]["hyperparams"]
    edited["General"]["x"]["value"] = "0.875"
    worker.call("tasks.edit", task=made.trial(0).id, hyperparams=edited, force=True)
    for number in range(2):
        worker.call("tasks.completed", task=made.trial(number).id)
    again = opened(copy, base_task_id=base_task)
    assert [again.trial(number).state for number in range(2)] == [TrialState.FAILED, TrialState.COMPLETED]
    assert again.trial(0).error.startswith("its Task was edited on the server: General/x is '0.875' there")
    assert again.best_trial.number == 1


@pytest.mark.parametrize(
    "edited", [{"trial": "third"}, {"trial": "-1"}, {"trial": ""}, {"trial": "2", "point": "none"}]
)
def test_a_child_whose_facts_were_edited_is_left_out_and_told_of(task_search, opened, worker, own, tmp_path, edited):
    made = finished(task_search(auto_connect_task=own))
    spoilt = made.trial(2).id
    task = Task.get_task(task_id=spoilt)
    worker.call("tasks.edit", task=spoilt, force=True, hyperparams=with_facts(task, edited))
    again = opened(own.id, journal=tmp_path / "elsewhere")
    assert [again.trial(number).id for number in range(2)] == [made.trial(number).id for number in range(2)]
    assert len(again.snapshot()) == 2
    assert [spoilt in notice.sentence for notice in again.errors] == [True]


def with_facts(task, edited):
    hyperparams = task.data.to_dict()["hyperparams"]
    for name, value in edited.items():
        hyperparams["hpo_widgets"][name]["value"] = value
    return hyperparams


def test_a_live_search_is_only_viewed(running, opened, worker, own):
    made = running(auto_connect_task=own, total_max_jobs=3)
    wait_for(lambda: "hpo_widgets" in (Task.get_task(task_id=own.id).data.configuration or {}), "nothing is kept")
    view = opened(own.id)
    assert isinstance(view, SearchViewer)
    assert (view.optimizer_task_id, view.optimizer_task_page) == (own.id, made.optimizer_task_page)
    assert summary.facts(view)[:2] == ["ClearML", "2 at once"]  # and not 2 workers of a journal
    worker.gate.set()
    assert made.wait(timeout=1.0)


@pytest.mark.slow
def test_a_search_that_a_live_kernel_runs_is_not_continued_where_its_journal_is_not(
    kernel_search, opened, worker, tmp_path
):
    kernel, task_id, search_id = kernel_search()
    refused = f"the search {search_id} is running in process {kernel.pid} on {platform.node()}, .* stop it there first"
    with pytest.raises(JournalInUse, match=refused):
        opened(task_id, journal=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    kill(kernel)
    again = opened(task_id, journal=tmp_path / "elsewhere")
    worker.gate.set()
    finished(again)
    assert len(worker.taken) == 5


def test_what_else_a_person_has_connected_with_the_task_is_not_read(way, task_search, opened, own, worker, tmp_path):
    finished(task_search(auto_connect_task=own))
    again = opened(own.id, journal=tmp_path / "elsewhere")
    again.set_total_max_jobs(4)
    finished(again)
    fields = [name for step in way.steps if step.request.get("id") == [own.id] for name in step.request["only_fields"]]
    assert {name for name in fields if name.startswith("configuration")} == {"configuration.hpo_widgets"}


def test_what_another_process_has_kept_stays(own):
    first, second = (OptimizerTask(own, stores_arguments=False) for _ in range(2))
    first.keep({"search": "s", "run": "a", "owner": None})
    second.known_runs.add("a")  # it was opened when the first had been silent
    second.keep({"search": "s", "run": "b", "owner": asdict(Owner.here())})
    taken = f"the search s was taken over by process {os.getpid()} on {platform.node()}, as nothing was heard"
    for state in ({"run": "a"}, {"run": "a2"}):
        with pytest.raises(TakenOverError, match=taken):
            first.keep({"search": "s", "owner": None, **state})
    assert kept_state(own.id)["run"] == "b"


@pytest.mark.usefixtures("_reports_at_once")
def test_a_search_that_was_taken_over_elsewhere_launches_nothing_more_and_leaves_its_trials(
    asked, running, worker, own
):
    made = running(auto_connect_task=own)
    wait_for(lambda: kept_state(own.id), "nothing is kept", pause=0.02)
    take_over_from_far(made, own)
    asked.start_over()
    told = f"the search {made.id} was taken over by process 7 on far, as nothing was heard of this process"
    assert made.errors[-1].sentence.startswith(told)
    assert (made.status, made.stop_reason.sentence.startswith(told)) == (SearchStatus.STOPPED, True)
    assert made.counts[TrialState.RUNNING] == 2
    worker.gate.set()
    wait_for(lambda: [worker.status(task) for task in worker.taken] == ["completed"] * 2, "they were stopped")
    made.stop()
    assert asked.counts() == {}
    assert len(worker.taken) == 2
    assert (kept_state(own.id)["run"], worker.status(own.id)) == ("other", "created")
    with pytest.raises(JournalInUse, match="running in process 7 on far"):
        made.start()


@pytest.mark.parametrize("journal", ["journals", "elsewhere"])
def test_what_a_pause_held_when_its_kernel_was_killed_is_put_back_by_the_next(
    new_kernel, opened, worker, own_ids, tmp_path, journal
):
    worker.takes.clear()
    kernel, task_id, _ = new_kernel(KERNEL)
    wait_for(lambda: [worker.status(task) for task in own_ids(task_id)] == ["queued"] * 2, "nothing was launched")
    pause(kernel)
    wait_for(lambda: [worker.status(task) for task in own_ids(task_id)] == ["created"] * 2, "nothing is held")
    wait_for(lambda: kept_state(task_id)["is_paused"], "the Task does not know of the pause")
    kill(kernel)
    held = own_ids(task_id)
    again = opened(task_id, journal=tmp_path / journal)
    assert again.status is SearchStatus.PAUSED
    assert again.start()  # it is paused all the same
    wait_for(lambda: kept_state(task_id)["owner"]["pid"] == os.getpid(), "the Task does not say who runs the search")
    assert again.counts[TrialState.QUEUED] == 2
    assert [worker.status(task) for task in held] == ["created"] * 2
    again.resume()
    worker.takes.set()
    assert again.wait(timeout=1.0), again.counts
    assert again.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 5}
    assert set(worker.taken[:2]) == {again.trial(number).id for number in (0, 1)} == held
    assert own_ids(task_id) == set(worker.taken)


@pytest.fixture
def kernel_killed_at_a_pause(new_kernel, worker, own_ids, clearml_api):
    """``kernel_killed_at_a_pause()`` gives a search's Task, and its Tasks that wait: in no queue, and in the queue.

    The kernel was killed when it had removed the entry of the first from the queue, and not told the Task.
    """
    with Way(clearml_api.url) as way:

        def make():
            worker.takes.clear()
            kernel, task_id, _ = new_kernel(KERNEL, CLEARML_API_HOST=way.url)
            wait_for(lambda: len(entries(worker)) == 2, "nothing was launched")
            lost, waits = entries(worker)
            way.plan("tasks.dequeue", "lost", times=1000)
            pause(kernel)
            wait_for(lambda: entries(worker) == [waits], "the entry is not removed")
            wait_for(lambda: kept_state(task_id)["is_paused"], "the Task does not know of the pause")
            kill(kernel)
            assert [worker.status(task) for task in (lost, waits)] == ["queued"] * 2
            assert own_ids(task_id) == {lost, waits}
            return task_id, lost, waits

        yield make


def entries(worker, queue=None):
    """The Tasks that wait in a queue, next first."""
    found = worker.call("queues.get_by_id", queue=queue or worker.queue)["queue"]
    return [entry["task"] for entry in found.get("entries") or ()]


@pytest.mark.parametrize("journal", ["journals", pytest.param("elsewhere", marks=pytest.mark.slow)])
@pytest.mark.parametrize("is_resumed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_task_that_a_killed_kernel_has_left_in_no_queue_is_held_or_put_back(
    kernel_killed_at_a_pause, opened, worker, own_ids, tmp_path, journal, is_resumed, monkeypatch
):
    monkeypatch.setattr(launch_thread, "TAKEN_SECONDS", 0.1)
    task_id, lost, waits = kernel_killed_at_a_pause()
    again = opened(task_id, journal=tmp_path / journal)
    assert again.status is SearchStatus.PAUSED
    if is_resumed:
        again.resume()
    again.start()
    if is_resumed:
        wait_for(lambda: set(entries(worker)) == {lost, waits}, "it is not put back")
    else:
        wait_for(lambda: [worker.status(task) for task in (lost, waits)] == ["created"] * 2, "they are not held")
        assert again.counts[TrialState.QUEUED] == 2
        again.resume()
    worker.takes.set()
    assert again.wait(timeout=1.0), again.counts
    assert again.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 5}
    assert sorted(worker.taken) == sorted(own_ids(task_id))


def test_a_task_that_a_killed_kernel_has_left_in_no_queue_is_withdrawn_by_new_ranges(
    kernel_killed_at_a_pause, opened, worker, tmp_path, until, monkeypatch
):
    monkeypatch.setattr(launch_thread, "TAKEN_SECONDS", 0.1)
    task_id, lost, waits = kernel_killed_at_a_pause()
    again = opened(task_id, journal=tmp_path / "journals")
    [number] = [number for number in (0, 1) if again.trial(number).id == lost]
    x = again.trial(1 - number).parameters["x"]
    again.set_range("x", (x - 0.001, x + 0.001))
    again.start()
    until(again, lambda: again.trial(number).state is TrialState.ABORTED)
    assert again.trial(number).error == "taken out of the queue: its point lies outside the new ranges"
    assert worker.status(lost) == "stopped"
    again.resume()
    wait_for(lambda: waits in entries(worker), "the other is not put back")


def test_tasks_that_wait_in_a_queue_or_are_with_an_agent_are_left_alone_when_a_search_is_opened_again(
    new_kernel, opened, worker, new_queue, way, tmp_path, monkeypatch
):
    monkeypatch.setattr(launch_thread, "TAKEN_SECONDS", 0.1)
    worker.takes.clear()
    kernel, task_id, _ = new_kernel(KERNEL.replace("tasks=2", "tasks=5"))
    wait_for(lambda: len(entries(worker)) == 5, "nothing was launched")
    kill(kernel)
    lost, moved, with_agent, with_quick_agent, waits = tasks = entries(worker)
    worker.call("queues.remove_task", queue=worker.queue, task=lost)
    with new_queue() as name:
        [other] = [found["id"] for found in worker.call("queues.get_all", name=name)["queues"]]
        worker.call("tasks.enqueue", queue=other, task=moved)
        for _ in range(2):
            worker.call("queues.get_next_task", queue=worker.queue)
        looks = iter([with_quick_agent, with_agent])

        def one_is_started(data):
            if any("entries" in queue for queue in data["queues"]):
                worker.call("tasks.started", task=next(looks), force=True)
            return data

        way.plan("queues.get_all", one_is_started, times=1000)
        again = opened(task_id, journal=tmp_path / "journals")
        assert again.start()
        wait_for(lambda: entries(worker) == [waits, lost], "it is not put back")
        assert entries(worker, other) == [moved]
        assert [worker.status(task) for task in tasks] == ["queued", "queued", "in_progress", "in_progress", "queued"]
        assert next(looks, None) is None
        assert way.count("tasks.dequeue") == way.count("tasks.enqueue") == 1
        for task in (moved, with_agent, with_quick_agent):
            worker.call("tasks.started", task=task, force=True)
            worker.report(task, 0.5)
            worker.complete(task)
        worker.takes.set()
        assert again.wait(timeout=1.0), again.counts
    assert again.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 5}
    assert worker.taken == [waits, lost]


@pytest.mark.usefixtures("_reports_at_once")
def test_a_search_that_was_taken_over_in_a_pause_leaves_what_it_held(asked, task_search, worker, own):
    worker.takes.clear()
    made = task_search(auto_connect_task=own)
    made.start()
    wait_for(lambda: made.counts[TrialState.QUEUED] == 2 and kept_state(own.id), "nothing is kept", pause=0.02)
    # What has no Task yet is not launched in a pause.
    wait_for(lambda: not any("/" in made.trial(number).id for number in (0, 1)), "no Tasks are made", pause=0.02)
    made.pause()
    held = [made.trial(number).id for number in (0, 1)]
    wait_for(lambda: [worker.status(task) for task in held] == ["created"] * 2, "nothing is held", pause=0.02)
    take_over_from_far(made, own)
    asked.start_over()
    made.stop()
    assert [worker.status(task) for task in held] == ["created"] * 2
    assert asked.counts() == {}


@pytest.mark.slow
def test_of_two_that_opened_a_stopped_search_only_one_runs_it_and_the_other_is_told(
    dead_search, opened, worker, own_ids, tmp_path
):
    task_id, search_id = dead_search()
    first, second = (opened(task_id, journal=tmp_path / name) for name in ("first", "second"))
    first.start()
    wait_for(lambda: kept_state(task_id)["owner"]["pid"] == os.getpid(), "the Task does not say who runs the search")
    refused = f"the search {search_id} is running in process {os.getpid()} on {platform.node()}, .* stop it there first"
    with pytest.raises(JournalInUse, match=refused):
        second.start()
    second.command("start")
    wait_for(lambda: second.errors, "the panel is not told")
    assert re.search(f"^start: {refused}", second.errors[0].sentence)
    assert not second.is_running()
    worker.gate.set()
    assert first.wait(timeout=1.0)
    # What the first one has launched, the second does not know.
    with pytest.raises(JournalError, match="continued elsewhere since it was opened here; open it again"):
        second.start()
    assert len(own_ids(task_id)) == 5
    first.set_total_max_jobs(6)
    finished(first)
    assert len(own_ids(task_id)) == 6


@pytest.mark.parametrize("journal", ["journals", "elsewhere"])
def test_the_owner_on_another_machine_is_gone_when_it_has_been_silent(
    task_search, worker, opened, own, tmp_path, journal
):
    finished(task_search(auto_connect_task=own))

    def keep(heartbeat):
        owner = replace(Owner.here(), host="far", machine="far", heartbeat=heartbeat)
        own.set_configuration_object("hpo_widgets", config_text=json.dumps({**state, "owner": asdict(owner)}))

    state = json.loads(Task.get_task(task_id=own.id).get_configuration_object("hpo_widgets"))
    assert state["owner"] is None
    keep(time.time())
    with pytest.raises(JournalInUse, match="on far, last heard of"):
        opened(own.id, journal=tmp_path / journal)
    keep(time.time() - 2 * SILENCE)
    again = opened(own.id, journal=tmp_path / journal)
    assert again.counts[TrialState.COMPLETED] == 3
    again.set_total_max_jobs(4)
    keep(time.time())
    with pytest.raises(JournalInUse, match="on far, last heard of"):
        again.start()
    keep(time.time() - 2 * SILENCE)
    finished(again)
    assert again.counts[TrialState.COMPLETED] == 4


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_how_long_an_owner_was_silent_is_measured_by_the_clock_of_the_server(
    task_search, worker, opened, own, tmp_path, monkeypatch, ahead
):
    monkeypatch.setattr(server, "_seconds_ahead", lambda date: ahead)
    finished(task_search(auto_connect_task=own))
    kept = OptimizerTask(own, stores_arguments=False, last_run=kept_state(own.id)["run"])
    far = replace(Owner.here(), host="far", machine="far")
    kept.keep({**kept_state(own.id), "owner": asdict(far)})
    assert kept_state(own.id)["owner"]["heartbeat"] == pytest.approx(time.time() + ahead, abs=60)
    with pytest.raises(JournalInUse, match="on far, last heard of"):
        opened(own.id, journal=tmp_path / "elsewhere")
    kept.keep({**kept_state(own.id), "owner": asdict(replace(far, heartbeat=time.time() - 2 * SILENCE))})
    assert opened(own.id, journal=tmp_path / "elsewhere").counts[TrialState.COMPLETED] == 3


@pytest.mark.usefixtures("_reports_at_once")
def test_the_optimizer_task_is_told_again_and_again_who_runs_the_search(task_search, worker, own, until):
    worker.gate.clear()
    made = task_search(auto_connect_task=own)
    made.start()

    def heartbeat():
        kept = kept_state(own.id)
        return kept["owner"]["heartbeat"] if kept else 0.0

    wait_for(heartbeat, "nothing is kept", pause=0.02)
    first = heartbeat()
    wait_for(lambda: heartbeat() > first, "there is no other sign of life", pause=0.02)
    worker.gate.set()
    assert made.wait(timeout=1.0)


def take_over_from_far(made, task):
    """Have a process of another machine take a search over by its optimizer Task, and wait for its end here."""
    far = replace(Owner.here(), host="far", machine="far", pid=7, heartbeat=time.time())
    state = {**kept_state(task.id), "run": "other", "owner": asdict(far)}

    def is_told():
        # Again and again, as it may be written between its request that reads and the one that writes.
        task.set_configuration_object("hpo_widgets", config_text=json.dumps(state))
        return not made.is_running()

    wait_for(is_told, "it goes on", pause=0.05)


def kept_state(task_id):
    """What an optimizer Task keeps of its search; None: nothing yet."""
    kept = Task.get_task(task_id=task_id).get_configuration_object("hpo_widgets")
    return json.loads(kept) if kept else None


@pytest.mark.slow
@pytest.mark.parametrize(
    "resume",
    [
        pytest.param(lambda made: made.resume(), id="method"),
        pytest.param(lambda made: made.command("resume"), id="command"),
    ],
)
def test_a_search_that_is_reopened_paused_is_reported_on_and_owned_once_it_is_resumed(
    dead_paused_search, opened, worker, resume
):
    task_id = dead_paused_search()
    again = opened(task_id, journal="journals")
    assert again.status is SearchStatus.PAUSED
    resume(again)
    wait_for(lambda: kept_state(task_id)["owner"]["pid"] == os.getpid(), "the Task does not say who runs the search")
    assert again.status is SearchStatus.RUNNING
    worker.gate.set()
    assert again.wait(timeout=1.0)
    assert again.counts[TrialState.COMPLETED] == 5
    assert kept_state(task_id)["owner"] is None
    assert Task.get_task(task_id=task_id).status == "completed"


@pytest.mark.slow
def test_a_search_that_is_reopened_paused_stays_so_while_the_server_does_not_answer(
    dead_paused_search, way, opened, worker
):
    task_id = dead_paused_search()
    again = opened(task_id, journal="journals")
    way.down()
    with pytest.raises(UnreachableError):
        again.resume()
    assert again.status is SearchStatus.PAUSED
    way.up()
    again.resume()
    worker.gate.set()
    assert again.wait(timeout=1.0)
    assert again.counts[TrialState.COMPLETED] == 5


def test_the_budget_may_be_raised_and_the_search_goes_on(task_search, opened, worker, own):
    made = finished(task_search(auto_connect_task=own, save_top_k_tasks_only=2))
    again = opened(own.id)
    assert again.start() is False
    again.set_total_max_jobs(5)
    finished(again)
    assert again.id == made.id
    assert again.counts[TrialState.COMPLETED] == 5
    assert sum(trial.archived for trial in again.top(5)) == 3
    assert len(worker.taken) == 5
    own.reload()
    assert own.status == "completed"


def test_the_report_of_a_search_that_is_opened_again_goes_on_behind_what_it_had_shown(task_search, opened, worker, own):
    def budget():
        curve = own.get_reported_scalars().get("remaining budget", {}).get("jobs %", {"x": [], "y": []})
        return list(zip(curve["x"], curve["y"], strict=True))

    finished(task_search(auto_connect_task=own))
    wait_for(budget, "nothing is reported", pause=0.02)
    before = budget()
    again = opened(own.id)
    again.set_total_max_jobs(5)
    finished(again)
    wait_for(lambda: budget() != before, "nothing more is reported", pause=0.02)
    assert budget()[: len(before)] == before


def test_a_search_whose_task_keeps_another_leaves_it_alone_in_another_kernel_too(
    task_search, opened, worker, own, base_task, tmp_path, monkeypatch
):
    first, second = (finished(task_search(auto_connect_task=own)) for _ in range(2))
    kept, status = kept_state(own.id), worker.status(own.id)
    monkeypatch.setattr(optimizer_task, "_SEARCHES", {})  # as a new process has it
    again = opened(second.id, base_task_id=base_task)
    again.set_total_max_jobs(4)
    finished(again)
    assert again.counts[TrialState.COMPLETED] == 4
    assert Task.get_task(task_id=again.trial(3).id).parent == own.id
    assert (kept_state(own.id), worker.status(own.id)) == (kept, status)
    assert opened(own.id, journal=tmp_path / "elsewhere").id == first.id


def test_an_opening_without_the_journal_that_fails_leaves_none_in_which_the_trials_are_missing(
    task_search, opened, worker, own, tmp_path, monkeypatch
):
    def away(*_arguments):
        raise UnreachableError("the server does not answer")

    made = finished(task_search(auto_connect_task=own))
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(TypeError, match="total_max_jobs is kept in the journal and cannot be given to open"):
        opened(own.id, journal=elsewhere, total_max_jobs=4)
    with monkeypatch.context() as patch:
        patch.setattr(TaskTemplate, "recover", away)
        with pytest.raises(UnreachableError):
            opened(own.id, journal=elsewhere)
    assert list(elsewhere.glob("*.sqlite*")) == []
    again = opened(own.id, journal=elsewhere)
    assert again.counts[TrialState.COMPLETED] == 3
    assert again.best_trial.id == made.best_trial.id


@pytest.mark.parametrize("by", ["its Task", "its journal"])
def test_what_was_run_elsewhere_meanwhile_is_there_when_the_first_journal_is_opened_again(
    task_search, opened, worker, own, base_task, tmp_path, by
):
    made = finished(task_search(auto_connect_task=own))
    elsewhere = opened(own.id, journal=tmp_path / "elsewhere")
    elsewhere.set_total_max_jobs(4)
    finished(elsewhere)
    which = {"its Task": (own.id, {"journal": tmp_path / "journals"}), "its journal": (made.journal_path, {})}[by]
    again = opened(which[0], base_task_id=base_task, **which[1])
    assert again.journal_path == made.journal_path
    assert [again.trial(number).id for number in range(4)] == [elsewhere.trial(number).id for number in range(4)]


def test_ranges_that_were_changed_hold_without_the_journal_too(task_search, opened, worker, own, tmp_path):
    made = task_search(auto_connect_task=own)
    made.set_range("x", (0.5, 0.75))
    finished(made)
    again = opened(own.id, journal=tmp_path / "elsewhere")
    assert dict(again.space.ranges) == {"x": (0.5, 0.75)}
    assert len(again.snapshot()) == 3
    assert again.best_trial.value == made.best_trial.value


def test_choices_that_were_added_hold_without_the_journal_too(task_search, opened, worker, own, tmp_path):
    space = [DiscreteParameterRange("x", [0.5]), DiscreteParameterRange("kind", ["plain"])]
    made = finished(task_search(space, auto_connect_task=own, optimizer_class=GridSearch, total_max_jobs=None))
    for name, wrong, said in (
        ("kind", open, "cannot be a choice of 'kind' on ClearML"),
        ("x", "a", "of type float in"),
    ):
        with pytest.raises(ValueError, match=said):
            made.add_choices(name, [wrong])
    made.add_choices("kind", ["resnet"])
    finished(made)
    again = opened(own.id, journal=tmp_path / "elsewhere")
    assert again.space.ranges["kind"] == ("plain", "resnet")
    assert [again.trial(number).parameters["kind"] for number in range(2)] == ["plain", "resnet"]
    assert again.trial(1).value == made.trial(1).value


def test_trials_that_are_left_out_are_so_without_the_journal_too(task_search, opened, worker, own, tmp_path):
    made = finished(task_search(auto_connect_task=own))
    best = made.best_trial.number
    made.leave_out([best, (best + 1) % 3])
    made.take_back((best + 1) % 3)
    made.set_total_max_jobs(4)
    finished(made)
    again = opened(own.id, journal=tmp_path / "elsewhere")
    assert [again.trial(number).state is TrialState.LEFT_OUT for number in range(4)] == [
        number == best for number in range(4)
    ]
    assert again.best_trial.number == made.best_trial.number != best
    again.take_back(best)
    assert again.trial(best).state is TrialState.COMPLETED


@pytest.mark.parametrize("limit", [{"in_minutes": 60}, {}], ids=["another limit", "none"])
def test_a_limit_that_was_set_holds_without_the_journal_too(task_search, opened, worker, own, tmp_path, limit):
    made = task_search(auto_connect_task=own, optimization_time_limit=30, total_max_jobs=1)
    made.set_time_limit(**limit)
    finished(made)
    again = opened(own.id, journal=tmp_path / "elsewhere")
    again.set_total_max_jobs(2)
    finished(again)
    assert again.get_time_limit() == made.get_time_limit()
    assert (again.get_time_limit() is None) is (not limit)


def test_a_limit_is_the_same_moment_in_another_zone_without_the_journal_too(
    task_search, opened, worker, own, tmp_path, berlin, monkeypatch
):
    made = task_search(auto_connect_task=own, total_max_jobs=1)
    made.set_time_limit(in_minutes=60)
    finished(made)
    end = made.get_time_limit().timestamp()
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert opened(own.id, journal=tmp_path / "elsewhere").get_time_limit().timestamp() == end


@pytest.mark.parametrize(
    ("steer", "kept"),
    [
        pytest.param(
            lambda made: made.set_total_max_jobs(9), lambda s: s["settings"]["total_max_jobs"] == 9, id="limit"
        ),
        pytest.param(lambda made: made.set_range("x", (0.25, 0.5)), lambda s: "0.25" in str(s["space"]), id="range"),
        pytest.param(lambda made: made.enqueue_trial({"x": 0.75}), lambda s: s["enqueued"] == [[0.75]], id="point"),
        pytest.param(lambda made: made.pause(), lambda s: s["is_paused"], id="pause"),
    ],
)
def test_what_somebody_changes_is_kept_at_once_and_once(running, own, monkeypatch, steer, kept):
    told = []
    keep = OptimizerTask.keep
    monkeypatch.setattr(OptimizerTask, "keep", lambda self, state: (told.append(state), keep(self, state)))
    # No sign of life and no report comes meanwhile.
    for name in ("KEEP_SECONDS", "_FIRST_SECONDS"):
        monkeypatch.setattr(reporting, name, math.inf)
    looked = threading.Semaphore(0)
    look = reporting.ReportThread._look
    monkeypatch.setattr(reporting, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(reporting.ReportThread, "_look", lambda *given: (look(*given), looked.release()))
    made = running(auto_connect_task=own)
    wait_for(lambda: told, "nothing is kept", pause=0.02)
    steer(made)
    wait_for(lambda: kept(kept_state(own.id)), "the change is not kept", pause=0.02)
    num_told = len(told)
    while looked.acquire(blocking=False):
        pass
    for _ in range(3):
        assert looked.acquire(timeout=60)
    assert len(told) == num_told == 2


@pytest.mark.usefixtures("_reports_at_once")
def test_a_search_that_was_paused_is_so_without_the_journal_too(running, opened, worker, own, tmp_path):
    made = running(auto_connect_task=own, total_max_jobs=2)
    made.pause()
    wait_for(lambda: (kept_state(own.id) or {}).get("is_paused"), "the pause is not kept", pause=0.02)
    paused = kept_state(own.id)
    made.resume()
    worker.gate.set()
    assert made.wait(timeout=1.0)
    # As if its process had died while it was paused.
    state = {**paused, "owner": None, "run": kept_state(own.id)["run"]}
    own.set_configuration_object("hpo_widgets", config_text=json.dumps(state))
    again = opened(own.id, journal=tmp_path / "elsewhere")
    assert again.status is SearchStatus.PAUSED
    assert again.budget.wall_minutes.used == pytest.approx(paused["wall_minutes"])
    again.set_total_max_jobs(3)
    again.resume()
    assert again.wait(timeout=1.0)
    assert again.counts[TrialState.COMPLETED] == 3


@pytest.mark.parametrize("is_old", [False, True], ids=["kept last", "kept before the first launch"])
def test_points_that_wait_are_run_without_the_journal_too(task_search, opened, worker, own, tmp_path, is_old):
    made = task_search(auto_connect_task=own, total_max_jobs=2)
    points = [{"x": x} for x in (0.125, 0.25, 0.375, 0.5)]
    for point in points:
        made.enqueue_trial(point)
    finished(made)
    if is_old:
        waiting = {"enqueued": [list(made.space.encode(point)) for point in points], "num_enqueued_launched": 0}
        own.set_configuration_object("hpo_widgets", config_text=json.dumps({**kept_state(own.id), **waiting}))
    again = opened(own.id, journal=tmp_path / "elsewhere")
    again.set_total_max_jobs(4)
    finished(again)
    assert [again.trial(number).parameters for number in range(4)] == points


def test_points_that_wait_are_kept_after_a_journal_was_written_anew(
    task_search, opened, worker, own, base_task, tmp_path
):
    made = task_search(auto_connect_task=own, total_max_jobs=2)
    for x in (0.125, 0.25):
        made.enqueue_trial({"x": x})
    finished(made)
    again = opened(own.id, journal=tmp_path / "elsewhere")
    for x in (0.375, 0.5):
        again.enqueue_trial({"x": x})
    once_more = opened(again.journal_path, base_task_id=base_task)
    once_more.set_total_max_jobs(4)
    finished(once_more)
    assert [once_more.trial(number).parameters["x"] for number in range(4)] == [0.125, 0.25, 0.375, 0.5]


def test_a_search_without_a_task_of_its_own_goes_on_by_its_journal(running, opened, worker, base_task):
    made = running(total_max_jobs=3)
    made.stop()
    assert made.wait(timeout=1.0)
    worker.gate.set()
    again = opened(made.journal_path, base_task_id=base_task)
    finished(again)
    assert (again.counts[TrialState.ABORTED], again.counts[TrialState.COMPLETED]) == (2, 1)


def test_a_search_that_was_tried_on_a_callable_goes_on_with_a_task(search, opened, worker, base_task, queue, tmp_path):
    def train(x):
        return {"validation/loss": x}

    here = search(
        train,
        objective_metric_title="validation",
        objective_metric_series="loss",
        total_max_jobs=2,
        seed=1,
    )
    here.start()
    assert here.wait()
    there = opened(here.journal_path, base_task_id=base_task, execution_queue=queue, pool_period_min=0.005)
    there.set_total_max_jobs(4)
    finished(there)
    assert there.engine_name == f"ClearML, queue {queue}"
    assert there.counts[TrialState.COMPLETED] == 4
    assert [trial.id in worker.taken for trial in (there.trial(n) for n in range(4))] == [False, False, True, True]
    assert there.best_trial.value == min(trial.value for trial in there.top(4))


def test_a_task_that_is_no_search_says_so(base_task):
    with pytest.raises(ValueError, match="Task 'train' is not the optimizer Task of a search of hpo_widgets"):
        HyperParameterOptimizer.open(base_task)
    with pytest.raises(ValueError, match="there is no Task 0{32} on the ClearML server"):
        HyperParameterOptimizer.open("0" * 32)
    with pytest.raises(JournalNotFound):
        HyperParameterOptimizer.open("nothing")


@pytest.mark.parametrize("text", ["[]", "5", "null", "{}", '{"search": "a"}', "no JSON"])
def test_a_search_that_was_edited_away_in_its_task_is_none_and_is_written_again(task_search, worker, own, text):
    made = task_search(auto_connect_task=own)
    own.set_configuration_object("hpo_widgets", config_text=text, config_type="json")
    with pytest.raises(ValueError, match="Task 'mine' is not the optimizer Task of a search of hpo_widgets"):
        HyperParameterOptimizer.open(own.id)
    finished(made)
    assert kept_state(own.id)["search"] == made.id
