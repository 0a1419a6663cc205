"""What plots of trials show, as plain arrays: who is drawn alike, and where against each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import Mask, lies_within
from hpo_widgets.widget.plots.axes import clip, clip_objective
from hpo_widgets.widget.plots.series import ObjectiveValues

if TYPE_CHECKING:
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.plots.series import Floats, Numbers

_SPREAD = 0.6
_GOLDEN = 0.6180339887498949
_ROOT = 0.4142135623730951


class TrialSeries:
    """Values of one objective and of all parameters by trial number.

    Parameters
    ----------
    objective
        Index of the objective.
    minimise
        Its direction.
    space
        The space as it is now.

    Attributes
    ----------
    values : ObjectiveValues
        Values and states.
    """

    def __init__(self, objective: int, *, minimise: bool, space: Space) -> None:
        self.values = ObjectiveValues(objective, minimise=minimise)
        self._space = space
        self._is_choice = {name: space.leaf(name).kind == "choice" for name in space.names}
        self._columns: dict[str, Floats] = {name: np.empty(0) for name in space.names}
        self._is_inside: Mask = np.empty(0, dtype=np.bool_)
        self._passes: Mask | None = None
        self._enqueued: set[int] = set()

    def put(self, rows: Rows) -> Numbers:
        """Take changed rows; returns the numbers of the trials that are to be drawn and were not."""
        fresh = self.values.put(rows)
        missing = self.values.num_trials - len(self._is_inside)
        if missing > 0:
            nothing = np.full(missing, np.nan)
            self._columns = {name: np.concatenate([column, nothing]) for name, column in self._columns.items()}
            self._is_inside = np.concatenate([self._is_inside, np.ones(missing, dtype=np.bool_)])
        if len(rows.numbers):
            for name, column in self._columns.items():
                column[rows.numbers] = rows.parameters[name]
                if self._is_choice[name]:
                    column[rows.numbers[rows.parameters[name] < 0]] = np.nan
            self._is_inside[rows.numbers] = self._inside(rows.numbers)
            self._enqueued.update(rows.numbers[rows.enqueued].tolist())
        return fresh

    def enter(self, space: Space) -> None:
        """Take the ranges of another space epoch."""
        self._space = space
        self._is_inside = self._inside(np.arange(self.values.num_trials))

    def let_pass(self, passes: Mask | None, fresh: Numbers) -> bool:
        """Leave out the trials that do not pass a filter.

        Parameters
        ----------
        passes
            Which trials pass, by number, of all of them or more; None: all.
        fresh
            Numbers of the trials that are to be drawn and were not.

        Returns
        -------
        bool
            Whether a trial that was drawn is to be left out now, or one that was left out is to be drawn.
        """
        before, self._passes = self._passes, passes
        if before is None and passes is None:
            return False
        count = self.values.num_trials
        masks = []
        for mask in (before, passes):
            padded = np.ones(count, dtype=np.bool_)
            if mask is not None:
                padded[: len(mask)] = mask[:count]
            masks.append(padded)
        has_changed = masks[0] != masks[1]
        has_changed[fresh] = False
        return bool((has_changed & self.values.has_ended(np.arange(count))).any())

    def passing(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that pass the filter."""
        return numbers if self._passes is None else numbers[self._passes[numbers]]

    def enqueued(self) -> Numbers:
        """Numbers of the trials that a person has enqueued and that are drawn with a value."""
        return self.passing(self.values.known(sorted(self._enqueued)))

    def ended(self) -> Numbers:
        """Numbers of all trials that have ended."""
        numbers = np.arange(self.values.num_trials)
        return numbers[self.values.has_ended(numbers)]

    def drawn(self) -> Numbers:
        """Numbers of all trials that are drawn with a value."""
        return self.passing(self.values.known(range(self.values.num_trials)))

    def shown(self) -> Floats:
        """Values of all trials that are drawn."""
        return self.values.shown_of(self.passing(np.arange(self.values.num_trials)))

    def groups(self, numbers: Numbers) -> dict[str, Numbers]:
        """Sort trials into those drawn alike: completed inside and outside the ranges, ended early, failed.

        Those without anything to draw, and those that do not pass the filter, are in none.
        """
        numbers = self.passing(numbers)
        completed = self.values.completed(numbers)
        is_inside = self._is_inside[completed]
        return {
            "inside": completed[is_inside],
            "outside": completed[~is_inside],
            "partial": self.values.partial(numbers),
            "failed": self.values.failed(numbers),
        }

    def running(self) -> tuple[Floats, Floats]:
        """Numbers of running trials that have reported a finite value, and the newest of it."""
        x, y = self.values.running()
        if self._passes is None:
            return x, y
        passes = self._passes[x.astype(np.int64)]
        return x[passes], y[passes]

    def under_way(self) -> Numbers:
        """Numbers of all running trials."""
        return self.passing(np.flatnonzero(self.values.states == TrialState.RUNNING))

    def best(self) -> Numbers:
        """Number of the best completed trial, where it passes the filter, or none."""
        return self.passing(self.values.improvements()[-1:])

    def x(self, name: str, numbers: Numbers, *, is_second: bool = False) -> Floats:
        """Values of a parameter; NaN where it does not apply. Choices are spread round their index.

        Parameters
        ----------
        name
            The parameter's full name.
        numbers
            Trial numbers, shape (n,).
        is_second
            Whether another parameter is drawn against it, whose choices must not be spread alike. Default False.

        Returns
        -------
        array of float
            Shape (n,).
        """
        column = self._columns[name][numbers]
        if self._is_choice[name]:
            # Even over any run of trials, and the same at each drawing.
            return column + _SPREAD * (numbers * (_ROOT if is_second else _GOLDEN) % 1.0 - 0.5)
        return clip(column)

    def y(self, numbers: Numbers) -> Floats:
        """Values of the objective."""
        return clip_objective(self.values.values[numbers])

    def _inside(self, numbers: Numbers) -> Mask:
        columns = {name: column[numbers] for name, column in self._columns.items()}
        return lies_within(columns, self._space, self._space.ranges, absent=True)
