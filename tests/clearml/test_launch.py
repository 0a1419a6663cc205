"""How trials are launched: by how few requests, as which Tasks, exactly once whatever gets lost."""

from __future__ import annotations

import threading

import pytest
from clearml import Task
from clearml.automation import ClearmlJob

from hpo_widgets import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.engines.clearml import launch_thread
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.runs import finished, wait_for

MOST_REQUESTS = 8
"""So many requests may launch one trial."""


def test_a_trial_is_launched_by_two_requests(asked, task_search, worker):
    worker.gate.clear()
    made = task_search(pool_period_min=60.0, max_number_of_concurrent_tasks=3)
    asked.start_over()
    assert made.start()
    wait_for(lambda: len(worker.taken) == 3, "they were not launched", pause=0.02)
    # The queue is looked up twice: before the start, so that its lack is told there, and by the launcher, once.
    assert asked.in_order() == ["queues.get_all"] * 2 + ["tasks.clone", "tasks.enqueue"] * 3
    worker.gate.set()


LOCAL = """
import json, sys
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

optimizer = HyperParameterOptimizer(
    "{base_task}", [UniformParameterRange("x", 0, 1)], "validation", "loss", "min",
    max_number_of_concurrent_tasks=1, total_max_jobs=2, pool_period_min=0.005, max_failures=None)
optimizer.start_locally()
optimizer.wait()
print(json.dumps([optimizer.counts[state] for state in optimizer.counts]))
"""


@pytest.mark.slow
def test_a_trial_on_this_machine_is_launched_by_no_more_than_eight(asked, api_client, base_task, script):
    # A script that asks the server nothing: whatever is asked, the search asks.
    api_client.tasks.edit(task=base_task, script={"diff": "print(1)", "entry_point": "train.py"}, force=True)
    said = script(LOCAL.format(base_task=base_task), through=asked.through).said
    assert said == [0, 0, 0, 2, 0, 0, 0]
    endpoints = asked.in_order()
    clones = [place for place, endpoint in enumerate(endpoints) if endpoint == "tasks.clone"]
    started = [place for place, endpoint in enumerate(endpoints) if endpoint == "tasks.started"]
    assert len(clones) == len(started) == 2
    counts = [len(endpoints[first : last + 1]) for first, last in zip(clones, started, strict=True)]
    assert max(counts) <= MOST_REQUESTS, endpoints


def test_the_queue_is_looked_for_before_anything_is_launched(way, task_search, queue):
    made = task_search(execution_queue=queue[:-1])
    missing = (
        f"there is no queue '{queue[:-1]}' on the ClearML server. Did you mean '{queue}'.* create it .* its first agent"
    )
    with pytest.raises(ValueError, match=missing) as raised:
        made.start()
    assert f"`clearml-agent daemon --create-queue --queue {queue[:-1]}`" in str(raised.value)
    assert made.status is SearchStatus.IDLE
    assert way.count("tasks.clone") == 0


@pytest.mark.parametrize("what", ["unanswered", "lost", "cut"])
@pytest.mark.parametrize("endpoint", ["tasks.clone", "tasks.enqueue"])
def test_no_trial_is_launched_twice_when_a_request_or_its_answer_gets_lost(
    way, task_search, worker, api_client, base_task, endpoint, what
):
    made = task_search()
    way.plan(endpoint, what, times=2)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 3
    children = api_client.tasks.get_all(parent=base_task, only_fields=["id", "status"], search_hidden=True)
    assert {child.id for child in children} == set(worker.taken) == {trial.id for trial in made.top(3)}
    assert len(worker.taken) == 3


def test_a_trial_that_an_agent_begins_while_it_is_sent_again_runs_once(way, task_search, worker, base_task):
    class EarlierArrives(threading.Event):
        """Holds a request until that before it has had its effect, and an agent has begun the Task."""

        def wait(self, timeout=None):
            [made] = worker.call("tasks.get_all", parent=base_task, only_fields=["id"], search_hidden=True)["tasks"]
            worker.call("tasks.enqueue", task=made["id"], queue=worker.queue)
            wait_for(lambda: worker.taken, "nobody takes it", pause=0.02)
            return True

    way.plan("tasks.enqueue", "lost")
    way.plan("tasks.enqueue", EarlierArrives())
    made = finished(task_search(total_max_jobs=1))
    assert made.counts[TrialState.COMPLETED] == 1, made.trial(0).error
    assert worker.taken == [made.trial(0).id]


def test_launches_that_the_server_fails_again_and_again_leave_alone_what_runs(way, running, worker, until, monkeypatch):
    monkeypatch.setattr(launch_thread, "RETRY_SECONDS", 0.0001)
    made = running()
    way.plan("tasks.clone", (500, 0, "General data error"), times=12)
    made.set_max_number_of_concurrent_tasks(3)
    until(made, lambda: len(worker.taken) == 3)
    assert (made.status, made.stop_reason) == (SearchStatus.RUNNING, None)
    assert made.counts[TrialState.ABORTED] == made.counts[TrialState.FAILED] == 0
    until(made, lambda: len(made.errors) == 2)
    failing, launches = made.errors
    assert failing.sentence == (
        "no trial can be launched: the ClearML server answered tasks.clone with 500/0: General data error; trial #2 is "
        "tried again for 5 minutes, running trials continue"
    )
    assert launches.sentence == "trials can be launched again"
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.COMPLETED] == 4


@pytest.mark.parametrize("endpoint", ["tasks.clone", "tasks.enqueue"])
@pytest.mark.parametrize("status", [200, 404])
def test_launches_that_a_proxy_answers_with_a_page_of_its_own_are_tried_again(way, task_search, endpoint, status):
    made = task_search()
    way.plan(endpoint, (status, None, "default backend"), times=2)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 3


def test_a_stop_does_not_wait_for_the_next_try_of_a_launch_that_the_server_fails(way, task_search, until, monkeypatch):
    for name in ("RETRY_SECONDS", "LONGEST_WAIT"):
        monkeypatch.setattr(launch_thread, name, 600.0)
    monkeypatch.setattr(launch_thread, "TOLD_TRIES", 1)
    made = task_search(total_max_jobs=1)
    way.plan("tasks.clone", (500, 0, "General data error"))
    assert made.start()
    until(made, lambda: made.errors)  # it waits for its second try now
    monkeypatch.setattr(launch_thread, "RETRY_SECONDS", 0.001)
    made.stop()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 1
    assert way.count("tasks.clone") == 0


def test_a_launch_that_the_server_fails_for_too_long_fails_and_the_next_is_tried(way, task_search, monkeypatch):
    monkeypatch.setattr(launch_thread, "FAILING_SECONDS", 0.0)
    monkeypatch.setattr(launch_thread, "RETRY_SECONDS", 0.001)
    made = task_search()
    way.plan("tasks.clone", (500, 0, "General data error"), times=2)
    finished(made)
    assert (made.counts[TrialState.FAILED], made.counts[TrialState.COMPLETED]) == (1, 2)
    assert "General data error" in made.trial(0).error


def test_launches_that_the_server_refuses_end_the_search_with_its_words(way, task_search):
    made = task_search(total_max_jobs=10)
    way.plan("tasks.enqueue", (400, 701, "Invalid queue id: id=gone"), times=10)
    finished(made)
    assert made.stop_reason.code == "launch_failed"
    assert "Invalid queue id: id=gone" in made.stop_reason.sentence
    assert made.stop_reason.sentence.endswith("its queue was deleted: create it again, then start the search again")
    assert made.status is SearchStatus.FAILED
    # Nobody is left with drafts that nobody sends on their way.
    number = len(made.snapshot())
    tasks = [Task.get_task(task_id=made.trial(trial).id) for trial in range(number)]
    assert [task.status for task in tasks] == ["stopped"] * number
    assert "Invalid queue id: id=gone" in tasks[0].data.status_reason


def test_a_class_of_ones_own_that_cannot_launch_says_so(task_search, worker):
    class Broken(ClearmlJob):
        def launch(self, queue_name=None):
            return False

    made = task_search(total_max_jobs=10)
    made.set_default_job_class(Broken)
    finished(made)
    assert made.stop_reason.code == "launch_failed"
    assert "Broken.launch could not launch Task" in made.stop_reason.sentence
    assert worker.taken == []


def test_a_class_of_ones_own_that_leaves_by_sys_exit_fails_its_trials_and_the_search_ends(task_search, worker):
    class Leaving(ClearmlJob):
        def launch(self, queue_name=None):
            raise SystemExit("enough")

    made = task_search(total_max_jobs=10)
    made.set_default_job_class(Leaving)
    made.start()
    assert made.wait(DEADLINE / 60)
    assert made.stop_reason.code == "launch_failed"
    assert "SystemExit: enough" in made.stop_reason.sentence
    assert worker.taken == []


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["1", "2"], "str"), ([True, False], "bool"), ([None, "x"], None), ([[1, 2], [3]], "list/int"), ([1.5, 2], None)],
    ids=["numbers as text", "booleans", "None", "lists", "numbers"],
)
def test_a_value_of_any_kind_comes_back_as_it_was(task_search, worker, values, kind):
    made = finished(
        task_search(
            [UniformParameterRange("x", 0, 1), DiscreteParameterRange("Args/free", values)],
            total_max_jobs=4,
            max_number_of_concurrent_tasks=4,
        )
    )
    seen = []
    for trial in made.top(4):
        task = Task.get_task(task_id=trial.id)
        value = trial.parameters["Args/free"]
        seen.append(value)
        assert task.get_parameters(cast=True)["Args/free"] == value
        assert type(task.get_parameters(cast=True)["Args/free"]) is type(value)
        if kind is not None:
            assert task.data.hyperparams["Args"]["free"].type == kind
    assert len(seen) == len(worker.taken) == 4


def test_two_searches_over_one_template_keep_their_trials_apart(task_search, worker):
    first, second = task_search(seed=1), task_search(seed=2)
    first.start()
    second.start()
    assert first.wait(timeout=1.0)
    assert second.wait(timeout=1.0)
    ids = [{made.trial(number).id for number in range(3)} for made in (first, second)]
    assert ids[0] & ids[1] == set()
    assert ids[0] | ids[1] == set(worker.taken)


@pytest.mark.parametrize("name", ["{}/trials/", "{} / trials"])
def test_a_project_is_found_again_by_a_name_that_the_server_keeps_otherwise(task_search, worker, project, name):
    made = [finished(task_search(spawn_project=name.format(project), total_max_jobs=1)) for _ in range(2)]
    tasks = [Task.get_task(task_id=search.trial(0).id) for search in made]
    assert [task.get_project_name() for task in tasks] == [f"{project}/trials"] * 2


def test_a_project_that_another_search_has_made_at_the_same_moment_is_taken(
    way, task_search, worker, api_client, project
):
    api_client.projects.create(name=f"{project}/trials")
    way.plan("projects.get_all", (200, 0, "OK"))  # it was not there yet
    made = finished(task_search(spawn_project=f"{project}/trials", total_max_jobs=1))
    assert made.counts[TrialState.COMPLETED] == 1
    assert way.count("projects.create") == 1
