"""What a journal's header and events say of a search: its definition and its present state."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets._messages import printable
from hpo_widgets.journal import Journal, JournalError, reported_as_damage
from hpo_widgets.objectives import Objective, make_objectives
from hpo_widgets.search import END_STATUS, MOST_NOTICES, Notice, SearchStatus, StopReason
from hpo_widgets.search.as_code import is_name
from hpo_widgets.search.limits import SECONDS_A_MINUTE, Settings, local_time, positive_int
from hpo_widgets.space import Space
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.trials import Remark
from hpo_widgets.trials.trial import checked_note, checked_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hpo_widgets.journal import BulkColumns, JournalReader
    from hpo_widgets.trials import TrialRow

logger = logging.getLogger("hpo_widgets")

_DEEPEST = 50  # lists in lists of an argument: Python reads code with 200 of them


@dataclass(slots=True)
class JournalState:
    """The state of a search according to its journal.

    It is made from the header and updated with events in their order (`follow`). A viewer keeps it up to date; a
    search that is continued reads it once.
    """

    header: Mapping[str, Any]
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    name: str = ""
    objectives: tuple[Objective, ...] = ()
    ranges: RangeHistory = field(init=False)
    settings: Settings = field(default_factory=lambda: Settings(1))
    is_running: bool = False
    is_paused: bool = False
    was_started: bool = False
    run_began: float | None = None
    """Unix seconds of the start of the present run."""
    runs: set[str] = field(default_factory=set)
    """What identifies its runs, by the processes that began them."""
    wall_before: float = 0.0
    """Minutes of all earlier runs."""
    deadline: dt.datetime | None = None
    """Naive local time."""
    has_own_deadline: bool = False
    stop_reason: StopReason | None = None
    num_draws: int | None = None
    """From which draw of the strategy the next run goes on; None: after the last that there is."""
    end_status: SearchStatus = SearchStatus.IDLE
    """The status at the end of the last run."""
    notices: list[Notice] = field(default_factory=list)
    num_unknown_events: int = 0
    """Events that are not understood, such as those of a later release; they are skipped."""
    enqueued: list[list[Any]] = field(default_factory=list)
    """Encoded points that people want to be tried, launched ones included."""
    remarks: dict[int, Remark] = field(default_factory=dict)
    """What people have said about trials, by number."""
    _remarked: set[int] = field(init=False, default_factory=set)
    """Numbers of the trials of which they have said something since `take_remarks`."""

    @classmethod
    def of(cls, reader: JournalReader) -> JournalState:
        """Return the state before any event; raises `JournalDamaged` for a header that no search writes."""
        with reported_as_damage(reader.path, "its header"):
            return cls(reader.header)

    def __post_init__(self) -> None:
        header = self.header
        _check_header(header)
        self.name = printable(header["name"])
        self.objectives = make_objectives(*zip(*header["objectives"], strict=True))
        self.settings = _checked_settings(Settings(**header["settings"]))
        # The header has no time: the first event says when the first epoch began.
        self.ranges = RangeHistory(Space.from_dict(header["space"], self.choices), clock=lambda: 0.0)

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self.ranges.space

    @property
    def declared_space(self) -> Space:
        """The space of the first epoch, which fixes the columns, with all choices that were added since."""
        return self.ranges.first_space

    @property
    def has_tasks(self) -> bool:
        """Whether its trials are Tasks of a ClearML server, which go on without the process that runs the search."""
        return bool(self.header["engine"] == "clearml")

    def check_row(self, row: TrialRow) -> None:
        """Raise ValueError when a trial's parameters, choices or objectives are not those of this search."""
        self.declared_space.decode(row.parameters)
        if any(len(entries) != len(self.objectives) for entries in (row.values, row.iteration) if entries is not None):
            raise ValueError("a trial has another number of objectives")

    def check_columns(self, columns: BulkColumns) -> None:
        """Raise as `check_row` does, for all trials at once."""
        names = self.declared_space.columns
        points = columns["parameters"]
        if not len(points):
            return
        if points.shape[1] != len(names):
            raise ValueError("a point has another number of parameters")
        if columns["values"].shape[1] != len(self.objectives):
            raise ValueError("the trials have another number of objectives")
        for index, column in enumerate(names):
            if column.labels is not None:
                chosen = points[:, index]
                chosen = chosen[~np.isnan(chosen)]
                if not np.isin(chosen, np.arange(len(column.labels))).all():
                    raise ValueError(f"{column.name!r} has no such choice")

    def status(self, *, owner_is_alive: bool) -> SearchStatus:
        """What the search is doing; one whose owner has died is stopped, or paused if it was paused."""
        if self.is_running and owner_is_alive:
            return SearchStatus.PAUSED if self.is_paused else SearchStatus.RUNNING
        if self.is_paused:
            return SearchStatus.PAUSED
        if self.stop_reason is not None:
            return self.end_status
        return SearchStatus.STOPPED if self.was_started else SearchStatus.IDLE

    def follow(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Apply further events, in order; one that is not understood is skipped and counted."""
        for event in events:
            if not self.ranges.marks[0].at and event["kind"] != "notice":
                # The first event tells when the search was made; a viewer adds notices of its own at any later time.
                self.ranges.began_at(event["at"])
            if event["kind"] in _WITHOUT_EFFECT:
                continue
            try:
                _HANDLERS[event["kind"]](self, event)
            except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
                # A later release may write other kinds of events, and other fields.
                logger.debug("event %r is not understood", event, exc_info=True)
                self.num_unknown_events += 1

    def _start(self, event: Mapping[str, Any]) -> None:
        self.wall_before = _minutes(event.get("wall_minutes", self.wall_before))
        self.run_began = event["at"]
        if isinstance(event.get("run"), str):
            self.runs.add(event["run"])
        self.is_running = self.was_started = True
        self.stop_reason = self.num_draws = None
        self.notices = [one for one in self.notices if not one.is_of_failed_start]

    def _clock_set(self, event: Mapping[str, Any]) -> None:
        if self.run_began is not None:
            self.wall_before, self.run_began = _minutes(event["wall_minutes"]), event["at"]

    def _end(self, event: Mapping[str, Any]) -> None:
        _check_types(event, code=str, sentence=str)
        reason, wall_minutes = StopReason(event["code"], printable(event["sentence"])), _minutes(event["wall_minutes"])
        status = SearchStatus(event.get("status", END_STATUS.get(reason.code, SearchStatus.COMPLETED)))
        self.is_running = self.is_paused = False
        self.run_began = None
        self.wall_before, self.stop_reason, self.end_status = wall_minutes, reason, status
        draws = event.get("draws")
        self.num_draws = draws if type(draws) is int and draws >= 0 else None

    def end_interrupted(self, last_sign: float) -> None:
        """Count the wall time of a run whose process died, up to its last sign of life."""
        if self.run_began is not None:
            self.wall_before += max(0.0, last_sign - self.run_began) / SECONDS_A_MINUTE
            self.run_began = None
        self.is_running = False

    def _pause(self, _event: Mapping[str, Any]) -> None:
        self.is_paused = self.stop_reason is None  # what has ended is not paused any more

    def _resume(self, _event: Mapping[str, Any]) -> None:
        self.is_paused = False

    def _set_ranges(self, event: Mapping[str, Any]) -> None:
        space = Space.from_dict(event["space"], self.choices, may_lack=True)
        if not space.extends(self.declared_space):
            raise ValueError("the space has other columns")
        _check_types(event, first_number=int, epoch=int)
        self.ranges.record(space, event["first_number"], event.get("step", "set"), event["epoch"], event["at"])

    def _settings(self, event: Mapping[str, Any]) -> None:
        changes = event["changes"]
        known = {name: value for name, value in changes.items() if name in Settings.__dataclass_fields__}
        self.settings = _checked_settings(replace(self.settings, **known))
        if len(known) < len(changes):
            raise LookupError(f"settings of a later release: {changes}")

    def _set_time_limit(self, event: Mapping[str, Any]) -> None:
        deadline = event["deadline"]
        # The first journals have local time without a zone.
        self.deadline = None if deadline is None else local_time(dt.datetime.fromisoformat(deadline))
        self.has_own_deadline = True

    def _enqueue_trial(self, event: Mapping[str, Any]) -> None:
        point = event["parameters"]
        self.declared_space.decode(point)
        self.enqueued.append(point)

    def _set_note(self, event: Mapping[str, Any]) -> None:
        _check_types(event, number=int)
        self._remark(event["number"], note=checked_note(event["note"]))

    def _set_tags(self, event: Mapping[str, Any]) -> None:
        _check_types(event, number=int)
        self._remark(event["number"], tags=checked_tags(event["tags"]))

    def _leave_out(self, event: Mapping[str, Any]) -> None:
        self._set_left_out(event["numbers"], left_out=True)

    def _take_back(self, event: Mapping[str, Any]) -> None:
        self._set_left_out(event["numbers"], left_out=False)

    def _set_left_out(self, numbers: Sequence[int], *, left_out: bool) -> None:
        if type(numbers) is not list or not set(map(type, numbers)) <= {int}:
            raise TypeError("the numbers of trials are no list of whole numbers")
        # Anybody may have written millions of numbers: most trials share one remark.
        unremarked, only_this = Remark(), Remark(left_out=left_out)
        for number in set(numbers):
            before = self.remarks.get(number, unremarked)
            if before.left_out != left_out:
                has_words = before.note or before.tags
                self.remarks[number] = replace(before, left_out=left_out) if has_words else only_this
                self._remarked.add(number)

    def _remark(self, number: int, **changes: Any) -> None:
        self.remarks[number] = replace(self.remarks.get(number, Remark()), **changes)
        self._remarked.add(number)

    def take_remarks(self) -> dict[int, Remark]:
        """Return the remarks that were made since the last call, by number."""
        numbers, self._remarked = self._remarked, set()
        return {number: self.remarks[number] for number in numbers}

    def _notice(self, event: Mapping[str, Any]) -> None:
        _check_types(event, source=str, sentence=str)
        self.notices = [*self.notices, Notice(event["source"], event["sentence"], event["at"])][-MOST_NOTICES:]


def write_copy(reader: JournalReader, path: str | Path) -> Path:
    """Copy a journal; the copy of one whose search runs says so, and for how long it had run.

    Whoever opens it sees a search that has not ended and that nobody runs, as after the death of its process.

    Parameters
    ----------
    reader
        The journal.
    path
        As of `JournalReader.backup`.

    Returns
    -------
    pathlib.Path
        The new file.
    """
    owner = reader.owner()
    copy = reader.backup(path)
    if owner is None:
        return copy
    at = time.time() if owner.is_alive else owner.heartbeat
    with suppress(JournalError), closing(Journal.open(copy, whole=False)) as journal:
        state = JournalState.of(journal.reader)
        state.follow(journal.reader.events())
        if state.run_began is not None:
            state.end_interrupted(at)
            sentence = "this is a copy that was made while the search was running, which may have gone on elsewhere"
            clock = {"kind": "clock_set", "at": at, "wall_minutes": state.wall_before}
            journal.write(events=[clock, {"kind": "notice", **asdict(Notice("journal", sentence))}])
    return copy


def _check_header(header: Mapping[str, Any]) -> None:
    """Check all of a header that is used without further checks: anybody may have written it."""
    _check_types(header, name=str, template=str, engine=str, strategy=str, is_seeded=bool, arguments=dict, seed=int)
    if header["seed"] < 0:
        raise ValueError("its seed is below 0")
    objectives = header["objectives"]
    if not objectives or not all(len(parts) == 3 and all(type(part) is str for part in parts) for parts in objectives):
        raise ValueError("its objectives are not title, series and sign each")
    for name in header["arguments"]:
        if not is_name(name):
            raise ValueError(f"{name!r:.80} is not the name of an argument")
    if _is_nested(header["arguments"]):
        raise ValueError(f"its arguments are nested more than {_DEEPEST} deep")
    if "only_named" in header:
        _check_types(header, only_named=list)
    if type(header["arguments"].get("save_top_k_tasks_only")) not in {int, NoneType}:
        raise TypeError("the number of trials whose Tasks are kept is none")
    if header["engine"] == "clearml":
        _check_types(header["clearml"], base_task_id=str)
    if "strategy_title" in header:
        _check_types(header, strategy_title=str)
    if "script" in header:
        _check_types(header, script=str)


def _is_nested(values: object) -> bool:
    """Whether lists and mappings are nested more than `_DEEPEST` deep."""
    layer = [values]
    for _ in range(_DEEPEST + 1):
        inner = [one.values() if isinstance(one, dict) else one for one in layer if isinstance(one, dict | list)]
        layer = [value for some in inner for value in some]
    return bool(layer)


def _check_types(found: Mapping[str, Any], **types: type) -> None:
    """Raise unless there is a value of each name and it has the type."""
    for name, type_ in types.items():
        if type(found[name]) is not type_:
            raise TypeError(f"{name} is a {type(found[name]).__name__} where a {type_.__name__} belongs")


def _minutes(value: Any) -> float:
    """Return the minutes that a run took; raise unless they are a finite number of at least 0."""
    if not 0 <= value < math.inf:
        raise ValueError("the minutes of a run are not a number")
    return float(value)


def _checked_settings(settings: Settings) -> Settings:
    """Return settings after a check of all types, and of the numbers that people see."""
    for name, value in asdict(settings).items():
        if value is not None and (not isinstance(value, int | float) or not value >= 0):
            raise ValueError(f"{name} is {value!r:.80}")
    positive_int("max_number_of_concurrent_tasks", settings.max_number_of_concurrent_tasks)
    return settings


def split_at_trials(
    events: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Split events into those to follow before the trials that were written with them are shown, and the others.

    Trials may have choices that a change of the space adds, so all such changes come first, after what was before them.
    Of an end, and of what came after it, only they do: who reads of the end of a search finds all its trials.
    """
    kinds = [event["kind"] for event in events]
    last = max((at for at, kind in enumerate(kinds) if kind == "set_ranges"), default=0)
    until = min(last, kinds.index("end") if "end" in kinds else last)
    first = [event for at, event in enumerate(events) if at < until or kinds[at] == "set_ranges"]
    others = [event for at, event in enumerate(events) if at >= until and kinds[at] != "set_ranges"]
    return first, others


_HANDLERS = {
    "start": JournalState._start,  # noqa: SLF001 -- the table of this class's own handlers
    "clock_set": JournalState._clock_set,  # noqa: SLF001
    "end": JournalState._end,  # noqa: SLF001
    "pause": JournalState._pause,  # noqa: SLF001
    "resume": JournalState._resume,  # noqa: SLF001
    "set_ranges": JournalState._set_ranges,  # noqa: SLF001
    "settings": JournalState._settings,  # noqa: SLF001
    "set_time_limit": JournalState._set_time_limit,  # noqa: SLF001
    "enqueue_trial": JournalState._enqueue_trial,  # noqa: SLF001
    "set_note": JournalState._set_note,  # noqa: SLF001
    "set_tags": JournalState._set_tags,  # noqa: SLF001
    "leave_out": JournalState._leave_out,  # noqa: SLF001
    "take_back": JournalState._take_back,  # noqa: SLF001
    "notice": JournalState._notice,  # noqa: SLF001
}
_WITHOUT_EFFECT = {"report"}
"""Events that tell nothing of the search's state."""
