"""A search that goes on in a kernel: many trials are there, ten more end each second, both cores are busy.

The trials run in the search's own two workers, at the priority that workers have: they are what keeps a person's
cores busy while a plot is watched. Each computes until its turn to end comes, so that the rate does not depend on
what else the machine does.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.trials import TrialState
from tests.benchmarks import live_scatters
from tests.benchmarks.searches import TWO_OBJECTIVES, make_journal

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

ENDS_PER_SECOND = 10
_NUM_WORKERS = 2
_PERIOD = _NUM_WORKERS / ENDS_PER_SECOND
_INDEX, _FILE = "LIVE_SEARCH_WORKER", "LIVE_SEARCH_ENDS"


def busy_until_due(a: float, b: float, c: float, d: float, e: float, trial: Any) -> float:
    """Compute until this worker's next turn, five times a second, and note the time of the end."""
    offset = int(os.environ[_INDEX]) * _PERIOD / _NUM_WORKERS
    due = (np.floor((time.time() - offset) / _PERIOD) + 1) * _PERIOD + offset
    value = 0.0
    while time.time() < due:
        for _ in itertools.repeat(None, 1000):
            value = value * 0.5 + a
    _append(os.environ[_FILE], f"{trial.number} {time.time()!r}\n")
    return a + b + 1e-9 * value


def busy_for_two(a: float, b: float, c: float, d: float, e: float, trial: Any) -> dict[str, float]:
    """The same with two objectives."""
    return {"first/first": busy_until_due(a, b, c, d, e, trial), "second/second": c + d}


class LiveSearch:
    """A search with many ended trials, shown in one way or another.

    Parameters
    ----------
    folder
        Where the journal and the notes of this run are.
    trials
        How many trials there are before the first new one.
    shown_as
        A name in `live_scatters.SCATTERS`.
    has_two
        Whether the search has two objectives.
    """

    def __init__(self, folder: str, trials: int, shown_as: str, *, has_two: bool = False) -> None:
        self._order = Path(folder) / "order"
        ends = str(Path(folder) / "ends")
        self.search: HyperParameterOptimizer = HyperParameterOptimizer.open(
            make_journal(Path(folder), trials, **(TWO_OBJECTIVES if has_two else {})),
            base_task_id=busy_for_two if has_two else busy_until_due,
            worker_env=lambda index: {_INDEX: index, _FILE: ends},
        )
        snapshot = self.search.snapshot()
        self._version = snapshot.version
        self._x, self._y = snapshot.numbers.astype(float), snapshot.values[:, 0]
        self._flag = threading.Event()
        self._draw: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], None] | None
        self.widget, self._draw = live_scatters.SCATTERS[shown_as](self.search, self._x, self._y)

    def start(self) -> None:
        """Have trials run; plots that do not follow a search by themselves are drawn as trials end."""
        if self._draw is not None:
            self.search.subscribe(self._flag.set)
            threading.Thread(target=self._follow, daemon=True).start()
        self.search.start()

    def _follow(self) -> None:
        """Append what has ended since the last time: however slow a drawing is, none waits behind another here."""
        assert self._draw is not None
        while self._flag.wait():
            self._flag.clear()
            rows = self.search.changes_since(self._version)
            self._version = rows.version
            ended = rows.state == TrialState.COMPLETED
            if ended.any():
                self._x = np.concatenate([self._x, rows.numbers[ended].astype(float)])
                self._y = np.concatenate([self._y, rows.values[ended, 0]])
                _append(str(self._order), "".join(f"{number}\n" for number in rows.numbers[ended]))
                self._draw(self._x, self._y)


def _append(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
