"""A search as an Optuna study."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import Observation, study_from_trials
from hpo_widgets.trials import TrialState

SPACE = Space(
    [
        UniformParameterRange("x", 0, 1, step_size=0.25),
        LogUniformParameterRange("lr", -4, -1),
        DiscreteParameterRange("c", ["adam", None]),
        ParameterSet([{"kind": "one", "n": UniformIntegerParameterRange("n", 1, 9)}, {"kind": "two"}]),
    ]
)
ONE = make_objectives("validation", "loss", "min")
POINTS = [
    {"x": 0.25, "lr": 0.01, "c": "adam", "kind": "one", "n": 3},
    {"x": 0.5, "lr": 0.02, "c": None, "kind": "two"},
    {"x": 0.3, "lr": 0.5, "c": None, "kind": "two"},  # by hand: between steps and beyond the range
]


def observed(number, point, state=TrialState.COMPLETED, values=(1.0,), iteration=(7,)):
    return Observation(number, point, state, values, iteration)


def test_points_values_and_numbers_are_readable():
    study = study_from_trials(SPACE, ONE, [observed(i, p, values=(float(i),)) for i, p in enumerate(POINTS)], "mine")
    assert study.study_name == "mine"
    assert [trial.params for trial in study.trials] == POINTS
    assert [trial.value for trial in study.trials] == [0.0, 1.0, 2.0]
    assert [trial.user_attrs for trial in study.trials] == [{"number": i, "state": "completed"} for i in range(3)]
    assert study.metric_names == ["validation/loss"]
    assert study.best_params == POINTS[0]
    assert study.trials[0].intermediate_values == {7: 0.0}
    assert study.trials[0].distributions == {
        "x": FloatDistribution(0, 1),
        "lr": FloatDistribution(1e-4, 0.5, log=True),
        "c": CategoricalDistribution(("adam", None)),
        "kind": CategoricalDistribution(("one", "two")),
        "n": IntDistribution(1, 9),
    }


def test_states_are_those_of_optuna():
    study = study_from_trials(
        SPACE,
        ONE,
        [
            observed(0, POINTS[0]),
            observed(1, POINTS[0], TrialState.FAILED, None, None),
            observed(2, POINTS[0], TrialState.ABORTED),
            observed(3, POINTS[0], TrialState.PRUNED, (4.0,)),
            observed(4, POINTS[0], TrialState.PRUNED, None, None),
            observed(5, POINTS[0], TrialState.COMPLETED, (math.nan,)),
            observed(6, POINTS[0], TrialState.PRUNED, (math.nan,)),
        ],
    )
    names = [trial.state.name for trial in study.trials]
    assert names == ["COMPLETE", "FAIL", "FAIL", "PRUNED", "PRUNED", "FAIL", "PRUNED"]
    assert study.trials[3].value == 4.0
    assert study.trials[2].user_attrs["state"] == "aborted"


def test_a_pruned_trial_whose_last_report_is_nan_has_no_value_and_goes_into_any_storage(tmp_path):
    study = study_from_trials(SPACE, ONE, [observed(0, POINTS[0], TrialState.PRUNED, (math.nan,))], "mine")
    (trial,) = study.trials
    assert (trial.value, list(trial.intermediate_values)) == (None, [7])
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    optuna.copy_study(from_study_name="mine", from_storage=study._storage, to_storage=storage)
    assert [one.state.name for one in optuna.load_study(study_name="mine", storage=storage).trials] == ["PRUNED"]
    storage.remove_session()
    storage.engine.dispose()


def test_several_objectives_are_several_directions():
    objectives = make_objectives(["v", "v"], ["loss", "accuracy"], ["min", "max_global"])
    study = study_from_trials(SPACE, objectives, [observed(0, POINTS[0], values=(0.5, 0.9), iteration=(1, 2))])
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.trials[0].values == [0.5, 0.9]
    assert study.metric_names == ["v/loss", "v/accuracy"]


def test_choices_that_optuna_cannot_hold_are_labels():
    space = Space([DiscreteParameterRange("c", [True, 1, "1", [1, 2]])])
    study = study_from_trials(space, ONE, [observed(i, {"c": c}) for i, c in enumerate([True, 1, "1", [1, 2]])])
    labels = [trial.params["c"] for trial in study.trials]
    assert labels == list(space.leaf("c").labels)
    assert len(set(labels)) == 4


def test_the_study_serves_optunas_own_tools_and_can_be_gone_on_with():
    study = study_from_trials(SPACE, ONE, [observed(i, p, values=(float(i),)) for i, p in enumerate(POINTS * 5)])
    assert len(study.trials_dataframe()) == 15
    assert optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    trial = study.ask()
    assert trial.suggest_categorical("c", ["adam", None]) in ("adam", None)


def test_a_search_without_trials_is_an_empty_study():
    assert study_from_trials(SPACE, ONE, []).trials == []


def test_a_choice_that_is_now_excluded_stays_in_the_study():
    study = study_from_trials(SPACE.with_ranges({"c": ("adam",)}), ONE, [observed(0, POINTS[1])])
    assert study.trials[0].params["c"] is None


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_value_off_the_log_scale_makes_the_scale_linear(value):
    study = study_from_trials(SPACE, ONE, [observed(0, {**POINTS[0], "lr": value})])
    assert study.trials[0].params["lr"] == value
