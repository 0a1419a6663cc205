"""Events: which are taken, and what is read back of them."""

from __future__ import annotations

import pytest

from tests.testing.clearml_server.replay import JSON_LINES


def line(task, **values):
    return {
        "type": "training_stats_scalar",
        "task": task,
        "metric": "loss",
        "variant": "val",
        "iter": 0,
        "value": 1.0,
    } | values


class TestTaking:
    def test_what_is_wrong_in_a_batch_is_counted_and_the_rest_is_kept(self, api):
        task = api.task()
        sent = api.batch(line(task), line("nobody"), line("nobody"), line(task, type="bogus"), line(task, iter=1))
        assert sent == {
            "added": 2,
            "errors": 3,
            "errors_info": {"Invalid task id nobody": 2, "Invalid event type bogus": 1},
        }

    def test_one_line_needs_no_content_type_and_two_do(self, api):
        task = api.task()
        body = b'{"type": "log", "task": "%s", "msg": "x"}' % task.encode()
        assert api.client.call("/events.add_batch", body, content_type="").status == 200
        answer = api.client.call("/events.add_batch", body + b"\n" + body, content_type="")
        assert (answer.status, answer.body["meta"]["result_subcode"]) == (400, 0)

    @pytest.mark.parametrize(
        "way", [(), ("started",), ("started", "stopped"), ("started", "completed"), ("started", "failed")]
    )
    def test_events_are_taken_in_any_status_and_leave_it(self, api, server, way):
        task = api.task()
        for operation in way:
            api(f"tasks.{operation}", task=task)
        before = api.read(task)
        server.skew(5)
        api.report(task, (0, 1.0))
        after = api.read(task)
        assert (after["status"], after.get("status_changed")) == (before["status"], before.get("status_changed"))
        assert after["last_update"] > before["last_update"]
        assert after["last_change"] > before["last_change"]

    def test_events_of_an_archived_task_are_taken_and_of_a_published_one_are_not(self, api):
        task = api.task()
        api("tasks.archive", tasks=[task])
        assert api.report(task, (0, 1.0))["added"] == 1
        api("tasks.publish", task=task, force=True)
        answer = api.client.call("/events.add_batch", [line(task)], content_type=JSON_LINES)
        assert answer.body["meta"]["result_subcode"] == 131

    def test_the_statistics_of_a_batch_take_the_place_of_those_before(self, api):
        task = api.task()
        api.batch(line(task, timestamp=1000))
        api.batch(line(task, metric="acc", timestamp=2000))
        (stats,) = api.read(task)["metric_stats"].values()
        assert stats == {"metric": "acc", "event_stats_by_type": {"training_stats_scalar": {"last_update": 2000}}}

    def test_a_running_task_learns_for_how_long_it_has_run(self, api, server):
        task = api.task()
        api("tasks.started", task=task)
        assert "active_duration" not in api.read(task)
        server.skew(12.5)
        api.report(task, (0, 1.0))
        assert api.read(task)["active_duration"] == 12
        api("tasks.stopped", task=task)
        server.skew(99)
        api.report(task, (1, 1.0))
        assert api.read(task)["active_duration"] == 12

    def test_three_thousand_events_are_taken_at_once(self, api):
        task = api.task()
        assert api.report(task, *((step, float(step)) for step in range(3000)))["added"] == 3000


class TestCurves:
    def test_the_later_of_two_values_of_one_iteration_is_shown(self, api):
        task = api.task()
        api.report(task, (0, 1.0), (1, 2.0))
        api.report(task, (1, 3.0))
        assert api("events.scalar_metrics_iter_histogram", task=task) == {
            "loss": {"val": {"name": "val", "x": [0, 1], "y": [1.0, 3.0]}}
        }

    def test_a_curve_has_single_precision_and_the_summary_of_its_task_double(self, api):
        task = api.task()
        api.report(task, (0, 0.1))
        assert api("events.scalar_metrics_iter_histogram", task=task)["loss"]["val"]["y"] == [0.10000000149011612]
        [variants] = api.read(task)["last_metrics"].values()
        assert [summary["value"] for summary in variants.values()] == [0.1]

    def test_a_long_curve_is_thinned_to_means(self, api):
        task = api.task()
        api.report(task, *((step, float(step)) for step in range(3000)))
        curve = api("events.scalar_metrics_iter_histogram", task=task)["loss"]["val"]
        assert len(curve["x"]) == 1500
        assert (curve["x"][:3], curve["y"][:3]) == ([0, 2, 4], [0.5, 2.5, 4.5])

    def test_the_x_axis_may_be_the_time(self, api):
        task = api.task()
        api.batch(line(task, timestamp=0), line(task, iter=1, timestamp=1500))
        by_key = {
            key: api("events.scalar_metrics_iter_histogram", task=task, key=key)["loss"]["val"]["x"]
            for key in ("timestamp", "iso_time")
        }
        assert by_key == {"timestamp": [0, 1500], "iso_time": ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.500Z"]}

    def test_only_the_wanted_curves_are_read(self, api):
        task = api.task()
        api.report(task, (0, 1.0))
        api.report(task, (0, 2.0), variant="train")
        api.report(task, (0, 3.0), metric="acc")
        wanted = [{"metric": "loss", "variants": ["train"]}]
        found = api("events.scalar_metrics_iter_histogram", task=task, metrics=wanted)
        assert found == {"loss": {"train": {"name": "train", "x": [0], "y": [2.0]}}}

    def test_single_values_are_read_apart(self, api):
        task = api.task()
        api.batch(line(task, metric="Summary", variant="final", iter=-(2**31), value=2.5, timestamp=7))
        assert api("events.scalar_metrics_iter_histogram", task=task) == {}
        assert api("events.get_task_single_value_metrics", tasks=[task]) == {
            "tasks": [
                {"task": task, "values": [{"metric": "Summary", "variant": "final", "value": 2.5, "timestamp": 7}]}
            ]
        }


class TestLogs:
    @pytest.fixture
    def task(self, api):
        task = api.task()
        api.batch(*({"type": "log", "task": task, "msg": str(number), "timestamp": number} for number in range(5)))
        return task

    def test_the_log_is_read_newest_first_or_oldest_first(self, api, task):
        newest = api("events.get_task_log", task=task)
        oldest = api("events.get_task_log", task=task, order="asc")
        assert [event["msg"] for event in newest["events"]] == ["4", "3", "2", "1", "0"]
        assert [event["msg"] for event in oldest["events"]] == ["0", "1", "2", "3", "4"]
        assert (newest["returned"], newest["total"]) == (5, 5)

    def test_the_log_is_walked_through_in_batches_by_time(self, api, task):
        seen, start = [], {}
        while page := api("events.get_task_log", task=task, batch_size=2, navigate_earlier=True, **start)["events"]:
            seen += [event["msg"] for event in page]
            start = {"from_timestamp": page[-1]["timestamp"]}
        assert seen == ["4", "3", "2", "1", "0"]

    def test_older_clients_scroll(self, api, task):
        answer = api.client.call("/v2.8/events.get_task_log", {"task": task})
        assert set(answer.body["data"]) == {"events", "returned", "total", "scroll_id"}

    def test_events_of_a_type_are_scrolled_through(self, api, task):
        first = api("events.get_task_events", task=task, event_type="log", order="asc", batch_size=3)
        second = api(
            "events.get_task_events",
            task=task,
            event_type="log",
            order="asc",
            batch_size=3,
            scroll_id=first["scroll_id"],
        )
        assert [event["msg"] for event in first["events"] + second["events"]] == ["0", "1", "2", "3", "4"]
        assert (first["returned"], second["returned"], second["total"]) == (3, 2, 5)


def test_of_the_plots_the_last_of_each_name_is_read(api):
    task = api.task()
    plot = {"type": "plot", "task": task, "metric": "report", "variant": "scatter"}
    api.batch(
        {**plot, "iter": 0, "plot_str": "old", "timestamp": 1}, {**plot, "iter": 1, "plot_str": "new", "timestamp": 2}
    )
    found = api("events.get_task_plots", task=task)
    assert [event["plot_str"] for event in found["plots"]] == ["new"]


def test_what_a_deleted_or_reset_task_reported_is_gone(api):
    task = api.task()
    api.report(task, (0, 1.0))
    api("tasks.reset", task=task)
    assert api("events.scalar_metrics_iter_histogram", task=task) == {}
    api("tasks.delete", task=task)
    code = api.error("events.scalar_metrics_iter_histogram", task=task)
    assert code == (400, 101, f"Invalid task id: ids=({task})")
