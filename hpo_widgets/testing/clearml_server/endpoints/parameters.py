"""``tasks``: hyperparameters and configuration objects, one by one."""

from __future__ import annotations

from hpo_widgets.testing.clearml_server.documents import Document, without_nulls
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import CREATED, IN_PROGRESS, QUEUED, check_status

# The one section that may be written at any time.
FREE_SECTION = "properties"
_TASK = Field("task", str, required=True)
_FORCE = Field("force", bool)
_PARAMETER = (
    Field("section", str, required=True),
    Field("name", str, required=True),
    Field("value", str, required=True),
    Field("type", str),
    Field("description", str),
)
_KEY = (Field("section", str, required=True), Field("name", str))
_CONFIGURATION = (
    Field("name", str, required=True),
    Field("value", str),
    Field("type", str),
    Field("description", str),
)
_TASKS = Field("tasks", list, filled=True)
_REPLACE = frozenset({"none", "section", "all"})


def _check_editable(call: Call, task: Document) -> None:
    """Force helps in two more statuses, and in no others."""
    more = (QUEUED, IN_PROGRESS) if call.data.get("force") else ()
    check_status(task, CREATED, *more)


@endpoint(
    "tasks.edit_hyper_params",
    [
        _TASK,
        _FORCE,
        Field("hyperparams", list, filled=True, items=_PARAMETER),
        Field("replace_hyperparams", str, choices=_REPLACE),
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


@endpoint("tasks.delete_hyper_params", [_TASK, _FORCE, Field("hyperparams", list, filled=True, items=_KEY)])
def delete_hyper_params(call: Call) -> Document:
    """Forget parameters or whole sections."""
    task = call.store.task(call.data["task"])
    items = call.data["hyperparams"]
    if any(item["section"] != FREE_SECTION for item in items):
        _check_editable(call, task)
    kept = {name: dict(section) for name, section in task["hyperparams"].items()}
    for item in items:
        if item.get("name"):
            kept.get(item["section"], {}).pop(item["name"], None)
        else:
            kept.pop(item["section"], None)
    task["hyperparams"] = {name: section for name, section in kept.items() if section}
    call.store.touch(task, call.store.now())
    return {"deleted": 1}


@endpoint("tasks.get_hyper_params", [_TASKS])
def get_hyper_params(call: Call) -> Document:
    """The parameters of some Tasks, as sorted lists."""
    result = []
    for task in call.store.tasks.of_ids(call.data["tasks"]):
        items = [item for section in task["hyperparams"].values() for item in section.values()]
        result.append({"task": task["id"], "hyperparams": sorted(items, key=_section_and_name)})
    return {"params": result}


def _section_and_name(item: Document) -> tuple[str, str]:
    return str(item.get("section", "")), str(item.get("name", ""))


@endpoint(
    "tasks.edit_configuration",
    [
        _TASK,
        _FORCE,
        Field("configuration", list, filled=True, items=_CONFIGURATION),
        Field("replace_configuration", bool),
    ],
)
def edit_configuration(call: Call) -> Document:
    """Write some configuration objects and leave the others."""
    task = call.store.task(call.data["task"])
    _check_editable(call, task)
    kept = {} if call.data.get("replace_configuration") else dict(task["configuration"])
    for item in call.data["configuration"]:
        kept[item["name"]] = without_nulls(item)
    task["configuration"] = kept
    call.store.touch(task, call.store.now())
    return {"updated": 1}


@endpoint("tasks.delete_configuration", [_TASK, _FORCE, Field("configuration", list, filled=True)])
def delete_configuration(call: Call) -> Document:
    """Forget configuration objects."""
    task = call.store.task(call.data["task"])
    _check_editable(call, task)
    gone = set(call.data["configuration"])
    task["configuration"] = {name: item for name, item in task["configuration"].items() if name not in gone}
    call.store.touch(task, call.store.now())
    return {"deleted": 1}


@endpoint("tasks.get_configurations", [_TASKS, Field("names", list)])
def get_configurations(call: Call) -> Document:
    """The configuration objects of some Tasks, as sorted lists."""
    names = set(call.data.get("names") or ())
    return {
        "configurations": [
            {
                "task": task["id"],
                "configuration": [
                    item for name, item in sorted(task["configuration"].items()) if not names or name in names
                ],
            }
            for task in call.store.tasks.of_ids(call.data["tasks"])
        ],
    }


@endpoint("tasks.get_configuration_names", [_TASKS])
def get_configuration_names(call: Call) -> Document:
    """The names of the configuration objects of some Tasks."""
    return {
        "configurations": [
            {"task": task["id"], "names": sorted(task["configuration"])}
            for task in call.store.tasks.of_ids(call.data["tasks"])
        ],
    }
