"""``events``: take what Tasks report, keep the summary that each Task carries, and read it back."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.testing.clearml_server._api.documents import LARGEST_PAGE, Document, milliseconds, new_id
from hpo_widgets.testing.clearml_server._api.errors import bad_request, unknown_tasks
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint
from hpo_widgets.testing.clearml_server._api.store import EVENT_TYPES, LOG, PLOT, SCALAR, SINGLE_VALUE, iteration_of
from hpo_widgets.testing.clearml_server._api.tasks import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hpo_widgets.testing.clearml_server._api.store import Store

_MEAN_DIGITS = 2


def _name_key(name: str) -> str:
    """The key of a metric or variant: the MD5 of its raw name, so that dots and dollars are safe in paths."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def summarise(task: Document, scalars: Iterable[Document], *, with_extremes: bool = True) -> None:
    """Work one batch of scalars into the Task's ``last_metrics``."""
    batches: dict[tuple[str, str], list[Document]] = {}
    for event in scalars:
        batches.setdefault((event["metric"], event["variant"]), []).append(event)
    metrics = task["last_metrics"]
    for (metric, variant), events in batches.items():
        variants = metrics.setdefault(_name_key(metric), {})
        key = _name_key(variant)
        if key in variants:
            _merge(variants[key], events)
        else:
            variants[key] = _first(metric, variant, events)
        if with_extremes:
            _extend(variants[key], events)


def _first(metric: str, variant: str, events: list[Document]) -> Document:
    lowest = min(events, key=iteration_of)
    values = [event["value"] for event in events]
    return {
        "metric": metric,
        "variant": variant,
        "value": _latest(events),
        "first_value": float(lowest["value"]),
        "first_value_iteration": iteration_of(lowest),
        "count": len(events),
        "mean_value": _rounded(sum(values) / len(values)),
    }


def _merge(summary: Document, events: list[Document]) -> None:
    count = summary["count"] + len(events)
    total = summary["mean_value"] * summary["count"] + sum(event["value"] for event in events)
    summary["value"] = _latest(events)
    summary["count"] = count
    # The next mean is worked out from the rounded one, as the server does.
    summary["mean_value"] = _rounded(total / count)


def _latest(events: list[Document]) -> Any:
    """The value of the highest iteration; of equals the later line."""
    latest = events[0]
    for event in events[1:]:
        if iteration_of(event) >= iteration_of(latest):
            latest = event
    return latest["value"]


def _extend(summary: Document, events: list[Document]) -> None:
    """Move the extremes; the first holder keeps its iteration on ties."""
    for event in events:
        value = event["value"]
        if "min_value" not in summary or value < summary["min_value"] or _is_nan(summary["min_value"]):
            summary["min_value"] = value
            summary["min_value_iteration"] = iteration_of(event)
        if "max_value" not in summary or value > summary["max_value"]:
            summary["max_value"] = value
            summary["max_value_iteration"] = iteration_of(event)


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # noqa: PLR0124 - only NaN differs from itself


def _rounded(mean: float) -> float:
    return round(float(mean), _MEAN_DIGITS)


# What a client says about the batch, not about the event.
_NOT_KEPT = frozenset({"allow_locked"})


@endpoint("events.add_batch", batch=True)
def add_batch(call: Call) -> Document:
    """Take a batch; what is wrong in it is counted and left out, unless everything is wrong."""
    if not call.lines:
        raise bad_request(17, "Batch request contains no items")
    return _add(call.store, call.lines, halfway=call.halfway)


def _add(store: Store, lines: list[Document], *, halfway: bool = False) -> Document:
    errors: Counter[str] = Counter()
    moment = store.now()
    accepted: dict[str, list[Document]] = {}
    # The server looks up so many Tasks for a batch, and takes the others for unknown.
    looked_up = set(list(dict.fromkeys(line.get("task") for line in lines))[:LARGEST_PAGE])
    for line in lines:
        problem = _problem(store, line, looked_up)
        if problem:
            errors[problem] += 1
        else:
            accepted.setdefault(line["task"], []).append(_event(line, moment))
    if errors and not accepted:
        found = ", ".join(f"{problem}={count}" for problem, count in errors.items())
        raise bad_request(131, f"Events not added: {found}")
    for events in accepted.values():
        # A value that is not a number ends the request here, as on the real server, before anything is kept.
        sum(event["value"] for event in events if event.get("value") is not None and event["type"] == SCALAR)
    for task_id, events in accepted.items():
        _keep(store, store.task(task_id), events, with_extremes=not halfway)
    added = sum(map(len, accepted.values()))
    return {"added": added, "errors": errors.total(), "errors_info": dict(errors)}


def _problem(store: Store, line: Document, looked_up: Collection[str | None]) -> str | None:
    """What is wrong with a line, if anything is."""
    event_type = line.get("type")
    if not event_type:
        return "Event must have a 'type' field"
    if event_type not in EVENT_TYPES:
        return f"Invalid event type {event_type}"
    task_id = line.get("task")
    if not task_id:
        return "Event must have a 'task' field"
    task = store.tasks.get(task_id) if task_id in looked_up else None
    return f"Invalid task id {task_id}" if task is None or task["status"] == PUBLISHED else None


def _event(line: Document, moment: datetime) -> Document:
    """A line as it is kept: with names, a time and a whole iteration."""
    event = {name: value for name, value in line.items() if name not in _NOT_KEPT}
    event["metric"] = str(event.get("metric") or "")
    event["variant"] = str(event.get("variant") or "")
    event.setdefault("timestamp", milliseconds(moment))
    event["@timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if event.get("iter") is not None:
        event["iter"] = int(float(event["iter"]))
    elif event["type"] == SCALAR or "iter" in event:
        event["iter"] = 0
    return event


def _keep(store: Store, task: Document, events: list[Document], *, with_extremes: bool) -> None:
    stats: dict[str, Document] = {}
    scalars = []
    for event in events:
        if event["type"] != SCALAR:
            store.events.add(task["id"], event)
        elif event.get("value") is not None:
            store.events.add(task["id"], event)
            scalars.append(event)
        task["last_iteration"] = max(task["last_iteration"], event.get("iter", 0))
        _count(stats, event)
    summarise(task, scalars, with_extremes=with_extremes)
    # The statistics of the last batch take the place of those before.
    task["metric_stats"] = stats
    store.note_activity(task)


def _count(stats: dict[str, Document], event: Document) -> None:
    metric = event["metric"]
    entry: dict[str, Any] = stats.setdefault(_name_key(metric), {"metric": metric, "event_stats_by_type": {}})
    entry["event_stats_by_type"][event["type"]] = {"last_update": event["timestamp"]}


_DEFAULT_SAMPLES = 2000
_MAXIMUM_SAMPLES = 6000
_TASK = Field("task", str, required=True)
_TASKS = Field("tasks", list, filled=True)
_PAGE = (
    Field("batch_size", int),
    Field("order", str, choices=frozenset({"asc", "desc"})),
    Field("navigate_earlier", bool),
    Field("from_timestamp", int),
)
_KEY = Field("key", str, choices=frozenset({"iter", "timestamp", "iso_time"}))
_SAMPLES = Field("samples", int, maximum=_MAXIMUM_SAMPLES)


def _check_task(call: Call, task_id: str) -> None:
    if call.store.tasks.get(task_id) is None:
        raise unknown_tasks(task_id)


@endpoint("events.scalar_metrics_iter_histogram", [_TASK, _KEY, _SAMPLES])
def scalar_metrics_iter_histogram(call: Call) -> Document:
    """The curves of a Task: metric → variant → x and y."""
    task_id = call.data["task"]
    _check_task(call, task_id)
    samples = call.data.get("samples") or _DEFAULT_SAMPLES
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
                single = [float(np.float32(one)) for one in y]
                result.setdefault(metric, {})[variant] = {"name": variant, "x": shown, "y": single}
    return result


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
