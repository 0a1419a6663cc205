"""Trait types of the widgets (counts, trial numbers, filters, boxes, points), and the check for unknown keywords."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import traitlets as t

from hpo_widgets._messages import near_match
from hpo_widgets.search.limits import positive_int
from hpo_widgets.search.readable import checked_filter
from hpo_widgets.trials.filter import TrialFilter, checked_box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traitlets import HasTraits

    from hpo_widgets.search import Search


class NoObjectiveError(t.TraitError, ValueError):
    """The index of an objective that the search does not have, assigned or given to a constructor."""


class ObjectiveIndex(t.Int[int, Any]):
    """The index of one of the objectives of ``obj.search``, from 0."""

    def validate(self, obj: Any, value: Any) -> int:
        """Return the index, or raise a ``TraitError`` that says what is wrong."""
        index: int = super().validate(obj, value)
        count = len(obj.search.objectives)
        if not 0 <= index < count:
            raise NoObjectiveError(f"objective must be below {count}, the number of objectives, got {index}")
        return index


class PositiveInt(t.Int[Any, Any]):
    """An ``Int`` of at least 1 that refuses ``True``, which Python counts as 1 and which is a slip here."""

    def __init__(self, default_value: Any = 1, **keywords: Any) -> None:
        super().__init__(default_value, min=1, **keywords)

    def validate(self, obj: Any, value: Any) -> int | None:
        """Return the number, or raise a ``TraitError`` that says what is wrong."""
        try:
            return super().validate(obj, value if value is None else positive_int(str(self.name), value))  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise t.TraitError(str(error)) from None


def refuse_unknown(owner: type[HasTraits], names: Iterable[str]) -> None:
    """Raise a ``TypeError`` with a near match for the first name that is no trait of ``owner``.

    Parameters
    ----------
    owner
        The widget's class.
    names
        Keywords that were given.

    Raises
    ------
    TypeError
        For the first that is not a trait.
    """
    known = [name for name in owner.class_trait_names() if not name.startswith("_")]
    for name in names:
        if name in known:
            continue
        msg = f"{owner.__name__} has no keyword {name!r}. {near_match(name, known)}"
        raise TypeError(msg)


_MOST_NAMED = 3
_Value = TypeVar("_Value")


class _OfSearch(t.TraitType[_Value, Any]):
    """A trait whose values are checked against ``obj.search``."""

    def validate(self, obj: Any, value: Any) -> _Value:
        """Return the value in its own form, or raise a ``TraitError`` that says what is wrong."""
        try:
            return self._checked(obj.search, value)
        except ValueError as error:
            raise t.TraitError(f"{self.name}: {error}") from None

    def _checked(self, search: Search, value: Any) -> _Value:
        raise NotImplementedError


class TrialNumbers(_OfSearch[list[int]]):
    """A list of numbers of trials of ``obj.search``, each once, in the order given.

    Anything iterable of whole numbers is taken, such as a NumPy array. A number without a trial is
    refused.
    """

    default_value: list[int] = []  # noqa: RUF012 -- what TraitType looks for; copied by make_dynamic_default
    info_text = "a list of trial numbers"

    def make_dynamic_default(self) -> list[int]:
        """Give each owner a list of its own."""
        return []

    def _checked(self, search: Search, value: Any) -> list[int]:
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
            msg = f"selected is a list of trial numbers, such as [0, 4], got {value!r:.80}"
            raise t.TraitError(msg)
        numbers = list(dict.fromkeys(_number(item) for item in value))
        num_trials = sum(search.counts.values())
        unknown = [number for number in numbers if not 0 <= number < num_trials]
        if unknown:
            named = ", ".join(map(str, unknown[:_MOST_NAMED])) + (", …" if len(unknown) > _MOST_NAMED else "")
            msg = f"selected names trials that do not exist: {named}; the search has {num_trials} so far"
            raise t.TraitError(msg)
        return numbers


def _number(item: object) -> int:
    if not isinstance(item, bool):
        try:
            return operator.index(item)  # type: ignore[arg-type]  # what is not a number raises
        except TypeError:
            pass
    msg = f"selected is a list of trial numbers, such as [0, 4]; {item!r:.80} is none"
    raise t.TraitError(msg)


class FilterTrait(_OfSearch[TrialFilter]):
    """A `TrialFilter` for the trials of ``obj.search``; a mapping of its fields, and None for none, are taken too."""

    default_value = TrialFilter()
    info_text = "a TrialFilter, or a dict of its fields"

    def _checked(self, search: Search, value: Any) -> TrialFilter:
        if not isinstance(value, (TrialFilter, Mapping, type(None))):
            msg = f"{self.name} is a TrialFilter or a dict of its fields, such as {{'top_k': 50}}, got {value!r:.80}"
            raise t.TraitError(msg)
        try:
            return checked_filter(value or {}, search)
        except ValueError as error:
            raise t.TraitError(str(error)) from None


class BoxTrait(_OfSearch[Mapping[str, tuple[Any, ...]]]):
    """A part of the space of ``obj.search``: full parameter name to (low, high), or to choices; empty for none."""

    default_value: Mapping[str, tuple[Any, ...]] = MappingProxyType({})
    info_text = "a mapping of parameter names to ranges"

    def _checked(self, search: Search, value: Any) -> Mapping[str, tuple[Any, ...]]:
        return MappingProxyType(checked_box(value or {}, search.space) if value else {})


class PointTrait(_OfSearch[Mapping[str, Any]]):
    """Values of some parameters of ``obj.search`` by full name; empty for none."""

    default_value: Mapping[str, Any] = MappingProxyType({})
    info_text = "a mapping of parameter names to values"

    def _checked(self, search: Search, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, (Mapping, type(None))):
            raise t.TraitError(f"{self.name} maps names of parameters to values, got {value!r:.80}")
        return MappingProxyType({name: search.space.leaf(name).normalise(one) for name, one in (value or {}).items()})
