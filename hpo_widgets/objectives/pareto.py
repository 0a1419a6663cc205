"""Pareto fronts and spread of points with several objectives."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Floats = npt.NDArray[np.float64]


def losses(values: npt.ArrayLike, minimise: bool | Sequence[bool] | npt.NDArray[np.bool_]) -> Floats:
    """Return values with their signs set so that small is good in every column.

    Parameters
    ----------
    values : array_like, shape (n, k)
        One row per trial, one column per objective.
    minimise : bool or sequence of k bools
        Whether small values are good, for all columns or for each.

    Returns
    -------
    array of float
        Shape (n, k); lower is better.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    table = np.asarray(values, dtype=np.float64)
    signs = np.where(np.asarray(minimise, dtype=bool), 1.0, -1.0)
    if table.ndim != 2 or signs.shape not in ((), (table.shape[1],)):
        raise ValueError(f"values must be (n, k) and minimise k bools, got shapes {table.shape} and {signs.shape}")
    return table * signs


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
    """
    table = losses(values, minimise)
    mask = np.zeros(len(table), dtype=bool)
    known = np.flatnonzero(~np.isnan(table).any(axis=1))
    if len(known):
        rows, inverse = _distinct(table[known])
        mask[known] = _front(rows)[inverse]
    return mask


def non_dominated_fronts(
    values: npt.ArrayLike, minimise: bool | Sequence[bool] | npt.NDArray[np.bool_] = True
) -> npt.NDArray[np.int64]:
    """Return the number of each row's front: 0 is the Pareto front, 1 that of the rest, and so on.

    Parameters
    ----------
    values, minimise
        As for `pareto_front`.

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 for rows with NaN.
    """
    table = losses(values, minimise)
    fronts = np.full(len(table), -1, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(table).any(axis=1))
    if len(known):
        rows, inverse = _distinct(table[known])
        fronts[known] = _fronts(rows)[inverse]
    return fronts


def fronts_in_turn(table: Floats) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the places of the rows of each front, the Pareto front first, as far as they are asked for.

    Parameters
    ----------
    table : ndarray, shape (n, k)
        Finite values, lower is better.

    Yields
    ------
    ndarray of int
        Places in ``table``, rising.
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

    Parameters
    ----------
    table : ndarray, shape (n, k)
        Finite values of one front.

    Returns
    -------
    ndarray, shape (n,)
        Sum over the columns of the gap between the two neighbours, as a part of the column's span.
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


def _distinct(table: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the distinct rows in lexicographic order and, for each row, where it is among them."""
    rows, inverse = np.unique(table + 0.0, axis=0, return_inverse=True)  # + 0.0: -0.0 and 0.0 are one value
    return rows, inverse.reshape(-1)


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


def _fronts(rows: Floats) -> npt.NDArray[np.int64]:
    """Return the front number of distinct rows in lexicographic order."""
    if rows.shape[1] == 1:
        return np.arange(len(rows), dtype=np.int64)
    numbers = np.empty(len(rows), dtype=np.int64)
    if rows.shape[1] == 2:
        # The least second column of each front so far; it rises from front to front.
        ends: list[float] = []
        for place, value in enumerate(rows[:, 1].tolist()):
            number = bisect_right(ends, value)
            if number == len(ends):
                ends.append(value)
            else:
                ends[number] = value
            numbers[place] = number
        return numbers
    rest = np.arange(len(rows))
    number = 0
    while len(rest):
        mask = _front(rows[rest])
        numbers[rest[mask]] = number
        rest, number = rest[~mask], number + 1
    return numbers
