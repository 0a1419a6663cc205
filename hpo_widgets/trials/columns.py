"""All trials of a search as columns, and the store of what readers see: columns, ranking and subscribers."""

from __future__ import annotations

import logging
import math
import operator
import threading
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hpo_widgets.objectives.pareto import pareto_front
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.trials.trial import NAN, UNRANKED, Remark, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import ColumnSpec, Space

logger = logging.getLogger("hpo_widgets")

_FIRST_CAPACITY = 256
_BLOCK = 256
"""Rows per block; a block keeps the version of its last change, so that `changes_since` skips unchanged blocks."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of some trials at one version; arrays are copies, all of length ``len(numbers)``."""

    version: int
    numbers: np.ndarray
    state: np.ndarray
    values: np.ndarray
    iteration: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    seconds: np.ndarray
    """How long each trial ran; NaN while it has not ended, and where it never ran."""
    epoch: np.ndarray
    worker: np.ndarray
    archived: np.ndarray
    enqueued: np.ndarray
    parameters: Mapping[str, np.ndarray]
    remarks: Mapping[int, Remark] = field(default_factory=dict)
    """What people have said about trials, by number; of all trials of the search, not of these rows only."""
    is_anew: bool = False
    """Whether these rows replace all that a reader had before, as trials may be gone (`TrialColumns.replace`)."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def is_ranked(self) -> np.ndarray:
        """Which of them are ranked if they have values: not those that have failed or are left out; shape (n,)."""
        mask: np.ndarray = ~np.isin(self.state, UNRANKED)
        return mask

    @property
    def is_whole(self) -> np.ndarray:
        """Which of them have a finite value of every objective: no other one is the best by any; shape (n,)."""
        mask: np.ndarray = np.isfinite(self.values).all(axis=1)
        return mask

    @property
    def can_be_best(self) -> np.ndarray:
        """Which of them can be the best by an objective: those that have completed and are whole; shape (n,)."""
        mask: np.ndarray = (self.state == TrialState.COMPLETED) & self.is_whole
        return mask

    @property
    def is_counted(self) -> np.ndarray:
        """Which of them have ended and are not left out of the search; shape (n,)."""
        mask: np.ndarray = (self.state >= TrialState.COMPLETED) & (self.state != TrialState.LEFT_OUT)
        return mask

    @property
    def is_recorded(self) -> np.ndarray:
        """Which of them did not run here, as a person has recorded their results; shape (n,)."""
        return recorded({"state": self.state, "started": self.started})

    def where(self, chosen: np.ndarray) -> Rows:
        """Return the rows that a mask, or an array of row indices, selects."""
        arrays = {one.name: getattr(self, one.name)[chosen] for one in fields(Rows) if one.name not in _NO_COLUMNS}
        parameters = {name: column[chosen] for name, column in self.parameters.items()}
        return Rows(version=self.version, parameters=parameters, remarks=self.remarks, is_anew=self.is_anew, **arrays)

    def fails_still(self) -> np.ndarray:
        """Return which trials have failed, without those whose point a person has run again since with a result."""
        failed: np.ndarray = self.state == TrialState.FAILED
        again = self.enqueued & np.isin(self.state, (TrialState.COMPLETED, TrialState.PRUNED))
        if failed.any() and again.any():
            keys = _keys(self._points())
            last = dict(zip(keys[again].tolist(), self.numbers[again].tolist(), strict=True))
            of_failed = zip(keys[failed].tolist(), self.numbers[failed].tolist(), strict=True)
            failed[failed] = [number > last.get(key, -1) for key, number in of_failed]
        return failed

    def _points(self) -> np.ndarray:
        """All points, one a row, NaN where a parameter does not apply."""
        return np.column_stack([nan_where_absent(column) for column in self.parameters.values()])


_NO_COLUMNS = frozenset({"version", "parameters", "remarks", "is_anew"})
"""Fields of `Rows` that have no entry for each trial."""


def nan_where_absent(column: np.ndarray) -> np.ndarray:
    """Return a parameter's column of `Rows` with NaN where it does not apply, also for choices."""
    return np.where(column < 0, np.nan, column) if column.dtype.kind == "i" else column


def _keys(points: np.ndarray) -> np.ndarray:
    """Return the bytes of each point, which are the same for equal points."""
    whole = np.where(np.isnan(points), np.nan, points + 0.0)  # one kind of NaN, and no -0.0
    return whole.view(f"V{whole.shape[1] * whole.itemsize}").ravel()


_COLUMNS: dict[str, tuple[type[np.generic], float]] = {
    "state": (np.uint8, 0), "values": (np.float64, NAN), "iteration": (np.int64, -1), "started": (np.float64, NAN),
    "ended": (np.float64, NAN), "seconds": (np.float64, NAN), "epoch": (np.int32, 0), "worker": (np.int16, -1),
    "archived": (np.bool_, False), "enqueued": (np.bool_, False),
}  # fmt: skip
"""Type of each column, and its value for a trial that was not written yet."""


class Snapshot(Rows):
    """All trials of a search at one version."""

    __slots__ = ()

    def encoded(self, numbers: Sequence[int]) -> list[list[float | None]]:
        """Return the points of these trials in ``Space.encode`` form."""
        points = self._points()[list(numbers)]
        return [[None if math.isnan(one) else one for one in point] for point in points.tolist()]

    def failed_points(self, waiting: Iterable[Sequence[float | None]] = ()) -> list[int]:
        """Find the points that have failed and that nothing else has become of, the oldest first.

        A point has become something else where another trial of it has completed, was pruned, runs or waits.

        Parameters
        ----------
        waiting
            Further points, in ``Space.encode`` form, that wait or run.

        Returns
        -------
        list of int
            The number of the first trial of each that has failed.
        """
        has_failed = self.state == TrialState.FAILED
        if not has_failed.any():
            return []
        keys = _keys(self._points())
        failed: dict[bytes, int] = {}
        for key, number in zip(keys[has_failed].tolist(), self.numbers[has_failed].tolist(), strict=True):
            failed.setdefault(key, number)
        others = keys[~has_failed & (self.state != TrialState.ABORTED)].tolist()
        more = [*waiting]
        for key in (*others, *(_keys(np.array(more, dtype=float)).tolist() if more else ())):
            failed.pop(key, None)
        return list(failed.values())


class Changes(Rows):
    """Only the trials that changed since an earlier version."""

    __slots__ = ()


class TrialColumns:
    """The column store: growable NumPy columns, and for each row the version at which it changed last.

    Written by the search's own thread only (`put`, `load`, `replace`, `set_archived`); any thread may read, and gets
    copies made under the lock. The version counts changes of rows. Memory grows with the number of trials, not with
    the number of their reports. `changes_since` costs what changed, and one comparison for each 256 trials.

    Parameters
    ----------
    columns
        One per parameter: kinds ``float``, ``log`` and ``int`` become float64 with NaN where the
        parameter does not apply, ``choice`` int32 indices with -1.
    num_objectives
        Number of objectives, the second axis of ``values``.
    """

    def __init__(self, columns: Sequence[ColumnSpec], num_objectives: int) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._anew_at = 0
        """The version of the last `replace`; rows that were read before it are no longer valid."""
        self._names = [column.name for column in columns]
        self._is_choice = [column.kind == "choice" for column in columns]
        self._num_objectives = num_objectives
        self._clear()

    def _clear(self) -> None:
        """Have no rows, and room for the first ones."""
        self._num_rows = 0
        self._last_changed = np.zeros((_FIRST_CAPACITY // _BLOCK, _BLOCK), dtype=np.int64)
        """The version at which each row changed last, in blocks of rows."""
        self._block_changed = np.zeros(len(self._last_changed), dtype=np.int64)
        """The version at which a row of each block changed last."""
        shapes = dict.fromkeys(("values", "iteration"), (_FIRST_CAPACITY, self._num_objectives))
        self._arrays: dict[str, np.ndarray] = {
            name: np.full(shapes.get(name, _FIRST_CAPACITY), nothing, dtype=dtype)
            for name, (dtype, nothing) in _COLUMNS.items()
        }
        self._parameters = [
            np.full(_FIRST_CAPACITY, -1, dtype=np.int32) if choice else np.full(_FIRST_CAPACITY, NAN)
            for choice in self._is_choice
        ]
        self._last_iteration = np.full(_FIRST_CAPACITY, -1, dtype=np.int64)
        self._counts = [0] * len(TrialState)
        """How many trials have each state in `_arrays`, where none is left out."""
        self._left_out = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)
        """Which of the trials that have ended are left out; they show this in the place of their state."""
        self._remarks: Mapping[int, Remark] = {}
        """Replaced by another mapping at each change, so that readers may keep it."""

    def counts(self) -> dict[TrialState, int]:
        """Number of trials in each state."""
        with self._lock:
            counts = self._counts
            if self._left_out.any():
                left_out = np.bincount(self._arrays["state"][self._left_out], minlength=len(TrialState))
                shown = np.array(counts) - left_out
                shown[TrialState.LEFT_OUT] = left_out.sum()
                counts = shown.tolist()
            return dict(zip(TrialState, counts, strict=True))

    def seconds_and_iterations(self) -> tuple[float, int]:
        """Seconds of all ended trials together, and iterations that all trials have reported."""
        with self._lock:
            seconds = np.nansum(self._arrays["seconds"][: self._num_rows])
            iterations = np.maximum(self._last_iteration[: self._num_rows], 0).sum()
        return float(seconds), int(iterations)

    def num_uncounted(self) -> int:
        """Number of ended trials that use up nothing of a budget, as they never began."""
        with self._lock:
            rows = {name: self._arrays[name][: self._num_rows] for name in ("state", "started")}
            return int((never_ran(rows) | recorded(rows)).sum())

    def num_enqueued(self) -> int:
        """Number of trials whose points people have enqueued."""
        with self._lock:
            return int(self._arrays["enqueued"][: self._num_rows].sum())

    def left_out(self) -> list[int]:
        """Numbers of the trials that are left out."""
        with self._lock:
            numbers: list[int] = np.flatnonzero(self._left_out).tolist()
            return numbers

    def state_of(self, number: int) -> TrialState:
        """State of one trial; ``IndexError`` when there is none of that number."""
        with self._lock:
            if not 0 <= number < self._num_rows:
                msg = f"there is no trial {number}: the search has {self._num_rows} so far"
                raise IndexError(msg)
            return TrialState.LEFT_OUT if self._left_out[number] else TrialState(int(self._arrays["state"][number]))

    def is_completed(self, number: int) -> bool:
        """Whether a ranked trial ran to its end; asked at each end of a trial, so without waiting for a lock."""
        return bool(self._arrays["state"].item(number) == TrialState.COMPLETED)

    def is_ranked(self, number: int) -> bool:
        """Whether a trial that is there is ranked if it has values; asked as often, so without waiting for a lock."""
        return not self._left_out.item(number) and self._arrays["state"].item(number) not in UNRANKED

    def are_ranked(self, numbers: np.ndarray) -> np.ndarray:
        """`is_ranked` of many trials; shape (n,)."""
        mask: np.ndarray = ~(self._left_out[numbers] | np.isin(self._arrays["state"][numbers], UNRANKED))
        return mask

    def values_of(self, number: int) -> tuple[float, ...]:
        """Values of a trial that is there; NaN for one that is missing."""
        with self._lock:
            return tuple(self._arrays["values"][number].tolist())

    def put(self, rows: Sequence[TrialRow]) -> None:
        """Write rows, new or changed, as one step that readers see whole."""
        with self._lock:
            highest = max((row.number for row in rows), default=-1)
            self._reserve(highest + 1)
            arrays = self._arrays
            version = self._version
            last_changed, block_changed = self._last_changed.reshape(-1), self._block_changed
            state, values, iteration = arrays["state"], arrays["values"], arrays["iteration"]
            started, ended, seconds, epoch = arrays["started"], arrays["ended"], arrays["seconds"], arrays["epoch"]
            worker, archived, enqueued = arrays["worker"], arrays["archived"], arrays["enqueued"]
            for row in rows:
                number = row.number
                if number >= self._num_rows:
                    # Rows that were skipped are queued until they are written.
                    self._counts[TrialState.QUEUED] += number + 1 - self._num_rows
                    if number > self._num_rows:
                        self._changed(np.arange(self._num_rows, number), version + 1)
                    self._num_rows = number + 1
                self._counts[state[number]] -= 1
                self._counts[row.state] += 1
                state[number] = row.state
                if row.values is not None:
                    for k, value in enumerate(row.values):
                        values[number, k] = NAN if value is None else value
                if row.iteration is not None:
                    for k, at in enumerate(row.iteration):
                        iteration[number, k] = -1 if at is None else at
                started[number] = row.started
                ended[number] = row.ended
                seconds[number] = row.seconds
                self._last_iteration[number] = row.last_iteration
                epoch[number] = row.epoch
                worker[number] = row.worker
                archived[number] = row.archived
                enqueued[number] = row.enqueued
                for column, encoded in zip(self._parameters, row.parameters, strict=True):
                    if encoded is not None:
                        column[number] = encoded
                version += 1
                last_changed[number] = block_changed[number // _BLOCK] = version
            self._version = version
            if self._remarks:
                self._leave_out(np.array([row.number for row in rows if row.number in self._remarks], dtype=np.int64))

    def _changed(self, numbers: np.ndarray, version: int) -> None:
        """Note that rows changed at a version."""
        self._last_changed.reshape(-1)[numbers] = version
        self._block_changed[numbers // _BLOCK] = version

    def load(self, bulk: Mapping[str, Any]) -> None:
        """Write many rows at once, new or changed, given as the columns of a journal (`JournalReader.columns`)."""
        with self._lock:
            self._load(bulk)

    def replace(self, bulk: Mapping[str, Any]) -> None:
        """Replace all rows by these, given as for `load`; readers are told to forget the rows that they have.

        Only a replay does so, when it goes back: a search never loses trials.
        """
        with self._lock:
            self._version += 1
            self._anew_at = self._version
            self._clear()
            self._load(bulk)

    def _load(self, bulk: Mapping[str, Any]) -> None:
        numbers = np.asarray(bulk["number"], dtype=np.int64)
        if len(numbers) == 0:
            return
        size = max(self._num_rows, int(numbers.max()) + 1)
        self._reserve(size)
        added = np.arange(self._num_rows, size)  # rows that were skipped are queued until they are written
        self._version += len(numbers) + len(added)
        for rows in (numbers, added):
            self._changed(rows, self._version)
        self._num_rows = size
        for name, array in self._arrays.items():
            incoming = np.asarray(run_times(bulk) if name == "seconds" else bulk[name], dtype=array.dtype)
            array[numbers] = incoming.reshape((len(numbers), *array.shape[1:]))
        self._last_iteration[numbers] = bulk["last_iteration"]
        for column, given, is_choice in zip(self._parameters, bulk["parameters"].T, self._is_choice, strict=True):
            column[numbers] = np.where(np.isnan(given), -1, given) if is_choice else given
        states = np.bincount(self._arrays["state"][:size], minlength=len(TrialState))
        self._counts = states.tolist()
        if self._remarks:
            self._leave_out(numbers[np.isin(numbers, list(self._remarks))])

    def archived(self, numbers: Sequence[int]) -> dict[int, bool]:
        """Which of these trials are archived."""
        with self._lock:
            return {number: bool(self._arrays["archived"][number]) for number in numbers}

    def set_archived(self, numbers: Sequence[int], archived: bool) -> None:
        """Mark trials as archived, which hides them, or remove the mark.

        Parameters
        ----------
        numbers
            Trial numbers.
        archived
            True hides them, False shows them.
        """
        with self._lock:
            self._version += len(numbers)
            rows = np.asarray(numbers, dtype=np.int64)
            self._arrays["archived"][rows] = archived
            self._changed(rows, self._version)

    def remark(self, number: int) -> Remark:
        """What people have said about a trial; an empty remark for an unknown number."""
        return self._remarks.get(number, Remark())

    def set_remarks(self, remarks: Mapping[int, Remark]) -> list[int]:
        """Set the remarks of some trials; the others keep theirs, and those of unknown numbers are ignored.

        Returns
        -------
        list of int
            The trials that are left out now and were not, or the other way round.
        """
        with self._lock:
            new = {
                number: remark
                for number, remark in remarks.items()
                if 0 <= number < self._num_rows and remark != self.remark(number)
            }
            if not new:
                return []
            self._version += len(new)
            self._remarks = {**self._remarks, **new}
            numbers = np.array(sorted(new), dtype=np.int64)
            self._changed(numbers, self._version)
            before = self._left_out[numbers]
            self._leave_out(numbers)
            turned: list[int] = numbers[self._left_out[numbers] != before].tolist()
            return turned

    def _leave_out(self, numbers: np.ndarray) -> None:
        """Leave out what has ended of some trials and is marked so: one that runs, maybe again, is shown to."""
        has_ended = self._arrays["state"][numbers] >= TrialState.COMPLETED
        is_marked = np.array([self.remark(number).left_out for number in numbers.tolist()], dtype=np.bool_)
        self._left_out[numbers] = has_ended & is_marked

    def snapshot(self) -> Snapshot:
        """Copies of all columns at the present version."""
        with self._lock:
            return Snapshot(**self._copy())

    def changes_since(self, version: int) -> Changes:
        """Copies of the rows that changed after ``version`` (0: all of them)."""
        with self._lock:
            is_anew = 0 < version < self._anew_at
            if version > self._version or version <= 0 or is_anew:
                return Changes(**self._copy(), is_anew=is_anew)
            blocks = np.flatnonzero(self._block_changed > version)
            places, offsets = np.nonzero(self._last_changed[blocks] > version)
            rows = blocks[places] * _BLOCK + offsets
            return Changes(**self._copy(rows), is_anew=False)

    def _copy(self, rows: np.ndarray | None = None) -> dict[str, Any]:
        """Copies of some rows, or of all, which is ten times quicker by a slice."""

        def of(array: np.ndarray) -> np.ndarray:
            return array[: self._num_rows].copy() if rows is None else array[rows]

        copies = {name: of(array) for name, array in self._arrays.items()}
        copies["state"][of(self._left_out)] = TrialState.LEFT_OUT
        parameters = {name: of(column) for name, column in zip(self._names, self._parameters, strict=True)}
        numbers = np.arange(self._num_rows) if rows is None else rows
        return {
            "version": self._version, "numbers": numbers, "remarks": self._remarks, "parameters": parameters, **copies
        }  # fmt: skip

    def _reserve(self, num_rows: int) -> None:
        """Grow by doubling, so that a row costs the same however many there are."""
        capacity = len(self._arrays["state"])
        if num_rows <= capacity:
            return
        capacity = -(-max(num_rows, 2 * capacity) // _BLOCK) * _BLOCK
        self._last_changed = _grown(self._last_changed, capacity // _BLOCK, 0)
        self._block_changed = _grown(self._block_changed, capacity // _BLOCK, 0)
        self._last_iteration = _grown(self._last_iteration, capacity, -1)
        self._left_out = _grown(self._left_out, capacity, False)
        for name, array in self._arrays.items():
            self._arrays[name] = _grown(array, capacity, _COLUMNS[name][1])
        self._parameters = [
            _grown(column, capacity, -1 if choice else NAN)
            for column, choice in zip(self._parameters, self._is_choice, strict=True)
        ]


def never_ran(bulk: Mapping[str, Any]) -> np.ndarray:
    """Return `TrialRow.never_ran` of all trials, given their columns."""
    mask: np.ndarray = (bulk["state"] == TrialState.ABORTED) & np.isnan(bulk["started"])
    return mask


def recorded(bulk: Mapping[str, Any]) -> np.ndarray:
    """Return `TrialRow.is_recorded` of all trials, given their columns."""
    # A recorded result may be left out. So may a trial that never ran, and nobody has to tell the two apart then.
    may_be = np.isin(bulk["state"], (TrialState.COMPLETED, TrialState.LEFT_OUT))
    mask: np.ndarray = may_be & np.isnan(bulk["started"])
    return mask


def run_times(bulk: Mapping[str, Any]) -> np.ndarray:
    """Return `TrialRow.seconds` of all trials of a journal's columns."""
    # An end that was computed after a restart may lie before the start, if the machine's clock was set back.
    by_times_of_day = np.maximum(bulk["ended"] - bulk["started"], 0.0)
    seconds: np.ndarray = np.where(np.isnan(bulk["duration"]), by_times_of_day, bulk["duration"])
    return seconds


def _grown(array: np.ndarray, capacity: int, empty: float) -> np.ndarray:
    grown = np.full((capacity, *array.shape[1:]), empty, dtype=array.dtype)
    grown[: len(array)] = array
    return grown


class Front:
    """The completed trials that no other completed trial dominates, updated with the rows that change.

    A trial with an infinite value is never one of them, as in `Ranking`.

    Not safe for use on several threads at the same time.

    Parameters
    ----------
    objectives
        What is optimised.

    Attributes
    ----------
    numbers : list of int
        Their numbers, in order.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._minimise = [objective.minimise for objective in objectives]
        self._values = np.empty((0, len(objectives)))
        self.numbers: list[int] = []

    def put(self, rows: Rows, everything: Callable[[], Rows]) -> bool:
        """Update the front with changed rows.

        Parameters
        ----------
        rows
            The changed trials.
        everything
            Returns all trials; called when one has left the front, as those that it dominated may be on it now.

        Returns
        -------
        bool
            Whether the front has changed.
        """
        before = self.numbers
        known = np.array(before, dtype=np.int64)
        stays = ~np.isin(known, rows.numbers)
        numbers, values = self._join(known[stays], self._values[stays], rows)
        if not np.isin(known, numbers).all():
            numbers, values = self._join(known[:0], self._values[:0], everything())
        order = np.argsort(numbers)
        self.numbers, self._values = numbers[order].tolist(), values[order]
        return self.numbers != before

    def _join(self, numbers: np.ndarray, values: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and values of the front of these and the completed ones of some rows, all values finite."""
        chosen = rows.can_be_best
        numbers = np.concatenate([numbers, rows.numbers[chosen]])
        values = np.concatenate([values, rows.values[chosen]])
        is_front = pareto_front(values, self._minimise)
        return numbers[is_front], values[is_front]


def _index(what: str, given: object) -> int:
    try:
        return operator.index(cast("int", given))
    except TypeError:
        raise TypeError(f"{what} must be a whole number, got {given!r:.80}") from None


class TrialStore:
    """Columns and ranking in step, with the subscribers to tell.

    Written by one thread, the search's own; read from any. `_lock` guards the ranking and the list of
    subscribers.
    """

    def __init__(self, space: Space, objectives: tuple[Objective, ...]) -> None:
        self.columns = TrialColumns(space.columns, len(objectives))
        self._num_objectives = len(objectives)
        self._ranking = Ranking(objectives)
        self._lock = threading.Lock()
        self._subscribers: list[tuple[Callable[[], None]]] = []
        self._telling_since: dict[int, float] = {}
        """Thread that calls subscribers to ``time.monotonic()`` at which it has begun to."""

    def put(self, rows: Sequence[TrialRow]) -> None:
        """Write rows into the columns; the caller ranks them with `rank` or `rank_all`."""
        self.columns.put(rows)

    def rank(self, row: TrialRow) -> int | None:
        """Put a row that `put` has written into the ranking, and return the number of the best trial then (`best`)."""
        with self._lock:
            self._rank(row.number, row.values)
            return self._best(0)

    def rank_all(self, rows: Iterable[TrialRow]) -> None:
        """Put rows that `put` has written into the ranking."""
        with self._lock:
            for row in rows:
                self._rank(row.number, row.values)

    def set_remarks(self, remarks: Mapping[int, Remark]) -> bool:
        """Set remarks as `TrialColumns.set_remarks`; whether a trial was left out of the ranking, or taken back."""
        turned = self.columns.set_remarks(remarks)
        with self._lock:
            for number in turned:
                self._rank(number, self.columns.values_of(number))
        return bool(turned)

    def load(self, bulk: Mapping[str, Any]) -> None:
        """Take in all trials of a journal (`JournalReader.columns`)."""
        self.columns.load(bulk)
        counts = bulk["state"] != TrialState.FAILED
        with self._lock:
            self._ranking.load(bulk["number"][counts], bulk["values"][counts])

    def replace(self, bulk: Mapping[str, Any]) -> None:
        """Replace all trials by these; see `TrialColumns.replace`."""
        counts = bulk["state"] != TrialState.FAILED
        with self._lock:  # so that the best trial is always one of those that are there
            self.columns.replace(bulk)
            self._ranking.load(bulk["number"][counts], bulk["values"][counts])

    def put_columns(self, bulk: Mapping[str, Any]) -> None:
        """Show some trials, new or changed, given as columns, and rank them."""
        self.columns.load(bulk)
        numbers = bulk["number"]
        # A trial without a value is not ranked.
        values = np.where(self.columns.are_ranked(numbers)[:, None], bulk["values"], NAN)
        with self._lock:
            self._ranking.put_all(zip(numbers.tolist(), values.tolist(), strict=True))

    def _rank(self, number: int, values: Sequence[float | None] | None) -> None:
        if values is not None and None not in values and self.columns.is_ranked(number):
            self._ranking.put(number, cast("tuple[float, ...]", tuple(values)))
        else:
            self._ranking.discard(number)

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

        Raises
        ------
        TypeError
            When ``k`` is not a whole number.
        """
        most = _index("the number of trials", k)
        with self._lock:
            return list(self._ranking.top(most, accept))

    def best(self, objective: int = 0) -> int | None:
        """The best completed trial by one objective, else the best one with a value.

        This is what "the best trial" means everywhere: in a callback, a status line, a table and a plot. The front of
        several objectives is what `top` begins with. ``IndexError`` when there is no such objective.
        """
        index = _index("the index of an objective", objective)
        if not 0 <= index < self._num_objectives:
            only = "0, as there is one" if self._num_objectives == 1 else f"from 0 to {self._num_objectives - 1}"
            raise IndexError(f"the index of an objective is {only}, got {index}")
        with self._lock:
            return self._best(index)

    def _best(self, objective: int) -> int | None:
        ranking = self._ranking
        best = ranking.best_by(objective, self.columns.is_completed)
        return ranking.best_by(objective) if best is None else best

    def has_ended(self, number: int) -> bool:
        """Whether a trial will not change any more."""
        return self.columns.state_of(number).has_ended

    @property
    def num_subscribers(self) -> int:
        """How many are told of changes."""
        return len(self._subscribers)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after each change; return the function that unsubscribes it."""
        entry = (callback,)  # an object of its own: the same callback may be there twice
        with self._lock:
            self._subscribers = [*self._subscribers, entry]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = [other for other in self._subscribers if other is not entry]

        return unsubscribe

    def notify(self) -> None:
        """Tell all subscribers; they only set a flag. One that raises does not hurt the search."""
        thread = threading.get_ident()
        is_nested = thread in self._telling_since
        self._telling_since.setdefault(thread, time.monotonic())
        try:
            tell(callback for (callback,) in self._subscribers)
        finally:
            if not is_nested:
                del self._telling_since[thread]

    def seconds_told(self, thread: threading.Thread | None) -> float:
        """For how many seconds a thread has been calling subscribers, of which one does not return; else 0."""
        since = None if thread is None or thread.ident is None else self._telling_since.get(thread.ident)
        return 0.0 if since is None else time.monotonic() - since


def tell(subscribers: Iterable[Callable[[], None]]) -> None:
    """Call all subscribers of a search or a race; one that raises hurts neither that nor the others."""
    for subscriber in subscribers:
        try:
            subscriber()
        except KeyboardInterrupt:  # of the person who waits for it on the main thread
            raise
        except BaseException:  # such as asyncio's CancelledError
            logger.exception("a subscriber of the search raised")
