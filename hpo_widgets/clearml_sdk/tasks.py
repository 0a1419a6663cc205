"""The Tasks of one search of the SDK as trials: read from the server by one request, ranked, shown, and stopped."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import PRUNED
from hpo_widgets.engines.clearml.poll_thread import ObjectiveIterations
from hpo_widgets.engines.clearml.reading import (
    POLL_FIELDS,
    TaskRecords,
    UnreadableTaskError,
    moment_of,
    page_of,
    read_task,
)
from hpo_widgets.engines.clearml.server import ClearmlError, LazyServer, RequestFailedError, server
from hpo_widgets.objectives import ScalarSummary
from hpo_widgets.search import END_STATUS, SearchStatus
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import NAN, Trial, TrialRow, TrialState
from hpo_widgets.trials.columns import TrialStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.clearml_sdk.watcher import Notices
    from hpo_widgets.engines.base import Summary
    from hpo_widgets.engines.clearml.reading import TaskView
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import StopReason
    from hpo_widgets.space import Space

logger = logging.getLogger("hpo_widgets")

_POLL_ALL_SECONDS = 15.0
"""Seconds between two requests for ended Tasks too: a Task may be completed late, reset or deleted."""

_FIELDS_WITHOUT_SCALARS = [name for name in POLL_FIELDS if name != "last_metrics"]
"""Fields that tell whether anything of an ended Task has changed: a report changes ``last_update``.

With its scalars a Task takes three kilobytes and ten times as long to read.
"""

USER_ABORTED = "user aborted in hpo_widgets"
"""The reason of an abort. The SDK marks a stopped local job as failed unless this begins with "user aborted"."""


@dataclass(slots=True)
class TaskTrial:
    """One Task of the search.

    Attributes
    ----------
    was_withdrawn
        Whether this process took it out of its queue.
    was_stopped
        Whether it was aborted, whatever its process reports afterwards.
    seconds_before, running_since
        How long it had run, by the server's clock, at the last look, and ``time.monotonic()`` of that look; the latter
        is None unless it runs.
    said
        The Task without its scalars, as of the last update, which another with the same would not change; empty: it
        might.
    """

    task_id: str
    row: TrialRow
    point: Mapping[str, Any]
    was_queued: bool = False
    was_withdrawn: bool = False
    was_stopped: bool = False
    num_missed: int = 0
    seconds_before: float = 0.0
    running_since: float | None = None
    said: str = ""

    @property
    def state(self) -> TrialState:
        """The state that is shown."""
        return TrialState(self.row.state)

    @property
    def seconds(self) -> float:
        """How long it has run so far; 0 before its start."""
        since = self.running_since
        return self.seconds_before + (0.0 if since is None else time.monotonic() - since)

    def count_time(self, view: TaskView) -> None:
        """Take over the server's duration; until it grows again, the time since this look is added."""
        if view.state is TrialState.RUNNING:
            self.seconds_before = max(self.seconds, view.seconds or 0.0)
            self.running_since = time.monotonic()
        else:
            if view.seconds is not None:
                self.seconds_before = view.seconds
            self.running_since = None


class TaskTrials:
    """Every Task of one search as a trial; written by one thread, the watcher's, read by any.

    Parameters
    ----------
    space, objectives
        The declared space and the objectives of the search.
    limit
        Returns a limit of the SDK's by the name of the argument that sets it; None: there is none.
    was_pruned
        Returns whether a trial whose Task was stopped was pruned.
    notices
        Where people are told what cannot be read.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        limit: Callable[[str], float | None],
        was_pruned: Callable[[TaskTrial], bool],
        notices: Notices,
    ) -> None:
        self._space = space
        self._objectives = objectives
        self._limit = limit
        self._was_pruned = was_pruned
        self._tell = notices.tell
        self._unreadable: set[str] = set()
        """Tasks of which nothing could be read with the last look at them."""
        self._records = TaskRecords(LazyServer())
        self._iterations = ObjectiveIterations(LazyServer(), objectives, lambda: True)
        self._by_id: dict[str, TaskTrial] = {}
        self._asked_all_at = 0.0
        self.store = TrialStore(space, objectives)
        notices.notify = self.store.notify
        self.all: list[TaskTrial] = []

    # What readers see -----------------------------------------------------------------------------------

    @property
    def active(self) -> list[TaskTrial]:
        """Those that have not ended."""
        return [trial for trial in self.all if not trial.state.has_ended]

    @property
    def num_ended(self) -> int:
        """How many have ended, in whatever state."""
        return len(self.all) - len(self.active)

    @property
    def num_failed_without_result(self) -> int:
        """The number of failed trials while no trial has a value; else 0."""
        return sum(trial.state is TrialState.FAILED for trial in list(self.all)) if self.store.best() is None else 0

    def status_after(self, reason: StopReason) -> SearchStatus:
        """The status of a search that has ended: failed, too, where trials failed and none has a result."""
        without = SearchStatus.FAILED if self.num_failed_without_result else SearchStatus.COMPLETED
        return END_STATUS.get(reason.code, without)

    @property
    def compute_minutes(self) -> float:
        """Minutes of all jobs together, finished and running."""
        return sum(trial.seconds for trial in list(self.all)) / SECONDS_A_MINUTE

    @property
    def num_iterations(self) -> int:
        """Iterations reported, over all trials."""
        return sum(max(0, *(at or 0 for at in trial.row.iteration or [0])) for trial in list(self.all))

    def trial(self, number: int) -> Trial:
        """One trial, with its Task's id; curves and console are read from the server when asked for."""
        if not 0 <= number < len(self.all):
            raise IndexError(f"there is no trial {number}: the search has {len(self.all)} so far")
        found = self.all[number]
        return Trial.from_row(found.row, found.task_id, dict(found.point), self._objectives, self)

    def scalars(self, number: int) -> list[tuple[str, str, float, int]]:
        """All reports of a trial, curve by curve."""
        try:
            return self._records.scalars(self.all[number].task_id)
        except ClearmlError as error:
            self._tell("server", f"the curves of trial {number} cannot be read now: {error}")
            return []

    def scalars_after(self, number: int, after: int) -> tuple[int, list[tuple[str, str, float, int]]]:  # noqa: ARG002
        """All reports, whatever was read before: the server thins curves out, so earlier points may change."""
        return 0, self.scalars(number)

    def output(self, number: int) -> tuple[str, str, str]:
        """The end of a trial's console; the server does not tell output from errors."""
        return self._records.output(self.all[number].task_id)

    def page(self, number: int) -> str | None:
        """Address of the page of a trial's Task."""
        return page_of(self.all[number].task_id)

    def knows(self, task_id: str) -> bool:
        """Whether a Task was added."""
        return task_id in self._by_id

    # What the watcher writes ----------------------------------------------------------------------------

    def add(self, task_id: str, point: Mapping[str, Any], epoch: int, *, is_enqueued: bool = False) -> TaskTrial | None:
        """Add a Task; None when it is known already.

        Parameters
        ----------
        task_id
            The Task's id.
        point
            Full parameter name to value.
        epoch
            The number of the space's version from which the point was drawn.
        is_enqueued
            Whether the point was enqueued by a person. Default False.

        Returns
        -------
        TaskTrial or None
            The new trial; None when the Task is known already.
        """
        if task_id in self._by_id:
            return None
        number = len(self.all)
        row = TrialRow(number, int(TrialState.QUEUED), epoch, self.encode(point), enqueued=is_enqueued, job=task_id)
        trial = self._by_id[task_id] = TaskTrial(task_id, row, dict(point))
        self.all.append(trial)
        return trial

    def encode(self, point: Mapping[str, Any]) -> list[float | None]:
        """Return a point as numbers, as `Space.encode`."""
        try:
            return list(self._space.encode(point))
        except (ValueError, TypeError):
            # A value that the space does not know is shown as absent, so that the trial is shown all the same.
            row: list[float | None] = []
            for name in self._space.names:
                try:
                    row.append(self._space.encode({name: point[name]})[len(row)])
                except (ValueError, TypeError, KeyError):
                    row.append(None)
            return row

    def launch_failed(self, task_id: str, sentence: str) -> TaskTrial | None:
        """End a trial whose job was never launched; None when it has ended already.

        Parameters
        ----------
        task_id
            The Task's id.
        sentence
            Why it was not launched; becomes the trial's error.

        Returns
        -------
        TaskTrial or None
            The trial; None when it is unknown or has ended already.
        """
        trial = self._by_id.get(task_id)
        if trial is None or trial.state.has_ended:
            return None
        row = trial.row
        row.state = int(TrialState.ABORTED if sentence.startswith("not launched") else TrialState.FAILED)
        row.error = sentence
        row.ended = time.time()
        return trial

    def ask(self) -> list[TaskTrial]:
        """Ask the server about all that may have changed, by one request, and return the trials that have.

        Now and then it is asked about those that have ended as well, and about their scalars where anything is new.
        """
        now = time.monotonic()
        asks_all = now - self._asked_all_at >= _POLL_ALL_SECONDS
        asked = self.active
        if asks_all:
            asked += self._changed_since_their_end()
        found = _tasks_of(asked, POLL_FIELDS)
        if asks_all:
            self._asked_all_at = now
        return [trial for trial in asked if self.update(trial, found.get(trial.task_id))]

    def _changed_since_their_end(self) -> list[TaskTrial]:
        """Those that have ended and of whose Tasks something may be new."""
        known = [trial for trial in self.all if trial.state.has_ended and trial.said]
        found = _tasks_of(known, _FIELDS_WITHOUT_SCALARS)
        same = {trial.task_id for trial in known if _said(found.get(trial.task_id)) in {trial.said, ""}}
        return [trial for trial in self.all if trial.state.has_ended and trial.task_id not in same]

    def show(self, changed: Sequence[TaskTrial]) -> None:
        """Put changed trials into columns and ranking; subscribers are not notified."""
        if changed:
            rows = [trial.row for trial in changed]
            self.store.put(rows)
            self.store.rank_all(rows)

    def update(self, trial: TaskTrial, task: Mapping[str, Any] | None) -> bool:
        """Bring a trial up to date with its Task.

        Parameters
        ----------
        trial
            The trial.
        task
            The Task's fields of an answer to ``tasks.get_all``; None: the server does not know it.

        Returns
        -------
        bool
            Whether anything of the trial has changed.
        """
        row = trial.row
        before = _mark(row)
        try:
            view = None if task is None else read_task(task)
        except UnreadableTaskError as error:  # it stays what it was
            if trial.task_id not in self._unreadable:
                self._unreadable.add(trial.task_id)
                self._tell("server", str(error))
            return False
        self._unreadable.discard(trial.task_id)
        is_reset = view is not None and view.state is None and (trial.was_queued or not math.isnan(row.started))
        if view is None or (is_reset and not trial.was_withdrawn):
            # A new Task may not be found yet, and a Task becomes a draft while it is deleted: look twice.
            trial.num_missed += 1
            if trial.num_missed < 2:
                return False
        else:
            trial.num_missed = 0
        if view is None or task is None:
            if not trial.state.has_ended:
                row.state, row.error = int(TrialState.ABORTED), "its Task was deleted on the server"
                row.ended = time.time()
                trial.seconds_before, trial.running_since = trial.seconds, None
            return _mark(row) != before
        self._measure(row, view.summary)
        trial.count_time(view)
        row.archived = "archived" in (task.get("system_tags") or ())
        row.started = _seconds(task.get("started"))
        state, sentence = self._state(trial, view)
        row.state, row.error = int(state), sentence
        if state.has_ended:
            ended = task.get("completed") or task.get("status_changed")
            row.ended = _seconds(ended) if ended else (time.time() if math.isnan(row.ended) else row.ended)
        else:
            row.ended = NAN
        row.duration = trial.seconds if state.has_ended and not math.isnan(row.started) else NAN
        # Why a trial was aborted may be known later: the SDK's study tells, or the curve that could not be read.
        trial.said = _said(task) if state.has_ended and state is not TrialState.ABORTED else ""
        return _mark(row) != before

    def _state(self, trial: TaskTrial, view: TaskView) -> tuple[TrialState, str | None]:
        reason = view.reason or None
        if view.state is None:
            if not math.isnan(trial.row.started) or trial.was_queued:
                return TrialState.ABORTED, reason or "its Task was reset, or taken out of its queue"
            if trial.state.has_ended:  # a draft that was never launched
                return trial.state, trial.row.error
            return TrialState.QUEUED, None
        trial.was_queued = True
        if view.state is TrialState.ABORTED:
            trial.was_stopped = True
            if trial.row.values is not None and self._was_pruned(trial):
                return TrialState.PRUNED, PRUNED
            sentence = self._why_stopped(trial, view) or reason or "its Task was stopped; the server gives no reason"
            return TrialState.ABORTED, sentence
        if view.state is TrialState.FAILED:
            if trial.was_stopped:
                # The process of a local job that was killed counts as failed on the server.
                return (trial.state if trial.state.has_ended else TrialState.ABORTED), trial.row.error or reason
            return view.state, reason or "failed"
        if view.state is TrialState.COMPLETED:
            wrong = self._what_is_missing(trial.row)
            return (TrialState.COMPLETED, None) if wrong is None else (TrialState.FAILED, wrong)
        return view.state, None

    def _measure(self, row: TrialRow, summary: Summary) -> None:
        scalars = summary.scalars
        measured = [
            one.measure(ScalarSummary.from_list(scalars[one.title, one.series]))
            if (one.title, one.series) in scalars
            else None
            for one in self._objectives
        ]
        if any(found is not None for found in measured):
            row.values = [None if found is None else found.value for found in measured]
            row.iteration = [None if found is None else found.iteration for found in measured]
        row.summary = {f"{title}/{series}": list(numbers) for (title, series), numbers in scalars.items()}

    def _why_stopped(self, trial: TaskTrial, view: TaskView) -> str | None:
        """Say which limit of the SDK a stopped Task had reached; None: neither."""
        iterations, minutes = self._limit("max_iteration_per_job"), self._limit("time_limit_per_job")
        # The Task's own iteration is that of any scalar, and may be the resource monitor's seconds.
        if iterations and view.summary.last_iteration >= iterations:
            iteration = self._objective_iteration(view)
            if iteration >= iterations:
                return f"stopped at iteration {iteration} (max_iteration_per_job is {iterations:g})"
        if minutes and trial.seconds >= minutes * SECONDS_A_MINUTE:
            return f"stopped after {minutes:g} minutes (time_limit_per_job)"
        return None

    def _objective_iteration(self, view: TaskView) -> int:
        """The last iteration at which a Task has reported an objective; 0 where it cannot be read now."""
        try:
            return max(self._iterations.newest(view), default=0)
        except ClearmlError as error:  # it is tried again with the next look at ended Tasks
            logger.debug("clearml: %s", error)
            return 0

    def _what_is_missing(self, row: TrialRow) -> str | None:
        values, iterations = row.values or [], row.iteration or []
        for place, one in enumerate(self._objectives):
            value = values[place] if values else None
            if value is None:
                return f"ended without reporting {one.key!r}"
            if math.isnan(value):
                return one.nan_words(iterations[place])
        return None


def _mark(row: TrialRow) -> str:
    # By their repr: a NaN is the same NaN.
    return repr((row.state, row.values, row.started, row.ended, row.archived, row.error, row.summary))


def _tasks_of(trials: Sequence[TaskTrial], fields: list[str]) -> dict[str, Mapping[str, Any]]:
    """Fields of the Tasks of some trials, by id; those that the server does not know are left out."""
    if not trials:
        return {}
    return {task["id"]: task for task in server().tasks([trial.task_id for trial in trials], fields)}


def _said(task: Mapping[str, Any] | None) -> str:
    """What a server says of a Task, but for its scalars; empty where it does not know the Task."""
    return "" if task is None else repr([task.get(name) for name in _FIELDS_WITHOUT_SCALARS])


def _seconds(time_of_server: object) -> float:
    """Unix seconds of a time of the server's; NaN for none."""
    moment = moment_of(time_of_server)
    return NAN if moment is None else moment.timestamp()


# Stopping -----------------------------------------------------------------------------------------------


def abort(trial: TaskTrial) -> None:
    """Take a Task out of its queue, or stop it; raises ``ClearmlError`` when the server does not do so."""
    try:
        if trial.state is TrialState.QUEUED:
            trial.was_queued = trial.was_withdrawn = True
            trial.was_stopped = withdraw(trial.task_id)
        else:
            trial.was_stopped = True
            _stop(trial.task_id)
    except RequestFailedError:
        # Somebody else may have stopped it in this moment, which the server answers with an error.
        if _status(trial.task_id) in {"queued", "in_progress"}:
            raise


def withdraw(task_id: str) -> bool:
    """Take a Task out of its queue; True when an agent took it in this moment, so that it was stopped instead."""
    server().call("tasks.dequeue", task=task_id, status_reason=USER_ABORTED)
    if _status(task_id) != "in_progress":
        return False
    _stop(task_id)
    return True


def _stop(task_id: str) -> None:
    # Without force, which would also have a Task count as stopped that has completed since it was looked at.
    server().call("tasks.stopped", task=task_id, status_reason=USER_ABORTED)


def _status(task_id: str) -> str | None:
    found = server().tasks([task_id], ["id", "status"])
    return str(found[0]["status"]) if found else None
