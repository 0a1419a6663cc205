"""Pareto fronts and spread of points with several objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Floats = npt.NDArray[np.float64]


def pareto_front(
    values: npt.ArrayLike, minimise: bool | Sequence[bool] | npt.NDArray[np.bool_] = True
) -> npt.NDArray[np.bool_]:
    """Tell which rows no other row dominates.

    A row dominates another when it is as good in all columns and better in one; equal rows stand together.
    Infinities compare like numbers, a row with NaN is never on the front.

    Parameters
    ----------
    values : array_like, shape (n, k)
        One row per trial, one column per objective.
    minimise : bool or sequence of k bools, default True
        Whether small values are good, for all columns or for each.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    table = np.asarray(values, dtype=np.float64)
    signs = np.where(np.asarray(minimise, dtype=bool), 1.0, -1.0)
    if table.ndim != 2 or signs.shape not in ((), (table.shape[1],)):
        raise ValueError(f"values must be (n, k) and minimise k bools, got shapes {table.shape} and {signs.shape}")
    losses = table * signs
    mask = np.zeros(len(losses), dtype=bool)
    known = np.flatnonzero(~np.isnan(losses).any(axis=1))
    if len(known):
        mask[known[next(fronts_in_turn(losses[known]))]] = True
    return mask


def fronts_in_turn(table: Floats) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the places of the rows of each front, the Pareto front first, as far as they are asked for.

    ``table`` has shape (n, k), none of its values is NaN, and lower is better; the places rise.
    """
    values = table + 0.0  # -0.0 and 0.0 are one value
    order = np.lexsort(values.T[::-1])
    ordered = values[order]
    is_first = np.append(np.True_, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(ordered)]
    rows, row_of = ordered[is_first], np.cumsum(is_first) - 1
    rest = np.arange(len(rows))
    while len(rest):
        is_front = np.zeros(len(rows), dtype=bool)
        is_front[rest[_front(rows[rest])]] = True
        yield np.sort(order[is_front[row_of]])
        rest = rest[~is_front[rest]]


def crowding_distance(table: Floats) -> Floats:
    """Return how far each row of one front stands from its neighbours, infinite at the ends.

    ``table`` has shape (n, k) and finite values. The distance is the sum over the columns of the gap between the two
    neighbours, as a part of the column's span.
    """
    distance = np.zeros(len(table))
    for column in table.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        if span > 0:
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
        distance[order[[0, -1]]] = np.inf
    return distance


def _front(rows: Floats) -> npt.NDArray[np.bool_]:
    """Return the mask of the front of distinct rows in lexicographic order."""
    mask = np.zeros(len(rows), dtype=bool)
    if rows.shape[1] <= 2:
        # In this order only an earlier row can dominate, and does when its last column is not above.
        last = rows[:, -1]
        mask[0] = True
        if rows.shape[1] == 2:
            mask[1:] = last[1:] < np.minimum.accumulate(last)[:-1]
        return mask
    rest = np.arange(len(rows))
    while len(rest):
        first, rest = rest[0], rest[1:]
        mask[first] = True
        rest = rest[(rows[rest] < rows[first]).any(axis=1)]
    return mask
