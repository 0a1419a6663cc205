"""The default sampler: what it finds beside TPE alone, and on what spaces and values it works."""

from __future__ import annotations

import math
import sys
import tracemalloc

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
from hpo_widgets.strategies import OptimizerOptuna
from hpo_widgets.testing.objectives import branin
from hpo_widgets.trials import TrialState

PLANE = Space([UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)])
LEAST = 0.397887  # of Branin
KERNELS = Space(
    [
        ParameterSet(
            [
                {"kernel": "linear", "shrinking": DiscreteParameterRange("shrinking", [True, False])},
                {
                    "kernel": "rbf",
                    "gamma": LogUniformParameterRange("gamma", -5, 1),
                    "inner": ParameterSet(
                        [{"cache": 1}, {"cache": 2, "size": UniformIntegerParameterRange("size", 8, 64, step_size=8)}]
                    ),
                },
            ]
        ),
        LogUniformParameterRange("c", -3, 3),
        UniformParameterRange("share", 0.1, 0.7, step_size=0.1),
        DiscreteParameterRange("kind", [(1, 2), (3, 4), None]),
    ]
)


def tpe(**keywords):
    return OptimizerOptuna(optuna_sampler=optuna.samplers.TPESampler(), **keywords)


def best(drive, strategy, space, trials, objective):
    return min(objective(point) for point in drive(strategy, space).run(trials, objective))


def of_kernels(point):
    c = (math.log10(point["c"]) - 1) ** 2
    if point["kernel"] == "linear":
        return 2 + c
    return c + (math.log10(point["gamma"]) + 2) ** 2 + abs(point["share"] - 0.3)


@pytest.mark.parametrize(
    ("space", "objective"),
    [
        pytest.param(PLANE, lambda point: branin(**point) - LEAST, id="smooth"),
        pytest.param(KERNELS, of_kernels, id="depends on choices"),
    ],
)
def test_it_comes_closer_to_the_optimum_than_tpe_alone(drive, space, objective):
    default, alone = (
        np.median([best(drive, strategy(seed=seed), space, 40, objective) for seed in range(5)])
        for strategy in (OptimizerOptuna, tpe)
    )
    assert default < alone / 5


def test_it_is_no_worse_where_the_objective_has_no_slope(drive):
    def steps(point):
        return math.floor(abs(point["x"] - 7)) + math.floor(abs(point["y"] - 3))

    default = [best(drive, OptimizerOptuna(seed=seed), PLANE, 40, steps) for seed in range(5)]
    assert np.median(default) == 0


def points_of_tpe(points, seed, others=()):
    """What TPE alone proposes where it is told the same; the points of ``others``, by number, are not its own."""
    seed = int(np.random.SeedSequence([seed, 0, 0]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(sampler=sampler)
    ranges = {"x": optuna.distributions.FloatDistribution(-5, 10), "y": optuna.distributions.FloatDistribution(0, 15)}
    own = []
    for number, point in enumerate(points):
        if number in others:
            study.add_trial(optuna.create_trial(params=point, distributions=ranges, value=branin(**point)))
        else:
            trial = study.ask(ranges)
            own.append(trial.params)
            study.tell(trial, branin(**point))
    return own


def test_points_are_of_tpe_but_every_second_after_the_random_start(drive):
    points = drive(OptimizerOptuna(seed=3), PLANE).run(20, lambda point: branin(**point))
    others = range(11, 20, 2)
    own = [point for number, point in enumerate(points) if number not in others]
    assert own == points_of_tpe(points, seed=3, others=others)
    assert [points[number] for number in others] != points_of_tpe(points, seed=3)[11::2]


def test_with_several_objectives_it_comes_closer_to_the_front_than_tpe_alone(drive):
    space = Space([UniformParameterRange(f"x{number}", 0, 1) for number in range(5)])

    def zdt1(point):
        first, *rest = point.values()
        above = 1 + 9 * sum(rest) / len(rest)
        return first, above * (1 - math.sqrt(first / above))

    def mean_distance(strategy):
        """How much the second objective is above the front, of the least for each fifth of the first one."""
        search = drive(strategy, space, num_objectives=2)
        least = [10.0] * 5
        for _ in range(50):
            proposal = search.ask()
            first, second = zdt1(proposal.point)
            search.end(search.launch(proposal), proposal.point, first, second)
            fifth = min(int(5 * first), 4)
            least[fifth] = min(least[fifth], second - 1 + math.sqrt(first))
        return np.mean(least)

    default, alone = (
        np.median([mean_distance(strategy(seed=seed)) for seed in range(3)]) for strategy in (OptimizerOptuna, tpe)
    )
    assert default < alone / 3


def test_points_of_trials_that_run_at_the_same_time_are_apart(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(30, lambda point: branin(**point))
    together = []
    for _ in range(8):
        proposal = search.ask()
        search.launch(proposal)
        together.append(proposal.point)
    pairs = [(one, other) for index, one in enumerate(together) for other in together[:index]]
    assert min(math.hypot(one["x"] - other["x"], one["y"] - other["y"]) for one, other in pairs) > 1e-3


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda _point: 1.0, id="all alike"),
        pytest.param(lambda point: math.inf if point["x"] > 0 else -point["x"], id="infinite"),
        pytest.param(lambda point: -math.inf if point["x"] > 0 else 1.0, id="minus infinite"),
        pytest.param(lambda _point: math.inf, id="all infinite"),
        pytest.param(lambda point: 1e300 * point["x"], id="huge"),
        pytest.param(lambda point: math.copysign(1.7e308, point["x"]), id="further apart than any number"),
        pytest.param(lambda point: 1e-300 * point["x"], id="tiny"),
        pytest.param(
            lambda point: sys.float_info.max if point["x"] > 5 else 0.01 * point["y"], id="few beyond all proportion"
        ),
    ],
)
def test_any_value_can_be_learnt_from(drive, value):
    with np.errstate(all="raise", under="ignore"):
        assert len(drive(OptimizerOptuna(seed=1), PLANE).run(24, value)) == 24


@pytest.mark.filterwarnings("ignore:All-NaN slice")  # of the pruner
@pytest.mark.parametrize("reports", [False, True], ids=["without a report", "as they reported NaN"])
def test_where_trials_were_pruned_that_tell_nothing_it_does_not_go(drive, reports):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    for _ in range(40):
        proposal = search.ask()
        number, point = search.launch(proposal), proposal.point
        if reports:
            search.strategy.report(number, 0, math.nan if point["x"] > 2.5 else branin(**point))
        if point["x"] > 2.5:
            search.end(number, point, state=TrialState.PRUNED)
        else:
            search.end(number, point, branin(**point) / 10)
    assert sum(observation.point["x"] > 2.5 for observation in search.history[20:]) <= 5


def test_a_trial_that_was_pruned_counts_as_those_that_were_as_good_at_the_same_step(drive):
    search = drive(OptimizerOptuna(seed=1), Space([UniformParameterRange("x", 0, 1)]))
    for _ in range(40):
        proposal = search.ask()
        number, point = search.launch(proposal), proposal.point
        early = (point["x"] - 0.3) ** 2
        search.strategy.report(number, 0, early)
        if abs(point["x"] - 0.3) < 0.05:
            search.end(number, point, state=TrialState.PRUNED)
        else:
            search.end(number, point, 10 + early)
    assert sum(abs(observation.point["x"] - 0.3) < 0.05 for observation in search.history[20:]) >= 8


def test_a_trial_that_was_pruned_may_be_as_bad_as_infinite_ones(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    with np.errstate(all="raise", under="ignore"):
        for _ in range(24):
            proposal = search.ask()
            number, point = search.launch(proposal), proposal.point
            search.strategy.report(number, 0, point["x"])
            if point["x"] > 5:
                search.end(number, point, state=TrialState.PRUNED)
            else:
                search.end(number, point, math.inf if point["x"] > 0 else 1.0)
    assert len(search.history) == 24


def run_where_some_fail(search, trials, fails, objective, state=TrialState.FAILED):
    """Run trials, of which some fail; return the points of those."""
    failed = []
    for _ in range(trials):
        proposal = search.ask()
        number, point = search.launch(proposal), proposal.point
        if fails(point):
            failed.append(point)
            search.end(number, point, state=state)
        else:
            search.end(number, point, *[objective(point)] * search.num_objectives)
    return failed


def is_too_large(point):
    return point["x"] + point["y"] > 10


def towards_failures(point):
    return -point["x"] - point["y"]


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_fewer_trials_fail_than_with_tpe_alone(drive, num_objectives):
    def num_failed(strategy):
        search = drive(strategy, PLANE, num_objectives=num_objectives)
        return len(run_where_some_fail(search, 60, is_too_large, lambda point: branin(**point)))

    plain, default = (sum(num_failed(strategy(seed=seed)) for seed in range(3)) for strategy in (tpe, OptimizerOptuna))
    assert default < 0.6 * plain


def test_it_comes_close_to_the_border_beyond_which_trials_fail(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    run_where_some_fail(search, 60, is_too_large, towards_failures)
    assert min(one.values[0] for one in search.history if one.values) < -9.7


def test_a_choice_that_fails_is_given_up(drive):
    def num_late(strategy):
        space = Space([DiscreteParameterRange("kind", list("abcd")), UniformParameterRange("x", 0, 1)])
        search = drive(strategy, space)
        run_where_some_fail(search, 40, lambda point: point["kind"] in "ab", lambda point: (point["x"] - 0.3) ** 2)
        return sum(one.point["kind"] in "ab" for one in search.history[20:])

    plain, default = (sum(num_late(strategy(seed=seed)) for seed in range(3)) for strategy in (tpe, OptimizerOptuna))
    assert default < 0.6 * plain


def test_failures_that_nothing_explains_do_not_keep_it_from_the_optimum(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    chance = np.random.default_rng(1)
    run_where_some_fail(search, 60, lambda _: chance.random() < 0.2, lambda point: branin(**point))
    assert min(one.values[0] for one in search.history if one.values) < LEAST + 0.01


def test_it_knows_the_failures_of_a_search_that_is_opened_again(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    run_where_some_fail(search, 40, is_too_large, lambda point: branin(**point))
    again = drive(OptimizerOptuna(seed=1), PLANE)
    again.history, again.number = search.history, search.number
    again.begin(PLANE, draws=search.last_draw + 1)
    assert len(run_where_some_fail(again, 20, is_too_large, lambda point: branin(**point))) <= 8


def test_trials_that_a_person_aborts_are_no_failures(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    aborted = run_where_some_fail(search, 60, is_too_large, towards_failures, TrialState.ABORTED)
    assert len(aborted) > 30  # it goes where the objective is best


def test_a_search_of_which_all_trials_fail_goes_on_at_random(drive):
    assert len(run_where_some_fail(drive(OptimizerOptuna(seed=1), PLANE), 30, lambda _: True, branin)) == 30


def test_a_finite_space_is_searched_to_its_end_without_a_point_twice(drive):
    space = Space([UniformIntegerParameterRange("n", 1, 6), DiscreteParameterRange("kind", ["a", "b", "c"])])
    points = drive(OptimizerOptuna(seed=1), space).run(30, lambda point: point["n"])
    assert len({space.key(point) for point in points}) == len(points) == 18


def test_a_point_that_was_tried_is_not_proposed_while_there_are_others(drive):
    space = Space([UniformIntegerParameterRange("n", 1, 40), DiscreteParameterRange("kind", ["a", "b", "c"])])
    search = drive(OptimizerOptuna(seed=1), space)
    search.run(60, lambda point: abs(point["n"] - 30))
    refused = [trial.number for trial in search.strategy.study.trials if trial.state is optuna.trial.TrialState.FAIL]
    assert not [number for number in refused if number > 10 and number % 2]  # turns of the process


def test_a_point_whose_trial_has_failed_is_not_proposed_again(drive):
    space = Space([UniformIntegerParameterRange("n", 1, 40), DiscreteParameterRange("kind", ["a", "b", "c"])])
    search = drive(OptimizerOptuna(seed=1), space)
    for _ in range(50):
        proposal = search.ask()
        number, n = search.launch(proposal), proposal.point["n"]
        if n > 36:
            search.end(number, proposal.point, state=TrialState.FAILED)
        else:
            search.end(number, proposal.point, 40 - n)
    asked = search.strategy.study.trials[20:]
    assert all("number" in trial.user_attrs for trial in asked if trial.number % 2)  # turns of the process


def test_a_point_that_it_has_forgotten_is_not_proposed_again_and_again(drive):
    space = Space([UniformIntegerParameterRange("n", 1, 100), DiscreteParameterRange("kind", ["a", "b", "c"])])
    search = drive(OptimizerOptuna(seed=1), space)
    search.run(220, lambda point: abs(point["n"] - 60))
    turns = [trial for trial in search.strategy.study.trials if trial.number % 2]
    assert sum("number" in trial.user_attrs for trial in turns) > 0.5 * len(turns)


def test_a_point_that_was_proposed_and_not_run_may_be_proposed_again(drive):
    space = Space([UniformIntegerParameterRange("n", 1, 20), DiscreteParameterRange("kind", ["a", "b", "c"])])
    search = drive(OptimizerOptuna(seed=1), space)
    search.run(30, lambda point: abs(point["n"] - 12))
    begun = len(search.strategy.study.trials)
    for _ in range(40):
        search.strategy.dropped(search.ask())
    turns = [trial.params for trial in search.strategy.study.trials[begun:] if trial.number % 2]
    assert len({tuple(point.items()) for point in turns}) < 0.5 * len(turns)


def test_a_point_of_a_search_that_is_opened_again_is_not_proposed(drive):
    # As Optuna adds steps up, 1.7 is 1.7000000000000002.
    space = Space([UniformParameterRange("x", 0.1, 4, step_size=0.1), DiscreteParameterRange("kind", ["a", "b", "c"])])
    before = drive(OptimizerOptuna(seed=1), space)
    before.run(40, lambda point: abs(point["x"] - 1.7))
    search = drive(OptimizerOptuna(seed=2), space, history=before.history, keys=before.keys, number=40)
    search.run(40, lambda point: abs(point["x"] - 1.7))
    refused = [trial.number for trial in search.strategy.study.trials if trial.state is optuna.trial.TrialState.FAIL]
    assert not [number for number in refused if number % 2]  # turns of the process


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param([DiscreteParameterRange("kind", ["a"])], id="a parameter of one value"),
        pytest.param(
            [ParameterSet([{"kind": "a"}, {"kind": "b", "rate": UniformParameterRange("rate", 0, 1)}])],
            id="a combination that a range excludes",
        ),
    ],
)
def test_what_cannot_vary_changes_no_proposal(drive, parameters):
    space = Space([*parameters, *PLANE.parameters]).with_ranges({"kind": ["a"]})
    points = drive(OptimizerOptuna(seed=1), space).run(20, lambda point: branin(point["x"], point["y"]))
    alone = drive(OptimizerOptuna(seed=1), PLANE).run(20, lambda point: branin(**point))
    assert points == [{"kind": "a", **point} for point in alone]


def test_points_between_steps_and_inactive_parameters_are_never_proposed(drive):
    # The driver asks of each point whether it is one of the space.
    points = drive(OptimizerOptuna(seed=2), KERNELS).run(60, of_kernels)
    assert {"linear", "rbf"} == {point["kernel"] for point in points}


def test_numbers_on_extreme_scales_are_searched(drive):
    space = Space(
        [
            UniformParameterRange("wide", -8e307, 8e307),
            UniformIntegerParameterRange("large", 0, 2**53),
            LogUniformParameterRange("small", -300, -200),
        ]
    )
    points = drive(OptimizerOptuna(seed=1), space).run(20, lambda point: point["large"] / 2**53)
    assert len(points) == 20


def test_a_space_of_one_point_is_searched(drive):
    space = Space([DiscreteParameterRange("kind", ["a"])])
    assert (
        drive(OptimizerOptuna(seed=1), space, allow_duplicates=True).run(14, lambda _point: 1.0) == [{"kind": "a"}] * 14
    )


def test_with_more_trials_than_it_learns_from_it_looks_around_the_best(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(110, lambda point: branin(**point))
    ours = search.run(20, lambda point: branin(**point))[1::2]
    minima = [(-math.pi, 12.275), (math.pi, 2.275), (9.42478, 2.475)]
    distances = sorted(min(math.hypot(point["x"] - x, point["y"] - y) for x, y in minima) for point in ours)
    assert distances[6] < 0.1  # one in some tens goes to see what is two or three away


def test_no_matrix_is_so_large_that_it_is_computed_in_several_threads(drive, monkeypatch):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(130, lambda point: branin(**point))
    for _ in range(100):
        search.launch(search.ask())
    sizes = []
    for name in ("inv", "solve", "cholesky"):
        function = getattr(np.linalg, name)

        def noted(matrix, *others, function=function):
            sizes.append(matrix.shape[-1])
            return function(matrix, *others)

        monkeypatch.setattr(np.linalg, name, noted)
    products = []
    multiply = np.matmul

    def noted_product(one, other, **keywords):
        products.append(one.shape[0] * one.shape[1] * other.shape[1])
        return multiply(one, other, **keywords)

    monkeypatch.setattr(np, "matmul", noted_product)
    for _ in range(2):
        search.ask()
    assert 50 < max(sizes) < 100  # OpenBLAS begins another thread for 10,000 numbers
    assert 200_000 < max(products) <= 4 * 65_536  # and for more multiplications


def test_choices_of_many_values_are_compared_as_cheaply_as_those_of_few(drive):
    def most_memory(count):
        space = Space([DiscreteParameterRange(f"kind {index}", list(range(count))) for index in range(20)])
        search = drive(OptimizerOptuna(seed=1), space)
        search.run(41, lambda point: sum(point.values()))
        tracemalloc.start()
        search.ask()
        search.ask()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most_memory(50) < 1.5 * most_memory(2)


def test_a_point_that_is_given_costs_no_look_for_one(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    search.run(20, lambda point: branin(**point))
    search.launch(search.ask())
    search.begin(PLANE.with_ranges({"x": (-5, 9.5)}))
    drawn = search.strategy.study.sampler._draws.bit_generator.state
    search.strategy._enter(99, {"x": 1.0, "y": 1.0}, {})
    search.strategy._enter(100, {"x": 2.0, "y": 1.0}, {})
    assert search.strategy.study.sampler._draws.bit_generator.state == drawn


# A constraint --------------------------------------------------------------------------------------------------------

HEADS = Space(
    [
        UniformIntegerParameterRange("width", 16, 256),
        UniformIntegerParameterRange("heads", 1, 16),
        LogUniformParameterRange("rate", -5, -1),
        DiscreteParameterRange("kind", ["only"]),
    ]
)


def divides(point):
    return point["width"] % point["heads"] == 0


def of_heads(point):
    off = ((point["width"] - 96) / 64) ** 2 + ((point["heads"] - 12) / 8) ** 2
    return off + (math.log10(point["rate"]) + 3) ** 2


def test_its_points_meet_the_constraint_at_the_first_ask(drive):
    driver = drive(OptimizerOptuna(seed=1), HEADS, allows=divides)
    driver.run(40, of_heads)
    refused = [
        trial.number
        for trial in driver.strategy.study.get_trials(deepcopy=False)
        if trial.number % 2 and trial.number > 60 and trial.params["width"] % trial.params["heads"]
    ]
    assert refused == []
    assert len(driver.strategy.study.trials) > 61  # TPE was asked again


def test_under_a_constraint_it_comes_closer_to_the_optimum_than_tpe_alone(drive):
    def least(strategy):
        points = drive(strategy, HEADS, allows=divides).run(40, of_heads)
        assert all(map(divides, points))
        return min(map(of_heads, points))

    default, alone = (
        np.median([least(strategy(seed=seed)) for seed in range(5)]) for strategy in (OptimizerOptuna, tpe)
    )
    assert default < alone / 100
