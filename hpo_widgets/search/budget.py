"""Limits of a search and what is used of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

_UNITS = {"jobs": "jobs", "iterations": "iterations", "compute_minutes": "minutes", "wall_minutes": "minutes"}


def check_limit(name: str, limit: Any, *, whole: bool = False) -> float | None:
    """Return a limit as a Python number.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    limit : number or None
        None, or infinity, is no limit.
    whole : bool, default False
        Whether it counts something.

    Raises
    ------
    ValueError
        When it is 0, negative, NaN, no number, or not whole where it must be.
    """
    if limit is None:
        return None
    if hasattr(limit, "item"):
        limit = limit.item()
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or math.isnan(limit):
        raise ValueError(f"{name} must be a number above 0, or None for no limit; got {limit!r}")
    if limit == math.inf:
        return None
    if limit <= 0:
        raise ValueError(f"{name} must be above 0, or None for no limit; got {limit!r}")
    if whole and limit != int(limit):
        raise ValueError(f"{name} counts whole things, got {limit!r}")
    return int(limit) if whole else limit


@dataclass
class Limit:
    """One limit and what is used of it.

    Attributes
    ----------
    limit : float or None
        None for no limit.
    used : float
        In the same unit.

    Raises
    ------
    ValueError
        When the limit is 0 or negative, or less than nothing is used.
    """

    limit: float | None = None
    used: float = 0

    def __post_init__(self) -> None:
        self.limit = check_limit("a limit", self.limit)
        if not self.used >= 0:
            raise ValueError(f"what is used of a limit is at least 0, got {self.used!r}")

    @property
    def fraction(self) -> float | None:
        """Used part of the limit, from 0; above 1 when more is used than allowed; None without limit."""
        return None if self.limit is None else self.used / self.limit

    @property
    def remaining(self) -> float | None:
        """What may still be used, never below 0; None without limit."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        """Whether nothing remains."""
        return self.limit is not None and self.used >= self.limit


@dataclass
class Budget:
    """The four limits of a search.

    Attributes
    ----------
    jobs : Limit
        Jobs launched.
    iterations : Limit
        Iterations reported, over all jobs.
    compute_minutes : Limit
        Minutes of all jobs together, finished and running.
    wall_minutes : Limit
        Minutes since the search started.
    """

    jobs: Limit = field(default_factory=Limit)
    iterations: Limit = field(default_factory=Limit)
    compute_minutes: Limit = field(default_factory=Limit)
    wall_minutes: Limit = field(default_factory=Limit)

    @classmethod
    def of(
        cls,
        *,
        jobs: float | None = None,
        iterations: float | None = None,
        compute_minutes: float | None = None,
        wall_minutes: float | None = None,
    ) -> Budget:
        """Return an unused budget with these limits.

        Raises
        ------
        ValueError
            When a limit is 0, negative or no number; jobs and iterations must be whole.
        """
        return cls(
            Limit(check_limit("the limit of jobs", jobs, whole=True)),
            Limit(check_limit("the limit of iterations", iterations, whole=True)),
            Limit(check_limit("the limit of compute minutes", compute_minutes)),
            Limit(check_limit("the limit of wall minutes", wall_minutes)),
        )

    @property
    def exceeded(self) -> tuple[str, ...]:
        """Names of the limits of which nothing remains."""
        return tuple(entry.name for entry in fields(self) if getattr(self, entry.name).exceeded)

    @property
    def progress(self) -> float | None:
        """The largest used fraction of any limit, at most 1; None without limits."""
        fractions = [getattr(self, entry.name).fraction for entry in fields(self)]
        known = [fraction for fraction in fractions if fraction is not None]
        return min(1.0, max(known)) if known else None

    def to_dict(self) -> dict[str, dict[str, float | str | None]]:
        """Return ``{name: {"limit", "used", "fraction", "unit"}}`` in JSON values."""
        return {
            entry.name: {
                "limit": (limit := getattr(self, entry.name)).limit,
                "used": limit.used,
                "fraction": limit.fraction,
                "unit": _UNITS[entry.name],
            }
            for entry in fields(self)
        }

    @classmethod
    def from_dict(cls, form: dict[str, dict[str, Any]]) -> Budget:
        """Return the budget that `to_dict` wrote."""
        return cls(**{name: Limit(part["limit"], part["used"]) for name, part in form.items()})
