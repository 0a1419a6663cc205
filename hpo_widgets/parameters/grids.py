"""Grids of values that are counted and indexed, never held: steps of a range, products of lists."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")

# Positions on a grid are compared with this tolerance, in steps: bounds typed as 0.3 and bounds computed
# as 0.1 + 0.2 are meant to be the same. Where floats lie farther apart, the tolerance is a few times their distance.
_TOLERANCE = 1e-9
_COARSEST_TOLERANCE = 1e-3
_FLOAT_STEPS = 4
_EXACT = 2**53  # integers up to here are exact as floats
_LARGEST_EXACT_POWER_OF_TEN = 22


class LazyList(Sequence[Item], Generic[Item]):
    """A sequence of any length whose items are made when they are asked for.

    Parameters
    ----------
    size : int
        Number of items; may exceed what `len` can say.
    item : callable
        Makes the item of an index from 0 to ``size - 1``.
    """

    def __init__(self, size: int, item: Callable[[int], Item]) -> None:
        self.size = size
        self._item = item

    def __len__(self) -> int:
        """Return the number of items; OverflowError beyond `sys.maxsize`, where `size` still tells it."""
        return self.size

    def __bool__(self) -> bool:
        return self.size > 0

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> LazyList[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | LazyList[Item]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self.size)
            count = max(0, -((start - stop) // step))
            return LazyList(count, lambda place: self._item(start + place * step))
        place = index + self.size if index < 0 else index
        if not 0 <= place < self.size:
            raise IndexError(f"index {index} is outside a list of {self.size}")
        return self._item(place)

    def __iter__(self) -> Iterator[Item]:
        index = 0
        while index < self.size:
            yield self._item(index)
            index += 1

    def __repr__(self) -> str:
        shown = ", ".join(repr(self._item(index)) for index in range(min(3, self.size)))
        return f"<LazyList of {self.size}: {shown}{', ...' if self.size > 3 else ''}>"


def product(lists: Sequence[LazyList[dict[str, Any]]]) -> LazyList[dict[str, Any]]:
    """Return every union of one dict from each list; the last list varies fastest."""
    size = math.prod(part.size for part in lists)

    def item(index: int) -> dict[str, Any]:
        chosen = []
        for part in reversed(lists):
            index, place = divmod(index, part.size)
            chosen.append(part[place])
        union: dict[str, Any] = {}
        for part_item in reversed(chosen):
            union.update(part_item)
        return union

    return LazyList(size, item)


def concatenate(lists: Sequence[LazyList[Item]]) -> LazyList[Item]:
    """Return the items of one list after the other."""
    ends = list(itertools.accumulate(part.size for part in lists))

    def item(index: int) -> Item:
        which = bisect.bisect_right(ends, index)
        return lists[which][index - (ends[which - 1] if which else 0)]

    return LazyList(ends[-1] if ends else 0, item)


class StepGrid:
    """The values ``origin + k * step`` for every whole k, without rounding noise.

    Parameters
    ----------
    origin, step : int or float
        Both int: exact integers. Otherwise the values are the floats nearest to the decimal numbers that
        origin and step are written as, so that 0.1 in steps of 0.1 gives 0.3 and not 0.30000000000000004.
    """

    def __init__(self, origin: float, step: float) -> None:
        self.origin = origin
        self.step = step
        self._whole = isinstance(origin, int) and isinstance(step, int)
        digits = 0
        for number in (origin, step):
            exponent = Decimal(repr(number)).normalize().as_tuple().exponent
            digits = max(digits, -int(exponent))
        self._scale = 10.0**digits if digits <= _LARGEST_EXACT_POWER_OF_TEN and not self._whole else 0.0
        if self._scale:
            self._scaled_origin = int(Decimal(repr(origin)) * 10**digits)
            self._scaled_step = int(Decimal(repr(step)) * 10**digits)

    def at(self, k: int) -> float:
        """Return the value at one position."""
        if self._whole:
            return self.origin + k * self.step
        if self._scale:
            scaled = self._scaled_origin + k * self._scaled_step
            if -_EXACT <= scaled <= _EXACT:
                return scaled / self._scale
        return self.origin + k * self.step

    def at_many(self, k: npt.NDArray[np.int64]) -> list[float]:
        """Return the values at many positions as Python numbers."""
        if self._whole:
            return (self.origin + k * int(self.step)).tolist()  # type: ignore[no-any-return]
        if self._scale and len(k):
            reach = abs(self._scaled_origin) + abs(self._scaled_step) * int(np.abs(k).max())
            if reach <= _EXACT:
                return ((self._scaled_origin + k * self._scaled_step) / self._scale).tolist()  # type: ignore[no-any-return]
        return [self.at(place) for place in k.tolist()]

    def floor(self, value: float) -> int:
        """Return the last position that is not above a value."""
        if self._whole:
            return int((int(value) - self.origin) // self.step)
        position = self.position(value)
        return position if position is not None else math.floor((value - self.origin) / self.step)

    def ceil(self, value: float) -> int:
        """Return the first position that is not below a value."""
        if self._whole:
            return -int((self.origin - int(value)) // self.step)
        position = self.position(value)
        return position if position is not None else math.ceil((value - self.origin) / self.step)

    def position(self, value: float) -> int | None:
        """Return the position of a value, None when it is not on the grid."""
        if self._whole:
            quotient, rest = divmod(int(value) - self.origin, self.step)
            return None if rest else int(quotient)
        position = (value - self.origin) / self.step
        nearest = round(position)
        noise = _FLOAT_STEPS * math.ulp(max(abs(value), abs(self.origin), 1.0)) / self.step
        tolerance = min(max(_TOLERANCE, noise), _COARSEST_TOLERANCE)
        return nearest if abs(position - nearest) <= tolerance else None
