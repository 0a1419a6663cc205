"""What the next undo, redo and reset of ranges will do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.space.range_history import undo_and_redo
from hpo_widgets.widget import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark

_MOST_NAMED = 3
_MOST_LETTERS = 80


def undo_labels(epochs: Sequence[EpochMark], space: Space) -> dict[str, str]:
    """Say what each step will do.

    Parameters
    ----------
    epochs
        All space epochs, the first included.
    space
        The present one.

    Returns
    -------
    dict
        ``undo``, ``redo`` and ``reset`` to a sentence; a step that would change nothing is absent.
    """
    undo, redo = undo_and_redo(epochs)
    targets = {
        "undo": undo[-1].ranges if undo else {},
        "redo": redo[-1].ranges if redo else {},
        "reset": epochs[0].ranges if epochs else {},
    }
    sentences = {step: _changes(target, space) for step, target in targets.items()}
    return {step: f"{step.capitalize()}: {words}" for step, words in sentences.items() if words}


def _changes(target: Mapping[str, tuple[object, ...]], space: Space) -> str:
    labels = text.labels(space.names)
    now = space.ranges
    names = [name for name in space.names if name in target and target[name] != now[name]]
    words = [
        f"{text.short(labels[name], _MOST_LETTERS)} to "
        f"{text.short(text.range_in_words(target[name], space.leaf(name).kind), _MOST_LETTERS)}"
        for name in names[:_MOST_NAMED]
    ]
    if len(names) > _MOST_NAMED:
        words.append(f"{len(names) - _MOST_NAMED} more")
    return "; ".join(words)
