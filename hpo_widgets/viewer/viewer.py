"""A search seen through its journal: from another process, after a restart, without its callable."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.objectives import ScalarSummary, make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.search import COMMANDS, check_command
from hpo_widgets.search.as_code import Named, constructor_call
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.current_arguments import arguments_as_kept, present_keywords
from hpo_widgets.search.limits import SECONDS_A_MINUTE, wall_limit_until
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.export import to_dataframe
from hpo_widgets.viewer.follower import JournalFollower

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Notice, StopReason
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Changes, Snapshot


class SearchViewer(JournalFollower):
    """The journal of a search as a `Search`: all that is shown, none of the commands.

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
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it runs, or when its process died."""
        return self._state.stop_reason

    @property
    def elapsed_minutes(self) -> float:
        """Minutes the search has run; a run whose process died counts up to its last sign of life."""
        began = self._state.run_began
        if began is None:
            return self._state.wall_before
        until = time.time() if self._owner_is_alive else self._last_sign
        return self._state.wall_before + max(0.0, until - began) / SECONDS_A_MINUTE

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        settings = self._state.settings
        counts = self.counts
        snapshot = self._shown.columns.snapshot()
        ended = snapshot.ended
        seconds = (ended - snapshot.started)[ended == ended]  # noqa: PLR0124 -- NaN: not ended
        wall = settings.optimization_time_limit
        if self._state.has_own_deadline:
            deadline = self._state.deadline
            moment = None if deadline is None else dt.datetime.fromisoformat(deadline)
            wall = wall_limit_until(moment, self.elapsed_minutes)
        return Budget(
            jobs=Limit(settings.total_max_jobs, sum(counts.values())),
            iterations=Limit(None, 0),
            compute_minutes=Limit(settings.compute_time_limit, float(seconds.sum()) / SECONDS_A_MINUTE),
            wall_minutes=Limit(wall, self.elapsed_minutes),
        )

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self._state.ranges.marks

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return self._shown.columns.counts() if self._is_whole else self._counts

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial, else the best with a value."""
        number = self._shown.best()
        return None if number is None else self.trial(number)

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
        if self._owner_is_alive:
            who = "this very process" if self._is_own else "another process"
            reason = f"{who} runs this search; this is a view of it"
        else:
            reason = "this is a view of a journal; to continue, open it with base_task_id="
        return dict.fromkeys(COMMANDS, reason)

    def command(self, name: str, *_arguments: object) -> None:
        """Refuse a command, with its reason in ``errors``."""
        check_command(name)
        self._tell("command", f"{name} did nothing: {self.capabilities[name]}")

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self._shown.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self._shown.columns.changes_since(version)

    def trial(self, number: int) -> Trial:
        """One trial."""
        return self._trials.trial(number)

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first."""
        return [self.trial(number) for number in self._shown.top(k)]

    def top_by(self, title: Any, series: Any, sign: Any, k: int) -> list[Trial]:
        """The k best trials by any reported scalars, for instance another sign than the search's."""
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
            present_keywords(
                settings,
                self.budget.wall_minutes.limit,
                self.space.limits,
                arguments_as_kept(header["arguments"]),
            ),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """All trials with typed values, one row a trial."""
        return to_dataframe(self.snapshot(), self._state.declared_space, self.objectives)
