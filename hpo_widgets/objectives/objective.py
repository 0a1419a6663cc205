"""What is optimised: objectives, and the last, least and greatest value of a reported scalar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hpo_widgets._messages import near_match, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNS = ("min", "max", "min_global", "max_global")
MOST_OBJECTIVES = 1000
"""Objectives of a search at most; each takes room in every trial, also in a journal that anybody may have written."""
MONITOR = ":monitor:"
"""The titles of scalars that ClearML reports of a trial's machine begin with this; no trial reports them itself."""


class Measure(NamedTuple):
    """The value of an objective and the iteration that reported it."""

    value: float
    iteration: int


class ScalarSummary:
    """The summary of all reports of one scalar of one trial.

    Attributes
    ----------
    last, min, max : float
        Last value in report order, least and greatest. A NaN stays visible: once reported it is the least
        and the greatest, from the iteration that first reported it.
    last_iteration, min_iteration, max_iteration : int
        The iterations that reported them; the first one where a value was reported again.
    count : int
        Number of reports.
    """

    __slots__ = ("count", "last", "last_iteration", "max", "max_iteration", "min", "min_iteration")

    def __init__(self) -> None:
        self.last = self.min = self.max = math.nan
        self.last_iteration = self.min_iteration = self.max_iteration = 0
        self.count = 0

    def update(self, value: float, iteration: int) -> None:
        """Take one more report into account.

        Parameters
        ----------
        value
            The reported value; NaN and infinities count.
        iteration
            The iteration that it was reported for.
        """
        if not self.count:
            self.min = self.max = value
            self.min_iteration = self.max_iteration = iteration
        else:
            # Comparisons with NaN are false, so a kept NaN stays; a new one is told by being unequal to itself.
            if value < self.min or (value != value and self.min == self.min):  # noqa: PLR0124
                self.min, self.min_iteration = value, iteration
            if value > self.max or (value != value and self.max == self.max):  # noqa: PLR0124
                self.max, self.max_iteration = value, iteration
        self.last, self.last_iteration = value, iteration
        self.count += 1

    def to_list(self) -> list[float]:
        """Return last, last_iteration, min, min_iteration, max, max_iteration and count."""
        return [
            self.last,
            self.last_iteration,
            self.min,
            self.min_iteration,
            self.max,
            self.max_iteration,
            self.count,
        ]

    @classmethod
    def from_list(cls, numbers: Sequence[float]) -> ScalarSummary:
        """Return the summary that `to_list` wrote."""
        summary = cls()
        summary.last, summary.min, summary.max = numbers[0], numbers[2], numbers[4]
        summary.last_iteration, summary.min_iteration = int(numbers[1]), int(numbers[3])
        summary.max_iteration, summary.count = int(numbers[5]), int(numbers[6])
        return summary

    def is_as_of(self, earlier: ScalarSummary | None) -> bool:
        """Whether nothing was reported since an earlier summary of the same scalar; False where there was none."""
        # Compared by repr, because a NaN is not equal to itself.
        return earlier is not None and repr((self.last, self.count)) == repr((earlier.last, earlier.count))

    def __repr__(self) -> str:
        return f"ScalarSummary(last={self.last!r}, min={self.min!r}, max={self.max!r}, count={self.count})"


@dataclass(frozen=True)
class Objective:
    """A reported scalar to minimise or maximise.

    Parameters
    ----------
    title, series : str
        Which scalar.
    sign : {"min", "max", "min_global", "max_global"}
        Whether to minimise or maximise the last report or (``_global``) the extreme over all reports.

    Raises
    ------
    ValueError
        For an unknown sign, with a near match.
    TypeError
        For a title or series that is not a string.
    """

    title: str
    series: str
    sign: str = "min"

    def __post_init__(self) -> None:
        for what in ("title", "series"):
            if not isinstance(getattr(self, what), str):
                raise TypeError(f"the {what} of an objective must be a string, got {getattr(self, what)!r}")
            if printable(getattr(self, what)) != getattr(self, what):
                raise ValueError(f"the {what} of an objective has half of a surrogate pair: {getattr(self, what)!r}")
        if self.sign not in SIGNS:
            given = str(self.sign)
            word = given.casefold().removesuffix("imize").removesuffix("imise")  # other packages say "maximize"
            meant = near_match(word if word in SIGNS else given, SIGNS)
            raise ValueError(f"{self.sign!r} is not a sign of an objective. {meant}")

    @classmethod
    def named(cls, key: str, sign: str = "min") -> Objective:
        """Return the objective of a name such as ``validation/loss``.

        Parameters
        ----------
        key
            ``title/series``; without a slash title and series are the same.
        sign
            As of the constructor.

        Returns
        -------
        Objective
            Of that scalar.
        """
        title, slash, series = key.rpartition("/")
        return cls(title, series, sign) if slash else cls(key, key, sign)

    @property
    def key(self) -> str:
        """``title/series``."""
        return f"{self.title}/{self.series}"

    def nan_words(self, iteration: int | None) -> str:
        """Say that its value is NaN, for which a trial fails; one that a function returns has the iteration 0."""
        name = self.title if self.title == self.series else self.key
        return f"{name} is NaN" + (f" at iteration {iteration}" if iteration else "")

    @property
    def minimise(self) -> bool:
        """Whether small values are good."""
        return self.sign.startswith("min")

    @property
    def is_global(self) -> bool:
        """Whether the extreme over all reports counts, not the last one."""
        return self.sign.endswith("_global")

    def measure(self, summary: ScalarSummary | None) -> Measure | None:
        """Return the objective's value and its iteration, None without any report.

        A NaN is returned as it is; the caller decides whether the trial has failed.
        """
        if summary is None or not summary.count:
            return None
        if not self.is_global:
            return Measure(summary.last, summary.last_iteration)
        if self.minimise:
            return Measure(summary.min, summary.min_iteration)
        return Measure(summary.max, summary.max_iteration)


def make_objectives(
    title: str | Sequence[str], series: str | Sequence[str], sign: str | Sequence[str]
) -> tuple[Objective, ...]:
    """Return the objectives that the controller's three arguments describe.

    Parameters
    ----------
    title, series, sign : str or sequence of str
        All three strings, or all three sequences of equal length.

    Returns
    -------
    tuple of Objective
        One for each title.

    Raises
    ------
    ValueError
        For unequal lengths, strings mixed with sequences, no objective, too many, one given twice, or an unknown sign.
    """
    given = {"title": title, "series": series, "sign": sign}
    single = [isinstance(value, str) for value in given.values()]
    if all(single):
        return (Objective(str(title), str(series), str(sign)),)
    if any(single):
        words = " and ".join(f"objective_metric_{name}" for name, value in given.items() if isinstance(value, str))
        raise ValueError(f"several objectives need three lists of equal length, but {words} is a single string")
    titles, all_series, signs = list(title), list(series), list(sign)
    if not len(titles) == len(all_series) == len(signs):
        raise ValueError(
            "objective title, series and sign must be lists of equal length, "
            f"got {len(titles)}, {len(all_series)} and {len(signs)}"
        )
    if not titles:
        raise ValueError("a search needs at least one objective: the lists of title, series and sign are empty")
    if len(titles) > MOST_OBJECTIVES:
        raise ValueError(f"a search has at most {MOST_OBJECTIVES} objectives, got {len(titles)}")
    objectives = tuple(map(Objective, titles, all_series, signs))
    keys = [objective.key for objective in objectives]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the objective {key!r} is given twice")
    return objectives
