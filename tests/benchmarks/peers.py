"""Peers of the same trade, each in the best way that it offers for what is measured."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from tests.benchmarks.rows import ROOT, Samples
from tests.benchmarks.searches import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

optuna.logging.set_verbosity(optuna.logging.ERROR)


def hyperopt_rate(function: Any, jobs: int) -> float:
    """hyperopt's own loop, which has one trial at a time, with its random sampler: trials per second."""
    import hyperopt

    space = {name: hyperopt.hp.uniform(name, 0, 1) for name in NAMES}
    began = time.perf_counter()
    hyperopt.fmin(
        lambda point: function(**point), space, hyperopt.rand.suggest, jobs, rstate=np.random.default_rng(0),
        show_progressbar=False, verbose=False,
    )  # fmt: skip
    return jobs / (time.perf_counter() - began)


def ray_rates(names: Sequence[str], turns: int) -> dict[str, Samples | str]:
    """Ray Tune's trials per second on two cores, of functions in `searches`; in words why there are none.

    In a process of its own, with which all processes of Ray end.

    Parameters
    ----------
    names
        Names of the functions.
    turns
        How often each is measured.
    """
    command = [sys.executable, "-m", "tests.benchmarks.ray_rates", json.dumps(names), str(turns)]
    # Nothing is told to its makers, and no address but this machine's own is used.
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    try:
        ran = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **quiet}, capture_output=True, text=True, timeout=120, check=False
        )
        said = json.loads(ran.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return dict.fromkeys(names, "not within 120 s")
    except (IndexError, ValueError):
        return dict.fromkeys(names, f"did not run ({(ran.stderr.strip().splitlines() or ['no word'])[-1][:80]})")
    return {name: Samples(rates, "/s") for name, rates in said.items()}


def ended_trials(number: int) -> Iterable[optuna.trial.FrozenTrial]:
    """So many trials of five parameters, as Optuna keeps them."""
    distributions = {name: optuna.distributions.FloatDistribution(0, 1) for name in NAMES}
    rng = random.Random(0)
    for _ in range(number):
        params = {name: rng.random() for name in NAMES}
        yield optuna.trial.create_trial(params=params, distributions=distributions, value=params["a"] + params["b"])


def study_of(trials: int, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """A study in memory with so many ended trials."""
    study = optuna.create_study(sampler=sampler)
    study.add_trials(ended_trials(trials))
    return study


class _Collected(BaseJournalBackend):
    """Keeps what would be written, so that it is written at once: trial by trial a file takes ten times as long."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self.logs[log_number_from:]


def make_optuna_journal(path: Path, trials: int) -> None:
    """Optuna's journal of a study named ``study`` with so many ended trials."""
    collected = _Collected()
    study = optuna.create_study(storage=JournalStorage(collected), study_name="study")
    study.add_trials(ended_trials(trials))
    JournalFileBackend(str(path)).append_logs(collected.logs)


def open_optuna_journal(path: Path) -> optuna.Study:
    """The study of `make_optuna_journal`, as another process opens it."""
    return optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="study")


def optuna_stop(seconds: float) -> float:
    """From Optuna's stop until its loop of two threads has ended, half a second into trials of so many seconds."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    loop = threading.Thread(
        target=study.optimize, args=(lambda _trial: time.sleep(seconds) or 0.0,), kwargs={"n_jobs": 2}
    )
    loop.start()
    time.sleep(0.5)
    began = time.perf_counter()
    study._stop_flag = True  # what `Study.stop` does, which a callback alone may call
    loop.join()
    return time.perf_counter() - began
