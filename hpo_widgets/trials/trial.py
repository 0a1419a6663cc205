"""Trials: one experiment with Task-like accessors, and the row that a search keeps of it.

What is bulky (curves, logs, tracebacks) stays in the journal and is read when somebody looks at a trial.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Protocol

from hpo_widgets._messages import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.objectives import Objective

NAN = float("nan")


class TrialState(enum.IntEnum):
    """Where a trial stands; the integer is what columns keep, and but for `LEFT_OUT` what the journal keeps.

    `LEFT_OUT` is what a trial that has ended shows while a person leaves it out of the search. The journal keeps how it
    has ended, and beside it that it is left out (`Remark`), so that taking it back restores all. As it is a state,
    whatever looks for completed, failed or pruned trials passes over it.
    """

    QUEUED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    ABORTED = 4
    PRUNED = 5
    LEFT_OUT = 6

    @property
    def label(self) -> str:
        """The state's word in tables, details and the journal's exports: ``"completed"``."""
        return self.name.lower().replace("_", " ")

    @property
    def has_ended(self) -> bool:
        """True for every state that a trial does not leave by itself."""
        return self >= TrialState.COMPLETED


STORED_STATES = tuple(state for state in TrialState if state is not TrialState.LEFT_OUT)
"""The states that a journal keeps of trials."""

UNRANKED = (TrialState.FAILED, TrialState.LEFT_OUT)
"""The states whose trials are not ranked, whatever values they have."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What people have said about a trial.

    Attributes
    ----------
    note : str
        A text.
    tags : tuple of str
        Words, each once.
    left_out : bool
        Whether it is left out of the search.
    """

    note: str = ""
    tags: tuple[str, ...] = ()
    left_out: bool = False


_MOST_NOTE, _MOST_TAG, _MOST_TAGS = 4000, 60, 20


def checked_note(note: object) -> str:
    """Return a note without blank ends; raises a ``TypeError`` or ``ValueError`` that says what is wrong."""
    if not isinstance(note, str):
        raise TypeError(f"a note is a text, got {note!r:.80}")
    if len(note) > _MOST_NOTE:
        raise ValueError(f"a note has at most {_MOST_NOTE} letters, got {len(note)}")
    return printable(note.strip())


def checked_tags(tags: object) -> tuple[str, ...]:
    """Return tags, each once; raises a ``TypeError`` or ``ValueError`` that says what is wrong."""
    if isinstance(tags, str) or not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise TypeError(f"tags are a list of words, such as ['baseline'], got {tags!r:.80}")
    found = tuple(dict.fromkeys(printable(tag.strip()) for tag in tags if tag.strip()))
    if len(found) > _MOST_TAGS or any(len(tag) > _MOST_TAG for tag in found):
        raise ValueError(f"a trial has at most {_MOST_TAGS} tags of at most {_MOST_TAG} letters")
    return found


def _compared(one: TrialRow | Trial) -> tuple[object, ...]:
    """Return what two trials are compared by, in a tuple, in which a time that is NaN equals itself.

    From Python 3.13 on a dataclass compares its fields one by one, so that no running trial would equal itself.
    """
    return tuple(getattr(one, each.name) for each in fields(one) if each.compare)


@dataclass(slots=True)
class TrialRow:  # noqa: PLW1641 -- it can be changed, so it has no hash
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
        The point in ``Space.encode`` form, one entry per parameter, None where it does not apply.
    values, iteration
        One entry per objective; None as long as none was reported.
    started, ended
        Unix seconds; NaN when not yet, and a recorded result has no start. On this machine from the launch to the end,
        and so with what the worker loads.
    draw
        How many points the strategy had drawn in this epoch before this one; -1 for enqueued points.
    error
        One sentence for a trial that failed or was aborted.
    summary
        ``"title/series"`` to ``[last, iteration, min, iteration, max, iteration, count]``.
    job
        The id that its job has where it runs, such as a ClearML Task's; None on this machine.
    duration
        Run time in seconds, by a monotonic clock, without what the worker loads; NaN while that is not known.
    last_iteration
        The highest iteration of any of its reports; -1 before the first.
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
    enqueued: bool = False
    draw: int = -1
    error: str | None = None
    summary: dict[str, list[float]] | None = None
    job: str | None = None
    duration: float = NAN
    last_iteration: int = -1

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if isinstance(other, TrialRow) else NotImplemented

    @property
    def never_ran(self) -> bool:
        """Whether it was aborted before it began: it uses up nothing of a budget."""
        return self.state == TrialState.ABORTED and math.isnan(self.started)

    @property
    def is_recorded(self) -> bool:
        """Whether a person has recorded its result: it is complete and never began, here or as a job elsewhere."""
        return self.state == TrialState.COMPLETED and math.isnan(self.started) and self.job is None

    @property
    def seconds(self) -> float:
        """Its run time: as measured, else by the times of day, which may have been set; NaN while not known."""
        if not math.isnan(self.duration):
            return self.duration
        by_times_of_day = self.ended - self.started
        return NAN if math.isnan(by_times_of_day) else max(0.0, by_times_of_day)

    def remarked(self, remark: Remark) -> TrialRow:
        """Return the row as it is shown, given what people have said about the trial."""
        is_left_out = remark.left_out and TrialState(self.state).has_ended
        return replace(self, state=int(TrialState.LEFT_OUT)) if is_left_out else self

    def cut_off(self, last_sign: float) -> TrialRow:
        """What became of a trial that ran when the process of its search ended: it was aborted at that moment.

        ``last_sign`` is that process's last sign of life in Unix seconds, NaN where it is not known.
        """
        return replace(
            self,
            state=int(TrialState.ABORTED),
            ended=last_sign if math.isnan(self.started) or math.isnan(last_sign) else max(self.started, last_sign),
            error="Aborted: the process that ran the search ended while this trial was running.",
        )


class _TrialSource(Protocol):
    """Where a trial's curves and logs are read from when somebody asks for them."""

    def scalars(self, number: int) -> Sequence[tuple[str, str, float, int]]:
        """All reports of a trial in report order: (title, series, value, iteration)."""
        ...

    def scalars_after(self, number: int, after: int) -> tuple[int, Sequence[tuple[str, str, float, int]]]:
        """What a trial has reported since this was asked last.

        Parameters
        ----------
        number
            The trial's number.
        after
            The key that the last call returned; 0 for all reports.

        Returns
        -------
        tuple
            The key to ask with next time, and the reports. The key 0 says that these are all there are.
        """
        ...

    def output(self, number: int) -> tuple[str, str, str]:
        """What a trial printed and its traceback: (stdout, stderr, traceback)."""
        ...

    def page(self, number: int) -> str | None:
        """Address of the page that a server has for a trial; None without one."""
        ...


@dataclass(frozen=True, repr=False)
class Trial:  # noqa: PLW1641 -- dataclass makes it
    """One evaluation of one point, with the accessors of a ``clearml.Task``.

    Made by a search (`HyperParameterOptimizer.get_top_experiments`, ``Search.trial``). It is a copy of the trial's
    state at that moment and does not change; curves and logs are read from the journal when asked for.
    """

    id: str
    """Its job's id where a server gave it one, else ``"<search id>/<number>"``; unique over all searches."""
    number: int
    """Number in its search, from 0."""
    state: TrialState
    """Where it stands; `status` is the word. ``LEFT_OUT`` while a person leaves it out of the search."""
    parameters: Mapping[str, object]
    """Full parameter name to its value, with its own type."""
    values: tuple[float | None, ...]
    """One value per objective, None when not reported."""
    iterations: tuple[int | None, ...]
    """The iteration at which each objective had its value, None when not reported."""
    started: float
    """Unix seconds, NaN when not started."""
    ended: float
    """Unix seconds, NaN before its end."""
    duration: float
    """Seconds that it ran: as measured, else from ``started`` to ``ended``; NaN before its end, and if it never ran."""
    epoch: int
    """Number, from 0, of the version of the search space in which its point was chosen."""
    worker: int
    """Index of the worker that ran it, from 0; -1 where there is none."""
    archived: bool
    """Whether it is hidden, as those beyond ``save_top_k_tasks_only`` are."""
    enqueued: bool
    """Whether a person gave the point (`HyperParameterOptimizer.enqueue_trial`, ``retry``)."""
    error: str | None
    """One sentence on why it failed, was aborted or pruned; None otherwise."""
    objectives: tuple[Objective, ...]
    """What the search optimises, in the order of ``values``."""
    summary: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """``"title/series"`` of each reported scalar to ``[last, iteration, min, iteration, max, iteration, count]``."""
    note: str = ""
    """What people have written about it (`HyperParameterOptimizer.set_note`)."""
    tags: tuple[str, ...] = ()
    """Words that people have given it (`HyperParameterOptimizer.set_tags`)."""
    source: _TrialSource | None = field(default=None, repr=False, compare=False)

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if isinstance(other, Trial) else NotImplemented

    @classmethod
    def from_row(
        cls,
        row: TrialRow,
        id: str,  # noqa: A002 -- the field's own name
        parameters: Mapping[str, object],
        objectives: tuple[Objective, ...],
        source: _TrialSource | None,
    ) -> Trial:
        """Return the trial of a row; the caller adds what a row does not hold, such as its id and its parameter values.

        Parameters
        ----------
        row
            The row.
        id
            The trial's id.
        parameters
            Full parameter name to value.
        objectives
            What is optimised.
        source
            Reads curves and logs; None: there are none.

        Returns
        -------
        Trial
            The trial at that moment.
        """
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
            duration=row.seconds,
            epoch=row.epoch,
            worker=row.worker,
            archived=row.archived,
            enqueued=row.enqueued,
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
        """The state's word: ``queued running completed failed aborted pruned``, or ``left out``."""
        return self.state.label

    @property
    def value(self) -> float | None:
        """Value of the first objective."""
        return self.values[0] if self.values else None

    @property
    def is_elsewhere(self) -> bool:
        """True when it runs, or ran, as a job of a server, which keeps its curves and its log."""
        return "/" not in self.id

    @property
    def is_recorded(self) -> bool:
        """Whether it did not run here: a person has recorded its result (`HyperParameterOptimizer.add_trial`)."""
        may_be = self.state in {TrialState.COMPLETED, TrialState.LEFT_OUT} and self.value is not None
        return may_be and math.isnan(self.started) and not self.is_elsewhere

    @property
    def is_partial(self) -> bool:
        """True in every state but completed: a value, if there is one, is not that of a whole run."""
        return self.state is not TrialState.COMPLETED

    def get_parameters(self) -> dict[str, str]:
        """Parameters as strings with their section, as ClearML keeps them."""
        return {name if "/" in name else f"General/{name}": str(value) for name, value in self.parameters.items()}

    def get_last_scalar_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """``{title: {series: {"last": …, "min": …, "max": …}}}`` over all reported scalars."""
        metrics: dict[str, dict[str, dict[str, float]]] = {}
        for key, (last, _, low, _, high, *_rest) in self.summary.items():
            title, series = split_key(key, self.objectives)
            metrics.setdefault(title, {})[series] = {"last": last, "min": low, "max": high}
        return metrics

    def get_reported_scalars(self) -> dict[str, dict[str, dict[str, object]]]:
        """All reports, in their order: ``{title: {series: {"name": series, "x": iterations, "y": values}}}``."""
        curves: dict[str, dict[str, dict[str, object]]] = {}
        for title, series, value, iteration in self.source.scalars(self.number) if self.source else ():
            curve = curves.setdefault(title, {}).setdefault(series, {"name": series, "x": [], "y": []})
            curve["x"].append(iteration)  # type: ignore[attr-defined]
            curve["y"].append(value)  # type: ignore[attr-defined]
        return curves

    def get_output(self) -> tuple[str, str, str]:
        """What it printed and its traceback, each cut to a greatest length: (stdout, stderr, traceback).

        Empty strings where there is nothing. A trial on this machine has something after its end only; until then
        `HyperParameterOptimizer.log_so_far` has what it prints.
        """
        return self.source.output(self.number) if self.source else ("", "", "")

    def get_page(self) -> str | None:
        """Address of the page that its server has for it, such as a Task's on ClearML; None for one of this machine."""
        return self.source.page(self.number) if self.source and self.is_elsewhere else None


def split_key(key: str, objectives: Sequence[Objective]) -> tuple[str, str]:
    """Split ``"title/series"`` into its two parts.

    Parameters
    ----------
    key
        Title and series of a scalar; both may hold slashes.
    objectives
        Those of its search. A key of one of them is split as the objective is; of any other scalar the last slash
        counts.

    Returns
    -------
    tuple of str
        The title, empty where the key has no slash, and the series.
    """
    for objective in objectives:
        if objective.key == key:
            return objective.title, objective.series
    title, _, series = key.rpartition("/")
    return title, series
