"""Limits of a search and what is used of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

_UNITS = {"jobs": "jobs", "iterations": "iterations", "compute_minutes": "minutes", "wall_minutes": "minutes"}


@dataclass
class Limit:
    """One limit and what is used of it.

    Attributes
    ----------
    limit : float or None
        None for no limit.
    used : float
        In the same unit; at least 0, even if the clock was set back.
    """

    limit: float | None = None
    used: float = 0

    def __post_init__(self) -> None:
        self.used = max(0, self.used)

    @property
    def fraction(self) -> float | None:
        """Used part of the limit, from 0; above 1 when more is used than allowed; None without limit.

        A limit of nothing, as a moment that has passed, is used up.
        """
        if self.limit is None:
            return None
        return self.used / self.limit if self.limit else 1.0

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
        Jobs that have ended, but those that were aborted before they ran; running ones are not used up yet.
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
