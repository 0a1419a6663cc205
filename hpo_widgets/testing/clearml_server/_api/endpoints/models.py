"""``models``: what Tasks train, as far as the SDK registers it by itself.

No recording covers these: they follow the published description of the API.
"""

from __future__ import annotations

from hpo_widgets.testing.clearml_server._api.documents import (
    Document,
    as_list,
    listed,
    new_id,
    projected,
    selected_fields,
    stored,
)
from hpo_widgets.testing.clearml_server._api.errors import bad_request
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint
from hpo_widgets.testing.clearml_server._api.tasks import sorted_tags

_MODEL = Field("model", str, required=True)
_TASK = Field("task", str, required=True)
_WRITABLE = (
    "name", "uri", "comment", "framework", "labels", "design", "tags", "system_tags", "parent", "project",
    "task", "ready", "metadata",
)  # fmt: skip
_MODEL_FIELDS = frozenset({*_WRITABLE, "id", "company", "user", "created", "last_update", "last_iteration"})


def _model(call: Call, model_id: str) -> Document:
    model = call.store.models.get(model_id)
    if model is None:
        raise bad_request(201, "Invalid model id", id=model_id, company=call.store.identity.company)
    return model


def _write(call: Call, model: Document) -> Document:
    """Write what the request has of a model's fields; what was written."""
    fields = {name: call.data[name] for name in _WRITABLE if call.data.get(name) is not None and name != "metadata"}
    for name in ("tags", "system_tags"):
        if name in fields:
            fields[name] = sorted_tags(fields[name])
    model.update(fields, last_update=stored(call.store.now()))
    return fields


@endpoint("models.create", [Field("uri", str), Field("name", str, required=True)])
def create(call: Call) -> Document:
    """Note a model."""
    identity, moment = call.store.identity, stored(call.store.now())
    model: Document = {
        "id": new_id(),
        "company": identity.company,
        "user": identity.user,
        "created": moment,
        "ready": False,
        "labels": {},
        "design": {},
        "tags": [],
        "system_tags": [],
        "metadata": {},
    }
    task = call.store.tasks.get(call.data.get("task"))
    if task is not None and "project" in task:
        model["project"] = task["project"]
    _write(call, model)
    call.store.models[model["id"]] = model
    return {"id": model["id"], "created": True}


@endpoint("models.get_by_id", [_MODEL])
def get_by_id(call: Call) -> Document:
    """One model."""
    return {"model": _model(call, call.data["model"])}


@endpoint("models.get_all")
def get_all(call: Call) -> Document:
    """The models that a request asks for."""
    data = call.data
    fields = selected_fields(data, _MODEL_FIELDS)
    found = list(call.store.models.values())
    for filter_name in ("task", "project"):
        if data.get(filter_name):
            wanted = set(as_list(data[filter_name]))
            found = [model for model in found if model.get(filter_name) in wanted]
    return {"models": projected(listed(found, data, _MODEL_FIELDS), fields)}


@endpoint("models.edit", [_MODEL])
def edit(call: Call) -> Document:
    """Write fields of a model."""
    return {"updated": 1, "fields": _write(call, _model(call, call.data["model"]))}


@endpoint("tasks.add_or_update_model", [_TASK, _MODEL, Field("name", str), Field("type", str)], since=(2, 13))
def add_or_update_model(call: Call) -> Document:
    """A Task takes in or puts out a model."""
    task = call.task
    _model(call, call.data["model"])
    name = call.data.get("name") or call.data["model"]
    side = call.data.get("type") or "output"
    others = [one for one in task["models"][side] if one["name"] != name]
    task["models"] = {**task["models"], side: [*others, {"name": name, "model": call.data["model"]}]}
    call.store.touch(task, call.store.now())
    return {"updated": 1}
