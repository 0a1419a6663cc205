"""Models, as far as the SDK registers them by itself."""

from __future__ import annotations

import pytest


@pytest.fixture
def model(api):
    return api("models.create", name="a model", uri="http://weights", tags=["b", "a"])["id"]


def test_a_model_is_made_read_and_written(api, model):
    found = api("models.get_by_id", model=model)["model"]
    assert (found["name"], found["uri"], found["tags"], found["ready"]) == (
        "a model",
        "http://weights",
        ["a", "b"],
        False,
    )
    api("models.edit", model=model, name="another")
    api("models.set_ready", model=model)
    found = api("models.get_by_id", model=model)["model"]
    assert (found["name"], found["ready"]) == ("another", True)
    assert api.error("models.get_by_id", model="nobody")[:2] == (400, 201)


def test_models_are_found_by_name_task_and_id(api, model):
    task = api.task()
    other = api("models.create", name="other", uri="", task=task)["id"]
    for wanted, found in (({"name": "^other$"}, other), ({"task": [task]}, other), ({"id": [model]}, model)):
        assert api("models.get_all", only_fields=["id"], **wanted)["models"] == [{"id": found}]


def test_a_task_takes_in_and_puts_out_models(api, model):
    task = api.task()
    api("tasks.add_or_update_model", task=task, model=model, name="first", type="input")
    made = api("models.update_for_task", task=task, uri="http://more", name="second")["id"]
    assert api.read(task)["models"] == {
        "input": [{"name": "first", "model": model}],
        "output": [{"name": "second", "model": made}],
    }


def test_words_about_a_model_join_or_replace_the_others(api, model):
    def keys(**data):
        api("models.add_or_update_metadata", model=model, **data)
        return sorted(api("models.get_by_id", model=model)["model"]["metadata"])

    assert keys(metadata=[{"key": "a", "type": "str", "value": "1"}]) == ["a"]
    assert keys(metadata=[{"key": "b", "type": "str", "value": "2"}]) == ["a", "b"]
    assert keys(metadata=[{"key": "c", "type": "str", "value": "3"}], replace_metadata=True) == ["c"]


def test_models_are_put_away_shown_again_and_deleted(api, model):
    found = api("models.archive_many", ids=[model, "nobody"])
    assert (len(found["succeeded"]), len(found["failed"])) == (1, 1)
    assert api("models.get_by_id", model=model)["model"]["system_tags"] == ["archived"]
    api("models.unarchive_many", ids=[model])
    assert api("models.get_by_id", model=model)["model"]["system_tags"] == []
    assert api("models.delete", model=model) == {"deleted": True, "url": "http://weights"}
    assert api("models.get_all")["models"] == []
