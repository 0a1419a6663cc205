"""What the curves show, as plain arrays, and how it is read: sampled, and never for longer than a moment."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpo_widgets.objectives import MONITOR
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import clip_objective
from hpo_widgets.widget.plots.series import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.series import Floats

MOST_CURVES = 1000
"""So many curves are read and drawn: those of the best, the selected and the running trials, then the newest."""

MOST_POINTS = 160
"""A curve is drawn with so many points, about every fourth pixel of a plot."""

MOST_SCALARS = 500
"""So many scalars can be chosen from, those that were seen first."""

LOOK_SECONDS = 0.3
"""So long one look into the reports takes, and a little more."""

_MOST_REPORTS = 100_000
"""So many reports one look reads, and those of one trial more."""

_NUM_GRID = 121
_LABEL_GAP = 0.05


class Curve(NamedTuple):
    """One scalar of one trial.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        Iterations, rising, and values; all finite.
    state : TrialState
        That of the trial when it was read.
    key : int
        Up to where its reports were read, as `Trial.source` tells it.
    """

    x: Floats
    y: Floats
    state: TrialState
    key: int = 0


def sampled(iterations: Sequence[float | None], values: Sequence[float]) -> tuple[Floats, Floats]:
    """Return a curve with `MOST_POINTS` points at most: of each stretch the least and the greatest value.

    Parameters
    ----------
    iterations, values
        The reports, shape (n,); those of no finite value are left out.

    Returns
    -------
    tuple of array
        Iterations, rising, and values.
    """
    x = np.array([np.nan if one is None else one for one in iterations], dtype=float)
    y = np.array(values, dtype=float)
    is_known = np.isfinite(x) & np.isfinite(y)
    x, y = x[is_known], clip_objective(y[is_known])
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if len(x) <= MOST_POINTS or x[0] == x[-1]:
        return x[-MOST_POINTS:], y[-MOST_POINTS:]
    # Stretches of the axis, not of the reports: a curve that is sampled again as it grows stays as fine everywhere.
    num_stretches = MOST_POINTS // 2 - 1
    stretch = np.minimum((x - x[0]) / (x[-1] - x[0]) * num_stretches, num_stretches - 1).astype(np.int64)
    order = np.lexsort((y, stretch))
    starts = np.flatnonzero(np.append(np.True_, np.diff(stretch[order])))
    ends = np.append(starts[1:], len(x)) - 1
    # The first and the last point stay.
    at = np.unique([0, len(x) - 1, *order[starts].tolist(), *order[ends].tolist()])
    return x[at], y[at]


def path(curves: Iterable[Curve]) -> tuple[Floats, Floats]:
    """Return curves as one broken line, which does not end in a gap: bqplot cannot draw that."""
    gap = np.array([np.nan])
    parts = [(curve.x, curve.y) for curve in curves if len(curve.x)]
    if not parts:
        return style.NONE, style.NONE
    x, y = (np.concatenate([piece for one in some for piece in (one, gap)])[:-1] for some in zip(*parts, strict=True))
    return x, y


def grid_places(curves: Sequence[Curve], x: Domain, y: Domain) -> Floats:
    """Return where curves are at even distances along a plot.

    Parameters
    ----------
    curves
        The curves, n of them.
    x, y
        Ends of the axes.

    Returns
    -------
    array of float, shape (n, number of places)
        Shares of the height; NaN where a curve is not.
    """
    grid = np.linspace(x.low, x.high, _NUM_GRID)
    places = np.full((len(curves), _NUM_GRID), np.nan)
    for row, curve in zip(places, curves, strict=True):
        if len(curve.x):
            row[:] = np.interp(grid, curve.x, np.clip(y.place(curve.y), 0, 1), left=np.nan, right=np.nan)
    return places


def spread(places: Floats) -> Floats:
    """Return places for labels, as shares of the height, so far apart as they need, in the order of the best ones."""
    order = np.argsort(places, kind="stable")
    at = places[order].astype(float)
    for index in range(1, len(at)):
        at[index] = max(at[index], at[index - 1] + _LABEL_GAP)
    # What was pushed beyond the top pushes the others down.
    top = 1.0
    for index in range(len(at) - 1, -1, -1):
        at[index] = min(at[index], top)
        top = at[index] - _LABEL_GAP
    found = np.empty(len(at))
    found[order] = at
    return found


class ReadCurves(NamedTuple):
    """What one look into the reports of trials has found.

    Attributes
    ----------
    curves : dict
        Trial number to its curve, without points where it has not reported the scalar.
    scalars : dict
        Key of each scalar that these trials have reported to title and series.
    longest : dict
        Key of each scalar of theirs to the most reports of it that one trial has made, of the completed ones that were
        read whole.
    elsewhere : set of int
        Trials whose reports a server keeps, and that were not read.
    seconds : float
        How long it took.
    """

    curves: dict[int, Curve]
    scalars: dict[str, tuple[str, str]]
    longest: dict[str, int]
    elsewhere: set[int]
    seconds: float = 0.0


def read_curves(
    search: Search,
    wanted: Mapping[int, Curve | None],
    scalar: str,
    remote: Iterable[int],
) -> ReadCurves:
    """Read the curves of some trials, one after the other; of a curve that is known what is new.

    After `LOOK_SECONDS`, or very many reports, the rest is left for the next look.

    Parameters
    ----------
    search
        The search.
    wanted
        Numbers of the trials, the most wanted first, and what is known of their curves.
    scalar
        Key of the scalar: title/series.
    remote
        Trials that are read also where a server keeps their reports.

    Returns
    -------
    ReadCurves
        What was found; trials that were not reached are not in it.
    """
    found = ReadCurves({}, {}, {}, set())
    from_server = set(remote)
    num_reports, began = 0, time.monotonic()
    for place, (number, known) in enumerate(wanted.items()):
        if place and (time.monotonic() - began > LOOK_SECONDS or num_reports > _MOST_REPORTS):
            break
        trial = search.trial(number)
        if trial.is_elsewhere and number not in from_server:
            found.elsewhere.add(number)
            continue
        after = 0 if known is None else known.key
        key, reports = (0, ()) if trial.source is None else trial.source.scalars_after(number, after)
        num_reports += len(reports)
        for (title, series), length in Counter((title, series) for title, series, *_ in reports).items():
            scalar_key = f"{title}/{series}"
            if len(found.scalars) < MOST_SCALARS:
                found.scalars[scalar_key] = title, series
            is_counted = trial.state is TrialState.COMPLETED and not title.startswith(MONITOR)
            if after == 0 and is_counted and (scalar_key == scalar or scalar_key in found.scalars):
                found.longest[scalar_key] = max(length, found.longest.get(scalar_key, 0))
        of_scalar = [report for report in reports if f"{report[0]}/{report[1]}" == scalar]
        iterations, values = [report[3] for report in of_scalar], [report[2] for report in of_scalar]
        if known is not None and key:
            iterations, values = [*known.x.tolist(), *iterations], [*known.y.tolist(), *values]
        found.curves[number] = Curve(*sampled(iterations, values), trial.state, key)
    return found._replace(seconds=time.monotonic() - began)


def nearest_curve(curves: Mapping[int, Curve], x: float, place: float, up: Domain, reach: float) -> int | None:
    """Return the trial whose curve runs next to a place, above or below it.

    Parameters
    ----------
    curves
        Trial number to its curve.
    x, place
        The place: the iteration, and the share of the axis of values.
    up
        Ends of the axis of values.
    reach
        The largest distance that counts, as a share of that axis.

    Returns
    -------
    int or None
        The trial's number; None where there is none near.
    """
    there = {number: curve for number, curve in curves.items() if len(curve.x) and curve.x[0] <= x <= curve.x[-1]}
    places = np.array([np.interp(x, curve.x, up.place(curve.y)) for curve in there.values()])
    return nearest(np.abs(places - place), np.array([*there], dtype=np.int64), reach)
