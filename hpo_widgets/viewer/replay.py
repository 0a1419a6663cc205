"""A journal played back: a `Search` whose state is that of a moment of its history, without its objective.

A journal keeps when each trial started and ended, and when each event happened. It keeps the order of a trial's
reports and not their times: these are spread evenly over the time that the trial ran.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.journal import Journal, JournalError, reported_as_damage
from hpo_widgets.objectives import ScalarSummary
from hpo_widgets.search import COMMANDS, Notice, SearchStatus, check_command, did_nothing
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import TrialStore
from hpo_widgets.viewer.journal_search import JournalSearch
from hpo_widgets.viewer.journal_state import JournalState, split_at_trials
from hpo_widgets.viewer.trial_reader import TrialReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import numpy.typing as npt

    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.export import Extra

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]

logger = logging.getLogger("hpo_widgets")

WHY_NOT = "this is a replay: nothing is run"
"""What every command of a replay answers."""

SPEED = 10.0
"""Seconds of the search that are played in one second, by default."""

_LEAST_WAIT = 0.05
"""Seconds between two steps at least: where more happens in that time, one step shows it all."""


class SearchReplay(JournalSearch):
    """The history of a search as a `Search`: trials appear, report and end, and ranges change, when they did.

    It stands at the beginning until `play`, and stops at the end. The time between two runs of a search that was
    continued is left out. The journal is read once: what is written to it later is not played.

    While it plays, a thread of its own sleeps until something happens in the history. One lock guards the position and
    all state but the columns, which have a lock of their own; all members may be used from any thread.

    Parameters
    ----------
    path
        The journal.
    speed
        Seconds of the search that are played in one second. Default 10.
    clock
        Returns seconds that never go back. Default: ``time.monotonic``.

    Raises
    ------
    JournalError
        When the journal cannot be read.

    Examples
    --------
    >>> OptimizerWidget(replay("digits-20261124-153012-a3f1c2", speed=100))  # doctest: +SKIP
    """

    engine_name = "replay"

    def __init__(self, path: Path, *, speed: float = SPEED, clock: Callable[[], float] = time.monotonic) -> None:
        path = path.absolute()
        self._speed = checked_speed(speed)
        self._clock = clock
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = self._is_playing = False
        self._notices: list[Notice] = []
        with closing(Journal.view(path)) as reader:
            self._searched = reader.search_id
            self._header = JournalState.of(reader)
            _sequence, columns, events = reader.whole()
        at_the_end = JournalState(self._header.header)
        at_the_end.follow(events)
        with reported_as_damage(path, "a trial"):
            at_the_end.check_columns(columns)
        self.id = f"{self._searched}-replay"
        self._state_then = JournalState(self._header.header)
        space, objectives = at_the_end.declared_space, at_the_end.objectives
        self._shown = TrialStore(space, objectives)
        self._trials = TrialReader(path, self._searched, space, objectives, remark=self._shown.columns.remark)
        self._recording = _Recording(columns, events)
        self._num_epochs_in_all = len(at_the_end.ranges.marks)
        self._running: dict[int, _SpreadReports] = {}
        """What each running trial has reported so far, by its place in the columns."""
        self._position = 0.0
        """The position that the state shows."""
        self._since = (0.0, 0.0)
        """While it plays: a time of the clock, and the position at that time."""
        self._show_anew(0.0)

    def __repr__(self) -> str:
        return f"<SearchReplay {self._searched} {self.position:.0f} of {self.duration:.0f} s>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # Where it stands ------------------------------------------------------------------------------

    @property
    def duration(self) -> float:
        """Seconds that the search ran in all."""
        return self._recording.duration

    @property
    def position(self) -> float:
        """Seconds from the beginning, from 0 to `duration`."""
        with self._lock:
            return self._now()

    @property
    def moment(self) -> float:
        """Unix seconds at which the search was at `position`."""
        return self._recording.runs.moment(self.position)

    @property
    def speed(self) -> float:
        """Seconds of the search that are played in one second."""
        return self._speed

    @property
    def num_trials_in_all(self) -> int:
        """Trials that there will be at the end."""
        return len(self._recording)

    @property
    def num_epochs_in_all(self) -> int:
        """Versions of the space that there will be at the end."""
        return self._num_epochs_in_all

    @property
    def is_playing(self) -> bool:
        """Whether time goes on."""
        return self._is_playing

    def moments(self, most: int) -> list[float]:
        """Return positions at which trials had just started or ended, from the beginning to the end.

        Parameters
        ----------
        most
            How many at most; at least 2. Where there are more, they are picked at even intervals of the list.

        Returns
        -------
        list of float
            In ascending order, from 0 to the duration; of several within `_LEAST_WAIT` seconds only the last.
        """
        return self._recording.moments(most)

    def play(self) -> None:
        """Play on from the present position; at the end, from the beginning.

        Raises
        ------
        RuntimeError
            After `close`.
        """
        with self._lock:
            if self._is_closed:
                raise RuntimeError("this replay is closed")
            if self._is_playing:
                return
            if self._position >= self.duration:
                self._show(0.0)
            self._since = (self._clock(), self._position)
            self._is_playing = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hpo_widgets replay", daemon=True)
                self._thread.start()
        self._tell()

    def pause(self) -> None:
        """Stop at the present position."""
        with self._lock:
            self._show(self._now())
            self._is_playing = False
        self._tell()

    def seek(self, position: float) -> None:
        """Go to a position, back or forward; a replay that plays goes on from there.

        Parameters
        ----------
        position
            Seconds from the beginning; bounded to 0 and `duration`.

        Raises
        ------
        ValueError
            When it is not a finite number.
        """
        position = float(position)
        if not math.isfinite(position):
            raise ValueError(f"a position is a number of seconds, got {position}")
        with self._lock:
            self._show(min(max(position, 0.0), self.duration))
            self._since = (self._clock(), self._position)
        self._tell()

    def set_speed(self, speed: float) -> None:
        """Play faster or slower from now on.

        Parameters
        ----------
        speed
            Seconds of the search that are played in one second; above 0.

        Raises
        ------
        ValueError
            When it is not a finite number above 0.
        """
        speed = checked_speed(speed)
        with self._lock:
            self._since = (self._clock(), self._now())
            self._speed = speed
        self._tell()

    def refresh(self) -> None:
        """Show what has happened by now; the replay's thread does so by itself."""
        with self._lock:
            has_changed = self._show(self._now())
            if self._is_playing and self._position >= self.duration:
                self._is_playing, has_changed = False, True
        if has_changed:
            self._shown.notify()

    def close(self) -> None:
        """End playing and close the file; the state stays as it is."""
        with self._lock:
            self._is_closed, self._is_playing = True, False
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._trials.close()

    def _now(self) -> float:
        """Return the position by the clock; the state may still show an earlier one."""
        if not self._is_playing:
            return self._position
        since, position = self._since
        return min(self.duration, position + max(0.0, self._clock() - since) * self._speed)

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception as error:  # whatever it is, people must not look at a replay that stands still in silence
                sentence = str(error)
                if not isinstance(error, JournalError):
                    logger.exception("the search %s could not be played further", self._searched)
                    sentence = f"{self._searched} could not be played further: {type(error).__name__}: {error}"
                with self._lock:
                    self._is_playing = False
                    self._notices = [Notice("journal", sentence)]
                self._shown.notify()
            with self._lock:
                if not self._is_playing:
                    self._thread = None
                    return
                seconds = (self._recording.next_after(self._position, self._running) - self._now()) / self._speed
            self._wake.wait(max(_LEAST_WAIT, seconds))
            self._wake.clear()

    def _tell(self) -> None:
        """Have the thread and all subscribers look again."""
        self._wake.set()
        self._shown.notify()

    # The state at a position ----------------------------------------------------------------------

    def _show(self, position: float) -> bool:
        """Bring the state to a position, and return whether that changed it."""
        if position < self._position:
            self._show_anew(position)
            return True
        recording, before = self._recording, self._position
        places = recording.changed(before, position)
        reporting = [place for place, reports in self._running.items() if reports.take(position)]
        places = np.union1d(places, np.array(reporting, dtype=np.int64))
        self._running = {one: reports for one, reports in self._running.items() if recording.end[one] > position}
        self._position = position
        events = recording.events_between(before, position)
        first, others = split_at_trials(events)
        self._state_then.follow(first)
        if len(places):
            self._shown.put_columns(self._columns_of(places, position))
        self._state_then.follow(others)
        if self._state_then.take_remarks():
            self._shown.set_remarks(self._state_then.remarks)
        return bool(len(places) or events)

    def _show_anew(self, position: float) -> None:
        """Bring the state to a position, built from the beginning: trials that had not begun then disappear."""
        self._state_then = JournalState(self._header.header)
        self._running, self._position = {}, position
        places = np.arange(self._recording.num_begun(position))
        self._shown.replace(self._columns_of(places, position))
        self._state_then.follow(self._recording.events_between(-math.inf, position))
        self._shown.set_remarks(self._state_then.remarks)

    def _columns_of(self, places: Places, position: float) -> dict[str, Any]:
        """Return some trials as columns, as they were at a position."""
        columns = self._recording.columns_at(places, position)
        for at in np.flatnonzero(columns["state"] == TrialState.RUNNING).tolist():
            reports = self._reports_of(int(places[at]), position)
            for index, objective in enumerate(self.objectives):
                measure = objective.measure(reports.summaries.get(objective.key))
                if measure is not None:
                    columns["values"][at, index], columns["iteration"][at, index] = measure.value, measure.iteration
            columns["last_iteration"][at] = reports.last_iteration
        return columns

    def _reports_of(self, place: int, position: float) -> _SpreadReports:
        if place not in self._running:
            recording = self._recording
            scalars = self._trials.scalars(int(recording.numbers[place]))
            end = min(float(recording.end[place]), recording.duration)
            self._running[place] = _SpreadReports(scalars, float(recording.start[place]), end)
            self._running[place].take(position)
        return self._running[place]

    # What can be read -----------------------------------------------------------------------------

    @property
    def _state(self) -> JournalState:
        return self._state_then

    @property
    def status(self) -> SearchStatus:
        """What the search was doing."""
        # No event tells that the process died: its search counts as running, or paused, until the recording ends.
        is_over = self._position >= self.duration
        status = self._state_then.status(owner_is_alive=not is_over)
        return SearchStatus.STOPPED if is_over and status.is_alive else status

    @property
    def elapsed_minutes(self) -> float:
        """Minutes that the search had run."""
        began, before = self._state_then.run_began, self._state_then.wall_before
        return before if began is None else before + max(0.0, self.moment - began) / SECONDS_A_MINUTE

    @property
    def errors(self) -> Sequence[Notice]:
        """What had gone wrong beside trials."""
        return [*self._state_then.notices, *self._notices]

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Every command, with the sentence that says why it does nothing."""
        return dict.fromkeys(COMMANDS, WHY_NOT)

    def command(self, name: str, *arguments: object) -> None:  # noqa: ARG002 -- as of a search that does something
        """Do nothing, and say why in ``errors``."""
        check_command(name)
        self._notices = [Notice("command", did_nothing(name, WHY_NOT))]
        self._shown.notify()

    def _extras_of(self, rows: Rows) -> Mapping[int, Extra]:
        # What the journal has of a trial is how it was at its end.
        return self._trials.extras(rows.where(rows.state > TrialState.RUNNING))

    def trial(self, number: int) -> Trial:
        """One trial as it was; one that had not begun is queued, without a value."""
        trial = self._trials.trial(number)
        with self._lock:
            place = int(np.searchsorted(self._recording.numbers, number))
            if place == len(self._recording):
                raise IndexError(f"there is no trial {number} in this replay, which has {place} in all")
            at = self._columns_of(np.array([place]), self._position)
            state = TrialState(int(at["state"][0]))
            if state.has_ended:
                return trial
            reports = self._running.get(place)
            nothing: list[float | None] = [None] * len(self.objectives)
            values = [None if np.isnan(value) else float(value) for value in at["values"][0]]
            return replace(
                trial,
                state=state,
                values=tuple(values if reports else nothing),
                iterations=tuple(None if one < 0 else int(one) for one in at["iteration"][0]),
                started=float(at["started"][0]),
                ended=math.nan,
                duration=math.nan,
                worker=int(at["worker"][0]),
                error=None,
                summary={} if reports is None else {key: one.to_list() for key, one in reports.summaries.items()},
                source=_SoFar([] if reports is None else reports.taken),
            )

    @property
    def _store(self) -> TrialStore:
        return self._shown

    @property
    def _seen_at(self) -> float:
        return self.moment


def checked_speed(speed: object) -> float:
    """Return a speed; raises a ``ValueError`` for anything but a finite number above 0."""
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < math.inf:
        raise ValueError(f"speed is a number above 0, such as 10, got {speed!r:.80}")
    return float(speed)


class _Runs:
    """The runs of a search, one after the other: seconds of running time from Unix seconds, and back.

    Parameters
    ----------
    begins, ends
        Unix seconds, shape (n,); rising, n at least 1.
    """

    def __init__(self, begins: Sequence[float], ends: Sequence[float]) -> None:
        edges = np.maximum.accumulate(np.stack([begins, ends], axis=1).ravel())
        self._begins, self._lengths = edges[::2], edges[1::2] - edges[::2]
        self._offsets = np.concatenate([[0.0], np.cumsum(self._lengths)[:-1]])
        self.duration = float(self._lengths.sum())

    @classmethod
    def of(cls, columns: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> _Runs:
        """Find the runs: from each start to its end or, when its process died, to the last time that is recorded."""
        times = np.concatenate([columns["started"], columns["ended"], [event["at"] for event in events]])
        times = np.sort(times[np.isfinite(times)])
        if not len(times):
            return cls([0.0], [0.0])
        begins = [event["at"] for event in events if event["kind"] == "start"] or [float(times[0])]
        ends = []
        for begin, following in zip(begins, [*begins[1:], math.inf], strict=True):
            said = [event["at"] for event in events if event["kind"] == "end" and begin <= event["at"] < following]
            known = times[times < following]
            ends.append(said[0] if said else max(begin, float(known[-1]) if len(known) else begin))
        return cls(begins, ends)

    def positions(self, moments: Floats) -> Floats:
        """Return the positions of moments; NaN stays NaN. What lies between two runs is where they meet."""
        index = np.clip(np.searchsorted(self._begins, moments, side="right") - 1, 0, None)
        within: Floats = np.clip(moments - self._begins[index], 0.0, self._lengths[index])
        return self._offsets[index] + within

    def moment(self, position: float) -> float:
        """Return when a position was, Unix seconds."""
        index = max(0, int(np.searchsorted(self._offsets, position, side="right")) - 1)
        return float(self._begins[index] + min(position - self._offsets[index], self._lengths[index]))


class _Recording:
    """What happened in a search, in order; never changed.

    Parameters
    ----------
    columns
        All trials at the end.
    events
        All events, in order.

    Attributes
    ----------
    numbers : ndarray of int, shape (n,)
        Number of each trial.
    begin, start, end : ndarray, shape (n,)
        Positions at which each trial appears, starts to run and has ended; infinite where it never did.
    """

    def __init__(self, columns: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
        self._columns = columns
        # A report repeats what trials tell, and says nothing of the state.
        self._events = [event for event in events if event["kind"] != "report"]
        self.runs = _Runs.of(columns, self._events)
        self.duration = self.runs.duration
        at = self.runs.positions(np.array([event["at"] for event in self._events], dtype=float))
        self._event_at: Floats = np.maximum.accumulate(at) if len(at) else at
        self.numbers: Places = columns["number"]
        start, end = self.runs.positions(columns["started"]), self.runs.positions(columns["ended"])
        # A trial that has ended at an unknown time counts as ended at the end.
        has_ended = columns["state"] >= TrialState.COMPLETED
        end = np.where(has_ended & np.isnan(end), self.duration, end)
        self.start: Floats = np.where(np.isnan(start), math.inf, start)
        # The clock may have been set back while it ran.
        end = np.where(np.isinf(self.start), end, np.maximum(end, self.start))
        self.end: Floats = np.where(has_ended, end, math.inf)
        # Trials are numbered when they are made, so each appears no later than the next one. For trials that wait for
        # ever no time is recorded: they appear at the end.
        known = np.minimum(np.minimum(self.start, self.end), self.duration)
        self.begin: Floats = np.minimum.accumulate(known[::-1])[::-1]
        self._starts, self._ends = np.argsort(self.start, kind="stable"), np.argsort(self.end, kind="stable")
        self._start_at, self._end_at = self.start[self._starts], self.end[self._ends]

    def __len__(self) -> int:
        return len(self.numbers)

    def num_begun(self, position: float) -> int:
        """How many trials have appeared at a position; they are the first ones."""
        return int(np.searchsorted(self.begin, position, side="right"))

    def changed(self, before: float, position: float) -> Places:
        """Return the places of the trials that began, started or ended after one position up to another."""
        found = [np.arange(self.num_begun(before), self.num_begun(position))]
        for order, at in ((self._starts, self._start_at), (self._ends, self._end_at)):
            first, last = np.searchsorted(at, (before, position), side="right")
            found.append(order[first:last])
        return np.unique(np.concatenate(found))

    def events_between(self, before: float, position: float) -> list[Mapping[str, Any]]:
        """Return the events after one position up to another."""
        first, last = np.searchsorted(self._event_at, (before, position), side="right")
        return self._events[first:last]

    def next_after(self, position: float, running: Mapping[int, _SpreadReports]) -> float:
        """Return the position at which something happens next, at most the end."""
        following = [reports.next_at for reports in running.values()]
        for at in (self._event_at, self.begin, self._start_at, self._end_at):
            index = int(np.searchsorted(at, position, side="right"))
            if index < len(at):
                following.append(float(at[index]))
        return min([*following, self.duration])

    def moments(self, most: int) -> list[float]:
        """Return positions at which trials had just started or ended; see `SearchReplay.moments`."""
        at = np.unique(np.concatenate([[0.0], self.start, self.end]))
        first, found = -math.inf, list[float]()
        for position in at[at < self.duration].tolist():
            # A worker starts its next trial an instant after the last one.
            if position - first < _LEAST_WAIT:
                found[-1] = position
            else:
                first = position
                found.append(position)
        between = np.array(found[1:])
        if len(between) > most - 2:
            between = between[np.round(np.linspace(0, len(between) - 1, most - 2)).astype(np.int64)]
        return list(dict.fromkeys([0.0, *between.tolist(), self.duration]))

    def columns_at(self, places: Places, position: float) -> dict[str, Any]:
        """Return some trials as columns, as they were at a position, without the reports of those that run."""
        columns = {name: np.array(column[places]) for name, column in self._columns.items()}
        has_ended, has_started = self.end[places] <= position, self.start[places] <= position
        waits = ~has_ended & ~has_started
        columns["state"][~has_ended] = TrialState.RUNNING
        columns["state"][waits] = TrialState.QUEUED
        columns["started"][waits] = math.nan
        columns["worker"][waits] = -1
        for name, nothing in (("ended", math.nan), ("duration", math.nan), ("values", math.nan), ("iteration", -1)):
            columns[name][~has_ended] = nothing
        columns["last_iteration"][~has_ended] = -1
        return columns


class _SpreadReports:
    """The reports of a trial that runs, spread evenly over its time.

    Parameters
    ----------
    scalars
        All of them, in order: title, series, value, iteration.
    start, end
        Positions between which it runs.

    Attributes
    ----------
    taken : list of tuple
        Those that were made so far.
    summaries : dict of str to ScalarSummary
        The same, summed up by ``"title/series"``.
    last_iteration : int
        The highest iteration of them; -1 before the first.
    """

    def __init__(self, scalars: Sequence[tuple[str, str, float, int]], start: float, end: float) -> None:
        self._scalars = scalars
        self._at = np.linspace(start, end, len(scalars) + 2)[1:-1]
        self.taken: list[tuple[str, str, float, int]] = []
        self.summaries: dict[str, ScalarSummary] = {}
        self.last_iteration = -1

    @property
    def next_at(self) -> float:
        """The position of the next one; infinite after the last."""
        count = len(self.taken)
        return float(self._at[count]) if count < len(self._at) else math.inf

    def take(self, position: float) -> bool:
        """Take those that were made up to a position, which never goes back; returns whether there were any."""
        before = len(self.taken)
        for report in self._scalars[before : int(np.searchsorted(self._at, position, side="right"))]:
            title, series, value, iteration = report
            self.summaries.setdefault(f"{title}/{series}", ScalarSummary()).update(value, iteration)
            self.last_iteration = max(self.last_iteration, iteration)
            self.taken.append(report)
        return len(self.taken) > before


class _SoFar:
    """What a trial that runs has reported; what it prints is known at its end only.

    Parameters
    ----------
    reports
        The reports, in order.
    """

    def __init__(self, reports: Sequence[tuple[str, str, float, int]]) -> None:
        self._reports = list(reports)

    def scalars(self, _number: int) -> Sequence[tuple[str, str, float, int]]:
        """All reports so far."""
        return self._reports

    def scalars_after(self, _number: int, _after: int) -> tuple[int, Sequence[tuple[str, str, float, int]]]:
        """All reports so far, whatever was read before."""
        return 0, self._reports

    def output(self, _number: int) -> tuple[str, str, str]:
        """Nothing."""
        return "", "", ""

    def page(self, _number: int) -> None:
        """None: the server shows how it ended."""
        return
