"""The filter as chips over the plots: what is asked of trials, how many are left, and a form for one more condition."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import NumberFieldPart
from hpo_widgets.widget.parts.point_form import completed_point, typed_number
from hpo_widgets.widget.traits import FilterTrait, PointTrait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials.filter import TrialFilter
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_MOST_LETTERS = 60
_MOST_DIGITS = 12
_MOST_TAGS = 100


class FilterBar(NumberFieldPart):
    """A chip for each condition of the filter, how many trials it leaves, and a form to add a condition.

    Parameters
    ----------
    search
        The search whose trials are filtered.
    **traits
        First value of ``filter``.

    Examples
    --------
    >>> FilterBar(optimizer, filter={"top_k": 50})  # doctest: +SKIP
    """

    _esm = asset("filter.js")
    _css = asset("filter.css")

    filter = FilterTrait(help="Two-way. The trials that are shown: a TrialFilter, or a dict of its fields.")
    point = PointTrait(help="Two-way. Values, by parameter name, of a point that may be tried; empty: none.")
    chips = t.List(t.Dict(), help="Each condition: field, name of what it is on, text, value.").tag(sync=True)
    left = t.List(t.Int(), help="How many trials pass, and of how many; empty: no filter.").tag(sync=True)
    names = t.List(t.Dict(), help="Parameters and objectives: name, label, and choices or None.").tag(sync=True)
    tags = t.List(t.Unicode(), help="Tags that trials have.").tag(sync=True)
    num_epochs = t.Int(1, help="Versions of the space so far.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._told: tuple[TrialFilter, int] | None = None
        super().__init__(search, refresher=refresher, **traits)
        self.observe(lambda _change: self._refresher.poke(), "filter")

    def refresh(self, update: Update) -> None:
        """Show the conditions, and how many trials are left."""
        search, chosen = update.search, self.filter
        passes = update.passing(chosen)
        with self.hold_sync():
            self.commands = {"filter": None, "try": search.capabilities.get("enqueue_trial")}
            self.tags = sorted({tag for remark in update.rows.remarks.values() for tag in remark.tags})[:_MOST_TAGS]
            self.num_epochs = max(1, len(search.epochs))
            if self._told != (chosen, self.num_epochs):
                self._told = chosen, self.num_epochs
                self.names = _names(search.space, search.objectives)  # choices may have been added
                self.chips = _chips(chosen, search.space, search.objectives)
            self.left = [] if passes is None or chosen.is_empty else [int(passes.sum()), len(passes)]

    @property
    def sentence(self) -> str:
        """What the filter leaves, in words; empty without one."""
        if not self.left:
            return ""
        passing, count = self.left
        return f"{passing:,} of {text.counted(count, 'trial')} shown: {', '.join(chip['text'] for chip in self.chips)}"

    def _on_remove(self, content: dict[str, object]) -> None:
        """Take a condition out; one that is gone already changes nothing."""
        condition, name = content.get("condition"), content.get("name")
        if isinstance(condition, str) and condition in _FIELDS:
            self.filter = self.filter.without(condition, name if isinstance(name, str) and name else None)

    def _on_clear(self, _content: dict[str, object]) -> None:
        self.filter = None

    def _on_try(self, _content: dict[str, object]) -> None:
        """Offer a point of one's own, or take the offer back."""
        self.point = {} if self.point else completed_point({}, self.search)

    def _on_add(self, content: dict[str, object]) -> None:
        """Take one more condition, or another value of one that is there; what is wrong is told at the form."""
        condition, name, value = content.get("condition"), content.get("name"), content.get("value")
        take = _FIELDS.get(condition) if isinstance(condition, str) else None
        request = content.get("id")
        if take is None or not isinstance(request, str):
            self._refuse("a condition was asked for that a filter does not have")
            return
        self._answer(request, lambda: self.set_trait("filter", take(self.filter, name, value, self.search.space)))


def _chips(chosen: TrialFilter, space: Space, objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    """Return the conditions of a filter: field, what it is on, what is shown, and the value for a form."""
    found: list[tuple[str, str, str, Any]] = []
    if chosen.top_k is not None:
        found.append(("top_k", "", f"top {chosen.top_k}", chosen.top_k))
    if chosen.states:
        found.append(("states", "", " or ".join(chosen.states), list(chosen.states)))
    if chosen.epochs:
        words = f"space {' or '.join(str(epoch + 1) for epoch in chosen.epochs)}"
        found.append(("epochs", "", words, list(chosen.epochs)))
    if chosen.inside:
        found.append(("inside", "", "in range", True))
    if chosen.tags:
        words = text.short(" or ".join(chosen.tags), _MOST_LETTERS)
        found.append(("tags", "", f"tag {words}", list(chosen.tags)))
    labels = text.labels(space.names) | {one.key: text.axis(one) for one in objectives if one.key not in space.names}
    for name, range_ in chosen.within.items():
        leaf: Any = space.leaf(name) if name in space.names else None
        label = text.short(labels[name], _MOST_LETTERS)
        if leaf is not None and leaf.kind == "choice":
            indices = [leaf.table.index_of(choice) for choice in range_]
            words = text.short(", ".join(leaf.labels[index] for index in indices), _MOST_LETTERS)
            found.append(("within", name, f"{label} {words}", indices))
        else:
            bounds = [None if math.isinf(bound) else bound for bound in range_]
            found.append(("within", name, f"{label} {_interval(*bounds)}", bounds))
    return [dict(zip(("condition", "name", "text", "value"), one, strict=True)) for one in found]


def _interval(low: float | None, high: float | None) -> str:
    """Write an interval with open ends: ``0.1 … 0.5``, ``≥ 0.1``, ``≤ 0.5``."""
    if low is None:
        return "any" if high is None else f"≤ {text.number(high)}"
    return f"≥ {text.number(low)}" if high is None else f"{text.number(low)} … {text.number(high)}"


def _names(space: Space, objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    """Return everything that an interval may be on, as a form needs it."""
    names: list[dict[str, Any]] = []
    for name, label in text.labels(space.names).items():
        leaf: Any = space.leaf(name)
        names.append({"name": name, "label": label, "choices": list(leaf.labels) if leaf.kind == "choice" else None})
    known = {one["name"] for one in names}
    return names + [{"name": o.key, "label": text.axis(o), "choices": None} for o in objectives if o.key not in known]


def _with_top(chosen: TrialFilter, _name: object, value: Any, _space: Space) -> TrialFilter:
    typed = str(value).strip()
    if typed.isdecimal() and len(typed) > _MOST_DIGITS:
        raise ValueError("No search has as many trials: type a smaller number.")
    if not typed.isdecimal() or int(typed) < 1:
        raise ValueError("Type a whole number from 1 on.")
    return replace(chosen, top_k=int(typed))


def _with_listed(
    field: str, otherwise: str, chosen: TrialFilter, _name: object, value: Any, _space: Space
) -> TrialFilter:
    changed: dict[str, Any] = {field: _listed(value, otherwise)}
    return replace(chosen, **changed)


def _with_inside(chosen: TrialFilter, _name: object, _value: Any, _space: Space) -> TrialFilter:
    return replace(chosen, inside=True)


def _with_range(chosen: TrialFilter, name: Any, value: Any, space: Space) -> TrialFilter:
    given = _listed(value, "Choose a value.")
    if name in space.names:
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            kept = [one for one in given if isinstance(one, int) and 0 <= one < len(leaf.declared)]
            given = tuple(leaf.declared[index] for index in kept)
            return replace(chosen, within={**chosen.within, name: given})
    bounds = tuple(_typed_bound(one) for one in given)
    if bounds == (None, None):
        raise ValueError("Type a lower or an upper bound.")
    typed = [bound for bound in bounds if bound is not None]
    if typed != sorted(typed):
        raise ValueError("The range must rise: type a lower bound that is not above the upper one.")
    return replace(chosen, within={**chosen.within, str(name): bounds})


def _typed_bound(typed: Any) -> float | None:
    words = str(typed).strip() if typed is not None else ""
    return typed_number(words) if words else None


def _listed(value: Any, otherwise: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(otherwise)
    return tuple(value)


_FIELDS: Mapping[str, Callable[[TrialFilter, Any, Any, Space], TrialFilter]] = {
    "top_k": _with_top,
    "states": partial(_with_listed, "states", "Choose a state."),
    "epochs": partial(_with_listed, "epochs", "Choose a version of the space."),
    "inside": _with_inside,
    "tags": partial(_with_listed, "tags", "Choose a tag."),
    "within": _with_range,
}
"""Field to what takes the value of a form for it."""
