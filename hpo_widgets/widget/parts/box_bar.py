"""What was brushed in a plot, and what narrowing the ranges to it would leave, before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import lies_within
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.traits import BoxTrait, ObjectiveIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_MOST_LETTERS = 60


class BoxBar(ViewPart):
    """A line about the box that was brushed, with buttons that narrow the ranges to it, and that clear it.

    Examples
    --------
    >>> BoxBar(optimizer, box={"lr": (1e-3, 1e-2)})  # doctest: +SKIP
    """

    _esm = asset("box.js")
    _css = asset("box.css")

    box = BoxTrait(help="Two-way. What was brushed: parameter name to (low, high), or to choices; empty: nothing.")
    objective = ObjectiveIndex(help="Two-way. Index of the objective by which trials are judged, from 0.")
    sentence = t.List(t.Unicode(), help="What is said, every second part strong; empty: there is no box.").tag(
        sync=True
    )
    action = t.Unicode(help="What the first button does, in a word or two.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        super().__init__(search, refresher=refresher, **traits)
        self.observe(lambda _change: self._refresher.poke(), ["box", "objective"])

    def refresh(self, update: Update) -> None:
        """Say how many trials lie in the box, and how good they are."""
        search = update.search
        with self.hold_sync():
            if not self.box:
                self.sentence = []
                return
            is_part = _is_part(self.box, search.space)
            self.sentence = _sentence(self.box, search, self.objective)
            self.action = "Narrow ranges" if is_part else "Set ranges"
            reason = search.capabilities.get("set_ranges") or _problem_of(self.box, search.space)
            self.commands = {"set_ranges": reason, "clear": None}

    def _on_narrow(self, _content: dict[str, object]) -> None:
        """Have the ranges of the box hold from here on, as one version of the space, which an undo takes back."""
        if self.box and _problem_of(self.box, self.search.space) is None:
            self.search.command("set_ranges", _ranges(self.box, self.search.space))
            self.box = {}

    def _on_clear(self, _content: dict[str, object]) -> None:
        self.box = {}


def _sentence(box: Mapping[str, tuple[Any, ...]], search: Search, index: int) -> list[str]:
    """Say what lies in a box, in parts of one sentence of which every second one is a figure."""
    space, objective = search.space, search.objectives[index]
    rows = search.snapshot()
    ended = rows.is_counted
    inside = ended & lies_within(rows.parameters, space, box, absent=False)
    values = rows.values[inside & (rows.state == TrialState.COMPLETED), index]
    values = values[np.isfinite(values)]
    word = "narrow" if _is_part(box, space) else "set"
    if len(box) == 1:
        ((name, range_),) = box.items()
        label = text.short(text.labels(space.names)[name], _MOST_LETTERS)
        words = text.short(text.range_in_words(range_, space.leaf(name).kind), _MOST_LETTERS)
        head = [f"{word} {label} to ", words, ": "]
    else:
        head = [f"{word} to this box: "]
    figures = [str(int(inside.sum())), f" of {text.counted(int(ended.sum()), 'trial')} inside"]
    if len(values):
        figures[1] += ", best inside "
        figures.append(text.number(float(values.min() if objective.minimise else values.max())))
        if len(search.objectives) > 1:
            figures.append(f" by {text.axis(objective)}")
    return head + figures


def _is_part(box: Mapping[str, tuple[Any, ...]], space: Space) -> bool:
    """Whether a box lies inside the present ranges."""
    for name, range_ in box.items():
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            if not all(map(leaf.contains, range_)):
                return False
        elif range_[0] < leaf.range[0] or range_[1] > leaf.range[1]:
            return False
    return True


def _ranges(box: Mapping[str, tuple[Any, ...]], space: Space) -> dict[str, tuple[Any, ...]]:
    """Return the box as ranges: an end that is open stays where it is."""
    ranges = {}
    for name, range_ in box.items():
        leaf: Any = space.leaf(name)
        if leaf.kind != "choice":
            range_ = tuple(  # noqa: PLW2901 -- the same range, without open ends
                bound
                if np.isinf(wanted)
                else int(wanted)
                if leaf.kind == "int" and float(wanted).is_integer()
                else wanted
                for wanted, bound in zip(range_, leaf.range, strict=True)
            )
        ranges[name] = range_
    return ranges


def _problem_of(box: Mapping[str, tuple[Any, ...]], space: Space) -> str | None:
    """Say why a box cannot be the ranges; None: it can."""
    try:
        space.with_ranges(_ranges(box, space))
    except (ValueError, OverflowError) as error:
        return str(error)
    return None
