"""What a person changes of a search, whether it runs or not: its ranges, its limits, and the points it tries next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.run import Run
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.space.range_history import EpochMark


class Changes:
    """Commands for the owner of the search's state: submit them to the `Controller`.

    Parameters
    ----------
    present_run
        The run that goes on now; None: none does.
    """

    def __init__(self, state: SearchState, recorder: Recorder, present_run: Callable[[], Run | None]) -> None:
        self._state = state
        self._recorder = recorder
        self._present_run = present_run

    def set_ranges(self, ranges: Mapping[str, Any]) -> None:
        """Narrow or widen ranges: one call is one epoch and one step of `undo`."""
        self._begin(self._state.epochs.set_ranges(ranges, self._state.num_numbered), "set")

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._begin(self._state.epochs.undo(self._state.num_numbered), "undo")

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._begin(self._state.epochs.redo(self._state.num_numbered), "redo")

    def _begin(self, mark: EpochMark | None, step: str) -> None:
        """Make a new epoch known; what was asked under the old one is dropped."""
        if mark is None:
            return
        self._state.num_draws = 0
        self._recorder.event(
            "set_ranges",
            step=step,
            epoch=mark.epoch,
            first_number=mark.first_number,
            space=self._state.space.to_dict(),
        )
        run = self._present_run()
        if run is not None:
            run.begin_epoch()

    def set_settings(self, **changes: object) -> None:
        """Set limits and sizes; the names are those of `Settings`."""
        settings = self._state.settings
        for name, value in changes.items():
            setattr(settings, name, value)
        run = self._present_run()
        if run is not None:
            if "max_number_of_concurrent_tasks" in changes:
                run.engine.resize(settings.max_number_of_concurrent_tasks)
            if "report_period" in changes:
                run.timetable.begin_report_period()
            run.timetable.look_at_once()
        self._recorder.event("settings", changes=changes)

    def set_deadline(self, deadline: dt.datetime | None) -> None:
        """Set the moment at which the search ends; None: no moment does."""
        self._state.clock.set_deadline(deadline)
        run = self._present_run()
        if run is not None:
            run.timetable.look_at_once()
        self._recorder.event("set_time_limit", deadline=deadline and deadline.isoformat())

    def enqueue(self, point: dict[str, object]) -> None:
        """Run a point by hand next; it counts against the budget like any other."""
        self._state.waiting_by_hand.append(point)
        self._recorder.event("enqueue_trial", parameters=self._state.space.encode(point))
