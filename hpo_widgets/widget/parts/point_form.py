"""A form for a point of a person's own: its values are checked, then it is queued next, or its result is recorded."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets as t

from hpo_widgets._messages import run_in_thread
from hpo_widgets.search import ConstrainsPoints
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.traits import PointTrait

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_LONGEST_ID = 40
_DIGITS = 6
_NEAR = 1e-4
"""By this share of its range a number may move to be shorter."""
_MOST_DIGITS = 1000
_MOST_OBJECTIVES = 8
"""Objectives for whose values there is a field each; results of more are recorded in code."""
_PATIENCE = 0.05
"""Seconds that the kernel waits for the constraint; a slower answer is shown when it comes."""


class PointForm(ViewPart):
    """The values of a point in fields of their own kinds, with a button that queues it next; hidden without a point.

    Beside it are a field for each objective and a button that records a result which is known already.

    What the point does not say is that of the best trial, or of the middle of the ranges as long as there is none.
    Where the search has a constraint, the form says while it is open that this does not allow the point.

    Examples
    --------
    >>> PointForm(optimizer, point={"lr": 0.01})  # doctest: +SKIP
    """

    _esm = asset("point.js")
    _css = asset("point.css")

    point = PointTrait(help="Two-way. Values, by parameter name, of a point that may be tried; empty: none.")
    fields = t.List(
        t.Dict(),
        help="Name, label, kind, choices and value of each parameter, and whether it may be empty; none: no point.",
    ).tag(sync=True)
    sentence = t.Unicode(help="Where the values come from, and which are outside the ranges.").tag(sync=True)
    refusal = t.Unicode(help="Why the constraint of the search does not let the point be run; empty: it does.").tag(
        sync=True
    )
    objectives = t.List(t.Unicode(), help="Each objective whose value has a field; none: no result is recorded.").tag(
        sync=True
    )
    answer = t.Dict(
        help="The newest point that was to be queued or recorded: its id, and what is wrong, by field and in all."
    ).tag(sync=True)

    records_results: ClassVar[bool] = True
    """Whether there are fields for a result."""

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._is_typed = False
        """Whether the fields have the point already, as it comes from them."""
        self._origin = ""
        """Where the values came from."""
        self._space: Space | None = None
        """The space whose choices the fields have."""
        self._asked: Mapping[str, Any] = {}
        """The point that the constraint was to be asked about last."""
        self._is_unknown = False
        """Whether there is no answer about that point yet."""
        self._answer: Future[str] | None = None
        """Of the constraint, about that point or one before."""
        super().__init__(search, refresher=refresher, **traits)
        if self.records_results and len(search.objectives) <= _MOST_OBJECTIVES:
            self.objectives = [text.axis(objective) for objective in search.objectives]
        self.observe(self._observe_point, "point")
        if self.point:
            self._observe_point(None)

    def refresh(self, update: Update) -> None:
        """Say whether a point can be queued, and a result recorded; offer choices that were added meanwhile."""
        possible, space = update.search.capabilities, update.search.space
        if space is not self._space:
            self._space = space
            leaves: dict[str, Any] = {one["name"]: space.leaf(one["name"]) for one in self.fields if one["choices"]}
            choices = {name: {"choices": list(leaf.labels)} for name, leaf in leaves.items()}
            self.fields = [{**field, **choices.get(field["name"], {})} for field in self.fields]
        self.commands = {"edit": None, **{name: possible.get(name) for name in ("enqueue_trial", "add_trial")}}

    def _observe_point(self, _change: object) -> None:
        with self._refresher.lock, self.hold_sync():
            search = self.search
            if self._is_typed:
                self._ask_constraint(self.point)
                self._say(self.point)
                return
            if not self.point:
                self.fields, self.sentence, self.refusal = [], "", ""
                self._is_unknown = False
                return
            best = search.best_trial
            full = completed_point(self.point, search)
            self.fields = _fields(full, search.space)
            is_full = set(full) <= set(self.point)
            origin = "the middle of the ranges" if best is None else f"trial {best.name}, the best"
            self._origin = "" if is_full else f"The other values are those of {origin}."
            self._ask_constraint(full)
            self._say(full)

    def _say(self, point: Mapping[str, Any]) -> None:
        """Say where the values come from, and which of them a slip of the finger may have put outside the ranges."""
        space = self.search.space
        labels = text.labels(space.names)
        outside = [labels[name] for name, value in point.items() if name in labels and _is_outside(name, value, space)]
        words = f"Outside the ranges, but runs all the same: {', '.join(outside)}." if outside else ""
        asks = f"Waits for the answer of the constraint {_constraint(self.search)}." if self._is_unknown else ""
        self.sentence = " ".join(filter(None, (self._origin, words, asks)))

    def _ask_constraint(self, point: Mapping[str, Any]) -> None:
        """Find out whether the constraint allows a point: now where its answer comes at once, else when it comes.

        It is a function of the user's, so it is called on another thread, about one point at a time.
        """
        search = self.search
        if _constraint(search) is None or search.capabilities.get("enqueue_trial") is not None:
            return
        self._asked, self._is_unknown, self.refusal = point, True, ""
        if self._answer is not None and not self._answer.done():
            return  # this point is the next one
        self._answer = run_in_thread(
            "hpo_widgets constraint", lambda: _refusal(search, point), lambda: self._take_answer(point)
        )
        with contextlib.suppress(TimeoutError):
            self.refusal, self._is_unknown = self._answer.result(_PATIENCE), False

    def _take_answer(self, point: Mapping[str, Any]) -> None:
        """Show what the constraint has answered about a point, and ask about the one that came meanwhile."""
        with self._refresher.lock, self.hold_sync():
            if not self._is_unknown or self._answer is None or not self._answer.done():
                return
            if self._asked is point:
                self.refusal, self._is_unknown = self._answer.result(), False
            else:
                self._ask_constraint(self._asked)
            self._say(self._asked)

    def _on_cancel(self, _content: dict[str, object]) -> None:
        self.point = {}

    def _on_edit(self, content: dict[str, object]) -> None:
        """Take the point as it is typed, so that plots mark it; half of a number changes nothing."""
        typed = content.get("values")
        if not isinstance(typed, Mapping):
            self._refuse("a point was edited that has no values")
            return
        point, problems = _read(typed, self.search.space)
        with self._refresher.lock:
            if problems or not self.point:
                return
            self._is_typed = True
            try:
                self.point = point
            finally:
                self._is_typed = False

    def _on_queue(self, content: dict[str, object]) -> None:
        """Queue the point next; what is wrong with it is told at its fields."""
        self._take(content, self._queue)

    def _on_record(self, content: dict[str, object]) -> None:
        """Record the result of the point; what is wrong with either is told at its fields."""
        typed = content.get("results")
        if not isinstance(typed, list) or not self.objectives or len(typed) != len(self.objectives):
            self._refuse("a result was to be recorded that has no values")
            return
        values: list[float] = []
        problems: dict[str, str] = {}
        for index, words in enumerate(typed):
            try:
                values.append(typed_number(str(words).strip()))
            except ValueError as error:
                problems[str(index)] = str(error)
        self._take(content, lambda point: self._record(point, values), problems)

    def _take(
        self,
        content: dict[str, object],
        act: Callable[[Mapping[str, Any]], str],
        of_results: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Do something with the point that was typed, unless something is wrong with it or with its result."""
        typed, request = content.get("values"), content.get("id")
        if not isinstance(typed, Mapping) or not isinstance(request, str):
            self._refuse("a point was to be taken that has no values")
            return
        point, problems = _read(typed, self.search.space)
        problem = ""
        if not problems:
            try:
                point = self.search.space.normalise(point)
            except ValueError as error:
                problem = str(error)
                missing, superfluous = self.search.space.misfit(point)
                problems = dict.fromkeys(missing, "Give a value.") | dict.fromkeys(superfluous, "Leave this empty.")
        if not problems and not problem and not of_results:
            problem = act(point)
        answer = {"id": request[:_LONGEST_ID], "fields": problems, "problem": problem}
        self.answer = {**answer, "results": dict(of_results)} if of_results else answer

    def _queue(self, point: Mapping[str, Any]) -> str:
        """Queue a point that the space has; returns what is wrong with it all the same, empty where it was queued."""
        with self._refresher.lock, self.hold_sync():
            if self._asked != point:
                self._ask_constraint(point)
                self._say(point)
            if self._is_unknown:
                return "The constraint has not answered yet whether this point may be run: press again when it has."
            if self.refusal:
                return self.refusal
        self.search.command("enqueue_trial", point)
        self.point = {}
        return ""

    def _record(self, point: Mapping[str, Any], values: list[float]) -> str:
        self.search.command("add_trial", point, values)
        self.point = {}
        return ""


def _constraint(search: Search) -> str | None:
    """What points of a search have to meet; None: nothing."""
    return search.constraint if isinstance(search, ConstrainsPoints) else None


def _refusal(search: Search, point: Mapping[str, Any]) -> str:
    """Say why the constraint of a search does not let a point be run; empty where it does, or where it is no point."""
    try:
        search.space.normalise(point)
    except ValueError:  # told at its fields
        return ""
    try:
        is_allowed = not isinstance(search, ConstrainsPoints) or search.allows(point)
    except (TypeError, ValueError) as error:
        return str(error)
    return "" if is_allowed else f"The constraint {_constraint(search)} does not allow this point."


def _is_outside(name: str, value: Any, space: Space) -> bool:
    leaf: Any = space.leaf(name)
    if leaf.kind == "choice":
        return value not in space.ranges[name]
    low, high = leaf.range
    return bool(not low <= value <= high)


def completed_point(point: Mapping[str, Any], search: Search) -> dict[str, Any]:
    """Return a point with what it lacks from the best trial, else from the middle of the ranges.

    Parameters
    ----------
    point
        Values of some parameters by name.
    search
        The search.

    Returns
    -------
    dict
        Name to value; the given ones as they are.
    """
    space = search.space
    try:
        return dict(space.normalise(point))
    except ValueError:
        best = search.best_trial
        middle = np.full((1, space.num_dimensions), 0.5)
        return {**(space.points(middle)[0] if best is None else best.parameters), **point}


def _fields(point: Mapping[str, Any], space: Space) -> list[dict[str, Any]]:
    fields = []
    conditions = space.conditions
    for name, label in text.labels(space.names).items():
        leaf: Any = space.leaf(name)
        field: dict[str, Any] = {"name": name, "label": label, "kind": leaf.kind, "may_be_empty": all(conditions[name])}
        if leaf.kind == "choice":
            index = leaf.table.index_of(point[name]) if name in point else None
            field |= {"choices": list(leaf.labels), "value": "" if index is None else str(index)}
        else:
            field |= {"choices": None, "value": _typed(name, point[name], space) if name in point else ""}
            low, high = leaf.range
            field["range"] = f"{text.number(float(low))} … {text.number(float(high))}"
        fields.append(field)
    return fields


def _typed(name: str, value: float, space: Space) -> str:
    """Write a number as a person would type it, and in full where that would be another one."""
    leaf: Any = space.leaf(name)
    if leaf.kind == "int":
        return str(int(value))
    value, (low, high) = float(value), leaf.range
    words = text.number(value, _DIGITS)
    typed = float(words)
    is_near = abs(typed - value) <= _NEAR * (high - low) and (low <= typed <= high) == (low <= value <= high)
    return words if is_near and _problem_of(name, typed, space) is None else repr(value)


def _read(typed: Mapping[str, Any], space: Space) -> tuple[dict[str, Any], dict[str, str]]:
    """Read what was typed.

    Returns
    -------
    tuple of dict
        Name to value, and name to what is wrong with it.
    """
    point: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in space.names:
        leaf: Any = space.leaf(name)
        words = str(typed.get(name, "")).strip()
        if not words:
            if not all(space.conditions[name]):
                problems[name] = "Give a value."
            continue
        if leaf.kind == "choice":
            # Python refuses to read thousands of digits.
            if words.isdecimal() and len(words) <= _MOST_DIGITS and int(words) < len(leaf.declared):
                point[name] = leaf.declared[int(words)]
            else:
                problems[name] = "Choose a value."
            continue
        try:
            number = typed_number(words)
        except ValueError as error:
            problems[name] = str(error)
            continue
        if leaf.kind == "int" and not number.is_integer():
            problems[name] = "Type a whole number."
        else:
            point[name] = int(words) if leaf.kind == "int" and words.lstrip("+-").isdecimal() else number
            problem = _problem_of(name, point[name], space)
            if problem is not None:
                problems[name] = problem
    return point, problems


def typed_number(words: str) -> float:
    """Return the finite number that was typed; a ``ValueError`` says what to type."""
    with contextlib.suppress(ValueError):
        if len(words) <= _MOST_DIGITS and math.isfinite(number := float(words)):
            return number
    raise ValueError("Type a number, such as 0.01 or 1e-3.")


def _problem_of(name: str, value: Any, space: Space) -> str | None:
    """Say what is wrong with a number of a parameter; None: nothing."""
    leaf: Any = space.leaf(name)
    low, high = space.limits.get(name) or (None, None)
    if low is not None and value < low:
        return f"The limit is {text.number(float(low))}."
    if high is not None and value > high:
        return f"The limit is {text.number(float(high))}."
    if leaf.kind == "log" and value <= 0:
        return "A logarithmic parameter must be above 0."
    try:
        leaf.normalise(value)
    except (ValueError, OverflowError) as error:
        return str(error)
    return None
