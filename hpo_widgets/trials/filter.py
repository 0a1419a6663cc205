"""The filter of trials: conditions that a trial has to meet, evaluated on whole columns."""

from __future__ import annotations

import math
import operator
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets._messages import near_match
from hpo_widgets.objectives.ranking import best_rows
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choices import identity
from hpo_widgets.trials.trial import TrialState, checked_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows

Mask = npt.NDArray[np.bool_]

_STATES = {state.label: state for state in TrialState}


@dataclass(frozen=True)
class TrialFilter:  # noqa: PLW1641 -- the decorator makes the hash
    """Conditions on trials; a trial passes when it meets all that are given.

    One that is left out of the search passes only where ``states`` asks for it.

    Parameters
    ----------
    top_k
        The trial is one of the k best of all trials; with several objectives, in the order of the fronts. None: any.
    states
        The trial is in one of these states: ``"completed"``, ``"failed"`` and so on. Empty: any but ``"left out"``.
    epochs
        Its point was chosen in one of these versions of the space, from 0. Empty: any.
    inside
        Its point lies inside the present ranges.
    tags
        The trial has one of these tags. Empty: any tags or none.
    within
        Full parameter name, or key of an objective (``"title/series"``), to ``(low, high)`` in values, None for an end
        that is open, or to the allowed choices. A trial without that parameter or value does not pass.

    Raises
    ------
    ValueError
        For an invalid number of trials, state, version of the space, tag or range.

    Examples
    --------
    >>> TrialFilter(top_k=50, states=("completed",), within={"dropout": (0.04, 0.25)}).is_empty
    False
    """

    top_k: int | None = None
    states: tuple[str, ...] = ()
    epochs: tuple[int, ...] = ()
    inside: bool = False
    tags: tuple[str, ...] = ()
    within: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        checks = {
            "top_k": None if self.top_k is None else _whole("top_k", self.top_k, 1),
            "states": tuple(sorted(set(map(_state, _items("states", self.states))), key=_STATES.__getitem__)),
            "epochs": tuple(sorted({_whole("an entry of epochs", one, 0) for one in _items("epochs", self.epochs)})),
            "inside": bool(self.inside),
            "tags": _tags(_items("tags", self.tags)),
            "within": _ranges("within", self.within),
        }
        for name, value in checks.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        """Tell whether both have the same conditions."""
        return isinstance(other, TrialFilter) and _comparable(self) == _comparable(other)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TrialFilter:
        """Return the filter with these fields.

        Raises
        ------
        ValueError
            For an unknown field, with a near match, and for all that the constructor refuses.
        """
        for name in fields:
            if name not in cls.__dataclass_fields__:
                raise ValueError(f"a filter has no field {name!r:.80}. {near_match(name, cls.__dataclass_fields__)}")
        return cls(**fields)

    @property
    def is_empty(self) -> bool:
        """Whether there are no conditions: every trial passes but those that are left out."""
        return self == TrialFilter()

    @property
    def asks_for_left_out(self) -> bool:
        """Whether trials pass that are left out of the search."""
        return TrialState.LEFT_OUT.label in self.states

    def without(self, condition: str, name: str | None = None) -> TrialFilter:
        """Return the filter without one of its conditions.

        Parameters
        ----------
        condition
            The name of a field.
        name
            Of ``within``: the parameter or objective. Default: all of them.

        Returns
        -------
        TrialFilter
            The same one where the condition is not there.
        """
        if condition == "within" and name is not None:
            return replace(self, within={one: range_ for one, range_ in self.within.items() if one != name})
        return replace(self, **{condition: getattr(TrialFilter(), condition)})

    def checked(self, space: Space, objectives: Sequence[Objective], num_epochs: int) -> TrialFilter:
        """Check the filter against a search, and return it with normalised values.

        Parameters
        ----------
        space
            The space.
        objectives
            What is optimised.
        num_epochs
            Versions of the space so far.

        Returns
        -------
        TrialFilter
            Bounds are numbers, choices the declared ones.

        Raises
        ------
        ValueError
            For an unknown parameter or objective, with a near match, for values that it cannot have, and for a version
            of the space that has not begun.
        """
        late = [one for one in self.epochs if one >= num_epochs]
        if late:
            raise ValueError(
                f"epochs names versions of the space that do not exist: {', '.join(map(str, late))}; "
                f"the search has had {num_epochs}, counted from 0"
            )
        keys = [one.key for one in objectives]
        known = [*space.names, *keys]
        for name in self.within:
            if name not in known:
                raise ValueError(
                    f"the search has no parameter and no objective {name!r:.80}. {near_match(name, known)}"
                )
        of_parameters = {name: range_ for name, range_ in self.within.items() if name in space.names}
        checked = checked_box(of_parameters, space) | {
            name: _pair(name, range_) for name, range_ in self.within.items() if name not in space.names
        }
        return replace(self, within={name: checked[name] for name in self.within})

    def passing(self, rows: Rows, space: Space, objectives: Sequence[Objective]) -> Mask:
        """Tell which trials pass.

        Parameters
        ----------
        rows
            All trials of a search, as ``top_k`` ranks among all of them.
        space
            The space as it is now.
        objectives
            What is optimised.

        Returns
        -------
        ndarray of bool
            Shape (num_trials,).
        """
        passes: Mask = rows.state != TrialState.LEFT_OUT
        if self.states:
            passes = np.isin(rows.state, [int(_STATES[state]) for state in self.states])
        if self.epochs:
            passes &= np.isin(rows.epoch, self.epochs)
        if self.inside:
            passes &= lies_within(rows.parameters, space, space.ranges, absent=True)
        if self.tags:
            wanted = set(self.tags)
            passes &= np.isin(rows.numbers, [n for n, remark in rows.remarks.items() if wanted & set(remark.tags)])
        of_parameters = {name: range_ for name, range_ in self.within.items() if name in space.names}
        if of_parameters:
            passes &= lies_within(rows.parameters, space, of_parameters, absent=False)
        for index, objective in enumerate(objectives):
            if objective.key in self.within and objective.key not in of_parameters:
                low, high = self.within[objective.key]
                passes &= (rows.values[:, index] >= low) & (rows.values[:, index] <= high)
        if self.top_k is not None:
            ranked = np.flatnonzero(rows.is_ranked)
            top = np.zeros(len(rows), dtype=np.bool_)
            top[ranked[best_rows(rows.values[ranked], [one.minimise for one in objectives], self.top_k)]] = True
            passes &= top
        return passes


def _comparable(chosen: TrialFilter) -> tuple[Any, ...]:
    within = comparable_ranges(chosen.within)
    return chosen.top_k, chosen.states, chosen.epochs, chosen.inside, chosen.tags, within


def comparable_ranges(ranges: Mapping[str, Iterable[Any]]) -> dict[str, tuple[Hashable, ...]]:
    """Return what can be compared in the place of ranges: choices may be arrays, of which `==` makes another array.

    The names stay; numbers stay as they are, and other values become what stands for them.
    """
    return {name: tuple(map(_comparable_value, range_)) for name, range_ in ranges.items()}


def _comparable_value(value: Any) -> Hashable:
    value = python_value(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else identity(value)


def checked_box(box: Mapping[str, Any], space: Space) -> dict[str, tuple[Any, ...]]:
    """Check a part of a space, and return it with normalised values.

    Parameters
    ----------
    box
        Full parameter name to ``(low, high)`` in values, None for an end that is open, or to choices.
    space
        The space.

    Returns
    -------
    dict
        Full parameter name to ``(low, high)``, or to the declared choices.

    Raises
    ------
    ValueError
        For an unknown parameter, with a near match, a range that falls, or a choice that is not declared.
    """
    checked: dict[str, tuple[Any, ...]] = {}
    for name, range_ in _ranges("a box", box).items():
        leaf = space.leaf(name)
        if leaf.kind == "choice":
            if not range_:
                raise ValueError(f"the choices of {name!r} are empty: give one at least")
            checked[name] = tuple(leaf.normalise(value) for value in range_)
        else:
            checked[name] = _pair(name, range_)
    return checked


def lies_within(
    columns: Mapping[str, npt.NDArray[Any]], space: Space, ranges: Mapping[str, tuple[Any, ...]], *, absent: bool
) -> Mask:
    """Tell which points lie within ranges.

    Parameters
    ----------
    columns
        Full parameter name to its values, shape (n,) each; choices by index. NaN, or -1 for a choice, where it does not
        apply.
    space
        The space, for the kinds of parameters.
    ranges
        Full parameter name to ``(low, high)``, or to choices.
    absent
        Whether a point without a parameter lies within its range.

    Returns
    -------
    ndarray of bool
        Shape (n,).
    """
    inside = np.ones(len(next(iter(columns.values()))), dtype=np.bool_)
    for name, range_ in ranges.items():
        column = columns[name]
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            fits = np.isin(column, [leaf.table.index_of(value) for value in range_])
            applies = column >= 0
        else:
            low, high = range_
            fits, applies = (column >= low) & (column <= high), ~np.isnan(column)
        inside &= (fits | ~applies) if absent else (fits & applies)
    return inside


def _items(what: str, given: Any) -> Iterable[Any]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        msg = f"{what} is a tuple, such as {_EXAMPLES[what]}, got {given!r:.80}"
        raise ValueError(msg)  # noqa: TRY004 -- one kind of error for a filter that makes no sense
    return given


_EXAMPLES = {"states": '("completed",)', "epochs": "(0, 1)", "tags": '("baseline",)'}


def _state(given: Any) -> str:
    if isinstance(given, TrialState):
        return given.label
    if not isinstance(given, str) or given not in _STATES:
        raise ValueError(f"{given!r:.80} is not a state of a trial. {near_match(str(given), _STATES)}")
    return given


def _tags(given: Iterable[Any]) -> tuple[str, ...]:
    try:
        return tuple(sorted(checked_tags(list(given))))
    except TypeError as error:
        raise ValueError(str(error)) from None


def _whole(what: str, given: Any, least: int) -> int:
    try:
        number = operator.index(given)
    except TypeError:
        number = least - 1
    if isinstance(given, bool) or number < least:
        raise ValueError(f"{what} is a whole number from {least} on, got {given!r:.80}")
    return number


def _ranges(what: str, given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Return a read-only mapping of names to tuples, with values as they were given."""
    if not isinstance(given, Mapping):
        msg = f"{what} maps names to ranges, such as {{'lr': (0.001, 0.01)}}, got {given!r:.80}"
        raise ValueError(msg)  # noqa: TRY004 -- as above
    ranges = {}
    for name, range_ in given.items():
        if not isinstance(name, str) or isinstance(range_, (str, bytes, Mapping)) or not isinstance(range_, Iterable):
            msg = f"the range of {name!r:.80} is (low, high), or a tuple of the allowed choices, got {range_!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 -- as above
        ranges[name] = tuple(range_)
    return MappingProxyType(ranges)


def _pair(name: str, range_: tuple[Any, ...]) -> tuple[float, float]:
    """Return (low, high) as numbers, infinite where an end is open."""
    if len(range_) != 2:
        raise ValueError(f"the range of {name!r} is a pair (low, high), got {range_!r:.80}")
    low, high = (_number(name, end, bound) for end, bound in zip((-math.inf, math.inf), range_, strict=True))
    if low > high:
        raise ValueError(f"the range of {name!r} must rise from low to high, got ({low!r}, {high!r})")
    return low, high


def _number(name: str, end: float, bound: Any) -> float:
    if bound is None:
        return end
    try:
        number = math.nan if isinstance(bound, (bool, str, bytes)) else float(bound)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"a bound of {name!r} is a number, or None for an open end, got {bound!r:.80}")
    return number
