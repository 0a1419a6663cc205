"""A search for tests, in which trials and changes of status happen only when the test calls for them.

It implements the `Search` protocol with the real space, columns and budget, without threads, clocks or
workers, so that a widget on it can be tested to the last trait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets._messages import printable
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search import COMMANDS, Notice, SearchStatus, StopReason, check_command
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.limits import optional_positive_int, positive_minutes
from hpo_widgets.search.readable import ReadableSearch
from hpo_widgets.space import RangeChange, Space
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.trials import Trial, TrialRow, TrialState
from hpo_widgets.trials.columns import TrialStore
from hpo_widgets.trials.trial import checked_note, checked_tags

if TYPE_CHECKING:
    import datetime as dt

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space.range_history import EpochMark

_START = 1_700_000_000.0
_NOT_WHILE_IDLE = "The search has not started."
_NOT_WHILE_ALIVE = "The search is running already."


def _default_parameters() -> list[Any]:
    return [
        LogUniformParameterRange("lr", -4, -1),
        UniformParameterRange("dropout", 0.0, 0.5),
        UniformIntegerParameterRange("layers", 1, 6),
        DiscreteParameterRange("activation", ["relu", "tanh", "logistic"]),
    ]


class ScriptedSearch(ReadableSearch):
    """A `Search` that does what its script says.

    Parameters
    ----------
    parameters
        The space; by default four parameters of four kinds.
    titles, series, signs
        The objectives, as for the controller: strings, or sequences of equal length.
    name
        Name of the search.
    limits
        Hard bounds of the space.
    obeys
        Whether commands are acted on at once. Without it they are only recorded.
    seed
        Seed of the points that are drawn for trials without one.
    jobs, iterations, compute_minutes, wall_minutes
        The limits of its budget: trials, iterations, minutes of all trials together, minutes since the start.

    Attributes
    ----------
    commands : list of tuple
        Every command that was asked for: its name and its arguments, ranges as whole ones.
    now : float
        The search's clock, Unix seconds; only `advance` moves it.

    Examples
    --------
    >>> search = ScriptedSearch(jobs=100)
    >>> search.command("start")
    >>> search.add_trial(value=0.25)
    0
    >>> search.best_trial.number
    0
    """

    def __init__(
        self,
        parameters: Sequence[Any] | None = None,
        *,
        titles: str | Sequence[str] = "validation",
        series: str | Sequence[str] = "loss",
        signs: str | Sequence[str] = "min",
        name: str = "scripted",
        limits: Mapping[str, Any] | None = None,
        obeys: bool = True,
        seed: int = 0,
        jobs: int | None = None,
        iterations: int | None = None,
        compute_minutes: float | None = None,
        wall_minutes: float | None = None,
    ) -> None:
        self.id = f"{name}-0"
        self.name = name
        self.engine_name = "this machine"
        self.strategy_name = "script"
        space = Space(_default_parameters() if parameters is None else parameters, limits)
        self._objectives = make_objectives(titles, series, signs)
        self._status = SearchStatus.IDLE
        self.stop_reason: StopReason | None = None
        self.budget = Budget(
            Limit(optional_positive_int("jobs", jobs)),
            Limit(optional_positive_int("iterations", iterations)),
            Limit(positive_minutes("compute_minutes", compute_minutes)),
            Limit(positive_minutes("wall_minutes", wall_minutes)),
        )
        self.max_number_of_concurrent_tasks = 2
        self.num_waiting_points = 0  # an enqueued point becomes a queued trial at once
        self.errors: list[Notice] = []
        self.refusals: dict[str, str] = {}
        self.commands: list[tuple[Any, ...]] = []
        self.now = _START
        self._ranges = RangeHistory(space, clock=lambda: self.now)
        self._obeys = obeys
        self._random = np.random.default_rng(seed)
        self._trials_shown = TrialStore(space, self._objectives)
        self._trials: list[Trial] = []
        self._reports = _Reports()

    # -- the script --------------------------------------------------------------------------

    def add_trial(
        self,
        value: float | Sequence[float] | None = None,
        point: Mapping[str, Any] | None = None,
        *,
        state: TrialState = TrialState.COMPLETED,
        error: str | None = None,
        seconds: float = 1.0,
    ) -> int:
        """Add a trial, ended or not, and tell the subscribers.

        Parameters
        ----------
        value
            The value of the objective, the same for each of several, or one value per objective; None: not reported.
        point
            Full parameter name to value; by default drawn from the space.
        state, error, seconds
            Its state, the sentence of a failure, and how long it took.

        Returns
        -------
        int
            The trial's number.
        """
        number = self._add(value, point, state, error, seconds)
        self.changed()
        return number

    def add_trials(self, values: Sequence[float | None], state: TrialState = TrialState.COMPLETED) -> None:
        """Add many trials at once, each with one value; the subscribers are told once.

        Parameters
        ----------
        values
            One value per trial; None: it reported none.
        state
            The state of them all. Default completed.
        """
        points = self.space.points(self._random.random((len(values), self.space.num_dimensions)))
        rows = [
            self._row(value, point, state, None, 1.0, at)
            for at, (value, point) in enumerate(zip(values, points, strict=True))
        ]
        self._trials.extend(self._trial(row, point) for row, point in zip(rows, points, strict=True))
        self._show(rows)
        self.changed()

    def end_trial(
        self,
        number: int,
        value: float | None = None,
        state: TrialState = TrialState.COMPLETED,
        error: str | None = None,
    ) -> None:
        """End a trial that was added as queued or running.

        Parameters
        ----------
        number
            The trial's number.
        value
            Its value. Default None: it reported none.
        state
            How it ended. Default completed.
        error
            One sentence for a trial that failed or was aborted. Default None.
        """
        trial = self._trials[number]
        row = self._row(value, dict(trial.parameters), state, error, self.now - trial.started, 0)
        row.number, row.enqueued = number, trial.enqueued
        self._trials[number] = self._trial(row, dict(trial.parameters))
        self._show([row])
        self.changed()

    def report(self, number: int, values: Sequence[float], scalar: tuple[str, str] | None = None) -> None:
        """Have a trial report values at the iterations that follow those it has reported, from 0.

        Parameters
        ----------
        number
            The trial's number.
        values
            The values.
        scalar
            Title and series. Default: those of the first objective.
        """
        title, series = (self.objectives[0].title, self.objectives[0].series) if scalar is None else scalar
        reports = self._reports.of_trials.setdefault(number, [])
        first = sum(one[:2] == (title, series) for one in reports)
        reports.extend((title, series, value, first + at) for at, value in enumerate(values))
        self.changed()

    def set_status(self, status: SearchStatus | str, reason: StopReason | None = None) -> None:
        """Change the status, with the reason when it is an end.

        Parameters
        ----------
        status
            The status, or its word.
        reason
            Why it ended. Default None.
        """
        self._status = SearchStatus(status)
        self.stop_reason = reason
        self.changed()

    def notify(self, source: str, sentence: str) -> None:
        """Add a notice.

        Parameters
        ----------
        source
            What it is about, in a word.
        sentence
            What people should know.
        """
        self.errors.append(Notice(source, sentence, self.now))
        self.changed()

    def refuse(self, command: str, reason: str) -> None:
        """Make a command unavailable.

        Parameters
        ----------
        command
            One of `COMMANDS`.
        reason
            Why it is unavailable; the sentence that the panel shows.
        """
        self.refusals[command] = reason
        self.changed()

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds
        if self.status.is_alive:
            self.budget.wall_minutes.used += seconds / 60
        self.changed()

    def _show(self, rows: Sequence[TrialRow]) -> None:
        self._trials_shown.put(rows)
        self._trials_shown.rank_all(rows)

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Begin a space epoch with other ranges."""
        self._ranges.set_ranges(ranges, len(self._trials))
        self.changed()

    def set_priors(self, priors: Mapping[str, Any]) -> None:
        """Begin a space epoch with other priors."""
        self._ranges.set_priors(priors, len(self._trials))
        self.changed()

    def changed(self) -> None:
        """Tell the subscribers, as a search does after every change."""
        self._trials_shown.notify()

    @property
    def num_subscribers(self) -> int:
        """How many are told of changes."""
        return self._trials_shown.num_subscribers

    # -- the Search protocol -----------------------------------------------------------------

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self._objectives

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        return self._status

    @property
    def _store(self) -> TrialStore:
        return self._trials_shown

    @property
    def _declared_space(self) -> Space:
        return self._ranges.first_space

    def get_time_limit(self) -> dt.datetime | None:
        """None: only `advance` moves its clock."""
        return None

    def reached_time_limit(self) -> bool:
        """Whether nothing is left of the minutes of its budget."""
        return self.budget.wall_minutes.exceeded

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._ranges.space

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far, the first included."""
        return self._ranges.marks

    @property
    def elapsed_minutes(self) -> float:
        """Minutes since the start; -1 before it."""
        return -1.0 if self.status is SearchStatus.IDLE else self.budget.wall_minutes.used

    @property
    def total_max_jobs(self) -> int | None:
        """Limit of jobs, None for none."""
        limit = self.budget.jobs.limit
        return None if limit is None else int(limit)

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command name to None when it is available now, else to the reason; see `refuse`."""
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        possible["start"] = _NOT_WHILE_ALIVE if self.status.is_alive else None
        for name in ("pause", "resume", "stop"):
            possible[name] = None if self.status.is_alive else _NOT_WHILE_IDLE
        possible["undo"] = None if self._ranges.can_undo else "There is no change of ranges to undo."
        possible["redo"] = None if self._ranges.can_redo else "There is no change of ranges to redo."
        return possible | self.refusals

    def failed_points(self) -> list[int]:
        """Find the points that have failed and that nothing else has become of: the number of a trial of each."""
        return self.snapshot().failed_points()

    def trial(self, number: int) -> Trial:
        """One trial."""
        trial, remark = self._trials[number], self._trials_shown.columns.remark(number)
        return replace(trial, state=TrialState.LEFT_OUT if remark.left_out else trial.state)

    def command(self, name: str, *arguments: Any) -> None:
        """Record a command and, when this search obeys, act on it at once."""
        check_command(name)
        if name == "set_ranges" and isinstance(arguments[0], Mapping):
            arguments = ({parameter: self._whole(parameter, given) for parameter, given in arguments[0].items()},)
        self.commands.append((name, *arguments))
        if not self._obeys:
            return
        try:
            self._act(name, arguments)
        except Exception as problem:  # noqa: BLE001 -- as of a real search, nobody waits for it
            self.notify("command", f"{name}: {problem}")

    # -- inside ------------------------------------------------------------------------------

    def _whole(self, name: str, given: object) -> object:
        return given.of(self.space.leaf(name)) if isinstance(given, RangeChange) else given

    def _act(self, name: str, arguments: tuple[Any, ...]) -> None:
        statuses = {"start": SearchStatus.RUNNING, "pause": SearchStatus.PAUSED, "resume": SearchStatus.RUNNING}
        if name in statuses:
            self.set_status(statuses[name])
        elif name == "stop":
            self.set_status(SearchStatus.STOPPED, StopReason("stopped", "Stopped by a person."))
        elif name == "set_ranges":
            self.set_ranges(arguments[0])
        elif name == "set_range":
            self.set_ranges({arguments[0]: arguments[1]})
        elif name == "add_choices":
            self._ranges.add_choices({arguments[0]: arguments[1]}, len(self._trials))
            self.changed()
        elif name == "set_priors":
            self.set_priors(arguments[0])
        elif name == "set_prior":
            self.set_priors({arguments[0]: arguments[1]})
        elif name in {"undo", "redo"}:
            getattr(self._ranges, name)(len(self._trials))
            self.changed()
        elif name == "enqueue_trial":
            self._add(None, arguments[0], TrialState.QUEUED, None, 0.0, enqueued=True)
            self.changed()
        elif name == "retry_failed":
            for number in self.failed_points():
                self._add(None, self._trials[number].parameters, TrialState.QUEUED, None, 0.0, enqueued=True)
            self.changed()
        elif name == "add_trial":
            self._add(list(arguments[1]), arguments[0], TrialState.COMPLETED, None, math.nan)
            self.changed()
        elif name == "set_total_max_jobs":
            self.budget.jobs.limit = arguments[0]
            self.changed()
        elif name in {"set_note", "set_tags"}:
            number, value = arguments
            field, checked = ("note", checked_note) if name == "set_note" else ("tags", checked_tags)
            self._trials[number] = replace(self._trials[number], **{field: checked(value)})
            self._set_remarks([number], **{field: checked(value)})
        elif name in {"leave_out", "take_back"}:
            numbers = [arguments[0]] if isinstance(arguments[0], int) else arguments[0]
            self._set_remarks(numbers, left_out=name == "leave_out")
        elif name == "set_max_number_of_concurrent_tasks":
            self.max_number_of_concurrent_tasks = arguments[0]
            self.changed()

    def _set_remarks(self, numbers: Sequence[int], **changes: Any) -> None:
        remark_of = self._trials_shown.columns.remark
        self._trials_shown.set_remarks({number: replace(remark_of(number), **changes) for number in numbers})
        self.changed()

    def _add(
        self,
        value: float | Sequence[float] | None,
        point: Mapping[str, Any] | None,
        state: TrialState,
        error: str | None,
        seconds: float,
        *,
        enqueued: bool = False,
    ) -> int:
        drawn = self.space.points(self._random.random((1, self.space.num_dimensions)))[0]
        chosen = drawn if point is None else self.space.normalise(point)
        row = self._row(value, chosen, state, error, seconds, 0)
        row.enqueued = enqueued
        self._trials.append(self._trial(row, chosen))
        self._show([row])
        return row.number

    def _row(
        self,
        value: float | Sequence[float] | None,
        point: Mapping[str, Any],
        state: TrialState,
        error: str | None,
        seconds: float,
        offset: int,
    ) -> TrialRow:
        values: list[float | None] = list(value) if isinstance(value, Sequence) else [value] * len(self.objectives)
        if state.has_ended and not math.isnan(seconds):
            self.budget.jobs.used += 1
            self.budget.compute_minutes.used += seconds / 60
        return TrialRow(
            number=len(self._trials) + offset,
            state=int(state),
            epoch=self._ranges.number,
            parameters=list(self.space.encode(point)),
            values=values,
            iteration=[None if one is None else 0 for one in values],
            started=self.now - seconds if state.has_ended else self.now,
            ended=self.now if state.has_ended else math.nan,
            worker=0,
            error=None if error is None else printable(error),
        )

    def _trial(self, row: TrialRow, point: Mapping[str, Any]) -> Trial:
        return Trial.from_row(row, f"{self.id}/{row.number}", dict(point), self.objectives, self._reports)


class _Reports:
    """What trials have reported, by number."""

    def __init__(self) -> None:
        self.of_trials: dict[int, list[tuple[str, str, float, int]]] = {}

    def scalars(self, number: int) -> Sequence[tuple[str, str, float, int]]:
        """All reports of a trial: (title, series, value, iteration)."""
        return self.of_trials.get(number, [])

    def page(self, _number: int) -> None:
        """None: there is no server."""
        return

    def scalars_after(self, number: int, after: int) -> tuple[int, Sequence[tuple[str, str, float, int]]]:
        """What a trial has reported after its first ``after`` reports; the key is the number of its reports."""
        reports = self.scalars(number)
        return len(reports), reports[after:]

    def output(self, _number: int) -> tuple[str, str, str]:
        """Nothing: a scripted trial prints nothing."""
        return "", "", ""
