"""The commands of a live controller of the SDK, and why some of them are refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.search import COMMANDS, SearchStatus, StopReason
from hpo_widgets.search.limits import optional_positive_int, positive_int, positive_minutes
from hpo_widgets.trials import Trial

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.clearml_sdk.live import LiveSearch


class SdkCommands:
    """The commands of one live controller: a method for each of `COMMANDS`; all return at once."""

    def __init__(self, live: LiveSearch) -> None:
        self._live = live
        self._patches = live.patches
        self._history = live.history

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        patches, status = self._patches, self._live.status
        possible["start"] = self._why_no_start()
        if not status.is_alive:
            possible["pause"] = possible["stop"] = "the search is not running"
        elif status is SearchStatus.STOPPING:
            possible["pause"] = possible["stop"] = "the search is stopping"
        if patches.is_paused:
            possible["pause"] = "the search is paused already"
        else:
            possible["resume"] = "the search is not paused"
        if not (patches.has_loop or patches.is_optuna):
            possible["pause"] = f"hpo_widgets cannot hold back the jobs of {self._live.strategy_name}"
        why_no_ranges = possible["set_range"] = possible["set_ranges"] = self._why_no_other_ranges()
        possible["add_choices"] = (
            "ClearML's own controller takes no new choice: HyperParameterOptimizer of hpo_widgets does"
        )
        possible["set_prior"] = possible["set_priors"] = (
            f"ClearML's {self._live.strategy_name} follows no prior: random search and TPE of hpo_widgets do"
        )
        possible["undo"] = why_no_ranges or (None if self._history.can_undo else "no range was changed")
        possible["redo"] = why_no_ranges or (None if self._history.can_redo else "no change of a range was undone")
        why_no_point = possible["enqueue_trial"] = possible["retry"] = self._why_no_enqueued_point()
        possible["retry_failed"] = why_no_point
        possible["add_trial"] = possible["add_trials"] = (
            "a search of ClearML's own controller has no journal for results that did not run"
        )
        possible["stop_trial"] = "ClearML's own controller stops no single trial: abort its Task in the web UI"
        possible["set_note"] = possible["set_tags"] = (
            "a search of ClearML's own controller has no journal for notes and tags: set them on the Task"
        )
        possible["leave_out"] = possible["take_back"] = (
            "ClearML's own controller learns from each of its Tasks, and leaves none out"
        )
        if patches.is_optuna and self._live.was_started:
            fixed = "ClearML's Optuna strategy fixes the number of its {} when it starts"
            possible["set_max_number_of_concurrent_tasks"] = fixed.format("workers")
            possible["set_total_max_jobs"] = fixed.format("jobs")
        return possible

    def _why_no_start(self) -> str | None:
        patches, live = self._patches, self._live
        if live.status.is_alive or live.is_starting:
            return "the search is running"
        is_past = "the time limit has passed: set a later one first" if live.is_past_limit else None
        if not live.was_started:
            has_sets = any(parameter.name is None for parameter in self._history.space.parameters)
            return "ClearML's Optuna strategy takes no ParameterSet" if patches.is_optuna and has_sets else is_past
        if not patches.has_loop:
            return (
                f"ClearML's {self._live.strategy_name} starts from the beginning at every start: make a new controller "
                "to continue"
            )
        if patches.num_left == 0:
            return f"{patches.all_used}: raise the number of jobs first"
        if is_past is not None:
            return is_past
        if live.has_used_compute:
            return "the compute time is used up: raise it first"
        return None

    def _why_no_other_ranges(self) -> str | None:
        patches = self._patches
        if patches.is_random or patches.is_grid:
            return None
        if not patches.is_optuna:
            return f"hpo_widgets does not know how {self._live.strategy_name} takes other ranges"
        return "ClearML's Optuna strategy fixes its ranges when it starts" if self._live.was_started else None

    def _why_no_enqueued_point(self) -> str | None:
        patches, live = self._patches, self._live
        if patches.is_optuna:
            if patches.study is None or not live.was_started:
                return "ClearML's Optuna strategy takes enqueued points only while it runs"
        elif not patches.has_loop:
            return f"hpo_widgets does not know how {self._live.strategy_name} takes enqueued points"
        if live.was_started and not live.is_running:
            return "the search is not running"
        if patches.num_left == 0:
            why = f"all {self._live.total_max_jobs} jobs have been launched, or are reserved for waiting points"
            return why if patches.is_optuna else f"{why}: raise the number of jobs first"
        return None

    def start(self) -> None:
        """Start the search, or go on with what is left of its budget; returns at once."""
        self._live.start()

    def stop(self) -> None:
        """Abort what runs and end the search; returns at once."""
        self._live.end(StopReason("stopped", "stopped by hand"))

    def pause(self) -> None:
        """Launch nothing more; running trials finish, time limits run on."""
        self._patches.pause(paused=True)
        self._changed()

    def resume(self) -> None:
        """Launch again."""
        self._patches.pause(paused=False)
        self._changed()

    def set_range(self, name: str, range: Sequence[Any]) -> None:  # noqa: A002 -- the field's word
        """Narrow or widen one range.

        Parameters
        ----------
        name
            The parameter's full name.
        range
            ``(low, high)`` in values, or the allowed choices.
        """
        self.set_ranges({name: range})

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Change ranges together: the next point proposed lies inside."""
        self._change_ranges(lambda first: self._history.set_ranges(ranges, first))

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._change_ranges(self._history.undo)

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._change_ranges(self._history.redo)

    def _change_ranges(self, change: Callable[[int], object]) -> None:
        with self._live.lock:
            if change(len(self._live.trials.all)) is None:
                return
            history = self._history
            self._patches.set_space(history.space, history.number, was_started=self._live.was_started)
        self._changed()

    def enqueue_trial(self, parameters: Mapping[str, Any]) -> None:
        """Run a given point next; it counts against the budget."""
        self._patches.enqueue(dict(self._history.space.normalise(parameters)))

    def retry(self, trial: Trial | int) -> None:
        """Run a trial's point again; the retry counts against the budget."""
        own = self._live.trial(trial.number if isinstance(trial, Trial) else trial)
        if isinstance(trial, Trial) and trial.id != own.id:
            raise ValueError(
                f"trial {trial.name} ({trial.id}) belongs to another search than {self._live.id}; "
                "enqueue_trial(trial.parameters) runs its point here"
            )
        self._patches.enqueue(dict(own.parameters))

    def retry_failed(self) -> None:
        """Run the points of failed trials again, the oldest first, as many as the budget has room for."""
        failed, room = self._live.failed_points(), self._patches.num_left
        for number in failed[:room]:
            self._patches.enqueue(dict(self._live.trial(number).parameters))
        if room is not None and len(failed) > room:
            rest = len(failed) - room
            what = f"{rest} of {len(failed)} points {'does' if rest == 1 else 'do'} not run again"
            why = f"as the budget has room for {room}; raise the number of jobs first"
            self._live.notices.tell("command", f"{what}, {why}")
        self._changed()

    def set_max_number_of_concurrent_tasks(self, number: int) -> None:
        """Change how many trials run at once; running ones finish."""
        whole = positive_int("max_number_of_concurrent_tasks", number)
        self._live.optimizer.max_number_of_concurrent_tasks = whole
        self._patches.set_concurrency(whole)
        self._changed()

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change the job budget; None: no limit."""
        self._patches.set_total_max_jobs(optional_positive_int("total_max_jobs", number))
        self._changed()

    def set_compute_time_limit(self, minutes: float | None) -> None:
        """Change the compute budget, in minutes; None: no limit. It is enforced only while somebody has subscribed."""
        self._patches.set_compute_limit(positive_minutes("compute_time_limit", minutes))
        self._changed()

    def set_time_limit(self, in_minutes: float | None = None, specific_time: dt.datetime | None = None) -> None:
        """Set the time limit; with neither argument there is none.

        Parameters
        ----------
        in_minutes
            Minutes from the start, or from now if the search was started. Default None.
        specific_time
            A moment, in the local time zone unless it has one; takes precedence over ``in_minutes``. Default None.

        Raises
        ------
        ValueError
            When the moment lies in the past, or the minutes are not above 0.
        """
        if specific_time is None:
            self._live.set_limit_from_start(positive_minutes("in_minutes", in_minutes))
        else:
            # By timestamps: the clock of a time zone may change in between.
            if specific_time.timestamp() <= time.time():
                raise ValueError(f"the time limit {specific_time:%Y-%m-%d %H:%M:%S} lies in the past")
            self._live.optimizer.set_time_limit(specific_time=specific_time)
        self._changed()

    def _changed(self) -> None:
        self._live.trials.store.notify()
        self._live.watcher.wake()
