"""Projects: a tree by their names, which slashes divide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.clock import stored
from hpo_widgets.testing.clearml_server.documents import Document, new_id

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.store import Store

FEATURED = 9999


def project_named(store: Store, name: str) -> Document | None:
    """The project of a full name, if there is one.

    Parameters
    ----------
    store : Store
        Where it is.
    name : str
        The full name.

    Returns
    -------
    dict or None
        The project; None when there is none.
    """
    return store.projects.get(store.project_ids.get(name, ""))


def make_project(store: Store, name: str, description: str = "", **values: object) -> Document:
    """Make a project, and those above it that are missing.

    Parameters
    ----------
    store : Store
        Where.
    name : str
        The full name, which no project has yet.
    description : str, default ""
        What it is about.
    **values
        Other fields.

    Returns
    -------
    dict
        The project.
    """
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
        "featured": FEATURED,
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
