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
    found = api("models.get_by_id", model=model)["model"]
    assert (found["name"], found["ready"]) == ("another", False)
    assert api.error("models.get_by_id", model="nobody")[:2] == (400, 201)


def test_models_are_found_by_name_task_and_id(api, model):
    task = api.task()
    other = api("models.create", name="other", uri="", task=task)["id"]
    for wanted, found in (({"name": "^other$"}, other), ({"task": [task]}, other), ({"id": [model]}, model)):
        assert api("models.get_all", only_fields=["id"], **wanted)["models"] == [{"id": found}]


def test_a_task_takes_in_and_puts_out_models(api, model):
    task = api.task()
    api("tasks.add_or_update_model", task=task, model=model, name="first", type="input")
    made = api("models.create", name="second", uri="http://more")["id"]
    api("tasks.add_or_update_model", task=task, model=made, name="second", type="output")
    assert api.read(task)["models"] == {
        "input": [{"name": "first", "model": model}],
        "output": [{"name": "second", "model": made}],
    }
