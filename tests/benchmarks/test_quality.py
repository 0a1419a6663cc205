"""What a search finds for its budget, beside the same sampler in Optuna itself."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from tests.benchmarks.quality import (
    FUNCTIONS,
    NUM_TRIALS,
    OptunaProcesses,
    least_regret,
    optuna_simulated,
    ours,
    simulated,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.timeout(3600)

NUM_SEEDS = int(os.environ.get("HPO_WIDGETS_BENCH_SEEDS", "40"))
NUM_SIMULATED = int(os.environ.get("HPO_WIDGETS_BENCH_SIMULATED_SEEDS", "500"))
WORKERS = (2, 8)
SIGNIFICANT = 0.05 / (len(FUNCTIONS) * len(WORKERS))
"""The probability of a mere chance below which a row fails: 5 % over all rows of a kind."""


def compare(record: Any, what: str, mine: Sequence[float], theirs: Sequence[float], peer: str) -> None:
    """Fail when our regrets are significantly greater."""
    p = float(mannwhitneyu(mine, theirs, alternative="greater").pvalue)
    record(
        f"{what}: median regret of {NUM_TRIALS} trials, {len(mine)} seeds",
        f"{np.median(mine):.3g} (p = {p:.3f})",
        bar=f"not worse: p ≥ {SIGNIFICANT:.4f} (Mann-Whitney, one-sided)",
        peers=f"{peer} {np.median(theirs):.3g}",
        reached=p >= SIGNIFICANT,
    )


@pytest.fixture(scope="module", params=WORKERS)
def processes(request: pytest.FixtureRequest) -> Any:
    """As many processes of Optuna as there are workers of ours, and their number."""
    made = OptunaProcesses(request.param)
    yield request.param, made
    made.close()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_search_finds_what_optuna_finds_in_as_many_processes(name: str, processes: Any, record: Any) -> None:
    """Trials of 5 ms in worker processes, in turns, so that what else the machine does meets both alike."""
    num_workers, peer = processes
    mine, theirs = [], []
    for seed in range(NUM_SEEDS):
        mine.append(ours(name, num_workers, seed))
        theirs.append(peer.least_regret(name, seed))
    compare(record, f"{name}, {num_workers} workers", mine, theirs, f"Optuna in {num_workers} processes")


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_search_finds_what_its_sampler_finds_with_all_but_one_trial_unfinished(
    name: str, num_workers: int, record: Any
) -> None:
    """In simulated time, so that each point is asked with just W - 1 trials unfinished."""
    arguments = [name] * NUM_SIMULATED, [num_workers] * NUM_SIMULATED, range(NUM_SIMULATED)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        mine = list(pool.map(partial(least_regret, simulated), *arguments, chunksize=10))
        theirs = list(pool.map(partial(least_regret, optuna_simulated), *arguments, chunksize=10))
    what = f"{name}, {num_workers - 1} unfinished, simulated"
    compare(record, what, mine, theirs, "Optuna's study")
