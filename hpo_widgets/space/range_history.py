"""The versions of a search's space: which ranges and priors hold now, since which trial, and what undo leads to.

This is the only place where undo and redo of ranges are worked out: for a running search, for a search read from its
journal, and for the widget's sentences.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.space.prior import Priors
    from hpo_widgets.space.space import Space


@dataclass(frozen=True)
class EpochMark:
    """The beginning of a space epoch: which ranges and priors changed, and from which trial on they hold.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    first_number : int
        The first trial whose point was chosen in it.
    ranges : mapping of str to tuple
        All ranges: (low, high) in values, or the allowed choices.
    changed : mapping of str to tuple
        Those that differ from the epoch before.
    at : float
        When it began, in Unix seconds.
    step : str
        How it began: ``"set"``, ``"undo"``, ``"redo"``, or ``"strategy"`` where another strategy went on.
    priors : mapping
        All priors that hold, by name.
    changed_priors : tuple of str
        The parameters whose prior was drawn or taken away.
    """

    epoch: int
    first_number: int
    ranges: Mapping[str, tuple[object, ...]]
    changed: Mapping[str, tuple[object, ...]]
    at: float
    step: str = "set"
    priors: Priors = field(default_factory=dict)
    changed_priors: tuple[str, ...] = ()


def undo_and_redo(marks: Sequence[EpochMark]) -> tuple[list[EpochMark], list[EpochMark]]:
    """Return the epochs whose ranges the next undos and the next redos bring back, the next one last.

    ``marks`` are all epochs of a search, the first included.
    """
    undo: list[EpochMark] = []
    redo: list[EpochMark] = []
    for before, mark in itertools.pairwise(marks):
        if mark.step == "strategy":
            continue  # the ranges are the same
        if mark.step == "undo" and undo:
            undo.pop()
            redo.append(before)
        else:
            undo.append(before)
            redo = redo[:-1] if mark.step == "redo" else []
    return undo, redo


def ranges_since(marks: Sequence[EpochMark]) -> int:
    """Return the number of the last epoch that changed a range; later epochs changed priors only."""
    return next((mark.epoch for mark in reversed(marks) if mark.changed), marks[0].epoch)


class RangeHistory:
    """Versions of the space; written by the search's own thread, read from any.

    Each change makes a new epoch, `undo` and `redo` included, so that every trial says under which
    ranges its point was chosen. Methods return the new epoch's mark, or None when nothing changes.

    Parameters
    ----------
    space
        The space as declared: the first epoch.
    clock
        Gives Unix seconds.
    """

    def __init__(self, space: Space, clock: Callable[[], float] = time.time) -> None:
        self.space = space
        self.first_space = space
        """The first epoch, which fixes the columns, with all choices that were added since."""
        self.marks: Sequence[EpochMark] = [EpochMark(0, 0, dict(space.ranges), {}, clock())]
        """All epochs; replaced by a longer list at each change, so that a list once read stays as it is."""
        self._clock = clock
        self._spaces = {0: space}
        self._undo: list[EpochMark] = []
        self._redo: list[EpochMark] = []

    @property
    def number(self) -> int:
        """The present epoch."""
        return self.marks[-1].epoch

    @property
    def can_undo(self) -> bool:
        """Whether a change can be taken back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether an undone change can be made again."""
        return bool(self._redo)

    def restore(self, other: RangeHistory) -> None:
        """Become a copy of another history, such as one that was read from a journal."""
        self.space, self.marks, self._spaces = other.space, list(other.marks), dict(other._spaces)
        self.first_space = other.first_space
        self._undo, self._redo = undo_and_redo(self.marks)

    def began_at(self, at: float) -> None:
        """Set when the first epoch began, in Unix seconds; for a search that learns it only later."""
        self.marks = [replace(self.marks[0], at=at), *self.marks[1:]]

    def set_ranges(self, ranges: Mapping[str, Any], first_number: int) -> EpochMark | None:
        """Change ranges.

        Parameters
        ----------
        ranges
            Name to ``(low, high)`` in values, to the allowed choices, or to a `RangeChange`; the others stay.
        first_number
            The first trial that they hold for.

        Returns
        -------
        EpochMark or None
            The new epoch; None when these ranges hold already.

        Raises
        ------
        ValueError
            For an unknown name or an impossible range; nothing changes then.
        """
        return self._change(self.space.with_ranges(ranges), first_number, "set")

    def add_choices(self, choices: Mapping[str, Sequence[Any]], first_number: int) -> EpochMark | None:
        """Add choices, which are allowed from then on; `undo` only leaves them out again, as trials may have them.

        Parameters
        ----------
        choices
            Name to its new choices.
        first_number
            The first trial that they hold for.

        Returns
        -------
        EpochMark or None
            The new epoch; None when no name is given.

        Raises
        ------
        ValueError
            As `Space.with_choices`; nothing changes then.
        """
        return self._change(self.space.with_choices(choices), first_number, "set")

    def set_priors(self, priors: Mapping[str, Any], first_number: int) -> EpochMark | None:
        """Draw priors, or take them away.

        Parameters
        ----------
        priors
            Name to what `Prior.of` takes, or to None; the others stay.
        first_number
            The first trial that is proposed with them.

        Returns
        -------
        EpochMark or None
            The new epoch; None when nothing changes.

        Raises
        ------
        ValueError
            For an unknown name or an invalid prior; nothing changes then.
        """
        return self._change(self.space.with_priors(priors, first_number), first_number, "set")

    def undo(self, first_number: int) -> EpochMark | None:
        """Go back to the ranges and priors before the last change."""
        return self._return_to(self._undo[-1], first_number, "undo") if self._undo else None

    def redo(self, first_number: int) -> EpochMark | None:
        """Take back the last `undo`."""
        return self._return_to(self._redo[-1], first_number, "redo") if self._redo else None

    def _return_to(self, mark: EpochMark, first_number: int, step: str) -> EpochMark | None:
        return self._change(self._spaces[mark.epoch].with_choices_of(self.space), first_number, step)

    def _change(self, space: Space, first_number: int, step: str) -> EpochMark | None:
        if space.range_keys == self.space.range_keys and space.priors == self.space.priors:
            return None
        return self.record(space.with_ages(first_number), first_number, step, self.number + 1, self._clock())

    def record(self, space: Space, first_number: int, step: str, epoch: int, at: float) -> EpochMark:
        """Add an epoch, which this search begins or which is read from a journal.

        Parameters
        ----------
        space
            The space from then on.
        first_number
            The first trial that it holds for.
        step
            ``"set"``, ``"undo"``, ``"redo"`` or ``"strategy"``.
        epoch
            Its number.
        at
            When it began, Unix seconds.

        Returns
        -------
        EpochMark
            The new epoch.
        """
        before, now, drawn = self.space.range_keys, space.range_keys, self.space.with_choices_of(space).priors
        changed = {name: range_ for name, range_ in space.ranges.items() if before[name] != now[name]}
        names = dict.fromkeys([*drawn, *space.priors])
        changed_priors = tuple(name for name in names if drawn.get(name) != space.priors.get(name))
        ranges, priors = dict(space.ranges), dict(space.priors)
        mark = EpochMark(epoch, first_number, ranges, changed, at, step, priors, changed_priors)
        self._spaces[epoch] = space
        self.first_space = self.first_space.with_choices_of(space)
        marks = [*self.marks, mark]
        self._undo, self._redo = undo_and_redo(marks)
        self.space, self.marks = space, marks
        return mark
