"""Priors in TPE, beside random search: a good one helps, a wrong one is overcome, and both fade."""

from __future__ import annotations

import math

import numpy as np
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
from hpo_widgets.strategies import GridSearch, OptimizerBOHB, OptimizerOptuna, RandomSearch
from hpo_widgets.strategies.optuna import priors
from hpo_widgets.testing.objectives import branin
from hpo_widgets.trials import TrialState

PLANE = Space([UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)])


def bell(middle):
    return lambda value: math.exp(-((value - middle) ** 2) / 2)


GOOD = PLANE.with_priors({"x": bell(math.pi), "y": bell(2.275)})
WRONG = PLANE.with_priors({"x": bell(-4), "y": bell(1)})


def regrets(drive, strategy, space, trials, seeds):
    """How far the best of so many trials is above the optimum, for each seed."""
    found = []
    for seed in range(seeds):
        points = drive(strategy(seed=seed), space).run(trials, lambda point: branin(**point))
        found.append(min(branin(**point) for point in points) - 0.397887)
    return np.array(found)


@pytest.mark.parametrize("strategy", [RandomSearch, OptimizerOptuna])
def test_a_good_prior_finds_the_optimum_sooner(drive, strategy):
    without, with_prior = (regrets(drive, strategy, space, 12, 16) for space in (PLANE, GOOD))
    assert np.median(with_prior) < np.median(without) / 2
    assert (with_prior < without).sum() >= 12


def test_tpe_overcomes_a_wrong_prior(drive):
    early, late = (regrets(drive, OptimizerOptuna, WRONG, trials, 5) for trials in (8, 50))
    assert np.median(early) > 5
    assert np.median(late) < 1


def test_random_search_draws_from_the_prior_and_then_ever_more_evenly(drive):
    search = drive(RandomSearch(seed=3), GOOD)
    near = np.array([abs(point["x"] - math.pi) < 2 for point in search.run(2000, lambda _point: 0.0)])
    assert near[:10].mean() >= 0.8
    assert near[:50].mean() > near[50:200].mean() > near[1000:].mean()
    assert near[1000:].mean() == pytest.approx(4 / 15, abs=0.05)


def test_random_points_follow_from_seed_epoch_number_and_prior_alone(drive):
    space = GOOD.with_ages(25)
    whole = drive(RandomSearch(seed=3), space).run(80, lambda _point: 0.0)
    strategy = RandomSearch(seed=3)
    search = drive(strategy, space)
    strategy.begin(space, search.objectives, 0, [], 70)
    assert [strategy.ask().point for _ in range(10)] == whole[70:]


def test_tpe_draws_from_the_prior_before_it_has_a_model_and_with_each_kind_of_parameter(drive):
    space = Space(
        [
            UniformParameterRange("x", 0, 1),
            LogUniformParameterRange("lr", -4, 0),
            LogUniformParameterRange("power", 0, 8, base=2, step_size=1),
            UniformIntegerParameterRange("layers", 1, 8),
            DiscreteParameterRange("solver", ["adam", "sgd", True, 1]),
            ParameterSet([{"kind": "a", "depth": UniformIntegerParameterRange("depth", 1, 4)}, {"kind": "b"}]),
        ]
    ).with_priors(
        {
            "x": [0, 0, 1],
            "lr": [1, 0, 0, 0],
            "power": lambda power: power == 16,
            "layers": lambda layers: layers == 3,
            "solver": {True: 1},
            "depth": lambda depth: depth == 4,
        }
    )
    points = drive(OptimizerOptuna(seed=1), space).run(30, lambda _point: 0.0)
    first = points[:10]
    for expected in (
        lambda point: point["x"] > 2 / 3,
        lambda point: point["lr"] < 1e-3,
        lambda point: point["power"] == 16,
        lambda point: point["layers"] == 3,
        lambda point: point["solver"] is True,
        lambda point: point.get("depth", 4) == 4,
    ):
        assert sum(map(expected, first)) >= 8


def test_the_score_of_a_candidate_is_multiplied_by_the_prior_to_beta_over_n(drive):
    search = drive(OptimizerOptuna(seed=1), GOOD)
    search.run(40, lambda point: branin(**point))
    strategy = search.strategy
    samples = {"x": np.array([math.pi, -4.0]), "y": np.array([2.275, 2.275])}
    weights = strategy._priors._log_weights(samples)
    heights = GOOD.priors["x"].heights(samples["x"], GOOD.leaf("x"))
    assert weights[0] - weights[1] == pytest.approx(10 / 40 * np.log(heights[0] / heights[1]))


def test_a_model_that_knows_better_is_asked_where_the_prior_is_high_at_first(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(30, lambda point: (point["x"] - 7) ** 2)
    search.begin(PLANE.with_priors({"x": bell(-2)}, 30))
    near = [abs(point["x"] + 2) < 2 for point in search.run(60, lambda point: (point["x"] - 7) ** 2)]
    assert sum(near[:10]) >= 7
    assert sum(near[-20:]) <= 4


def test_only_trials_after_the_drawing_that_say_something_count_as_evidence(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(5, lambda point: branin(**point))
    search.begin(PLANE.with_priors({"x": [1, 2]}, 5))
    search.run(3, lambda point: branin(**point))
    failed = search.ask()
    search.end(search.launch(failed), failed.point, state=TrialState.FAILED)
    assert search.strategy._priors._num_ended == {"x": 3}
    search.begin(search.space.with_ranges({"y": (0, 5)}))
    assert search.strategy._priors._num_ended == {"x": 3}


def test_without_a_prior_the_sampler_is_left_as_it_is(drive):
    strategy = drive(OptimizerOptuna(seed=1), PLANE).strategy
    assert not {"_compute_acquisition_func"} & vars(strategy.study.sampler).keys()
    assert type(strategy.study.sampler._random_sampler) is optuna.samplers.RandomSampler


def test_strategies_say_whether_they_follow_priors():
    assert RandomSearch().why_no_prior() is None
    assert OptimizerOptuna().why_no_prior() is None
    assert OptimizerOptuna(optuna_sampler=optuna.samplers.TPESampler(multivariate=False)).why_no_prior() is None
    assert "grid search follows no prior" in GridSearch().why_no_prior()
    assert "CmaEsSampler" in OptimizerOptuna(optuna_sampler=optuna.samplers.CmaEsSampler()).why_no_prior()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_bohb_follows_them_too(drive):
    strategy = OptimizerBOHB(min_iteration_per_job=1, max_iteration_per_job=9, seed=1)
    assert strategy.why_no_prior() is None
    points = drive(strategy, GOOD).run(10, lambda point: branin(**point))
    assert sum(abs(point["x"] - math.pi) < 2.5 for point in points) >= 8


def test_another_optuna_without_that_place_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(priors, "_ACQUISITION", "_of_a_later_release")
    assert optuna.__version__ in OptimizerOptuna().why_no_prior()


@pytest.mark.parametrize("multivariate", [True, False])
def test_both_ways_of_tpe_and_several_objectives_follow(drive, multivariate):
    sampler = optuna.samplers.TPESampler(multivariate=multivariate)
    search = drive(OptimizerOptuna(optuna_sampler=sampler, seed=1), GOOD, num_objectives=2)
    points = search.run(20, lambda _point: 0.0)
    assert sum(abs(point["x"] - math.pi) < 2.5 for point in points) >= 15
