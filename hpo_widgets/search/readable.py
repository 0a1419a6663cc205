"""What can be read of any search, under the names of ClearML's controller.

A running search, a view of its journal and a scripted search differ in where their trials come from. The members that
read them are the same, and are written here once.
"""

from __future__ import annotations

import json
import math
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hpo_widgets.search.limits import positive_int, seconds_to_wait
from hpo_widgets.search.progress import ProgressBar
from hpo_widgets.search.protocol import Replays, SearchStatus, ViewedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.export import Export, Extra, experiment_details, extras_of_trials, more_parameters
from hpo_widgets.trials.filter import TrialFilter

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search.protocol import Search
    from hpo_widgets.space import Space
    from hpo_widgets.space.space import Point
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Changes, Rows, Snapshot, TrialStore


class ReadableSearch(ABC):
    """The reading members of a search whose trials are in a `TrialStore`.

    Every member may be used from any thread.
    """

    # What a kind of search has to give ------------------------------------------------------------

    @property
    @abstractmethod
    def status(self) -> SearchStatus:
        """What the search is doing."""

    @property
    @abstractmethod
    def capabilities(self) -> Mapping[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""

    @property
    @abstractmethod
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""

    @property
    @abstractmethod
    def elapsed_minutes(self) -> float:
        """Minutes the search has run; 0 before its start."""

    @property
    @abstractmethod
    def space(self) -> Space:
        """The present space epoch."""

    @property
    @abstractmethod
    def _store(self) -> TrialStore:
        """All trials."""

    @property
    @abstractmethod
    def _declared_space(self) -> Space:
        """The first space epoch, which fixes the columns."""

    @abstractmethod
    def trial(self, number: int) -> Trial:
        """One trial; ``IndexError`` if there is no trial of that number."""

    @abstractmethod
    def get_time_limit(self) -> dt.datetime | None:
        """The moment at which the search ends, as naive local time; None without a limit."""

    @abstractmethod
    def reached_time_limit(self) -> bool:
        """True once a started search is past its limit, and from then on; False without a limit."""

    @property
    def priors(self) -> Mapping[str, dict[str, Any]]:
        """The prior of each parameter that has one, as `HyperParameterOptimizer.set_prior` takes it."""
        return {name: prior.to_dict() for name, prior in self.space.priors.items()}

    # Columns and single trials --------------------------------------------------------------------

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return self._store.columns.counts()

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self._store.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self._store.columns.changes_since(version)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every change; it must only set a flag, as the search waits until it returns.

        Returns the function that ends the subscription.
        """
        return self._store.subscribe(callback)

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial by the first objective, else the best with a value (its ``is_partial`` is True)."""
        return self.best_by(0)

    def best_by(self, objective: int) -> Trial | None:
        """The best trial by one objective, as `best_trial`: completed ones first.

        Parameters
        ----------
        objective
            Its index, from 0. Between trials with equal values the other objectives decide, in their order.

        Returns
        -------
        Trial or None
            None while no trial has a value.

        Raises
        ------
        IndexError, TypeError
            When there is no such objective; when it is no index.
        """
        number = self._store.best(objective)
        return None if number is None else self.trial(number)

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first; several objectives: by non-dominated front, then by spread."""
        return [self.trial(number) for number in self._store.top(k)]

    # ClearML's members ----------------------------------------------------------------------------

    def is_running(self) -> bool:
        """True while the search runs or pauses."""
        return self.status.is_alive

    def is_active(self) -> bool:
        """True while the search runs or pauses, and before it was started (as ClearML's)."""
        return self.status is SearchStatus.IDLE or self.is_running()

    def elapsed(self) -> float:
        """Minutes since the start, frozen at the end; negative before the start."""
        return -1.0 if self.status is SearchStatus.IDLE else self.elapsed_minutes

    def get_num_active_experiments(self) -> int:
        """Number of jobs that are queued or running now."""
        if not self.is_running():
            return 0  # although trials may still count as running, if a full disk kept their ends from the journal
        counts = self.counts
        return counts.get(TrialState.QUEUED, 0) + counts.get(TrialState.RUNNING, 0)

    def get_active_experiments(self) -> Sequence[Any]:
        """The trials that are queued or running now; of a search that runs on ClearML their Tasks."""
        if not self.is_running():
            return []
        snapshot = self.snapshot()
        active = snapshot.numbers[snapshot.state <= TrialState.RUNNING]
        return self._experiments([self.trial(int(number)) for number in active])

    def get_top_experiments(self, top_k: int) -> Sequence[Any]:
        """The best trials, best first; never one without the objective. Of a search that runs on ClearML their Tasks.

        Running, pruned and aborted trials with a value rank too; ±inf ranks last. Several
        objectives: by non-dominated front, then by spread.
        """
        return self._experiments(self.top(positive_int("top_k", top_k)))

    def get_top_experiments_details(
        self,
        top_k: int,
        all_metrics: bool = False,
        all_hyper_parameters: bool = False,
        only_completed: bool = False,
    ) -> list[dict[str, Any]]:
        """The best trials as dictionaries: ``task_id``, ``hyper_parameters`` (str), ``metrics``.

        Parameters
        ----------
        top_k
            How many at most; sorted over all trials, then cut.
        all_metrics
            All reported scalars instead of the objectives only.
        all_hyper_parameters
            Whether to add the parameters of all other sections.
        only_completed
            Leave out running, pruned and aborted trials.

        Returns
        -------
        list of dict
            Best first.
        """
        accept = self._store.columns.is_completed if only_completed else None
        trials = [self.trial(number) for number in self._store.top(positive_int("top_k", top_k), accept)]
        more = self._more_parameters(trials) if all_hyper_parameters else [{}] * len(trials)
        return [
            experiment_details(trial, {**self._parameters_of(trial), **others}, all_metrics=all_metrics)
            for trial, others in zip(trials, more, strict=True)
        ]

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> bool:
        """Wait for the end of the search without stopping it; interruptible.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.
        progress
            Whether to draw a bar with the best value so far meanwhile, on the standard error stream.

        Returns
        -------
        bool
            True when it has ended, was never started, or the process that ran it has gone; False when it timed out.
        """
        return wait_for_end(self, timeout, progress=progress)

    async def wait_async(self, timeout: float | None = None) -> bool:
        """`wait` for coroutines: other tasks of the event loop continue meanwhile.

        A cell that awaits it holds the cells after it, as `wait` does; an ``asyncio.create_task`` of it holds none.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.

        Returns
        -------
        bool
            As `wait`.
        """
        return await wait_until(self, lambda: is_over(self), timeout)

    # Beyond ClearML -------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """All trials as a DataFrame with typed values, one row per trial, indexed by its number.

        Columns: ``state``; one per objective (``title/series``); one per other scalar that was reported or returned
        (its last value, NaN where a trial has none); one per parameter, empty where it does not apply;
        ``epoch`` (version of the space, from 0); ``started`` (UTC, empty for a trial that did not run); ``seconds``
        (run time); ``worker``; ``enqueued``; ``archived``; ``note``; ``tags`` (with commas between); ``task_id`` where
        trials are ClearML Tasks; ``error`` (what went wrong, else empty). A parameter with the name of another column
        is ``General/<name>``.
        """
        return self._export(self.snapshot()).to_dataframe()

    def to_csv(
        self,
        path: str | Path | None = None,
        *,
        filter: TrialFilter | Mapping[str, Any] | None = None,  # noqa: A002
    ) -> str:
        """Trials as comma-separated values, the columns of `to_dataframe`.

        A file is UTF-8 without a mark of that, as scripts read it. Excel needs the mark for letters beyond ASCII: take
        the file of the panel's menu **Export**, which then has one.

        Parameters
        ----------
        path
            The file to write; an existing one is replaced. Default: none.
        filter
            Which trials, as `OptimizerWidget` takes it: a `TrialFilter`, or a dict of its fields. Default: all, also
            those that are left out of the search (``state`` says so).

        Returns
        -------
        str
            The text.

        Raises
        ------
        ValueError
            For a filter that names what the search does not have, with a near match.
        """
        return _written(path, self._export(self._passing(filter)).to_csv())

    def to_json(
        self,
        path: str | Path | None = None,
        *,
        filter: TrialFilter | Mapping[str, Any] | None = None,  # noqa: A002
    ) -> str:
        """Trials as a JSON list of objects, as `hpo_widgets.trials.export.Export.to_records` has them.

        Parameters
        ----------
        path, filter
            As of `to_csv`, with the same errors.

        Returns
        -------
        str
            The text.
        """
        records = self._export(self._passing(filter)).to_records()
        return _written(path, json.dumps(records, ensure_ascii=False, allow_nan=False))

    def _recorded(self) -> list[tuple[Point, list[float]]]:
        """Point and values of each recorded result that counts and whose choices the present ranges have."""
        rows, space = self.snapshot(), self.space
        places = np.flatnonzero(rows.is_recorded & rows.is_ranked)
        found = []
        for encoded, values in zip(rows.encoded(places.tolist()), rows.values[places].tolist(), strict=True):
            point = space.decode(encoded)
            if all(space.leaf(name).kind != "choice" or space.leaf(name).contains(point[name]) for name in point):
                found.append((point, values))
        return found

    def _export(self, rows: Rows) -> Export:
        return Export(rows, self._declared_space, self.objectives, extras_of(self, rows))

    def _passing(self, chosen: TrialFilter | Mapping[str, Any] | None) -> Rows:
        rows = self.snapshot()
        if chosen is None:
            return rows
        checked = checked_filter(chosen, cast("Search", self))
        return rows.where(checked.passing(rows, self.space, self.objectives))

    # What a kind of search may give otherwise -----------------------------------------------------

    def _experiments(self, trials: Sequence[Trial]) -> Sequence[Any]:
        """Trials as ``get_top_experiments`` returns them."""
        return trials

    def _extras_of(self, rows: Rows) -> Mapping[int, Extra]:
        """What an export has of some trials beside their columns, by number."""
        # A search with a journal reads them at once: one by one thousands of trials take seconds.
        return _extras_singly(self, rows)

    def _parameters_of(self, trial: Trial) -> Mapping[str, str]:
        """A trial's parameters as text, by full name."""
        return trial.get_parameters()

    def _more_parameters(self, trials: Sequence[Trial]) -> Sequence[Mapping[str, str]]:
        """What ``get_top_experiments_details`` adds when asked for the parameters of all sections."""
        return [more_parameters(trial) for trial in trials]


def extras_of(search: Search | ReadableSearch, rows: Rows) -> Mapping[int, Extra]:
    """Return what an export has of trials beside their columns: errors, Tasks, and scalars that are no objectives.

    Parameters
    ----------
    search
        The search.
    rows
        Trials of it.

    Returns
    -------
    mapping
        By the trial's number.
    """
    if isinstance(search, ReadableSearch):
        return search._extras_of(rows)  # noqa: SLF001 -- of this module's own class
    return _extras_singly(search, rows)


def _extras_singly(search: Search | ReadableSearch, rows: Rows) -> dict[int, Extra]:
    trials = map(search.trial, rows.numbers.tolist())
    names = {objective.key for objective in search.objectives}
    told = ((trial.number, trial.error, trial.summary, trial.id if trial.is_elsewhere else None) for trial in trials)
    return extras_of_trials(told, names)


def checked_filter(chosen: TrialFilter | Mapping[str, Any], search: Search) -> TrialFilter:
    """Check a filter against the trials of a search.

    Parameters
    ----------
    chosen
        The filter, or its fields.
    search
        The search.

    Returns
    -------
    TrialFilter
        With normalised values.

    Raises
    ------
    ValueError
        For what `TrialFilter.from_dict` and `TrialFilter.checked` refuse.
    """
    chosen = chosen if isinstance(chosen, TrialFilter) else TrialFilter.from_dict(chosen)
    if chosen.is_empty:  # nothing to look up, also where there is no search yet
        return chosen
    # A filter stays when a replay goes back, so it may name what is still to come.
    num_epochs = search.num_epochs_in_all if isinstance(search, Replays) else len(search.epochs)
    return chosen.checked(search.space, search.objectives, num_epochs)


def _written(path: str | Path | None, text: str) -> str:
    if path is not None:
        # Encoded before the file is opened: what is in it is not lost for a letter that no file can hold.
        Path(path).write_bytes(text.encode(errors="backslashreplace"))
    return text


def is_over(search: Search | ReadableSearch) -> bool:
    """Whether there is no end to wait for: it has ended or was never started, its process has gone, a replay stands."""
    if isinstance(search, Replays):
        return not search.is_playing
    # A search that was paused when its process died has that status, though nothing runs.
    is_at_work = search.is_running() if isinstance(search, ReadableSearch) else search.status.is_alive
    if is_at_work and not (isinstance(search, ViewedSearch) and search.owner_died):
        return False
    return search.capabilities["stop"] is not None  # what can be stopped all the same is being started


def wait_for_end(search: Search | ReadableSearch, timeout: float | None = None, *, progress: bool = False) -> bool:
    """Block until a search has ended.

    Parameters
    ----------
    search
        Any search that has ``status`` and ``subscribe``.
    timeout
        Minutes. Default: until the end.
    progress
        Whether a `ProgressBar` is drawn meanwhile.

    Returns
    -------
    bool
        True when it has ended, was never started, or the process that ran it has gone; False when it timed out.
    """
    seconds = seconds_to_wait(timeout)
    deadline = None if seconds is None else time.monotonic() + seconds
    ended = threading.Event()

    def note_the_end() -> None:
        if is_over(search):
            ended.set()

    unsubscribe = search.subscribe(note_the_end)
    note_the_end()
    bar = ProgressBar() if progress else None
    pause = math.inf if bar is None else bar.pause
    try:
        while not ended.is_set():
            left = math.inf if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            if bar is not None:
                bar.draw(cast("Search", search))
            until_next = min(left, pause)
            ended.wait(None if until_next == math.inf else until_next)
        return True
    finally:
        unsubscribe()
        if bar is not None:
            bar.draw(cast("Search", search))
            bar.close()


async def wait_until(
    search: Search | ReadableSearch, has_come: Callable[[], bool], timeout: float | None = None
) -> bool:
    """Wait, letting other coroutines run, until a condition on a search holds.

    Parameters
    ----------
    search
        Calls back after its changes (``subscribe``).
    has_come
        Returns whether the condition holds; called after each change.
    timeout
        Minutes. Default: no limit.

    Returns
    -------
    bool
        False when it timed out first.
    """
    import asyncio  # takes 30 ms, which a search that nobody awaits need not pay

    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def wake() -> None:
        # The loop may be closed before the subscription ends.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = search.subscribe(wake)
    try:
        async with asyncio.timeout(seconds_to_wait(timeout)):
            while not has_come():
                await changed.wait()
                changed.clear()
    except TimeoutError:
        return False
    finally:
        unsubscribe()
    return True
