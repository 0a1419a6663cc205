from __future__ import annotations

import warnings

import optuna
import pytest

from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import DiscreteParameterRange, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.strategies import OptimizerBOHB
from hpo_widgets.trials import TrialState

SPACE = Space([UniformParameterRange("x", -5, 5), DiscreteParameterRange("c", ["a", "b"])])


def bohb(**keywords) -> OptimizerBOHB:
    return OptimizerBOHB(**{"min_iteration_per_job": 1, "max_iteration_per_job": 27, "seed": 1, **keywords})


def run_with_curves(search, n: int) -> list[int]:
    """Run trials whose loss falls with the iteration; return after how many iterations each ended."""
    lengths = []
    for _ in range(n):
        proposal = search.ask()
        number = search.launch(proposal)
        for iteration in range(1, 28):
            value = abs(proposal.point["x"]) + 1 / iteration
            if search.strategy.report(number, iteration, value):
                search.end(number, proposal.point, value, state=TrialState.PRUNED)
                break
        else:
            search.end(number, proposal.point, value)
        lengths.append(iteration)
    return lengths


def test_trials_end_at_the_rungs_of_hyperband(drive):
    lengths = run_with_curves(drive(bohb(), SPACE), 60)
    assert set(lengths) <= {1, 3, 9, 27}
    assert lengths.count(27) >= 5
    assert sum(length < 27 for length in lengths) > 30


def test_the_same_seed_gives_the_same_search(drive):
    first, second = drive(bohb(), SPACE), drive(bohb(), SPACE)
    assert run_with_curves(first, 40) == run_with_curves(second, 40)
    assert [o.point for o in first.history] == [o.point for o in second.history]


def test_full_trials_are_good_ones(drive):
    search = drive(bohb(), SPACE)
    run_with_curves(search, 80)
    ended = [abs(o.point["x"]) for o in search.history if o.state is TrialState.COMPLETED]
    pruned = [abs(o.point["x"]) for o in search.history if o.state is TrialState.PRUNED]
    assert sum(ended) / len(ended) < sum(pruned) / len(pruned)


def test_a_change_of_range_goes_on_with_the_history(drive):
    search = drive(bohb(), SPACE)
    run_with_curves(search, 30)
    search.begin(SPACE.with_ranges({"x": (-1, 4)}))
    inside = [o for o in search.history if search.space.contains(o.point)]
    assert len(search.strategy.study.trials) == len(inside)
    assert set(run_with_curves(search, 20)) <= {1, 3, 9, 27}


def test_clearmls_keywords_reach_sampler_and_pruner(drive):
    search = drive(bohb(eta=4, min_points_in_model=7, num_samples=11, top_n_percent=30), SPACE)
    pruner, sampler = search.strategy.study.pruner, search.strategy.study.sampler
    assert isinstance(pruner, optuna.pruners.HyperbandPruner)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (1, 27, 4)
    assert isinstance(sampler, optuna.samplers.TPESampler)
    assert (sampler._n_startup_trials, sampler._n_ei_candidates) == (7, 11)
    assert [sampler._gamma(n) for n in (1, 10, 100)] == [1, 3, 30]


def test_the_model_starts_with_one_more_trial_than_parameters(drive):
    assert drive(bohb(), SPACE).strategy.study.sampler._n_startup_trials == 3


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (1.0, 200)])
def test_a_share_of_the_points_is_random_whatever_the_model_says(drive, fraction, expected):
    strategy = drive(bohb(random_fraction=fraction), SPACE).strategy
    assert sum(strategy._is_random_draw(n) for n in range(200)) == expected


def test_a_third_of_the_points_is_random_by_default(drive):
    strategy = drive(bohb(), SPACE).strategy
    assert 150 < sum(strategy._is_random_draw(n) for n in range(600)) < 250


def test_random_points_of_a_finite_space_lie_all_over_it(drive):
    strategy = drive(bohb(), Space([UniformIntegerParameterRange("n", 0, 999)])).strategy
    proposals = [strategy.ask() for _ in range(150)]
    at_random = [proposal.point["n"] for proposal in proposals if strategy._is_random_draw(proposal.draw)]
    assert min(at_random) < 100
    assert max(at_random) > 900


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"min_iteration_per_job": None}, "needs min_iteration_per_job and max_iteration_per_job"),
        ({"max_iteration_per_job": None}, "needs min_iteration_per_job and max_iteration_per_job"),
        ({"min_iteration_per_job": 27}, "below max_iteration_per_job, got 27 and 27"),
        ({"min_iteration_per_job": 0}, "at least 1"),
        ({"eta": 1}, "eta must be an integer of at least 2"),
        ({"eta": 2.5}, "eta must be an integer of at least 2"),
        ({"top_n_percent": 0}, "top_n_percent must be between 1 and 99"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        ({"min_points_in_model": 0}, "min_points_in_model must be at least 1"),
        ({"random_fraction": 1.5}, "random_fraction must be between 0 and 1"),
    ],
)
def test_bad_keywords_are_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        bohb(**keywords)


@pytest.mark.parametrize("keyword", ["bandwidth_factor", "min_bandwidth", "max_budget"])
def test_keywords_without_a_meaning_here_are_refused(keyword):
    with pytest.raises(TypeError, match=f"OptimizerBOHB has no keyword '{keyword}'"):
        bohb(**{keyword: 1})


def test_several_objectives_are_refused_with_what_to_use_instead():
    with pytest.raises(ValueError, match=r"OptimizerBOHB takes one objective, got 2: .*OptimizerOptuna"):
        bohb().check(SPACE, make_objectives(["a", "b"], ["a", "b"], ["min", "min"]))


def test_it_warns_of_nothing(drive):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_with_curves(drive(bohb(), SPACE), 15)


def test_it_keeps_away_from_points_that_fail_however_far_they_came(drive):
    def num_late(state):
        search = drive(bohb(random_fraction=0), SPACE)
        for _ in range(60):
            proposal = search.ask()
            number, x = search.launch(proposal), proposal.point["x"]
            far = x > 3
            search.strategy.report(number, 9 if far else 1, abs(x + 3))
            search.end(number, proposal.point, abs(x + 3), state=state if far else TrialState.PRUNED)
        return sum(observation.point["x"] > 3 for observation in search.history[30:])

    assert num_late(TrialState.PRUNED) > 10
    assert num_late(TrialState.FAILED) < 5
