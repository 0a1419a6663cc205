"""The order of trials by their objective values, best first, kept while results arrive."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sortedcontainers import SortedList

from hpo_widgets.objectives.pareto import crowding_distance, fronts_in_turn

if TYPE_CHECKING:
    from hpo_widgets.objectives.objective import Objective

Values = float | Sequence[float | None] | None


def improvements(values: npt.NDArray[np.float64], *, minimise: bool, most: int | None = None) -> npt.NDArray[np.int64]:
    """Find the values that are better than all before them.

    Parameters
    ----------
    values
        Values in the order in which they are compared, shape (n,). NaN and infinities are never better.
    minimise
        Whether less is better.
    most
        Greatest number of improvements, 2 or more: some are left out, never the first or the last. Default: all.

    Returns
    -------
    ndarray of int
        Their places, in order.
    """
    losses = np.where(np.isfinite(values), values if minimise else -values, np.inf)
    best = np.minimum.accumulate(losses)
    places = np.flatnonzero(best < np.concatenate([[np.inf], best[:-1]]))
    if most is not None and len(places) > most:
        places = places[np.linspace(0, len(places) - 1, most).round().astype(np.int64)]
    return places


class Ranking:
    """Trials in the order of their values, best first.

    One objective: by value. Several: by non-dominated front, then by spread along the front; the best by one of
    them is asked for by `best_by`. Trials with an infinite value come last whatever the sign, trials without a value
    or with NaN are not ranked at all. Equal trials keep the order of their numbers.

    Parameters
    ----------
    objectives : sequence of Objective
        What the values measure.

    Raises
    ------
    ValueError
        Without objectives.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        if not objectives:
            raise ValueError("a ranking needs at least one objective")
        self._signs = tuple(1.0 if objective.minimise else -1.0 for objective in objectives)
        self._losses: dict[int, tuple[float, ...]] = {}
        # One objective: every trial. Several: those with an infinite value, which stand behind all fronts.
        self._sorted: Any = SortedList()
        self._fronts = _Fronts() if len(objectives) > 1 else None
        # Several objectives: all trials in the order of each.
        self._by_objective: list[Any] = [SortedList() for _ in objectives] if len(objectives) > 1 else [self._sorted]

    def put(self, number: int, values: Values) -> None:
        """Rank a trial, or rank it anew.

        Parameters
        ----------
        number : int
            The trial.
        values : sequence of float, float or None
            One value per objective. None, or a None or NaN among them, takes the trial out.

        Raises
        ------
        ValueError
            When there are not as many values as objectives.
        """
        losses = self._as_losses(values)
        if losses == self._losses.get(number):
            return
        self.discard(number)
        if losses is not None:
            self._add(number, losses)

    def _add(self, number: int, losses: tuple[float, ...]) -> None:
        self._losses[number] = losses
        if self._fronts is None:
            self._sorted.add(_sort_key(number, losses))
            return
        if all(map(math.isfinite, losses)):
            self._fronts.add(number, losses)
        else:
            self._sorted.add(_sort_key(number, losses))
        for objective, trials in enumerate(self._by_objective):
            trials.add(_sort_key(number, losses, objective))

    def put_all(self, trials: Iterable[tuple[int, Values]]) -> None:
        """Rank many trials at once, as when a search is opened again."""
        keys = []
        for number, values in trials:
            losses = self._as_losses(values)
            self.discard(number)
            if losses is None:
                continue
            if self._fronts is None:
                self._losses[number] = losses
                keys.append(_sort_key(number, losses))
            else:
                self._add(number, losses)
        self._sorted.update(keys)

    def load(self, numbers: np.ndarray, values: np.ndarray) -> None:
        """Rank the trials of a whole journal, by columns; what was ranked before is forgotten.

        Parameters
        ----------
        numbers : ndarray of int, shape (n,)
            The trials.
        values : ndarray of float, shape (n, number of objectives)
            Their values; NaN for one that is missing.
        """
        if self._fronts is not None:
            for number in list(self._losses):
                self.discard(number)
            self.put_all(zip(numbers.tolist(), values.tolist(), strict=True))
            return
        losses = values[:, 0] * self._signs[0]
        is_ranked = ~np.isnan(losses)
        numbers, losses = numbers[is_ranked], losses[is_ranked]
        is_infinite = np.isinf(losses)
        # In order already, so that the sorted list has nothing left to sort.
        order = np.lexsort((numbers, losses, is_infinite))
        ordered = numbers[order].tolist()
        pairs = list(zip(losses[order].tolist(), strict=True))
        self._losses = dict(zip(ordered, pairs, strict=True))
        self._sorted.clear()
        self._sorted.update(zip(is_infinite[order].tolist(), pairs, ordered, strict=True))

    def discard(self, number: int) -> None:
        """Take a trial out; nothing happens when it is not ranked."""
        losses = self._losses.pop(number, None)
        if losses is None:
            return
        if self._fronts is not None and all(map(math.isfinite, losses)):
            self._fronts.discard(number)
        else:
            self._sorted.remove(_sort_key(number, losses))
        if self._fronts is not None:
            for objective, trials in enumerate(self._by_objective):
                trials.remove(_sort_key(number, losses, objective))

    def __iter__(self) -> Iterator[int]:
        """Return all ranked trials, best first."""
        if self._fronts is not None:
            yield from self._fronts.order()
        for key in self._sorted:
            yield key[-1]

    def top(self, k: int, accept: Callable[[int], bool] | None = None) -> list[int]:
        """Return the best trials.

        Parameters
        ----------
        k : int
            How many, at most.
        accept : callable, optional
            Tells which trials count; by default all.

        Returns
        -------
        list of int
            Trial numbers, best first.
        """
        numbers = iter(self) if accept is None else filter(accept, self)
        return list(itertools.islice(numbers, max(0, k)))

    def best_by(self, objective: int, accept: Callable[[int], bool] | None = None) -> int | None:
        """Return the best trial by one objective.

        Parameters
        ----------
        objective : int
            Its index. Of trials that are equal in it the other objectives decide, in their order, so that the best
            one is on the Pareto front.
        accept : callable, optional
            Tells which trials count; by default all.

        Returns
        -------
        int or None
            A trial's number, None when none counts.
        """
        numbers = (key[-1] for key in self._by_objective[objective])
        return next(numbers if accept is None else filter(accept, numbers), None)

    def _as_losses(self, values: Values) -> tuple[float, ...] | None:
        """Return values with their signs set so that small is good, None when one is missing or NaN."""
        if values is None:
            return None
        given = (values,) if isinstance(values, (int, float)) else tuple(values)
        if len(given) != len(self._signs):
            raise ValueError(f"{len(self._signs)} objectives need as many values, got {len(given)}")
        losses = tuple(
            math.nan if value is None else value * sign for value, sign in zip(given, self._signs, strict=True)
        )
        return None if any(map(math.isnan, losses)) else losses


def _sort_key(number: int, losses: tuple[float, ...], first: int = 0) -> tuple[Any, ...]:
    """Return a key that sorts by the loss ``first``, then by all losses; trials with an infinite loss come last."""
    ordered = losses if first == 0 else (losses[first], *losses)
    return (not all(map(math.isfinite, losses)), ordered, number)


class _RankedFront:
    """Trials of one front: no two of them dominate each other.

    Parameters
    ----------
    losses
        Trial to its losses.
    """

    def __init__(self, losses: dict[int, tuple[float, ...]]) -> None:
        self.losses = losses
        self._table: Any = None
        self._order: list[int] | None = None

    def dominates(self, losses: tuple[float, ...]) -> bool:
        """Tell whether one of its trials is as good as these losses in all objectives, and better in one."""
        table = self._losses_as_table()
        row = np.array(losses)
        return bool(((table <= row).all(axis=1) & (table < row).any(axis=1)).any())

    def put(self, number: int, losses: tuple[float, ...]) -> dict[int, tuple[float, ...]]:
        """Take in a trial that none of the front dominates; return those that it dominates, which have left."""
        table = self._losses_as_table()
        row = np.array(losses)
        is_worse = (table >= row).all(axis=1) & (table > row).any(axis=1)
        left = {other: self.losses.pop(other) for other in itertools.compress(list(self.losses), is_worse)}
        self.losses[number] = losses
        self._table = self._order = None
        return left

    def order(self) -> list[int]:
        """Return its trials, most spread first."""
        if self._order is None:
            numbers = np.array(sorted(self.losses))
            self._order = _by_spread(numbers, np.array([self.losses[number] for number in numbers.tolist()]))
        return self._order

    def _losses_as_table(self) -> Any:
        if self._table is None:
            self._table = np.array(list(self.losses.values()))
        return self._table


class _Fronts:
    """Trials with several finite losses, front by front, most spread first.

    Only as many fronts are worked out as were asked for, and they stay as trials come: a trial belongs to the first
    front that does not dominate it, and the fronts before are not touched by it. So one that all of these dominate
    costs no more at 100,000 trials than at 100.
    """

    def __init__(self) -> None:
        self._fronts: list[_RankedFront] = []
        """The first fronts, those that are worked out."""
        self._rest: dict[int, tuple[float, ...]] = {}
        """All trials behind these."""
        self._further: Iterator[list[int]] | None = None
        """The fronts of the rest in turn; None: to be begun anew."""

    def add(self, number: int, losses: tuple[float, ...]) -> None:
        # A trial that a front dominates is dominated by each front before.
        place = bisect_left(self._fronts, True, key=lambda front: not front.dominates(losses))
        if place == len(self._fronts):
            self._add_to_rest({number: losses})
            return
        self._add_to_rest(self._fronts[place].put(number, losses))
        self._keep(place + 1)

    def discard(self, number: int) -> None:
        place = next((place for place, front in enumerate(self._fronts) if number in front.losses), len(self._fronts))
        self._keep(place)  # what it dominated may step forward
        del self._rest[number]
        self._further = None

    def _keep(self, count: int) -> None:
        """Keep the first fronts only; the trials of the others join the rest."""
        for front in self._fronts[count:]:
            self._add_to_rest(front.losses)
        del self._fronts[count:]

    def _add_to_rest(self, trials: dict[int, tuple[float, ...]]) -> None:
        if trials:
            self._rest.update(trials)
            self._further = None

    def order(self) -> Iterator[int]:
        """Return all trials, best first, working out no more fronts than are asked for."""
        for place in itertools.count():
            if place == len(self._fronts) and not self._work_out():
                return
            yield from self._fronts[place].order()

    def _work_out(self) -> bool:
        """Work out one more front; False when no trial is left."""
        if self._further is None:
            self._further = self._in_turn()
        front = next(self._further, None)
        if front is None:
            return False
        self._fronts.append(_RankedFront({number: self._rest.pop(number) for number in front}))
        return True

    def _in_turn(self) -> Iterator[list[int]]:
        numbers = np.array(list(self._rest))
        table = np.array(list(self._rest.values()))
        if len(numbers):
            for places in fronts_in_turn(table):
                yield numbers[places].tolist()


def best_rows(values: np.ndarray, minimise: Sequence[bool], k: int) -> np.ndarray:
    """Return the places of the best rows, in no particular order: those that `Ranking.top` begins with.

    Parameters
    ----------
    values : ndarray of float, shape (n, number of objectives)
        The values of n trials; NaN for one that is missing. Such a trial is not ranked.
    minimise : sequence of bool
        The direction of each objective.
    k : int
        How many, at most.

    Returns
    -------
    ndarray of int
        Their places in ``values``.
    """
    losses = np.where(minimise, values, -values)
    ranked = np.flatnonzero(~np.isnan(losses).any(axis=1))
    if len(ranked) <= k:
        return ranked
    is_finite = np.isfinite(losses[ranked]).all(axis=1)
    finite, infinite = ranked[is_finite], ranked[~is_finite]
    if len(finite) < k:
        order = np.lexsort(losses[infinite].T[::-1])
        return np.concatenate([finite, infinite[order[: k - len(finite)]]])
    if losses.shape[1] == 1:
        column = losses[finite, 0]
        # Of rows that are as good as the k-th one, the first are taken.
        candidates = finite[column <= np.partition(column, k - 1)[k - 1]]
        order = np.argsort(losses[candidates, 0], kind="stable")
        return np.asarray(candidates[order[:k]])
    found: list[np.ndarray] = []
    missing = k
    for places in fronts_in_turn(losses[finite]):
        front = finite[places]
        if len(front) > missing:
            front = np.array(_by_spread(front, losses[front])[:missing])
        found.append(front)
        missing -= len(front)
        if missing == 0:
            break
    return np.concatenate(found)


def _by_spread(numbers: Any, table: Any) -> list[int]:
    """Return the trials of one front, farthest from their neighbours first; equals in the order of their numbers."""
    order = np.argsort(-crowding_distance(table), kind="stable")
    return [int(number) for number in numbers[order]]
