"""Projects, a tree by their names, which slashes divide; ``projects``: create, find, change and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server._api.documents import (
    Document,
    as_list,
    listed,
    new_id,
    projected,
    selected_fields,
    stored,
)
from hpo_widgets.testing.clearml_server._api.errors import ApiError, bad_request, validation_error
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.store import Store

_FEATURED = 9999


def project_named(store: Store, name: str) -> Document | None:
    """The project of a full name, if there is one."""
    return store.projects.get(store.project_ids.get(name, ""))


def make_project(store: Store, name: str, description: str = "", **values: object) -> Document:
    """Make a project, and those above it that are missing."""
    above, slash, basename = name.rpartition("/")
    parent = None
    if slash:
        parent = project_named(store, above) or make_project(store, above)
    moment = stored(store.now())
    project: Document = {
        "id": new_id(),
        "company": store.identity.company,
        "user": store.identity.user,
        "name": name,
        "basename": basename,
        "description": description,
        "created": moment,
        "tags": [],
        "system_tags": [],
        "last_update": moment,
        "featured": _FEATURED,
        "path": [],
        **values,
    }
    if parent is not None:
        project["parent"] = parent["id"]
        project["path"] = [*parent["path"], parent["id"]]
    store.projects[project["id"]] = project
    store.project_ids[name] = project["id"]
    return project


def cleaned_name(name: str) -> str:
    """A name without slashes and blanks at its ends."""
    return "/".join(part.strip() for part in name.split("/") if part.strip())


_PROJECT_FIELDS = frozenset({
    "id", "company", "user", "name", "basename", "description", "created", "tags", "system_tags",
    "default_output_destination", "last_update", "featured", "parent", "path",
})  # fmt: skip
_SHORTEST_NAME = 3


def unknown_project(project_id: str) -> ApiError:
    """A project that does not exist."""
    return bad_request(401, "Invalid project id", id=project_id)


@endpoint("projects.create", required=["name"])
def create(call: Call) -> Document:
    """Make a project and those above it."""
    name = cleaned_name(call.data["name"])
    if len(name) < _SHORTEST_NAME:
        raise validation_error("Project name cannot be blank")
    if project_named(call.store, name) is not None:
        raise bad_request(
            801, "Project with the same name already exists", name=name, company=call.store.identity.company
        )
    values = {
        field: call.data[field]
        for field in ("tags", "system_tags", "default_output_destination")
        if call.data.get(field)
    }
    return {"id": make_project(call.store, name, call.data.get("description") or "", **values)["id"]}


@endpoint("projects.get_by_id", [Field("project", str, required=True)])
def get_by_id(call: Call) -> Document:
    """One project."""
    return {"project": _project(call)}


def _project(call: Call) -> Document:
    project = call.store.projects.get(call.data["project"])
    if project is None:
        raise unknown_project(call.data["project"])
    return project


@endpoint("projects.get_all")
def get_all(call: Call) -> Document:
    """The projects that a request asks for."""
    data = call.data
    fields = selected_fields(data, _PROJECT_FIELDS)
    found = list(call.store.projects.values())
    if data.get("parent"):
        parents = set(as_list(data["parent"]))
        found = [project for project in found if project.get("parent") in parents]
    if data.get("shallow_search"):
        found = [project for project in found if "parent" not in project]
    found = listed(found, data, _PROJECT_FIELDS)
    if not fields:
        # Only one project alone tells its path.
        return {"projects": [{name: project[name] for name in project if name != "path"} for project in found]}
    return {"projects": projected(found, fields)}


@endpoint("projects.delete", [Field("project", str, required=True), Field("force", bool)])
def delete(call: Call) -> Document:
    """Forget a project and what is below it; one that holds Tasks only by force, and the Tasks are then in none."""
    store = call.store
    project = _project(call)
    gone = [project, *(one for one in store.projects.values() if project["id"] in one["path"])]
    tasks = store.tasks.of("project", [one["id"] for one in gone])
    if tasks and not call.data.get("force"):
        raise bad_request(402, "Project has associated tasks", "use force=true to delete", id=project["id"])
    for task in tasks:
        store.tasks.move(task, "project", None)
    for one in gone:
        del store.projects[one["id"]]
        del store.project_ids[one["name"]]
    return {"deleted": len(gone), "disassociated_tasks": len(tasks), "urls": None}
