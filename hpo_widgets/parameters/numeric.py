"""What the three numeric ranges share: bounds, steps, draws and the current range."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo_widgets.parameters.base import LeafParameter, Parameter, UnitNumbers, check_name, is_finite, python_value
from hpo_widgets.parameters.grids import LazyList, StepGrid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST_COUNT = 2**53  # whole numbers beyond this are not exact as floats
_DEFAULT_STEPS = 100  # what a grid does with a continuous range, as in ClearML
_TABLE_SIZE = 4096  # stepped ranges up to this many values keep them in a list


class _Steps(NamedTuple):
    """The values of a stepped range."""

    grid: StepGrid
    first: int  # position on the grid
    num_positions: int
    off_grid: float | None  # the maximum, where it is a value but no step

    @property
    def total(self) -> int:
        return self.num_positions + (self.off_grid is not None)


class NumericParameter(LeafParameter):
    """A leaf whose values are numbers between two bounds; the base of the three numeric ranges."""

    min_value: float
    max_value: float
    step_size: float | None
    include_max_value: bool

    _declared: tuple[float, float]
    _range: tuple[float, float]

    @property
    def include_max(self) -> bool:
        """Whether the declared maximum is a value (the SDK's name for ``include_max_value``)."""
        return self.include_max_value

    def _to_scale(self, value: float) -> float:
        """Return where a value lies on the scale on which steps and draws are even."""
        return value

    def _from_scale(self, position: float) -> float:
        """Return the value at a place of that scale."""
        return position

    @functools.cached_property
    def _grid(self) -> StepGrid | None:
        return None if self.step_size is None else StepGrid(self.min_value, self.step_size)

    def __post_init__(self) -> None:
        self._check()
        self._declare()

    def _check(self) -> None:
        """Check the constructor's name, and its numbers one by one."""
        check_name(self.name)
        for field in ("min_value", "max_value", "step_size"):
            given = getattr(self, field)
            if given is not None or field != "step_size":
                object.__setattr__(self, field, self._checked(field, given))

    def _checked(self, what: str, number: Any) -> float:
        """Return a number that was given as a finite float."""
        number = python_value(number)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"{what} of {self.name!r} must be a number, got {number!r}")
        if not is_finite(number):
            raise ValueError(f"{what} of {self.name!r} must be finite, got {number!r:.80}")
        return float(number)

    def _declare(self) -> None:
        """Compare the constructor's numbers with each other, and set the current range to the declared one."""
        if not self.min_value < self.max_value:
            message = (
                f"min_value of {self.name!r} must be below its max_value, got {self.min_value!r} and {self.max_value!r}"
            )
            if self.min_value == self.max_value:
                only = self._from_scale(self.min_value)
                message += f"; to hold it at one value write DiscreteParameterRange({self.name!r}, [{only!r}])"
            raise ValueError(message)
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size of {self.name!r} must be above 0, got {self.step_size!r}; None for no steps")
        self._check_steps(self.min_value, self.max_value)
        low, high = self._from_scale(self.min_value), self._from_scale(self.max_value)
        grid = self._grid
        if grid is not None and not self.include_max_value:
            last = grid.floor(self.max_value)
            high = self._from_scale(grid.at(last - 1 if grid.position(self.max_value) == last else last))
        object.__setattr__(self, "_declared", (low, high))
        object.__setattr__(self, "_range", (low, high))

    def _check_steps(self, low: float, high: float) -> None:
        """Raise a ValueError where floats cannot tell one step from the next between two places of the scale."""
        if self.step_size is None or self.kind == "int":
            return
        # Far from zero, or in too great a number.
        if max(abs(low), abs(high)) / self.step_size > LARGEST_COUNT / 4096:
            raise ValueError(f"step_size {self.step_size!r} of {self.name!r} is too small to tell its steps apart")

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
        """Whether the current maximum is excluded, as the declaration says; only without steps."""
        return not self.include_max_value and self.step_size is None and self._range[1] == self._declared[1]

    @functools.cached_property
    def _steps(self) -> _Steps | None:
        grid = self._grid
        if grid is None:
            return None
        low, high = (self._to_scale(bound) for bound in self._range)
        first, last = grid.ceil(low), grid.floor(high)
        at_declared_maximum = self.include_max_value and self._range[1] == self._declared[1]
        off_grid = self._range[1] if at_declared_maximum and grid.position(high) is None else None
        return _Steps(grid, first, max(0, last - first + 1), off_grid)

    @property
    def num_values(self) -> int | None:
        """Number of steps in the current range, None without steps."""
        return None if self._steps is None else self._steps.total

    def value_at(self, index: int) -> Any:
        """Return the value with an index from 0 to ``num_values - 1``."""
        steps = self._steps
        if steps is None or not 0 <= index < steps.total:
            raise IndexError(f"{self.name!r} has no value with index {index}")
        return steps.off_grid if index == steps.num_positions else self._at(steps.first + index)

    def index_of(self, value: Any) -> int | None:
        """Return the index of a value among the steps of the current range, None when it is none of them."""
        steps = self._steps
        if steps is None or not self._is_number(value):
            return None
        if steps.off_grid is not None and value == steps.off_grid:
            return steps.num_positions
        k = steps.grid.position(self._to_scale(value))
        return k - steps.first if k is not None and steps.first <= k < steps.first + steps.num_positions else None

    def steps_between(self, low: float, high: float) -> tuple[Any, Any] | None:
        """Find the first and the last step between two numbers, beyond the current range, too.

        Parameters
        ----------
        low, high
            The numbers; a step may be equal to one of them.

        Returns
        -------
        tuple or None
            None where no step lies between them, and without steps.
        """
        if self.kind == "int":
            low, high = math.ceil(low), math.floor(high)
        try:
            within = self.with_range((low, high))
        except ValueError:
            return None
        return None if within.num_values is None else (within.value_at(0), within.value_at(within.num_values - 1))

    def contains(self, value: Any) -> bool:
        """Tell whether a value is one that the current range can give."""
        if not self._is_number(value):
            return False
        if self.step_size is not None:
            return self.index_of(value) is not None
        return bool(self._range[0] <= value <= self._top)

    def _is_number(self, value: Any) -> bool:
        """Tell whether a value is a number that this parameter could have, whatever its range."""
        number: object = python_value(value)
        return isinstance(number, (int, float)) and not isinstance(number, bool) and is_finite(number)

    def normalise(self, value: Any) -> Any:
        """Return a value given by a person as a Python float; see `LeafParameter.normalise`."""
        if not self._is_number(value):
            raise ValueError(f"{self.name!r} takes a finite number, got {value!r:.80}")
        return float(value)

    def with_range(self, range: Sequence[Any], limits: tuple[Any, Any] | None = None) -> NumericParameter:  # noqa: A002
        """Return this parameter with another current range; see `LeafParameter.with_range`.

        A stepped range may be a single value, ``(3, 3)``; a continuous one must rise.
        """
        low, high = (self.normalise(bound) for bound in as_pair(f"the range of {self.name!r}", range))
        if not (low < high or (low == high and self.step_size is not None)):
            raise ValueError(f"the range of {self.name!r} must rise from low to high, got ({low!r}, {high!r})")
        check_limits(self.name, (low, high), limits)
        self._check_steps(self._to_scale(low), self._to_scale(high))
        changed = copy.copy(self)
        for cached in ("_steps", "_open_end", "_table"):
            changed.__dict__.pop(cached, None)
        object.__setattr__(changed, "_range", (self._on_step(low), self._on_step(high)))
        if changed.num_values == 0:
            raise ValueError(
                f"no value of {self.name!r} lies in ({low!r}, {high!r}): "
                f"its steps are {self.step_size!r} apart, counted from {self.min_value!r}"
            )
        return changed

    def _on_step(self, value: float) -> float:
        """Return the step that a bound means when it misses it by rounding noise only."""
        k = None if self._grid is None else self._grid.position(self._to_scale(value))
        return value if k is None else self._at(k)

    def _at(self, k: int) -> Any:
        """Return the value of a step."""
        assert self._grid is not None  # noqa: S101 -- who asks has found the step on it
        return self._declared[1] if k == self._last_step else self._from_scale(self._grid.at(k))

    @functools.cached_property
    def _last_step(self) -> int | None:
        """The step that misses the declared maximum by rounding noise at most: it is the maximum itself."""
        return None if self._grid is None or not self.include_max_value else self._grid.position(self.max_value)

    @functools.cached_property
    def _table(self) -> list[Any] | None:
        count = self.num_values
        return None if count is None or count > _TABLE_SIZE else [self.value_at(index) for index in range(count)]

    def from_unit(self, u: UnitNumbers) -> list[Any]:
        """Turn uniform numbers into values; see `LeafParameter.from_unit`."""
        steps = self._steps
        if steps is None:
            return self._continuous(u)
        indices = np.minimum((u * steps.total).astype(np.int64), steps.total - 1)
        if self._table is not None:
            return list(map(self._table.__getitem__, indices.tolist()))
        values = self._from_scale_all(steps.grid.at_many(steps.first + indices))
        if steps.off_grid is not None:
            for place in np.flatnonzero(indices == steps.num_positions).tolist():
                values[place] = steps.off_grid
        elif self._last_step is not None:
            for place in np.flatnonzero(steps.first + indices == self._last_step).tolist():
                values[place] = self._declared[1]
        return values

    def _from_scale_all(self, positions: list[float]) -> list[float]:
        """Return the values at many places of the scale."""
        return positions

    def _continuous(self, u: UnitNumbers) -> list[Any]:
        """Turn uniform numbers into values of a range without steps."""
        low, high = self._range
        span = high - low
        # The second form serves ranges so wide that their span is no float.
        values = low + u * span if math.isfinite(span) else np.maximum(low * (1.0 - u) + high * u, low)
        return np.minimum(values, self._top).tolist()  # type: ignore[no-any-return]

    @property
    def _top(self) -> float:
        """The greatest value of a range without steps."""
        high = self._range[1]
        return math.nextafter(high, -math.inf) if self._open_end else high

    def to_list(self) -> LazyList[dict[str, Any]]:
        """List every value as ``{name: value}``; see `Parameter.to_list`."""
        if self.step_size is not None:
            return super().to_list()
        low, high = (self._to_scale(bound) for bound in self._range)

        def item(index: int) -> dict[str, Any]:
            if index in (0, _DEFAULT_STEPS):
                return {self.name: self._range[index // _DEFAULT_STEPS]}
            part = index / _DEFAULT_STEPS
            # Dividing last avoids rounding noise: 0.07 and not 0.07000000000000001. A product may overflow, though.
            place = (low * (_DEFAULT_STEPS - index) + high * index) / _DEFAULT_STEPS
            if not math.isfinite(place):
                place = low * (1.0 - part) + high * part
            return {self.name: self._from_scale(place)}

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
        extra = {"base": form["base"]} if "base" in form and hasattr(cls, "base") else {}
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


def as_pair(what: str, given: Any) -> tuple[Any, Any]:
    """Return what was given as a pair, or raise a ValueError that says so.

    Parameters
    ----------
    what
        What the pair is, for the message: ``"the range of 'lr'"``.
    given
        What was given.

    Returns
    -------
    tuple[object, object]
        (low, high), unchecked.

    Raises
    ------
    ValueError
        When it is not a pair.
    """
    pair = () if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) else tuple(given)
    if len(pair) != 2:
        raise ValueError(f"{what} is a pair (low, high), got {given!r}")
    return pair[0], pair[1]


def check_limits(name: str, bounds: tuple[float, float], limits: tuple[Any, Any] | None) -> None:
    """Raise a ValueError when bounds reach beyond hard limits; None or infinity is no limit.

    Parameters
    ----------
    name
        The parameter's name, for the message.
    bounds
        (low, high) of the range.
    limits
        (low, high); None, for one of them or both, is no limit.

    Raises
    ------
    ValueError
        When the range reaches beyond a limit.
    """
    if limits is None:
        return
    low, high = limits
    if (low is not None and bounds[0] < low) or (high is not None and bounds[1] > high):
        raise ValueError(
            f"the range {bounds!r} of {name!r} reaches beyond its limits ({low!r}, {high!r}): stay within them"
        )


def shares(values: npt.NDArray[np.float64], low: float, high: float, *, is_log: bool) -> npt.NDArray[np.float64]:
    """Return where values lie between ``low`` and ``high``, as shares of that distance.

    Parameters
    ----------
    values
        Numbers, above 0 on a logarithmic scale.
    low, high
        The bounds.
    is_log
        Whether the scale is logarithmic.

    Returns
    -------
    array of float
        0 at ``low``, 1 at ``high``, one half where these are one value; the shape of ``values``.
    """
    if low == high:
        return np.full_like(values, 0.5)
    if is_log:
        start, end = math.log(low), math.log(high)
        return (np.log(values) - start) / (end - start)
    # Halved first: high - low may overflow a float.
    return (values / 2 - low / 2) / (high / 2 - low / 2)
