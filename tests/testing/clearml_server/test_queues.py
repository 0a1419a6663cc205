"""Queues, what waits in them, and the workers that serve them."""

from __future__ import annotations

import pytest


@pytest.fixture
def queue(api):
    return api("queues.create", name="lab")["id"]


def waiting(api, queue):
    return [entry["task"] for entry in api("queues.get_by_id", queue=queue)["queue"]["entries"]]


class TestEntries:
    def test_tasks_are_handed_out_in_their_order_and_stay_queued(self, api, queue):
        first, second = api.task(), api.task()
        for task in (first, second):
            api("tasks.enqueue", task=task, queue=queue)
        assert [api("queues.get_next_task", queue=queue)["entry"]["task"] for _ in range(2)] == [first, second]
        assert api("queues.get_next_task", queue=queue) == {}
        assert api.read(first)["status"] == "queued"

    def test_a_task_goes_to_another_queue(self, api, queue):
        other = api("queues.create", name="other")["id"]
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        api("tasks.enqueue", task=task, queue=other)
        assert (waiting(api, queue), waiting(api, other)) == ([], [task])
        api("tasks.dequeue", task=task)
        assert api.read(task)["status"] == "created"

    def test_a_queue_may_be_named_or_left_out(self, api, queue):
        named, fresh, default = api.task(), api.task(), api.task()
        api("tasks.enqueue", task=named, queue_name="lab")
        assert waiting(api, queue) == [named]
        api("tasks.enqueue", task=fresh, queue_name="made for it")
        api("tasks.enqueue", task=default)
        (found,) = api("queues.get_all", name="^default$")["queues"]
        assert waiting(api, found["id"]) == [default]
        (made,) = api("queues.get_all", name="^made for it$")["queues"]
        assert [entry["task"] for entry in made["entries"]] == [fresh]

    def test_whether_anybody_serves_the_queue_is_told_if_asked(self, api, queue):
        assert "queue_watched" not in api("tasks.enqueue", task=api.task(), queue=queue)
        assert not api("tasks.enqueue", task=api.task(), queue=queue, verify_watched_queue=True)["queue_watched"]
        api("workers.register", worker="w:0", queues=[queue])
        assert api("tasks.enqueue", task=api.task(), queue=queue, verify_watched_queue=True)["queue_watched"]

    def test_a_queued_task_is_no_longer_in_development(self, api, queue):
        task = api.task(system_tags=["development", "kept"])
        api("tasks.enqueue", task=task, queue=queue)
        assert api.read(task)["system_tags"] == ["kept"]

    @pytest.mark.parametrize("way", [(), ("started", "stopped"), ("started", "failed")])
    def test_a_task_that_waits_no_more_has_the_status_that_it_had(self, api, queue, way):
        task = api.task()
        for operation in way:
            api(f"tasks.{operation}", task=task)
        before = api.read(task)["status"]
        api("tasks.enqueue", task=task, queue=queue)
        api("tasks.dequeue", task=task)
        assert api.read(task)["status"] == before
        assert waiting(api, queue) == []

    def test_an_agent_takes_a_task_out_into_a_run_that_has_not_started(self, api, queue):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        api("tasks.dequeue", task=task, new_status="in_progress")
        found = api.read(task)
        assert found["status"] == "in_progress"
        assert "started" not in found

    def test_an_entry_is_taken_out_once_and_its_task_stays_queued(self, api, queue):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        assert api("queues.remove_task", queue=queue, task=task) == {"removed": 1}
        assert (waiting(api, queue), api.read(task)["status"]) == ([], "queued")
        code, subcode, message = api.error("queues.remove_task", queue=queue, task=task)
        assert (code, subcode) == (400, 703)
        assert message.startswith(f"Invalid queue id or task not in queue: task={task}, id={queue}, company=")
        api("tasks.dequeue", task=task)
        assert api.read(task)["status"] == "created"

    @pytest.mark.parametrize("operation", ["started", "stopped", "completed"])
    def test_a_status_alone_leaves_the_entry(self, api, queue, operation):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        api(f"tasks.{operation}", task=task, force=True)
        assert api("queues.get_next_task", queue=queue)["entry"]["task"] == task

    @pytest.mark.parametrize("operation", ["stop", "reset", "delete", "archive", "dequeue"])
    def test_what_ends_the_wait_removes_the_entry(self, api, queue, operation):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        target = {"tasks": [task]} if operation == "archive" else {"task": task, "force": True}
        api(f"tasks.{operation}", **target)
        assert waiting(api, queue) == []

    def test_a_task_that_started_while_it_waited_leaves_its_entry_behind(self, api, queue):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        api("tasks.started", task=task)
        api("tasks.dequeue", task=task)
        assert waiting(api, queue) == [task]


class TestQueues:
    def test_names_are_unanchored_expressions(self, api, queue):
        api("queues.create", name="labour")
        assert [one["name"] for one in api("queues.get_all", name="lab")["queues"]] == ["lab", "labour"]
        assert api("queues.get_all", name="^lab$", only_fields=["name"])["queues"] == [{"name": "lab"}]
        assert api("queues.get_all", id=[queue], only_fields=["id"])["queues"] == [{"id": queue}]

    def test_a_deleted_queue_lets_its_tasks_go(self, api, queue):
        task = api.task()
        api("tasks.enqueue", task=task, queue=queue)
        assert api.error("queues.delete", queue=queue)[:2] == (400, 702)
        api("queues.delete", queue=queue, force=True)
        found = api.read(task)
        assert (found["status"], found["status_reason"]) == ("created", f"Queue {queue} was deleted")
        assert api.error("queues.get_by_id", queue=queue)[:2] == (400, 701)


class TestWorkers:
    def test_a_worker_is_listed_with_its_queues_and_what_it_runs(self, api, server, queue):
        task, waits = api.task("runs"), api.task("waits")
        api("tasks.enqueue", task=waits, queue=queue)
        api("tasks.started", task=task)
        api("workers.register", worker="w:0", queues=[queue], tags=["t"], timeout=60)
        api("workers.status_report", worker="w:0", timestamp=1, task=task, queue=queue, queues=[queue])
        server.skew(7.5)
        api.report(task, (4, 1.0))
        (found,) = api("workers.get_all")["workers"]
        next_task = {"id": waits, "name": "waits"}
        serves = {"id": queue, "name": "lab", "num_tasks": 1, "next_task": next_task}
        assert (found["id"], found["tags"], found["register_timeout"]) == ("w:0", ["t"], 60)
        assert found["queues"] == [serves]
        assert found["queue"] == serves
        assert found["task"] == {"id": task, "name": "runs", "last_iteration": 4, "running_time": 7000}
        assert api.read(task)["last_worker"] == "w:0"

    def test_workers_that_were_not_heard_of_lately_are_left_out(self, api, server, queue):
        api("workers.register", worker="old", queues=[queue])
        server.skew(100)
        api("workers.status_report", worker="new", timestamp=1)
        assert [worker["id"] for worker in api("workers.get_all", last_seen=60)["workers"]] == ["new"]
        assert len(api("workers.get_all")["workers"]) == 2

    def test_a_report_without_a_task_ends_the_last_one(self, api):
        task = api.task()
        api("workers.status_report", worker="w:0", timestamp=1, task=task)
        api("workers.status_report", worker="w:0", timestamp=2)
        (found,) = api("workers.get_all")["workers"]
        assert not {"task", "project", "queue"} & set(found)

    def test_a_worker_leaves_and_may_say_so_twice(self, api):
        api("workers.register", worker="w:0", queues=[])
        for _ in range(2):
            assert api("workers.unregister", worker="w:0") == {}
        assert api("workers.get_all")["workers"] == []
