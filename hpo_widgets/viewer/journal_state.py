"""What a journal's header and events say of a search: its definition and how it came to stand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hpo_widgets.objectives import Objective
from hpo_widgets.search import END_STATUS as END_STATUS  # noqa: PLC0414 -- handed on
from hpo_widgets.search import MOST_NOTICES, Notice, SearchStatus, StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE, Settings
from hpo_widgets.space import Space
from hpo_widgets.space.range_history import EpochMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(slots=True)
class Chronicle:
    """The state of a search as its journal tells it.

    Fed with the header once and with events in order (`follow`); a viewer keeps one up to date, a
    search that is continued reads it once.
    """

    header: Mapping[str, Any]
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    name: str = ""
    objectives: tuple[Objective, ...] = ()
    spaces: list[Space] = field(default_factory=list)
    epochs: list[EpochMark] = field(default_factory=list)
    undo: list[Space] = field(default_factory=list)
    """Spaces that an undo goes back to, the next one last."""
    redo: list[Space] = field(default_factory=list)
    settings: Settings = field(default_factory=lambda: Settings(1))
    is_running: bool = False
    is_paused: bool = False
    was_started: bool = False
    run_began: float | None = None
    """Unix seconds of the start of the present run."""
    wall_before: float = 0.0
    """Minutes of all earlier runs."""
    deadline: str | None = None
    has_own_deadline: bool = False
    stop_reason: StopReason | None = None
    notices: list[Notice] = field(default_factory=list)
    points_by_hand: list[list[Any]] = field(default_factory=list)
    """Encoded points that were queued by hand, launched ones included."""

    def __post_init__(self) -> None:
        header = self.header
        self.name = header["name"]
        self.objectives = tuple(Objective(*parts) for parts in header["objectives"])
        self.settings = Settings(**header["settings"])
        space = Space.from_dict(header["space"], self.choices)
        self.spaces = [space]
        self.epochs = [EpochMark(0, 0, dict(space.ranges), {}, 0.0)]

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self.spaces[-1]

    @property
    def declared_space(self) -> Space:
        """The first space, which fixes the columns."""
        return self.spaces[0]

    def status(self, *, owner_is_alive: bool) -> SearchStatus:
        """What the search is doing; a dead owner's search is stopped, or paused if it was."""
        if self.is_running and owner_is_alive:
            return SearchStatus.PAUSED if self.is_paused else SearchStatus.RUNNING
        if self.is_paused:
            return SearchStatus.PAUSED
        if self.stop_reason is not None:
            return END_STATUS.get(self.stop_reason.code, SearchStatus.COMPLETED)
        return SearchStatus.STOPPED if self.was_started else SearchStatus.IDLE

    def follow(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in further events, in order."""
        for event in events:
            if not self.epochs[0].at and event["kind"] != "notice":
                # The header has no time. A viewer's own notices come at any later one.
                self.epochs[0] = replace(self.epochs[0], at=event["at"])
            handler = _HANDLERS.get(event["kind"])
            if handler is not None:
                handler(self, event)

    def _start(self, event: Mapping[str, Any]) -> None:
        self.is_running = self.was_started = True
        self.run_began = event["at"]
        self.stop_reason = None

    def _end(self, event: Mapping[str, Any]) -> None:
        self.is_running = self.is_paused = False
        self.run_began = None
        self.wall_before = event["wall_minutes"]
        self.stop_reason = StopReason(event["code"], event["sentence"])

    def end_interrupted(self, last_sign: float) -> None:
        """Count the wall time of a run whose process died, up to its last sign of life."""
        if self.run_began is not None:
            self.wall_before += max(0.0, last_sign - self.run_began) / SECONDS_A_MINUTE
            self.run_began = None
        self.is_running = False

    def _pause(self, _event: Mapping[str, Any]) -> None:
        self.is_paused = True

    def _resume(self, _event: Mapping[str, Any]) -> None:
        self.is_paused = False

    def _set_ranges(self, event: Mapping[str, Any]) -> None:
        before = self.space.ranges
        space = Space.from_dict(event["space"], self.choices)
        changed = {name: bounds for name, bounds in space.ranges.items() if before[name] != bounds}
        step = event.get("step", "set")
        if step == "undo":
            self.undo.pop()
            self.redo.append(self.space)
        else:
            self.undo.append(self.space)
            self.redo = self.redo[:-1] if step == "redo" else []
        self.spaces.append(space)
        mark = EpochMark(event["epoch"], event["first_number"], dict(space.ranges), changed, event["at"], step)
        self.epochs.append(mark)

    def _settings(self, event: Mapping[str, Any]) -> None:
        for name, value in event["changes"].items():
            setattr(self.settings, name, value)

    def _set_time_limit(self, event: Mapping[str, Any]) -> None:
        self.deadline = event["deadline"]
        self.has_own_deadline = True

    def _enqueue_trial(self, event: Mapping[str, Any]) -> None:
        self.points_by_hand.append(event["parameters"])

    def _notice(self, event: Mapping[str, Any]) -> None:
        self.notices = [*self.notices, Notice(event["source"], event["sentence"], event["at"])][-MOST_NOTICES:]


_HANDLERS = {
    "start": Chronicle._start,  # noqa: SLF001 -- the table of this class's own handlers
    "end": Chronicle._end,  # noqa: SLF001
    "pause": Chronicle._pause,  # noqa: SLF001
    "resume": Chronicle._resume,  # noqa: SLF001
    "set_ranges": Chronicle._set_ranges,  # noqa: SLF001
    "settings": Chronicle._settings,  # noqa: SLF001
    "set_time_limit": Chronicle._set_time_limit,  # noqa: SLF001
    "enqueue_trial": Chronicle._enqueue_trial,  # noqa: SLF001
    "notice": Chronicle._notice,  # noqa: SLF001
}
