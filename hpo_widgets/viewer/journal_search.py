"""Reads a search from its journal's header and events, as they are now or as they were at a moment."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import printable
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.as_code import Named, arguments_as_kept, constructor_call, current_arguments
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.search.readable import ReadableSearch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import StopReason
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.viewer.journal_state import JournalState


class JournalSearch(ReadableSearch):
    """The reading members of a search that is known by a `JournalState`."""

    @property
    @abstractmethod
    def _state(self) -> JournalState:
        """What the journal says of it."""

    @property
    @abstractmethod
    def _seen_at(self) -> float:
        """The moment at which the search is looked at, Unix seconds."""

    @property
    def name(self) -> str:
        """The search's name."""
        return self._state.name

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._state.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self._state.objectives

    @property
    def strategy_name(self) -> str:
        """The strategy's class name."""
        return printable(self._state.header["strategy"])

    @property
    def strategy_title(self) -> str:
        """What a person calls the strategy; of the first journals, which do not say it, the class name."""
        return printable(self._state.header.get("strategy_title", self.strategy_name))

    @property
    def constraint(self) -> str | None:
        """What points have to meet before they are run, in words; None: nothing."""
        constraint = self._state.header["arguments"].get("constraint")
        return printable(constraint) if isinstance(constraint, str) else None

    def allows(self, parameters: Mapping[str, Any]) -> bool:  # noqa: ARG002  as of every search
        """Raise a ``RuntimeError`` where there is a constraint: a journal cannot hold the function."""
        if self.constraint is None:
            return True
        raise RuntimeError(f"a journal does not hold the constraint {self.constraint}, so no point is tested here")

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it runs, or when its process died."""
        return self._state.stop_reason

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        settings = self._state.settings
        num_ended = sum(number for state, number in self.counts.items() if state.has_ended)
        seconds, iterations = self._store.columns.seconds_and_iterations()
        wall = settings.optimization_time_limit
        if self._state.has_own_deadline:
            deadline = self._state.deadline
            left = None if deadline is None else max(0.0, deadline.timestamp() - self._seen_at)
            # A budget's limit has to be above 0: with nothing used and nothing left, no limit is shown.
            wall = None if left is None else self.elapsed_minutes + left / SECONDS_A_MINUTE or None
        return Budget(
            jobs=Limit(settings.total_max_jobs, num_ended - self._store.columns.num_uncounted()),
            iterations=Limit(settings.iterations, iterations),
            compute_minutes=Limit(settings.compute_time_limit, seconds / SECONDS_A_MINUTE),
            wall_minutes=Limit(wall, self.elapsed_minutes),
        )

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self._state.ranges.marks

    @property
    def _declared_space(self) -> Space:
        return self._state.declared_space

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self._state.settings.max_number_of_concurrent_tasks

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget."""
        return self._state.settings.total_max_jobs

    @property
    def _template(self) -> str | Path | Named:
        """The template experiment in code: a Task's id, a script's path, or a name for what a journal cannot hold."""
        header = self._state.header
        if self._state.has_tasks:
            return str(header["clearml"]["base_task_id"])
        is_script = header["engine"] == "script"
        if is_script and "script" in header:
            return Path(header["script"])
        return Named(header["template"], f"the {'path of the script' if is_script else 'callable'} of this search")

    def as_code(self) -> str:
        """The search as Python; where a journal cannot hold the template experiment, the code has a name for it."""
        header, settings = self._state.header, self._state.settings
        return constructor_call(
            self._template,
            self.space,
            self.objectives,
            self.strategy_name,
            current_arguments(
                settings,
                self.budget.wall_minutes.limit,
                self.space.limits,
                arguments_as_kept(header),
            ),
            recorded=self._recorded(),
        )

    def get_time_limit(self) -> dt.datetime | None:
        """The moment at which the search ends, as naive local time; None without a limit.

        A limit in minutes has such a moment only while the search runs.
        """
        state = self._state
        if state.has_own_deadline:
            return state.deadline
        limit = state.settings.optimization_time_limit
        if limit is None or state.run_began is None:
            return None
        # The minutes are added to the moment and not to its local time: summer time may end between the two.
        return dt.datetime.fromtimestamp(state.run_began + (limit - state.wall_before) * SECONDS_A_MINUTE)

    def reached_time_limit(self) -> bool:
        """True once a started search is past its limit, and from then on; False without a limit."""
        if self.stop_reason is not None and self.stop_reason.code == "optimization_time_limit":
            return True
        limit = self.get_time_limit()
        return self.status is not SearchStatus.IDLE and limit is not None and limit.timestamp() <= self._seen_at
