"""What a person can ask of a live controller of the SDK, and why not of the rest."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.clearml_sdk.stopping import in_background
from hpo_widgets.clearml_sdk.watch import SdkWatch
from hpo_widgets.search import COMMANDS, SearchStatus, StopReason, check_command
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_REPORTER_SECONDS = 60.0


class SdkCommands(SdkWatch):
    """What can be asked of a live controller; each command returns at once."""

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        steering, status = self._steering, self.status
        possible["start"] = self._why_not_start()
        if not status.is_alive:
            possible["pause"] = possible["stop"] = "the search is not running"
        elif status is SearchStatus.STOPPING:
            possible["pause"] = possible["stop"] = "the search is stopping"
        if steering.is_paused:
            possible["pause"] = "the search is paused already"
        else:
            possible["resume"] = "the search is not paused"
        if not (steering.has_loop or steering.is_optuna):
            possible["pause"] = f"hpo_widgets cannot hold back the jobs of {self._kind}"
        possible["set_range"] = possible["set_ranges"] = self._why_no_other_ranges()
        possible["undo"] = possible["set_range"] or (None if self._epochs.can_undo else "no range was changed")
        possible["redo"] = possible["set_range"] or (
            None if self._epochs.can_redo else "no change of a range was undone"
        )
        possible["enqueue_trial"] = possible["retry"] = self._why_no_point_by_hand()
        if steering.is_optuna and self.was_started:
            possible["set_max_number_of_concurrent_tasks"] = (
                "ClearML's Optuna strategy fixes the number of its workers when it starts"
            )
            possible["set_total_max_jobs"] = "ClearML's Optuna strategy fixes the number of its jobs when it starts"
        return possible

    @property
    def _kind(self) -> str:
        return type(self._steering.strategy).__name__

    def _why_not_start(self) -> str | None:
        if self.status.is_alive or self._is_starting:
            return "the search is running"
        steering = self._steering
        if not self.was_started:
            has_sets = any(parameter.name is None for parameter in self.space.parameters)
            return "ClearML's Optuna strategy takes no ParameterSet" if steering.is_optuna and has_sets else None
        if not steering.has_loop:
            return f"ClearML's {self._kind} begins anew at every start: make a new controller to go on"
        limit = steering.total_max_jobs
        if limit and steering.strategy._num_jobs >= limit:  # noqa: SLF001 -- the SDK has no public way
            return f"all {limit} jobs have run: raise the number of jobs first"
        timeout = self._optimizer.optimization_timeout
        if timeout is not None and time.time() >= timeout:
            return "the time limit has passed: set a later one first"
        if self._compute_limit is not None and self.compute_minutes >= self._compute_limit:
            return "the compute time is used up: raise it first"
        return None

    def _why_no_other_ranges(self) -> str | None:
        steering = self._steering
        if steering.is_random or steering.is_grid:
            return None
        if not steering.is_optuna:
            return f"hpo_widgets does not know how {self._kind} takes other ranges"
        return "ClearML's Optuna strategy fixes its ranges when it starts" if self.was_started else None

    def _why_no_point_by_hand(self) -> str | None:
        steering = self._steering
        if steering.is_optuna:
            if steering.study is None or not self.was_started:
                return "ClearML's Optuna strategy takes points by hand only while it runs"
        elif not steering.has_loop:
            return f"hpo_widgets does not know how {self._kind} takes points by hand"
        if self.was_started and not self.is_running:
            return "the search is not running"
        limit = steering.total_max_jobs
        if limit and not steering.is_optuna and steering.strategy._num_jobs >= limit:  # noqa: SLF001
            return f"all {limit} jobs have been launched: raise the number of jobs first"
        return None

    def command(self, name: str, *arguments: Any) -> None:
        """Ask for one of `COMMANDS` and return at once; what goes wrong appears in ``errors``."""
        check_command(name)
        reason = self.capabilities[name]
        if reason is not None:
            self.tell("command", f"{name} did nothing: {reason}")
            return
        try:
            getattr(self, name)(*arguments)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: people are told instead
            self.tell("command", f"{name}: {error}")

    # Start and end --------------------------------------------------------------------------------------

    def start(self, *, locally: bool | None = None) -> None:
        """Start the search, or go on with what is left of its budget; returns at once.

        Parameters
        ----------
        locally
            Whether Tasks run in processes of this machine; default what the adapter was made with.
        """
        where = self._optimizer.start_locally if (self.locally if locally is None else locally) else None
        with self._gate:
            if self.status.is_alive or self._is_starting:
                return
            self._is_starting = True
            is_again = self.was_started
        if not is_again:
            self._begin(where)
            return
        # The reporter of the run before must end first: it would stop the new one.
        in_background("start", lambda: self._begin_again(where))

    def _begin(self, where: Callable[..., Any] | None) -> None:
        try:
            optimizer = self._optimizer
            if self._limit_minutes is not None:
                optimizer.set_time_limit(in_minutes=self._limit_minutes)
            (where or optimizer.start)(job_complete_callback=optimizer._experiment_completed_cb)  # noqa: SLF001
        finally:
            self._is_starting = False
            self.wake()

    def _begin_again(self, where: Callable[..., Any] | None) -> None:
        optimizer = self._optimizer
        try:
            if self._stopping is not None:
                # The SDK's stop may still be busy; it would forget the thread of the new run.
                self._stopping.join()
            optimizer._stop_event.set()  # noqa: SLF001
            optimizer._thread_reporter.join(_REPORTER_SECONDS)  # noqa: SLF001
            with self._gate:
                self._go_on()
                (where or optimizer.start)(job_complete_callback=optimizer._experiment_completed_cb)  # noqa: SLF001
        except Exception as error:
            self.tell("command", f"start: {error}")
            raise
        finally:
            self._is_starting = False
            self.wake()

    def stop(self) -> None:
        """Abort what runs and end the search; returns at once."""
        self.end(StopReason("stopped", "stopped by hand"))

    # Steering -------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Launch nothing more; running trials finish, time limits run on."""
        self._steering.pause(paused=True)
        self.wake()

    def resume(self) -> None:
        """Launch again."""
        self._steering.pause(paused=False)
        self.wake()

    def set_range(self, name: str, range: Sequence[Any]) -> None:  # noqa: A002 -- the field's word
        """Narrow or widen one range."""
        self.set_ranges({name: range})

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Change ranges in one gesture: the next point proposed lies inside."""
        self._enter(lambda first: self._epochs.set_ranges(ranges, first))

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._enter(self._epochs.undo)

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._enter(self._epochs.redo)

    def _enter(self, change: Callable[[int], object]) -> None:
        with self._gate:
            if change(len(self._children.all)) is not None:
                self._steering.set_space(self._epochs.space, self._epochs.number, was_started=self.was_started)
        self.wake()

    def enqueue_trial(self, parameters: Mapping[str, Any]) -> None:
        """Run a point of one's own next; it counts against the budget."""
        self._steering.enqueue(dict(self.space.normalise(parameters)))

    def retry(self, trial: Trial | int) -> None:
        """Run a trial's point again; the retry counts against the budget."""
        number = trial.number if isinstance(trial, Trial) else trial
        self._steering.enqueue(dict(self.trial(number).parameters))

    def set_max_number_of_concurrent_tasks(self, number: int) -> None:
        """Change how many trials run at once; running ones finish."""
        self._steering.concurrency = _whole("max_number_of_concurrent_tasks", number)
        self._optimizer.max_number_of_concurrent_tasks = number
        self.wake()

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change the job budget; None: no limit."""
        self._steering.total_max_jobs = None if number is None else _whole("total_max_jobs", number)
        self.wake()

    def set_compute_time_limit(self, minutes: float | None) -> None:
        """Change the compute budget, in minutes; None: no limit. It is kept while somebody watches."""
        self._compute_limit = _minutes("compute_time_limit", minutes)
        self._steering.set_compute_limit(self._compute_limit)
        self.wake()

    def set_time_limit(self, in_minutes: float | None = None, specific_time: dt.datetime | None = None) -> None:
        """Set the time limit: minutes, from the start or from now, or a moment; neither: no limit."""
        if specific_time is not None:
            now = dt.datetime.now(specific_time.tzinfo)
            if specific_time <= now:
                raise ValueError(f"the time limit {specific_time:%Y-%m-%d %H:%M:%S} lies in the past")
            self._limit_minutes = (specific_time - now).total_seconds() / SECONDS_A_MINUTE
            self._optimizer.set_time_limit(specific_time=specific_time)
        else:
            self._limit_minutes = _minutes("in_minutes", in_minutes)
            self._optimizer.set_time_limit(in_minutes=self._limit_minutes)
        self.wake()


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return value


def _minutes(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"{name} is in minutes and must be above 0, got {value!r}; None for no limit")
    return cast("float", value)
