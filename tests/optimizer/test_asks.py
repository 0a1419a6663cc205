"""A search asks its sampler for a point when a worker is free, with everything told that has ended."""

from __future__ import annotations

import optuna
import pytest

from tests.benchmarks.quality import FUNCTIONS, optuna_simulated, simulated


@pytest.mark.parametrize("num_workers", [2, 8])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in {"Branin", "conditional"} else pytest.mark.slow) for name in FUNCTIONS],
)
def test_a_search_proposes_point_for_point_what_the_sampler_does_with_all_but_one_trial_unfinished(name, num_workers):
    sampler = optuna.samplers.TPESampler(seed=3)
    found = simulated(name, num_workers, 3, optuna_sampler=sampler)
    assert found == optuna_simulated(name, num_workers, 3)
