"""Trials: one experiment with Task-like accessors, and the column store behind snapshots.

The column store holds what plots and tables draw, one row a trial, as NumPy columns. What is bulky
(curves, logs, tracebacks) stays in the journal and is read when somebody looks at a trial.
"""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.objectives import Objective

_FIRST_CAPACITY = 256
NAN = float("nan")


class TrialState(enum.IntEnum):
    """Where a trial stands; the integer is what columns and journal keep."""

    QUEUED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    ABORTED = 4
    PRUNED = 5

    @property
    def label(self) -> str:
        """The state's word in tables, details and the journal's exports: ``"completed"``."""
        return self.name.lower()

    @property
    def has_ended(self) -> bool:
        """True for every state that a trial does not leave by itself."""
        return self >= TrialState.COMPLETED


class Column(Protocol):
    """What the store needs to know of one parameter: its name and kind."""

    @property
    def name(self) -> str:
        """Full parameter name."""
        ...

    @property
    def kind(self) -> str:
        """``float``, ``log``, ``int`` or ``choice``."""
        ...


@dataclass(slots=True)
class TrialRow:
    """Everything durable about one trial but its curves and logs; the unit of journal and columns.

    Parameters
    ----------
    number
        The trial's number in its search, from 0; also its row.
    state
        A `TrialState` as int.
    epoch
        The space epoch in which its point was chosen.
    parameters
        The point in ``Space.encode`` form, one entry a parameter, None where it does not apply.
    values, iteration
        One entry an objective; None as long as none was reported.
    started, ended
        Unix seconds; NaN when not yet.
    draw
        How many points the strategy had drawn in this epoch before this one; -1 for points by hand.
    error
        One sentence for a trial that failed or was aborted.
    summary
        ``"title/series"`` to ``[last, iteration, min, iteration, max, iteration, count]``.
    job
        The id that its job has where it runs, such as a ClearML Task's; None on this machine.
    """

    number: int
    state: int
    epoch: int
    parameters: list[float | None]
    values: list[float | None] | None = None
    iteration: list[int | None] | None = None
    started: float = NAN
    ended: float = NAN
    worker: int = -1
    archived: bool = False
    manual: bool = False
    draw: int = -1
    error: str | None = None
    summary: dict[str, list[float]] | None = None
    job: str | None = None


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
    epoch: np.ndarray
    worker: np.ndarray
    archived: np.ndarray
    manual: np.ndarray
    parameters: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.numbers)


class Snapshot(Rows):
    """All trials of a search at one version."""

    __slots__ = ()


class Changes(Rows):
    """Only the trials that changed since an earlier version."""

    __slots__ = ()


class TrialColumns:
    """The column store: growable NumPy columns and a log of which row changed when.

    Written by the search's own thread only (`put`, `set_archived`); any thread may read, and gets
    copies made under the lock. The version is the length of the change log, so `changes_since`
    costs what changed, not what there is.

    Parameters
    ----------
    columns
        One per parameter: kinds ``float``, ``log`` and ``int`` become float64 with NaN where the
        parameter does not apply, ``choice`` int32 indices with -1.
    num_objectives
        Number of objectives, the second axis of ``values``.
    """

    def __init__(self, columns: Sequence[Column], num_objectives: int) -> None:
        self._lock = threading.Lock()
        self._num_rows = 0
        self._log = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._version = 0
        self._names = [column.name for column in columns]
        self._is_choice = [column.kind == "choice" for column in columns]
        self._arrays: dict[str, np.ndarray] = {
            "state": np.zeros(_FIRST_CAPACITY, dtype=np.uint8),
            "values": np.full((_FIRST_CAPACITY, num_objectives), NAN),
            "iteration": np.full((_FIRST_CAPACITY, num_objectives), -1, dtype=np.int64),
            "started": np.full(_FIRST_CAPACITY, NAN),
            "ended": np.full(_FIRST_CAPACITY, NAN),
            "epoch": np.zeros(_FIRST_CAPACITY, dtype=np.int32),
            "worker": np.full(_FIRST_CAPACITY, -1, dtype=np.int16),
            "archived": np.zeros(_FIRST_CAPACITY, dtype=np.bool_),
            "manual": np.zeros(_FIRST_CAPACITY, dtype=np.bool_),
        }
        self._parameters = [
            np.full(_FIRST_CAPACITY, -1, dtype=np.int32) if choice else np.full(_FIRST_CAPACITY, NAN)
            for choice in self._is_choice
        ]
        self._counts = [0] * len(TrialState)

    def __len__(self) -> int:
        return self._num_rows

    @property
    def version(self) -> int:
        """Rises with every change of a row."""
        return self._version

    def counts(self) -> dict[TrialState, int]:
        """Number of trials in each state."""
        with self._lock:
            return dict(zip(TrialState, self._counts, strict=True))

    def state_of(self, number: int) -> TrialState:
        """State of one trial; ``IndexError`` when there is none of that number."""
        with self._lock:
            if not 0 <= number < self._num_rows:
                msg = f"there is no trial {number}: the search has {self._num_rows} so far"
                raise IndexError(msg)
            return TrialState(int(self._arrays["state"][number]))

    def put(self, rows: Sequence[TrialRow]) -> None:
        """Write rows, new or changed, as one step that readers see whole."""
        with self._lock:
            highest = max((row.number for row in rows), default=-1)
            self._reserve(highest + 1, self._version + len(rows))
            arrays = self._arrays
            state, values, iteration = arrays["state"], arrays["values"], arrays["iteration"]
            started, ended, epoch = arrays["started"], arrays["ended"], arrays["epoch"]
            worker, archived, manual = arrays["worker"], arrays["archived"], arrays["manual"]
            for row in rows:
                number = row.number
                if number >= self._num_rows:
                    # Rows that were skipped are queued until they are written.
                    self._counts[TrialState.QUEUED] += number + 1 - self._num_rows
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
                epoch[number] = row.epoch
                worker[number] = row.worker
                archived[number] = row.archived
                manual[number] = row.manual
                for column, encoded in zip(self._parameters, row.parameters, strict=True):
                    if encoded is not None:
                        column[number] = encoded
                self._log[self._version] = number
                self._version += 1

    def load(self, bulk: Mapping[str, Any]) -> None:
        """Write all rows of a journal's bulk columns (`JournalReader.columns`) at once."""
        numbers = np.asarray(bulk["number"], dtype=np.int64)
        if len(numbers) == 0:
            return
        with self._lock:
            size = max(self._num_rows, int(numbers.max()) + 1)
            self._reserve(size, self._version + len(numbers))
            self._num_rows = size
            for name, array in self._arrays.items():
                incoming = np.asarray(bulk[name], dtype=array.dtype)
                array[numbers] = incoming.reshape((len(numbers), *array.shape[1:]))
            points = bulk["parameters"]
            for index, column in enumerate(self._parameters):
                absent = -1 if self._is_choice[index] else NAN
                values = [point[index] for point in points]
                column[numbers] = [absent if value is None else value for value in values]
            self._log[self._version : self._version + len(numbers)] = numbers
            self._version += len(numbers)
            states = np.bincount(self._arrays["state"][:size], minlength=len(TrialState))
            self._counts = states.tolist()

    def archived(self, numbers: Sequence[int]) -> dict[int, bool]:
        """Which of these trials are archived."""
        with self._lock:
            return {number: bool(self._arrays["archived"][number]) for number in numbers}

    def set_archived(self, numbers: Sequence[int], archived: bool) -> None:
        """Hide trials beyond the top k, or show them again."""
        with self._lock:
            self._reserve(0, self._version + len(numbers))
            for number in numbers:
                self._arrays["archived"][number] = archived
                self._log[self._version] = number
                self._version += 1

    def snapshot(self) -> Snapshot:
        """Copies of all columns at the present version."""
        with self._lock:
            rows = np.arange(self._num_rows)
            return Snapshot(**self._copy(rows, self._version))

    def changes_since(self, version: int) -> Changes:
        """Copies of the rows that changed after ``version`` (0: all of them)."""
        with self._lock:
            if version > self._version or version < 0:
                version = 0
            rows = np.unique(self._log[version : self._version])
            return Changes(**self._copy(rows, self._version))

    def _copy(self, rows: np.ndarray, version: int) -> dict[str, Any]:
        copies: dict[str, Any] = {name: array[rows] for name, array in self._arrays.items()}
        copies["parameters"] = {name: column[rows] for name, column in zip(self._names, self._parameters, strict=True)}
        return {"version": version, "numbers": rows, **copies}

    def _reserve(self, num_rows: int, log_length: int) -> None:
        """Grow by doubling, so that a row costs the same however many there are."""
        if log_length > len(self._log):
            grown = np.empty(max(log_length, 2 * len(self._log)), dtype=np.int64)
            grown[: self._version] = self._log[: self._version]
            self._log = grown
        capacity = len(self._arrays["state"])
        if num_rows <= capacity:
            return
        capacity = max(num_rows, 2 * capacity)
        for name, array in self._arrays.items():
            empty = 0 if name in {"state", "epoch", "archived", "manual"} else -1
            self._arrays[name] = _grown(array, capacity, NAN if array.dtype.kind == "f" else empty)
        self._parameters = [
            _grown(column, capacity, -1 if choice else NAN)
            for column, choice in zip(self._parameters, self._is_choice, strict=True)
        ]


def _grown(array: np.ndarray, capacity: int, empty: float) -> np.ndarray:
    grown = np.full((capacity, *array.shape[1:]), empty, dtype=array.dtype)
    grown[: len(array)] = array
    return grown


class TrialSource(Protocol):
    """Where a trial's curves and logs are read from when somebody asks for them."""

    def scalars(self, number: int) -> Sequence[tuple[str, str, float, int]]:
        """All reports of a trial in report order: (title, series, value, iteration)."""
        ...

    def output(self, number: int) -> tuple[str, str, str]:
        """What a trial printed and its traceback: (stdout, stderr, traceback)."""
        ...


@dataclass(frozen=True, repr=False)
class Trial:
    """One evaluation of one point, with the accessors of a ``clearml.Task``.

    Made by a search (`HyperParameterOptimizer.get_top_experiments`, ``Search.trial``); a picture of
    the trial at that moment. Curves and logs are read from the journal when asked for.
    """

    id: str
    """Its job's id where a server gave it one, else ``"<search id>/<number>"``; unique over all searches."""
    number: int
    state: TrialState
    parameters: Mapping[str, object]
    """Full parameter name to its value, with its own type."""
    values: tuple[float | None, ...]
    """One value an objective, None when not reported."""
    iterations: tuple[int | None, ...]
    started: float
    """Unix seconds, NaN when not started."""
    ended: float
    epoch: int
    worker: int
    archived: bool
    manual: bool
    error: str | None
    objectives: tuple[Objective, ...]
    summary: Mapping[str, Sequence[float]] = field(default_factory=dict)
    source: TrialSource | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_row(
        cls,
        row: TrialRow,
        id: str,  # noqa: A002 -- the field's own name
        parameters: Mapping[str, object],
        objectives: tuple[Objective, ...],
        source: TrialSource | None,
    ) -> Trial:
        """The picture of a row, with what a row does not hold: its id and its point in values."""
        nothing: list[None] = [None] * len(objectives)
        return cls(
            id=id,
            number=row.number,
            state=TrialState(row.state),
            parameters=parameters,
            values=tuple(row.values or nothing),
            iterations=tuple(row.iteration or nothing),
            started=row.started,
            ended=row.ended,
            epoch=row.epoch,
            worker=row.worker,
            archived=row.archived,
            manual=row.manual,
            error=row.error,
            objectives=objectives,
            summary=row.summary or {},
            source=source,
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{value:.6g}" for value in self.values if value is not None) or "no value"
        return f"<Trial {self.name} {self.status}: {values}>"

    @property
    def name(self) -> str:
        """Short name for tables: ``"#12"``."""
        return f"#{self.number}"

    @property
    def status(self) -> str:
        """The state's word: ``queued running completed failed aborted pruned``."""
        return self.state.label

    @property
    def value(self) -> float | None:
        """Value of the first objective."""
        return self.values[0] if self.values else None

    @property
    def duration(self) -> float:
        """Seconds from start to end; NaN while it runs."""
        return self.ended - self.started

    @property
    def is_elsewhere(self) -> bool:
        """True when it runs, or ran, as a job of a server, which keeps its curves and its log."""
        return "/" not in self.id

    @property
    def is_partial(self) -> bool:
        """True when it has a value but did not complete: running, pruned or aborted."""
        return self.state is not TrialState.COMPLETED

    def get_parameters(self) -> dict[str, str]:
        """Parameters as strings with their section, as ClearML keeps them."""
        return {name if "/" in name else f"General/{name}": str(value) for name, value in self.parameters.items()}

    def get_last_scalar_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """``{title: {series: {"last": …, "min": …, "max": …}}}`` over all reported scalars."""
        metrics: dict[str, dict[str, dict[str, float]]] = {}
        for key, (last, _, low, _, high, *_rest) in self.summary.items():
            title, series = split_key(key)
            metrics.setdefault(title, {})[series] = {"last": last, "min": low, "max": high}
        return metrics

    def get_reported_scalars(self) -> dict[str, dict[str, dict[str, object]]]:
        """``{title: {series: {"name": series, "x": iterations, "y": values}}}`` in report order."""
        curves: dict[str, dict[str, dict[str, object]]] = {}
        for title, series, value, iteration in self.source.scalars(self.number) if self.source else ():
            curve = curves.setdefault(title, {}).setdefault(series, {"name": series, "x": [], "y": []})
            curve["x"].append(iteration)  # type: ignore[attr-defined]
            curve["y"].append(value)  # type: ignore[attr-defined]
        return curves

    def get_output(self) -> tuple[str, str, str]:
        """What it printed and its traceback, bounded: (stdout, stderr, traceback)."""
        return self.source.output(self.number) if self.source else ("", "", "")


def split_key(key: str) -> tuple[str, str]:
    """``"title/series"`` into its two parts; a title may hold slashes, a series may not."""
    title, _, series = key.rpartition("/")
    return title, series
