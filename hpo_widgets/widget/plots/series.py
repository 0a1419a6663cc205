"""What the history shows, as plain arrays; apart from how it is drawn.

Nothing that is not finite leaves this module: a NaN or an infinity breaks the axes of a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hpo_widgets.objectives.ranking import improvements
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.plots.axes import clip_objective

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_widgets.trials.columns import Rows

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

HOLLOW_STATES = (TrialState.PRUNED, TrialState.ABORTED, TrialState.LEFT_OUT)
"""States whose trials are drawn hollow: their values count for nothing, or are not those of whole runs."""

_ENDED = TrialState.COMPLETED
_MOST_STEPS = 100


class ObjectiveValues:
    """Values of one objective by trial number, kept up to date from changed rows.

    Parameters
    ----------
    objective
        Index of the objective.
    minimise
        Its direction, which is an attribute too.

    Attributes
    ----------
    values : ndarray, shape (num_trials,)
        Value of each ended trial; NaN where there is none.
    states : ndarray, shape (num_trials,)
        State of each trial.
    has_rewritten : bool
        Whether the last `put` changed a trial that was drawn already: then all is drawn again.
    """

    def __init__(self, objective: int, *, minimise: bool) -> None:
        self._objective = objective
        self.minimise = minimise
        self.values: Floats = np.empty(0)
        self.states: npt.NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self.has_rewritten = False
        self._can_be_best = np.empty(0, dtype=np.bool_)
        self._running: dict[int, float] = {}

    def put(self, rows: Rows) -> Numbers:
        """Take changed rows; returns the numbers of the trials that are to be drawn and were not."""
        self.has_rewritten = False
        missing = int(rows.numbers.max(initial=-1)) + 1 - len(self.values)
        if missing > 0:
            self.values = np.concatenate([self.values, np.full(missing, np.nan)])
            self.states = np.concatenate([self.states, np.zeros(missing, dtype=np.uint8)])
            self._can_be_best = np.concatenate([self._can_be_best, np.zeros(missing, dtype=np.bool_)])
        self._keep_running(rows)
        numbers = rows.numbers[rows.state >= _ENDED]
        was_drawn = self.states[numbers] >= _ENDED
        before = self.values[numbers], self.states[numbers]
        self.states[rows.numbers] = rows.state
        self._can_be_best[rows.numbers] = rows.can_be_best
        self.values[numbers] = rows.values[rows.state >= _ENDED, self._objective]
        same = (self.states[numbers] == before[1]) & np.equal(
            np.nan_to_num(self.values[numbers]), np.nan_to_num(before[0])
        )
        self.has_rewritten = bool(np.any(was_drawn & ~same))
        fresh: Numbers = numbers[~was_drawn]
        return fresh

    def running(self) -> tuple[Floats, Floats]:
        """Numbers of running trials that have reported a finite value, and the newest of it."""
        return np.array([*self._running], dtype=float), clip_objective(np.array([*self._running.values()], dtype=float))

    def _keep_running(self, rows: Rows) -> None:
        is_running = rows.state == TrialState.RUNNING
        for number in rows.numbers[~is_running].tolist() if self._running else ():
            self._running.pop(number, None)
        values = rows.values[is_running, self._objective]
        for number, value in zip(rows.numbers[is_running].tolist(), values.tolist(), strict=True):
            if np.isfinite(value):
                self._running[number] = value

    @property
    def num_trials(self) -> int:
        """Trials so far, queued and running ones too."""
        return len(self.values)

    def completed(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that have completed with a finite value."""
        is_completed = self.states[numbers] == TrialState.COMPLETED
        kept: Numbers = numbers[is_completed & np.isfinite(self.values[numbers])]
        return kept

    def partial(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that were pruned, aborted or left out and had a finite value."""
        kept: Numbers = numbers[np.isin(self.states[numbers], HOLLOW_STATES) & np.isfinite(self.values[numbers])]
        return kept

    def failed(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that have failed, or completed with a value that cannot be drawn."""
        has_failed = self.states[numbers] == TrialState.FAILED
        failed: Numbers = numbers[has_failed | self._is_not_finite(numbers)]
        return failed

    def not_finite(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that have completed with a value that cannot be drawn."""
        kept: Numbers = numbers[self._is_not_finite(numbers)]
        return kept

    def _is_not_finite(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        is_completed: npt.NDArray[np.bool_] = self.states[numbers] == TrialState.COMPLETED
        return is_completed & ~np.isfinite(self.values[numbers])

    def has_ended(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Which of these trials have ended."""
        ended: npt.NDArray[np.bool_] = self.states[numbers] >= _ENDED
        return ended

    def shown_of(self, numbers: Numbers) -> Floats:
        """Those of the values of some trials that are drawn, in no particular order."""
        return clip_objective(self.values[np.concatenate([self.completed(numbers), self.partial(numbers)])])

    def improvements(self, most: int | None = None) -> Numbers:
        """Numbers of the completed trials that were better than all before, so many at most."""
        completed = np.where(self._can_be_best, self.values, np.nan)
        return improvements(completed, minimise=self.minimise, most=most)

    def best_so_far(self, least_step: float = 0.0) -> tuple[Floats, Floats]:
        """Corners of the step line of the best completed value, and its last level.

        Where there are very many steps, those within ``least_step`` trials become one.
        """
        improved = self.improvements()
        if len(improved) > _MOST_STEPS and least_step > 0:
            stretch = improved // least_step
            is_last = np.append(stretch[1:] != stretch[:-1], np.True_)
            is_last[0] = True
            improved = improved[is_last]
        return corners(improved.astype(float), clip_objective(self.values[improved]))

    def known(self, numbers: Iterable[int]) -> Numbers:
        """Those of the numbers that are drawn with a value."""
        some = np.array([number for number in numbers if number < self.num_trials], dtype=np.int64)
        ended = some[self.has_ended(some)]
        keep: Numbers = ended[np.isfinite(self.values[ended]) & (self.states[ended] != TrialState.FAILED)]
        return keep


def corners(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of a line with steps: from one point it goes along its level, then to the next point.

    Parameters
    ----------
    x, y
        Places of the points, shape (n,).

    Returns
    -------
    tuple of array
        Shape (2 n - 1,) each.
    """
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def nearest(distance: Floats, numbers: Numbers, most: float) -> int | None:
    """Return the trial of the least distance, None when all are farther away than ``most``.

    Parameters
    ----------
    distance
        Distances, shape (n,); NaN where there is none.
    numbers
        Trial numbers, shape (n,).
    most
        The largest distance that counts.

    Returns
    -------
    int or None
        The trial's number.
    """
    if len(numbers) == 0:
        return None
    at = int(np.argmin(np.where(np.isnan(distance), np.inf, distance)))
    return int(numbers[at]) if distance[at] <= most else None
