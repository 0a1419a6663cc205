"""``tasks.clone``: a new Task with what another was to run with."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.endpoints.projects import unknown_project
from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.projects import cleaned_name, make_project, project_named
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.tasks import (
    ARCHIVED,
    DEVELOPMENT,
    check_name,
    new_task,
    sorted_tags,
    without_none,
)

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

_COPIED = ("comment", "hyperparams", "configuration", "container", "script")
_LEFT_BEHIND = frozenset({ARCHIVED, DEVELOPMENT})
_INPUT = "input"


@endpoint(
    "tasks.clone",
    [
        Field("task", str, required=True),
        Field("new_task_name", str),
        Field("new_task_comment", str),
        Field("new_task_parent", str),
        Field("new_task_project", str),
        Field("new_project_name", str),
        Field("new_task_tags", list),
        Field("new_task_system_tags", list),
        Field("new_task_hyperparams", dict),
        Field("new_task_configuration", dict),
        Field("new_task_container", dict),
    ],
)
def clone(call: Call) -> Document:
    """Make a Task out of another."""
    store, data = call.store, call.data
    source = store.tasks.get(data["task"])
    if source is None:
        raise bad_request(101, "Invalid task id", id=data["task"])
    name = data.get("new_task_name") or source["name"]
    check_name(name)
    parent = _parent(store, data, source)
    result: Document = {}
    project = _project(store, data, source, result)
    task = new_task(store, name, source["type"])
    for field in _COPIED:
        if field in source:
            task[field] = copy.deepcopy(source[field])
    task["execution"] = _execution(source)
    task["models"]["input"] = copy.deepcopy(source["models"]["input"])
    if "destination" in source["output"]:
        task["output"]["destination"] = source["output"]["destination"]
    task["tags"] = list(source["tags"])
    task["system_tags"] = [tag for tag in source["system_tags"] if tag not in _LEFT_BEHIND]
    task["parent"] = parent
    if project:
        task["project"] = project
    _replace(task, data)
    store.tasks.add(task)
    return {"id": task["id"], **result}


def _parent(store: Store, data: Document, source: Document) -> str:
    parent = data.get("new_task_parent")
    if parent and store.tasks.get(parent) is None:
        raise bad_request(101, "Invalid task id", "invalid parent", parent=parent)
    return str(parent or source.get("parent") or source["id"])


def _project(store: Store, data: Document, source: Document, result: Document) -> str | None:
    """The id of the clone's project; one that is made for it is noted in the result."""
    project: str | None = data.get("new_task_project")
    if project and project not in store.projects:
        raise unknown_project(project)
    name = data.get("new_project_name")
    if project or not name:
        return project or source.get("project")
    name = cleaned_name(name)
    found = project_named(store, name)
    if found is None:
        found = make_project(store, name)
        result["new_project"] = {"id": found["id"], "name": name}
    return str(found["id"])


def _execution(source: Document) -> Document:
    execution = {name: copy.deepcopy(value) for name, value in source["execution"].items() if name != "queue"}
    execution["artifacts"] = [artifact for artifact in execution["artifacts"] if artifact["mode"] == _INPUT]
    return execution


def _replace(task: Document, data: Document) -> None:
    """Write what the request has instead of the source's."""
    for field in ("comment", "hyperparams", "configuration", "container"):
        value = data.get(f"new_task_{field}")
        if value is not None:
            task[field] = without_none(value)
    for field in ("tags", "system_tags"):
        value = data.get(f"new_task_{field}")
        if value is not None:
            task[field] = sorted_tags(value)
