from __future__ import annotations

import optuna
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies.optuna.mapping import SpaceMap

NESTED = ParameterSet(
    [
        {
            "kind": "sgd",
            "lr": LogUniformParameterRange("lr", -4, -1),
            "momentum": UniformParameterRange("momentum", 0, 1),
        },
        {"kind": "adam", "lr": LogUniformParameterRange("lr", -5, -2)},
        {
            "kind": "deep",
            "inner": ParameterSet(
                [
                    {"layers": UniformIntegerParameterRange("layers", 1, 8)},
                    {"layers": 1, "width": UniformIntegerParameterRange("width", 8, 64, step_size=8)},
                ]
            ),
        },
    ]
)
SPACES = {
    "floats": [UniformParameterRange("x", 0, 1), UniformParameterRange("open", 0, 1, include_max_value=False)],
    "steps": [
        UniformParameterRange("x", 0.1, 0.7, step_size=0.1),
        UniformParameterRange("off", 0, 1, step_size=0.3),
        UniformIntegerParameterRange("n", 3, 33, step_size=3),
        UniformIntegerParameterRange("m", 1, 10, step_size=4),
        UniformParameterRange("fine", 0, 1, step_size=1e-9),
        UniformParameterRange("far", 1e6, 1e6 + 1, step_size=0.001),
    ],
    "logs": [LogUniformParameterRange("x", -4, -1), LogUniformParameterRange("two", 0, 5, base=2, step_size=1)],
    "choices": [
        DiscreteParameterRange("c", ["a", "b"]),
        DiscreteParameterRange("mixed", [True, 1, 1.0, "1", None, [1], {"a": 1}]),
        DiscreteParameterRange("one", [7]),
    ],
    "conditions": [NESTED, UniformParameterRange("x", 0, 1)],
}


def samples(mapping: SpaceMap, n: int = 40):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(n):
        trial = study.ask()
        yield mapping.suggest(trial), trial


@pytest.mark.parametrize("name", SPACES)
def test_points_and_params_are_each_others_inverse_and_can_be_those_of_a_trial(name):
    space = Space(SPACES[name])
    mapping = SpaceMap(space)
    for point, trial in samples(mapping):
        assert space.contains(point)
        params = mapping.params(point)
        assert params.keys() == trial.params.keys()
        for name_, value in trial.params.items():
            assert params[name_] == (pytest.approx(value) if type(value) is float else value)
            assert type(params[name_]) is type(value)
        assert trial.params.keys() <= mapping.distributions.keys()
        assert mapping.common.keys() <= trial.params.keys()
        assert mapping.point(params) == point
        assert (
            mapping.point({key: value for key, value in params.items() if not mapping.distributions[key].single()})
            == point
        )
        distributions = {key: mapping.distributions[key] for key in params}
        assert optuna.trial.create_trial(value=0, params=params, distributions=distributions).params == params


def test_values_optuna_can_hold_stay_readable():
    mapping = SpaceMap(
        Space(
            [
                LogUniformParameterRange("lr", -4, -1),
                UniformParameterRange("x", 0, 1, step_size=0.25),
                UniformIntegerParameterRange("n", 1, 8),
                DiscreteParameterRange("optimizer", ["adam", "sgd", None]),
            ]
        )
    )
    assert mapping.distributions["lr"] == optuna.distributions.FloatDistribution(0.0001, 0.1, log=True)
    assert mapping.distributions["x"] == optuna.distributions.FloatDistribution(0, 1, step=0.25)
    assert mapping.distributions["n"] == optuna.distributions.IntDistribution(1, 8)
    assert mapping.distributions["optimizer"].choices == ("adam", "sgd", None)


@pytest.mark.parametrize(
    ("parameter", "size"),
    [
        (LogUniformParameterRange("p", -4, -1, step_size=0.5), 7),
        (UniformParameterRange("p", 0, 1, step_size=0.3), 5),
        (UniformParameterRange("p", 0, 1, step_size=1e-9), 10**9 + 1),
        (DiscreteParameterRange("p", [True, 1, 1.0]), 3),
        (DiscreteParameterRange("p", [[1], [2]]), 2),
    ],
)
def test_what_optuna_cannot_say_becomes_an_index(parameter, size):
    distribution = SpaceMap(Space([parameter])).distributions["p"]
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        assert distribution.choices == tuple(range(size))
    else:
        assert distribution == optuna.distributions.IntDistribution(0, size - 1)


def test_a_stepped_exponent_is_spread_evenly_in_the_exponent():
    space = Space([LogUniformParameterRange("p", -4, 0, step_size=1)])
    counts: dict[float, int] = {}
    for point, _ in samples(SpaceMap(space), 500):
        counts[point["p"]] = counts.get(point["p"], 0) + 1
    assert sorted(counts) == [0.0001, 0.001, 0.01, 0.1, 1.0]
    assert min(counts.values()) > 60


def test_an_open_end_is_never_suggested():
    mapping = SpaceMap(Space([UniformParameterRange("x", 0, 1, include_max_value=False)]))
    assert mapping.distributions["x"].high < 1


def test_a_value_between_steps_counts_as_the_nearest_step():
    mapping = SpaceMap(Space([UniformParameterRange("x", 0, 1, step_size=0.25), DiscreteParameterRange("c", ["a"])]))
    assert mapping.params({"x": 0.3, "c": "a"})["x"] == 0.25
    assert mapping.params({"x": 0.9, "c": "a"})["x"] == 1.0
    assert mapping.params({"x": 1.1, "c": "a"}) is None
    assert mapping.params({"x": 0.3, "c": "b"}) is None
    assert mapping.params({"x": 0.3}) is None
    assert mapping.params({"x": 0.3, "c": "a", "y": 1}) is None
    assert mapping.params({"x": "0.3", "c": "a"}) is None


def test_names_with_several_ranges_are_several_parameters_of_the_study():
    mapping = SpaceMap(Space([NESTED, UniformParameterRange("x", 0, 1)]))
    assert {"lr", "lr #2", "momentum", "layers", "width", "x", "ParameterSet 1", "ParameterSet 2"} == set(
        mapping.distributions
    )
    assert set(mapping.common) == {"ParameterSet 1", "x"}
    assert set(mapping.params({"kind": "adam", "lr": 0.00005, "x": 0.5})) == {"ParameterSet 1", "lr #2", "x"}


def test_a_name_with_one_range_in_several_combinations_is_one_parameter():
    lr = LogUniformParameterRange("lr", -4, -1)
    mapping = SpaceMap(Space([ParameterSet([{"kind": "a", "lr": lr}, {"kind": "b", "lr": lr}])]))
    assert set(mapping.distributions) == {"lr", "ParameterSet 1"}


def test_combinations_that_a_range_excludes_are_not_suggested():
    space = Space([NESTED, UniformParameterRange("x", 0, 1)]).with_ranges({"kind": ("adam", "deep")})
    kinds = {point["kind"] for point, _ in samples(SpaceMap(space))}
    assert kinds == {"adam", "deep"}
    assert not SpaceMap(space).distributions.keys() & {"momentum", "lr #2"}
    inside = SpaceMap(space.with_ranges({"kind": ("sgd", "adam")})).distributions
    assert set(inside) == {"lr", "lr #2", "momentum", "x", "ParameterSet 1"}


def test_conditions_say_by_which_choices_a_parameter_is_part_of_a_point():
    mapping = SpaceMap(Space([NESTED, UniformParameterRange("x", 0, 1)]))
    assert mapping.conditions("x") == mapping.conditions("ParameterSet 1") == []
    assert mapping.conditions("momentum") == [[("ParameterSet 1", 0)]]
    assert mapping.conditions("lr #2") == [[("ParameterSet 1", 1)]]
    assert mapping.conditions("ParameterSet 2") == [[("ParameterSet 1", 2)]]
    assert mapping.conditions("width") == [[("ParameterSet 1", 2), ("ParameterSet 2", 1)]]
    shared = UniformIntegerParameterRange("n", 1, 3)
    mapping = SpaceMap(Space([ParameterSet([{"a": 1, "n": shared}, {"a": 2}, {"a": 3, "n": shared}])]))
    assert mapping.conditions("n") == [[("ParameterSet 1", 0)], [("ParameterSet 1", 2)]]


def test_conditions_count_the_choices_that_a_range_leaves():
    space = Space([NESTED])
    mapping = SpaceMap(space.with_ranges({"kind": ("adam", "deep")}))
    assert mapping.conditions("layers") == [[("ParameterSet 1", 1), ("ParameterSet 2", 0)]]
    assert SpaceMap(space.with_ranges({"kind": ("adam",)})).conditions("lr") == []
