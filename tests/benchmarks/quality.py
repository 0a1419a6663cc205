"""Functions with known minima, searched by ours and by Optuna itself, for real and in simulated time.

All random numbers follow from a seed, but for the order in which real trials end.
"""

from __future__ import annotations

import heapq
import math
import multiprocessing
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.controller import proposals
from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.strategies.optuna.study import quiet
from hpo_widgets.trials import TrialState
from tests.benchmarks.searches import NoWorkers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NUM_TRIALS = 60

# Functions to be minimised; each gives its regret, which is how much it is above its least value ----------------------


def branin(x: float, y: float) -> float:
    """Three equal minima on x in [-5, 10], y in [0, 15] (Dixon, Szegö 1978)."""
    curve = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return curve * curve + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.39788735772973816


_HARTMANN_A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
                        [17, 8, 0.05, 10, 0.1, 14]])  # fmt: skip
_HARTMANN_P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                               [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])  # fmt: skip
_HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


def hartmann6(a: float, b: float, c: float, d: float, e: float, f: float) -> float:
    """Six minima in the unit cube of six dimensions (Dixon, Szegö 1978)."""
    distance = (_HARTMANN_A * (np.array([a, b, c, d, e, f]) - _HARTMANN_P) ** 2).sum(axis=1)
    return 3.322368011415515 - float(_HARTMANN_ALPHA @ np.exp(-distance))


def mixed(lr: float, layers: int, activation: str) -> float:
    """A logarithmic, an integer and a categorical parameter."""
    valley = 0.06 * (math.log10(lr) + 2.5) ** 2 + 0.004 * (layers - 3) ** 2
    return valley + {"relu": 0.0, "tanh": 0.01, "gelu": 0.05}[activation]


def conditional(kind: str, depth: int = 0, gamma: float = 0.0, c: float = 0.0) -> float:
    """Parameters that depend on the value of another one."""
    if kind == "tree":
        return 0.1 + 0.01 * (depth - 7) ** 2
    return 0.05 * (math.log10(gamma) + 2) ** 2 + 0.05 * (math.log10(c) - 1) ** 2


FUNCTIONS: dict[str, Callable[..., float]] = {
    "Branin": branin,
    "Hartmann 6": hartmann6,
    "mixed": mixed,
    "conditional": conditional,
}


def space(name: str) -> list[Any]:
    """The parameters of a function in our words."""
    if name == "Branin":
        return [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
    if name == "Hartmann 6":
        return [UniformParameterRange(letter, 0, 1) for letter in "abcdef"]
    if name == "mixed":
        return [
            LogUniformParameterRange("lr", -5, 0),
            UniformIntegerParameterRange("layers", 1, 8),
            DiscreteParameterRange("activation", ["relu", "tanh", "gelu"]),
        ]
    return [
        ParameterSet([
            {"kind": "tree", "depth": UniformIntegerParameterRange("depth", 1, 20)},
            {"kind": "svm", "gamma": LogUniformParameterRange("gamma", -5, 1),
             "c": LogUniformParameterRange("c", -3, 3)},
        ])
    ]  # fmt: skip


def suggest(parameters: list[Any], trial: optuna.Trial) -> dict[str, Any]:
    """A point in Optuna's words."""
    point: dict[str, Any] = {}
    for parameter in parameters:
        if isinstance(parameter, ParameterSet):
            number = trial.suggest_categorical(choice_of(parameter), list(range(len(parameter.values))))
            point |= _suggest_all(parameter.values[number], trial)
        else:
            point |= _suggest_all({parameter.name: parameter}, trial)
    return point


def _suggest_all(combination: Any, trial: optuna.Trial) -> dict[str, Any]:
    return {name: _suggest(part, trial) for name, part in combination.items()}


def _suggest(part: Any, trial: optuna.Trial) -> Any:
    if isinstance(part, LogUniformParameterRange):
        return trial.suggest_float(part.name, 10**part.min_value, 10**part.max_value, log=True)
    if isinstance(part, UniformIntegerParameterRange):
        return trial.suggest_int(part.name, part.min_value, part.max_value)
    if isinstance(part, UniformParameterRange):
        return trial.suggest_float(part.name, part.min_value, part.max_value)
    if isinstance(part, DiscreteParameterRange):
        return trial.suggest_categorical(part.name, list(part.values))
    return part


def choice_of(parameter: ParameterSet) -> str:
    """A name for the choice of a combination."""
    return " or ".join(dict.fromkeys(name for combination in parameter.values for name in combination))


# For real: trials of 5 ms on average --------------------------------------------------------------------------------


def slowly(name: str, point: Mapping[str, Any]) -> float:
    """A regret, after 2 to 8 ms."""
    time.sleep(random.uniform(0.002, 0.008))
    return FUNCTIONS[name](**point)


def ours(name: str, num_workers: int, seed: int) -> float:
    """The least regret of a search of ours in worker processes."""

    def objective(**point: Any) -> float:
        return slowly(name, point)

    with tempfile.TemporaryDirectory() as folder:
        search = HyperParameterOptimizer(
            objective, space(name), optimizer_class=OptimizerOptuna, seed=seed, journal=Path(folder),
            max_number_of_concurrent_tasks=num_workers, total_max_jobs=NUM_TRIALS, allow_duplicates=True,
        )  # fmt: skip
        search.start()
        search.wait()
        return search.best_trial.value


class OptunaProcesses:
    """Processes that share one study by Optuna's journal; they stay from one study to the next.

    Parameters
    ----------
    num_workers
        How many processes.
    """

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(num_workers)
        self._pool = ProcessPoolExecutor(num_workers, context, _keep_barrier, (barrier,))

    def least_regret(self, name: str, seed: int) -> float:
        """The least regret of the first trials of a study."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "study.log")
            storage = JournalStorage(JournalFileBackend(path))
            study = optuna.create_study(storage=storage, study_name="study")
            arguments = [(path, name, seed * 1000 + worker) for worker in range(self._num_workers)]
            list(self._pool.map(_optimize, *zip(*arguments, strict=True)))
            return min(trial.value for trial in study.get_trials()[:NUM_TRIALS] if trial.value is not None)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


_barrier: Any = None


def _keep_barrier(barrier: Any) -> None:
    global _barrier  # noqa: PLW0603 -- what a process of a pool is given once
    _barrier = barrier
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _optimize(path: str, name: str, seed: int) -> None:
    study = optuna.load_study(
        storage=JournalStorage(JournalFileBackend(path)),
        study_name="study",
        sampler=optuna.samplers.TPESampler(seed=seed),
    )
    _barrier.wait()
    study.optimize(
        lambda trial: slowly(name, suggest(space(name), trial)), callbacks=[MaxTrialsCallback(NUM_TRIALS, states=None)]
    )


# In simulated time: a point is asked as soon as a trial has ended, so W - 1 trials are unfinished at each ask ---------


class SimulatedEngine(NoWorkers):
    """Runs trials of random length in simulated time, which stands still while a worker is free."""

    seed = 0
    """Of the lengths of trials."""
    num_trials = NUM_TRIALS
    """How many trials the search has."""

    def __init__(self, template: Any, **options: Any) -> None:
        super().__init__(template, **options)
        self._function = template.function
        self._rng = random.Random(self.seed)
        self._now = 0.0
        self._running: list[tuple[float, int, dict[str, Any]]] = []
        self._num_launched = 0

    def free(self) -> int:
        """Workers without a trial."""
        return self.num_workers - len(self._running)

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Begin a trial."""
        self._num_launched += 1
        heapq.heappush(self._running, (self._now + self._rng.uniform(0.5, 1.5), number, dict(point)))
        return 0

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Go on to the end of the next trial, or wait for a point for a free worker."""
        if self._num_launched < self.num_trials and self.free():
            self.woken.wait(timeout)
            self.woken.clear()
            return []
        if not self._running:
            return []
        self._now, number, point = heapq.heappop(self._running)
        try:
            outcome = Outcome(TrialState.COMPLETED, self._function(**point))
        except Exception as error:
            outcome = Outcome(TrialState.FAILED, error=str(error))
        return [JobEvent("ended", number, outcome)]


def simulated(name: str, num_workers: int, seed: int, **keywords: Any) -> list[tuple[dict[str, Any], float]]:
    """The points of a search of ours in simulated time, with their regrets, in the order of their numbers."""
    return simulated_search(FUNCTIONS[name], space(name), num_workers, seed, **keywords)


def simulated_search(
    function: Callable[..., float],
    parameters: list[Any],
    num_workers: int,
    seed: int,
    *,
    num_trials: int = NUM_TRIALS,
    **keywords: Any,
) -> list[tuple[dict[str, Any], float]]:
    """The same of any function; a trial that failed is infinitely bad."""
    engine_class = type("Seeded", (SimulatedEngine,), {"seed": seed, "num_trials": num_trials})
    with tempfile.TemporaryDirectory() as folder:
        search = HyperParameterOptimizer(
            function, parameters, optimizer_class=OptimizerOptuna, seed=seed, journal=Path(folder),
            max_number_of_concurrent_tasks=num_workers, total_max_jobs=num_trials, allow_duplicates=True,
            max_failures=None, **keywords,
        )  # fmt: skip
        search.set_default_job_class(engine_class)
        # Simulated trials take no real time, beside which any model is slow and would be asked a point ahead.
        with mock.patch.object(proposals, "SLOW_ASK", math.inf):
            search.start()
            search.wait()
        trials = [search.trial(number) for number in range(num_trials)]
    return [(dict(trial.parameters), math.inf if trial.value is None else trial.value) for trial in trials]


def optuna_simulated(name: str, num_workers: int, seed: int) -> list[tuple[dict[str, Any], float]]:
    """The same of Optuna's study, asked with W - 1 unfinished trials."""
    with quiet():
        rng = random.Random(seed)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        now, running, found = 0.0, [], []
        for number in range(NUM_TRIALS):
            if len(running) == num_workers:
                now, _, trial, value = heapq.heappop(running)
                study.tell(trial, value)
            trial = study.ask()
            point = suggest(space(name), trial)
            value = FUNCTIONS[name](**point)
            found.append((point, value))
            heapq.heappush(running, (now + rng.uniform(0.5, 1.5), number, trial, value))
    return found


def least_regret(simulation: Callable[..., list[tuple[dict[str, Any], float]]], *arguments: Any) -> float:
    """The least regret of a simulation."""
    return min(regret for _, regret in simulation(*arguments))
