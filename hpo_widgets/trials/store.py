"""What readers of a search see: columns, ranking and who wants to be told of changes."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.trials.columns import TrialColumns
from hpo_widgets.trials.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials.trial import TrialRow

logger = logging.getLogger("hpo_widgets")


class TrialStore:
    """Columns and ranking in step, with the subscribers to tell.

    Written by one thread, the search's own; read from any. `_lock` guards the ranking and the list of
    subscribers.
    """

    def __init__(self, space: Space, objectives: tuple[Objective, ...]) -> None:
        self.columns = TrialColumns(space.columns, len(objectives))
        self._ranking = Ranking(objectives)
        self._lock = threading.Lock()
        self._subscribers: list[tuple[Callable[[], None]]] = []

    def put(self, rows: Sequence[TrialRow]) -> None:
        """Show rows in the columns; `rank` follows."""
        self.columns.put(rows)

    def rank(self, row: TrialRow) -> int | None:
        """Put one row into the ranking; returns the number of the best trial then, as `best`."""
        with self._lock:
            self._rank(row.number, row.state, row.values)
            return self._best(0)

    def rank_all(self, rows: Iterable[TrialRow]) -> None:
        """Put rows into the ranking."""
        with self._lock:
            for row in rows:
                self._rank(row.number, row.state, row.values)

    def load(self, bulk: Mapping[str, Any]) -> None:
        """Take in all trials of a journal (`JournalReader.columns`)."""
        self.columns.load(bulk)
        counts = bulk["state"] != TrialState.FAILED
        with self._lock:
            self._ranking.load(bulk["number"][counts], bulk["values"][counts])

    def _rank(self, number: int, state: int, values: Sequence[float | None] | None) -> None:
        if state == TrialState.FAILED or values is None or None in values:
            self._ranking.discard(number)
        else:
            self._ranking.put(number, cast("tuple[float, ...]", tuple(values)))

    def top(self, k: int, accept: Callable[[int], bool] | None = None) -> list[int]:
        """Numbers of the k best trials, best first.

        Parameters
        ----------
        k
            How many at most.
        accept
            Takes a trial number; False leaves the trial out. Default: all are in.

        Returns
        -------
        list of int
            Trial numbers.
        """
        with self._lock:
            return list(self._ranking.top(k, accept))

    def best(self, objective: int = 0) -> int | None:
        """The best completed trial by one objective, else the best one with a value.

        This is what "the best trial" means everywhere: in a callback, a status line, a table and a plot. The front of
        several objectives is what `top` begins with.
        """
        with self._lock:
            return self._best(objective)

    def _best(self, objective: int) -> int | None:
        ranking = self._ranking
        best = ranking.best_by(objective, self.is_completed)
        return ranking.best_by(objective) if best is None else best

    def is_completed(self, number: int) -> bool:
        """Whether a trial ran to its end."""
        return self.columns.state_of(number) is TrialState.COMPLETED

    def has_ended(self, number: int) -> bool:
        """Whether a trial will not change any more."""
        return self.columns.state_of(number).has_ended

    @property
    def num_subscribers(self) -> int:
        """How many are told of changes."""
        return len(self._subscribers)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after each change; returns the function that ends it."""
        entry = (callback,)  # an object of its own: the same callback may be there twice
        with self._lock:
            self._subscribers = [*self._subscribers, entry]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = [other for other in self._subscribers if other is not entry]

        return unsubscribe

    def notify(self) -> None:
        """Tell all subscribers; they only set a flag. One that raises does not hurt the search."""
        for (callback,) in self._subscribers:
            try:
                callback()
            except Exception:
                logger.exception("a subscriber of the search raised")
