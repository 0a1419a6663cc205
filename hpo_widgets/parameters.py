"""What can vary: the Parameter classes, how they are sampled, listed and written down.

The constructors, their defaults and the dict form are those of ``clearml.automation``. Everything a
parameter answers afterwards speaks of parameter *values*: the range of ``LogUniformParameterRange("lr", -4, -1)``
is ``(0.0001, 0.1)``.

A parameter never changes. Its declaration stays as the constructor got it; `LeafParameter.with_range` returns
another parameter with the same declaration and another current range. Steps keep counting from the declared
minimum, so that narrowing a range leaves a subset of the same values.
"""

from __future__ import annotations

import copy
import functools
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hpo_widgets.choices import ChoiceTable, as_values, choice_label, identity, python_value
from hpo_widgets.grids import LazyList, StepGrid, concatenate, product
from hpo_widgets.messages import near_match

Kind = Literal["float", "log", "int", "choice"]
RandomSource = np.random.Generator | random.Random
UnitNumbers = npt.NDArray[np.float64]

_DEFAULT_STEPS = 100  # what a grid does with a continuous range, as in ClearML
_TABLE_SIZE = 4096  # stepped ranges up to this many values keep them in a list
_LARGEST_COUNT = 2**53  # whole numbers beyond this are not exact as floats


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
        kind = form.get("type")
        if kind not in _CLASSES:
            raise ValueError(f"{kind!r} is no class of parameter. {near_match(str(kind), _CLASSES)}")
        try:
            return _CLASSES[kind]._from_dict(form)  # noqa: SLF001 - the same family of classes
        except KeyError as error:
            raise ValueError(f"the dict form of a {kind} lacks {error.args[0]!r}") from error

    @classmethod
    @abstractmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter: ...

    @abstractmethod
    def _state(self) -> tuple[Any, ...]:
        """Return what two equal parameters have in common; hashable."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._state() == other._state()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._state()))


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
        """Return the Python value meant by a value given by hand, whatever the current range.

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


class NumericParameter(LeafParameter):
    """A leaf whose values are numbers between two bounds; the base of the three numeric ranges."""

    min_value: float
    max_value: float
    step_size: float | None
    include_max_value: bool

    @property
    def include_max(self) -> bool:
        """Whether the declared maximum is a value (the SDK's name for ``include_max_value``)."""
        return self.include_max_value

    # What the subclasses say: how a value lies on the scale on which steps and draws are even.
    def _to_scale(self, value: float) -> float:
        return value

    def _from_scale(self, position: float) -> float:
        return position

    @functools.cached_property
    def _grid(self) -> StepGrid | None:
        return None if self.step_size is None else StepGrid(self.min_value, self.step_size)

    def _declare(self) -> None:
        """Check the constructor's arguments and set the current range to the declared one."""
        if not self.min_value < self.max_value:
            raise ValueError(
                f"min_value of {self.name!r} must be below its max_value, got {self.min_value!r} and {self.max_value!r}"
            )
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size of {self.name!r} must be above 0, got {self.step_size!r}; leave it out for none")
        if self.step_size is not None and (self.max_value - self.min_value) / self.step_size >= _LARGEST_COUNT:
            raise ValueError(f"step_size {self.step_size!r} of {self.name!r} is too small to count its steps")
        low, high = self._from_scale(self.min_value), self._from_scale(self.max_value)
        grid = self._grid
        if grid is not None and not self.include_max_value:
            last = grid.floor(self.max_value)
            high = self._from_scale(grid.at(last - 1 if grid.position(self.max_value) == last else last))
        object.__setattr__(self, "_declared", (low, high))
        object.__setattr__(self, "_range", (low, high))

    _declared: tuple[float, float]
    _range: tuple[float, float]

    @property
    def declared(self) -> tuple[float, float]:
        """The constructor's range in values."""
        return self._declared

    @property
    def range(self) -> tuple[float, float]:
        """Current range ``(low, high)`` in values, both included."""
        return self._range

    @property
    def step(self) -> float | None:
        """Distance between two values (of the exponent for a log range), None without steps."""
        return self.step_size

    @functools.cached_property
    def _open_end(self) -> bool:
        """Whether the current maximum itself is no value: declared so, without steps."""
        return not self.include_max_value and self.step_size is None and self._range[1] == self._declared[1]

    @functools.cached_property
    def _steps(self) -> tuple[int, int, float | None]:
        """First position on the step grid, number of positions, and the maximum where it lies off the grid."""
        grid = self._grid
        assert grid is not None  # noqa: S101 - for the type checker; callers look at step_size first
        low, high = (self._to_scale(bound) for bound in self._range)
        first, last = grid.ceil(low), grid.floor(high)
        off_grid = None
        if self.include_max_value and high == self._to_scale(self._declared[1]) and grid.position(high) is None:
            off_grid = self._range[1]
        return first, max(0, last - first + 1), off_grid

    @property
    def num_values(self) -> int | None:
        """Number of steps in the current range, None without steps."""
        if self.step_size is None:
            return None
        _, count, off_grid = self._steps
        return count + (off_grid is not None)

    def value_at(self, index: int) -> Any:
        """Return the value with an index from 0 to ``num_values - 1``."""
        count = self.num_values
        if count is None or not 0 <= index < count:
            raise IndexError(f"{self.name!r} has no value with index {index}")
        first, on_grid, off_grid = self._steps
        if index == on_grid:
            return off_grid
        return self._from_step(first + index)

    def _from_step(self, k: int) -> Any:
        grid = self._grid
        assert grid is not None  # noqa: S101 - for the type checker
        value = self._from_scale(grid.at(k))
        low, high = self._range
        return min(max(value, low), high)

    def index_of(self, value: Any) -> int | None:
        """Return the index of a value among the steps of the current range, None when it is none of them."""
        grid = self._grid
        if grid is None or not self._is_number(value):
            return None
        first, count, off_grid = self._steps
        if off_grid is not None and value == off_grid:
            return count
        try:
            k = grid.position(self._to_scale(value))
        except (ValueError, OverflowError):
            return None
        return k - first if k is not None and first <= k < first + count else None

    def contains(self, value: Any) -> bool:
        """Tell whether a value is one that the current range can give."""
        if not self._is_number(value):
            return False
        if self.step_size is not None:
            return self.index_of(value) is not None
        low, high = self._range
        return low <= value < high if self._open_end else low <= value <= high

    def _is_number(self, value: Any) -> bool:
        value = python_value(value)
        return type(value) in (int, float) and math.isfinite(value)

    def normalise(self, value: Any) -> Any:
        """Return a value given by hand as a Python float; see `LeafParameter.normalise`."""
        if not self._is_number(value):
            raise ValueError(f"{self.name!r} takes a finite number, got {value!r}")
        return float(value)

    def with_range(self, range: Sequence[Any], limits: tuple[Any, Any] | None = None) -> NumericParameter:  # noqa: A002
        """Return this parameter with another current range; see `LeafParameter.with_range`.

        A stepped range may be a single value, ``(3, 3)``; a continuous one must rise.
        """
        if isinstance(range, (str, bytes)) or not isinstance(range, Iterable) or len(pair := list(range)) != 2:
            raise ValueError(f"the range of {self.name!r} is a pair (low, high), got {range!r}")
        low, high = (self.normalise(bound) for bound in pair)
        if not (low < high or (low == high and self.step_size is not None)):
            raise ValueError(f"the range of {self.name!r} must rise from low to high, got ({low!r}, {high!r})")
        check_limits(self.name, (low, high), limits)
        changed = copy.copy(self)
        for cached in ("_steps", "_open_end", "_table"):
            changed.__dict__.pop(cached, None)
        object.__setattr__(changed, "_range", (low, high))
        if changed._to_scale_fails(low):
            raise ValueError(f"{self.name!r} is searched on a log scale: its range must be above 0, got {low!r}")
        if changed.num_values == 0:
            raise ValueError(
                f"no value of {self.name!r} lies in ({low!r}, {high!r}): "
                f"its steps are {self.step_size!r} apart, counted from {self.min_value!r}"
            )
        return changed

    def _to_scale_fails(self, low: float) -> bool:
        del low
        return False

    @functools.cached_property
    def _table(self) -> list[Any] | None:
        count = self.num_values
        return None if count is None or count > _TABLE_SIZE else [self.value_at(index) for index in range_(count)]

    def from_unit(self, u: UnitNumbers) -> list[Any]:
        """Turn uniform numbers into values; see `LeafParameter.from_unit`."""
        count = self.num_values
        if count is None:
            return self._continuous(u)
        indices = np.minimum((u * count).astype(np.int64), count - 1)
        if self._table is not None:
            return list(map(self._table.__getitem__, indices.tolist()))
        return self._many_at(indices)

    def _many_at(self, indices: npt.NDArray[np.int64]) -> list[Any]:
        return [self.value_at(index) for index in indices.tolist()]

    def _continuous(self, u: UnitNumbers) -> list[float]:
        low, high = self._range
        span = high - low
        values = low + u * span if math.isfinite(span) else low * (1.0 - u) + high * u
        return np.minimum(values, self._top).tolist()  # type: ignore[no-any-return]

    @property
    def _top(self) -> float:
        high = self._range[1]
        return math.nextafter(high, -math.inf) if self._open_end else high

    def to_list(self) -> LazyList[dict[str, Any]]:
        """List every value as ``{name: value}``; see `Parameter.to_list`."""
        if self.step_size is not None:
            return super().to_list()
        low, high = (self._to_scale(bound) for bound in self._range)

        def item(index: int) -> dict[str, Any]:
            part = (low * (_DEFAULT_STEPS - index) + high * index) / _DEFAULT_STEPS
            ends = {0: self._range[0], _DEFAULT_STEPS: self._range[1]}
            return {self.name: ends[index] if index in ends else self._from_scale(part)}

        return LazyList(_DEFAULT_STEPS + (not self._open_end), item)

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; a current range that differs from the declared one is in ``range``."""
        form: dict[str, Any] = {
            "type": type(self).__name__,
            "name": self.name,
            "min_value": self.min_value,
            "max_value": self.max_value,
            "step_size": self.step_size,
            "include_max": self.include_max_value,
        }
        if self._range != self._declared:
            form["range"] = list(self._range)
        return form

    @classmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter:
        extra = {"base": form["base"]} if "base" in form else {}
        parameter: NumericParameter = cls(  # type: ignore[call-arg]
            form["name"],
            form["min_value"],
            form["max_value"],
            step_size=form.get("step_size"),
            include_max_value=form.get("include_max", form.get("include_max_value", True)),
            **extra,
        )
        return parameter if form.get("range") is None else parameter.with_range(form["range"])

    def _state(self) -> tuple[Any, ...]:
        step = self.step_size
        return (self.name, self.min_value, self.max_value, step, self.include_max_value, self._range)

    def __repr__(self) -> str:
        form = self.to_dict()
        words = [repr(self.name), repr(self.min_value), repr(self.max_value)]
        if form.get("base", 10) != 10:
            words.append(f"base={form['base']!r}")
        if self.step_size is not None and not (self.kind == "int" and self.step_size == 1):
            words.append(f"step_size={self.step_size!r}")
        if not self.include_max_value:
            words.append("include_max_value=False")
        now = "" if self._range == self._declared else f" now {self._range}"
        return f"{type(self).__name__}({', '.join(words)}){now}"


@dataclass(frozen=True, eq=False, repr=False)
class UniformParameterRange(NumericParameter):
    """A number drawn evenly between two bounds.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : float
        Bounds; the minimum is always a value.
    step_size : float, optional
        Distance between values, counted from the minimum; the maximum is a value even where it lies off
        the steps. Default: continuous.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not finite numbers, and for a step that is not above 0.
    """

    name: str
    min_value: float
    max_value: float
    step_size: float | None = None
    include_max_value: bool = True

    kind: ClassVar[Kind] = "float"

    def __post_init__(self) -> None:
        _check_name(self.name)
        object.__setattr__(self, "min_value", _finite(self.name, "min_value", self.min_value))
        object.__setattr__(self, "max_value", _finite(self.name, "max_value", self.max_value))
        if self.step_size is not None:
            object.__setattr__(self, "step_size", _finite(self.name, "step_size", self.step_size))
        self._declare()

    def _many_at(self, indices: npt.NDArray[np.int64]) -> list[Any]:
        first, on_grid, off_grid = self._steps
        grid = self._grid
        assert grid is not None  # noqa: S101 - for the type checker
        values = grid.at_many(first + indices)
        if off_grid is not None:
            for place in np.flatnonzero(indices == on_grid).tolist():
                values[place] = off_grid
        return values


@dataclass(frozen=True, eq=False, repr=False)
class LogUniformParameterRange(NumericParameter):
    """A positive number whose logarithm is drawn evenly.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : float
        Bounds of the *exponent*: -4 and -1 with base 10 mean values from 0.0001 to 0.1.
    base : float, default 10
        What is raised to the exponent; above 1.
    step_size : float, optional
        Distance between exponents, counted from the minimum; the maximum is a value even where it lies
        off the steps. Default: continuous.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not finite numbers, values too large or small for a float, a base that
        is not above 1 and a step that is not above 0.
    """

    name: str
    min_value: float
    max_value: float
    base: float = 10
    step_size: float | None = None
    include_max_value: bool = True

    kind: ClassVar[Kind] = "log"

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not _finite(self.name, "base", self.base) > 1:
            raise ValueError(f"base of {self.name!r} must be above 1, got {self.base!r}")
        object.__setattr__(self, "base", python_value(self.base))
        object.__setattr__(self, "min_value", _finite(self.name, "min_value", self.min_value))
        object.__setattr__(self, "max_value", _finite(self.name, "max_value", self.max_value))
        if self.step_size is not None:
            object.__setattr__(self, "step_size", _finite(self.name, "step_size", self.step_size))
        for bound in (self.min_value, self.max_value):
            if not 0 < self._from_scale(bound) < math.inf:
                raise ValueError(
                    f"the bounds of {self.name!r} are exponents: {self.base!r} to the power of {bound!r} is not finite or 0"
                )
        self._declare()

    def _to_scale(self, value: float) -> float:
        low, high = self._declared
        if value == low:
            return self.min_value
        if value == high and self.include_max_value:
            return self.max_value
        return math.log(value) / math.log(self.base)

    def _from_scale(self, position: float) -> float:
        if self.base == 10 and position == int(position):
            return float(f"1e{int(position)}")  # the float that people write, where a power may miss by one digit
        try:
            return float(self.base**position)
        except OverflowError:
            return math.inf

    def _to_scale_fails(self, low: float) -> bool:
        return low <= 0

    def contains(self, value: Any) -> bool:
        """Tell whether a value is one that the current range can give."""
        return self._is_number(value) and value > 0 and super().contains(value)

    def _continuous(self, u: UnitNumbers) -> list[float]:
        low, high = self._range
        values = low * np.exp(u * (math.log(high) - math.log(low)))
        return np.minimum(np.maximum(values, low), self._top).tolist()  # type: ignore[no-any-return]

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; bounds are exponents, a current ``range`` is in values."""
        return {**super().to_dict(), "base": self.base}

    def _state(self) -> tuple[Any, ...]:
        return (*super()._state(), self.base)


@dataclass(frozen=True, eq=False, repr=False)
class UniformIntegerParameterRange(NumericParameter):
    """A whole number drawn evenly between two bounds.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : int
        Bounds; the minimum is always a value.
    step_size : int, default 1
        Distance between values, counted from the minimum; the maximum is a value even where it lies off
        the steps.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not whole numbers, and for a step that is not above 0.
    """

    name: str
    min_value: int
    max_value: int
    step_size: int | None = 1
    include_max_value: bool = True

    kind: ClassVar[Kind] = "int"

    def __post_init__(self) -> None:
        _check_name(self.name)
        object.__setattr__(self, "min_value", _whole(self.name, "min_value", self.min_value))
        object.__setattr__(self, "max_value", _whole(self.name, "max_value", self.max_value))
        step = 1 if self.step_size is None else self.step_size
        object.__setattr__(self, "step_size", _whole(self.name, "step_size", step))
        self._declare()

    def _is_number(self, value: Any) -> bool:
        return super()._is_number(value) and float(value).is_integer()

    def normalise(self, value: Any) -> int:
        """Return a value given by hand as a Python int; see `LeafParameter.normalise`."""
        if not self._is_number(value):
            raise ValueError(f"{self.name!r} takes a whole number, got {value!r}")
        return int(value)

    _many_at = UniformParameterRange._many_at


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
        _check_name(name)
        object.__setattr__(self, "name", name)
        listed = as_values(name, values)
        if not listed:
            raise ValueError(f"{name!r} has no values to choose from: list at least one")
        try:
            table = ChoiceTable(listed)
        except ValueError as error:
            raise ValueError(f"in the choices of {name!r} {error}") from error
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "values", table.values)
        object.__setattr__(self, "_allowed", tuple(range_(len(table.values))))

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
            raise ValueError(f"{value!r} is no choice of {self.name!r}. {hint}")
        return self.declared[place]

    def with_range(self, range: Sequence[Any], limits: tuple[Any, Any] | None = None) -> DiscreteParameterRange:  # noqa: A002
        """Return this parameter with other allowed choices; see `LeafParameter.with_range`."""
        if limits is not None:
            raise ValueError(f"{self.name!r} is a choice: its declared values are its limit, leave it out of limits")
        try:
            listed = as_values(self.name, range)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not listed:
            raise ValueError(f"the range of {self.name!r} must keep at least one choice")
        places = {self.table.index_of(self.normalise(value)) for value in listed}
        changed = copy.copy(self)
        changed.__dict__.pop("range", None)
        object.__setattr__(changed, "_allowed", tuple(sorted(place for place in places if place is not None)))
        return changed

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
        return (self.name, tuple(map(identity, self.declared)), self._allowed)

    def __repr__(self) -> str:
        now = "" if len(self._allowed) == len(self.declared) else f" now {self.range!r}"
        return f"{type(self).__name__}({self.name!r}, {list(self.declared)!r}){now}"


@dataclass(frozen=True, eq=False, repr=False)
class ParameterSet(Parameter):
    """One of a list of combinations, each equally likely.

    Parameters
    ----------
    parameter_combinations : sequence of mappings
        Each maps names to constants, to parameters (which keep their own names) or to further
        ParameterSets (whose key is only a place holder).

    Raises
    ------
    ValueError
        When there is no combination, or one is empty or sets a name twice.
    TypeError
        When a combination is no mapping.
    """

    name: None = None
    values: tuple[Mapping[str, Any], ...] = ()

    def __init__(self, parameter_combinations: Sequence[Mapping[str, Any]] = ()) -> None:
        combinations = []
        if isinstance(parameter_combinations, (str, bytes, Mapping)):
            raise TypeError("parameter_combinations must be a list of dicts, one per combination")
        for number, combination in enumerate(parameter_combinations, start=1):
            if not isinstance(combination, Mapping):
                raise TypeError(f"combination {number} must be a dict of names, got {type(combination).__name__}")
            if not combination:
                raise ValueError(f"combination {number} of the ParameterSet is empty: name at least one parameter")
            combinations.append({key: _part(key, value) for key, value in combination.items()})
        if not combinations:
            raise ValueError("the ParameterSet has no combinations: list at least one")
        object.__setattr__(self, "name", None)
        object.__setattr__(self, "values", tuple(combinations))

    def get_value(self, rng: RandomSource | None = None) -> dict[str, Any]:
        """Draw a combination, then a value for each parameter in it; see `Parameter.get_value`."""
        source: RandomSource = np.random.default_rng() if rng is None else rng
        chosen = self.values[min(int(source.random() * len(self.values)), len(self.values) - 1)]
        point: dict[str, Any] = {}
        for key, part in chosen.items():
            point.update(part.get_value(source) if isinstance(part, Parameter) else {key: part})
        return point

    def to_list(self) -> LazyList[dict[str, Any]]:
        """List the products of all values of every combination, one combination after the other."""
        return concatenate([
            product([part.to_list() if isinstance(part, Parameter) else _constant(key, part) for key, part in c.items()])
            for c in self.values
        ])

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; parameters inside combinations are dict forms too."""
        values = [
            {key: part.to_dict() if isinstance(part, Parameter) else part for key, part in combination.items()}
            for combination in self.values
        ]
        return {"type": type(self).__name__, "name": None, "values": values}

    @classmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter:
        return cls([
            {
                key: Parameter.from_dict(part) if isinstance(part, Mapping) and part.get("type") in _CLASSES else part
                for key, part in combination.items()
            }
            for combination in form["values"]
        ])

    def _state(self) -> tuple[Any, ...]:
        # The key of a parameter inside a combination is a place holder: the parameter has its own name.
        return tuple(
            frozenset((None if isinstance(part, Parameter) else key, identity(part)) for key, part in combination.items())
            for combination in self.values
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.values)!r})"


_CLASSES: dict[str, type[Parameter]] = {
    kind.__name__: kind
    for kind in (
        UniformParameterRange,
        LogUniformParameterRange,
        UniformIntegerParameterRange,
        DiscreteParameterRange,
        ParameterSet,
    )
}
range_ = range  # the builtin, where a property of that name is in scope


def as_parameter(obj: Any) -> Parameter:
    """Return a parameter for our own or the ClearML SDK's parameter object.

    Parameters
    ----------
    obj : Parameter or ``clearml.automation`` Parameter
        Ours are returned unchanged; the SDK's are recognised by their class name, so that the SDK need not
        be imported.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(obj, Parameter):
        return obj
    if not isinstance(obj, type) and callable(getattr(obj, "to_dict", None)):
        for kind in type(obj).__mro__:
            if kind.__name__ in _CLASSES:
                return Parameter.from_dict({**obj.to_dict(), "type": kind.__name__})
    raise TypeError(
        f"a search varies Parameter objects ({', '.join(_CLASSES)}, ours or clearml.automation's), got {obj!r}"
    )


def check_limits(name: str, bounds: tuple[float, float], limits: tuple[Any, Any] | None) -> None:
    """Raise a ValueError when bounds reach beyond hard limits; None or infinity is no limit."""
    if limits is None:
        return
    low, high = limits
    if (low is not None and bounds[0] < low) or (high is not None and bounds[1] > high):
        raise ValueError(
            f"the range {bounds!r} of {name!r} reaches beyond its limits ({low!r}, {high!r}): stay within them"
        )


def _part(key: Any, value: Any) -> Any:
    """Return one entry of a combination: a parameter of ours, or a constant as a Python value."""
    if isinstance(value, Parameter) or any(kind.__name__ in _CLASSES for kind in type(value).__mro__):
        return as_parameter(value)
    _check_name(key)
    return python_value(value)


def _constant(key: str, value: Any) -> LazyList[dict[str, Any]]:
    return LazyList(1, lambda _: {key: value})


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"a parameter needs a name, a string that is not empty; got {name!r}")


def _finite(name: str, what: str, number: Any) -> float:
    number = python_value(number)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{what} of {name!r} must be a number, got {number!r}")
    if not math.isfinite(number):
        raise ValueError(f"{what} of {name!r} must be finite, got {number!r}")
    return float(number)


def _whole(name: str, what: str, number: Any) -> int:
    value = _finite(name, what, number)
    if not value.is_integer():
        raise ValueError(f"{what} of {name!r} must be a whole number, got {number!r}; use UniformParameterRange instead")
    if abs(value) > _LARGEST_COUNT:
        raise ValueError(f"{what} of {name!r} must be within ±2**53, the whole numbers that are exact; got {number!r}")
    return int(number)
