"""``tasks``: write fields of a Task that are no change of status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.documents import Document, without_nulls
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import CREATED, IN_PROGRESS, QUEUED, check_status
from hpo_widgets.testing.clearml_server.tasks import (
    TASK_TYPES,
    check_name,
    check_references,
    sorted_artifacts,
    sorted_tags,
    take_legacy_parameters,
    without_none,
)

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.store import Store

TASK = Field("task", str, required=True)
FORCE = Field("force", bool)
# What a Task is called and where it belongs: writing these leaves `last_update`.
_LABELS = ("name", "comment", "tags", "system_tags", "project", "parent")
_PLAIN = ("type", "status", "container", "report")
_WHOLE = ("hyperparams", "configuration", "runtime")
_MERGED = ("script", "execution", "models")
# The one section that may be written at any time.
FREE_SECTION = "properties"
OUTPUT = "output"
_ARTIFACT = (Field("key", str, required=True), Field("type", str, required=True), Field("mode", str))
_PARAMETER = (
    Field("section", str, required=True),
    Field("name", str, required=True),
    Field("value", str, required=True),
    Field("type", str),
    Field("description", str),
)


@endpoint("tasks.edit", [TASK, FORCE, Field("hyperparams", dict), Field("configuration", dict), Field("runtime", dict)])
def edit(call: Call) -> Document:
    """Write fields of a Task that is created, or of any by force."""
    store, data = call.store, call.data
    task = store.task(data["task"])
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


@endpoint("tasks.set_requirements", [TASK, Field("requirements", dict, required=True)])
def set_requirements(call: Call) -> Document:
    """Write a Task's requirements, whatever its status."""
    store = call.store
    task = store.task(call.data["task"])
    task["script"] = {**task["script"], "requirements": call.data["requirements"]}
    store.touch(task, store.now())
    return {"updated": 1, "fields": {}}


def _check_editable(call: Call, task: Document) -> None:
    """Force helps in two more statuses, and in no others."""
    more = (QUEUED, IN_PROGRESS) if call.data.get("force") else ()
    check_status(task, CREATED, *more)


@endpoint(
    "tasks.edit_hyper_params",
    [
        TASK,
        FORCE,
        Field("hyperparams", list, filled=True, items=_PARAMETER),
        Field("replace_hyperparams", str, choices=frozenset({"none", "section", "all"})),
    ],
)
def edit_hyper_params(call: Call) -> Document:
    """Write some parameters and leave the others, as far as the request does not say to replace them."""
    task = call.store.task(call.data["task"])
    items = call.data["hyperparams"]
    if any(item["section"] != FREE_SECTION for item in items):
        _check_editable(call, task)
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
    [TASK, Field("force", bool), Field("artifacts", list, filled=True, items=_ARTIFACT)],
    since=(2, 10),
)
def add_or_update_artifacts(call: Call) -> Document:
    """Note artifacts; one of the same key and mode is replaced whole. Force makes no difference."""
    task = call.store.task(call.data["task"])
    check_status(task, CREATED, QUEUED, IN_PROGRESS)
    kept = {(one["key"], one["mode"]): one for one in task["execution"]["artifacts"]}
    for artifact in call.data["artifacts"]:
        given = without_nulls(artifact)
        entry = {"mode": OUTPUT, "display_data": [], **given}
        kept[entry["key"], entry["mode"]] = entry
    task["execution"]["artifacts"] = sorted_artifacts(kept.values())
    call.store.touch(task, call.store.now())
    return {"updated": 1}
