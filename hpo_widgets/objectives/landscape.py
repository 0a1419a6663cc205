"""What is known in full of a function: where its optimum is, so that searches can be seen beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Function = TypeVar("_Function", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Landscape:
    """The optimum of a function that costs nothing to call and always answers the same.

    A function of one's own gets it as its attribute ``landscape``, or by the decorator `with_landscape`; a race then
    draws the distance to the optimum, and the function behind the trials.

    Attributes
    ----------
    optimum : float
        The best value that there is.
    points : tuple of mapping
        Where it is, by the names of parameters.
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
    """Return a decorator that tells the optimum of a function.

    Parameters
    ----------
    optimum, *points, everywhere
        As the attributes of `Landscape`.

    Returns
    -------
    callable
        The decorator, which leaves the function as it is.
    """

    def mark(function: _Function) -> _Function:
        function.__dict__["landscape"] = Landscape(optimum, points, everywhere)
        return function

    return mark


def landscape_of(function: object) -> Landscape | None:
    """Return what is known in full of a function, None for any other."""
    known = getattr(function, "landscape", None)
    return known if isinstance(known, Landscape) else None
