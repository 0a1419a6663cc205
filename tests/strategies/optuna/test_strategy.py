from __future__ import annotations

import logging
import math
import warnings

import optuna
import pytest
from optuna.trial import TrialState as OptunaState

from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import Observation, OptimizerBOHB, OptimizerOptuna
from hpo_widgets.trials import TrialState

SPACE = Space(
    [
        UniformParameterRange("x", -5, 5),
        LogUniformParameterRange("lr", -4, -1),
        DiscreteParameterRange("c", ["a", "b"]),
    ]
)
PLANE = Space([UniformParameterRange("x", -5, 5), UniformParameterRange("y", -5, 5)])
FINITE = Space([UniformIntegerParameterRange("n", 1, 3), DiscreteParameterRange("c", ["a", None])])


def bowl(point):
    return sum((value - 1) ** 2 for value in point.values() if isinstance(value, float))


def states(strategy) -> list[str]:
    return [trial.state.name for trial in strategy.study.trials]


# ---------------------------------------------------------------- proposing


def test_the_same_seed_gives_the_same_points_for_the_same_results(drive):
    runs = [drive(OptimizerOptuna(seed=5), SPACE).run(40, bowl) for _ in range(2)]
    assert runs[0] == runs[1]
    assert drive(OptimizerOptuna(seed=6), SPACE).run(40, bowl) != runs[0]


def test_a_sampler_without_a_seed_of_its_own_takes_the_strategys(drive):
    def run(seed, sampler_seed=None):
        sampler = optuna.samplers.TPESampler(seed=sampler_seed)
        return drive(OptimizerOptuna(optuna_sampler=sampler, seed=seed), SPACE).run(25, bowl)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert run(1, 9) == run(2, 9)  # a sampler's own seed stays
    assert run(1, 9) != run(1, 8)


def test_the_users_sampler_and_pruner_are_templates_that_stay_untouched(drive):
    sampler, pruner = optuna.samplers.TPESampler(seed=3), optuna.pruners.HyperbandPruner(max_resource=9)
    state = sampler._rng.rng.get_state()[1].copy()
    search = drive(OptimizerOptuna(optuna_sampler=sampler, optuna_pruner=pruner, seed=1), SPACE)
    search.run(15, bowl)
    assert (sampler._rng.rng.get_state()[1] == state).all()
    assert pruner._pruners == []
    assert type(search.strategy.study.sampler) is optuna.samplers.TPESampler
    assert type(search.strategy.study.pruner) is optuna.pruners.HyperbandPruner


def test_a_finite_space_is_tried_to_its_end_without_repeats(drive):
    search = drive(OptimizerOptuna(seed=5), FINITE)
    points = search.run(100, lambda point: point["n"])
    assert len({FINITE.key(point) for point in points}) == len(points) == 6
    assert search.strategy.ask() is None
    search.begin(FINITE.with_ranges({"n": (1, 2)}))
    assert search.strategy.ask() is None


def test_points_asked_ahead_are_all_different(drive):
    search = drive(OptimizerOptuna(seed=5), FINITE)
    ahead = [search.strategy.ask().point for _ in range(6)]
    assert len({FINITE.key(point) for point in ahead}) == 6
    assert search.strategy.ask() is None


def test_allowed_duplicates_never_exhaust_a_space(drive):
    search = drive(OptimizerOptuna(seed=5), FINITE, allow_duplicates=True)
    assert len(search.run(30, lambda point: point["n"])) == 30


def test_draws_count_on_when_a_search_is_opened_again(drive):
    strategy = OptimizerOptuna(seed=5)
    search = drive(strategy, SPACE)
    search.run(12, bowl)
    again = OptimizerOptuna(seed=5)
    again.begin(SPACE, search.objectives, 0, search.history, search.last_draw + 1)
    proposal = again.ask()
    assert proposal.draw == search.last_draw + 1
    assert SPACE.key(proposal.point) not in search.keys
    assert len(again.study.trials) == 13


def test_conditional_parameters_are_asked_for_only_where_they_apply(drive):
    space = Space(
        [
            ParameterSet(
                [
                    {"kind": "sgd", "momentum": UniformParameterRange("momentum", 0, 1)},
                    {"kind": "adam", "beta": UniformParameterRange("beta", 0.8, 1)},
                ]
            ),
            UniformParameterRange("x", 0, 1),
        ]
    )
    points = drive(OptimizerOptuna(seed=1), space).run(40, lambda point: point["x"] + (point["kind"] == "sgd"))
    assert {frozenset(point) for point in points} == {
        frozenset({"kind", "momentum", "x"}),
        frozenset({"kind", "beta", "x"}),
    }
    assert sum(point["kind"] == "adam" for point in points[20:]) > 10


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize(
    ("state", "values", "known"),
    [
        (TrialState.COMPLETED, (1.0,), "COMPLETE"),
        (TrialState.COMPLETED, (math.inf,), "COMPLETE"),
        (TrialState.COMPLETED, (-math.inf,), "COMPLETE"),
        (TrialState.COMPLETED, (math.nan,), "FAIL"),
        (TrialState.COMPLETED, (), "FAIL"),
        (TrialState.FAILED, (), "FAIL"),
        (TrialState.ABORTED, (1.0,), "FAIL"),
        (TrialState.PRUNED, (1.0,), "PRUNED"),
        (TrialState.PRUNED, (), "PRUNED"),
    ],
)
def test_how_a_trial_ended_is_told(drive, state, values, known):
    search = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.TPESampler(), seed=1), SPACE)
    proposal = search.ask()
    search.end(search.launch(proposal), proposal.point, *values, state=state)
    [trial] = search.strategy.study.trials
    assert trial.state.name == known
    if known == "COMPLETE" or (values == (1.0,) and known == "PRUNED"):
        assert trial.value == values[0]


@pytest.mark.parametrize(
    ("state", "values", "is_learnt"),
    [
        (TrialState.FAILED, (), True),
        (TrialState.COMPLETED, (math.nan,), True),
        (TrialState.ABORTED, (1.0,), False),
        (TrialState.PRUNED, (), False),
    ],
)
@pytest.mark.parametrize(
    "strategy",
    [OptimizerOptuna(seed=1), OptimizerBOHB(min_iteration_per_job=1, max_iteration_per_job=9, seed=1)],
    ids=["Optuna", "BOHB"],
)
def test_the_own_samplers_learn_of_failures_also_of_those_of_other_ranges(drive, strategy, state, values, is_learnt):
    search = drive(strategy, SPACE)
    proposal = search.ask()
    search.end(search.launch(proposal), proposal.point, *values, state=state)
    search.begin(SPACE.with_ranges({"x": (-6, 6)}))
    failed = [trial for trial in search.strategy.study.trials if "failed" in trial.constraints]
    assert len(failed) == is_learnt
    search.end(900, {**proposal.point, "x": 1.0}, *values, state=state)  # one that a person has enqueued
    failed = [trial for trial in search.strategy.study.trials if "failed" in trial.constraints]
    assert len(failed) == 2 * is_learnt


@pytest.mark.parametrize(("limit", "known"), [(10, "COMPLETE"), (11, "FAIL"), (None, "FAIL")])
def test_a_trial_ended_at_its_full_length_is_complete(drive, limit, known):
    search = drive(OptimizerOptuna(max_iteration_per_job=limit, seed=1), SPACE)
    proposal = search.ask()
    observation = search.end(search.launch(proposal), proposal.point, 2.0, state=TrialState.ABORTED)
    assert observation.iteration == (10,)
    assert states(search.strategy) == [known]
    search.begin(SPACE.with_ranges({"x": (-6, 6)}))
    assert len(search.strategy.study.trials) == (known == "COMPLETE")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", ["TPESampler", "CmaEsSampler", "NSGAIISampler", "QMCSampler", "RandomSampler"])
def test_infinite_and_missing_values_end_no_search(drive, sampler):
    instance = getattr(optuna.samplers, sampler)()
    search = drive(OptimizerOptuna(optuna_sampler=instance, seed=1), PLANE)
    odd = [math.inf, -math.inf, math.nan, 0.5, 1.5]
    for narrow in (None, {"x": (0, 2)}):
        if narrow is not None:
            search.begin(PLANE.with_ranges(narrow))
        points = search.run(30, lambda point: odd[round(1e6 * point["x"]) % 5])
        assert len(points) == 30


def test_enqueued_inform_the_sampler_when_they_are_inside(drive):
    search = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.TPESampler(), seed=1), PLANE)
    search.end(900, {"x": 1.0, "y": 2.0}, 0.1)
    search.end(901, {"x": 9.0, "y": 2.0}, 0.1)
    search.end(902, {"x": 1.5, "y": 2.0}, 0.3, state=TrialState.PRUNED)
    search.end(903, {"x": 1.5, "y": 2.5}, state=TrialState.FAILED)
    trials = search.strategy.study.trials
    assert [(trial.state.name, trial.value) for trial in trials] == [("COMPLETE", 0.1), ("PRUNED", 0.3)]


def test_a_proposal_that_is_not_run_does_not_stay_running(drive):
    search = drive(OptimizerOptuna(seed=1), SPACE)
    first, second, third = (search.strategy.ask() for _ in range(3))
    search.launch(second)
    assert states(search.strategy) == ["FAIL", "RUNNING", "RUNNING"]
    search.strategy.dropped(third)
    assert states(search.strategy) == ["FAIL", "RUNNING", "FAIL"]
    number = search.launch(first)  # it was run after all
    assert states(search.strategy)[3] == "RUNNING"
    search.end(number, first.point, 1.0)
    assert states(search.strategy)[3] == "COMPLETE"


def test_running_trials_stay_known_through_a_change_of_range(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    proposals = [search.ask() for _ in range(6)]
    numbers = [search.launch(proposal) for proposal in proposals]
    search.strategy.report(numbers[0], 1, 0.5)
    low = min(proposal.point["x"] for proposal in proposals)
    search.begin(PLANE.with_ranges({"x": (low + 0.01, 5)}))
    running = search.strategy.study.get_trials(states=[OptunaState.RUNNING])
    assert len(running) == 5
    for number, proposal in zip(numbers, proposals, strict=True):
        search.end(number, proposal.point, 1.0)
    assert states(search.strategy) == ["COMPLETE"] * 5


def test_ended_trials_do_not_come_back_as_running(drive):
    search = drive(OptimizerOptuna(seed=1), PLANE)
    proposal = search.ask()
    number = search.launch(proposal)
    search.history.append(Observation(number, proposal.point, TrialState.ABORTED, None))  # never told
    search.begin(PLANE)
    assert search.strategy.study.trials == []


@pytest.mark.parametrize(("sign", "direction", "factor"), [("min", "MINIMIZE", 1), ("max", "MAXIMIZE", -1)])
def test_a_model_does_better_than_its_random_start_in_the_direction_of_the_sign(drive, sign, direction, factor):
    search = drive(OptimizerOptuna(seed=2), PLANE, sign=sign)
    points = search.run(60, lambda point: factor * bowl(point))
    assert min(map(bowl, points[30:])) < min(map(bowl, points[:10]))
    assert search.strategy.study.direction.name == direction


# ---------------------------------------------------------------- several objectives


def test_several_objectives_are_directions_and_nothing_is_pruned(drive):
    search = drive(OptimizerOptuna(seed=2), PLANE, num_objectives=2)
    assert len(search.run(25, bowl)) == 25
    assert not search.strategy.supports_pruning
    assert "Nothing is pruned" in search.strategy.notes[0]
    proposal = search.ask()
    number = search.launch(proposal)
    assert search.strategy.report(number, 1, 5.0) is False
    search.end(number, proposal.point, 1.0, 2.0, state=TrialState.PRUNED)
    assert search.strategy.study.trials[-1].state.name == "PRUNED"


def test_a_sampler_for_one_objective_refuses_several_before_anything_runs():
    strategy = OptimizerOptuna(optuna_sampler=optuna.samplers.CmaEsSampler())
    with pytest.raises(ValueError, match=r"CmaEsSampler cannot search this space: .*multi-objective"):
        strategy.check(PLANE, make_objectives(["a", "b"], ["a", "b"], ["min", "max"]))


# ---------------------------------------------------------------- pruning


def told_of_five_curves(search):
    """Run five trials that report one value three times; the answer to each report, True to give the trial up."""
    answers = []
    for value in (1, 2, 3, 4, 5):
        proposal = search.ask()
        number = search.launch(proposal)
        answers += [search.strategy.report(number, iteration, value) for iteration in range(3)]
        search.end(number, proposal.point, value)
    return answers


def test_the_median_pruner_is_the_default_and_gives_up_poor_trials(drive):
    search = drive(OptimizerOptuna(seed=2), SPACE)
    assert not any(told_of_five_curves(search))
    proposal = search.ask()
    number = search.launch(proposal)
    assert search.strategy.report(number, 1, 99.0) is True
    search.end(number, proposal.point, 99.0, state=TrialState.PRUNED)
    last = search.strategy.study.trials[-1]
    assert (last.state.name, last.value, last.intermediate_values) == ("PRUNED", 99.0, {1: 99.0})


def test_curves_survive_a_change_of_range(drive):
    search = drive(OptimizerOptuna(seed=2), PLANE)
    told_of_five_curves(search)
    search.begin(PLANE.with_ranges({"x": (-5.5, 5.5)}))
    assert all(len(trial.intermediate_values) == 3 for trial in search.strategy.study.trials)
    number = search.launch(search.ask())
    assert search.strategy.report(number, 1, 99.0) is True


def test_a_search_that_is_opened_again_compares_with_the_curves_of_its_newest_trials(drive):
    before = drive(OptimizerOptuna(seed=2), PLANE)
    before.run(5, bowl)
    told_of_five_curves(before)
    strategy = OptimizerOptuna(max_observations=30, seed=2)
    asked = []

    def past_curves(numbers):
        asked.append(list(numbers))
        return {number: dict.fromkeys(range(3), number - 4.0) for number in numbers if number >= 5}

    strategy.past_curves = past_curves
    search = drive(strategy, PLANE, history=before.history, number=10)
    for value, gives_up in ((1.0, False), (2.0, False), (3.5, True)):
        proposal = search.ask()
        number = search.launch(proposal)
        assert [strategy.report(number, iteration, value) for iteration in range(3)] == [gives_up] * 3
        search.end(number, proposal.point, value)
    search.begin(PLANE.with_ranges({"x": (-5.5, 5.5)}))
    assert asked == [list(range(10))]


def intermediate_values(search):
    """What the pruner knows of each trial that has ended, by number."""
    return {trial.user_attrs["number"]: trial.intermediate_values for trial in search.strategy.study.trials}


def left_out(search, *numbers):
    """Begin anew without some trials."""
    whole = list(search.history)
    search.history = [observation for observation in whole if observation.number not in numbers]
    search.begin(search.space)
    search.history = whole


def test_the_curve_of_a_trial_that_is_taken_back_is_known_again(drive):
    search = drive(OptimizerOptuna(seed=2), PLANE)
    told_of_five_curves(search)
    known = intermediate_values(search)
    left_out(search, 1, 2)
    assert intermediate_values(search).keys() == {0, 3, 4}
    search.begin(PLANE)
    assert intermediate_values(search) == known


def test_the_curve_of_a_trial_that_was_outside_a_narrower_range_is_known_again(drive):
    search = drive(OptimizerOptuna(seed=2), PLANE)
    proposal = search.ask()
    number = search.launch(proposal)
    told_of_five_curves(search)
    search.begin(PLANE.with_ranges({"x": (-5.0, -4.99)}))
    assert not search.space.contains(proposal.point)
    search.strategy.report(number, 0, 7.0)
    search.end(number, proposal.point, 7.0)
    search.begin(PLANE)
    assert intermediate_values(search) == {0: {0: 7.0}} | {n: dict.fromkeys(range(3), float(n)) for n in range(1, 6)}


def test_curves_of_trials_that_it_was_not_told_of_are_read_when_they_come(drive):
    search = drive(OptimizerOptuna(seed=2), PLANE)
    told_of_five_curves(search)
    proposal = search.ask()
    number = search.launch(proposal)
    search.strategy.report(number, 0, 7.0)
    search.history.append(Observation(number, proposal.point, TrialState.COMPLETED, (8.0,), (1,)))
    asked = []

    def past_curves(numbers):
        asked.append(list(numbers))
        return {number: {0: 7.0, 1: 8.0} for number in numbers}

    search.strategy.past_curves = past_curves
    for _ in range(2):
        search.begin(PLANE)
        assert intermediate_values(search)[number] == {0: 7.0, 1: 8.0}
    assert asked == [[number]]


def test_curves_that_nobody_compares_with_any_more_are_forgotten(drive):
    search = drive(OptimizerOptuna(max_observations=30, seed=2), PLANE)
    for _ in range(8):
        told_of_five_curves(search)
    search.begin(PLANE)
    assert list(search.strategy._curves) == list(range(10, 40))


@pytest.mark.parametrize("max_observations", [1000, None])
def test_a_pruner_waits_for_trials_whose_curves_it_knows_before_it_gives_any_up(drive, max_observations):
    before = drive(OptimizerOptuna(seed=2), PLANE)
    told_of_five_curves(before)
    strategy = OptimizerOptuna(max_observations=max_observations, seed=2)  # that knows no curves, as they are of Tasks
    search = drive(strategy, PLANE, history=before.history, number=5)
    assert not any(told_of_five_curves(search))
    number = search.launch(search.ask())
    assert strategy.report(number, 1, 99.0) is True


@pytest.mark.parametrize(
    ("keywords", "num_objectives", "asked"),
    [
        ({}, 1, [list(range(10, 40))]),
        ({"optuna_pruner": optuna.pruners.NopPruner()}, 1, []),
        ({}, 2, []),
    ],
)
def test_curves_are_read_of_as_many_trials_as_are_seen_and_only_for_a_pruner(drive, keywords, num_objectives, asked):
    before = drive(OptimizerOptuna(seed=2), PLANE, num_objectives=num_objectives)
    before.run(40, bowl)
    strategy, numbers = OptimizerOptuna(max_observations=30, seed=2, **keywords), []
    strategy.past_curves = lambda given: numbers.append(list(given)) or {}
    drive(strategy, PLANE, num_objectives=num_objectives, history=before.history)
    assert numbers == asked


def test_no_trial_is_pruned_before_its_minimum_of_iterations(drive):
    pruner = optuna.pruners.ThresholdPruner(upper=1.0)
    search = drive(OptimizerOptuna(optuna_pruner=pruner, min_iteration_per_job=3, seed=2), SPACE)
    number = search.launch(search.ask())
    answers = [search.strategy.report(number, iteration, 50.0) for iteration in range(5)]
    assert answers == [False, False, False, True, True]


def test_odd_reports_are_harmless(drive):
    search = drive(OptimizerOptuna(optuna_pruner=optuna.pruners.NopPruner(), seed=2), SPACE)
    number = search.launch(search.ask())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not search.strategy.report(number, -1, 1.0)
        assert not search.strategy.report(number, 1, math.nan)
        assert not search.strategy.report(number, 1, 2.0)
        assert not search.strategy.report(number, 2, math.inf)
        assert not search.strategy.report(12345, 2, 1.0)


# ---------------------------------------------------------------- earlier studies


def earlier_study(direction="minimize"):
    study = optuna.create_study(direction=direction)
    distributions = {
        "x": optuna.distributions.FloatDistribution(-50, 50),
        "lr": optuna.distributions.FloatDistribution(1e-6, 1, log=True),
        "c": optuna.distributions.CategoricalDistribution(["a", "b", "z"]),
    }
    for x, lr, c in [(1.0, 0.01, "a"), (30.0, 0.01, "a"), (2.0, 0.01, "z"), (3.0, 0.02, "b")]:
        params = {"x": x, "lr": lr, "c": c}
        study.add_trial(optuna.trial.create_trial(value=x, params=params, distributions=distributions))
    study.add_trial(optuna.trial.create_trial(value=0, params={}, distributions={}))
    study.add_trial(
        optuna.trial.create_trial(
            state=OptunaState.FAIL, params={"x": 1.0, "lr": 0.01, "c": "a"}, distributions=distributions
        )
    )
    return study


def test_an_earlier_study_is_really_continued(drive):
    study = earlier_study()
    search = drive(OptimizerOptuna(continue_previous_study=study, seed=1), SPACE)
    assert [trial.value for trial in search.strategy.study.trials] == [1.0, 3.0]
    search.run(3, bowl)
    assert len(study.trials) == 6  # the user's own study is only read
    search.begin(SPACE.with_ranges({"x": (2.5, 3.5)}))
    assert 3.0 in [trial.value for trial in search.strategy.study.trials]
    assert 1.0 not in [trial.value for trial in search.strategy.study.trials]


def test_an_earlier_study_makes_a_random_start_unnecessary(drive):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(lambda t: (t.suggest_float("x", -5, 5) - 1) ** 2 + (t.suggest_float("y", -5, 5) - 1) ** 2, 60)
    first = drive(OptimizerOptuna(continue_previous_study=study, seed=1), PLANE).run(12, bowl)
    cold = drive(OptimizerOptuna(seed=1), PLANE).run(12, bowl)
    assert sum(map(bowl, first)) < sum(map(bowl, cold)) / 2


def test_an_earlier_study_of_another_direction_is_refused():
    strategy = OptimizerOptuna(continue_previous_study=earlier_study("maximize"))
    with pytest.raises(ValueError, match="continue_previous_study is to maximize, this search is to minimize"):
        strategy.check(SPACE, make_objectives("a", "b", "min"))


# ---------------------------------------------------------------- samplers with values of their own


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_grid_samplers_grid_is_tried_to_its_end(drive):
    sampler = optuna.samplers.GridSampler({"x": [-1.0, 0.0, 1.0], "y": [0.0, 1.0]})
    search = drive(OptimizerOptuna(optuna_sampler=sampler, seed=1), PLANE)
    assert len(search.run(3, bowl)) == 3
    search.begin(PLANE.with_ranges({"x": (-0.5, 5)}))
    rest = search.run(100, bowl)
    assert all(point["x"] >= 0 for point in rest)
    search.begin(PLANE)
    rest += search.run(100, bowl)
    assert len(search.keys) == 6


def test_a_sampler_that_lacks_a_parameter_is_refused_before_anything_runs():
    strategy = OptimizerOptuna(optuna_sampler=optuna.samplers.GridSampler({"x": [0.0]}))
    with pytest.raises(
        ValueError, match=r"GridSampler cannot search this space: .*'?y'?,? is not found in the given grid"
    ):
        strategy.check(PLANE, make_objectives("a", "b", "min"))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::optuna.exceptions.ExperimentalWarning")
def test_a_fixed_value_that_a_range_excludes_gives_way_to_the_range(drive):
    sampler = optuna.samplers.PartialFixedSampler({"x": 2.0, "c": "a"}, optuna.samplers.RandomSampler(seed=1))
    search = drive(OptimizerOptuna(optuna_sampler=sampler, seed=1), SPACE)
    assert {(point["x"], point["c"]) for point in search.run(5, bowl)} == {(2.0, "a")}
    search.begin(SPACE.with_ranges({"x": (3, 4)}))
    assert len(search.run(5, bowl)) == 5
    search.begin(SPACE.with_ranges({"c": ("b",)}))
    assert {point["c"] for point in search.run(5, bowl)} == {"b"}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_brute_force_tries_every_point_of_a_conditional_space(drive):
    space = Space(
        [
            ParameterSet([{"k": "a", "n": UniformIntegerParameterRange("n", 1, 3)}, {"k": "b"}]),
            DiscreteParameterRange("c", ["x", "y"]),
        ]
    )
    search = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.BruteForceSampler(seed=1), seed=1), space)
    assert len(search.run(100, lambda point: 1.0)) == space.size == 8


# ---------------------------------------------------------------- manners


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"optuna_sampler": "tpe"}, "optuna_sampler must be an optuna BaseSampler such as TPESampler()"),
        ({"optuna_sampler": optuna.samplers.TPESampler}, "pass an instance, not the class"),
        ({"optuna_pruner": 3}, "optuna_pruner must be an optuna BasePruner"),
        ({"continue_previous_study": "study.db"}, "continue_previous_study must be an optuna Study"),
    ],
)
def test_wrong_objects_are_refused(keywords, message):
    with pytest.raises(TypeError) as caught:
        OptimizerOptuna(**keywords)
    assert message in str(caught.value)


def test_a_window_too_small_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="max_observations must be at least 30, or None"):
        OptimizerOptuna(max_observations=5)


def test_nothing_is_printed_and_optunas_own_logging_stays_as_it_was(drive, capsys):
    verbosity = optuna.logging.get_verbosity()
    search = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.CmaEsSampler(), seed=1), SPACE)
    search.run(15, bowl)
    search.begin(SPACE.with_ranges({"x": (0, 1)}))
    search.run(5, bowl)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    assert optuna.logging.get_verbosity() == verbosity


def test_what_optuna_logs_of_this_search_is_kept_for_debugging(drive, caplog):
    with caplog.at_level(logging.DEBUG, logger="hpo_widgets"):
        handler = caplog.handler  # one that serves both loggers
        logging.getLogger("optuna").addHandler(handler)
        try:
            drive(OptimizerOptuna(seed=1), SPACE).run(2, bowl)
        finally:
            logging.getLogger("optuna").removeHandler(handler)
    assert "A new study created" in caplog.text


def test_a_study_of_the_users_own_logs_as_before(drive):
    lines = []
    handler = logging.StreamHandler()
    handler.emit = lines.append
    logging.getLogger("optuna").addHandler(handler)
    try:
        drive(OptimizerOptuna(seed=1), SPACE).run(2, bowl)
        assert lines == []
        optuna.create_study()
    finally:
        logging.getLogger("optuna").removeHandler(handler)
    assert len(lines) == 1


def test_a_search_warns_of_nothing_experimental(drive):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = drive(OptimizerOptuna(seed=1), SPACE)
        search.run(15, bowl)
        search.begin(SPACE.with_ranges({"x": (0, 1)}))
        search.run(5, bowl)


def test_notes_say_what_cma_es_leaves_to_chance(drive):
    search = drive(OptimizerOptuna(optuna_sampler=optuna.samplers.CmaEsSampler(), seed=1), SPACE)
    assert "leaves c to random sampling" in search.strategy.notes[0]
    search.begin(SPACE.with_ranges({"x": (0, 1)}))
    assert "started again" in search.strategy.notes[1]
