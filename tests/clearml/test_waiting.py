"""What waits in a queue follows a person who steers: a pause holds it, and new ranges take it back."""

from __future__ import annotations

import threading

import pytest
from clearml import Task

from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer
from hpo_widgets.engines.clearml import abort_thread, launch_thread, poll_thread
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.server import Availability, RequestFailedError
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.conftest import DEADLINE
from tests.runs import wait_for

WITHDRAWN = "taken out of the queue: its point lies outside the new ranges"


class Hold(threading.Event):
    """Holds a request that is planned on the way to the server until it is set, and tells that there is one."""

    def __init__(self):
        super().__init__()
        self.holds = threading.Event()

    def wait(self, timeout=None):
        self.holds.set()
        return super().wait(timeout)


class Queue:
    """The queue of a test, whose worker takes nothing until it is told to."""

    def __init__(self, worker):
        self.worker = worker
        worker.takes.clear()

    def entries(self):
        """The Tasks that wait in it, next first."""
        found = self.worker.call("queues.get_by_id", queue=self.worker.queue)["queue"]
        return [entry["task"] for entry in found.get("entries") or ()]

    def hand_out(self):
        """Give the next Task to an agent, which has not said so yet."""
        return self.worker.call("queues.get_next_task", queue=self.worker.queue)["entry"]["task"]

    def statuses(self, tasks):
        return [self.worker.status(task) for task in tasks]

    def wait_for(self, tasks, status):
        wait_for(lambda: set(self.statuses(tasks)) <= {status}, f"not {status}: {self.statuses(tasks)}", pause=0.02)

    def run(self, task):
        """Have a Task run to its end, as an agent does."""
        self.worker.call("tasks.started", task=task, force=True)
        self.worker.report(task, 0.5)
        self.worker.complete(task)


@pytest.fixture
def in_queue(worker):
    return Queue(worker)


@pytest.fixture
def waiting(task_search, in_queue, until):
    """``waiting(number, ...)`` gives a search whose trials wait in the queue, and their Tasks."""

    def make(number=2, *arguments, **keywords):
        most = {"max_number_of_concurrent_tasks": number, "total_max_jobs": number}
        made = task_search(*arguments, **{**most, **keywords})
        assert made.start()
        wait_for(lambda: len(in_queue.entries()) == number, "they were not launched", pause=0.02)
        tasks = in_queue.entries()
        until(made, lambda: len(made.snapshot()) == number and tasks_of(made, number) == tasks)
        return made, tasks

    return make


@pytest.fixture
def paused(waiting, in_queue):
    """``paused(number, ...)`` gives a search that is paused, and the Tasks that waited in the queue."""

    def make(*arguments, **keywords):
        made, tasks = waiting(*arguments, **keywords)
        made.pause()
        in_queue.wait_for(tasks, "created")
        return made, tasks

    return make


@pytest.fixture
def own_ids(api_client, base_task):
    """The ids of all Tasks that the searches of the test have made."""
    return lambda: {
        task.id for task in api_client.tasks.get_all(parent=base_task, only_fields=["id"], search_hidden=True)
    }


def tasks_of(made, number):
    return [made.trial(trial).id for trial in range(number)]


def ends_well(made, worker):
    """Have the agents take what there is, until the search has ended."""
    worker.takes.set()
    assert made.wait(timeout=1.0), f"{made.counts} {made.errors}"


# A pause ------------------------------------------------------------------------------------------


def test_a_pause_takes_waiting_tasks_out_of_the_queue_and_they_are_put_back_in_their_order(
    paused, in_queue, worker, own_ids
):
    made, tasks = paused(3)
    assert in_queue.entries() == []
    assert made.status is SearchStatus.PAUSED
    assert made.counts[TrialState.QUEUED] == 3
    made.resume()
    wait_for(lambda: in_queue.entries() == tasks, "they were not put back", pause=0.02)
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == 3
    assert worker.taken == tasks_of(made, 3) == tasks
    assert own_ids() == set(tasks)


def test_a_pause_does_not_wait_for_the_next_try_of_a_launch_that_the_server_fails(
    way, waiting, in_queue, until, monkeypatch
):
    for name in ("RETRY_SECONDS", "LONGEST_WAIT"):
        monkeypatch.setattr(launch_thread, name, 600.0)
    monkeypatch.setattr(launch_thread, "TOLD_TRIES", 1)
    made, tasks = waiting(2, total_max_jobs=3)
    way.plan("tasks.clone", (500, 0, "General data error"))
    made.set_max_number_of_concurrent_tasks(3)
    until(made, lambda: made.errors)  # it waits for its second try now
    made.pause()
    in_queue.wait_for(tasks, "created")
    monkeypatch.setattr(launch_thread, "RETRY_SECONDS", 0.001)
    made.stop()
    assert made.wait(timeout=1.0)


def test_what_the_server_has_failed_to_enqueue_is_not_sent_again_during_a_pause_that_came_meanwhile():
    class Factory:
        """Fails to send a Task, during which the search is paused."""

        is_local = False
        num_sent = 0
        is_sent = threading.Event()

        def prepare(self):
            """Nothing to look up."""

        def make(self, job):
            job.task = "task"

        def is_draft(self, _task):
            return True

        def send(self, _job):
            self.num_sent += 1
            if self.num_sent == 1:
                with jobs.changed:
                    jobs.is_paused = True
                raise RequestFailedError("tasks.enqueue", 500, 0, "General data error")
            self.is_sent.set()

    jobs, factory = ActiveJobs(Pace(0.1)), Factory()
    launcher = launch_thread.LaunchThread(jobs, factory, Availability(jobs.notice), None)
    launcher.start()
    job = ActiveJob(0, {})
    with jobs.changed:
        jobs.add(job)
        jobs.have_launched(job)
        assert jobs.changed.wait_for(lambda: job.is_held, DEADLINE)
        assert factory.num_sent == 1
        jobs.is_paused = False
        jobs.changed.notify_all()
    assert factory.is_sent.wait(DEADLINE)
    with jobs.changed:
        jobs.is_closed = True
        jobs.changed.notify_all()
    launcher.join(DEADLINE)
    assert not launcher.is_alive()


def test_trials_that_run_go_on_during_a_pause(waiting, in_queue, worker, until):
    made, (first, second) = waiting()
    in_queue.hand_out()
    worker.call("tasks.started", task=first, force=True)
    until(made, lambda: made.counts[TrialState.RUNNING] == 1)
    made.pause()
    in_queue.wait_for([second], "created")
    in_queue.run(first)
    until(made, lambda: made.counts[TrialState.COMPLETED] == 1)
    assert in_queue.statuses([second]) == ["created"]
    made.resume()
    ends_well(made, worker)
    assert worker.taken == [second]


@pytest.mark.parametrize("moment", ["before it is looked at", "before its entry is removed"])
def test_a_task_that_an_agent_takes_at_the_moment_of_a_pause_runs(way, waiting, in_queue, worker, until, moment):
    made, (first, second) = waiting()
    goes_on = Hold()
    way.plan("queues.remove_task", goes_on)
    if moment == "before it is looked at":
        in_queue.hand_out()
        made.pause()
    else:
        made.pause()
        assert goes_on.holds.wait(DEADLINE)
        in_queue.hand_out()
    goes_on.set()
    in_queue.wait_for([second], "created")
    assert in_queue.statuses([first]) == ["queued"]  # the agent has yet to say that it has it
    in_queue.run(first)
    until(made, lambda: made.counts[TrialState.COMPLETED] == 1)
    made.resume()
    ends_well(made, worker)
    assert worker.taken == [second]
    assert made.counts[TrialState.COMPLETED] == 2


LOST = [(endpoint, what) for endpoint in ("queues.remove_task", "tasks.dequeue") for what in ("lost", "unanswered")]


@pytest.mark.parametrize(("endpoint", "what"), LOST)
def test_no_trial_is_lost_when_a_request_of_a_pause_or_its_answer_gets_lost(
    way, waiting, in_queue, worker, own_ids, endpoint, what
):
    made, tasks = waiting()
    way.plan(endpoint, what, times=2)
    made.pause()
    in_queue.wait_for(tasks, "created")
    assert made.counts[TrialState.QUEUED] == 2
    made.resume()
    ends_well(made, worker)
    assert sorted(worker.taken) == sorted(tasks)
    assert own_ids() == set(tasks)
    assert made.counts[TrialState.COMPLETED] == 2


@pytest.mark.parametrize("what", ["lost", "unanswered"])
def test_no_trial_runs_twice_when_it_is_put_back_and_the_answer_gets_lost(way, paused, worker, own_ids, what):
    made, tasks = paused()
    way.plan("tasks.enqueue", what, times=2)
    made.resume()
    ends_well(made, worker)
    assert sorted(worker.taken) == sorted(tasks)
    assert own_ids() == set(tasks)


def test_a_pause_while_the_server_is_away_holds_what_waits_once_it_is_back(way, waiting, in_queue, worker):
    made, tasks = waiting()
    way.down()
    made.pause()
    way.up()
    in_queue.wait_for(tasks, "created")
    made.resume()
    ends_well(made, worker)
    assert worker.taken == tasks


def test_a_pause_that_may_not_take_out_what_waits_tells_so_and_it_runs(way, waiting, in_queue, worker, until):
    made, tasks = waiting()
    way.plan("queues.remove_task", (403, 1, "Forbidden"), times=100)
    made.pause()
    until(made, lambda: made.errors)
    assert made.errors[0].sentence.startswith("waiting trials could not be taken out of the queue (2): ")
    assert in_queue.entries() == tasks
    worker.takes.set()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 2)


def test_a_launch_that_is_under_way_at_a_pause_ends_held_and_no_further_one_begins(
    way, task_search, in_queue, worker, own_ids
):
    goes_on = Hold()
    way.plan("tasks.enqueue", goes_on)
    made = task_search(max_number_of_concurrent_tasks=3)
    assert made.start()
    assert goes_on.holds.wait(DEADLINE)
    made.pause()
    goes_on.set()
    wait_for(lambda: way.count("tasks.dequeue"), "it is not taken out", pause=0.02)
    [task] = own_ids()
    in_queue.wait_for([task], "created")
    made.resume()
    ends_well(made, worker)
    assert worker.taken[0] == task
    assert len(worker.taken) == 3


def test_a_stop_during_a_pause_ends_what_is_held(paused, in_queue):
    made, tasks = paused()
    made.stop()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 2
    assert in_queue.statuses(tasks) == ["stopped"] * 2


def test_a_stop_right_after_a_pause_ends_what_waits(way, waiting, in_queue):
    made, tasks = waiting()
    goes_on = Hold()
    way.plan("tasks.dequeue", goes_on)
    made.pause()
    assert goes_on.holds.wait(DEADLINE)
    made.stop()
    goes_on.set()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 2
    in_queue.wait_for(tasks, "stopped")


def test_a_stop_that_the_server_fails_is_sent_again_to_what_a_pause_takes_out_meanwhile(
    way, waiting, in_queue, monkeypatch
):
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(abort_thread, "REFUSED_SECONDS", 1.0)
    made, [task] = waiting(1)
    goes_on = Hold()
    way.plan("tasks.dequeue", goes_on)
    way.plan("tasks.stop_many", (500, 0, "General error"))
    made.pause()
    assert goes_on.holds.wait(DEADLINE)
    made.stop()
    goes_on.set()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 1
    assert in_queue.statuses([task]) == ["stopped"]


def test_no_more_go_back_into_the_queue_than_a_person_has_allowed_meanwhile(paused, in_queue, worker, until):
    made, tasks = paused(3)
    made.set_max_number_of_concurrent_tasks(1)
    made.resume()
    for place, task in enumerate(tasks):
        wait_for(lambda task=task: in_queue.entries() == [task], "it was not put back", pause=0.02)
        in_queue.hand_out()
        in_queue.run(task)
        until(made, lambda place=place: made.counts[TrialState.COMPLETED] == place + 1)
    assert made.wait(timeout=1.0)


def test_a_held_task_that_is_deleted_ends_its_trial_at_once(paused, worker, until):
    made, tasks = paused()
    worker.call("tasks.delete", task=tasks[0], force=True)
    until(made, lambda: made.trial(0).state is TrialState.ABORTED)
    assert made.trial(0).error == "its Task was deleted on the server"
    assert made.status is SearchStatus.PAUSED


def test_a_held_task_that_somebody_starts_is_followed(paused, in_queue, worker, until):
    made, tasks = paused()
    in_queue.run(tasks[0])
    until(made, lambda: made.counts[TrialState.COMPLETED] == 1)
    made.resume()
    ends_well(made, worker)
    assert worker.taken == tasks[1:]


def test_a_held_task_that_somebody_has_started_unseen_is_not_sent_again(paused, in_queue, worker):
    made, tasks = paused(pool_period_min=60.0)
    worker.call("tasks.started", task=tasks[0], force=True)
    made.resume()
    in_queue.wait_for(tasks[1:], "queued")
    assert in_queue.statuses(tasks[:1]) == ["in_progress"]
    assert made.counts[TrialState.FAILED] == 0


def test_a_held_task_that_somebody_enqueues_is_taken_out_again(paused, in_queue, worker):
    made, tasks = paused()
    worker.call("tasks.enqueue", task=tasks[0], queue=worker.queue)
    in_queue.wait_for(tasks, "created")
    assert in_queue.entries() == []
    made.resume()
    ends_well(made, worker)
    assert sorted(worker.taken) == sorted(tasks)


def test_a_time_limit_ends_a_search_that_is_paused_with_what_is_held(paused, in_queue):
    made, tasks = paused()
    made.set_time_limit(0.0001)
    assert made.wait(timeout=1.0)
    assert made.stop_reason.code == "optimization_time_limit"
    assert in_queue.statuses(tasks) == ["stopped"] * 2


@pytest.mark.slow
def test_an_agent_runs_each_trial_once_however_often_a_person_pauses(
    task_search, template, queue, new_agent, api_client
):
    def statuses():
        found = api_client.tasks.get_all(parent=template, only_fields=["id", "status"], search_hidden=True)
        return [str(task.status) for task in found if task.id not in before]

    before = {task.id for task in api_client.tasks.get_all(parent=template, only_fields=["id"], search_hidden=True)}
    made = task_search(base=template, max_number_of_concurrent_tasks=3, total_max_jobs=4)
    with new_agent(queue) as agent:
        assert made.start()
        while statuses().count("completed") < 3:
            wait_for(lambda: {"queued"} <= set(statuses()) or statuses().count("completed") >= 3, "nothing waits")
            made.pause()
            wait_for(lambda: "queued" not in statuses(), f"it is not taken out: {agent.log}")
            made.resume()
        assert made.wait(timeout=DEADLINE / 60), f"{made.counts} {agent.log}"
    assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 4}
    assert statuses() == ["completed"] * 4
    for trial in made.top(4):
        assert len(trial.get_reported_scalars()["validation"]["loss"]["y"]) == 3


# New ranges ---------------------------------------------------------------------------------------


def x_of(made, number):
    return made.trial(number).parameters["x"]


def around(value):
    """A range that has one value of a continuous parameter and hardly more."""
    return value - 0.001, value + 0.001


def test_new_ranges_withdraw_what_waits_outside_of_them_without_using_up_the_budget(waiting, in_queue, worker, until):
    made, tasks = waiting()
    low, high = around(x_of(made, 1))
    made.set_range("x", (low, high))
    until(made, lambda: len(made.snapshot()) == 3)
    trial = made.trial(0)
    assert (trial.state, trial.error) == (TrialState.ABORTED, WITHDRAWN)
    assert in_queue.statuses(tasks) == ["stopped", "queued"]
    assert Task.get_task(task_id=tasks[0]).data.status_reason == f"User aborted: {WITHDRAWN}"
    assert low <= x_of(made, 2) <= high
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == made.budget.jobs.used == 2
    assert made.stop_reason.sentence == "all 2 trials of the budget were used"
    assert worker.taken == [tasks[1], made.trial(2).id]


def test_points_that_a_person_has_enqueued_are_not_withdrawn(waiting, in_queue, worker):
    made, tasks = waiting()
    made.pause()
    in_queue.wait_for(tasks, "created")
    made.stop()
    assert made.wait(timeout=1.0)
    made.enqueue_trial({"x": 0.9})
    assert made.start()
    wait_for(lambda: len(in_queue.entries()) == 2, "they were not launched", pause=0.02)
    made.set_range("x", (0.0, 0.1))
    ends_well(made, worker)
    assert 0.9 in {x_of(made, trial.number) for trial in made.top(9) if trial.state is TrialState.COMPLETED}


def test_a_prior_takes_nothing_back(waiting, in_queue, worker):
    made, tasks = waiting()
    made.set_prior("x", [0.0] * 9 + [1.0])
    ends_well(made, worker)
    assert worker.taken == tasks


def test_a_task_that_an_agent_takes_at_the_moment_of_new_ranges_runs(way, waiting, in_queue, worker):
    made, tasks = waiting()
    goes_on = Hold()
    way.plan("queues.remove_task", goes_on)
    made.set_range("x", around(x_of(made, 1)))
    assert goes_on.holds.wait(DEADLINE)
    assert in_queue.hand_out() == tasks[0]
    goes_on.set()
    in_queue.run(tasks[0])
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == len(made.snapshot()) == 2


def test_a_trial_that_is_being_launched_is_withdrawn_when_it_waits(way, task_search, in_queue, worker, until):
    goes_on = Hold()
    way.plan("tasks.enqueue", goes_on)
    made = task_search(max_number_of_concurrent_tasks=1, total_max_jobs=1)
    assert made.start()
    assert goes_on.holds.wait(DEADLINE)
    made.set_range("x", around(0.9))
    goes_on.set()
    until(made, lambda: len(made.snapshot()) == 2)
    assert made.trial(0).error == WITHDRAWN
    ends_well(made, worker)
    assert worker.taken == [made.trial(1).id]


@pytest.mark.parametrize("what", ["lost", "unanswered"])
@pytest.mark.parametrize("endpoint", ["queues.remove_task", "tasks.stop_many"])
def test_a_trial_is_withdrawn_though_a_request_or_its_answer_gets_lost(way, waiting, worker, until, endpoint, what):
    made, _ = waiting()
    way.plan(endpoint, what, times=2)
    made.set_range("x", around(x_of(made, 1)))
    until(made, lambda: made.trial(0).state.has_ended)
    assert made.trial(0).error == WITHDRAWN
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == 2


def test_new_ranges_in_a_pause_end_what_is_held_outside_of_them(paused, in_queue, worker, until):
    made, tasks = paused()
    made.set_range("x", around(x_of(made, 1)))
    until(made, lambda: made.trial(0).state.has_ended)
    assert made.trial(0).error == WITHDRAWN
    assert in_queue.statuses(tasks) == ["stopped", "created"]
    made.resume()
    ends_well(made, worker)
    assert worker.taken == [tasks[1], made.trial(2).id]


def test_a_point_of_a_grid_that_was_withdrawn_is_proposed_again_when_ranges_are_widened(
    waiting, in_queue, worker, until
):
    grid = {"optimizer_class": GridSearch, "total_max_jobs": None}
    made, _ = waiting(2, [DiscreteParameterRange("x", [1, 2, 3, 4])], **grid)
    made.set_range("x", (3, 4))
    until(made, lambda: made.counts[TrialState.ABORTED] == 2 and len(made.snapshot()) == 4)
    made.set_range("x", (1, 2, 3, 4))
    ends_well(made, worker)
    assert made.stop_reason.sentence == "every point of the space was tried (4 trials)"
    assert sorted(x_of(made, trial.number) for trial in made.top(9)) == [1, 2, 3, 4]


# The budget ---------------------------------------------------------------------------------------


def test_a_trial_that_never_ran_does_not_use_up_the_budget_here_and_in_every_other_place(
    waiting, in_queue, worker, until, base_task, queue
):
    made, tasks = waiting(2, total_max_jobs=3)
    in_queue.hand_out()
    in_queue.run(tasks[0])
    until(made, lambda: len(made.snapshot()) == 3)
    worker.call("tasks.stop", task=tasks[1])
    until(made, lambda: made.counts[TrialState.ABORTED] == 1)
    assert made.budget.jobs.used == 1
    made.stop()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.COMPLETED] == made.budget.jobs.used == 1
    with SearchViewer(made.journal_path) as viewer:
        assert viewer.budget.jobs.used == 1
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=base_task)
    assert again.budget.jobs.used == 1
    again.start()
    ends_well(again, worker)
    assert again.counts[TrialState.COMPLETED] == again.budget.jobs.used == 3
    assert again.stop_reason.code == "total_max_jobs"


def test_a_waiting_trial_that_a_person_stops_leaves_the_queue_and_another_one_takes_its_place(
    waiting, in_queue, worker, until
):
    made, tasks = waiting()
    made.stop_trial(1)
    until(made, lambda: made.counts[TrialState.ABORTED] == 1 and len(made.snapshot()) == 3)
    assert tasks[1] not in in_queue.entries()
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == made.budget.jobs.used == 2


def test_a_trial_that_was_stopped_while_it_ran_uses_up_the_budget(running, worker):
    made = running(total_max_jobs=2)
    for task in worker.taken:
        worker.call("tasks.stop", task=task)
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == made.budget.jobs.used == 2


@pytest.mark.parametrize("place", ["here", "from its journal"])
def test_a_grid_that_was_stopped_goes_on_with_the_points_that_waited(waiting, in_queue, worker, base_task, place):
    grid = {"optimizer_class": GridSearch, "total_max_jobs": None}
    made, _ = waiting(2, [DiscreteParameterRange("x", [1, 2, 3])], **grid)
    made.stop()
    assert made.wait(timeout=1.0)
    again = made
    if place == "from its journal":
        again = HyperParameterOptimizer.open(made.journal_path, base_task_id=base_task)
    again.start()
    ends_well(again, worker)
    assert sorted(x_of(again, trial.number) for trial in again.top(9)) == [1, 2, 3]
    assert again.stop_reason.code == "space_exhausted"


# Somebody who stops what waits --------------------------------------------------------------------


def stop_waiting(made, in_queue, number):
    """Stop so many Tasks that wait, one after another, as a person does at the server."""
    for _ in range(number):
        wait_for(lambda: in_queue.entries() or not made.is_running(), "nothing was launched", pause=0.02)
        [task, *_] = in_queue.entries()
        in_queue.worker.call("tasks.stop", task=task, status_reason="cleared")


def test_a_search_whose_waiting_tasks_are_stopped_again_and_again_ends_with_what_runs_and_says_so(
    waiting, in_queue, worker, until
):
    made, tasks = waiting(3, max_failures=2)
    in_queue.hand_out()
    worker.call("tasks.started", task=tasks[0], force=True)
    until(made, lambda: made.counts[TrialState.RUNNING] == 1)
    stop_waiting(made, in_queue, 5)
    until(made, lambda: made.errors)
    told = (
        "5 trials in a row were stopped at the server before they ran; see there who stops them, then continue; the "
        "last: its Task was stopped: cleared"
    )
    [notice] = made.errors
    assert notice.sentence.startswith(told)
    assert notice.sentence.endswith("; no further one is launched; the search ends after those that are left")
    until(made, lambda: made.counts[TrialState.ABORTED] == 5)
    last = in_queue.entries()
    assert len(last) == 1  # of those that may be there at once, one runs and another is not replaced any more
    for task in (tasks[0], *last):
        worker.call("tasks.started", task=task, force=True)
        in_queue.worker.report(task, 0.5)
        worker.complete(task)
    assert made.wait(timeout=1.0), made.counts
    assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.ABORTED: 5, TrialState.COMPLETED: 2}
    assert made.budget.jobs.used == 2
    assert (made.status, made.stop_reason.code) == (SearchStatus.FAILED, "max_failures")
    assert made.stop_reason.sentence.startswith(told)
    assert made.start()
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == 3


def test_a_queue_that_is_emptied_once_does_not_end_a_search(waiting, in_queue, worker):
    made, _ = waiting(3, max_failures=1)
    stop_waiting(made, in_queue, 3)
    ends_well(made, worker)
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.errors == []


def test_trials_that_new_ranges_withdraw_are_not_stopped_by_somebody_else(waiting, in_queue, worker, until):
    made, _ = waiting(1, max_failures=1)
    for number, value in enumerate((0.2, 0.4, 0.6)):
        made.set_range("x", around(value))
        until(made, lambda number=number: made.counts[TrialState.ABORTED] == number + 1)
    wait_for(lambda: len(in_queue.entries()) == 1, "no other is launched", pause=0.02)
    ends_well(made, worker)
    assert made.errors == []
