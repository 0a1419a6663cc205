"""What stops Tasks goes on whatever an answer, a process or a class of the user's own does to it."""

from __future__ import annotations

import subprocess
import sys
import threading

import psutil
import pytest

from hpo_widgets.engines.clearml import abort_thread, local_jobs
from hpo_widgets.engines.clearml.abort_thread import AbortThread
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.launch_thread import LaunchThread
from hpo_widgets.engines.clearml.server import CHANGED_MEANWHILE, INVALID_STATUS, Availability
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.runs import wait_for


class Server:
    """Stops Tasks, at each request as the next of ``plan`` says."""

    def __init__(self, *plan):
        self.plan = list(plan)
        self.stopped = []

    def call(self, action, *, ids, **_body):
        if self.plan:
            raise self.plan.pop(0)
        self.stopped += ids
        return {}

    def tasks(self, ids, _fields):
        assert ids == []
        return []


@pytest.fixture
def jobs():
    made = ActiveJobs(Pace(0.1))
    yield made
    with made.changed:
        made.is_closed = True
        made.changed.notify_all()


@pytest.fixture
def aborts(jobs):
    return lambda server: AbortThread(jobs, server, Availability(jobs.notice))


def stop(jobs, aborts, number):
    job = ActiveJob(number, {}, task=f"task-{number}", launched=0.0, stop_state=TrialState.ABORTED)
    with jobs.changed:
        jobs.add(job)
        aborts.start()


def test_an_answer_that_cannot_be_read_stops_no_later_abort(jobs, aborts, monkeypatch):
    monkeypatch.setattr(abort_thread, "REFUSED_SECONDS", 0.01)
    server = Server(KeyError("id"), KeyError("id"))
    thread = aborts(server)
    stop(jobs, thread, 0)
    wait_for(lambda: server.stopped == ["task-0"], "it is not tried again", pause=0.01)
    stop(jobs, thread, 1)
    wait_for(lambda: server.stopped == ["task-0", "task-1"], "the next is not stopped", pause=0.01)
    [event] = jobs.take_events(0)
    assert event.data == ("ClearML", "trials could not be stopped (1): KeyError: 'id'")


def test_an_abort_for_which_no_thread_can_be_started_is_sent_with_the_next(jobs, aborts, monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    server = Server()
    thread = aborts(server)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            stop(jobs, thread, 0)
    stop(jobs, thread, 1)
    wait_for(lambda: server.stopped == ["task-0", "task-1"], "they are not stopped", pause=0.01)


def test_a_task_that_becomes_a_draft_at_the_moment_of_its_stop_is_stopped(jobs, aborts):
    class Dequeued:
        """Has taken the Task out of its queue while it was asked to stop it, as the launcher may ask at that moment."""

        def __init__(self):
            self.codes = [[400, CHANGED_MEANWHILE], [400, INVALID_STATUS]]
            self.stopped = threading.Event()

        def call(self, action, **body):
            if action == "tasks.stopped":
                assert (body["task"], body["force"]) == ("task-0", True)
                self.stopped.set()
                return {}
            return {"failed": [{"id": "task-0", "error": {"codes": self.codes.pop(0)}}] if self.codes else []}

        def tasks(self, ids, _fields):
            return [{"id": task, "status": "stopped" if self.stopped.is_set() else "created"} for task in ids]

    server = Dequeued()
    stop(jobs, aborts(server), 0)
    assert server.stopped.wait(DEADLINE)


def test_a_process_that_may_not_be_killed_does_not_spare_the_others(monkeypatch):
    class Foreign:
        def kill(self):
            raise psutil.AccessDenied(1)

    class Job:
        _job_process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    monkeypatch.setattr(psutil.Process, "children", lambda _self, recursive: [Foreign()])
    try:
        local_jobs.kill(Job)
        assert Job._job_process.poll() is not None
    finally:
        Job._job_process.kill()
        Job._job_process.communicate()


def test_a_failed_launch_that_cannot_be_taken_back_stops_no_later_one(jobs, aborts):
    class Launcher:
        sent = threading.Event()

        def prepare(self):
            """Nothing to look up."""

        def make(self, job):
            job.task = f"task-{job.number}"

        def send(self, job):
            if job.number == 0:
                raise RuntimeError("no")
            self.sent.set()

    thread = LaunchThread(jobs, Launcher(), Availability(jobs.notice), aborts(Server(KeyError("id"))))
    thread.start()
    with jobs.changed:
        for number in range(2):
            job = ActiveJob(number, {})
            jobs.add(job)
            jobs.have_launched(job)
    assert Launcher.sent.wait(DEADLINE)
    ended = {event.number: event.data for event in jobs.take_events(0) if event.kind == "ended"}
    assert ended[0].error == "it could not be launched: RuntimeError: no"
