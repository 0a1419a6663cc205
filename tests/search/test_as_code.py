"""A search as Python: what the code gives when it is run, and what it never holds."""

from __future__ import annotations

import enum
import json
import marshal
import math
import sys
import types
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerBOHB,
    OptimizerOptuna,
    ParameterSet,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.objectives import make_objectives
from hpo_widgets.search.as_code import Named, arguments_as_kept, constructor_call
from hpo_widgets.space import Space
from hpo_widgets.strategies.sampling import EvenGrid
from tests import space_examples


def anything(**point):
    return float(len(point))


def two(**_point):
    return {"a/x": 1.0, "b/y": 2.0}


class Access(enum.Flag):
    READ = 1
    WRITE = 2


Size = enum.Enum("Size", {"small": 1, "very large": "2"})


def run(code, **names):
    """What ``optimizer`` is after the code."""
    scope = dict(names)
    exec(compile(code, "<copied>", "exec"), scope)
    return scope["optimizer"]


def values(space):
    """What every leaf of a space can give, and how it is drawn."""
    found = {}
    for name in space.names:
        leaf = space.leaf(name)
        count = leaf.num_values
        few = None if count is None else [repr(leaf.value_at(index)) for index in {0, count // 2, count - 1}]
        ends = (*map(repr, leaf.range), leaf.contains(leaf.range[-1])) if count is None else ()
        found[name] = (type(leaf).__name__, count, few, ends, getattr(leaf, "base", None))
    return found


def space_of(space):
    """The space of the search that the code of a space makes."""
    code = constructor_call(anything, space, make_objectives("t", "s", "min"), RandomSearch, {})
    return run(code).space


@given(space_examples.parameter_lists())
def test_code_gives_the_space_as_declared(parameters):
    space = Space(parameters)
    assert space_of(space) == space


@pytest.mark.parametrize(
    ("parameter", "range_"),
    [
        pytest.param(UniformParameterRange("x", 0, 1), (0.1, 0.3), id="uniform"),
        pytest.param(UniformParameterRange("x", 0, 1, include_max_value=False), (0.5, 1.0), id="open end kept"),
        pytest.param(UniformParameterRange("x", 0, 1, include_max_value=False), (0.5, 0.75), id="open end left"),
        pytest.param(UniformParameterRange("x", 0, 1), (-3, 2.5), id="widened"),
        pytest.param(UniformParameterRange("x", 0.05, 1, 0.1), (0.12, 0.7), id="stepped"),
        pytest.param(UniformParameterRange("x", 0, 1, 0.3), (0.3, 1), id="off-step maximum"),
        pytest.param(UniformParameterRange("x", 0, 1, 0.1), (0.3, 0.3), id="one step"),
        pytest.param(LogUniformParameterRange("x", -4, -1), (1e-3, 1e-2), id="log, whole exponents"),
        pytest.param(LogUniformParameterRange("x", -4, -1), (0.00231, 0.0777), id="log, any value"),
        pytest.param(LogUniformParameterRange("x", -4, 4, base=math.e), (0.5, 7.0), id="log, base e"),
        pytest.param(LogUniformParameterRange("x", 0, 8, base=2, step_size=1), (4, 64), id="log, stepped"),
        pytest.param(UniformIntegerParameterRange("x", 1, 9), (2, 5), id="integer"),
        pytest.param(UniformIntegerParameterRange("x", 1, 99, 7), (10, 60), id="integer, stepped"),
        pytest.param(UniformIntegerParameterRange("x", 0, 9, include_max_value=False), (2, 8), id="integer, open"),
        pytest.param(DiscreteParameterRange("x", [True, 1, 1.0, "1", None, (1, 2), math.nan]), (1, "1"), id="choices"),
    ],
)
def test_code_declares_the_range_of_this_moment(parameter, range_):
    space = Space([parameter, UniformParameterRange("other", 0, 1)]).with_ranges({"x": range_})
    assert values(space_of(space)) == values(space)


def test_any_log_range_that_a_handle_can_give_comes_back_to_the_last_digit():
    space = Space([LogUniformParameterRange("x", -6, 2)])
    for step in range(1, 200):
        narrowed = space.with_ranges({"x": (1.1e-6 * 1.05**step, 3.3e-5 * 1.07**step)})
        assert space_of(narrowed).ranges == narrowed.ranges


def test_choices_that_are_arrays_are_narrowed_in_the_code_too():
    first, second = np.array([1, 2]), np.array([3, 4])
    space = Space([DiscreteParameterRange("weights", [first, second])]).with_ranges({"weights": [second]})
    code = constructor_call(anything, space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert run(code, weights_1=second).space.leaf("weights").declared[0] is second


def test_ranges_inside_a_parameter_set_are_set_after_the_constructor():
    inner = ParameterSet(
        [
            {"kind": "sgd", "momentum": UniformParameterRange("momentum", 0, 1)},
            {"kind": "adam", "beta": LogUniformParameterRange("beta", -3, -1)},
        ]
    )
    space = Space([inner]).with_ranges({"momentum": (0.5, 0.9), "kind": ("sgd",)})
    code = constructor_call(anything, space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert run(code).space == space
    assert code.index("optimizer.set_ranges") > code.index("HyperParameterOptimizer(")


def test_parameters_that_are_too_long_for_a_line_have_one_part_a_line():
    long = [f"a choice of which there are many, {number}" for number in range(6)]
    units = UniformIntegerParameterRange("units", 16, 512)
    layers = ParameterSet([{"units": units, "activation": "relu", "bias": True}, {"units": 1}])
    parameters = [
        ParameterSet([{"kind": "none"}, {"kind": "some", "layers": layers, "of": DiscreteParameterRange("of", long)}]),
        DiscreteParameterRange("choice", long),
        DiscreteParameterRange("short", ["a", "b"]),
    ]
    space = Space(parameters)
    code = constructor_call(anything, space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert run(code).space == space
    lines = code.splitlines()
    assert max(map(len, lines)) <= 100
    assert '        DiscreteParameterRange("short", ["a", "b"]),' in lines
    assert '            {"kind": "none"},' in lines
    assert '                "kind": "some",' in lines


def steered(search):
    optimizer = search(
        anything,
        [UniformParameterRange("General/x", 0, 1), DiscreteParameterRange("net", ["a", "b"])],
        objective_metric_title="validation",
        objective_metric_series="loss",
        objective_metric_sign="max_global",
        optimization_time_limit=30,
        total_max_jobs=40,
        time_limit_per_job=1.5,
        max_failures=3,
        limits={"General/x": (0, 2)},
        seed=7,
        name="named",
    )
    optimizer.set_range("General/x", (0.25, 2))
    optimizer.set_total_max_jobs(60)
    optimizer.set_compute_time_limit(90)
    optimizer.set_max_number_of_concurrent_tasks(3)
    return optimizer


def test_settings_that_were_changed_are_in_the_code_as_they_are_now(search):
    optimizer = steered(search)
    again = run(optimizer.as_code())
    assert again._controller.state.settings == optimizer._controller.state.settings
    assert again.space == Space(
        [UniformParameterRange("General/x", 0.25, 2), DiscreteParameterRange("net", ["a", "b"])],
        {"General/x": (0, 2)},
    )
    assert again.objectives == optimizer.objectives
    assert again.get_optimizer().seed == 7
    assert again.name == "named"
    assert again.journal_path.parent == optimizer.journal_path.parent


def test_a_moment_set_as_time_limit_is_the_minutes_of_the_whole_search(search):
    optimizer = steered(search)
    optimizer.set_time_limit(in_minutes=12)
    assert run(optimizer.as_code())._controller.state.settings.optimization_time_limit == pytest.approx(12, abs=1)
    optimizer.set_time_limit()
    assert "optimization_time_limit" not in optimizer.as_code()


@pytest.mark.parametrize(
    ("strategy", "keywords"),
    [
        (RandomSearch, {"allow_duplicates": True, "max_failures": None, "max_memory_per_job": 2.5}),
        (GridSearch, {}),
        (OptimizerOptuna, {"max_observations": 500, "min_iteration_per_job": 2}),
        (OptimizerBOHB, {"min_iteration_per_job": 1, "max_iteration_per_job": 27, "eta": 4}),
        (EvenGrid, {"points": 9}),
    ],
)
def test_every_strategy_comes_back_with_its_keywords(search, strategy, keywords):
    optimizer = search(anything, optimizer_class=strategy, **keywords)
    again = run(optimizer.as_code())
    assert type(again.get_optimizer()) is strategy
    assert again._controller.state.settings == optimizer._controller.state.settings
    for name in keywords:
        if hasattr(optimizer.get_optimizer(), name):
            assert getattr(again.get_optimizer(), name) == keywords[name]


def test_several_objectives_come_back(search):
    optimizer = search(
        two,
        objective_metric_title=["a", "b"],
        objective_metric_series=["x", "y"],
        objective_metric_sign=["min", "max"],
        optimizer_class=OptimizerOptuna,
    )
    assert run(optimizer.as_code()).objectives == optimizer.objectives


def test_an_object_that_code_can_only_name_is_named_and_explained(search):
    sampler = optuna.samplers.RandomSampler(seed=3)
    code = search(lambda x: x, optimizer_class=OptimizerOptuna, optuna_sampler=sampler).as_code()
    assert "optuna_sampler=optuna_sampler" in code
    assert "# optuna_sampler: the RandomSampler of your own code" in code
    assert "# template_experiment: the function of your own code" in code
    again = run(code, optuna_sampler=sampler, template_experiment=anything)
    assert again.get_optimizer().optuna_sampler is sampler


def test_a_script_is_named_by_its_path(search, tmp_path):
    script = tmp_path / "train it.py"
    script.write_text("import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_args()\n")
    optimizer = search(
        script, objective_metric_title="t", objective_metric_series="s", arguments=["--{name}", "{value}"]
    )
    again = run(optimizer.as_code())
    assert again._definition.template.path == script
    assert again._definition.template.arguments({"x": 1}) == ["--x", "1"]


def test_values_of_worker_env_are_not_in_the_code(search):
    planted = "planted-key-0815"
    optimizer = search(anything, worker_env=lambda index: {"API_KEY": planted, "GPU": str(index)})
    code = optimizer.as_code()
    assert planted not in code
    assert "API_KEY" not in code
    assert run(code, worker_env=None).id  # it asks for the argument again, by name
    assert "# worker_env:" in code


def test_a_journal_gives_the_code_without_its_callable(search):
    optimizer = steered(search)
    optimizer.set_total_max_jobs(2)
    optimizer.start()
    assert optimizer.wait(1)
    with HyperParameterOptimizer.open(optimizer.journal_path) as view:
        code = view.as_code()
    again = run(code, anything=anything)
    assert again.journal_path.parent == optimizer.journal_path.parent
    assert again._controller.state.settings == optimizer._controller.state.settings
    assert again.space == run(optimizer.as_code()).space
    assert "# anything: the callable of this search" in code
    reopened = HyperParameterOptimizer.open(optimizer.journal_path, base_task_id=anything)
    assert run(reopened.as_code()).space == again.space


class Weighted(RandomSearch):
    def __init__(self, *, weights, **keywords):
        super().__init__(**keywords)
        self.weights = weights


def test_an_argument_that_a_journal_cannot_hold_is_named_in_the_code_and_has_to_be_given_again(search):
    weights = np.array([1.0, 2.0])
    optimizer = search(anything, optimizer_class=Weighted, weights=weights, total_max_jobs=1)
    assert run(optimizer.as_code(), weights=weights)._controller.state.strategy.weights is weights
    optimizer.start()
    assert optimizer.wait(1)
    with HyperParameterOptimizer.open(optimizer.journal_path) as view:
        code = view.as_code()
    assert "# weights: as when the search was made" in code
    assert (
        run(code, anything=anything, Weighted=Weighted, weights=weights)._controller.state.strategy.weights is weights
    )
    given = {"base_task_id": anything, "optimizer_class": Weighted}
    with pytest.raises(TypeError, match="pass weights= as when"):
        HyperParameterOptimizer.open(optimizer.journal_path, **given)
    again = HyperParameterOptimizer.open(optimizer.journal_path, **given, weights=weights)
    assert again.get_optimizer().weights is weights


def test_a_journal_that_does_not_say_what_it_only_names_is_read_by_the_looks_of_it():
    header = {
        "arguments": {"optuna_pruner": "<optuna.pruners.NopPruner object at 0x7f>", "name": "<digits>", "seed": 3}
    }
    assert isinstance(arguments_as_kept(header)["optuna_pruner"], Named)
    kept = arguments_as_kept({**header, "only_named": ["optuna_pruner"]})
    assert (kept["name"], kept["seed"], type(kept["optuna_pruner"])) == ("<digits>", 3, Named)


def test_paths_and_importable_functions_are_imported(search):
    code = search(anything, journal=Path("somewhere")).as_code()
    assert f"from {__name__} import anything" in code
    assert "from pathlib import Path" in code
    assert 'journal=Path("somewhere")' in code


def choices_in(code, **names):
    return run(code, **names).space.leaf("choice").declared


def test_members_of_an_enumeration_are_written_whatever_they_are_called():
    members = [Access.READ, Access.READ | Access.WRITE, Access(0), *Size]
    space = space_of(Space([DiscreteParameterRange("member", members)]))
    assert space.leaf("member").declared == tuple(members)


def test_a_function_of_a_module_that_no_statement_can_import_is_named_and_explained(search, monkeypatch):
    module = types.ModuleType("my-model")
    exec("def train(**point):\n    return 1.0\n", vars(module))
    monkeypatch.setitem(sys.modules, "my-model", module)
    code = search(module.train).as_code()
    assert "# template_experiment: the function of your own code" in code
    assert run(code, template_experiment=anything).space.names == ("x",)


def test_two_functions_of_one_name_are_two_names(search):
    code = search(anything, [DiscreteParameterRange("choice", [json.dumps, marshal.dumps])]).as_code()
    assert choices_in(code) == (json.dumps, marshal.dumps)
    assert "from json import dumps\n" in code


def test_a_function_that_is_called_like_a_class_of_the_package_takes_nothing_from_it(search):
    def imposter():
        return None

    module = types.ModuleType("a_module_of_impostors")
    imposter.__module__, imposter.__qualname__ = module.__name__, "RandomSearch"
    module.RandomSearch = imposter
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        made = run(search(anything, [DiscreteParameterRange("choice", [imposter, 1])]).as_code())
    assert made.space.leaf("choice").declared == (imposter, 1)
    assert type(made.get_optimizer()) is RandomSearch


def test_objects_whose_names_would_be_equal_are_told_apart():
    one, other = object(), object()
    space = Space([DiscreteParameterRange("my choice", [one]), DiscreteParameterRange("my_choice", [other])])
    code = constructor_call(Named("anything"), space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert "# my_choice_1: the object of your own code\n# my_choice_1_2: the object of your own code\n" in code
    again = run(code, anything=lambda **_: 0.0, my_choice_1=one, my_choice_1_2=other).space
    assert (again.leaf("my choice").declared, again.leaf("my_choice").declared) == ((one,), (other,))


def test_a_readers_object_that_is_called_like_the_result_keeps_its_value(search, monkeypatch):
    own = object()
    monkeypatch.setattr(sys.modules["__main__"], "optimizer", own, raising=False)
    code = search(anything, [DiscreteParameterRange("choice", [own])]).as_code()
    assert "[optimizer]" not in code
    assert choices_in(code, choice_1=own) == (own,)


def test_a_name_that_python_keeps_for_itself_is_not_used():
    space = Space([UniformParameterRange("x", 0, 1)])
    code = constructor_call(Named("class"), space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert run(code, own_class=anything).space == space


def test_the_code_can_end_with_the_panel_and_says_what_exponents_mean():
    space = Space([LogUniformParameterRange("lr", -5, -1), UniformParameterRange("x", 0, 1)])
    code = constructor_call(
        anything, space, make_objectives("t", "s", "min"), RandomSearch, {}, variable="second", shows_panel=True
    )
    assert "second = HyperParameterOptimizer(\n" in code
    assert code.endswith("\n)\nOptimizerWidget(second)\n")
    assert 'LogUniformParameterRange("lr", min_value=-5.0, max_value=-1.0),  # 1e-05 to 0.1\n' in code
    assert all(len(line) <= 100 for line in code.splitlines())


@given(st.text())
def test_any_text_comes_back_and_plain_text_stands_in_double_quotes(text):
    space = Space([DiscreteParameterRange("choice", [text])])
    code = constructor_call(anything, space, make_objectives("t", "s", "min"), RandomSearch, {})
    assert choices_in(code) == (text,)
    if text.isalnum():
        assert f'["{text}"]' in code


def reopened(code, **names):
    """The search that the code shows, in a kernel that knows no other names."""
    *before, call = code.splitlines()
    scope = dict(names)
    exec(compile("\n".join(before), "<copied>", "exec"), scope)
    panel = eval(call, scope)
    panel.close()
    return panel.search


def ended(optimizer):
    optimizer.set_total_max_jobs(1)
    optimizer.start()
    assert optimizer.wait(1)
    return optimizer


def unkept_choice():
    """Stands for a choice that no journal holds."""


UNKEPT = [
    pytest.param(
        {"optimizer_class": OptimizerOptuna, "optuna_pruner": optuna.pruners.NopPruner()}, "optuna_pruner", id="pruner"
    ),
    pytest.param({"optimizer_class": Weighted, "weights": np.array([1.0, 2.0])}, "weights", id="own strategy"),
    pytest.param(
        {"hyper_parameters": [DiscreteParameterRange("x", [unkept_choice, "other"])]}, "hyper_parameters", id="choices"
    ),
]


@pytest.mark.parametrize(("given_again", "name"), UNKEPT)
@pytest.mark.parametrize("of", ["search", "view"])
def test_the_code_that_opens_a_search_asks_for_what_a_journal_cannot_hold(search, given_again, name, of):
    optimizer = ended(search(anything, **given_again))
    if of == "search":
        code = optimizer.opening_code()
    else:
        with HyperParameterOptimizer.open(optimizer.journal_path) as view:
            code = view.opening_code()
    assert f", {name}={name}" in code
    assert f"# {name}: " in code
    again = reopened(code, anything=anything, Weighted=Weighted, **{name: given_again[name]})
    again.set_total_max_jobs(2)
    again.start()
    assert again.wait(1)
    assert (again.id, sum(again.counts.values())) == (optimizer.id, 2)


def test_the_code_that_opens_a_search_says_which_cells_have_to_run_before(search, monkeypatch):
    def train(x):
        return x

    main = sys.modules["__main__"]
    pruner = optuna.pruners.NopPruner()
    train.__module__, train.__qualname__ = "__main__", "train"
    monkeypatch.setattr(main, "train", train, raising=False)
    assert search(train).opening_code().splitlines()[2] == "# First run the cells that define train and what it uses."
    monkeypatch.setattr(main, "mine", pruner, raising=False)
    made = search(train, optimizer_class=OptimizerOptuna, optuna_pruner=pruner)
    assert made.opening_code().splitlines() == [
        "from hpo_widgets import OptimizerWidget",
        "",
        "# First run the cells that define train, mine and what they use.",
        f'OptimizerWidget.open("journals/{made.id}.sqlite", base_task_id=train, optuna_pruner=mine)',
    ]


def test_the_code_that_opens_a_search_of_a_script_needs_nothing_before(search, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_args()\n")
    made = search(script, objective_metric_title="t", objective_metric_series="s")
    assert made.opening_code().splitlines() == [
        "from hpo_widgets import OptimizerWidget",
        "from pathlib import Path",
        "",
        f'OptimizerWidget.open("journals/{made.id}.sqlite", base_task_id=Path("{script}"))',
    ]


def test_the_code_that_opens_a_search_asks_for_worker_env_and_has_none_of_its_values(search):
    code = search(anything, worker_env={0: {"API_KEY": "planted-key-0815"}}).opening_code()
    assert ", worker_env=worker_env)" in code
    assert "# worker_env: " in code
    assert "planted-key-0815" not in code
    assert "API_KEY" not in code
