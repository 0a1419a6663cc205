"""Where the space changed in mid-search: dashed lines, and what changed, beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from bqplot import Label, Lines

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bqplot import Mark, Scale

    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark

_MOST_CHANGES = 2
# Letters that have room in the whole of a plot that has details beside it, and those of a label at the most and least.
_LETTERS_OF_PLOT = 70
_MOST_LETTERS, _LEAST_LETTERS = 60, 20
# Share of the axis that a short label needs, and from where on a long one has more room to its left.
_SHORT = 0.09
_MIDDLE = 0.5


class EpochMarks:
    """Lines and labels of space epochs.

    Parameters
    ----------
    scales
        Scales of the marks; ``y`` goes from 0 to 1.
    """

    def __init__(self, scales: Mapping[str, Scale]) -> None:
        self._lines = style.empty(Lines, scales, colors=[style.ACCENT], line_style="dashed", stroke_width=1)
        look = {**style.LABEL, "colors": [style.ACCENT], "y_offset": 10}
        self._to_right, self._to_left = (
            style.empty(Label, scales, **look, align=align, x_offset=offset)
            for align, offset in (("start", 5), ("end", -5))
        )
        self._drawn: tuple[int, float] = (0, 0.0)

    @property
    def marks(self) -> list[Mark]:
        """All marks; always the same ones."""
        return [self._lines, self._to_right, self._to_left]

    def draw(self, epochs: Sequence[EpochMark], space: Space, end_x: float) -> None:
        """Show all changes of ranges; costs nothing when there is no new one.

        Parameters
        ----------
        epochs
            All epochs, the first included.
        space
            The space, for kinds and labels of parameters.
        end_x
            The end of the axis of trials.
        """
        if self._drawn == (len(epochs), end_x):
            return
        self._drawn = len(epochs), end_x
        # What changed before the first trial divides nothing.
        changes = [epoch for epoch in epochs if (epoch.changed or epoch.changed_priors) and epoch.first_number > 0]
        at = np.array([epoch.first_number - 0.5 for epoch in changes], dtype=float)
        style.put(self._lines, *style.vertical_lines(at))
        right: list[tuple[float, float, str]] = []
        left: list[tuple[float, float, str]] = []
        places = at.tolist()
        newest = places[-1] / end_x if places else 0.0
        is_left = newest > _MIDDLE
        words = in_words(changes, space, int(_LETTERS_OF_PLOT * max(newest, 1 - newest))) if changes else ""
        # The newest change is told in words, the others by number where they have room.
        for epoch, place, following in zip(changes[:-1], places, places[1:], strict=False):
            is_covered = is_left and places[-1] - place < len(words) / _LETTERS_OF_PLOT * end_x
            if following - place >= _SHORT * end_x and not is_covered:
                right.append((place, 1.0, f"space {epoch.epoch + 1}"))
        if changes:
            (left if is_left else right).append((places[-1], 1.0, words))
        style.put_labels(self._to_right, right)
        style.put_labels(self._to_left, left)


def in_words(changes: Sequence[EpochMark], space: Space, most: int = _MOST_LETTERS) -> str:
    """Say what changed where the newest epoch begins: ``space 2: lr 0.001 … 0.01``.

    Parameters
    ----------
    changes
        The changes so far, the newest last; at least one.
    space
        The space, for kinds and labels of parameters.
    most
        Letters that have room.

    Returns
    -------
    str
        Words that fit beside the line.
    """
    newest = changes[-1]
    changed: dict[str, tuple[object, ...]] = {}
    priors: dict[str, None] = {}
    for epoch in changes:
        # One may follow the other before a trial was proposed.
        if epoch.first_number == newest.first_number:
            changed |= epoch.changed
            priors |= dict.fromkeys(epoch.changed_priors)
    labels = text.labels(space.names)
    words = [f"{labels[name]} {text.range_in_words(chosen, space.leaf(name).kind)}" for name, chosen in changed.items()]
    words += [f"prior of {labels[name]}{'' if name in newest.priors else ' cleared'}" for name in priors]
    begin = f"space {newest.epoch + 1}: "
    for count in range(min(_MOST_CHANGES, len(words)), 0, -1):
        told = ", ".join(words[:count])
        more = f" and {len(words) - count} more" if len(words) > count else ""
        room = max(_LEAST_LETTERS, min(most, _MOST_LETTERS) - len(begin) - len(more))
        if len(told) <= room:
            break
    return f"{begin}{text.short(told, room)}{more}"
