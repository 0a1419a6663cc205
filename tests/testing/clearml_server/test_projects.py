"""Projects: a tree by their names."""

from __future__ import annotations

import pytest


def names(api, **data):
    return [project["name"] for project in api("projects.get_all", only_fields=["name"], **data)["projects"]]


def test_a_project_makes_those_above_it_and_knows_its_path(api):
    inner = api("projects.create", name="/lab/hpo/")["id"]
    found = api("projects.get_by_id", project=inner)["project"]
    (outer,) = api("projects.get_all", name="^lab$")["projects"]
    assert (found["name"], found["basename"]) == ("lab/hpo", "hpo")
    assert (found["parent"], found["path"]) == (outer["id"], [outer["id"]])
    assert "parent" not in outer


def test_projects_are_found_by_name_and_level(api):
    for name in ("lab/hpo", "laboratory", "other"):
        api("projects.create", name=name)
    assert names(api, name="^lab/hpo$") == ["lab/hpo"]
    assert names(api, name="lab") == ["lab", "lab/hpo", "laboratory"]
    assert names(api, shallow_search=True) == ["lab", "laboratory", "other"]
    assert names(api, order_by=["-name"], page=0, page_size=1) == ["other"]


@pytest.mark.parametrize(
    ("name", "error"),
    [("ab", (400, 12)), ("lab", (400, 801))],
)
def test_a_name_is_long_enough_and_new(api, name, error):
    api("projects.create", name="lab")
    assert api.error("projects.create", name=name)[:2] == error


def test_a_project_with_tasks_is_deleted_by_force_alone_and_they_stay(api):
    project = api("projects.create", name="lab")["id"]
    task = api.task(project=project)
    assert api.error("projects.delete", project=project)[:2] == (400, 402)
    assert api("projects.delete", project=project, force=True)["deleted"] == 1
    assert "project" not in api.read(task)
    assert api.error("projects.get_by_id", project=project)[:2] == (400, 401)
