"""A search's arguments, checked and put into a definition."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from optuna.pruners import NopPruner

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.engines.local.template import ScriptTemplate
from hpo_widgets.journal import DIRECTORY
from hpo_widgets.optimizer.definition import (
    CONTROLLER_KEYWORDS,
    define,
    split_keywords,
)
from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.search.limits import Settings
from hpo_widgets.strategies import GridSearch, OptimizerOptuna, RandomSearch
from tests.runs import X, identity


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--x', type=float)\n")
    return path


def defined(base_task_id=identity, hyper_parameters=(X,), recorded=None, **keywords):
    arguments = {
        "objective_metric_title": None,
        "objective_metric_series": None,
        "objective_metric_sign": None,
        "optimizer_class": RandomSearch,
        "max_number_of_concurrent_tasks": None,
        "optimization_time_limit": None,
        "compute_time_limit": None,
    }
    named = {name: keywords.pop(name, default) for name, default in arguments.items()}
    return define(
        base_task_id=base_task_id,
        hyper_parameters=hyper_parameters,
        recorded=recorded or {},
        optimizer_kwargs=keywords,
        **named,
    )


# The whole --------------------------------------------------------------------------------------------------------


def test_a_callable_and_its_space_are_enough():
    made = defined()
    assert made.name == "identity"
    assert [objective.key for objective in made.objectives] == ["objective/objective"]
    assert made.objectives[0].minimise
    assert made.settings == Settings(default_concurrency())
    assert made.path == Path(DIRECTORY).absolute() / f"{made.search_id}.sqlite"
    assert type(made.strategy) is RandomSearch
    assert not made.is_seeded


def test_the_header_is_json_with_all_that_makes_the_search_again():
    made = defined(
        hyper_parameters=[X, DiscreteParameterRange("kind", ["a", "b"])],
        base_task_id=lambda x, kind: x,
        objective_metric_title="validation",
        objective_metric_series="accuracy",
        objective_metric_sign="max_global",
        max_number_of_concurrent_tasks=3,
        name="digits",
        seed=5,
        total_max_jobs=9,
        recorded={"spawn_project": "group"},
    )
    header = json.loads(json.dumps(made.header))
    assert (header["name"], header["engine"], header["strategy"]) == ("digits", "callable", "RandomSearch")
    assert (header["seed"], header["is_seeded"], header["group"]) == (5, True, "group")
    assert header["objectives"] == [["validation", "accuracy", "max_global"]]
    assert header["space"] == json.loads(json.dumps(made.space.to_dict()))
    assert Settings(**header["settings"]) == made.settings == Settings(3, total_max_jobs=9)
    assert header["arguments"]["total_max_jobs"] == 9


def test_a_search_without_a_seed_can_be_repeated_too():
    made = defined()
    assert made.header["seed"] == made.strategy.seed
    assert made.header["is_seeded"] is False


def test_a_task_that_the_sdk_has_not_found_is_told_of():
    with pytest.raises(TypeError, match=r"got None; Task.get_task returns None if its project has no such Task"):
        defined(None)


@pytest.mark.parametrize("given", [{"GPU": "0"}, {0: "GPU=0"}, ["GPU=0"], "GPU=0", 7], ids=str)
def test_an_environment_that_belongs_to_no_worker_is_refused(given):
    with pytest.raises(TypeError, match="by its index, from 0"):
        defined(worker_env=given)


def test_a_path_is_recorded_as_text_and_what_json_cannot_hold_by_its_repr_and_name(tmp_path):
    pruner = NopPruner()
    made = defined(journal=tmp_path / "journals", optimizer_class=OptimizerOptuna, optuna_pruner=pruner)
    assert made.path.parent == tmp_path / "journals"
    arguments = made.header["arguments"]
    assert (arguments["journal"], arguments["optuna_pruner"]) == (str(tmp_path / "journals"), repr(pruner))
    assert made.header["only_named"] == ["optuna_pruner"]


def test_a_number_of_numpy_is_recorded_as_the_number():
    made = defined(
        optimizer_class=OptimizerOptuna,
        recorded={"save_top_k_tasks_only": np.int64(5)},
        max_iteration_per_job=np.int64(27),
        time_limit_per_job=np.float32(0.5),
    )
    arguments = made.header["arguments"]
    assert arguments == {"save_top_k_tasks_only": 5, "max_iteration_per_job": 27, "time_limit_per_job": 0.5}
    assert [type(value) for value in arguments.values()] == [int, int, float]
    assert made.save_top_k == 5


@pytest.mark.parametrize("given", [True, 5.0, np.float64(5), np.True_, "5"])
def test_how_many_trials_are_not_archived_is_a_whole_number(given):
    with pytest.raises(TypeError, match="save_top_k_tasks_only must be a whole number of trials, or None to keep all"):
        defined(recorded={"save_top_k_tasks_only": given})


def test_a_script_has_to_say_what_it_reports(script):
    with pytest.raises(TypeError, match="objective_metric_title is needed for a script"):
        defined(script)
    with pytest.raises(TypeError, match="objective_metric_series is needed for a script"):
        defined(script, objective_metric_title="a")
    made = defined(script, objective_metric_title="a", objective_metric_series="b")
    assert made.header["engine"] == "script"
    assert isinstance(made.template, ScriptTemplate)


def test_a_space_may_come_from_any_iterable():
    assert defined(hyper_parameters=iter([X])).space.names == ("x",)


class RecordedEngine:
    """Stands in the place of the default engine and keeps how it was made."""

    def __init__(self, template, **keywords):
        self.template = template
        self.keywords = keywords


def test_the_engine_gets_workers_environment_and_the_choices_of_a_callable():
    unpicklable = object()
    space = [X, DiscreteParameterRange("kind", [unpicklable, "b"])]
    made = defined(lambda x, kind: x, space, worker_env={0: {"A": "1"}})
    made.job_class = RecordedEngine
    engine = made.make_engine(3)
    assert engine.template is made.template
    assert engine.keywords["workers"] == 3
    assert engine.keywords["worker_env"] == {0: {"A": "1"}}
    assert list(engine.keywords["choices"]) == ["kind"]
    assert engine.keywords["choices"]["kind"][0] is unpicklable


def test_the_engine_of_a_script_gets_no_choices(script):
    made = defined(script, objective_metric_title="a", objective_metric_series="b")
    made.job_class = RecordedEngine
    assert made.make_engine(1).keywords == {"workers": 1, "worker_env": None}


# The template -----------------------------------------------------------------------------------------------------


# Keywords ---------------------------------------------------------------------------------------------------------


def test_keywords_are_sorted_into_the_controllers_and_the_strategys():
    controller, strategy = split_keywords({"total_max_jobs": 3, "seed": 4, "name": "a"}, RandomSearch)
    assert (controller, strategy) == ({"total_max_jobs": 3, "name": "a"}, {"seed": 4})


@pytest.mark.parametrize("keyword", CONTROLLER_KEYWORDS)
def test_every_keyword_of_the_controller_is_taken_with_every_strategy(keyword):
    for strategy_class in (RandomSearch, GridSearch):
        assert split_keywords({keyword: 1}, strategy_class)[0] == {keyword: 1}


def test_the_signature_for_users_names_only_what_users_have():
    shown = str(inspect.signature(HyperParameterOptimizer).parameters["base_task_id"])
    assert shown == "base_task_id: 'Callable[..., Any] | Path | str'"
