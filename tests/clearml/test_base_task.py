"""Whether a space and objectives fit the Task that is to be cloned: told before anything runs, with what would."""

from __future__ import annotations

import re

import pytest
from clearml import Task

from hpo_widgets import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.engines.clearml.base_task import BaseTask
from hpo_widgets.engines.clearml.server import server
from hpo_widgets.objectives import make_objectives
from hpo_widgets.space import Space
from tests.clearml.fake_worker import make_base_task
from tests.runs import finished


def entries(**types):
    return {name: {"name": name, "value": "1", "type": kind} for name, kind in types.items()}


def task(**fields):
    """A Task with parameters of all types that has reported two scalars and the machine's load."""
    defaults = {
        "hyperparams": {
            "General": entries(
                lr="float", units="int", kind="str", shuffle="bool", sizes="list/int", map="dict", free=None
            ),
            # By argparse: one value, and several.
            "Args": {**entries(depth="int"), "layers": {"name": "layers", "value": "[4, 2]", "type": "int"}},
        },
        "last_metrics": {
            "a": {
                "b": {"metric": "validation", "variant": "loss", "value": 1},
                "c": {"metric": "validation", "variant": "accuracy", "value": 1},
            },
            "d": {"e": {"metric": ":monitor:machine", "variant": "cpu_usage", "value": 1}},
        },
    }
    return BaseTask("0" * 32, "train", None, **{**defaults, **fields})


@pytest.mark.parametrize("name", ["lr", "General/lr", "Args/depth"])
def test_a_name_that_the_task_has_is_taken_with_its_section_or_as_general(name):
    assert task().check_names([name]) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lrr", "Task 'train' has no parameter 'General/lrr'. Did you mean 'General/lr'?"),
        ("depth", "Task 'train' has no parameter 'General/depth'. Did you mean 'Args/depth'?"),
        ("General/Units", "Task 'train' has no parameter 'General/Units'. Did you mean 'General/units'?"),
    ],
)
def test_a_name_that_the_task_does_not_have_is_refused_with_a_near_one(name, sentence):
    with pytest.raises(ValueError) as raised:
        task().check_names([name])
    assert str(raised.value) == sentence


def test_a_task_that_never_ran_has_no_parameters_to_compare_with():
    [sentence] = task(hyperparams={}).check_names(["lr", "Args/depth"])
    assert sentence.startswith("Task 'train' has no parameters, as it has never run; whether its script takes 'lr'")


@pytest.mark.parametrize(
    "parameter",
    [
        UniformParameterRange("lr", 0, 1),
        LogUniformParameterRange("lr", -4, -1),
        UniformIntegerParameterRange("lr", 1, 4),
        UniformIntegerParameterRange("units", 1, 4),
        DiscreteParameterRange("units", [1, "2", None]),
        DiscreteParameterRange("shuffle", [True, False, "true"]),
        DiscreteParameterRange("map", [{"a": 1}]),
        DiscreteParameterRange("sizes", [[1, 2], (3,), "[4]"]),
        DiscreteParameterRange("Args/layers", [[8, 4], [2]]),
        DiscreteParameterRange("free", [1, "1", None, True, [1, [None]], {"a": {"b": [1]}}, (1,)]),
        DiscreteParameterRange("kind", ["1", "true", 1]),
    ],
    ids=str,
)
def test_values_that_the_script_gets_as_they_are_are_taken(parameter):
    task().check_values(Space([parameter]))


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        (UniformParameterRange("units", 1, 4), "'units' is an int in Task 'train', but UniformParameterRange gives"),
        (UniformIntegerParameterRange("shuffle", 0, 1), "'shuffle' is a bool in Task 'train', but"),
        (UniformParameterRange("sizes", 0, 1), "'sizes' is a list/int in Task 'train', but UniformParameterRange"),
        (UniformIntegerParameterRange("Args/layers", 1, 4), "'Args/layers' is a list/int in Task 'train', but"),
        (DiscreteParameterRange("units", ["many"]), "'units' is of type int .* would not get 'many'"),
        (DiscreteParameterRange("units", [True]), "'units' is of type int .* would not get True"),
        (DiscreteParameterRange("units", [1.5]), "'units' is of type int .* would not get 1.5"),
        (DiscreteParameterRange("shuffle", [1]), "'shuffle' is of type bool .* would not get 1"),
        (DiscreteParameterRange("map", [[1]]), "'map' is of type dict .* would not get"),
        (DiscreteParameterRange("sizes", [{"a": 1}]), "'sizes' is of type list/int .* would not get {'a': 1}"),
        (DiscreteParameterRange("lr", ["fast"]), "'lr' is of type float .* would not get 'fast'"),
        (DiscreteParameterRange("shuffle", ["perhaps"]), "'shuffle' is of type bool .* would not get 'perhaps'"),
        (DiscreteParameterRange("free", [{1: "a"}]), "cannot be a choice of 'free' on ClearML, where values are text"),
        (
            DiscreteParameterRange("free", [[b"bytes"]]),
            "cannot be a choice of 'free' on ClearML, where values are text",
        ),
        (DiscreteParameterRange("free", [object]), "cannot be a choice of 'free' on ClearML, where values are text"),
        (DiscreteParameterRange("free", [[{1}]]), "cannot be a choice of 'free' on ClearML, where values are text"),
    ],
    ids=lambda value: str(value) if not isinstance(value, str) else "",
)
def test_values_that_the_script_would_not_get_are_refused(parameter, sentence):
    with pytest.raises(ValueError, match=sentence):
        task().check_values(Space([parameter]))


def test_an_objective_that_the_task_reports_is_taken():
    assert task().check_objectives(make_objectives("validation", "loss", "min")) == []


def test_an_objective_that_the_task_does_not_report_is_refused_with_a_near_one():
    objectives = make_objectives(["validation", "validation"], ["loss", "los"], ["min", "min"])
    with pytest.raises(ValueError, match="has not reported the objective 'validation/los'. Did you mean"):
        task().check_objectives(objectives)


@pytest.mark.parametrize("metrics", [{}, {"d": {"e": {"metric": ":monitor:gpu", "variant": "mem", "value": 1}}}])
def test_a_task_that_has_reported_nothing_of_its_own_has_no_objectives_to_compare_with(metrics):
    [sentence] = task(last_metrics=metrics).check_objectives(make_objectives("validation", "loss", "min"))
    assert sentence == (
        "Task 'train' has reported nothing yet; whether trials report 'validation/loss' will be known when they run"
    )


# By the constructor ----------------------------------------------------------------------------------------------


def test_a_misfit_is_told_at_construction_and_nothing_was_made(task_search, api_client, base_task):
    with pytest.raises(ValueError, match="Task 'train' has no parameter 'General/units2'"):
        task_search([UniformIntegerParameterRange("units2", 1, 4)])
    with pytest.raises(ValueError, match="'units' is an int in Task 'train'"):
        task_search([UniformParameterRange("units", 1, 4)])
    with pytest.raises(ValueError, match="has not reported the objective 'validation/lost'. Did you mean"):
        task_search(objective_metric_series="lost")
    assert list(api_client.tasks.get_all(parent=base_task, search_hidden=True)) == []


def test_a_base_task_is_found_by_project_and_name(optimizer, base_task, project):
    made = finished(optimizer(base=f"{project}/train", total_max_jobs=1))
    assert Task.get_task(task_id=made.trial(0).id).parent == base_task


def test_an_archived_task_is_found_by_its_name_only_where_there_is_no_other(api_client, base_task, project):
    newer = make_base_task(api_client, project)
    api_client.tasks.archive(tasks=[newer])
    assert BaseTask.read(server(), f"{project}/train").id == base_task
    api_client.tasks.archive(tasks=[base_task])
    assert BaseTask.read(server(), f"{project}/train").id in {base_task, newer}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{project}/trian", "there is no Task 'trian' in the project '{project}'. Did you mean 'train'?"),
        (
            "{project}s/train",
            "the Task '{project}s/train' cannot be found: there is no project '{project}s' on the ClearML server",
        ),
    ],
)
def test_a_name_that_no_task_has_is_refused_with_a_near_one(task_search, project, name, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence.format(project=project))):
        task_search(base=name.format(project=project))


def test_what_a_task_that_never_ran_leaves_open_is_shown_and_the_search_runs(task_search, worker, api_client, project):
    draft = make_base_task(api_client, project, parameters={}, reports=False)
    made = task_search(base=draft)
    assert [(notice.source, "when" in notice.sentence) for notice in made.errors] == [("template", True)] * 2
    assert made.name == "train"
    finished(made)
    assert len(worker.taken) == 3


def test_a_limit_of_memory_is_for_this_machine_and_a_queue_has_another(task_search):
    with pytest.raises(ValueError, match="max_memory_per_job limits processes of this machine.*--memory=8g"):
        task_search(max_memory_per_job=8)


def test_an_environment_of_workers_does_not_reach_tasks_and_the_search_says_so(task_search):
    [notice] = task_search(worker_env={0: {"CUDA_VISIBLE_DEVICES": "0"}}).errors
    assert notice.sentence.startswith("worker_env has no effect on a ClearML Task")
