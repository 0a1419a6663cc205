from __future__ import annotations

import itertools

import numpy as np
import optuna
import pytest

from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.strategies import Observation, OptimizerOptuna
from hpo_widgets.strategies.optuna.window import WindowedStorage, best_first, thinned
from hpo_widgets.trials import TrialState

SPACE = Space([UniformParameterRange("x", 0, 1)])


class Counting(optuna.samplers.RandomSampler):
    """Notes how many finished trials it was shown at each ask."""

    shown: list[int] = []  # noqa: RUF012  shared by the copies that the strategy makes

    def sample_independent(self, study, trial, param_name, param_distribution):
        self.shown.append(len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])))
        return super().sample_independent(study, trial, param_name, param_distribution)


@pytest.fixture
def shown() -> list[int]:
    Counting.shown.clear()
    return Counting.shown


def observations(n: int) -> list[Observation]:
    return [Observation(i, {"x": i / n}, TrialState.COMPLETED, (abs(i / n - 0.3),), (1,)) for i in range(n)]


def test_a_sampler_sees_a_bounded_number_of_trials_however_long_the_search(drive, shown):
    search = drive(OptimizerOptuna(optuna_sampler=Counting(), max_observations=40, seed=1), SPACE)
    shown.clear()
    search.run(200, lambda point: point["x"])
    assert shown[:40] == list(range(40))
    assert max(shown) <= 50
    assert len(search.strategy.study.trials) == 200


def test_thinning_happens_once_in_a_quarter_of_the_window(drive, shown):
    search = drive(OptimizerOptuna(optuna_sampler=Counting(), max_observations=40, seed=1), SPACE)
    shown.clear()
    search.run(400, lambda point: point["x"])
    thinnings = sum(later < earlier for earlier, later in itertools.pairwise(shown))
    assert thinnings <= 400 / 10


def test_none_shows_every_trial(drive, shown):
    search = drive(OptimizerOptuna(optuna_sampler=Counting(), max_observations=None, seed=1), SPACE)
    search.run(100, lambda point: point["x"])
    assert shown[-1] == 99


def test_a_long_history_is_thinned_at_the_start_of_a_space():
    strategy = OptimizerOptuna(max_observations=90, seed=1)
    from hpo_widgets.objectives import make_objectives

    strategy.begin(SPACE, make_objectives("a", "b", "min"), 0, observations(3000), 0)
    values = [trial.value for trial in strategy.study.trials]
    numbers = [trial.user_attrs["number"] for trial in strategy.study.trials]
    assert len(values) == 90
    assert numbers == sorted(numbers)
    assert sorted(values)[:30] == sorted(abs(i / 3000 - 0.3) for i in range(3000))[:30]
    assert numbers[-30:] == list(range(2970, 3000))


def test_samplers_with_books_of_their_own_are_shown_all(drive):
    sampler = optuna.samplers.NSGAIISampler(population_size=4, seed=1)
    search = drive(OptimizerOptuna(optuna_sampler=sampler, max_observations=30, seed=1), SPACE)
    search.run(60, lambda point: point["x"])
    complete = search.strategy.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    assert len(complete) == 60


def test_a_pruner_sees_the_newest_trials():
    storage = WindowedStorage(30, np.random.default_rng(1))
    study = optuna.create_study(storage=storage)
    study.add_trials([optuna.trial.create_trial(value=i, intermediate_values={0: i}) for i in range(100)])
    with storage.newest():
        assert [trial.number for trial in study.get_trials(deepcopy=False)] == list(range(70, 100))
    assert {0, 1, 2} <= {trial.number for trial in study.get_trials(deepcopy=False)}


@pytest.mark.parametrize("limit", [30, None])
def test_a_pruner_does_not_see_trials_without_reports(limit):
    storage = WindowedStorage(limit, np.random.default_rng(1))
    study = optuna.create_study(storage=storage)
    curves = [{}, {0: 1.0}, {}, {0: 2.0}]
    study.add_trials([optuna.trial.create_trial(value=1.0, intermediate_values=curve) for curve in curves])
    running = study.ask().number
    with storage.newest():
        assert [trial.number for trial in study.get_trials(deepcopy=False)] == [1, 3, running]
    assert len(study.get_trials(deepcopy=False)) == 5


def test_unfinished_trials_are_always_seen_and_failed_ones_never():
    storage = WindowedStorage(30, np.random.default_rng(1))
    study = optuna.create_study(storage=storage)
    first = study.ask()
    for i in range(100):
        trial = study.ask()
        if i % 2:
            study.tell(trial, i)
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    seen = study.get_trials(deepcopy=False)
    assert seen[0].number == first.number
    assert all(trial.state.name != "FAIL" for trial in seen)
    assert [trial.number for trial in seen] == sorted(trial.number for trial in seen)


@pytest.mark.parametrize("columns", [1, 2])
def test_the_best_the_newest_and_a_random_rest_are_kept(columns):
    rng = np.random.default_rng(2)
    losses = rng.random((200, columns))
    losses[::7] = np.nan
    kept = thinned(losses, 60, rng)
    assert kept == sorted(set(kept))
    assert len(kept) == 60
    assert set(best_first(losses)[:20].tolist()) <= set(kept)
    assert set(range(180, 200)) <= set(kept)


def test_few_are_all_kept():
    assert thinned(np.zeros((10, 1)), 30, np.random.default_rng(1)) == list(range(10))


def test_infinite_losses_and_nan_come_last():
    losses = np.array([[np.nan], [np.inf], [1.0], [-np.inf]])
    assert best_first(losses).tolist()[:2] == [3, 2]
