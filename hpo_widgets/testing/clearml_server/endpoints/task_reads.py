"""``tasks``: create, and read one or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.documents import Document, new_id
from hpo_widgets.testing.clearml_server.errors import unknown_tasks, unresolved_field
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.filters import matching_tasks
from hpo_widgets.testing.clearml_server.queries import ordered, page_of, projected, selected_fields
from hpo_widgets.testing.clearml_server.routing import Call, Version, endpoint
from hpo_widgets.testing.clearml_server.tasks import (
    TASK_FIELDS,
    TASK_TYPES,
    check_name,
    check_references,
    new_task,
    sorted_tags,
    take_legacy_parameters,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONTAINERS_SINCE = Version(2, 13)
# What the extended reading answers as objects, and what can be asked of them.
_REFERENCES = ("project", "parent", "user", "company")
_TEXTS = ("comment", "parent", "project")
_SECTIONS = ("hyperparams", "configuration", "runtime", "container")


@endpoint(
    "tasks.create",
    [
        Field("name", str, required=True),
        Field("type", str, required=True, choices=TASK_TYPES),
        Field("comment", str),
        Field("parent", str),
        Field("project", str),
        Field("tags", list),
        Field("system_tags", list),
        Field("script", dict),
        Field("execution", dict),
        Field("hyperparams", dict),
        Field("configuration", dict),
        Field("container", dict),
    ],
)
def create(call: Call) -> Document:
    """Make a Task."""
    store, data = call.store, call.data
    check_name(data["name"])
    check_references(store, data)
    task = new_task(store, data["name"], data["type"])
    for name in _TEXTS:
        if data.get(name):
            task[name] = data[name]
    for name in ("tags", "system_tags"):
        task[name] = sorted_tags(data.get(name) or [])
    for name in _SECTIONS:
        if data.get(name):
            task[name] = without_none(data[name])
    for name in ("script", "execution"):
        task[name].update(without_none(data.get(name) or {}))
    take_legacy_parameters(task)
    if data.get("output_dest"):
        task["output"]["destination"] = data["output_dest"]
    store.tasks.add(task)
    return {"id": task["id"]}


@endpoint("tasks.get_by_id", [Field("task", str, required=True)])
def get_by_id(call: Call) -> Document:
    """One Task, whole."""
    task = call.store.tasks.get(call.data["task"])
    if task is None:
        raise unknown_tasks(call.data["task"])
    return {"task": _of_version(task, call.version)}


@endpoint("tasks.get_all")
def get_all(call: Call) -> Document:
    """The Tasks that a request asks for; with the fields that it names, and no others."""
    fields = selected_fields(call.data, TASK_FIELDS)
    for path in fields:
        if path.startswith(tuple(f"{name}." for name in _REFERENCES)):
            raise unresolved_field(path)
    return _found(call, lambda found: projected(found, fields))


def _found(call: Call, shown: Callable[[list[Document]], list[Document]]) -> Document:
    data = call.data
    found = ordered(matching_tasks(call.store, data), data.get("order_by"), TASK_FIELDS)
    if "scroll_id" in data and data.get("size"):
        scroll = data["scroll_id"] or new_id()
        start = call.store.scrolls.get(scroll, 0)
        page = found[start : start + data["size"]]
        call.store.scrolls[scroll] = start + len(page)
        return {"tasks": shown(page), "scroll_id": scroll}
    return {"tasks": shown(page_of(found, data))}


def _of_version(task: Document, version: Version) -> Document:
    """A Task as clients of a version expect it."""
    image: Any = task["container"].get("image")
    if version >= CONTAINERS_SINCE or not image:
        return task
    return {**task, "execution": {**task["execution"], "docker_cmd": image}}
