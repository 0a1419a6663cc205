"""What is known of a live controller of the SDK, read from outside."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml_sdk.children import Children, Judge, TaskSource
from hpo_widgets.clearml_sdk.steering import Steering
from hpo_widgets.objectives import Objective
from hpo_widgets.parameters import as_parameter
from hpo_widgets.search import END_STATUS, MOST_NOTICES, Notice, SearchStatus
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.space import Space
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.trials.store import TrialStore

if TYPE_CHECKING:
    from hpo_widgets.search import StopReason
    from hpo_widgets.trials import Trial

logger = logging.getLogger("hpo_widgets")


class SdkState(ABC):
    """The state of a live controller of the SDK; `SdkSearch` tells what is done with it.

    Written by the watcher's thread (`SdkWatch`), and under ``_gate`` by commands.
    """

    def __init__(self, optimizer: Any, *, locally: bool = False) -> None:
        strategy = optimizer.get_optimizer()
        self._optimizer = optimizer
        self.locally = locally
        self._declared = Space([as_parameter(parameter) for parameter in strategy._hyper_parameters])  # noqa: SLF001
        self.objectives = tuple(
            Objective(one.title, one.series, ("min" if one.sign < 0 else "max") + ("_global" if one.extremum else ""))
            for one in optimizer._objective_metric.objectives  # noqa: SLF001
        )
        self._epochs = RangeHistory(self._declared)
        self._shown = TrialStore(self._declared, self.objectives)
        self._steering = Steering(strategy, wake=self.wake, began=self._began, withdraw=self._withdraw)
        self._children = Children(self._declared, self.objectives, Judge(strategy, lambda: self._steering.study))
        self._source = TaskSource(lambda number: self._children.all[number], lambda what: self.tell("server", what))
        self._notices: list[Notice] = []
        self._told: set[str] = set()
        self._gate = threading.RLock()
        self._followers: set[object] = set()
        """One entry for each subscription."""
        self._loop: threading.Thread | None = None
        self._ending: StopReason | None = None
        self._reason: StopReason | None = None
        self._is_starting = False
        self._former_reporter: threading.Thread | None = None
        """The SDK's reporter of the run that ended last."""
        self._minutes_before = 0.0
        """Minutes of the runs before this one."""
        self._minutes_in_all: float | None = None
        """Minutes of all runs, once it has ended."""
        self._limit_minutes = self._minutes_left() if not self.was_started else None
        self._compute_limit: float | None = strategy.compute_time_limit or None
        if not self.was_started:
            self._steering.prepare(self._declared)
            if self._steering.study is not None:
                self.tell("strategy", "ClearML's Optuna strategy leaves continue_previous_study out: it begins anew")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    @abstractmethod
    def id(self) -> str:
        """The search's id."""

    @abstractmethod
    def trial(self, number: int) -> Trial:
        """One trial."""

    @abstractmethod
    def wake(self) -> None:
        """Have the watcher look now."""

    @abstractmethod
    def _withdraw(self, task_id: str) -> None:
        """Take a Task back that was launched while a stop was on its way."""

    # What the controller says ---------------------------------------------------------------------------

    @property
    def optimizer(self) -> Any:
        """The SDK's controller."""
        return self._optimizer

    @property
    def was_started(self) -> bool:
        """Whether it was ever started, by whomever."""
        return self._optimizer.optimization_start_time is not None

    @property
    def is_running(self) -> bool:
        """Whether its loop's thread lives. The SDK forgets one that still launches, and keeps one that has died."""
        loop = self._loop = self._optimizer._thread or self._loop  # noqa: SLF001 -- the SDK has no public way
        return loop is not None and (loop.ident is None or loop.is_alive())

    def _minutes_left(self) -> float | None:
        timeout = self._optimizer.optimization_timeout
        if timeout is None:
            return None
        # The constructor's clock runs before the start; a breath later its limit is still the whole one.
        return round(max(0.0, timeout - time.time()) / SECONDS_A_MINUTE, 2) or 0.01

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._epochs.space

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        if not self.was_started:
            return SearchStatus.IDLE
        reason = self._reason
        if reason is not None:
            return END_STATUS.get(reason.code, SearchStatus.COMPLETED)
        if self._ending is not None:
            return SearchStatus.STOPPING
        if self.is_running or self._is_starting or self._followers:
            # An end is told together with its reason, by the watcher.
            return SearchStatus.PAUSED if self._steering.is_paused else SearchStatus.RUNNING
        return SearchStatus.STOPPED

    @property
    def elapsed_minutes(self) -> float:
        """Minutes it has run; 0 before its start."""
        if self._minutes_in_all is not None:
            return self._minutes_in_all
        began = self._optimizer.optimization_start_time
        return 0.0 if began is None else self._minutes_before + max(0.0, time.time() - began) / SECONDS_A_MINUTE

    @property
    def compute_minutes(self) -> float:
        """Minutes of all jobs together."""
        return sum(child.seconds for child in list(self._children.all)) / SECONDS_A_MINUTE

    # Runs ----------------------------------------------------------------------------------------------

    def _has_ended(self, reason: StopReason) -> None:
        """Freeze the clock and keep the reason."""
        with self._gate:
            self._minutes_in_all = self.elapsed_minutes
            self._reason = reason
            self._ending = None
            self._former_reporter = self._optimizer._thread_reporter  # noqa: SLF001

    def _go_on(self) -> None:
        """Begin another run, after an end."""
        with self._gate:
            self._minutes_before = self.elapsed_minutes
            self._minutes_in_all = self._reason = self._ending = None
            self._steering.allow()

    def _began(self) -> None:
        """The loop begins; after an end that was told, somebody has started it again in a cell."""
        with self._gate:
            if self._reason is not None:
                self._go_on()

    # What is told ---------------------------------------------------------------------------------------

    def tell(self, source: str, sentence: str) -> None:
        """Add a notice for people."""
        logger.warning("%s: %s", source, sentence)
        with self._gate:
            self._notices = [*self._notices, Notice(source, sentence)][-MOST_NOTICES:]
        self._shown.notify()

    def tell_once(self, source: str, sentence: str) -> None:
        """Add a notice that is there only once."""
        if sentence not in self._told:
            self._told.add(sentence)
            self.tell(source, sentence)
