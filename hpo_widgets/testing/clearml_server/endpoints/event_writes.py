"""``events``: take what Tasks report, and keep the summary that each Task carries up to date."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.clock import milliseconds
from hpo_widgets.testing.clearml_server.endpoints.task_changes import note_activity
from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.events import EVENT_TYPES, SCALAR
from hpo_widgets.testing.clearml_server.metrics import name_key, summarise
from hpo_widgets.testing.clearml_server.queries import LARGEST_PAGE
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

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
        # A value that is no number ends the request here, as on the real server, before anything is kept.
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
    note_activity(store, task)
    store.touch(task, store.now())


def _count(stats: dict[str, Document], event: Document) -> None:
    metric = event["metric"]
    entry: dict[str, Any] = stats.setdefault(name_key(metric), {"metric": metric, "event_stats_by_type": {}})
    entry["event_stats_by_type"][event["type"]] = {"last_update": event["timestamp"]}
