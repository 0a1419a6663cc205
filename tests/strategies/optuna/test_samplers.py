from __future__ import annotations

import sys
import threading

import numpy as np
import optuna
import pytest
from optuna.samplers import (
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    PartialFixedSampler,
    QMCSampler,
    TPESampler,
)

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies import Observation, OptimizerOptuna
from hpo_widgets.strategies.optuna import samplers
from hpo_widgets.trials import TrialState

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

PLANE = Space([UniformParameterRange("x", -5, 5), UniformParameterRange("y", -5, 5)])
MIXED = Space(
    [
        LogUniformParameterRange("lr", -4, -1),
        DiscreteParameterRange("c", ["a", "b", "c"]),
        ParameterSet(
            [
                {"kind": "one", "n": UniformIntegerParameterRange("n", 1, 9)},
                {"kind": "two", "m": UniformIntegerParameterRange("m", 1, 9)},
            ]
        ),
    ]
)


def qmc(**keywords) -> OptimizerOptuna:
    return OptimizerOptuna(optuna_sampler=QMCSampler(**keywords), seed=3)


def zero(point):
    return 0.0


# ---------------------------------------------------------------- QMC


@pytest.mark.parametrize("space", [PLANE, MIXED], ids=["plane", "mixed"])
@pytest.mark.parametrize("keywords", [{}, {"scramble": True}, {"qmc_type": "halton", "scramble": True, "seed": 8}])
@pytest.mark.parametrize("draws", [1, 2, 17])
def test_point_n_of_a_sequence_follows_from_n_alone(drive, space, keywords, draws):
    search = drive(qmc(**keywords), space, allow_duplicates=True)
    whole = [search.strategy.ask().point for _ in range(20)]
    again = qmc(**keywords)
    again.begin(space, search.objectives, 0, [], draws)
    assert [again.ask().point for _ in range(3)] == whole[draws : draws + 3]


def test_a_sequence_does_not_depend_on_when_results_come(drive):
    one_by_one = drive(qmc(scramble=True), PLANE).run(12, zero)
    ahead = drive(qmc(scramble=True), PLANE)
    assert [ahead.strategy.ask().point for _ in range(12)] == one_by_one


def test_a_sequence_spreads_more_evenly_than_chance(drive):
    points = drive(qmc(scramble=True), PLANE).run(64, zero)
    cells = {(int((p["x"] + 5) / 1.25), int((p["y"] + 5) / 1.25)) for p in points}
    assert len(cells) == 64  # one in each of 8 x 8 cells


def test_running_trials_do_not_use_up_a_sequence(drive):
    search = drive(qmc(), PLANE)
    for _ in range(3):
        search.launch(search.ask())
    narrow = PLANE.with_ranges({"x": (-4, 4)})
    search.begin(narrow)
    fresh = drive(qmc(), narrow)
    assert search.strategy.ask().point == fresh.strategy.ask().point


# ---------------------------------------------------------------- fresh copies


def test_copies_for_other_epochs_and_draws_go_on_with_other_numbers():
    prototype = TPESampler(seed=4)

    def first(epoch, draws, seed=1):
        return samplers.fresh(prototype, seed, epoch, draws, is_seeded=True)._rng.rng.rand()

    assert first(0, 0) == TPESampler(seed=4)._rng.rng.rand()
    assert len({first(0, 0), first(1, 0), first(2, 0), first(0, 7), first(1, 0, seed=2)}) == 5
    assert first(1, 0) == first(1, 0)


def test_random_states_of_nested_samplers_are_found():
    independent = TPESampler()
    sampler = PartialFixedSampler({"x": 1}, CmaEsSampler(independent_sampler=independent))
    copies = [samplers.fresh(sampler, 1, 1, 0, is_seeded=True) for _ in range(2)]
    values = [copy._base_sampler._independent_sampler._rng.rng.rand() for copy in copies]
    assert values[0] == values[1]
    assert copies[0]._base_sampler._cma_rng.rng.rand() == copies[1]._base_sampler._cma_rng.rng.rand()


@pytest.mark.parametrize("make", [CmaEsSampler, NSGAIISampler, lambda: QMCSampler(scramble=True), lambda: None])
def test_any_sampler_repeats_with_a_seed_of_the_search(drive, make):
    def run():
        search = drive(OptimizerOptuna(optuna_sampler=make(), seed=11), PLANE)
        first = search.run(60, lambda point: point["x"] ** 2)
        search.begin(PLANE.with_ranges({"y": (0, 1)}))
        return first + search.run(20, lambda point: point["x"] ** 2)

    assert run() == run()


def test_samplers_are_told_apart_through_others_that_hold_them():
    grid = GridSampler({"x": [1.0]})
    assert samplers.is_exhaustive(PartialFixedSampler({}, grid))
    assert samplers.needs_all_trials(PartialFixedSampler({}, NSGAIISampler()))
    assert not samplers.needs_all_trials(TPESampler())


# ---------------------------------------------------------------- warm starts


def observations(n: int = 60) -> list[Observation]:
    rng = np.random.default_rng(0)
    points = [{"x": x, "y": y} for x, y in rng.uniform(-5, 5, (n, 2)).tolist()]
    return [
        Observation(i, point, TrialState.COMPLETED, ((point["x"] - 3) ** 2 + (point["y"] + 3) ** 2,), (1,))
        for i, point in enumerate(points)
    ]


def begun(sampler, space, history):
    from hpo_widgets.objectives import make_objectives

    strategy = OptimizerOptuna(optuna_sampler=sampler, seed=2)
    strategy.begin(space, make_objectives("a", "b", "min"), 1, history, 0)
    return strategy


def test_cma_es_begins_where_the_best_of_the_history_lies():
    space = PLANE.with_ranges({"x": (-4, 5)})

    def mean(history):
        strategy = begun(CmaEsSampler(), space, history)
        points = [strategy.ask().point for _ in range(30)]
        return np.mean([point["x"] for point in points[1:]]), np.mean([point["y"] for point in points[1:]])

    x, y = mean(observations())
    assert x == pytest.approx(3, abs=1.2)
    assert y == pytest.approx(-3, abs=1.2)


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: CmaEsSampler(use_separable_cma=True),
        lambda: CmaEsSampler(with_margin=True),
    ],
)
def test_other_forms_of_cma_es_begin_too(sampler):
    strategy = begun(sampler(), PLANE, observations())
    assert strategy.ask() is not None


def test_source_trials_of_another_space_are_refused_before_anything_runs():
    with pytest.raises(ValueError, match="CmaEsSampler cannot search this space: No compatible source_trials"):
        begun(CmaEsSampler(source_trials=[]), PLANE, [])


@pytest.mark.parametrize(
    ("make", "missing", "told"),
    [
        (GPSampler, ["scipy", "torch"], "GPSampler needs what is not installed here: pip install scipy torch"),
        (CmaEsSampler, ["cmaes"], "CmaEsSampler needs what is not installed here: pip install cmaes"),
        (
            lambda: PartialFixedSampler({"x": 0.0}, QMCSampler()), ["scipy"],
            "PartialFixedSampler needs what is not installed here: pip install scipy",
        ),
    ],
    ids=["Gaussian process", "CMA-ES", "inside another"],
)  # fmt: skip
def test_a_library_that_a_sampler_lacks_is_named_before_anything_runs(make, missing, told, monkeypatch):
    sampler = make()
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=f"^{told}$"):
        HyperParameterOptimizer(
            lambda x, y: 0.0, PLANE.parameters, optimizer_class=OptimizerOptuna, optuna_sampler=sampler
        )


def test_cma_es_begins_with_few_trials_and_beside_choices(drive):
    space = Space([*PLANE.parameters, DiscreteParameterRange("c", ["a", "b"])])
    search = drive(OptimizerOptuna(optuna_sampler=CmaEsSampler(), seed=2), space)
    search.run(25, lambda point: point["x"])
    search.begin(space.with_ranges({"x": (-4, 5)}))
    assert len(search.run(10, lambda point: point["x"])) == 10


def test_the_best_of_the_history_are_nsgas_first_generation():
    strategy = begun(NSGAIISampler(population_size=10, mutation_prob=0.0), PLANE, observations())
    key = NSGAIISampler._get_generation_key()
    first = [t for t in strategy.study.trials if t.system_attrs.get(key) == 0]
    assert len(first) == 10
    assert max(t.value for t in first) <= sorted(o.values[0] for o in observations())[9]
    children = [strategy.ask().point for _ in range(10)]
    assert np.mean([child["x"] for child in children]) > 1
    assert {t.system_attrs.get(key) for t in strategy.study.get_trials(states=[optuna.trial.TrialState.RUNNING])} == {1}


class Guarded(optuna.samplers.RandomSampler):
    """A sampler with a lock, which cannot be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_a_sampler_with_a_lock_is_copied_and_has_one_of_its_own():
    prototype = Guarded()
    with prototype.lock:
        copied = samplers.fresh(prototype, 0, 0, 0, is_seeded=True)
        assert copied.lock.acquire(blocking=False)
