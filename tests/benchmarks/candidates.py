"""The default sampler and others, beside plain TPE by number of trials (`make bench-candidates`).

Searches in simulated time with two workers, so that each point is asked with one trial unfinished. A line in `RESULTS`
is one search; those that have left one are not run again: a run that was ended goes on where it was.
``HPO_WIDGETS_BENCH_SEEDS`` (default 20) says how much is run. Nothing here is a measurement of time.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import multiprocessing
import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import GPSampler, QMCSampler, TPESampler
from optuna.trial import TrialState

from hpo_widgets import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.strategies.optuna.mapping import SpaceMap
from hpo_widgets.strategies.optuna.samplers import SpaceWideSampler
from tests.benchmarks import learning, models, quality
from tests.benchmarks.rows import ROOT, environment, read_lines, shown_chance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna

RESULTS = ROOT / "build" / "candidates.jsonl"
BUDGETS = (20, 60, 200, 500)
_BUDGETS_OF_MODELS = BUDGETS[:3]  # fitting takes CPU time
_FAILURES_OF = 60
"""Among how many first trials failures are counted."""


# What is searched -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """Something to be searched.

    Attributes
    ----------
    make
        Gives what is minimised, by the values of the point, with its data.
    parameters
        Our parameters.
    budgets
        After how many trials the best value is looked at.
    has_chosen
        Whether candidates were chosen by what they found on this one.
    can_fail
        Whether some trials fail.
    is_model
        Whether it is a model of scikit-learn.
    """

    make: Callable[[], Callable[..., float]]
    parameters: list[Any]
    budgets: tuple[int, ...] = BUDGETS
    has_chosen: bool = False
    can_fail: bool = False
    is_model: bool = False


def _numbers(point: dict[str, float]) -> np.ndarray:
    return np.array(list(point.values()))


def _ackley(**point: float) -> float:
    x = _numbers(point)
    ripples = math.exp(np.cos(2 * np.pi * x).mean())
    return float(20 - 20 * math.exp(-0.2 * math.sqrt((x**2).mean())) + math.e - ripples)


def _rosenbrock(**point: float) -> float:
    x = _numbers(point)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def _levy(**point: float) -> float:
    w = 1 + (_numbers(point) - 1) / 4
    inner = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(np.sin(np.pi * w[0]) ** 2 + inner.sum() + last)


def _rastrigin(**point: float) -> float:
    x = _numbers(point)
    return float((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum())


def _sphere(**point: float) -> float:
    return float((_numbers(point) ** 2).sum())


def _switches(
    kind: str, rate: float, units: int, idle: str, useless: str, momentum: float = 0.0, warmup: int = 0
) -> float:
    """Two kinds with a parameter of its own each, and two choices that do nothing."""
    loss = 0.05 * (math.log10(rate) + 2.2) ** 2 + 0.002 * (units - 11) ** 2
    return loss + (0.3 * (momentum - 0.85) ** 2 if kind == "sgd" else 0.02 + 0.001 * (warmup - 4) ** 2)


def _levy_with_limit(**point: float) -> float:
    """Levy's function, which fails at 4 of 10 points, its minimum among them."""
    if sum(point.values()) > 2:
        raise MemoryError("too large")
    return _levy(**point)


def _switches_with_fault(kind: str, **point: Any) -> float:
    """`_switches`, with two kinds more, of which every trial fails."""
    if kind not in ("sgd", "adam"):
        raise RuntimeError(f"{kind} is not implemented for sparse input")
    return _switches(kind, **point)


def _cube(function: Callable[..., float], dimensions: int, low: float, high: float) -> Task:
    """A known function; its minimum is never in the middle, where TPE looks anyhow."""
    return Task(lambda: function, [UniformParameterRange(f"x{number}", low, high) for number in range(dimensions)])


def _switch_parameters(*kinds: str) -> list[Any]:
    """The parameters of `_switches`; kinds after the second have none of their own."""
    own: list[dict[str, Any]] = [
        {"momentum": UniformParameterRange("momentum", 0, 1)},
        {"warmup": UniformIntegerParameterRange("warmup", 0, 20)},
    ]
    combinations = itertools.zip_longest(kinds, own, fillvalue={})
    return [
        ParameterSet([{"kind": kind, **part} for kind, part in combinations]),
        LogUniformParameterRange("rate", -6, 0),
        UniformIntegerParameterRange("units", 1, 32),
        DiscreteParameterRange("idle", list("abcde")),
        DiscreteParameterRange("useless", list("abc")),
    ]


def _known(name: str) -> Task:
    return Task(lambda: quality.FUNCTIONS[name], quality.space(name), has_chosen=True)


TASKS = {
    **{name: _known(name) for name in quality.FUNCTIONS},
    "Ackley 5": _cube(_ackley, 5, -15, 30),
    "Rosenbrock 4": _cube(_rosenbrock, 4, -5, 10),
    "Levy 4": _cube(_levy, 4, -10, 10),
    "Rastrigin 4": _cube(_rastrigin, 4, -3, 7),
    "sphere 8": _cube(_sphere, 8, -2, 5),
    "switches": Task(lambda: _switches, _switch_parameters("sgd", "adam")),
    **{
        task.name: Task(task.make, task.parameters, _BUDGETS_OF_MODELS, is_model=True)
        for name, task in learning.TASKS.items()
        if name not in quality.FUNCTIONS
    },
    "Levy 4, large points fail": Task(
        lambda: _levy_with_limit,
        [UniformParameterRange(f"x{number}", -10, 10) for number in range(4)],
        _BUDGETS_OF_MODELS,
        can_fail=True,
    ),
    "switches, two kinds fail": Task(
        lambda: _switches_with_fault,
        _switch_parameters("sgd", "adam", "lbfgs", "newton"),
        _BUDGETS_OF_MODELS,
        can_fail=True,
    ),
    "diabetes, a neural network that may diverge": Task(
        models.DIVERGING.make, models.DIVERGING.parameters, BUDGETS[:2], can_fail=True, is_model=True
    ),
    **{
        name: Task(model.make, model.parameters, BUDGETS[:2], is_model=True) for name, model in models.MODELS.items()
    },
}  # fmt: skip


# What searches --------------------------------------------------------------------------------------------------------

_MORE: dict[str, Any] = {"n_ei_candidates": 64, "gamma": lambda num_trials: min(math.ceil(0.15 * num_trials), 25)}


class SobolStart(TPESampler):
    """TPE after points of a scrambled Sobol sequence instead of random ones.

    Parameters
    ----------
    parameters
        Our parameters.
    **keywords
        Those of TPE.
    """

    def __init__(self, parameters: list[Any], **keywords: Any) -> None:
        super().__init__(**keywords)
        sobol = QMCSampler(qmc_type="sobol", scramble=True, seed=0)  # each search gives it another seed
        self._sobol = SpaceWideSampler(sobol, SpaceMap(Space(parameters)).distributions, 0)

    def _now(self, study: optuna.Study) -> Any:
        """Whose turn it is: as many trials as TPE waits for have ended or not."""
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return self._sobol if len(ended) < self._n_startup_trials else super()

    def infer_relative_search_space(self, study: optuna.Study, trial: Any) -> Any:
        """Return the parameters that are drawn together."""
        return self._now(study).infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: Any, search_space: Any) -> Any:
        """Return their values."""
        return self._now(study).sample_relative(study, trial, search_space)


PLAIN = "plain TPE"
DEFAULT = "TPE and a Gaussian process in turn"
CANDIDATES: dict[str, Callable[[list[Any]], Any]] = {
    PLAIN: lambda _parameters: TPESampler(),
    DEFAULT: lambda _parameters: None,
    "64 candidates, gamma 0.15 n": lambda _parameters: TPESampler(**_MORE),
    "Sobol startup": SobolStart,
    "64 candidates, gamma 0.15 n, Sobol startup": lambda parameters: SobolStart(parameters, **_MORE),
    "GPSampler": lambda _parameters: GPSampler(),
}
"""How each is made for our parameters; None is what `OptimizerOptuna` makes itself."""
_SLOW = {"GPSampler": 60}
"""After how many trials a candidate is not asked any more: asks take ever longer, those of 200 trials two minutes."""
_NEEDS_TORCH = "GPSampler"
MEASURED = [by for by in CANDIDATES if by != _NEEDS_TORCH or importlib.util.find_spec("torch")]
"""Those that can be measured here."""


def _budgets(task: str, by: str) -> tuple[int, ...]:
    return tuple(budget for budget in TASKS[task].budgets if budget <= _SLOW.get(by, budget))


_NUM_CELLS = {by: sum(len(_budgets(task, by)) for task in TASKS) for by in CANDIDATES if by != PLAIN}
LEVEL = 0.05 / sum(_NUM_CELLS.values())
"""The probability of a mere chance below which a candidate is better: 5 % over all cells of all candidates."""
WORSE = {by: 0.05 / count for by, count in _NUM_CELLS.items()}
"""That below which it is worse: 5 % over its own cells, as a default that does harm is to be found out."""


def sampler(by: str, parameters: list[Any]) -> Any:
    """A candidate for our parameters, as the ``optuna_sampler`` of `OptimizerOptuna`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that gamma is to go, and that QMC is experimental
        return CANDIDATES[by](parameters)


def search(job: tuple[str, str, int]) -> dict[str, Any]:
    """Run one search here and tell the best values that it had found at each budget."""
    name, by, seed = job
    task, budgets = TASKS[name], _budgets(name, by)
    function = task.make()
    began = time.process_time()
    found = quality.simulated_search(
        function, task.parameters, 2, seed, num_trials=max(budgets), optuna_sampler=sampler(by, task.parameters)
    )
    best = {str(budget): min(value for _, value in found[:budget]) for budget in budgets}
    failed = sum(value == math.inf for _, value in found[:_FAILURES_OF])
    seconds = round(time.process_time() - began, 2)
    return {
        "task": name, "by": by, "seed": seed, "best": best, "failed": failed, "cpu": seconds,
        "commit": environment()["commit"],
    }  # fmt: skip


def run(seeds: int) -> None:
    """Run what is missing, a process a core, after whatever else the machine has to do."""
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(result["task"], result["by"], result["seed"]) for result in results()}
    jobs = [job for seed in range(seeds) for task in TASKS for by in MEASURED if (job := (task, by, seed)) not in done]
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read by the processes that begin
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), os.nice, (19,)) as pool:
        for number, result in enumerate(pool.imap_unordered(search, jobs), 1):
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{number} of {len(jobs)}: seed {result['seed']}, {result['task']}, {result['by']}", flush=True)


def results() -> list[dict[str, Any]]:
    """What was found so far."""
    return read_lines(RESULTS)


# What is said of them -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What a candidate has found on a task after so many trials, beside plain TPE.

    Attributes
    ----------
    task, by, budget
        Which.
    median
        Of its best values.
    better, worse
        The probability of a mere chance of being so much better, or worse.
    """

    task: str
    by: str
    budget: int
    median: float
    better: float
    worse: float

    @property
    def is_better(self) -> bool:
        """Whether it is significantly better."""
        return self.better < LEVEL

    @property
    def is_worse(self) -> bool:
        """Whether it is significantly worse."""
        return self.worse < WORSE[self.by]

    def __str__(self) -> str:
        if self.by == PLAIN:
            return f"{self.median:.4g}"
        mark = "**better**, " if self.is_better else "**worse**, " if self.is_worse else ""
        return f"{self.median:.4g} ({mark}{shown_chance(self.better)} / {shown_chance(self.worse)})"


def report() -> list[str]:
    """The lines of a summary, and of the tables, in Markdown."""
    found = results()
    cells = list(_cells(found))
    lines = [_judged(by, [cell for cell in cells if cell.by == by]) for by in CANDIDATES if by != PLAIN]
    of_models = [cell for cell in cells if TASKS[cell.task].is_model]
    if together := [
        _judged_together(by, of_models) for by in CANDIDATES if by in {cell.by for cell in of_models} - {PLAIN}
    ]:
        lines += ["", _MODELS_TOGETHER, "", *together]
    for name, task in TASKS.items():
        mark = "candidates were chosen by it in part" if task.has_chosen else "chose no candidate"
        lines += ["", f"### {name} ({mark})", ""]
        failures = [f"failed of {_FAILURES_OF}"] if task.can_fail else []
        header = ["sampler", "seeds", "CPU time", *failures, *(f"{budget} trials" for budget in task.budgets)]
        lines += [f"| {' | '.join(header)} |", "| --- " * len(header) + "|"]
        for by in CANDIDATES:
            if theirs := [one for one in found if (one["task"], one["by"]) == (name, by)]:
                own = {cell.budget: str(cell) for cell in cells if (cell.task, cell.by) == (name, by)}
                shown = [own.get(budget, "–") for budget in task.budgets]
                cpu = f"{np.median([one['cpu'] for one in theirs]):.1f} s"
                failed = [f"{np.median([one['failed'] for one in theirs]):g}"] if task.can_fail else []
                lines.append(f"| {' | '.join([by, str(len(theirs)), cpu, *failed, *shown])} |")
    return lines


def _cells(found: list[dict[str, Any]]) -> Iterator[Cell]:
    """All that can be compared with plain TPE, and plain TPE itself."""
    from scipy.stats import mannwhitneyu

    best: dict[tuple[str, str, int], list[float]] = {}
    for one in found:
        for budget, value in one["best"].items():
            best.setdefault((one["task"], one["by"], int(budget)), []).append(value)
    for (task, by, budget), theirs in best.items():
        if plain := best.get((task, PLAIN, budget)):
            chances = [float(mannwhitneyu(theirs, plain, alternative=side).pvalue) for side in ("less", "greater")]
            yield Cell(task, by, budget, float(np.median(theirs)), *chances)


_MODELS_TOGETHER = (
    "On all models of scikit-learn together that a candidate has tuned, *p* by Stouffer's method (of doing that much\n"
    "better than plain TPE / that much worse, if both were alike):"
)


def _judged_together(by: str, cells: list[Cell]) -> str:
    """How likely a mere chance is for all models together, after as many trials as all of them have."""
    from scipy.stats import combine_pvalues

    shown = []
    for budget in BUDGETS[:2]:
        ours = [cell for cell in cells if (cell.by, cell.budget) == (by, budget)]
        # The middle of both, as either is 1 where all values are equal; Stouffer's method takes no 0 and no 1.
        middle = [min(max((cell.better + 1 - cell.worse) / 2, 1e-9), 1 - 1e-9) for cell in ours]
        chances = [combine_pvalues(side, method="stouffer").pvalue for side in (middle, [1 - one for one in middle])]
        shown.append(f"{' / '.join(map(shown_chance, chances))} after {budget} trials of {len(ours)} models")
    return f"- {by}: {'; '.join(shown)}."


def _judged(by: str, cells: list[Cell]) -> str:
    """At how many cells a candidate is better and worse, and whether it may become the default."""
    if not cells:
        why = ": it needs torch, which is not installed here" if by == _NEEDS_TORCH else ""
        return f"- {by}: not measured{why}."
    fair = [cell for cell in cells if not TASKS[cell.task].has_chosen]
    num_better, num_worse = sum(cell.is_better for cell in cells), sum(cell.is_worse for cell in cells)
    num_fair = sum(cell.is_better for cell in fair)
    single = sum(cell.worse < 0.05 for cell in cells)
    return (
        f"- {by}: significantly better at {num_better} of {len(cells)} cells, {num_fair} of {len(fair)} on what chose "
        f"no candidate; significantly worse at {num_worse} (with *p* < 0.05 at {single}). "
        f"May be the default: {'yes' if num_fair and not num_worse else '**no**'}."
    )


if __name__ == "__main__":
    run(int(os.environ.get("HPO_WIDGETS_BENCH_SEEDS", "20")))
