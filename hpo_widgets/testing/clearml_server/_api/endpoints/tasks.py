"""``tasks``: create, clone, read and edit them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.documents import (
    Document,
    new_id,
    ordered,
    page_of,
    projected,
    selected_fields,
    without_nulls,
)
from hpo_widgets.testing.clearml_server._api.endpoints.projects import (
    cleaned_name,
    make_project,
    project_named,
    unknown_project,
)
from hpo_widgets.testing.clearml_server._api.errors import bad_request, unknown_tasks, unresolved_field
from hpo_widgets.testing.clearml_server._api.filters import matching_tasks
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, Version, endpoint
from hpo_widgets.testing.clearml_server._api.tasks import (
    ARCHIVED,
    CREATED,
    DEVELOPMENT,
    IN_PROGRESS,
    QUEUED,
    TASK_FIELDS,
    TASK_TYPES,
    check_name,
    check_references,
    check_status,
    new_task,
    sorted_artifacts,
    sorted_tags,
    take_legacy_parameters,
    without_none,
)

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.store import Store

_TASK = Field("task", str, required=True)
_CONTAINERS_SINCE = Version(2, 13)
# What the extended reading answers as objects, and what can be asked of them.
_REFERENCES = ("project", "parent", "user", "company")
_TEXTS = ("comment", "parent", "project")
_SECTIONS = ("hyperparams", "configuration", "runtime", "container")


@endpoint(
    "tasks.create",
    [
        Field("name", str, required=True),
        Field("type", str, required=True, choices=TASK_TYPES),
        *(Field(name, str) for name in _TEXTS),
        *(Field(name, list) for name in ("tags", "system_tags")),
        *(Field(name, dict) for name in ("script", "execution", "hyperparams", "configuration", "container")),
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


@endpoint("tasks.get_by_id", [_TASK])
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
    data = call.data
    found = ordered(matching_tasks(call.store, data), data.get("order_by"), TASK_FIELDS)
    if "scroll_id" in data and data.get("size"):
        scroll = data["scroll_id"] or new_id()
        start = call.store.scrolls.get(scroll, 0)
        page = found[start : start + data["size"]]
        call.store.scrolls[scroll] = start + len(page)
        return {"tasks": projected(page, fields), "scroll_id": scroll}
    return {"tasks": projected(page_of(found, data), fields)}


def _of_version(task: Document, version: Version) -> Document:
    """A Task as clients of a version expect it."""
    image: Any = task["container"].get("image")
    if version >= _CONTAINERS_SINCE or not image:
        return task
    return {**task, "execution": {**task["execution"], "docker_cmd": image}}


_COPIED = ("comment", "hyperparams", "configuration", "container", "script")
_LEFT_BEHIND = frozenset({ARCHIVED, DEVELOPMENT})
_INPUT = "input"


@endpoint(
    "tasks.clone",
    [
        _TASK,
        Field("new_project_name", str),
        *(Field(f"new_task_{name}", str) for name in ("name", "comment", "parent", "project")),
        *(Field(f"new_task_{name}", list) for name in ("tags", "system_tags")),
        *(Field(f"new_task_{name}", dict) for name in ("hyperparams", "configuration", "container")),
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


_FORCE = Field("force", bool)
# What a Task is called and where it belongs: writing these leaves `last_update`.
_LABELS = ("name", "comment", "tags", "system_tags", "project", "parent")
_PLAIN = ("type", "status", "container", "report")
_WHOLE = ("hyperparams", "configuration", "runtime")
_MERGED = ("script", "execution", "models")
# The one section that may be written at any time.
_FREE_SECTION = "properties"
_OUTPUT = "output"
_ARTIFACT = (Field("key", str, required=True), Field("type", str, required=True), Field("mode", str))
_PARAMETER = (
    Field("section", str, required=True),
    Field("name", str, required=True),
    Field("value", str, required=True),
    Field("type", str),
    Field("description", str),
)


@endpoint("tasks.edit", [_TASK, _FORCE, *(Field(name, dict) for name in _WHOLE)])
def edit(call: Call) -> Document:
    """Write fields of a Task that is created, or of any by force."""
    store, data = call.store, call.data
    task = call.task
    check_name(data.get("name"))
    if not data.get("force"):
        check_status(task, CREATED)
    if data.get("type") is not None:
        Field("type", str, choices=TASK_TYPES).checked(data["type"])
    check_references(store, data)
    fields = _write(store, task, data, (*_LABELS, *_PLAIN, *_WHOLE, *_MERGED))
    if data.get("output_dest") is not None:
        task["output"]["destination"] = fields["output.destination"] = data["output_dest"]
    return _echo(store, task, fields)


def _write(store: Store, task: Document, data: Document, names: tuple[str, ...]) -> Document:
    """Write what the data have of some fields; what was written."""
    fields: Document = {}
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if name in {"project", "parent"}:
            store.tasks.move(task, name, value)
        elif name in _MERGED:
            task[name] = {**task[name], **without_none(value)}
        else:
            task[name] = _kept(name, value)
        fields[name] = task.get(name)
    if "execution" in fields:
        take_legacy_parameters(task)
    return fields


def _kept(name: str, value: Any) -> Any:
    return sorted_tags(value) if name in {"tags", "system_tags"} else without_none(value)


def _echo(store: Store, task: Document, fields: Document) -> Document:
    """The answer to an edit: what was written, and by whom and when."""
    moment = store.now()
    update_too = not set(fields) <= set(_LABELS)
    store.touch(task, moment, update=update_too)
    echo = {**fields, "last_change": moment, "last_changed_by": store.identity.user}
    if update_too:
        echo["last_update"] = moment
    return {"updated": 1, "fields": echo}


@endpoint("tasks.set_requirements", [_TASK, Field("requirements", dict, required=True)])
def set_requirements(call: Call) -> Document:
    """Write a Task's requirements, whatever its status."""
    store = call.store
    task = store.task(call.data["task"])
    task["script"] = {**task["script"], "requirements": call.data["requirements"]}
    store.touch(task, store.now())
    return {"updated": 1, "fields": {}}


@endpoint(
    "tasks.edit_hyper_params",
    [
        _TASK,
        _FORCE,
        Field("hyperparams", list, filled=True, items=_PARAMETER),
        Field("replace_hyperparams", str, choices=frozenset({"none", "section", "all"})),
    ],
)
def edit_hyper_params(call: Call) -> Document:
    """Write some parameters and leave the others, as far as the request does not say to replace them."""
    task = call.task
    items = call.data["hyperparams"]
    if any(item["section"] != _FREE_SECTION for item in items):
        # Force helps in two more statuses, and in no others.
        check_status(task, CREATED, *((QUEUED, IN_PROGRESS) if call.data.get("force") else ()))
    replaced = call.data.get("replace_hyperparams")
    if replaced == "all":
        kept: Document = {}
    else:
        gone = {item["section"] for item in items} if replaced == "section" else set()
        kept = {name: dict(section) for name, section in task["hyperparams"].items() if name not in gone}
    for item in items:
        kept.setdefault(item["section"], {})[item["name"]] = without_nulls(item)
    task["hyperparams"] = kept
    call.store.touch(task, call.store.now())
    return {"updated": 1}


@endpoint(
    "tasks.add_or_update_artifacts",
    [_TASK, Field("force", bool), Field("artifacts", list, filled=True, items=_ARTIFACT)],
    since=(2, 10),
)
def add_or_update_artifacts(call: Call) -> Document:
    """Note artifacts; one of the same key and mode is replaced whole. Force makes no difference."""
    task = call.task
    check_status(task, CREATED, QUEUED, IN_PROGRESS)
    kept = {(one["key"], one["mode"]): one for one in task["execution"]["artifacts"]}
    for artifact in call.data["artifacts"]:
        given = without_nulls(artifact)
        entry = {"mode": _OUTPUT, "display_data": [], **given}
        kept[entry["key"], entry["mode"]] = entry
    task["execution"]["artifacts"] = sorted_artifacts(kept.values())
    call.store.touch(task, call.store.now())
    return {"updated": 1}
