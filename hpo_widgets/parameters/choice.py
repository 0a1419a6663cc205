"""A choice among declared values, which keep their type."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_widgets._messages import near_match
from hpo_widgets.parameters.base import (
    Kind,
    LeafParameter,
    Parameter,
    UnitNumbers,
    check_name,
    has_dict_form,
    python_value,
)
from hpo_widgets.parameters.choices import ChoiceTable, choice_label

if TYPE_CHECKING:
    from collections.abc import Sequence


@has_dict_form
@dataclass(frozen=True, eq=False, repr=False)
class DiscreteParameterRange(LeafParameter):
    """One of a list of choices, each equally likely.

    Parameters
    ----------
    name : str
        Full name.
    values : sequence
        The choices in order, of any type. They keep their type: True, 1, 1.0 and "1" are four choices.

    Raises
    ------
    ValueError
        When there is none, or one appears twice.
    TypeError
        When `values` is a string, a set or a mapping.
    """

    name: str
    values: Sequence[Any] = ()

    kind: ClassVar[Kind] = "choice"
    table: ChoiceTable = None  # type: ignore[assignment]  # set below; no argument of the constructor
    _allowed: tuple[int, ...] = ()

    def __init__(self, name: str, values: Sequence[Any] = ()) -> None:
        check_name(name)
        object.__setattr__(self, "name", name)
        listed = self._listed(values)
        if not listed:
            raise ValueError(f"{name!r} has no values to choose from: list at least one")
        try:
            table = ChoiceTable(listed)
        except ValueError as error:
            raise ValueError(f"in the choices of {name!r} {error}") from error
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "values", table.values)
        object.__setattr__(self, "_allowed", tuple(range(len(table.values))))

    def _listed(self, values: Any) -> list[Any]:
        """Return what was given as a list of choices, or say why it is none."""
        if isinstance(values, np.ndarray):
            return list(values.tolist())
        if isinstance(values, (str, bytes, Mapping, set, frozenset)) or not isinstance(values, Iterable):
            kind = type(values).__name__
            raise TypeError(
                f"the choices of {self.name!r} must be a list or tuple (order matters), got {kind} {values!r}"
            )
        return list(values)

    @property
    def declared(self) -> tuple[Any, ...]:
        """All choices, in the constructor's order."""
        return self.table.values

    @functools.cached_property
    def range(self) -> tuple[Any, ...]:
        """The choices allowed now, in the constructor's order."""
        return tuple(self.declared[index] for index in self._allowed)

    @property
    def allowed(self) -> tuple[int, ...]:
        """Indices of the choices allowed now, into `declared`."""
        return self._allowed

    @property
    def range_key(self) -> tuple[int, ...]:
        """The places of the choices allowed now; see `LeafParameter.range_key`."""
        return self._allowed

    @property
    def labels(self) -> tuple[str, ...]:
        """One short text per declared choice; no two are equal."""
        return self.table.labels

    @property
    def step(self) -> None:
        """None: choices have no distance."""
        return

    @property
    def num_values(self) -> int:
        """Number of choices allowed now."""
        return len(self._allowed)

    def value_at(self, index: int) -> Any:
        """Return the allowed choice with an index from 0 to ``num_values - 1``."""
        if not 0 <= index < len(self._allowed):
            raise IndexError(f"{self.name!r} has no value with index {index}")
        return self.range[index]

    def index_of(self, value: Any) -> int | None:
        """Return the index of a choice among the allowed ones, None when it is none of them."""
        place = self.table.index_of(value)
        return None if place is None or place not in self._allowed else self._allowed.index(place)

    def contains(self, value: Any) -> bool:
        """Tell whether a value of that very type is allowed now."""
        return self.table.index_of(value) in self._allowed

    def normalise(self, value: Any) -> Any:
        """Return the declared choice of the same type and value; see `LeafParameter.normalise`."""
        place = self.table.index_of(value)
        if place is None:
            same = [choice for choice in self.declared if choice_label(choice) == choice_label(value)]
            hint = f"The choice is {same[0]!r}." if same else near_match(choice_label(value), self.labels)
            raise ValueError(
                f"{value!r} is not a choice of {self.name!r}. {hint} A search takes a new choice by add_choices."
            )
        return self.declared[place]

    def with_range(self, range: Sequence[Any], limits: tuple[Any, Any] | None = None) -> DiscreteParameterRange:  # noqa: A002
        """Return this parameter with other allowed choices; see `LeafParameter.with_range`."""
        if limits is not None:
            raise ValueError(f"{self.name!r} is a choice: its declared values are its limit, leave it out of limits")
        try:
            listed = self._listed(range)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not listed:
            raise ValueError(f"the range of {self.name!r} must keep at least one choice")
        places = {self.table.index_of(self.normalise(value)) for value in listed}
        return self._with_allowed(tuple(sorted(place for place in places if place is not None)))

    def _with_allowed(self, places: tuple[int, ...]) -> DiscreteParameterRange:
        """Return this parameter with the choices at some places allowed, and no others."""
        changed = copy.copy(self)
        changed.__dict__.pop("range", None)
        object.__setattr__(changed, "_allowed", places)
        return changed

    def with_choices(self, values: Sequence[Any]) -> DiscreteParameterRange:
        """Return this parameter with further choices at the end, which are allowed; the others keep their places.

        Raises
        ------
        ValueError
            When no value is given, they are not in a list or tuple, or one is a choice already.
        """
        try:
            listed = [python_value(value) for value in self._listed(values)]
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not listed:
            raise ValueError(f"no new choice of {self.name!r} is given: list at least one")
        for value in listed:
            place = self.table.index_of(value)
            if place is not None:
                what = "list new ones only" if place in self._allowed else "allow it again with set_range"
                raise ValueError(f"{value!r} is a choice of {self.name!r} already: {what}")
        more = type(self)(self.name, [*self.declared, *listed])
        added = range(len(self.declared), len(more.declared))
        return more._with_allowed((*self._allowed, *added))  # noqa: SLF001 -- of this class

    def with_choices_of(self, other: DiscreteParameterRange) -> DiscreteParameterRange:
        """Return this parameter with all choices that another version of it has at its end; they are not allowed."""
        return other._with_allowed(self._allowed)

    def from_unit(self, u: UnitNumbers) -> list[Any]:
        """Turn uniform numbers into choices; see `LeafParameter.from_unit`."""
        count = len(self._allowed)
        indices = np.minimum((u * count).astype(np.int64), count - 1)
        return list(map(self.range.__getitem__, indices.tolist()))

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; allowed choices that differ from the declared ones are in ``range``."""
        form: dict[str, Any] = {"type": type(self).__name__, "name": self.name, "values": list(self.declared)}
        if len(self._allowed) < len(self.declared):
            form["range"] = list(self.range)
        return form

    @classmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter:
        parameter = cls(form["name"], form["values"])
        return parameter if form.get("range") is None else parameter.with_range(form["range"])

    def _state(self) -> tuple[Any, ...]:
        return (self.name, self.table.identities, self._allowed)

    def __repr__(self) -> str:
        now = "" if len(self._allowed) == len(self.declared) else f" now {self.range!r}"
        return f"{type(self).__name__}({self.name!r}, {list(self.declared)!r}){now}"
