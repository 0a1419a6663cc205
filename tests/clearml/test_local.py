"""Trials as processes of this machine: how they end when their scripts say nothing, and that none stays."""

from __future__ import annotations

import ast
import glob
import os
import subprocess
import sys
import tempfile
import threading

import psutil
import pytest
from clearml.automation.job import LocalClearmlJob

from hpo_widgets import DiscreteParameterRange, LogUniformParameterRange
from hpo_widgets.controller import trial_lifecycle
from hpo_widgets.controller.run import Run
from hpo_widgets.engines.clearml import engine, local_jobs
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.runs import finished, wait_for

ENDLESS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
pathlib.Path({path!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(1000)
"""


@pytest.fixture
def local(task_search, api_client, base_task, tmp_path, monkeypatch):
    """``local(script)`` gives a search of one trial whose template is a Task with that script."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def make(source, **keywords):
        script = {"diff": source, "entry_point": "train.py", "repository": "", "binary": "python"}
        api_client.tasks.edit(task=base_task, script=script, force=True)
        return task_search(**{"total_max_jobs": 1, "max_number_of_concurrent_tasks": 1, **keywords})

    yield make
    assert glob.glob(str(tmp_path / "temporary" / "*")) == []


def test_a_search_that_runs_on_a_queue_refuses_to_start_locally_until_it_is_stopped(local, queue):
    made = local("print(1)", total_max_jobs=2)
    assert made.start()
    wait_for(lambda: made.counts[TrialState.QUEUED] == 1, "nothing was launched")
    refused = rf"the search runs already, with its trials on ClearML, queue {queue}; call stop\(\), and start_locally"
    with pytest.raises(RuntimeError, match=refused):
        made.start_locally()
    made.pause()
    with pytest.raises(RuntimeError, match=refused):
        made.start_locally()
    assert made.engine_name == f"ClearML, queue {queue}"
    made.resume()
    made.stop()
    assert made.start_locally()
    assert made.wait(timeout=1.0)
    assert made.engine_name == "ClearML, this machine"
    # The one that waited in the queue has used up nothing of the budget.
    assert (made.counts[TrialState.ABORTED], made.counts[TrialState.FAILED]) == (1, 2)
    assert made.trial(1).error.startswith("ended without reporting 'validation/loss'")


WAYS_TO_END = {
    "stopped": lambda made, worker: made.stop(),
    "deleted": lambda made, worker: worker.call("tasks.delete", task=made.trial(0).id, force=True),
    "aborted": lambda made, worker: worker.call("tasks.stopped", task=made.trial(0).id, force=True),
    "reset": lambda made, worker: worker.call("tasks.reset", task=made.trial(0).id, force=True),
}


@pytest.fixture
def endless(local, tmp_path):
    """A search whose trial runs without end, and the trial's processes."""
    path = tmp_path / "processes"
    made = local(ENDLESS.format(path=str(path)))
    made.start_locally()
    wait_for(lambda: path.exists() and len(path.read_text().split()) == 2, "it did not begin")
    return made, [psutil.Process(int(pid)) for pid in path.read_text().split()]


@pytest.mark.parametrize("how", WAYS_TO_END)
def test_the_process_and_its_children_end_with_the_trial_and_by_no_interrupt_of_the_kernel(endless, worker, how):
    made, processes = endless
    assert os.getpgid(0) not in {os.getpgid(one.pid) for one in processes}  # Jupyter interrupts the whole group
    assert made.start_locally()  # it runs here already
    # One that was reset before it was seen to run would use up nothing of the budget, and another would follow.
    wait_for(lambda: made.counts.get(TrialState.RUNNING), "it was not seen to run")
    WAYS_TO_END[how](made, worker)
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 1
    assert psutil.wait_procs(processes, timeout=DEADLINE)[1] == []


def test_the_process_ends_with_a_stop_that_the_server_never_hears_of_and_does_not_go_on(way, endless, monkeypatch):
    monkeypatch.setattr(trial_lifecycle, "AGREEMENT_SECONDS", 0.2)
    made, processes = endless
    way.down()
    made.stop()
    assert made.wait(timeout=1.0)
    assert psutil.wait_procs(processes, timeout=DEADLINE)[1] == []
    assert made.counts[TrialState.ABORTED] == 1
    assert made.stop_reason.sentence == "stopped by hand"
    way.up()


def test_whatever_the_server_answers_at_the_close_no_process_and_no_thread_stays_and_people_are_told(
    way, endless, monkeypatch, until
):
    def fail(self):
        raise OSError("the search's thread has come to grief")

    made, processes = endless
    way.plan("tasks.stop_many", lambda data: {**data, "failed": [{}]})
    threads = [one for one in threading.enumerate() if one.name in {"hpo_widgets launcher", "hpo_widgets poller"}]
    monkeypatch.setattr(Run, "step", fail)
    made.set_total_max_jobs(2)  # begins another step
    until(made, lambda: not made.is_running())
    assert psutil.wait_procs(processes, timeout=DEADLINE)[1] == []
    assert [one.name for one in threads if one.is_alive()] == []
    assert any("trials could not be stopped (1): KeyError: 'id'" in notice.sentence for notice in made.errors)


@pytest.mark.parametrize("derived", [False, True])
def test_the_sdks_class_of_local_jobs_may_be_given_too(local, derived):
    made_by = []

    class Noted(LocalClearmlJob):
        def launch(self, queue_name=None):
            made_by.append(os.getpid())
            return super().launch(queue_name)

    made = local("print(1)", execution_queue="no-such-queue")
    made.set_default_job_class(Noted if derived else LocalClearmlJob)
    assert made.engine_name == "ClearML, this machine"
    finished(made)
    assert made.counts[TrialState.FAILED] == 1
    assert len(made_by) == int(derived)


TAKES_ALL_KINDS = """
import argparse, json
from clearml import Task

task = Task.init("{project}", "kinds", reuse_last_task_id=False, auto_connect_frameworks={{"argparse": True}})
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--dropout", type=float, default=None)
parser.add_argument("--layers", type=int, nargs="+", default=[4, 2])
parser.add_argument("--flag", action="store_true")
said = vars(parser.parse_args())
said |= task.connect({{"digits": "8", "shape": (1, 2), "names": ["a", "b"], "nothing": None, "bool": False}}, "More")
task.get_logger().report_scalar("validation", "loss", said["lr"], 0)
print("SAID", repr(said))
print(json.dumps(task.id))
"""
KINDS = {
    "Args/dropout": [None, 0.25],
    "Args/layers": [[8], [4, 2, 1]],
    "Args/flag": [True, False],
    "More/digits": ["1", "2"],
    "More/shape": [(1, 2), (3, 4)],
    "More/names": [["a"], ["b", "c"]],
    "More/nothing": [None, "x"],
    "More/bool": [True, False],
}


@pytest.mark.slow
def test_a_script_gets_each_value_with_its_type_by_argparse_and_by_connect(task_search, script, project):
    base = script(TAKES_ALL_KINDS.format(project=project)).said
    parameters = [DiscreteParameterRange(name, values) for name, values in KINDS.items()]
    made = task_search([LogUniformParameterRange("Args/lr", -6, -4), *parameters], base=base, total_max_jobs=2)
    assert made.start_locally()
    assert made.wait(timeout=2.0)
    assert made.counts[TrialState.COMPLETED] == 2, [trial.error for trial in (made.trial(0), made.trial(1))]
    for number in range(2):
        lines = made.trial(number).get_output()[0].splitlines()
        said = ast.literal_eval(next(line.removeprefix("SAID ") for line in lines if line.startswith("SAID ")))
        given = {name.partition("/")[2]: value for name, value in made.trial(number).parameters.items()}
        assert said == given
        assert {name: type(value) for name, value in said.items()} == {n: type(value) for n, value in given.items()}


def test_a_fork_that_ends_does_not_take_the_processes_of_its_parents_trials_along():
    class Engine:
        _job_process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

        def kill_processes(self):
            local_jobs.kill(self)

    running = Engine()
    engine._ENGINES.add(running)
    try:
        fork = os.fork()
        if not fork:
            try:
                engine._kill_processes()  # as at the end of any process
            finally:
                os._exit(0)
        os.waitpid(fork, 0)
        running._job_process.communicate(b"go on\n", timeout=DEADLINE)
        assert running._job_process.returncode == 0
    finally:
        engine._ENGINES.discard(running)
        running._job_process.kill()


def test_another_process_that_has_got_the_number_of_one_that_ended_is_spared():
    class Job:
        _job_process = subprocess.Popen([sys.executable, "-c", ""])

    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert Job._job_process.wait(DEADLINE) == 0
        Job._job_process.pid = other.pid
        local_jobs.kill(Job)
        other.communicate(b"go on\n", timeout=DEADLINE)
        assert other.returncode == 0
    finally:
        other.kill()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("train.py", "there is no train.py in {folder}: start_locally"),
        ("", "the Task has no script that could run here"),
    ],
)
def test_a_script_that_is_not_on_this_machine_is_told_with_what_to_do(
    task_search, api_client, base_task, tmp_path, monkeypatch, script, sentence
):
    monkeypatch.chdir(tmp_path)
    entry = {"diff": "", "entry_point": script, "working_dir": "", "repository": "", "binary": "python"}
    api_client.tasks.edit(task=base_task, script=entry, force=True)
    made = task_search(total_max_jobs=9)
    made.start_locally()
    assert made.wait(timeout=1.0)
    assert made.stop_reason.code == "launch_failed"
    assert "Error" not in made.stop_reason.sentence
    assert sentence.format(folder=tmp_path) in made.stop_reason.sentence
