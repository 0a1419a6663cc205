"""The Tasks of a live controller of the SDK as trials: one request for all of them, and what follows from it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.clearml.curves import TaskRecords
from hpo_widgets.engines.clearml.reading import POLL_FIELDS, moment_of, read_task
from hpo_widgets.engines.clearml.server import ClearmlError, server
from hpo_widgets.objectives import ScalarSummary
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.engines.base import Summary
    from hpo_widgets.engines.clearml.reading import TaskView
    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space

FIELDS = [*POLL_FIELDS, "system_tags"]


@dataclass(slots=True)
class Child:
    """One Task that the controller has made."""

    task_id: str
    row: TrialRow
    point: Mapping[str, Any]
    was_queued: bool = False
    was_stopped: bool = False
    """It was aborted, whatever its process says of itself afterwards."""
    num_missed: int = 0

    @property
    def state(self) -> TrialState:
        """Where it stands."""
        return TrialState(self.row.state)

    @property
    def seconds(self) -> float:
        """How long it has run so far; 0 before its start."""
        started, ended = self.row.started, self.row.ended
        if math.isnan(started):
            return 0.0
        # The server's clock may be ahead of ours.
        return max(0.0, (time.time() if math.isnan(ended) else ended) - started)


class Judge:
    """What a controller knows of a stopped Task that the server does not say."""

    def __init__(self, strategy: Any, get_study: Callable[[], Any]) -> None:
        self._strategy = strategy
        self._get_study = get_study

    def stopped(self, child: Child, iteration: int) -> tuple[TrialState, str | None]:
        """State and sentence of a Task that was stopped: pruned, done with its iterations, over time, or aborted."""
        strategy = self._strategy
        limit = strategy.max_iteration_per_job
        if self._was_pruned(child.point) and child.row.values is not None:
            return TrialState.PRUNED, "pruned: behind the others at the same iteration"
        if limit and iteration >= limit and child.row.values is not None:
            return TrialState.COMPLETED, None
        minutes = strategy.time_limit_per_job
        if minutes and child.seconds >= minutes * 60.0:
            return TrialState.ABORTED, f"aborted after {minutes:g} minutes (time_limit_per_job)"
        return TrialState.ABORTED, None

    def _was_pruned(self, point: Mapping[str, Any]) -> bool:
        study = self._get_study()
        if study is None:
            return False
        return any(trial.state.name == "PRUNED" and trial.params == point for trial in study.get_trials(deepcopy=False))


class Children:
    """Every Task that one controller has made, as rows; written by one thread.

    Parameters
    ----------
    space, objectives
        The search's; the space as declared.
    judge
        Says how a stopped Task ended.
    """

    def __init__(self, space: Space, objectives: tuple[Objective, ...], judge: Judge) -> None:
        self._space = space
        self._objectives = objectives
        self._judge = judge
        self._by_id: dict[str, Child] = {}
        self.all: list[Child] = []

    def add(self, task_id: str, point: Mapping[str, Any], epoch: int, *, manual: bool) -> Child | None:
        """Know a Task; None when it is known already."""
        if task_id in self._by_id:
            return None
        row = TrialRow(len(self.all), int(TrialState.QUEUED), epoch, self._encode(point), manual=manual, job=task_id)
        child = Child(task_id, row, dict(point))
        self._by_id[task_id] = child
        self.all.append(child)
        return child

    def _encode(self, point: Mapping[str, Any]) -> list[float | None]:
        try:
            return list(self._space.encode(point))
        except (ValueError, TypeError):
            # A value that the space does not know is shown as absent rather than the trial not at all.
            row: list[float | None] = []
            for name in self._space.names:
                try:
                    row.append(self._space.encode({name: point[name]})[len(row)])
                except (ValueError, TypeError, KeyError):
                    row.append(None)
            return row

    @property
    def active(self) -> list[Child]:
        """Those that have not ended."""
        return [child for child in self.all if not child.state.has_ended]

    def read(self, api: Server, children: Sequence[Child]) -> list[Child]:
        """Ask the server about Tasks, by one request, and return those that have changed."""
        found = {task["id"]: task for task in api.tasks([child.task_id for child in children], FIELDS)}
        return [child for child in children if self._take(child, found.get(child.task_id))]

    def launch_failed(self, task_id: str, sentence: str) -> Child | None:
        """End a trial whose job was never launched; None when it has ended already."""
        child = self._by_id.get(task_id)
        if child is None or child.state.has_ended:
            return None
        row = child.row
        row.state = int(TrialState.ABORTED if sentence.startswith("not launched") else TrialState.FAILED)
        row.error = sentence
        row.ended = time.time()
        return child

    def _take(self, child: Child, task: Mapping[str, Any] | None) -> bool:
        """Bring a row up to what the server says; True when that changed it."""
        row = child.row
        before = _mark(row)
        if task is None:
            # A Task that was made a moment ago may not be found yet.
            child.num_missed += 1
            if child.num_missed > 1 and not child.state.has_ended:
                row.state, row.error = int(TrialState.ABORTED), "its Task was deleted on the server"
                row.ended = time.time()
            return _mark(row) != before
        child.num_missed = 0
        view = read_task(task)
        self._measure(child, view.summary)
        row.archived = "archived" in (task.get("system_tags") or ())
        row.started = _seconds(task.get("started"))
        state, sentence = self._state(child, view)
        row.state, row.error = int(state), sentence
        if state.has_ended:
            ended = task.get("completed") or task.get("status_changed")
            row.ended = _seconds(ended) if ended else (time.time() if math.isnan(row.ended) else row.ended)
        else:
            row.ended = NAN
        return _mark(row) != before

    def _state(self, child: Child, view: TaskView) -> tuple[TrialState, str | None]:
        reason = view.reason or None
        if view.state is None:
            if not math.isnan(child.row.started) or child.was_queued:
                return TrialState.ABORTED, reason or "it was taken out of the queue, or reset, before it ran"
            if child.state.has_ended:  # a draft that was never launched
                return child.state, child.row.error
            return TrialState.QUEUED, None
        child.was_queued = True
        if view.state is TrialState.ABORTED:
            child.was_stopped = True
            state, sentence = self._judge.stopped(child, view.summary.last_iteration)
            return state, sentence or (reason if state is TrialState.ABORTED else None)
        if view.state is TrialState.FAILED:
            if child.was_stopped:
                # The process of a local job that was killed counts as failed on the server.
                return (child.state if child.state.has_ended else TrialState.ABORTED), child.row.error or reason
            return view.state, reason or "failed"
        if view.state is TrialState.COMPLETED:
            wrong = self._lacks(child)
            return (TrialState.COMPLETED, None) if wrong is None else (TrialState.FAILED, wrong)
        return view.state, None

    def _measure(self, child: Child, summary: Summary) -> None:
        row, scalars = child.row, summary.scalars
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

    def _lacks(self, child: Child) -> str | None:
        values, iterations = child.row.values or [], child.row.iteration or []
        for place, one in enumerate(self._objectives):
            value = values[place] if values else None
            if value is None:
                return f"ended without reporting {one.key!r}"
            if math.isnan(value):
                return f"{one.key} is NaN at iteration {iterations[place]}"
        return None


def _mark(row: TrialRow) -> str:
    # By their repr: a NaN is the same NaN.
    return repr((row.state, row.values, row.started, row.ended, row.archived, row.error, row.summary))


def _seconds(time_of_server: object) -> float:
    """Unix seconds of a time of the server's; NaN for none."""
    moment = moment_of(time_of_server)
    return NAN if moment is None else moment.timestamp()


class TaskSource:
    """Curves and console of one search's Tasks, read when somebody looks at a trial."""

    def __init__(self, get_child: Callable[[int], Child], tell: Callable[[str], None]) -> None:
        self._get_child = get_child
        self._tell = tell
        self._records: TaskRecords | None = None

    @property
    def records(self) -> TaskRecords:
        """What reads them, signed in at the first question."""
        if self._records is None:
            self._records = TaskRecords(server())
        return self._records

    def scalars(self, number: int) -> list[tuple[str, str, float, int]]:
        """All reports of a trial, curve by curve."""
        try:
            return self.records.scalars(self._get_child(number).task_id)
        except ClearmlError as error:
            self._tell(f"the curves of trial {number} cannot be read now: {error}")
            return []

    def output(self, number: int) -> tuple[str, str, str]:
        """The end of a trial's console; the server does not tell output from errors."""
        try:
            return self.records.output(self._get_child(number).task_id)
        except ClearmlError as error:
            return f"The console of this trial cannot be read now: {error}", "", ""
