"""``tasks.get_all``: filters, order, pages and projections."""

from __future__ import annotations

import hashlib

import pytest

LOSS = ".".join(["last_metrics", hashlib.md5(b"loss").hexdigest(), hashlib.md5(b"val").hexdigest(), "value"])


def names(api, **data):
    return [task["name"] for task in api("tasks.get_all", only_fields=["name"], **data)["tasks"]]


class TestFilters:
    def test_ids_come_once_in_order_of_creation_and_unknown_ones_not_at_all(self, api):
        first, second = api.task("first"), api.task("second")
        assert api.ids(id=[second, first, second, "unknown"]) == [first, second]
        assert api.ids(id=first) == [first]
        assert api.ids(id=["unknown"]) == []
        assert api.ids(id=[]) == [first, second]

    def test_a_parent_or_several(self, api):
        one, other = api.task("one"), api.task("other")
        child = api.task("child", parent=one)
        api.task("third", parent=other)
        assert api.ids(parent=one) == [child]
        assert names(api, parent=[one, other]) == ["child", "third"]

    def test_a_project_without_those_below_it(self, api):
        outer = api("projects.create", name="outer")["id"]
        inner = api("projects.create", name="outer/inner")["id"]
        api.task("above", project=outer)
        api.task("below", project=inner)
        api.task("nowhere")
        assert names(api, project=[outer]) == ["above"]
        assert names(api, project=[None]) == ["nowhere"]

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("created", ["fresh"]),
            (["created", "in_progress"], ["fresh", "runs"]),
            (["-in_progress"], ["fresh", "done"]),
            (["no such status"], []),
            ([], ["fresh", "runs", "done"]),
        ],
    )
    def test_a_status_or_several_or_all_but_one(self, api, status, found):
        api.task("fresh")
        api("tasks.started", task=api.task("runs"))
        done = api.task("done")
        api("tasks.started", task=done)
        api("tasks.completed", task=done)
        assert names(api, status=status) == found

    def test_a_type(self, api):
        api.task("training")
        api.task("optimizer", type="optimizer")
        assert names(api, type=["optimizer"]) == ["optimizer"]

    @pytest.mark.parametrize(
        ("tags", "found"),
        [
            (["x"], ["x only", "x and y"]),
            (["x", "y"], ["x only", "y only", "x and y"]),
            (["-x"], ["y only", "none"]),
            (["x", "-y"], ["x only"]),
            (["__$all", "x", "y"], ["x and y"]),
            (["__$and", "x", "y"], ["x and y"]),
            ([], ["x only", "y only", "x and y", "none"]),
        ],
    )
    def test_tags(self, api, tags, found):
        for name, own in {"x only": ["x"], "y only": ["y"], "x and y": ["x", "y"], "none": []}.items():
            api.task(name, tags=own)
        assert names(api, tags=tags) == found

    def test_a_name_is_an_unanchored_expression_and_cares_for_case(self, api):
        for name in ("train one", "Train two", "retrain"):
            api.task(name)
        assert names(api, name="train") == ["train one", "retrain"]
        assert names(api, name="^train") == ["train one"]
        assert names(api, name="TRAIN") == []
        assert api.error("tasks.get_all", name="(")[:2] == (400, 21)

    def test_a_pattern_in_all_fields(self, api):
        api.task("needle", comment="hay")
        api.task("straw", comment="needle")
        api.task("needles", comment="needles")
        fields = {"fields": ["name", "comment"], "pattern": "needle"}
        assert names(api, _all_=fields) == ["needles"]

    def test_times(self, api, server):
        api.task("early")
        server.skew(60)
        api.task("late")
        moments = [task["created"] for task in api("tasks.get_all", only_fields=["created"])["tasks"]]
        assert names(api, created=[f">={moments[1]}"]) == ["late"]
        assert names(api, created=[f">={moments[0]}", f"<{moments[1]}"]) == ["early"]

    def test_archived_tasks_are_found_unless_refused(self, api):
        api.task("shown")
        api("tasks.archive", tasks=[api.task("put away")])
        assert names(api) == ["shown", "put away"]
        assert names(api, system_tags=["-archived"]) == ["shown"]

    def test_hidden_tasks_are_found_by_id_or_if_asked(self, api):
        hidden = api.task("hidden", system_tags=["hidden"])
        assert names(api) == []
        assert names(api, id=[hidden]) == ["hidden"]
        assert names(api, search_hidden=True) == ["hidden"]

    def test_unknown_filters_are_ignored(self, api):
        api.task("any")
        assert names(api, no_such_filter=1) == ["any"]


class TestOrder:
    @pytest.fixture
    def tasks(self, api):
        found = {}
        for name, value in {"middle": 2.0, "none": None, "low": 1.0, "high": 3.0}.items():
            found[name] = api.task(name)
            if value is not None:
                api.report(found[name], (0, value))
        return found

    def test_tasks_without_the_metric_come_last_in_both_directions(self, api, tasks):
        assert names(api, order_by=[LOSS]) == ["low", "middle", "high", "none"]
        assert names(api, order_by=[f"-{LOSS}"]) == ["high", "middle", "low", "none"]

    def test_pages_run_across_that_boundary(self, api, tasks):
        pages = [names(api, order_by=[LOSS], page=page, page_size=3) for page in range(3)]
        assert pages == [["low", "middle", "high"], ["none"], []]

    def test_ties_are_in_the_order_of_the_ids_in_both_directions(self, api):
        ids = sorted(api.task("same name") for _ in range(5))
        assert api.ids(order_by=["name"]) == ids
        assert api.ids(order_by=["-name"]) == ids
        assert api.ids(order_by=["last_metrics.nobody.knows"]) == ids

    def test_a_second_field_decides_between_equals_of_the_first(self, api):
        for name, comment in (("bbb", "1"), ("aaa", "1"), ("ccc", "0")):
            api.task(name, comment=comment)
        assert names(api, order_by=["comment", "-name"]) == ["ccc", "bbb", "aaa"]

    def test_parameters_are_ordered_as_texts(self, api):
        for value in ("9", "10", "abc", "0.5", "1e-3"):
            parameter = {"section": "General", "name": "lr", "value": value}
            api.task(f"value {value}", hyperparams={"General": {"lr": parameter}})
        found = names(api, order_by=["hyperparams.General.lr.value"])
        assert found == [f"value {value}" for value in ("0.5", "10", "1e-3", "9", "abc")]

    def test_a_plain_text_as_order_is_ignored(self, api):
        ids = [api.task(name) for name in ("bbb", "aaa")]
        assert api.ids(order_by="name") == ids

    def test_an_unknown_field_is_refused(self, api):
        assert api.error("tasks.get_all", order_by=["nosuch"])[:2] == (400, 14)


class TestPages:
    @pytest.fixture
    def ids(self, api):
        return [api.task(f"task {number}") for number in range(5)]

    def test_pages_and_their_ends(self, api, ids):
        assert api.ids(page=0, page_size=2) == ids[:2]
        assert api.ids(page=2, page_size=2) == ids[4:]
        assert api.ids(page=9, page_size=2) == []
        assert api.ids(page_size=2) == ids[:2]
        assert api.ids(page=0) == ids
        assert api.ids(start=1, size=3) == ids[1:4]
        assert api.ids(page=0, page_size=100_000) == ids

    def test_no_answer_and_no_batch_of_events_goes_beyond_500_tasks(self, api):
        ids = [api.task(f"task {number}") for number in range(501)]
        assert api.ids(id=ids, page=0, page_size=len(ids)) == api.ids() == ids[:500]
        assert api.ids(page=1, page_size=len(ids)) == ids[500:]
        event = {"type": "training_stats_scalar", "metric": "loss", "variant": "val", "iter": 0, "value": 1.0}
        sent = api.batch(*({**event, "task": task} for task in ids))
        assert sent == {"added": 500, "errors": 1, "errors_info": {f"Invalid task id {ids[500]}": 1}}

    def test_impossible_pages_are_refused(self, api, ids):
        assert api.error("tasks.get_all", page_size=0) == (
            400,
            12,
            "Validation error (page_size must be >0): field=page_size",
        )
        assert api.error("tasks.get_all", page=-1, page_size=1)[2] == "Validation error (page must be >=0): field=page"

    def test_a_scroll_goes_on_where_it_was(self, api, ids):
        first = api("tasks.get_all", size=3, scroll_id=None, only_fields=["id"])
        second = api("tasks.get_all", size=3, scroll_id=first["scroll_id"], only_fields=["id"])
        assert [task["id"] for task in first["tasks"] + second["tasks"]] == ids
        assert first["scroll_id"] == second["scroll_id"]


class TestProjections:
    def test_only_the_named_fields_are_answered_and_the_id_only_if_named(self, api):
        task = api.task("named")
        assert api("tasks.get_all", id=[task], only_fields=["name"])["tasks"] == [{"name": "named"}]
        assert set(api("tasks.get_all", id=[task])["tasks"][0]) > {"id", "name", "hyperparams"}

    def test_paths_keep_their_nesting_and_an_absent_leaf_leaves_its_parents(self, api):
        parameter = {"section": "General", "name": "lr", "value": "1"}
        task = api.task(hyperparams={"General": {"lr": parameter}}, comment="kept")
        fields = ["hyperparams.General.lr", "execution.queue", "runtime._x", "comment"]
        assert api("tasks.get_all", id=[task], only_fields=fields)["tasks"] == [
            {"hyperparams": {"General": {"lr": parameter}}, "execution": {}, "runtime": {}, "comment": "kept"}
        ]

    def test_a_whole_section_and_a_path_into_it_give_the_whole(self, api):
        task = api.task(script={"entry_point": "train.py"})
        for fields in (["script", "script.entry_point"], ["script.entry_point", "script"]):
            (found,) = api("tasks.get_all", id=[task], only_fields=fields)["tasks"]
            assert found["script"]["binary"] == "python"
        assert api.read(task)["script"]["binary"] == "python"

    def test_fields_that_no_task_has_are_refused(self, api):
        assert api.error("tasks.get_all", only_fields=["nosuch"])[:2] == (400, 14)
        assert api.error("tasks.get_all", only_fields=["project.name"])[:2] == (400, 14)
        assert api.error("tasks.get_all", only_fields="name")[:2] == (400, 14)

    def test_one_task_is_read_whole_whatever_fields_are_named(self, api):
        task = api.task()
        found = api("tasks.get_by_id", task=task, only_fields=["name"])["task"]
        assert found["id"] == task


def test_unset_fields_are_absent_and_never_null(api):
    found = api.read(api.task())
    assert None not in found.values()
    assert not {"started", "completed", "status_changed", "status_reason", "parent", "project", "comment"} & set(found)


def test_a_question_with_ids_parents_or_a_project_looks_at_no_other_tasks(api, server, monkeypatch):
    project = api("projects.create", name="a project")["id"]
    parent = api.task("parent")
    child = api.task("child", parent=parent, project=project)

    def walk(table):
        raise AssertionError("all Tasks are walked through")

    monkeypatch.setattr(type(server._store.tasks), "__iter__", walk)
    assert api.ids(id=[child]) == api.ids(parent=parent) == api.ids(project=project) == [child]
    assert api.error("tasks.get_all")[2] == "all Tasks are walked through"
