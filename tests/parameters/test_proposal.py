"""Ranges proposed for the arguments of a function: what names, defaults and annotations tell."""

from __future__ import annotations

import enum
import functools
from typing import Annotated, Literal

import numpy as np
import pytest

import hpo_widgets
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
    propose_parameters,
    propose_range,
    proposed_ranges,
)
from hpo_widgets.parameters.proposal import NO_DEFAULT


class Kind(enum.Enum):
    FAST = 1
    SLOW = 2


@pytest.mark.parametrize(
    ("name", "default", "exponents"),
    [
        ("lr", 0.001, (-5, -1)),
        ("learning_rate", 3e-4, (-6, -2)),
        ("lr", 0.05, (-3, 0)),
        ("head_lr", 0.1, (-3, 0)),
        ("Args/lr", 0.001, (-5, -1)),
        ("weight_decay", 0.0, (-6, -2)),
        ("alpha", 0.5, (-2, 0)),
        ("C", 1.0, (-2, 2)),
        ("C", 1, (-2, 2)),
        ("gamma", 10.0, (-1, 3)),
        ("noise", 0.02, (-4, 0)),
        ("noise", np.float64(0.02), (-4, 0)),
        ("lambda_", None, (-4, 1)),
        ("lr", NO_DEFAULT, (-5, -1)),
    ],
)
def test_small_floats_and_names_such_as_lr_are_proposed_on_a_log_scale(name, default, exponents):
    assert propose_range(name, default).range == LogUniformParameterRange(name, *exponents)


@pytest.mark.parametrize(
    ("name", "default", "bounds"),
    [
        ("dropout", 0.5, (0.25, 0.75)),
        ("momentum", 0.9, (0.45, 0.95)),
        ("gamma", 0.99, (0.495, 0.995)),
        ("share", 0.0, (0.0, 1.0)),
        ("width", 3.0, (1.5, 6.0)),
        ("shift", -2.0, (-4.0, -1.0)),
    ],
)
def test_other_floats_are_proposed_round_their_default(name, default, bounds):
    assert propose_range(name, default).range == UniformParameterRange(name, *bounds)


@pytest.mark.parametrize(
    ("default", "bounds"), [(1, (1, 3)), (3, (1, 6)), (64, (32, 128)), (0, (0, 10)), (-3, (-6, -1)), (-1, (-2, 0))]
)
def test_whole_numbers_are_proposed_round_their_default(default, bounds):
    assert propose_range("n", default).range == UniformIntegerParameterRange("n", *bounds)


@pytest.mark.parametrize(
    ("default", "annotation", "values"),
    [
        (True, NO_DEFAULT, [False, True]),
        (NO_DEFAULT, bool, [False, True]),
        (None, bool | None, [False, True, None]),
        ("relu", Literal["relu", "tanh"], ["relu", "tanh"]),
        (None, Literal["relu", "tanh"] | None, ["relu", "tanh", None]),
        (None, Literal["relu"], ["relu", None]),
        ("relu", Annotated[Literal["relu", "tanh"], "an activation"], ["relu", "tanh"]),
        (NO_DEFAULT, Kind, [Kind.FAST, Kind.SLOW]),
        (Kind.SLOW, NO_DEFAULT, [Kind.FAST, Kind.SLOW]),
        (16, [16, 32], [16, 32]),
    ],
)
def test_what_has_few_values_is_proposed_with_all_of_them(default, annotation, values):
    proposed = propose_range("kind", default, annotation)
    assert proposed.range == DiscreteParameterRange("kind", values)
    assert proposed.is_closed
    assert proposed.is_searched


def test_a_text_is_a_choice_to_be_completed():
    proposed = propose_range("method", "adam")
    assert proposed.range == DiscreteParameterRange("method", ["adam"])
    assert not proposed.is_searched
    assert not proposed.is_closed
    assert proposed.note


@pytest.mark.parametrize("default", [None, [1], (1, 2), object(), float("nan"), float("inf"), 2**60])
def test_what_tells_no_range_stays_at_its_default(default):
    proposed = propose_range("x", default)
    assert proposed.range is None
    assert not proposed.is_searched
    assert proposed.note


@pytest.mark.parametrize("name", ["seed", "random_state", "n_jobs", "verbose", "epochs", "max_iter", "num_workers"])
def test_what_is_seldom_searched_has_a_range_and_stays_at_its_default(name):
    proposed = propose_range(name, 10)
    assert proposed.range == UniformIntegerParameterRange(name, 5, 20)
    assert not proposed.is_searched


def test_arguments_that_are_no_parameters_are_left_out():
    def train(first=1, /, lr=0.1, *rest, trial, layers: int = 2, **more): ...

    assert [one.name for one in proposed_ranges(train)] == ["lr", "layers"]


def test_an_argument_by_position_only_is_refused_with_what_to_do():
    def train(x, /): ...

    with pytest.raises(ValueError, match="remove the '/'"):
        proposed_ranges(train)


def test_what_a_partial_gives_stays_as_it_gives_it():
    def train(lr=0.1, layers=2): ...

    assert [one.name for one in propose_parameters(functools.partial(train, layers=3))] == ["lr"]


def test_annotations_that_are_text_count_and_unknown_ones_do_no_harm():
    scope = {}
    code = "def train(kind: 'bool', x: 'NoSuchType' = 2): ...\ndef good(kind: 'bool', x: 'float' = 2): ..."
    exec(compile(code, "<cell>", "exec", dont_inherit=True), scope)
    assert propose_parameters(scope["good"]) == [
        DiscreteParameterRange("kind", [False, True]),
        UniformParameterRange("x", 1.0, 4.0),
    ]
    assert [one.name for one in proposed_ranges(scope["train"])] == ["kind", "x"]


def test_the_public_function_gives_what_a_search_takes():
    def train(lr=0.001, layers=2, use_bias=True, seed=0, method="adam"): ...

    parameters = hpo_widgets.propose_parameters(train)
    assert [parameter.name for parameter in parameters] == ["lr", "layers", "use_bias"]
    hpo_widgets.HyperParameterOptimizer(train, parameters)


def test_a_required_argument_without_a_range_is_named():
    def train(lr, width, depth): ...

    with pytest.raises(ValueError, match="'width', 'depth'"):
        propose_parameters(train)


# An objective of Optuna -----------------------------------------------------------------------------------------------

LOWEST = 1e-5


def objective(trial):
    rate = trial.suggest_float("rate", LOWEST, high=1e-1, log=True)
    depth = trial.suggest_int("depth", 1, 9, step=2)
    solver = trial.suggest_categorical("solver", ["adam", "sgd", None])
    share = trial.suggest_float(name="share", low=-0.5, high=0.5, step=0.25)
    if solver == "sgd":
        rate += trial.suggest_float("rate", LOWEST, 1e-1, log=True)  # the same once more
        share += trial.suggest_int("units", low=16, high=1024, log=True)
    return rate + depth + share + other.suggest_float("not the trial's", 0, 1)  # noqa: F821 -- it is not called


def test_the_text_of_an_objective_of_optuna_tells_what_it_asks_for():
    assert propose_parameters(objective) == [
        LogUniformParameterRange("rate", -5, -1),
        UniformIntegerParameterRange("depth", 1, 9, step_size=2),
        DiscreteParameterRange("solver", ["adam", "sgd", None]),
        UniformParameterRange("share", -0.5, 0.5, step_size=0.25),
        UniformIntegerParameterRange("units", 16, 1024),
    ]
    assert all(one.is_searched and one.is_required for one in proposed_ranges(objective))


def test_variables_round_an_objective_may_be_bounds_and_choices():
    lowest, choices = 2, ("a", "b")

    def inner(trial):
        return trial.suggest_int("n", lowest, 8), trial.suggest_categorical("c", choices)

    assert propose_parameters(inner) == [
        UniformIntegerParameterRange("n", 2, 8), DiscreteParameterRange("c", ["a", "b"])
    ]  # fmt: skip
    assert propose_parameters(functools.partial(inner)) == propose_parameters(inner)


def named_later(trial):
    trial.suggest_float("x", 0, 1)
    return sum(trial.suggest_int(f"units_{layer}", 1, 9) for layer in range(3))


def computed(trial):
    return trial.suggest_float("x", 0, 2**3)


def of_two_ranges(trial):
    return trial.suggest_float("x", 0, 1) or trial.suggest_float("x", 0, 2)


def upside_down(trial):
    return trial.suggest_float("x", 1, 0)


def asks_for_nothing(trial):
    return trial.number


@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(named_later, r"trial\.suggest_int\(f'units_{layer}', 1, 9\): name and range", id="a name"),
        pytest.param(computed, r"trial\.suggest_float\('x', 0, 2 \*\* 3\): name and range", id="a bound"),
        pytest.param(of_two_ranges, "x: name and range", id="two ranges"),
        pytest.param(upside_down, "name and range", id="bounds that fall"),
        pytest.param(asks_for_nothing, "no call of trial.suggest_float", id="nothing"),
        pytest.param(eval("lambda trial: trial.suggest_int('n', 1, 2)"), "no call", id="no text"),
    ],
)  # fmt: skip
def test_what_the_text_of_an_objective_does_not_tell_is_named(function, message):
    with pytest.raises(ValueError, match=message):
        propose_parameters(function)


def test_what_is_not_told_is_left_out_where_a_person_can_add_it():
    assert [one.name for one in proposed_ranges(named_later)] == ["x"]
