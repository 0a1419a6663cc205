"""Searches and peers that the measurements share."""

from __future__ import annotations

import concurrent.futures as cf
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange
from hpo_widgets.journal import TrialRow
from hpo_widgets.trials import TrialState

NAMES = tuple("abcde")

TWO_OBJECTIVES: dict[str, Any] = {
    "objective_metric_title": ["first", "second"],
    "objective_metric_series": ["first", "second"],
    "objective_metric_sign": ["min", "min"],
}
"""The arguments of a search whose function returns ``first/first`` and ``second/second``."""


def add(a: float, b: float, c: float, d: float, e: float) -> float:
    """An objective that costs nothing."""
    return a + b


def sleep_10_ms(a: float, b: float, c: float, d: float, e: float) -> float:
    """An objective that waits."""
    time.sleep(0.01)
    return a


def compute_50_ms(a: float, b: float, c: float, d: float, e: float) -> float:
    """An objective that uses 50 ms of its thread's CPU time."""
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    return a


def anything(**_point: float) -> float:
    """An objective that takes any parameters."""
    return 0.0


def space(num_parameters: int = len(NAMES)) -> list[UniformParameterRange]:
    """So many parameters between 0 and 1, by default the five of the objectives here."""
    names = [*NAMES, *(f"p{place}" for place in range(len(NAMES), num_parameters))]
    return [UniformParameterRange(name, 0.0, 1.0) for name in names[:num_parameters]]


class NoWorkers:
    """What an engine has that runs no trial in any process, and stops none.

    Parameters
    ----------
    template
        What is run.
    workers
        How many trials there are at once.
    """

    def __init__(self, template: Any, *, workers: int, **_options: object) -> None:
        self.template = template
        self.num_workers = workers
        self.woken = threading.Event()

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Stop a trial."""

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """Abort a trial."""

    def resize(self, workers: int) -> None:
        """Have more workers or fewer."""
        self.num_workers = workers

    def wake(self) -> None:
        """Let `wait` return."""
        self.woken.set()

    def log(self, number: int) -> str:
        """Nothing is printed."""
        return ""

    def close(self) -> None:
        """There is no process."""


def search(function: Any, journal: Path, jobs: int | None, **keywords: Any) -> HyperParameterOptimizer:
    """A search with two workers, a callback and a subscriber, as the bars demand."""
    settings = {"optimizer_class": RandomSearch, "max_number_of_concurrent_tasks": 2} | keywords
    return HyperParameterOptimizer(function, space(), total_max_jobs=jobs, journal=journal, **settings)


def make_journal(
    path: Path, trials: int, *, num_parameters: int = len(NAMES), num_running: int = 0, **keywords: Any
) -> Path:
    """A journal of a search with that many ended trials, by two workers unless more of them run one more trial."""
    optimizer = HyperParameterOptimizer(
        anything, space(num_parameters), total_max_jobs=10 * trials, journal=path, **keywords
    )
    keys = [one.key for one in optimizer.objectives]
    recorder = optimizer._recorder
    recorder.open_journal()
    rng = np.random.default_rng(0)
    points = rng.random((trials + num_running, num_parameters)).tolist()
    num_workers = max(2, num_running)
    for number, point in enumerate(points):
        values = [sum(point[:2]), sum(point[2:4])][: len(keys)]
        summary = {key: [value, 0, value, 0, value, 0, 1] for key, value in zip(keys, values, strict=True)}
        has_ended, started = number < trials, 1e9 + 2 * number / num_workers
        row = TrialRow(
            number, int(TrialState.COMPLETED if has_ended else TrialState.RUNNING), 0, point, values, [0] * len(keys),
            started, started + 0.5 if has_ended else math.nan, number % num_workers, draw=number, summary=summary,
        )  # fmt: skip
        (recorder.ended if has_ended else recorder.change)(row)
        if number % 1000 == 999:
            recorder.flush()
    recorder.flush()
    recorder.close_journal()
    return optimizer.journal_path


class Followed:
    """Runs a search to its end and notes when trials became visible."""

    def __init__(self, optimizer: HyperParameterOptimizer) -> None:
        self.optimizer = optimizer
        self.num_called_back = 0
        self.first_seen = 0.0
        self.num_first_seen = 0
        self.marks: dict[int, float] = {}
        self._began = threading.Event()
        optimizer.subscribe(self._changed)

    def _changed(self) -> None:
        if not self._began.is_set():
            completed = self.num_completed
            if completed:
                self.first_seen, self.num_first_seen = time.perf_counter(), completed
                self._began.set()

    @property
    def num_completed(self) -> int:
        """Trials that are durable and shown."""
        return sum(n for state, n in self.optimizer.counts.items() if state.label == "completed")

    def run(self) -> float:
        """Trials per second from the first visible one to the end."""
        self.optimizer.start(self._call_back)
        self.optimizer.wait()
        end = time.perf_counter()
        assert self.num_called_back == self.num_completed
        return (self.num_completed - self.num_first_seen) / (end - self.first_seen)

    def _call_back(self, *_arguments: object) -> None:
        self.num_called_back += 1


def pool_rate(function: Any, jobs: int) -> float:
    """`ProcessPoolExecutor` with two workers and four tasks in flight: trials per second."""
    point = (0.1, 0.2, 0.3, 0.4, 0.5)
    with cf.ProcessPoolExecutor(2) as pool:
        cf.wait([pool.submit(function, *point) for _ in range(4)])
        began = time.perf_counter()
        pending = {pool.submit(function, *point) for _ in range(4)}
        submitted = done = 4
        done = 0
        while pending:
            ended, pending = cf.wait(pending, return_when=cf.FIRST_COMPLETED)
            done += len(ended)
            while submitted < jobs and len(pending) < 4:
                pending.add(pool.submit(function, *point))
                submitted += 1
        return done / (time.perf_counter() - began)


def optuna_rate(function: Any, storage: Any, jobs: int, n_jobs: int = 2) -> float:
    """Optuna's own loop with threads and its random sampler: trials per second."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())

    def objective(trial: optuna.Trial) -> float:
        return float(function(*[trial.suggest_float(name, 0, 1) for name in NAMES]))

    began = time.perf_counter()
    study.optimize(objective, n_trials=jobs, n_jobs=n_jobs)
    return jobs / (time.perf_counter() - began)
