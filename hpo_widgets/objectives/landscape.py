"""The known optimum of a test function, with which plots compare what searches find."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Function = TypeVar("_Function", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Landscape:
    """The optimum of a function that costs nothing to call and always answers the same.

    Set it as the attribute ``landscape`` of a function, or use the decorator `with_landscape`. A race then draws the
    distance to the optimum, and the function behind the trials.

    Attributes
    ----------
    optimum : float
        The best value that there is.
    points : tuple of mapping
        For each optimum, parameter name to value.
    everywhere : float, optional
        For a function that takes any parameters: the value that each has at the optimum.
    """

    optimum: float
    points: tuple[Mapping[str, Any], ...] = ()
    everywhere: float | None = None

    def places(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the values of some parameters at each optimum; none where they are not known."""
        if self.everywhere is not None:
            return [(self.everywhere,) * len(names)]
        return [tuple(point[name] for name in names) for point in self.points if point.keys() >= set(names)]


def with_landscape(
    optimum: float, *points: Mapping[str, Any], everywhere: float | None = None
) -> Callable[[_Function], _Function]:
    """Return a decorator that gives a function a `Landscape`.

    Parameters
    ----------
    optimum, *points, everywhere
        As the attributes of `Landscape`.

    Returns
    -------
    callable
        The decorator, which leaves the function as it is.

    Raises
    ------
    TypeError
        When the optimum is no number, or a point is no dict.
    """
    if not isinstance(cast("object", optimum), numbers.Real):
        raise TypeError(f"with_landscape takes the best value first, a number, got {optimum!r:.80}")
    for point in cast("tuple[object, ...]", points):
        if not isinstance(point, Mapping):
            raise TypeError(f"a point of with_landscape is a dict of names and values, got {point!r:.80}")

    def mark(function: _Function) -> _Function:
        function.__dict__["landscape"] = Landscape(optimum, points, everywhere)
        return function

    return mark


def landscape_of(function: object) -> Landscape | None:
    """Return the landscape of a function, None where it has none."""
    known = getattr(function, "landscape", None)
    return known if isinstance(known, Landscape) else None
