"""Every Parameter class with every strategy through a change of range in mid-search, and its undo."""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import optuna
import pytest

import hpo_widgets
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    Parameter,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import GridSearch, OptimizerBOHB, OptimizerOptuna, RandomSearch, SearchStrategy
from hpo_widgets.strategies.registry import named


class Case(NamedTuple):
    parameter: Parameter
    narrow: dict[str, tuple[Any, ...]]


# Finite ranges have more values than the trials below, narrowed and whole, so none is exhausted.
PARAMETERS = {
    "uniform": Case(UniformParameterRange("x", 0, 1), {"x": (0.25, 0.5)}),
    "uniform stepped": Case(UniformParameterRange("x", 0, 10, step_size=0.1), {"x": (2.5, 5.0)}),
    "log": Case(LogUniformParameterRange("x", -4, 0), {"x": (0.001, 0.01)}),
    "log stepped": Case(LogUniformParameterRange("x", -4, 0, step_size=0.05), {"x": (0.001, 0.1)}),
    "integer": Case(UniformIntegerParameterRange("x", 0, 100), {"x": (20, 45)}),
    "integer stepped": Case(UniformIntegerParameterRange("x", 0, 300, step_size=3), {"x": (60, 150)}),
    "discrete": Case(
        DiscreteParameterRange("x", [f"v{i}" for i in range(60)]), {"x": tuple(f"v{i}" for i in range(9, 40))}
    ),
    "discrete of any type": Case(
        DiscreteParameterRange("x", [True, 1, 1.0, "1", None, "None", [1], {"a": 1}, *range(2, 50)]),
        {"x": (1, 1.0, None, [1], *range(2, 30))},
    ),
    "set": Case(
        ParameterSet(
            [
                {
                    "kind": "sgd",
                    "x": UniformParameterRange("x", 0, 1),
                    "momentum": UniformParameterRange("momentum", 0, 0.9),
                },
                {"kind": "adam", "x": UniformParameterRange("x", 0, 1)},
                {
                    "kind": "deep",
                    "x": 0.3,
                    "inner": ParameterSet(
                        [
                            {"layers": UniformIntegerParameterRange("layers", 1, 90)},
                            {"width": LogUniformParameterRange("width", 0, 3), "layers": 1},
                        ]
                    ),
                },
            ]
        ),
        {"x": (0.25, 0.5)},
    ),
}

STRATEGIES = {
    "random": lambda: RandomSearch(seed=1),
    "grid": lambda: GridSearch(seed=1),
    "tpe": lambda: OptimizerOptuna(seed=1),
    "tpe grouped": lambda: OptimizerOptuna(
        optuna_sampler=optuna.samplers.TPESampler(multivariate=True, group=True), seed=1
    ),
    "cma-es": lambda: OptimizerOptuna(optuna_sampler=optuna.samplers.CmaEsSampler(), seed=1),
    "optuna random": lambda: OptimizerOptuna(optuna_sampler=optuna.samplers.RandomSampler(), seed=1),
    "qmc": lambda: OptimizerOptuna(optuna_sampler=optuna.samplers.QMCSampler(), seed=1),
    "qmc scrambled halton": lambda: OptimizerOptuna(
        optuna_sampler=optuna.samplers.QMCSampler(qmc_type="halton", scramble=True, seed=5), seed=1
    ),
    "nsga-ii": lambda: OptimizerOptuna(optuna_sampler=optuna.samplers.NSGAIISampler(population_size=5), seed=1),
    "brute force": lambda: OptimizerOptuna(optuna_sampler=optuna.samplers.BruteForceSampler(), seed=1),
    "bohb": lambda: OptimizerBOHB(min_iteration_per_job=1, max_iteration_per_job=9, seed=1),
}

UNSUPPORTED = {
    ("uniform", "brute force"): "without steps",
    ("log", "brute force"): "without steps",
    ("set", "brute force"): "without steps",
}

# A diagonal has each parameter and each strategy at least once; the rest of the matrix is slow.
PAIRS = [
    pytest.param(
        parameter,
        strategy,
        marks=[] if row == (column + 1) % len(PARAMETERS) or (parameter, strategy) in UNSUPPORTED else pytest.mark.slow,
        id=f"{parameter}, {strategy}",
    )
    for row, parameter in enumerate(PARAMETERS)
    for column, strategy in enumerate(STRATEGIES)
]


def test_every_strategy_has_a_row_and_is_found_by_its_name():
    public = [getattr(hpo_widgets, name) for name in hpo_widgets.__all__]
    classes = {one for one in public if inspect.isclass(one) and issubclass(one, SearchStrategy)} - {SearchStrategy}
    assert {type(make()) for make in STRATEGIES.values()} == classes == {named(one.__name__) for one in classes}


def objective(point: dict[str, Any]) -> float:
    x = point["x"]
    return float(x) if type(x) in (int, float) else len(str(x)) / 10


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("parameter_name", "strategy_name"), PAIRS)
def test_a_change_of_range_and_its_undo_keep_points_inside_and_the_history(drive, parameter_name, strategy_name):
    parameter, narrow = PARAMETERS[parameter_name]
    strategy: SearchStrategy = STRATEGIES[strategy_name]()
    whole = Space([parameter, UniformIntegerParameterRange("other", 1, 3)])
    reason = UNSUPPORTED.get((parameter_name, strategy_name))
    if reason is not None:
        assert strategy.unsupported(parameter)
        assert list(strategy.capabilities(Space([parameter])).values()) == [strategy.unsupported(parameter)]
        with pytest.raises(ValueError, match=reason):
            strategy.check(whole, drive(RandomSearch(), whole).objectives)
        return
    assert strategy.unsupported(parameter) is None

    search = drive(strategy, whole)
    before = search.run(15, objective)
    assert len(before) == 15
    left_over = search.ask()  # proposed under the old range, never run
    assert left_over is not None

    search.begin(whole.with_ranges(narrow))
    inside = [point for point in before if search.space.contains(point)]
    assert_sampler_knows(strategy, inside)
    within = search.run(15, objective)  # `Driver.ask` asserts that each lies in the present space
    assert len(within) == 15
    assert_sampler_knows(strategy, inside + within)

    search.begin(whole)  # undo
    again = search.run(15, objective)
    assert len(again) == 15
    assert any(not whole.with_ranges(narrow).contains(point) for point in again)
    assert_sampler_knows(strategy, before + within + again)
    keys = [whole.key(point) for point in before + within + again]
    assert len(set(keys)) == len(keys)  # nothing was run twice
    assert len(search.history) == 45


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("strategy_name", STRATEGIES)
def test_a_new_choice_is_proposed_and_the_history_is_kept(drive, strategy_name):
    strategy: SearchStrategy = STRATEGIES[strategy_name]()
    few = Space([DiscreteParameterRange("x", ["a", 1, "1"]), UniformIntegerParameterRange("other", 1, 15)])
    search = drive(strategy, few)
    before = search.run(20, objective)
    more = few.with_choices({"x": ["resnet", True]})
    strategy.check(more, search.objectives)
    search.begin(more)
    assert_sampler_knows(strategy, before)
    after = search.run(100, objective)
    assert {more.encode(point)[0] for point in after} >= {3, 4}
    assert_sampler_knows(strategy, before + after)
    keys = [more.key(point) for point in before + after]
    assert len(set(keys)) == len(keys) == more.size  # nothing was run twice, and all that the new choices add is run


def assert_sampler_knows(strategy: SearchStrategy, points: list[dict[str, Any]]) -> None:
    """Check that the study behind a model holds exactly these finished trials."""
    if not isinstance(strategy, OptimizerOptuna):
        return
    study = strategy.study
    known = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    assert len(known) == len(points)
    assert sorted(trial.value for trial in known) == pytest.approx(sorted(map(objective, points)))


def test_every_parameter_class_is_covered():
    covered = {type(case.parameter) for case in PARAMETERS.values()}
    concrete = {
        kind for kind in _subclasses(Parameter) if not kind.__abstractmethods__ and kind.__name__ != "NumericParameter"
    }
    assert concrete <= covered


def _subclasses(kind: type) -> set[type]:
    return {below for child in kind.__subclasses__() for below in {child, *_subclasses(child)}}


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(PARAMETERS["discrete of any type"].parameter, id="discrete of any type"),
        # A model takes longer to answer the more it has been told: these have 41 values.
        pytest.param(UniformParameterRange("x", 0, 4, step_size=0.1), marks=pytest.mark.slow, id="uniform stepped"),
        pytest.param(LogUniformParameterRange("x", -2, 0, step_size=0.05), marks=pytest.mark.slow, id="log stepped"),
        pytest.param(
            UniformIntegerParameterRange("x", 0, 120, step_size=3), marks=pytest.mark.slow, id="integer stepped"
        ),
    ],
)
def test_a_model_reaches_the_ends_of_a_finite_range(drive, parameter):
    space = Space([parameter])
    points = drive(OptimizerOptuna(seed=2), space).run(1000, objective)
    assert len(points) == space.size
    assert {space.key(point) for point in points} == {space.key(point) for point in space.grid()}


def test_a_narrow_range_is_found_in_a_wide_log_scale(drive):
    # Draws of a model are spread on the parameter's own scale, as random ones are.
    space = Space([LogUniformParameterRange("x", -6, 0)])
    points = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.RandomSampler(), seed=3), space).run(200, objective)
    logs = [math.log10(point["x"]) for point in points]
    assert 60 < sum(value < -3 for value in logs) < 140
