"""What one choice is: its typed identity, its label for people, its JSON form."""

from __future__ import annotations

import functools
import math
import pickle
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import printable, short
from hpo_widgets.parameters.base import python_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_SCALARS = (bool, int, float, str, bytes, type(None))
_LABEL_LENGTH = 60


def identity(value: Any) -> Hashable:
    """Return a hashable stand-in that keeps types apart.

    ``True``, ``1``, ``1.0`` and ``"1"`` differ, also inside lists, tuples, sets and dicts. Objects that
    cannot be hashed are told apart by their pickle, and by being the same object where that fails.
    """
    kind = type(value)
    if kind is float and math.isnan(value):
        return kind, "nan"
    if kind in _SCALARS:
        return kind, value
    if kind in (list, tuple):
        return kind, tuple(map(identity, value))
    if kind in (set, frozenset):
        return kind, frozenset(map(identity, value))
    if kind is dict:
        return kind, frozenset((identity(key), identity(item)) for key, item in value.items())
    try:
        hash(value)
    except TypeError:
        try:
            return kind, pickle.dumps(value)
        except Exception:  # noqa: BLE001 - objects may raise anything here, and any of it means "no pickle"
            return kind, id(value)
    return kind, value


@dataclass(frozen=True)
class UnknownChoice:
    """Stands for a choice whose value a stored search could not hold.

    Attributes
    ----------
    label : str
        How the choice was shown.
    type_name : str
        The type of the lost value.
    """

    label: str
    type_name: str

    def __repr__(self) -> str:
        return f"<unknown choice {self.label}>"


class ChoiceTable:
    """The declared values of one parameter, found again by typed identity.

    Parameters
    ----------
    values : iterable
        The values in order; numpy scalars become Python ones.

    Raises
    ------
    ValueError
        When a value appears twice.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.values: tuple[Any, ...] = tuple(python_value(value) for value in values)
        self._index: dict[Hashable, int] = {}
        for index, value in enumerate(self.values):
            if self._index.setdefault(identity(value), index) != index:
                raise ValueError(f"the value {value!r} appears twice: list each choice once")

    def __reduce__(self) -> tuple[Any, ...]:
        return ChoiceTable, (self.values,)  # identities are made anew: they may hold object ids

    def index_of(self, value: Any) -> int | None:
        """Return the index of a value of the same type, None when it is not declared."""
        return self._index.get(identity(python_value(value)))

    @functools.cached_property
    def identities(self) -> tuple[Hashable, ...]:
        """What stands for each value, see `identity`."""
        return tuple(self._index)

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """One short text per value; no two are equal."""
        labels = [choice_label(value) for value in self.values]
        counts = Counter(labels)
        if len(counts) < len(labels):
            # 1 beside "1", None beside "None": quote the strings, and say the type where that does not help.
            labels = [
                repr(value) if isinstance(value, str) and counts[label] > 1 else label
                for value, label in zip(self.values, labels, strict=True)
            ]
            counts = Counter(labels)
            labels = [
                f"{label} ({type(value).__name__} {index})" if counts[label] > 1 else label
                for index, (value, label) in enumerate(zip(self.values, labels, strict=True))
            ]
        return tuple(labels)


def choice_label(value: Any) -> str:
    """Return a short text for a choice, without memory addresses."""
    if isinstance(value, UnknownChoice):
        return value.label
    if isinstance(value, str):
        text = value
    elif callable(value) and hasattr(value, "__qualname__"):
        text = value.__qualname__.rpartition("<locals>.")[2]
    else:
        text = repr(value)
        if " at 0x" in text:
            text = type(value).__qualname__
    text = printable(" ".join(text.split()) if text.strip() else repr(text))
    return short(text, _LABEL_LENGTH)


def type_name(value: Any) -> str:
    """Return the name of a value's type: short for builtins, with its module otherwise."""
    if isinstance(value, UnknownChoice):
        return value.type_name
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def to_json(value: Any) -> dict[str, Any]:
    """Return ``{"type": ..., "value": ...}`` in JSON values; without ``value`` when JSON cannot hold it."""
    kind = type(value)
    form: dict[str, Any] = {"type": type_name(value)}
    if kind in (bool, int, str, type(None)):
        form["value"] = value
    elif kind is float:
        form["value"] = value if math.isfinite(value) else repr(value)
    elif kind in (list, tuple):
        items = [to_json(item) for item in value]
        if all("value" in item for item in items):
            form["value"] = items
    elif kind is dict and all(type(key) is str for key in value):
        pairs = {key: to_json(item) for key, item in value.items()}
        if all("value" in item for item in pairs.values()):
            form["value"] = pairs
    return form


def from_json(form: Mapping[str, Any]) -> Any:
    """Return the value of a form written by `to_json`.

    Raises
    ------
    KeyError
        When the form holds no value.
    """
    value = form["value"]
    kind = form["type"]
    if kind == "float":
        return float(value)
    if kind == "list":
        return [from_json(item) for item in value]
    if kind == "tuple":
        return tuple(from_json(item) for item in value)
    if kind == "dict":
        return {key: from_json(item) for key, item in value.items()}
    return value
