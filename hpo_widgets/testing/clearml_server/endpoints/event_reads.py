"""``events``: read back what Tasks reported."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Any

import numpy as np

from hpo_widgets.testing.clearml_server.documents import Document, new_id
from hpo_widgets.testing.clearml_server.errors import unknown_tasks
from hpo_widgets.testing.clearml_server.events import LOG, PLOT, SCALAR, SINGLE_VALUE
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint

DEFAULT_SAMPLES = 2000
MAXIMUM_SAMPLES = 6000
_TASK = Field("task", str, required=True)
_TASKS = Field("tasks", list, filled=True)
_PAGE = (
    Field("batch_size", int),
    Field("order", str, choices=frozenset({"asc", "desc"})),
    Field("navigate_earlier", bool),
    Field("from_timestamp", int),
)
_KEY = Field("key", str, choices=frozenset({"iter", "timestamp", "iso_time"}))
_SAMPLES = Field("samples", int, maximum=MAXIMUM_SAMPLES)


def _check_task(call: Call, task_id: str) -> None:
    if call.store.tasks.get(task_id) is None:
        raise unknown_tasks(task_id)


@endpoint("events.scalar_metrics_iter_histogram", [_TASK, _KEY, _SAMPLES])
def scalar_metrics_iter_histogram(call: Call) -> Document:
    """The curves of a Task: metric → variant → x and y."""
    _check_task(call, call.data["task"])
    return _curves(call, call.data["task"])


def _curves(call: Call, task_id: str) -> Document:
    samples = call.data.get("samples") or DEFAULT_SAMPLES
    key = call.data.get("key") or "iter"
    wanted = {one["metric"]: one.get("variants") for one in call.data.get("metrics") or ()}
    result: Document = {}
    for metric, variants in sorted(call.store.events.scalars(task_id).items()):
        if wanted and metric not in wanted:
            continue
        for variant, events in sorted(variants.items()):
            points = [events[iteration] for iteration in sorted(events) if iteration != SINGLE_VALUE]
            if points and (not wanted.get(metric) or variant in wanted[metric]):
                x, y = _thinned([(_place(point, key), point["value"]) for point in points], samples)
                shown = [_iso(one) for one in x] if key == "iso_time" else x
                # Scalars are indexed in single precision.
                result.setdefault(metric, {})[variant] = {"name": variant, "x": shown, "y": [_single(one) for one in y]}
    return result


def _single(value: Any) -> float:
    return float(np.float32(value))


def _place(event: Document, key: str) -> int:
    return int(event["iter"] if key == "iter" else event["timestamp"])


def _iso(timestamp: int) -> str:
    moment = datetime.fromtimestamp(timestamp / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _thinned(points: list[tuple[int, Any]], samples: int) -> tuple[list[int], list[Any]]:
    """Points in buckets of equal width when there are too many: the start of each and the mean in it."""
    if len(points) <= samples:
        return [x for x, _ in points], [y for _, y in points]
    width = ceil((points[-1][0] - points[0][0] + 1) / samples)
    buckets: dict[int, list[Any]] = {}
    for x, y in points:
        buckets.setdefault(x // width * width, []).append(y)
    return list(buckets), [sum(values) / len(values) for values in buckets.values()]


@endpoint("events.get_task_single_value_metrics", [_TASKS])
def get_task_single_value_metrics(call: Call) -> Document:
    """The values that some Tasks reported without an iteration."""
    result = []
    for task_id in call.data["tasks"]:
        _check_task(call, task_id)
        values = [
            {name: events[SINGLE_VALUE][name] for name in ("metric", "variant", "value", "timestamp")}
            for variants in call.store.events.scalars(task_id).values()
            for events in variants.values()
            if SINGLE_VALUE in events
        ]
        if values:
            result.append({"task": task_id, "values": values})
    return {"tasks": result}


@endpoint("events.get_task_log", [_TASK, *_PAGE], since=(2, 9))
def get_task_log(call: Call) -> Document:
    """The log lines of a Task, newest first unless the request says otherwise."""
    _check_task(call, call.data["task"])
    events = call.store.events.of_type(call.data["task"], LOG)
    page = _page(call, events, earlier=call.data.get("navigate_earlier", True))
    return {"events": page, "returned": len(page), "total": len(events)}


@endpoint("events.get_task_log", [_TASK, *_PAGE], since=(1, 7))
def get_task_log_scrolled(call: Call) -> Document:
    """The log lines of a Task for older clients, which scroll."""
    return {**get_task_log(call), "scroll_id": new_id()}


def _page(call: Call, events: list[Document], *, earlier: bool) -> list[Document]:
    """The first or last events of a batch's size, before or after a time if the request names one."""
    start = call.data.get("from_timestamp")
    if start is not None:
        events = [event for event in events if (event["timestamp"] < start if earlier else event["timestamp"] > start)]
    size = call.data.get("batch_size") or len(events)
    page = events[-size:] if earlier else events[:size]
    return page if call.data.get("order") == "asc" else page[::-1]


@endpoint("events.get_task_events", [_TASK, *_PAGE, Field("event_type", str), Field("scroll_id", str)])
def get_task_events(call: Call) -> Document:
    """The events of a Task of one type, scrolled through in batches."""
    _check_task(call, call.data["task"])
    events = call.store.events.of_type(call.data["task"], call.data.get("event_type") or SCALAR)
    if call.data.get("order") != "asc":
        events = events[::-1]
    scroll = call.data.get("scroll_id") or new_id()
    start = call.store.scrolls.get(scroll, 0)
    page = events[start : start + (call.data.get("batch_size") or len(events))]
    call.store.scrolls[scroll] = start + len(page)
    return {"events": page, "returned": len(page), "total": len(events), "scroll_id": scroll}


@endpoint("events.get_task_plots", [_TASK, Field("iters", int)])
def get_task_plots(call: Call) -> Document:
    """The plots of a Task: of each title and series the last ones."""
    _check_task(call, call.data["task"])
    count = call.data.get("iters") or 1
    kept: dict[tuple[str, str], list[Document]] = {}
    for event in call.store.events.of_type(call.data["task"], PLOT):
        kept.setdefault((event["metric"], event["variant"]), []).append(event)
    plots = [event for events in kept.values() for event in events[-count:]]
    return {"plots": plots, "returned": len(plots), "total": len(plots), "scroll_id": new_id()}
