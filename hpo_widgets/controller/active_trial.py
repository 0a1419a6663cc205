"""A trial while it runs: what it has reported so far, and how its row is completed at its end."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hpo_widgets._messages import counted, near_match, printable
from hpo_widgets.objectives import Objective, ScalarSummary
from hpo_widgets.parameters.base import python_value
from hpo_widgets.trials import TrialRow, TrialState, split_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hpo_widgets.engines.base import Summary
    from hpo_widgets.strategies.base import Proposal


class ActiveTrial:
    """One running trial; belongs to the controller's thread.

    Parameters
    ----------
    row
        Its row, which `refresh` and `finish` bring up to date.
    proposal
        The strategy's proposal, or None for a point that a person enqueued.
    started
        ``time.monotonic()`` of its launch.
    """

    __slots__ = (
        "asked_to_stop",
        "end_reason",
        "ended",
        "is_aborted",
        "last_iteration",
        "proposal",
        "row",
        "started",
        "summaries",
    )

    def __init__(self, row: TrialRow, proposal: Proposal | None, started: float) -> None:
        self.row = row
        self.proposal = proposal
        self.started = started
        self.ended: float | None = None
        """``time.monotonic()`` of its end, where that is known before the end is received."""
        self.summaries: dict[tuple[str, str], ScalarSummary] = {}
        self.last_iteration = -1
        self.asked_to_stop = False
        self.is_aborted = False
        self.end_reason: str | None = None

    def report(self, title: str, series: str, value: float, iteration: int) -> None:
        """Take in one reported scalar.

        Parameters
        ----------
        title, series
            Names of the scalar.
        value
            May be NaN or infinite.
        iteration
            The iteration that it was reported for.
        """
        key = (title, series)
        summary = self.summaries.get(key)
        if summary is None:
            summary = self.summaries[key] = ScalarSummary()
        summary.update(value, iteration)
        self.last_iteration = max(self.last_iteration, iteration)

    def restore(self, objectives: tuple[Objective, ...]) -> None:
        """Restore from the row what was reported earlier, for a job that is taken over."""
        for key, entry in (self.row.summary or {}).items():
            self.summaries[split_key(key, objectives)] = ScalarSummary.from_list(entry)
        self.last_iteration = self.row.last_iteration

    def take_summary(self, summary: Summary) -> bool:
        """Take in a server's summary of all reports so far; False when nothing in it is new.

        What it lacks is no longer there: a job that was put back into its queue begins anew.
        """
        # Compared by repr, because a NaN is not equal to itself.
        known = {key: repr(scalar.to_list()) for key, scalar in self.summaries.items()}
        found = {key: repr(list(entry)) for key, entry in summary.scalars.items()}
        if found == known and summary.last_iteration == self.last_iteration:
            return False
        self.summaries = {key: ScalarSummary.from_list(entry) for key, entry in summary.scalars.items()}
        self.last_iteration = summary.last_iteration
        return True

    def refresh(self, objectives: tuple[Objective, ...]) -> TrialRow:
        """Bring the row's values and summary up to what was reported."""
        row = self.row
        summaries = self.summaries
        measured = [objective.measure(summaries.get((objective.title, objective.series))) for objective in objectives]
        if row.values is not None or any(found is not None for found in measured):
            row.values = [None if found is None else found[0] for found in measured]
            row.iteration = [None if found is None else found[1] for found in measured]
        row.summary = {f"{title}/{series}": summary.to_list() for (title, series), summary in summaries.items()}
        row.last_iteration = self.last_iteration
        return row

    @property
    def has_values(self) -> bool:
        """Whether the row has the value of any objective."""
        return any(value is not None for value in self.row.values or ())

    def take_result(self, result: object, objectives: tuple[Objective, ...]) -> str | None:
        """Count what the callable returned as its last report.

        Parameters
        ----------
        result
            A number, a dict of names to numbers, or None for a callable that reports by itself. A name is
            ``"title/series"``, or one word as `returned_name` takes it.
        objectives
            The search's.

        Returns
        -------
        str or None
            What is wrong with the result, for the trial's error; None when it is right.
        """
        if result is None:
            return None
        iteration = max(self.last_iteration, 0)
        if isinstance(result, dict):
            reports = []  # none of them counts where one is refused
            for key, value in result.items():
                title, series = returned_name(str(key), objectives)
                if not series and all((one.title, one.series) != (title, series) for one in objectives):
                    return f"returned a dict with key {key!r}; keys are names, such as {objectives[0].key!r}"
                if not isinstance(value, numbers.Real):
                    return f"returned {value!r} for {key!r}; return numbers"
                number = _as_float(value)
                if number is None:
                    return f"returned a number too large for a float for {key!r}"
                reports.append((title, series, number))
            for title, series, number in reports:
                self.report(title, series, number, iteration)
            return None
        if not isinstance(result, numbers.Real):
            how = "return a number, a dict of names to numbers, or report with trial.report_scalar"
            return f"returned a {type(result).__name__}; {how}"
        if len(objectives) > 1:
            names = ", ".join(repr(objective.key) for objective in objectives)
            return f"returned one number for {len(objectives)} objectives; return a dict with {names}"
        number = _as_float(result)
        if number is None:
            return "returned a number too large for a float"
        self.report(objectives[0].title, objectives[0].series, number, iteration)
        return None

    def validate_objectives(self, objectives: tuple[Objective, ...], reported_nothing: str | None = None) -> str | None:
        """Say why a trial that ran to its end failed all the same; None when it has its objectives.

        Parameters
        ----------
        objectives
            Those of the search.
        reported_nothing
            What to say of a trial that has reported nothing. Default: that it has, and has returned nothing.

        Returns
        -------
        str or None
            A sentence without its beginning, which names the trial.
        """
        for objective in objectives:
            found = objective.measure(self.summaries.get((objective.title, objective.series)))
            if found is None:
                return self._never_reported(objective, reported_nothing)
            if math.isnan(found[0]):
                return objective.nan_words(found[1])
        return None

    def _never_reported(self, objective: Objective, reported_nothing: str | None) -> str:
        reported = [f"{title}/{series}" for title, series in self.summaries]
        sentence = f"ended without reporting {objective.key!r}"
        if not reported:
            if reported_nothing is None and self.row.job is None:  # a server's job returns nothing anyway
                how = f"return a number, or report {objective.key!r} with trial.report_scalar"
                return f"returned and reported nothing: {how}"
            return f"{sentence}; {reported_nothing or 'it reported nothing'}"
        return f"{sentence}, only other scalars. {near_match(objective.key, reported)}"

    def finish(self, state: TrialState, ended: float, error: str | None, duration: float | None = None) -> TrialRow:
        """Write the end into the row; NaN never counts as a value.

        Parameters
        ----------
        state
            How it ended.
        ended
            Unix seconds of now.
        error
            What went wrong.
        duration
            Seconds that it took, by a monotonic clock or by the clock of the machine where it ran; None: it never
            ran. The row's end becomes its start plus this, as the time of day may have been set in between.

        Returns
        -------
        TrialRow
            The row.
        """
        row = self.row
        row.state = int(state)
        row.ended = ended
        if duration is None and state == TrialState.COMPLETED:
            duration = 0.0  # it ran, although its server does not say for how long
        if duration is not None:
            if math.isnan(row.started):
                row.started = ended - duration
            row.ended = row.started + duration
            row.duration = duration
        row.error = None if error is None else printable(error)
        if row.values is not None:
            row.values = [None if value is None or math.isnan(value) else value for value in row.values]
        return row


def returned_name(key: str, objectives: Sequence[Objective]) -> tuple[str, str]:
    """Return title and series of a key of a returned dict.

    Parameters
    ----------
    key
        ``"title/series"``, or one word: the series of an objective, the title of one whose series is empty, or title
        and series of any other scalar.
    objectives
        The search's.

    Returns
    -------
    tuple of str
        Title and series.
    """
    title, series = split_key(key, objectives)
    if title or any(one.key == key for one in objectives):
        return title, series
    named = [one for one in objectives if series == (one.series or one.title)]
    return (named[0].title, named[0].series) if len(named) == 1 else (series, series)


def recorded_row(point: list[float | None], values: object, objectives: tuple[Objective, ...]) -> TrialRow:
    """Return the row of a trial that did not run here, as if it had returned these values; it has no number yet.

    Parameters
    ----------
    point
        Its point, encoded.
    values
        A number, a sequence of one for each objective, or a dict of names to numbers, which may hold other scalars too.
    objectives
        The search's.

    Returns
    -------
    TrialRow
        A completed trial that never began.

    Raises
    ------
    ValueError
        When an objective is missing, or a value is no number.
    """
    trial = ActiveTrial(TrialRow(-1, int(TrialState.COMPLETED), 0, point), None, 0.0)
    wrong = trial.take_result(dict(_named_values(values, objectives)), objectives)
    if wrong is not None:
        raise ValueError(wrong.replace("returned", "got", 1))
    for objective in objectives:
        if (objective.title, objective.series) not in trial.summaries:
            names = ", ".join(repr(f"{title}/{series}") for title, series in trial.summaries)
            raise ValueError(f"the values lack {objective.key!r}, they have {names or 'none'}")
    return trial.refresh(objectives)


def _named_values(values: object, objectives: Sequence[Objective]) -> Iterator[tuple[str, float]]:
    """Name the values of a trial, and check that they are numbers."""
    keys = [objective.key for objective in objectives]
    is_named = isinstance(values, Mapping) or len(keys) > 1
    if not isinstance(values, Mapping):
        listed = list(values) if isinstance(values, (list, tuple, np.ndarray)) else [values]
        if len(listed) != len(keys):
            names = ", ".join(map(repr, keys))
            has = f"the search has {counted(len(keys), 'objective')}, {names}"
            raise ValueError(f"{has}: got {counted(len(listed), 'value')}")
        values = dict(zip(keys, listed, strict=True))
    for key, given in values.items():
        value = python_value(given)
        number = None if isinstance(value, bool) or not isinstance(value, numbers.Real) else _as_float(value)
        if number is None or math.isnan(number):
            raise ValueError(f"the value{f' of {key!r}' if is_named else ''} is a number, got {value!r:.80}")
        yield str(key), number


def _as_float(value: numbers.Real) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
