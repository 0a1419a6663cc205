"""Changes of status beyond the state matrix: reasons, times, workers that are left to stop, archives, deletion."""

from __future__ import annotations

import pytest


class TestReasons:
    def test_each_change_overwrites_reason_and_message(self, api):
        task = api.task()
        api("tasks.started", task=task, status_reason="why", status_message="what")
        assert (api.read(task)["status_reason"], api.read(task)["status_message"]) == ("why", "what")
        api("tasks.stopped", task=task, status_message=None)
        assert (api.read(task)["status_reason"], api.read(task)["status_message"]) == ("", "")

    def test_a_stop_keeps_the_reason_and_names_the_user_in_the_message(self, api):
        task = api.task()
        api("tasks.started", task=task)
        api("tasks.stop", task=task, status_reason="why", status_message="lost")
        assert (api.read(task)["status_reason"], api.read(task)["status_message"]) == ("why", "Stopped by tests")


class TestTimes:
    def test_a_start_is_noted_when_a_run_begins_and_not_again(self, api, server):
        task = api.task()
        api("tasks.started", task=task)
        first = api.read(task)["started"]
        server.skew(5)
        api("tasks.started", task=task, force=True)
        assert api.read(task)["started"] == first
        api("tasks.stopped", task=task)
        server.skew(10)
        api("tasks.started", task=task)
        found = api.read(task)
        assert found["started"] > first
        assert "completed" not in found

    def test_a_restart_keeps_what_was_reported(self, api):
        task = api.task()
        api("tasks.started", task=task)
        api.report(task, (3, 1.0))
        api("tasks.completed", task=task)
        api("tasks.started", task=task)
        found = api.read(task)
        assert found["last_iteration"] == 3
        assert found["last_metrics"]

    @pytest.mark.parametrize("operation", ["stopped", "completed", "failed"])
    def test_an_end_is_noted_each_time_it_is_told_and_no_start_is_made_up(self, api, server, operation):
        task = api.task()
        api(f"tasks.{operation}", task=task, force=True)
        first = api.read(task)
        assert "started" not in first
        server.skew(5)
        api(f"tasks.{operation}", task=task)
        assert api.read(task)["completed"] > first["completed"]


def test_a_completion_may_publish(api):
    task = api.task()
    api("tasks.started", task=task)
    answer = api("tasks.completed", task=task, publish=True)
    assert (answer["published"], answer["fields"]["status"]) == (1, "published")
    found = api.read(task)
    assert found["status"] == "published"
    assert {"completed", "published"} <= set(found)


class TestStoppingWorkers:
    @pytest.fixture
    def task(self, api):
        """A Task that a worker runs."""
        task = api.task()
        api("tasks.started", task=task)
        api("workers.status_report", worker="w:0", timestamp=1, task=task)
        return task

    @pytest.mark.parametrize("force", [False, True])
    def test_a_live_worker_is_left_to_stop(self, api, task, force):
        assert api("tasks.stop", task=task, force=force)["fields"]["status"] == "in_progress"
        found = api.read(task)
        assert (found["status"], found["status_message"]) == ("in_progress", "stopping")

    def test_a_task_in_development_stops_at_once(self, api, task):
        api("tasks.edit", task=task, system_tags=["development"], force=True)
        api("tasks.stop", task=task)
        assert api.read(task)["status"] == "stopped"

    def test_a_worker_that_was_not_heard_of_for_long_is_not_waited_for(self, api, server, task):
        server.skew(3600)
        api("tasks.stop", task=task)
        assert api.read(task)["status"] == "stopped"

    def test_a_worker_that_has_left_is_not_waited_for(self, api, task):
        api("workers.unregister", worker="w:0")
        api("tasks.stop", task=task)
        assert api.read(task)["status"] == "stopped"


class TestReset:
    def test_a_reset_forgets_the_run_and_keeps_what_to_run(self, api):
        queue = api("queues.create", name="a queue")["id"]
        parameters = {"General": {"lr": {"section": "General", "name": "lr", "value": "1"}}}
        task = api.task(hyperparams=parameters, tags=["t"])
        api("tasks.enqueue", task=task, queue=queue)
        api("tasks.started", task=task)
        api("workers.status_report", worker="w:0", timestamp=1, task=task)
        artifacts = [{"key": "out", "type": "dict"}, {"key": "in", "type": "dict", "mode": "input"}]
        api("tasks.add_or_update_artifacts", task=task, artifacts=artifacts)
        api.report(task, (3, 1.0))
        api("tasks.completed", task=task)
        answer = api("tasks.reset", task=task)
        assert answer["dequeued"] == {"removed": 1}
        found = api.read(task)
        assert (found["status"], found["status_reason"], found["status_message"]) == ("created", "reset", "reset")
        assert not {"started", "completed", "last_worker", "last_worker_report", "active_duration"} & set(found)
        assert (found["last_iteration"], found["last_metrics"], found["metric_stats"], found["runtime"]) == (
            0,
            {},
            {},
            {},
        )
        assert "queue" not in found["execution"]
        assert [artifact["key"] for artifact in found["execution"]["artifacts"]] == ["in"]
        assert (found["hyperparams"], found["tags"]) == (parameters, ["t"])
        assert api("queues.get_by_id", queue=queue)["queue"]["entries"] == []

    def test_a_reset_may_clear_all(self, api):
        task = api.task(script={"entry_point": "train.py"}, configuration={"c": {"name": "c"}})
        api("tasks.reset", task=task, clear_all=True)
        found = api.read(task)
        assert (found["script"]["entry_point"], found["configuration"]) == ("", {})


class TestDeletion:
    def test_children_lose_their_parent_and_keep_its_id(self, api):
        parent = api.task()
        child = api.task(parent=parent)
        assert api("tasks.delete", task=parent) == {
            "deleted": True,
            "updated_children": 1,
            "updated_models": 0,
            "deleted_models": 0,
            "urls": None,
        }
        assert api.read(child)["parent"] == f"__DELETED__{parent}"
        assert api.ids(parent=parent) == []

    def test_a_parent_of_published_children_is_deleted_by_force_alone(self, api):
        parent = api.task()
        api("tasks.publish", task=api.task(parent=parent), force=True)
        assert api.error("tasks.delete", task=parent)[:2] == (400, 123)
        assert api("tasks.delete", task=parent, force=True)["deleted"]

    def test_an_archived_task_that_ended_is_deleted_without_force(self, api):
        task = api.task()
        api("tasks.started", task=task)
        api("tasks.completed", task=task)
        api("tasks.archive", tasks=[task])
        assert api("tasks.delete", task=task)["deleted"]

    def test_what_is_sent_for_a_deleted_task_is_answered_as_for_one_that_never_was(self, api):
        task = api.task()
        api("tasks.delete", task=task)
        assert api.error("tasks.started", task=task)[:2] == (400, 10)
        for operation in ("completed", "stopped", "failed", "edit"):
            assert api.error(f"tasks.{operation}", task=task)[:2] == (400, 101)
        assert api("tasks.ping", task=task) == {}
        assert api("tasks.dequeue", task=task) == {"dequeued": 1, "updated": 0, "fields": {}}
        answer = api.client.call(
            "/events.add_batch", [{"type": "log", "task": task}], content_type="application/json-lines"
        )
        assert answer.body["meta"]["result_subcode"] == 131


class TestMany:
    def test_each_succeeds_or_fails_by_itself(self, api):
        task = api.task()
        found = api("tasks.archive_many", ids=[task, "nobody"])
        assert found["succeeded"] == [{"id": task, "archived": True}]
        (failed,) = found["failed"]
        assert (failed["id"], failed["error"]["codes"]) == ("nobody", [400, 101])
        assert api("tasks.unarchive_many", ids=[task])["failed"] == []
        assert api.read(task)["system_tags"] == []

    def test_many_are_queued_stopped_and_deleted(self, api):
        queue = api("queues.create", name="a queue")["id"]
        tasks = [api.task(), api.task()]
        assert len(api("tasks.enqueue_many", ids=tasks, queue=queue)["succeeded"]) == 2
        assert len(api("queues.get_by_id", queue=queue)["queue"]["entries"]) == 2
        assert len(api("tasks.stop_many", ids=tasks)["succeeded"]) == 2
        assert len(api("tasks.delete_many", ids=tasks, force=True)["succeeded"]) == 2
        assert api.ids() == []
