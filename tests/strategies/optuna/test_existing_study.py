"""A study of Optuna as the parameters and objectives of a search."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hpo_widgets.space import Space
from hpo_widgets.strategies.optuna.existing_study import objectives_of, parameters_of

RATE = FloatDistribution(1e-4, 1e-1, log=True)
SHARE = FloatDistribution(0, 1)
SOLVER = CategoricalDistribution(["adam", "sgd", "rms"])
NESTEROV = CategoricalDistribution([True, False])


def study_of(*trials, state=TrialState.COMPLETE):
    """A study of trials, each given by name to value and distribution."""
    study = optuna.create_study()
    for trial in trials:
        study.add_trial(
            create_trial(
                state=state,
                value=1.0 if state is TrialState.COMPLETE else None,
                params={name: value for name, (value, _) in trial.items()},
                distributions={name: distribution for name, (_, distribution) in trial.items()},
            )
        )
    return study


def space_of(study):
    return Space(parameters_of(study))


@pytest.mark.parametrize(
    ("distribution", "value", "kind", "range_", "step"),
    [
        pytest.param(FloatDistribution(-1, 3), 0.5, "float", (-1.0, 3.0), None, id="float"),
        pytest.param(FloatDistribution(0, 1, step=0.25), 0.5, "float", (0.0, 1.0), 0.25, id="float with steps"),
        pytest.param(RATE, 0.01, "log", (1e-4, 1e-1), None, id="log"),
        pytest.param(FloatDistribution(0.003, 0.7, log=True), 0.5, "log", (0.003, 0.7), None, id="no powers of 10"),
        pytest.param(FloatDistribution(1e-300, 1e300, log=True), 0.5, "log", (1e-300, 1e300), None, id="a wide log"),
        pytest.param(FloatDistribution(2, 2), 2.0, "choice", (2.0,), None, id="a single value"),
        pytest.param(IntDistribution(1, 9), 4, "int", (1, 9), 1, id="int"),
        pytest.param(IntDistribution(8, 64, step=8), 16, "int", (8, 64), 8, id="int with steps"),
        pytest.param(IntDistribution(1, 512, log=True), 16, "int", (1, 512), 1, id="int on a log scale"),
        pytest.param(CategoricalDistribution([None, True, 1.5, "a"]), 1.5, "choice", (None, True, 1.5, "a"), None,
                     id="choices of all types"),
    ],
)  # fmt: skip
def test_a_parameter_has_the_range_of_its_distribution(distribution, value, kind, range_, step):
    space = space_of(study_of({"it": (value, distribution)}))
    leaf = space.leaf("it")
    assert (leaf.kind, leaf.step) == (kind, step)
    assert leaf.range == (range_ if kind == "choice" else pytest.approx(range_, rel=1e-15))
    for each in (value, range_[0], range_[-1]):
        assert space.contains({"it": each})


def test_a_range_that_changed_is_as_wide_as_the_widest():
    study = study_of(
        {"x": (0.5, FloatDistribution(0, 1)), "n": (4, IntDistribution(1, 10, step=3))},
        {"x": (5.0, FloatDistribution(0.5, 8)), "n": (16, IntDistribution(4, 16, step=2))},
    )
    space = space_of(study)
    assert space.ranges == {"x": (0.0, 8.0), "n": (1, 16)}
    assert space.leaf("n").step == 1


def test_a_parameter_of_two_kinds_is_refused():
    study = study_of({"x": (0.5, SHARE)}, {"x": (1, IntDistribution(0, 3))})
    with pytest.raises(ValueError, match="'x' has a FloatDistribution and IntDistribution .* give hyper_parameters="):
        parameters_of(study)


def test_what_depends_on_choices_one_in_another():
    points = [
        {"solver": ("adam", SOLVER), "rate": (0.01, RATE)},
        {"solver": ("sgd", SOLVER), "rate": (0.01, RATE), "nesterov": (True, NESTEROV), "momentum": (0.5, SHARE)},
        {"solver": ("sgd", SOLVER), "rate": (0.01, RATE), "nesterov": (False, NESTEROV)},
        {"solver": ("adam", SOLVER), "rate": (0.02, RATE)},
    ]
    space = space_of(study_of(*points))
    for point in points:
        assert space.contains({name: value for name, (value, _) in point.items()})
    assert space.contains({"solver": "rms", "rate": 0.01})  # which no trial had: it needs no other
    assert not space.contains({"solver": "adam", "rate": 0.01, "momentum": 0.5})
    assert not space.contains({"solver": "sgd", "rate": 0.01, "nesterov": True})
    assert space.names_of_every_point == {"solver", "rate"}


def test_the_choice_that_explains_it_is_found_among_others():
    points = [
        {"first": (a, CategoricalDistribution([0, 1])), "second": (b, CategoricalDistribution(["p", "q"]))}
        | ({"x": (0.5, SHARE)} if b == "q" else {})
        for a in (0, 1) for b in ("p", "q")
    ]  # fmt: skip
    space = space_of(study_of(*points))
    assert space.contains({"first": 1, "second": "p"})
    assert not space.contains({"first": 1, "second": "p", "x": 0.5})
    assert space.contains({"first": 0, "second": "q", "x": 0.5})


def test_two_choices_explain_one_parameter_each():
    points = [
        {"first": (a, NESTEROV), "second": (b, NESTEROV)} | ({"x": (0.5, SHARE)} if a else {})
        | ({"y": (0.5, SHARE)} if b else {})
        for a in (True, False) for b in (True, False)
    ]  # fmt: skip
    space = space_of(study_of(*points))
    for point in points:
        assert space.contains({name: value for name, (value, _) in point.items()})
    assert not space.contains({"first": True, "second": False, "x": 0.5, "y": 0.5})


def test_a_parameter_may_come_with_several_choices():
    points = [{"solver": (one, SOLVER)} | ({"x": (0.5, SHARE)} if one != "sgd" else {}) for one in SOLVER.choices]
    space = space_of(study_of(*points))
    assert space.contains({"solver": "adam", "x": 0.1})
    assert space.contains({"solver": "rms", "x": 0.1})
    assert not space.contains({"solver": "sgd", "x": 0.1})


def test_a_number_of_layers_brings_in_the_parameters_of_each_layer():
    layers, units = IntDistribution(1, 4), IntDistribution(4, 128)
    points = [
        {"layers": (count, layers), "rate": (0.01, RATE)} | {f"units_{one}": (8 * count, units) for one in range(count)}
        for count in (2, 1, 3, 2)
    ]  # fmt: skip
    space = space_of(study_of(*points))
    for point in points:
        assert space.contains({name: value for name, (value, _) in point.items()})
    assert not space.contains({"layers": 1, "rate": 0.01, "units_0": 8, "units_1": 8})
    assert (space.leaf("layers").kind, space.leaf("layers").range) == ("choice", (1, 2, 3, 4))


def test_a_trial_that_ended_early_does_not_make_a_parameter_conditional():
    study = study_of({"x": (0.5, SHARE), "y": (0.5, SHARE)}, {"x": (0.25, SHARE), "y": (0.5, SHARE)})
    for state in (TrialState.FAIL, TrialState.PRUNED):
        study.add_trial(create_trial(state=state, params={"x": 0.1}, distributions={"x": SHARE}))
    assert space_of(study).names_of_every_point == {"x", "y"}


def test_what_only_failed_trials_have_is_a_parameter_too():
    study = study_of({"x": (0.5, SHARE)})
    study.add_trial(
        create_trial(state=TrialState.FAIL, params={"x": 0.1, "z": 0.5}, distributions={"x": SHARE, "z": SHARE})
    )
    assert set(space_of(study).names) == {"x", "z"}


def test_a_study_without_a_completed_trial_has_the_parameters_of_the_others():
    assert space_of(study_of({"x": (0.5, SHARE)}, state=TrialState.FAIL)).names == ("x",)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="no choice"),
        pytest.param({"c": ("a", CategoricalDistribution(["a", "b"]))}, id="a choice that says nothing"),
    ],
)
def test_a_parameter_that_is_missing_for_no_reason_is_refused(more):
    study = study_of({"x": (0.5, SHARE), "y": (0.5, SHARE), **more}, {"x": (0.5, SHARE), **more})
    with pytest.raises(ValueError, match="trials of the study lack 'y', and no choice .* give hyper_parameters="):
        parameters_of(study)


@pytest.mark.parametrize(
    ("directions", "names", "expected"),
    [
        pytest.param(["minimize"], None, (["objective"], ["objective"], ["min"]), id="one without a name"),
        pytest.param(["maximize"], ["auc"], (["auc"], ["auc"], ["max"]), id="one with a name"),
        pytest.param(
            ["minimize", "maximize"], None,
            (["objective_0", "objective_1"], ["objective_0", "objective_1"], ["min", "max"]), id="two without names",
        ),
        pytest.param(
            ["minimize", "maximize"], ["validation/loss", "speed"],
            (["validation", "speed"], ["loss", "speed"], ["min", "max"]), id="a title and a series",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_objectives_have_the_names_and_directions_of_the_study(directions, names, expected):
    study = optuna.create_study(directions=directions)
    if names is not None:
        study.set_metric_names(names)
    assert objectives_of(study) == expected
