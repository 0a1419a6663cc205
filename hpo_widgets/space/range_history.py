"""The space epochs of a search: which ranges hold now, since which trial, and the way back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.space.epoch import Space


@dataclass(frozen=True)
class EpochMark:
    """The beginning of a space epoch: which ranges changed, and from which trial on they hold."""

    epoch: int
    first_number: int
    ranges: Mapping[str, tuple[object, ...]]
    changed: Mapping[str, tuple[object, ...]]
    at: float
    step: str = "set"
    """How it began: ``"set"``, ``"undo"`` or ``"redo"``."""


class Past(Protocol):
    """The epochs that somebody remembers, and the ways back and forth between them."""

    @property
    def space(self) -> Space:
        """The present space."""
        ...

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """All epochs, the first included."""
        ...

    @property
    def undo(self) -> Sequence[Space]:
        """Spaces that an undo goes back to, the next one last."""
        ...

    @property
    def redo(self) -> Sequence[Space]:
        """Spaces that a redo goes to, the next one last."""
        ...


class Epochs:
    """Versions of the space; written by the search's own thread, read from any.

    Each change makes a new epoch, `undo` and `redo` included, so that every trial says under which
    ranges its point was chosen. Methods return the new epoch's mark, or None when nothing changes.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.marks: Sequence[EpochMark] = [EpochMark(0, 0, dict(space.ranges), {}, time.time())]
        self._undo: list[Space] = []
        self._redo: list[Space] = []

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

    def restore(self, past: Past) -> None:
        """Take up the epochs that a journal tells of, the first included."""
        self.space = past.space
        self.marks = list(past.epochs)
        self._undo = list(past.undo)
        self._redo = list(past.redo)

    def set_ranges(self, ranges: Mapping[str, Any], first_number: int) -> EpochMark | None:
        """Change ranges; ``first_number`` is the first trial that they hold for."""
        space = self.space.with_ranges(ranges)
        before = self.space
        mark = self._begin(space, first_number)
        if mark is not None:
            self._undo.append(before)
            self._redo.clear()
        return mark

    def undo(self, first_number: int) -> EpochMark | None:
        """Go back to the ranges before the last change."""
        if not self._undo:
            return None
        self._redo.append(self.space)
        return self._begin(self._undo.pop(), first_number, "undo")

    def redo(self, first_number: int) -> EpochMark | None:
        """Take back the last `undo`."""
        if not self._redo:
            return None
        self._undo.append(self.space)
        return self._begin(self._redo.pop(), first_number, "redo")

    def _begin(self, space: Space, first_number: int, step: str = "set") -> EpochMark | None:
        changed = {name: bounds for name, bounds in space.ranges.items() if self.space.ranges.get(name) != bounds}
        if not changed:
            return None
        self.space = space
        mark = EpochMark(self.number + 1, first_number, dict(space.ranges), changed, time.time(), step)
        self.marks = [*self.marks, mark]
        return mark
