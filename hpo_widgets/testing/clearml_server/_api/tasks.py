"""What a Task is: its fields, its first state, which status may follow which, the checks of what is written into it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.documents import Document, new_id, stored
from hpo_widgets.testing.clearml_server._api.errors import ApiError, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_widgets.testing.clearml_server._api.store import Store

CREATED = "created"
QUEUED = "queued"
IN_PROGRESS = "in_progress"
STOPPED = "stopped"
_CLOSED = "closed"
COMPLETED = "completed"
FAILED = "failed"
PUBLISHED = "published"
STATUSES = (CREATED, QUEUED, IN_PROGRESS, STOPPED, _CLOSED, COMPLETED, FAILED, PUBLISHED, "publishing", "unknown")

# The status that is asked for → the statuses that it may follow without force.
_FOLLOWS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({CREATED, QUEUED, STOPPED, FAILED}),
    IN_PROGRESS: frozenset({CREATED, QUEUED, IN_PROGRESS, STOPPED, COMPLETED}),
    STOPPED: frozenset({QUEUED, IN_PROGRESS, STOPPED, _CLOSED, FAILED}),
    _CLOSED: frozenset({STOPPED, _CLOSED}),
    COMPLETED: frozenset({IN_PROGRESS, STOPPED, COMPLETED}),
    FAILED: frozenset({IN_PROGRESS, STOPPED, _CLOSED, FAILED}),
    PUBLISHED: frozenset({STOPPED, _CLOSED, COMPLETED, FAILED}),
}


def check_change(task: Document, new_status: str, *, force: bool) -> None:
    """Refuse a status that may not follow the Task's.

    Raises `ApiError`: 400/110.
    """
    status = task["status"]
    if not force and status not in _FOLLOWS[new_status]:
        raise bad_request(
            110,
            "Invalid task status",
            "Invalid status change",
            current_status=status,
            new_status=new_status,
        )


def check_status(task: Document, *allowed: str) -> None:
    """Refuse a Task that is in none of the statuses.

    Raises `ApiError`: 400/110, which names the first of them.
    """
    if task["status"] not in allowed:
        raise _not_in_status(task, allowed[0])


def _not_in_status(task: Document, expected: str) -> ApiError:
    """A Task that is not in the status that an operation needs."""
    return bad_request(110, "Invalid task status", expected=expected, status=task["status"])


def change(
    store: Store,
    task: Document,
    new_status: str,
    *,
    reason: str | None = None,
    message: str | None = None,
    moment: datetime | None = None,
    **values: Any,
) -> Document:
    """Write a status, whatever the status was.

    Reason and message are overwritten by every change, with "" when there is none.
    """
    moment = moment or store.now()
    written: Document = {
        "status": new_status,
        "status_reason": reason or "",
        "status_message": message or "",
        "status_changed": moment,
    }
    store.touch(task, moment)
    echo: Document = {
        **written,
        "last_update": moment,
        "last_change": moment,
        "last_changed_by": store.identity.user,
        **values,
    }
    for name, value in (written | values).items():
        if value is None:
            task.pop(name, None)
        else:
            task[name] = stored(value) if isinstance(value, datetime) else value
    return echo


TASK_TYPES = frozenset({
    "training", "testing", "inference", "data_processing", "application", "monitor", "controller", "report",
    "optimizer", "service", "qc", "custom",
})  # fmt: skip
TASK_FIELDS = frozenset({
    "id", "company", "user", "name", "type", "status", "status_reason", "status_message", "status_changed",
    "comment", "report", "report_assets", "created", "started", "completed", "published", "active_duration",
    "parent", "project", "output", "execution", "tags", "system_tags", "script", "last_worker",
    "last_worker_report", "last_update", "last_change", "last_changed_by", "last_iteration", "last_metrics",
    "unique_metrics", "metric_stats", "hyperparams", "configuration", "runtime", "models", "container",
    "enqueue_status", "hidden",
})  # fmt: skip
ARCHIVED = "archived"
DEVELOPMENT = "development"
_SHORTEST_NAME = 3


def check_name(name: Any) -> None:
    """Refuse a name of fewer than three characters: 400/800."""
    if isinstance(name, str) and len(name) < _SHORTEST_NAME:
        raise bad_request(800, "Data validation error", name="String value is too short")


def check_references(store: Store, values: Document) -> None:
    """Refuse a project or parent that does not exist: 400/16.

    Raises `ApiError`: 400/16 for one that does not exist.
    """
    project, parent = values.get("project"), values.get("parent")
    if project and project not in store.projects:
        raise bad_request(16, "Invalid value for fields", "expecting Project id", id=project, field="project")
    if parent and store.tasks.get(parent) is None:
        raise bad_request(16, "Invalid value for fields", "expecting Task id", id=parent, field="parent")


def new_task(store: Store, name: str, task_type: str) -> Document:
    """A Task in its first state, which is in no store yet."""
    moment = stored(store.now())
    return {
        "id": new_id(),
        "company": store.identity.company,
        "user": store.identity.user,
        "name": name,
        "type": task_type,
        "status": CREATED,
        "report_assets": [],
        "created": moment,
        "output": {},
        "execution": new_execution(),
        "tags": [],
        "system_tags": [],
        "script": {"binary": "python", "repository": "", "entry_point": "", "requirements": {}},
        "last_update": moment,
        "last_change": moment,
        "last_iteration": 0,
        "last_metrics": {},
        "unique_metrics": [],
        "metric_stats": {},
        "hyperparams": {},
        "configuration": {},
        "runtime": {},
        "models": {"input": [], "output": []},
        "container": {},
        "last_changed_by": store.identity.user,
    }


def new_execution() -> Document:
    """The execution section of a fresh Task."""
    return {"test_split": 0, "parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": []}


def sorted_tags(tags: Any) -> Any:
    """Tags as they are kept: sorted, doubles included; what is no list stays as it is."""
    return sorted(tags) if isinstance(tags, list) else tags


def without_none(sections: Any) -> Any:
    """Nested dicts without the keys whose value is None."""
    if not isinstance(sections, dict):
        return sections
    return {name: without_none(value) for name, value in sections.items() if value is not None}


def take_legacy_parameters(task: Document) -> None:
    """Move the parameters of older clients from the execution section to the section Args."""
    parameters = task["execution"].get("parameters")
    if parameters:
        section = task["hyperparams"].setdefault("Args", {})
        for name, value in parameters.items():
            section[name] = {"section": "Args", "name": name, "value": value, "type": "legacy"}
        task["execution"]["parameters"] = {}


def sorted_artifacts(artifacts: Iterable[Document]) -> list[Document]:
    """Artifacts as they are kept: by key, then mode."""
    return sorted(artifacts, key=lambda artifact: (artifact["key"], artifact["mode"]))
