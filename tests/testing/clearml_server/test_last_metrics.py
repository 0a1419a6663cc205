"""What batches of scalars do to the summary that a Task carries."""

from __future__ import annotations

import hashlib
import math

import pytest


def key(name):
    return hashlib.md5(name.encode()).hexdigest()


def summary(api, task, metric="loss", variant="val"):
    return api.read(task)["last_metrics"][key(metric)][key(variant)]


def test_one_batch_is_summarised(api):
    task = api.task()
    api.report(task, (0, 3.0), (1, 1.0), (2, 2.0))
    assert summary(api, task) == {
        "metric": "loss",
        "variant": "val",
        "value": 2.0,
        "min_value": 1.0,
        "min_value_iteration": 1,
        "max_value": 3.0,
        "max_value_iteration": 0,
        "first_value": 3.0,
        "first_value_iteration": 0,
        "count": 3,
        "mean_value": 2.0,
    }


def test_inside_a_batch_the_highest_iteration_is_the_value_and_of_equals_the_later_line(api):
    task = api.task()
    api.report(task, (5, 0.5), (9, 0.9), (9, 0.8), (2, 0.2))
    assert summary(api, task)["value"] == 0.8


def test_across_batches_the_later_batch_is_the_value_but_the_last_iteration_never_falls(api):
    task = api.task()
    api.report(task, (9, 0.9))
    api.report(task, (4, 0.4))
    assert summary(api, task)["value"] == 0.4
    assert api.read(task)["last_iteration"] == 9


def test_the_first_holder_of_an_extreme_keeps_its_iteration(api):
    task = api.task()
    api.report(task, (3, 1.0), (1, 1.0), (2, 5.0), (4, 5.0))
    api.report(task, (0, 1.0), (9, 5.0))
    found = summary(api, task)
    assert (found["min_value_iteration"], found["max_value_iteration"]) == (3, 2)


def test_the_first_value_is_that_of_the_lowest_iteration_of_the_first_batch(api):
    task = api.task()
    api.report(task, (7, 0.7), (5, 0.5), (6, 0.6))
    api.report(task, (1, 0.1))
    found = summary(api, task)
    assert (found["first_value"], found["first_value_iteration"]) == (0.5, 5)


@pytest.mark.parametrize(
    ("batches", "mean"),
    [
        pytest.param([[0.004]] * 9 + [[0.32]], 0.03, id="each mean is made of the rounded one"),
        pytest.param([[0.125]], 0.12, id="half goes to even, down"),
        pytest.param([[0.375]], 0.38, id="half goes to even, up"),
        pytest.param([[2, 1, 1, 5, 5]], 2.8, id="one batch is averaged first"),
    ],
)
def test_the_mean_is_a_running_one_of_two_decimals(api, batches, mean):
    task = api.task()
    for batch in batches:
        api.report(task, *((0, value) for value in batch))
    found = summary(api, task)
    assert found["mean_value"] == mean
    assert found["count"] == sum(map(len, batches))


def test_whole_numbers_stay_whole_but_for_the_first_and_the_mean(api):
    task = api.task()
    api.report(task, (0, 3))
    found = summary(api, task)
    assert [type(found[name]) for name in ("value", "min_value", "max_value")] == [int] * 3
    assert [type(found[name]) for name in ("first_value", "mean_value")] == [float] * 2


def test_a_value_that_is_no_number_yet_gives_way_as_minimum_and_not_as_maximum(api):
    task = api.task()
    api.report(task, (0, math.nan))
    api.report(task, (1, 2.0))
    found = summary(api, task)
    assert found["min_value"] == 2.0
    assert math.isnan(found["max_value"])
    assert math.isnan(found["mean_value"])


def test_infinite_values_are_kept(api):
    task = api.task()
    api.report(task, (0, math.inf), (1, -math.inf))
    found = summary(api, task)
    assert (found["min_value"], found["max_value"]) == (-math.inf, math.inf)


def test_names_are_hashed_raw_so_that_dots_and_dollars_are_safe(api):
    task = api.task()
    api.report(task, (0, 1.0), metric="a.b $c", variant="ä/.x")
    assert summary(api, task, "a.b $c", "ä/.x")["metric"] == "a.b $c"
    path = f"last_metrics.{key('a.b $c')}.{key('ä/.x')}.value"
    (found,) = api("tasks.get_all", id=[task], only_fields=[path])["tasks"]
    assert found["last_metrics"] == {key("a.b $c"): {key("ä/.x"): {"value": 1.0}}}


@pytest.mark.parametrize(("iteration", "last"), [(None, 0), ("7", 7), (7.6, 7), (-3, 0), (-(2**31), 0)])
def test_an_iteration_counts_as_a_whole_number_that_is_not_below_zero(api, iteration, last):
    task = api.task()
    api.report(task, (iteration, 1.0))
    assert api.read(task)["last_iteration"] == last


def test_a_scalar_without_iteration_metric_and_variant_is_that_of_no_name_at_zero(api):
    task = api.task()
    api.batch({"type": "training_stats_scalar", "task": task, "value": 1.5})
    assert summary(api, task, "", "")["min_value_iteration"] == 0


def test_a_scalar_without_a_value_counts_and_moves_the_iteration_and_leaves_no_summary(api):
    task = api.task()
    sent = api.batch({"type": "training_stats_scalar", "task": task, "metric": "loss", "variant": "val", "iter": 3})
    assert sent == {"added": 1, "errors": 0, "errors_info": {}}
    found = api.read(task)
    assert (found["last_iteration"], found["last_metrics"]) == (3, {})


def test_a_value_that_is_a_text_is_refused_and_nothing_of_its_batch_is_kept(api):
    task = api.task()
    event = {"type": "training_stats_scalar", "task": task, "metric": "loss", "variant": "val", "iter": 1}
    lines = [{**event, "value": 1.0}, {**event, "value": "nan"}]
    answer = api.client.call("/events.add_batch", lines, content_type="application/json-lines")
    assert answer.status == 500
    assert api.read(task)["last_metrics"] == {}
    assert api("events.scalar_metrics_iter_histogram", task=task) == {}


def test_a_plot_moves_the_iteration_and_a_log_line_without_one_does_not(api):
    task = api.task()
    api.batch(
        {"type": "plot", "task": task, "metric": "p", "variant": "v", "iter": 6, "plot_str": "{}"},
        {"type": "log", "task": task, "msg": "hello"},
    )
    found = api.read(task)
    assert found["last_iteration"] == 6
    assert {stats["metric"]: list(stats["event_stats_by_type"]) for stats in found["metric_stats"].values()} == {
        "p": ["plot"],
        "": ["log"],
    }
