"""What every parameter can do, and what a leaf, a parameter with one value, can do beyond that."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from hpo_widgets._messages import near_match, printable
from hpo_widgets.parameters.grids import LazyList

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["float", "log", "int", "choice"]
_Kind = TypeVar("_Kind", bound="Parameter")
RandomSource = np.random.Generator | random.Random
UnitNumbers = npt.NDArray[np.float64]


class Parameter(ABC):
    """Something that may vary: one named value, or a set of combinations of them.

    Attributes
    ----------
    name : str or None
        Full name of the parameter; None for a `ParameterSet`.
    """

    name: Any

    @abstractmethod
    def get_value(self, rng: RandomSource | None = None) -> dict[str, Any]:
        """Draw one value at random.

        Parameters
        ----------
        rng : numpy Generator or random.Random, optional
            Source of randomness; by default a fresh unseeded one.

        Returns
        -------
        dict
            ``{name: value}``; for a `ParameterSet` one entry per name of the drawn combination.
        """

    @abstractmethod
    def to_list(self) -> LazyList[dict[str, Any]]:
        """List every value as ``{name: value}``, made on demand: any size costs no memory.

        A continuous range without step is cut into 100 equal steps (of the exponent for a log range).
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the dict form, which `from_dict` reads; its keys are those of ``clearml.automation``."""

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Parameter:
        """Build the parameter that a dict form describes.

        Parameters
        ----------
        form : mapping
            What `to_dict` returned, here or in ``clearml.automation``.

        Raises
        ------
        ValueError
            When the form names no known class, or describes an impossible parameter.
        """
        given: object = form
        if not isinstance(given, Mapping):
            msg = f"the dict form of a parameter is a dict, got {given!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 -- one kind of error for a form that makes no sense
        kind = form.get("type")
        if not isinstance(kind, str) or kind not in CLASSES:
            raise ValueError(f"{kind!r:.80} is not a class of parameter. {near_match(str(kind), CLASSES)}")
        try:
            return CLASSES[kind]._from_dict(form)  # noqa: SLF001 - the same family of classes
        except KeyError as error:
            raise ValueError(f"the dict form of a {kind} lacks {error.args[0]!r}") from error

    @classmethod
    @abstractmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter: ...

    @abstractmethod
    def _state(self) -> tuple[Any, ...]:
        """Return what two equal parameters have in common; hashable."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameter) and type(self) is type(other) and self._state() == other._state()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._state()))


CLASSES: dict[str, type[Parameter]] = {}
"""The classes that dict forms name, ours and the SDK's alike; filled by `has_dict_form`."""


def has_dict_form(kind: type[_Kind]) -> type[_Kind]:
    """Class decorator: dict forms name this class by its own name."""
    CLASSES[kind.__name__] = kind
    return kind


class LeafParameter(Parameter):
    """A parameter with a name, one value and a range.

    Attributes
    ----------
    kind : {"float", "log", "int", "choice"}
        What its values are and how they are spread.
    """

    name: str
    kind: ClassVar[Kind]

    @property
    @abstractmethod
    def range(self) -> tuple[Any, ...]:
        """Current range in values: ``(low, high)``, or the allowed choices."""

    @property
    def range_key(self) -> tuple[float, ...]:
        """What tells one range of this parameter from another: its bounds, or the places of the allowed choices.

        The choices themselves cannot: ``True == 1``, ``nan != nan``, and arrays compare element by element.
        """
        return self.range

    @property
    @abstractmethod
    def declared(self) -> tuple[Any, ...]:
        """The constructor's range in values: ``(low, high)``, or all choices in their order."""

    @property
    @abstractmethod
    def step(self) -> float | None:
        """Distance between two values (of the exponent for a log range), None without steps."""

    @property
    @abstractmethod
    def num_values(self) -> int | None:
        """Number of values in the current range, None for a continuous one."""

    @abstractmethod
    def value_at(self, index: int) -> Any:
        """Return the value with an index from 0 to ``num_values - 1`` of the current range."""

    @abstractmethod
    def index_of(self, value: Any) -> int | None:
        """Return the index of a value among those of the current range, None when it is not one of them."""

    @abstractmethod
    def with_range(self, range: Sequence[Any], limits: tuple[Any, Any] | None = None) -> LeafParameter:  # noqa: A002
        """Return this parameter with another current range.

        Parameters
        ----------
        range : sequence
            ``(low, high)`` in values, both included, or the allowed choices.
        limits : pair, optional
            Hard bounds ``(low, high)``; None or infinity for no bound. Not for choices, whose declared
            values are their limit.

        Raises
        ------
        ValueError
            When the range falls, is not finite, leaves the limits or holds no value.
        """

    @abstractmethod
    def from_unit(self, u: UnitNumbers) -> list[Any]:
        """Turn uniform numbers into values.

        Parameters
        ----------
        u : ndarray, shape (n,)
            Numbers in [0, 1).

        Returns
        -------
        list
            n Python values inside the current range; every step or choice is equally likely.
        """

    @abstractmethod
    def contains(self, value: Any) -> bool:
        """Tell whether a value is one that the current range can give."""

    @abstractmethod
    def normalise(self, value: Any) -> Any:
        """Return the Python value meant by a value given by a person, whatever the current range.

        Raises
        ------
        ValueError
            When it is of a wrong type, not finite, or no declared choice.
        """

    def get_value(self, rng: RandomSource | None = None) -> dict[str, Any]:
        """Draw one value at random; see `Parameter.get_value`."""
        source = np.random.default_rng() if rng is None else rng
        return {self.name: self.from_unit(np.array([source.random()]))[0]}

    def to_list(self) -> LazyList[dict[str, Any]]:
        """List every value as ``{name: value}``; see `Parameter.to_list`."""
        return LazyList(self.num_values or 0, lambda index: {self.name: self.value_at(index)})


def check_name(name: Any) -> None:
    """Raise a TypeError for a name that is not a text, and a ValueError for one that no page can show."""
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"a parameter needs a name, a string that is not empty; got {name!r}")
    if printable(name) != name:
        raise ValueError(f"the name {name!r} has half of a surrogate pair, which no file and no page can hold")


def is_finite(number: float) -> bool:
    """Tell whether a float can hold a number: a whole number may be larger than any."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def python_value(value: Any) -> Any:
    """Return the Python value of a numpy scalar, anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value
