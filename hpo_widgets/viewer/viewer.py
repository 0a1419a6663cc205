"""A search seen through its journal: from another process, after a restart, without its callable."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.objectives import ScalarSummary, make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.search import COMMANDS, SearchStatus, check_command
from hpo_widgets.search.as_code import Named, arguments_as_kept, constructor_call, current_arguments
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.limits import SECONDS_A_MINUTE, TimeLimit, wall_limit_until
from hpo_widgets.search.readable import ReadableSearch
from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer.follower import JournalFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import optuna

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Notice, StopReason
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import TrialStore

_COMMAND_METHODS = {*COMMANDS, "start_locally", "set_default_job_class", "set_report_period"}
"""Methods of a search that change it."""


class SearchViewer(JournalFollower, ReadableSearch):
    """The journal of a search as a `Search`: all that can be read of it, none of the commands.

    A method of `HyperParameterOptimizer` that would change the search raises a ``RuntimeError`` that says who runs it.

    Parameters
    ----------
    path
        The journal.
    whole
        Read all trials at once. False reads the newest 1,000, and the rest when following begins.
    """

    engine_name = "journal"

    def __repr__(self) -> str:
        return f"<SearchViewer {self.id} {self.status}>"

    @property
    def journal_path(self) -> Path:
        """Where the journal is."""
        return self.path

    def backup(self, path: str | Path) -> Path:
        """Write a copy of the journal; see `HyperParameterOptimizer.backup`."""
        return self._reader.backup(path)

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
        return str(self._state.header["strategy"])

    @property
    def strategy_title(self) -> str:
        """What a person calls the strategy; of a view, its class name."""
        return self.strategy_name

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it runs, or when its process died."""
        return self._state.stop_reason

    @property
    def elapsed_minutes(self) -> float:
        """Minutes the search has run; a run whose process died counts up to its last sign of life."""
        began = self._state.run_began
        if began is None:
            return self._state.wall_before
        last_sign = began if self._owner is None else self._owner.heartbeat
        until = time.time() if self._owner_is_alive else last_sign
        return self._state.wall_before + max(0.0, until - began) / SECONDS_A_MINUTE

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        settings = self._state.settings
        counts = self.counts
        seconds, iterations = self._shown.columns.seconds_and_iterations()
        wall = settings.optimization_time_limit
        if self._state.has_own_deadline:
            deadline = self._state.deadline
            limit = None if deadline is None else TimeLimit(dt.datetime.fromisoformat(deadline))
            wall = wall_limit_until(limit, self.elapsed_minutes)
        return Budget(
            jobs=Limit(settings.total_max_jobs, sum(number for state, number in counts.items() if state.has_ended)),
            iterations=Limit(settings.iterations, iterations),
            compute_minutes=Limit(settings.compute_time_limit, seconds / SECONDS_A_MINUTE),
            wall_minutes=Limit(wall, self.elapsed_minutes),
        )

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self._state.ranges.marks

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return super().counts if self._is_whole else self._counts

    @property
    def _store(self) -> TrialStore:
        return self._shown

    @property
    def _declared_space(self) -> Space:
        return self._state.declared_space

    @property
    def errors(self) -> Sequence[Notice]:
        """What went wrong beside trials."""
        return self._state.notices

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self._state.settings.max_number_of_concurrent_tasks

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget."""
        return self._state.settings.total_max_jobs

    @property
    def capabilities(self) -> dict[str, str | None]:
        """No command can be done here; the sentence says why."""
        return dict.fromkeys(COMMANDS, self._why_not)

    @property
    def _why_not(self) -> str:
        """Why nothing can be changed here, and where it can."""
        owner = self._owner
        if owner is None or not self._owner_is_alive:
            return "this is a view of a journal; to continue, open it with base_task_id="
        if owner.pid == os.getpid() and owner.is_here:
            return "this very process runs this search; this is a view of it"
        return f"another process runs this search (process {owner.pid} on {owner.host}); this is a view of it"

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Give, for a command of a search, a function that says why it cannot be done here."""
        if name not in _COMMAND_METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def refuse(*_arguments: object, **_keywords: object) -> object:
            raise RuntimeError(f"{name}() cannot be done here: {self._why_not}")

        return refuse

    def command(self, name: str, *_arguments: object) -> None:
        """Refuse a command, with its reason in ``errors``.

        Parameters
        ----------
        name
            One of `COMMANDS`.
        *_arguments
            Of no interest.

        Raises
        ------
        ValueError
            When there is no such command.
        """
        check_command(name)
        self._tell("command", f"{name} did nothing: {self.capabilities[name]}")

    def trial(self, number: int) -> Trial:
        """One trial."""
        return self._trials.trial(number)

    def top_by(self, title: Any, series: Any, sign: Any, k: int) -> list[Trial]:
        """The best trials by any reported scalars, for instance another sign than the search's.

        Parameters
        ----------
        title, series, sign
            The scalars, as for the constructor of a search.
        k
            How many at most.

        Returns
        -------
        list of Trial
            Best first.
        """
        objectives = make_objectives(title, series, sign)
        ranking = Ranking(objectives)
        for row in self._reader.trials()[1]:
            if row.state == TrialState.FAILED or not row.summary:
                continue
            found = [
                objective.measure(ScalarSummary.from_list(row.summary[objective.key]))
                for objective in objectives
                if objective.key in row.summary
            ]
            if len(found) == len(objectives):
                ranking.put(row.number, tuple(m.value for m in found if m is not None))
        return [self.trial(number) for number in ranking.top(k)]

    def as_code(self) -> str:
        """The search as Python; a template experiment that a journal cannot hold is a name."""
        header, settings = self._state.header, self._state.settings
        is_script = header["engine"] == "script"
        template = Named(header["template"], f"the {'path of the script' if is_script else 'callable'} of this search")
        return constructor_call(
            header["clearml"]["base_task_id"] if header["engine"] == "clearml" else template,
            self.space,
            self.objectives,
            self.strategy_name,
            current_arguments(
                settings,
                self.budget.wall_minutes.limit,
                self.space.limits,
                arguments_as_kept(header["arguments"]),
            ),
        )

    def to_optuna(self) -> optuna.Study:
        """The search so far as an Optuna study, for Optuna's own plots and analyses."""
        from hpo_widgets.strategies.optuna import study_from_trials

        rows = [row for row in self._reader.trials()[1] if TrialState(row.state).has_ended]
        space = self._declared_space
        return study_from_trials(space, self.objectives, [Observation.of(row, space) for row in rows], self.name)

    def get_time_limit(self) -> dt.datetime | None:
        """The moment at which the search ends, as naive local time; None without a limit, or while it does not run."""
        state = self._state
        if state.has_own_deadline:
            return None if state.deadline is None else dt.datetime.fromisoformat(state.deadline)
        limit = state.settings.optimization_time_limit
        if limit is None or state.run_began is None:
            return None
        # The minutes are added to the moment and not to its local time: summer time may end between the two.
        return dt.datetime.fromtimestamp(state.run_began + (limit - state.wall_before) * SECONDS_A_MINUTE)

    def reached_time_limit(self) -> bool:
        """True once a started search is past its limit, and from then on; False without a limit."""
        if self.stop_reason is not None and self.stop_reason.code == "optimization_time_limit":
            return True
        moment = self.get_time_limit()
        return self.status is not SearchStatus.IDLE and moment is not None and TimeLimit(moment).seconds_left <= 0
