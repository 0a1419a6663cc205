"""``tasks``: the list of artifacts of a Task."""

from __future__ import annotations

from hpo_widgets.testing.clearml_server.documents import Document, without_nulls
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import CREATED, IN_PROGRESS, QUEUED, check_status
from hpo_widgets.testing.clearml_server.tasks import sorted_artifacts

OUTPUT = "output"
_TASK = Field("task", str, required=True)
_ARTIFACT = (Field("key", str, required=True), Field("type", str, required=True), Field("mode", str))
_KEY = (Field("key", str, required=True), Field("mode", str))


@endpoint(
    "tasks.add_or_update_artifacts",
    [_TASK, Field("force", bool), Field("artifacts", list, filled=True, items=_ARTIFACT)],
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


@endpoint(
    "tasks.delete_artifacts",
    [_TASK, Field("force", bool), Field("artifacts", list, filled=True, items=_KEY)],
    since=(2, 10),
)
def delete_artifacts(call: Call) -> Document:
    """Forget artifacts."""
    task = call.store.task(call.data["task"])
    check_status(task, CREATED, QUEUED, IN_PROGRESS)
    gone = {(one["key"], one.get("mode") or OUTPUT) for one in call.data["artifacts"]}
    task["execution"]["artifacts"] = [
        one for one in task["execution"]["artifacts"] if (one["key"], one["mode"]) not in gone
    ]
    call.store.touch(task, call.store.now())
    return {"deleted": 1}
