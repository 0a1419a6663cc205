"""What hpo_widgets and its peers find in the same time (`make bench-quality`, `make bench-sooner`).

One search after another, each in a process of its own: all peers, all tasks, then the next seed. Each leaves a line in
`RESULTS` as soon as it has ended, and those that have left one are not run again: a run that was ended goes on where it
was. ``HPO_WIDGETS_BENCH_SEEDS`` (default 20) and ``HPO_WIDGETS_BENCH_MINUTES`` (default: no limit) say how much is run.

``python -m tests.benchmarks.wall_clock sooner TASK`` runs one task with more seeds, and leaves its lines in `SOONER`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import tests
from hpo_widgets import HyperParameterOptimizer, OptimizerOptuna, RandomSearch
from tests.benchmarks.learning import TASKS, Task, hyperopt_space
from tests.benchmarks.quality import suggest
from tests.benchmarks.rows import ROOT, environment, read_lines, shown_chance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RESULTS = ROOT / "build" / "wall_clock.jsonl"
SOONER = ROOT / "build" / "sooner.jsonl"
_NOTES = "HPO_WIDGETS_BENCH_NOTES"
_OURS = "hpo_widgets"
_AT_ONCE = "hpo_widgets, started at once"
_OF_US = (_OURS, _AT_ONCE)
_OPTUNA = ("Optuna, n_jobs=2", "Optuna, two processes")
LOOKED_AT = 4.0
"""Seconds for which a person has looked at the panel before they press Start."""
_RANDOM = "random search (hpo_widgets)"
_PATIENCE = 60.0
_CONFIDENCE = 0.95
LEVEL = 0.05 / len(TASKS)
"""The probability of a mere chance below which one search is better than another: 5 % over all tasks."""
SOONER_LEVEL = LEVEL / 2
"""That of a second measurement: half, as one of two is enough to show that a search is sooner."""
SOONER_SEEDS = range(100, 160)
"""None of those of the first measurement."""
SOONER_TARGET_SEEDS = SOONER_SEEDS[:20]
"""Those of random search, whose median is the target."""
_BARS = ("not worse than two processes of Optuna", "sooner than Optuna with n_jobs=2")


def noted(function: Callable[..., float], **point: Any) -> float:
    """Note the end of each trial in the same way for all: its time and its value."""
    value = function(**point)
    descriptor = os.open(os.environ[_NOTES], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{time.time()!r} {value!r}\n".encode())
    os.close(descriptor)
    return value


# The searches: each is made ready, and what is returned tries points of a task for so many seconds -------------------


def _ours(
    strategy: Any, task: Task, objective: Callable[..., float], seed: int, folder: Path, *, looked_at: float = 0.0
) -> Callable[[], None]:
    search = HyperParameterOptimizer(
        objective, task.parameters, optimizer_class=strategy, seed=seed, journal=folder,
        max_number_of_concurrent_tasks=2, allow_duplicates=True,
    )  # fmt: skip
    if looked_at:
        search.prepare_workers()  # as a panel does once it is on a page
        time.sleep(looked_at)

    def start() -> None:
        search.start()
        search.wait(task.seconds / 60)
        search.stop()

    return start


def _optuna_threads(task: Task, objective: Callable[..., float], seed: int, _folder: Path) -> Callable[[], None]:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    return lambda: study.optimize(
        lambda trial: objective(**suggest(task.parameters, trial)), timeout=task.seconds, n_jobs=2
    )


def _optuna_processes(task: Task, objective: Callable[..., float], seed: int, folder: Path) -> Callable[[], None]:
    path = str(folder / "study.log")
    optuna.create_study(storage=JournalStorage(JournalFileBackend(path)), study_name="study")

    def optimize(worker: int, ends: float) -> None:
        study = optuna.load_study(
            storage=JournalStorage(JournalFileBackend(path)),
            study_name="study",
            sampler=optuna.samplers.TPESampler(seed=1000 * seed + worker),
        )
        study.optimize(lambda trial: objective(**suggest(task.parameters, trial)), timeout=ends - time.time())

    def start() -> None:
        ends = time.time() + task.seconds
        # Forked, so that nothing is loaded once more: the best start that there is.
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=optimize, args=(number, ends)) for number in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0

    return start


def _hyperopt(task: Task, objective: Callable[..., float], seed: int, _folder: Path) -> Callable[[], None]:
    import hyperopt

    def of_parts(parts: Iterable[dict[str, Any]]) -> float:
        return objective(**{name: value for part in parts for name, value in part.items()})

    return lambda: hyperopt.fmin(
        of_parts, hyperopt_space(task.parameters), hyperopt.tpe.suggest, timeout=task.seconds,
        rstate=np.random.default_rng(seed), show_progressbar=False, verbose=False,
    )  # fmt: skip


SEARCHES: dict[str, Callable[[Task, Callable[..., float], int, Path], Callable[[], Any]]] = {
    _OURS: functools.partial(_ours, OptimizerOptuna, looked_at=LOOKED_AT),
    _AT_ONCE: functools.partial(_ours, OptimizerOptuna),
    _OPTUNA[0]: _optuna_threads,
    _OPTUNA[1]: _optuna_processes,
    "hyperopt": _hyperopt,
    _RANDOM: functools.partial(_ours, RandomSearch),
}
"""Those with a model use the sampler that is their library's default: ours TPE and a Gaussian process, others TPE."""


# One search, in its own process --------------------------------------------------------------------------------------


def search(name: str, searched_by: str, seed: int) -> dict[str, Any]:
    """Run one search here and tell what it found when."""
    cloudpickle.register_pickle_by_value(tests)  # as a notebook's functions are sent
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = TASKS[name]
    objective = functools.partial(noted, task.make())
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.touch()  # which stays empty where no trial ends in time
        os.environ[_NOTES] = str(notes)
        start = SEARCHES[searched_by](task, objective, seed, Path(folder))
        began = time.time()
        start()
        lines = sorted(tuple(map(float, line.split())) for line in notes.read_text().splitlines())
    best, trace, num_trials = np.inf, [], 0
    for at, value in lines:
        if at - began <= task.seconds:
            num_trials += 1
            if value < best:
                best = value
                trace.append((round(at - began, 4), value))
    return {
        "task": name,
        "by": searched_by,
        "seed": seed,
        "seconds": task.seconds,
        "trials": num_trials,
        "trace": trace,
        "commit": environment()["commit"],
    }


def all_searches(seeds: int) -> Iterator[tuple[str, str, int]]:
    """Task, search and seed of all peers on all tasks, in the order in which they are run."""
    names = list(SEARCHES)
    for seed in range(seeds):
        for task in TASKS:
            # In another order each time, so that nothing always comes after the same one.
            for searched_by in names[seed % len(names) :] + names[: seed % len(names)]:
                yield task, searched_by, seed


def sooner_searches(task: str) -> Iterator[tuple[str, str, int]]:
    """Task, search and seed of what may show that our search is sooner than Optuna's threads on one task."""
    for seed in SOONER_SEEDS:
        pair = (_OURS, _OPTUNA[0])
        for searched_by in reversed(pair) if seed % 2 else pair:
            yield task, searched_by, seed
    for seed in SOONER_TARGET_SEEDS:
        yield task, _RANDOM, seed


def run(searches: Iterable[tuple[str, str, int]], path: Path, minutes: float) -> None:
    """Run what is missing, until the time is over."""
    deadline = time.monotonic() + 60 * minutes
    path.parent.mkdir(exist_ok=True)
    done = {(result["task"], result["by"], result["seed"]) for result in read_lines(path)}
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    for task, searched_by, seed in searches:
        if (task, searched_by, seed) in done:
            continue
        if time.monotonic() > deadline:
            print("the time is over; the next run goes on from here")
            return
        print(f"seed {seed}, {task}, {searched_by}", flush=True)
        _run_one(task, searched_by, seed, variables, path)


def _run_one(task: str, searched_by: str, seed: int, variables: dict[str, str], path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.wall_clock", "search", task, searched_by, str(seed)]
    try:
        ran = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True,
            timeout=LOOKED_AT + TASKS[task].seconds + _PATIENCE,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"  it did not end well: {said[-1]}", flush=True)
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(ran.stdout.strip().splitlines()[-1] + "\n")


# What is said of them ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a search of ours does on a task beside Optuna; each number is the probability of a mere chance.

    Attributes
    ----------
    worse, later
        Of a best value that is so much worse than that of two processes, and of a target reached so much later.
    sooner
        Of a target reached so much sooner than with ``n_jobs=2``.
    """

    worse: float
    later: float
    sooner: float

    @property
    def bars(self) -> dict[str, bool]:
        """Whether each is reached."""
        reached = (min(self.worse, self.later) >= LEVEL, self.sooner < LEVEL)
        return dict(zip(_BARS, reached, strict=True))

    def __str__(self) -> str:
        chances = (
            f"*p* worse {shown_chance(self.worse)}, *p* later {shown_chance(self.later)}",
            f"*p* sooner {shown_chance(self.sooner)}",
        )
        marks = ("yes" if is_reached else "**no**" for is_reached in self.bars.values())
        return "; ".join(
            f"{bar}: {mark} ({chance})" for bar, mark, chance in zip(self.bars, marks, chances, strict=True)
        )


def report() -> list[str]:
    """The lines of a summary, and of the tables, in Markdown."""
    lines = _summary()
    for task, of_task, target in _measured():
        lines += [f"### {task.name}: {task.seconds:g} s", ""]
        lines += [
            "| search | seeds | trials | best | *p* better | *p* worse | to the target | *p* sooner | *p* later |"
        ]
        lines += ["| --- " * 9 + "|"]
        for by, theirs in of_task.items():
            best = _interval([_best(one) for one in theirs], "{:.4g}")
            times = _interval([_seconds_to(one, target) for one in theirs], "{:.1f} s", task.seconds)
            trials = f"{np.median([one['trials'] for one in theirs]):.0f}"
            compared = ["–"] * 4
            if by != _OURS:
                compared = [shown_chance(p) for p in _chances(of_task[_OURS], theirs, target)]
            cells = [by, str(len(theirs)), trials, best, *compared[:2], times, *compared[2:]]
            lines.append("| " + " | ".join(cells) + " |")
        judged = [f"- {by}: {_verdict(of_task, by, target)}." for by in _OF_US]
        lines += ["", f"The target is {target:.4g}.", "", *judged, ""]
    return lines


def sooner_report() -> list[str]:
    """The table of the tasks that were measured with more seeds, in Markdown."""
    lines = ["| task | target | seeds | hpo_widgets | Optuna, n_jobs=2 | *p* sooner | shown |", "| --- " * 7 + "|"]
    pair = (_OURS, _OPTUNA[0])
    for task, of_task, target in _by_task(SOONER, (*pair, _RANDOM)):
        theirs = [of_task[by] for by in pair]
        _, _, chance, _ = _chances(*theirs, target)
        times = [_interval([_seconds_to(one, target) for one in found], "{:.1f} s", task.seconds) for found in theirs]
        seeds = str(min(map(len, theirs)))
        mark = "yes" if chance < SOONER_LEVEL else "**no**"
        cells = [f"{task.name}: {task.seconds:g} s", f"{target:.4g}", seeds, *times, shown_chance(chance), mark]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def missed() -> list[str]:
    """The bars, in words, that our search misses when a person has looked at it before they start it."""
    return [
        f"{task.name}: not {bar}"
        for task, of_task, target in _measured()
        for bar, is_reached in _verdict(of_task, _OURS, target).bars.items()
        if not is_reached
    ]


def _measured() -> Iterator[tuple[Task, dict[str, list[dict[str, Any]]], float]]:
    """Each task of which all searches have left something: the task, what they have left, and the target."""
    yield from _by_task(RESULTS, SEARCHES)


def _by_task(path: Path, searches: Iterable[str]) -> Iterator[tuple[Task, dict[str, list[dict[str, Any]]], float]]:
    found = read_lines(path)
    for name, task in TASKS.items():
        of_task = {by: [one for one in found if one["task"] == name and one["by"] == by] for by in searches}
        if all(of_task.values()):
            yield task, of_task, float(np.median([_best(one) for one in of_task[_RANDOM]]))


def _summary() -> list[str]:
    """On how many tasks each of our searches reaches each bar, and on which it does not."""
    verdicts = {
        task.name: {by: _verdict(of_task, by, target) for by in _OF_US} for task, of_task, target in _measured()
    }
    lines = []
    for by, bar in itertools.product(_OF_US, _BARS):
        others = [name for name, of_task in verdicts.items() if not of_task[by].bars[bar]]
        not_on = f", not on {'; '.join(others)}" if others else ""
        lines.append(f"- {by}: {bar} on {len(verdicts) - len(others)} of {len(verdicts)} tasks{not_on}.")
    return [*lines, ""]


def _verdict(of_task: dict[str, list[dict[str, Any]]], by: str, target: float) -> Verdict:
    _, worse, _, later = _chances(of_task[by], of_task[_OPTUNA[1]], target)
    _, _, sooner, _ = _chances(of_task[by], of_task[_OPTUNA[0]], target)
    return Verdict(worse, later, sooner)


def _chances(mine: list[dict[str, Any]], theirs: list[dict[str, Any]], target: float) -> list[float]:
    """Of ours being so much better, worse, sooner and later, if both were alike."""
    from scipy.stats import mannwhitneyu

    values = [[_best(one) for one in found] for found in (mine, theirs)]
    times = [[_seconds_to(one, target) for one in found] for found in (mine, theirs)]
    sides = ("less", "greater")
    return [float(mannwhitneyu(*both, alternative=side).pvalue) for both in (values, times) for side in sides]


def _best(result: dict[str, Any]) -> float:
    return float(result["trace"][-1][1]) if result["trace"] else np.inf


def _seconds_to(result: dict[str, Any], target: float) -> float:
    """When the target was reached; a second after the end where it was not: later than any that was."""
    return next((at for at, value in result["trace"] if value <= target), result["seconds"] + 1.0)


def _interval(values: list[float], form: str, most: float = np.inf) -> str:
    """The median with its interval; above ``most`` nothing was measured."""
    from scipy.stats import bootstrap

    def shown(value: float) -> str:
        return "> " + form.format(most) if value > most else form.format(value)

    median = float(np.median(values))
    if len(set(values)) == 1:
        return shown(median)
    ends = bootstrap(
        (values,), np.median, confidence_level=_CONFIDENCE, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return f"{shown(median)} ({shown(ends.low)} – {shown(ends.high)})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["search"]:
        print(json.dumps(search(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        minutes = float(os.environ.get("HPO_WIDGETS_BENCH_MINUTES", "inf"))
        if sys.argv[1:2] == ["sooner"]:
            run(sooner_searches(sys.argv[2]), SOONER, minutes)
        else:
            run(all_searches(int(os.environ.get("HPO_WIDGETS_BENCH_SEEDS", "20"))), RESULTS, minutes)
