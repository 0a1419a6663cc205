"""What is written into Tasks: creation, edits, parameters, artifacts, clones."""

from __future__ import annotations

import pytest


def parameter(name, value, section="General", **more):
    return {"section": section, "name": name, "value": value, **more}


class TestCreation:
    def test_a_new_task_has_these_fields_and_no_others(self, api):
        found = api.read(api.task("named", system_tags=["development"]))
        for name in ("id", "company", "user", "created", "last_update", "last_change", "last_changed_by"):
            assert found.pop(name)
        assert found == {
            "name": "named",
            "type": "training",
            "status": "created",
            "report_assets": [],
            "output": {},
            "execution": {"test_split": 0, "parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": []},
            "tags": [],
            "system_tags": ["development"],
            "script": {"binary": "python", "repository": "", "entry_point": "", "requirements": {}},
            "last_iteration": 0,
            "last_metrics": {},
            "unique_metrics": [],
            "metric_stats": {},
            "hyperparams": {},
            "configuration": {},
            "runtime": {},
            "models": {"input": [], "output": []},
            "container": {},
        }

    def test_a_name_may_be_very_long(self, api):
        assert api.read(api.task("n" * 5000))["name"] == "n" * 5000


class TestEdits:
    def test_parameters_and_runtime_are_replaced_whole(self, api):
        task = api.task()
        api("tasks.edit", task=task, hyperparams={"A": {"x": parameter("x", "1", "A")}}, runtime={"a": 1})
        api("tasks.edit", task=task, hyperparams={"B": {"y": parameter("y", "2", "B")}}, runtime={"b": 2})
        found = api.read(task)
        assert found["hyperparams"] == {"B": {"y": parameter("y", "2", "B")}}
        assert found["runtime"] == {"b": 2}

    def test_values_of_any_kind_are_kept_as_they_are_and_null_drops_the_key(self, api):
        task = api.task()
        values = {"n": 1, "t": True, "l": [1, "a"], "gone": None}
        api("tasks.edit", task=task, hyperparams={"S": {"x": values, "nothing": None}})
        assert api.read(task)["hyperparams"] == {"S": {"x": {"n": 1, "t": True, "l": [1, "a"]}}}

    def test_a_script_is_merged_field_by_field(self, api):
        task = api.task(script={"entry_point": "train.py", "branch": "main"})
        echo = api("tasks.edit", task=task, script={"diff": "+ 1"})["fields"]["script"]
        assert echo == api.read(task)["script"]
        assert (echo["entry_point"], echo["branch"], echo["diff"]) == ("train.py", "main", "+ 1")

    def test_tags_are_sorted_and_doubles_stay(self, api):
        task = api.task()
        api("tasks.edit", task=task, tags=["b", "a", "a"])
        assert api.read(task)["tags"] == ["a", "a", "b"]

    def test_a_status_is_written_without_a_look_at_it(self, api):
        task = api.task()
        api("tasks.edit", task=task, status="failed")
        found = api.read(task)
        assert found["status"] == "failed"
        assert "status_changed" not in found

    def test_the_last_iteration_is_not_for_clients(self, api):
        task = api.task()
        api("tasks.edit", task=task, last_iteration=7)
        assert api.read(task)["last_iteration"] == 0

    def test_labels_leave_the_time_of_the_last_update(self, api, server):
        task = api.task()
        before = api.read(task)
        server.skew(5)
        echo = api("tasks.edit", task=task, name="another", comment="c", tags=["t"])["fields"]
        after = api.read(task)
        assert after["last_update"] == before["last_update"]
        assert after["last_change"] > before["last_change"]
        assert "last_update" not in echo

    def test_legacy_parameters_move_to_the_section_of_arguments(self, api):
        task = api.task()
        api("tasks.edit", task=task, execution={"parameters": {"General/q": "5"}})
        found = api.read(task)
        assert found["execution"]["parameters"] == {}
        assert found["hyperparams"] == {"Args": {"General/q": parameter("General/q", "5", "Args", type="legacy")}}

    def test_a_parent_or_project_may_change_and_the_task_is_found_there(self, api):
        project = api("projects.create", name="a project")["id"]
        one, other, task = api.task(), api.task(), api.task()
        api("tasks.edit", task=task, parent=one, project=project)
        api("tasks.edit", task=task, parent=other)
        assert api.ids(parent=one) == []
        assert api.ids(parent=other) == api.ids(project=project) == [task]
        api("tasks.delete", task=task)
        assert api.ids(parent=one) == api.ids(parent=other) == api.ids(project=project) == []


class TestParameters:
    @pytest.fixture
    def task(self, api):
        section = {"lr": parameter("lr", "1"), "n": parameter("n", "2")}
        return api.task(hyperparams={"General": section, "Args": {"x": parameter("x", "3", "Args")}})

    @pytest.mark.parametrize(
        ("replace", "left"),
        [
            (None, {"General": ["lr", "n", "new"], "Args": ["x"]}),
            ("none", {"General": ["lr", "n", "new"], "Args": ["x"]}),
            ("section", {"General": ["new"], "Args": ["x"]}),
            ("all", {"General": ["new"]}),
        ],
    )
    def test_written_parameters_join_or_replace_the_others(self, api, task, replace, left):
        data = {} if replace is None else {"replace_hyperparams": replace}
        api("tasks.edit_hyper_params", task=task, hyperparams=[parameter("new", "4")], **data)
        found = api.read(task)["hyperparams"]
        assert {section: sorted(names) for section, names in found.items()} == left

    def test_properties_are_written_in_any_status(self, api, task):
        api("tasks.completed", task=task, force=True)
        api("tasks.edit_hyper_params", task=task, hyperparams=[parameter("p", "1", "properties")])
        assert api.read(task)["hyperparams"]["properties"]["p"]["value"] == "1"
        assert api.error("tasks.edit_hyper_params", task=task, hyperparams=[parameter("lr", "1")])[:2] == (400, 110)


def test_artifacts_are_kept_by_key_and_mode_and_replaced_whole(api):
    task = api.task()

    def send(key, **values):
        artifact = {"key": key, "type": "dict", **values}
        assert api("tasks.add_or_update_artifacts", task=task, artifacts=[artifact]) == {"updated": 1}

    send("zeta", uri="http://one", hash="h")
    send("alpha", uri="http://two")
    send("zeta", uri="http://three")
    send("zeta", uri="http://four", mode="input")
    found = api.read(task)["execution"]["artifacts"]
    assert [(one["key"], one["mode"], one["uri"]) for one in found] == [
        ("alpha", "output", "http://two"),
        ("zeta", "input", "http://four"),
        ("zeta", "output", "http://three"),
    ]
    assert all(one["display_data"] == [] and "hash" not in one for one in found)


class TestClones:
    @pytest.fixture
    def source(self, api):
        """A Task with everything, which has run and was put away."""
        project = api("projects.create", name="a project")["id"]
        task = api.task(
            "template",
            comment="a comment",
            project=project,
            tags=["t"],
            system_tags=["development", "kept"],
            hyperparams={"General": {"lr": parameter("lr", "1")}},
            configuration={"c": {"name": "c", "value": "v"}},
            container={"image": "python:3"},
            script={"entry_point": "train.py"},
        )
        api("tasks.started", task=task)
        artifacts = [{"key": "out", "type": "dict"}, {"key": "in", "type": "dict", "mode": "input"}]
        api("tasks.add_or_update_artifacts", task=task, artifacts=artifacts)
        api("tasks.edit", task=task, runtime={"a": 1}, force=True)
        api.report(task, (3, 1.0))
        api("tasks.completed", task=task)
        api("tasks.archive", tasks=[task])
        return task

    def test_what_it_is_to_run_with_is_copied(self, api, source):
        before, copy = api.read(source), api.read(api("tasks.clone", task=source)["id"])
        for name in (
            "name",
            "type",
            "comment",
            "project",
            "tags",
            "hyperparams",
            "configuration",
            "container",
            "script",
        ):
            assert copy[name] == before[name]
        assert copy["system_tags"] == ["kept"]
        assert [artifact["key"] for artifact in copy["execution"]["artifacts"]] == ["in"]

    def test_what_a_run_wrote_is_not(self, api, source):
        copy = api.read(api("tasks.clone", task=source)["id"])
        absent = {"started", "completed", "status_changed", "status_reason", "status_message", "active_duration"}
        assert not absent & set(copy)
        assert copy["status"] == "created"
        assert copy["last_iteration"] == 0
        assert [copy[name] for name in ("last_metrics", "metric_stats", "runtime")] == [{}, {}, {}]

    def test_a_copy_is_a_copy(self, api, source):
        copy = api("tasks.clone", task=source)["id"]
        before = api.read(source)
        api("tasks.edit_hyper_params", task=copy, hyperparams=[parameter("lr", "2")])
        api("tasks.edit", task=copy, execution={"parameters": {"legacy": "3"}})
        assert api.read(source) == before

    def test_the_parent_is_the_given_else_the_sources_else_the_source(self, api):
        grandparent = api.task()
        source = api.task(parent=grandparent)
        assert api.read(api("tasks.clone", task=source, new_task_parent=source)["id"])["parent"] == source
        assert api.read(api("tasks.clone", task=source)["id"])["parent"] == grandparent
        assert api.read(api("tasks.clone", task=grandparent)["id"])["parent"] == grandparent

    def test_what_a_request_names_is_written_instead(self, api, source):
        project = api("projects.create", name="another project")["id"]
        copy = api(
            "tasks.clone",
            task=source,
            new_task_name="another name",
            new_task_comment="another comment",
            new_task_project=project,
            new_task_tags=["b", "a"],
            new_task_system_tags=["s"],
            new_task_hyperparams={"Args": {"x": parameter("x", "9", "Args")}},
            new_task_container={"image": "other"},
        )["id"]
        found = api.read(copy)
        assert (found["name"], found["comment"], found["project"]) == ("another name", "another comment", project)
        assert (found["tags"], found["system_tags"]) == (["a", "b"], ["s"])
        assert found["hyperparams"] == {"Args": {"x": parameter("x", "9", "Args")}}
        assert found["container"] == {"image": "other"}

    def test_a_project_may_be_made_for_it(self, api, source):
        first = api("tasks.clone", task=source, new_project_name="brand/new")
        assert first["new_project"]["name"] == "brand/new"
        again = api("tasks.clone", task=source, new_project_name="brand/new")
        assert "new_project" not in again
        assert api.read(first["id"])["project"] == api.read(again["id"])["project"] == first["new_project"]["id"]
