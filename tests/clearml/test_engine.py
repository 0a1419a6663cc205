"""What a search on ClearML leaves behind: no thread, no process, no connection that goes on."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.controller.run import Run
from hpo_widgets.engines.clearml.launching import TaskFactory
from hpo_widgets.engines.clearml.poll_thread import PollThread
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.runs import finished, wait_for


def ours():
    """The threads of this package."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("hpo_widgets")}


def names(threads):
    return {thread.name for thread in threads}


def left(threads):
    """The names of those that do not end, though they were told to."""
    for thread in threads:
        thread.join(DEADLINE)
    return names(thread for thread in threads if thread.is_alive())


@pytest.mark.parametrize("ending", ["by itself", "stopped"])
def test_no_thread_outlives_its_run(optimizer, running, worker, project, ending, until):
    before = ours()
    if ending == "by itself":
        finished(optimizer(save_top_k_tasks_only=1))
    else:
        made = running()
        assert {"hpo_widgets launcher", "hpo_widgets poller"} <= names(ours() - before)
        made.stop()
        assert made.wait()
    assert left(ours() - before) == set()


def test_no_thread_stays_where_only_one_of_two_could_be_started(optimizer, worker, monkeypatch):
    before, start = ours(), threading.Thread.start

    def no_poller(thread):
        if thread.name == "hpo_widgets poller":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_poller)
    made = optimizer()
    made.start()
    assert made.wait()
    assert made.stop_reason.code == "error"
    assert left(ours() - before) == set()


def test_a_poller_whose_last_look_is_still_on_its_way_at_the_close_ends_too(optimizer, worker, monkeypatch):
    before, pollers = ours(), []
    real = PollThread.look

    def look(self, followed):
        pollers.append(threading.current_thread())
        real(self, followed)
        if not self._jobs.by_number:
            wait_for(lambda: self._jobs.is_closed, "it was not closed", pause=0.01)

    monkeypatch.setattr(PollThread, "look", look)
    finished(optimizer(total_max_jobs=1))
    assert left({pollers[0], *(ours() - before)}) == set()


def test_the_aborter_lives_while_there_is_something_to_abort_and_no_longer(optimizer, worker, until):
    before = ours()
    worker.gate.clear()
    made = optimizer(time_limit_per_job=0.01, total_max_jobs=None)
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING])
    made.pause()
    # What waits is held.
    until(made, lambda: made.counts[TrialState.ABORTED] == len(made.snapshot()) - made.counts[TrialState.QUEUED] > 0)
    assert left({thread for thread in ours() - before if thread.name == "hpo_widgets aborter"}) == set()
    assert {"hpo_widgets launcher", "hpo_widgets poller"} <= names(ours() - before)


@pytest.mark.parametrize("step", ["prepare", pytest.param("make", marks=pytest.mark.slow), "send"])
def test_a_trial_whose_launch_was_on_its_way_at_the_close_does_not_run(
    optimizer, worker, until, api_client, base_task, monkeypatch, request, step
):
    is_inside, goes_on = threading.Event(), threading.Event()
    request.addfinalizer(goes_on.set)
    whole = getattr(TaskFactory, step)

    def slow(self, *arguments):
        if threading.current_thread().name == "hpo_widgets launcher":
            is_inside.set()
            assert goes_on.wait(60)
        return whole(self, *arguments)

    def fail(self):
        raise OSError("the search's thread has come to grief")

    monkeypatch.setattr(TaskFactory, step, slow)
    worker.takes.clear()  # what is sent is taken back in milliseconds, in which a worker might have taken it
    made = optimizer(total_max_jobs=1)
    made.start()
    assert is_inside.wait(60)
    launcher = next(thread for thread in threading.enumerate() if thread.name == "hpo_widgets launcher")
    monkeypatch.setattr(Run, "step", fail)
    until(made, lambda: not made.is_running())
    goes_on.set()
    launcher.join(60)
    tasks = api_client.tasks.get_all(parent=base_task, only_fields=["status"], search_hidden=True)
    assert [str(task.status.value) for task in tasks] == ([] if step == "prepare" else ["stopped"])
    worker.has_looked.clear()
    worker.takes.set()
    assert worker.has_looked.wait(60)
    assert worker.taken == []
