"""What a search finds for its budget, beside the same sampler in Optuna itself."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from scipy.stats import mannwhitneyu

from hpo_widgets import HyperParameterOptimizer, OptimizerOptuna
from tests.benchmarks.learning import COMPUTING, compute
from tests.benchmarks.quality import (
    FUNCTIONS,
    NUM_TRIALS,
    OptunaProcesses,
    least_regret,
    optuna_simulated,
    ours,
    simulated,
    space,
    suggest,
)
from tests.benchmarks.rows import TURNS, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.timeout(600)

NUM_SEEDS = int(os.environ.get("HPO_WIDGETS_BENCH_SEEDS", "12"))
NUM_SIMULATED = int(os.environ.get("HPO_WIDGETS_BENCH_SIMULATED_SEEDS", "60"))
WORKERS = (2, 8)
SIGNIFICANT = 0.05 / (len(FUNCTIONS) * len(WORKERS))
"""The probability of a mere chance below which a row fails: 5 % over all rows of a kind."""


def compare(record: Any, what: str, mine: Sequence[float], theirs: Sequence[float], peer: str) -> None:
    """Fail when our regrets are significantly greater."""
    p = float(mannwhitneyu(mine, theirs, alternative="greater").pvalue)
    record(
        f"{what}: regret of {NUM_TRIALS} trials, {len(mine)} seeds",
        Samples(mine, "", f"p = {p:.3f}"),
        bar=f"not worse: p ≥ {SIGNIFICANT:.4f} (Mann-Whitney, one-sided)",
        peers={peer: Samples(theirs, "")},
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


def compute_for_a_while(**point: float) -> float:
    """Hartmann's function with 20 ms of CPU time."""
    return compute(FUNCTIONS["Hartmann 6"], **point)


def test_trials_that_compute_end_sooner_than_in_threads(tmp_path: Path, record: Any) -> None:
    """The default of `OptimizerOptuna`, from the start of the search until all trials have ended, in turns."""
    mine, theirs, parameters = [], [], space("Hartmann 6")
    for seed in range(TURNS):
        search = HyperParameterOptimizer(
            compute_for_a_while, parameters, optimizer_class=OptimizerOptuna, seed=seed,
            journal=tmp_path / str(seed), max_number_of_concurrent_tasks=2, total_max_jobs=NUM_TRIALS,
        )  # fmt: skip
        began = time.perf_counter()
        search.start()
        search.wait()
        mine.append(time.perf_counter() - began)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        began = time.perf_counter()
        study.optimize(
            lambda trial: compute_for_a_while(**suggest(space("Hartmann 6"), trial)), n_trials=NUM_TRIALS, n_jobs=2
        )
        theirs.append(time.perf_counter() - began)
    ours_took, theirs_took = Samples(mine, "s"), Samples(theirs, "s")
    record(
        f"{NUM_TRIALS} trials of {COMPUTING * 1e3:.0f} ms of CPU time, `OptimizerOptuna`, two workers, with the start",
        ours_took,
        bar="less than Optuna, n_jobs=2",
        peers={"Optuna in memory, n_jobs=2": theirs_took},
        reached=ours_took.median < theirs_took.median,
    )
