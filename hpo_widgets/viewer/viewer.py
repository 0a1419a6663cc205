"""A search seen through its journal: from another process, after a restart, without its callable."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from hpo_widgets._messages import run_in_thread
from hpo_widgets.journal import opened_by
from hpo_widgets.objectives import ScalarSummary, make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.search import (
    COMMANDS,
    ConstrainsPoints,
    QueuesPoints,
    Search,
    SearchStatus,
    check_command,
    did_nothing,
)
from hpo_widgets.search.as_code import opening_call
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.trial import UNRANKED
from hpo_widgets.viewer.follower import JournalFollower
from hpo_widgets.viewer.journal_search import JournalSearch
from hpo_widgets.viewer.journal_state import write_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import optuna

    from hpo_widgets.search import Notice, RemoteSource
    from hpo_widgets.trials import Trial, TrialRow
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.export import Extra

_COMMAND_METHODS = {*COMMANDS, "start_locally", "set_default_job_class", "set_report_period"} - {"start", "stop"}
"""Methods of a search that change it, but for those of `SearchViewer` itself."""


class RunnableSearch(Search, ConstrainsPoints, QueuesPoints, Protocol):
    """A search that this process can run; a `HyperParameterOptimizer`."""

    @property
    def wait(self) -> Callable[..., bool]:
        """Wait for its end; see `ReadableSearch.wait`."""
        ...

    def opening_code(self) -> str:
        """Python that shows it in another kernel, with all that it was given here."""
        ...

    def start(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Start it, or go on with it; False when nothing of the budget is left."""
        ...

    def stop(self, timeout: float | None = None, wait_for_reporter: bool = True) -> None:
        """Stop it, or cancel a start that waits.

        Parameters
        ----------
        timeout
            Minutes to wait at most for the end. Default: until it has ended.
        wait_for_reporter
            As of `HyperParameterOptimizer.stop`.
        """
        ...

    def close_files(self) -> None:
        """Close what reading single trials has opened."""
        ...


class SearchViewer(JournalFollower, JournalSearch):
    """The journal of a search as a `Search`: all that can be read of it, and its commands once it is taken over.

    While another process runs the search, a method of `HyperParameterOptimizer` that would change it raises a
    ``RuntimeError`` that says who runs it. When that process has gone, `start` takes the search over, if the view was
    opened with ``base_task_id``: from then on this process runs the search and the commands act, while what is shown
    still comes from the journal.

    All members may be used from any thread; one lock guards which search this process has taken over.

    Parameters
    ----------
    path
        The journal.
    reopen
        Opens the search to continue it, or returns a view when another process has taken it over first. Default: what
        the search runs is not known here, so it can only be viewed.
    remote
        As of `TrialReader`.
    """

    engine_name = "journal"

    def __init__(
        self,
        path: Path,
        *,
        reopen: Callable[[], RunnableSearch | SearchViewer] | None = None,
        remote: RemoteSource | None = None,
    ) -> None:
        self._reopen = reopen
        self._lock_of_run = threading.Lock()
        self._taken_over: RunnableSearch | None = None
        self._starts: set[object] = set()
        """The starts that have not returned yet; one that is cancelled is taken out."""
        super().__init__(path, remote)

    def __repr__(self) -> str:
        return f"<SearchViewer {self.id} {self.status}>"

    @property
    def journal_path(self) -> Path:
        """Where the journal is."""
        return self.path

    def opening_code(self) -> str:
        """Python that shows the search with its template experiment, so that it can be continued; see `as_code`."""
        if (taken_over := self._taken_over) is not None:
            return taken_over.opening_code()  # which knows what it was given, such as ``worker_env``
        return opening_call(
            opened_by(self.path, self.id),
            self._template,
            self._state.header["strategy"],
            self._state.header,
            self.space,
        )

    def backup(self, path: str | Path) -> Path:
        """Write a copy of the journal; see `HyperParameterOptimizer.backup`."""
        return write_copy(self._reader, path)

    @property
    def status(self) -> SearchStatus:
        """What the search is doing; a search whose owner has died does not run."""
        # A run of this process is known before its journal is read.
        taken_over = self._taken_over
        status = SearchStatus.IDLE if taken_over is None else taken_over.status
        return status if status.is_alive else super().status

    @property
    def is_view(self) -> bool:
        """Whether this process does not run the search."""
        return self._taken_over is None

    @property
    def owner_died(self) -> bool:
        """Whether the process that ran the search has ended in the middle of it, so that it may be taken over."""
        return self.is_view and self._state.is_running and not self._owner_is_alive

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
    def num_waiting_points(self) -> int:
        """How many enqueued points no worker has taken yet."""
        return len(self._state.enqueued) - self._store.columns.num_enqueued()

    def failed_points(self) -> list[int]:
        """Find the points that have failed and that nothing else has become of: the number of a trial of each."""
        taken_over = self._taken_over
        if taken_over is not None:
            return list(taken_over.failed_points())  # which asks the constraint
        rows = self.snapshot()
        return rows.failed_points(self._state.enqueued[int(rows.enqueued.sum()) :])

    def allows(self, parameters: Mapping[str, Any]) -> bool:
        """Whether the constraint of a search that was taken over lets a point be run; see `HyperParameterOptimizer`."""
        taken_over = self._taken_over
        return super().allows(parameters) if taken_over is None else taken_over.allows(parameters)

    @property
    def errors(self) -> Sequence[Notice]:
        """Notices of what went wrong, apart from failed trials."""
        taken_over = self._taken_over
        if taken_over is None:
            return self._state.notices
        # A notice given while the search does not run may not be in the journal.
        known = {(notice.sentence, notice.at) for notice in taken_over.errors}
        return [*taken_over.errors, *(one for one in self._state.notices if (one.sentence, one.at) not in known)]

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        taken_over = self._taken_over
        if taken_over is not None:
            possible = dict(taken_over.capabilities)
        else:
            possible = dict.fromkeys(COMMANDS, self._why_not)
            if self._reopen is not None and not self._owner_is_alive:
                possible["start"] = None
        if self._starts:
            possible["start"] = possible["start"] or "the search is starting"
            possible["stop"] = None
        return possible

    @property
    def _why_not(self) -> str:
        """Why nothing can be changed here, and where it can."""
        is_alive = self._owner_is_alive  # which also brings the owner up to date
        owner = self._owner
        if owner is None or not is_alive:
            if self._reopen is not None:
                return "this is a view of a journal; start it to take the search over"
            return "this is a view of a journal; to continue, open it with base_task_id="
        if owner.is_this_process:
            return "this process itself runs this search; this is a view of it"
        return f"another process runs this search (process {owner.pid} on {owner.host}); this is a view of it"

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Give a command of the search that was taken over, else a function that says why it cannot be done here."""
        if name not in _COMMAND_METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        taken_over = self._taken_over
        if taken_over is not None:
            command: Callable[..., object] = getattr(taken_over, name)
            return command

        def refuse(*_arguments: object, **_keywords: object) -> object:
            raise RuntimeError(f"{name}() cannot be done here: {self._why_not}")

        return refuse

    def command(self, name: str, *arguments: object) -> None:
        """Ask for a command and return at once; what is refused or goes wrong appears in ``errors``."""
        check_command(name)
        taken_over = self._taken_over
        if name == "stop" and self._cancel_starts():
            if taken_over is not None and taken_over.capabilities[name] is None:
                taken_over.command(name)
        elif taken_over is not None:
            taken_over.command(name, *arguments)
        elif (reason := self.capabilities[name]) is not None:
            self._tell("command", did_nothing(name, reason))
        else:
            # All trials are read again, and a server may be asked: whoever presses a button does not wait for it.
            start = self._register_start()
            self._shown.notify()
            run_in_thread("hpo_widgets start", lambda: self._start_and_tell(start), self._shown.notify)

    def _register_start(self) -> object:
        start = object()
        self._starts.add(start)
        return start

    def _cancel_starts(self) -> bool:
        """Have no start that has not returned yet run the search; returns whether there were any."""
        had_any = bool(self._starts)
        self._starts.clear()
        if had_any:
            self._shown.notify()
        return had_any

    def _start_and_tell(self, start: object) -> None:
        try:
            self._begin(start)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: people are told instead
            if start in self._starts:
                self._tell("command", f"start: {error}")
        finally:
            self._starts.discard(start)

    def start(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Go on with the search in this process, once no other one runs it; see `HyperParameterOptimizer.start`.

        A `stop` or `close` before it returns cancels it.

        Raises
        ------
        RuntimeError
            When another process runs the search, or nobody has said what it runs.
        JournalError
            When the journal cannot be written.
        """
        start = self._register_start()
        try:
            return self._begin(start, job_complete_callback)
        finally:
            self._starts.discard(start)
            self._shown.notify()  # another thread may wait for the end of what is started here

    def stop(self, timeout: float | None = None, wait_for_reporter: bool = True) -> None:
        """Stop the search that this process runs, or cancel a start; see `HyperParameterOptimizer.stop`.

        Parameters
        ----------
        timeout
            Minutes to wait at most for the end. Default: until it has ended.
        wait_for_reporter
            As of `HyperParameterOptimizer.stop`.

        Raises
        ------
        RuntimeError
            When this process neither runs nor starts the search.
        """
        had_any = self._cancel_starts()
        taken_over = self._taken_over
        if taken_over is not None:
            taken_over.stop(timeout, wait_for_reporter)
        elif not had_any:
            raise RuntimeError(f"stop() cannot be done here: {self._why_not}")

    def _begin(self, start: object, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Take the search over, and run it, unless the start is cancelled."""
        with self._lock_of_run:
            if start not in self._starts:
                return False
            self.refresh()
            taken_over = self._taken_over
            if taken_over is None:
                taken_over = self._take_over()
                if start not in self._starts:
                    taken_over.close_files()  # it owns nothing before it is started
                    return False
                taken_over.subscribe(self._shown.notify)
                self._taken_over = taken_over
        has_begun = taken_over.start(job_complete_callback)
        if has_begun and start not in self._starts:
            # The stop came before there was a run that it could end.
            taken_over.stop()
        return has_begun

    def _take_over(self) -> RunnableSearch:
        if self._reopen is None or self._owner_is_alive:
            raise RuntimeError(f"start() cannot be done here: {self._why_not}")
        opened = self._reopen()
        if not isinstance(opened, SearchViewer):
            return opened
        # Another process has taken the search over first.
        opened.close()
        self.refresh()
        raise RuntimeError(f"start() cannot be done here: {self._why_not}")

    def _owner_lives(self) -> bool:
        lives = super()._owner_lives()
        taken_over = self._taken_over
        if lives and taken_over is not None and self._owner is not None and not self._owner.is_this_process:
            # Another process goes on with what was run here: this is a view again.
            self._taken_over = None
            taken_over.close_files()
        return lives

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> bool:
        """Wait for the end of the search; see `ReadableSearch.wait`."""
        taken_over = self._taken_over
        if taken_over is None:
            return super().wait(timeout, progress=progress)
        has_ended = taken_over.wait(timeout, progress=progress)
        self.refresh()
        return has_ended

    def close(self) -> None:
        """End following and close the files; a search that was taken over goes on, a start is cancelled."""
        self._cancel_starts()
        super().close()
        if self._taken_over is not None:
            self._taken_over.close_files()

    def trial(self, number: int) -> Trial:
        """One trial."""
        return self._trials.trial(number)

    def _extras_of(self, rows: Rows) -> Mapping[int, Extra]:
        return self._trials.extras(rows)

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
        for row in self._rows():
            if row.state in UNRANKED or not row.summary:
                continue
            found = [
                objective.measure(ScalarSummary.from_list(row.summary[objective.key]))
                for objective in objectives
                if objective.key in row.summary
            ]
            if len(found) == len(objectives):
                ranking.put(row.number, tuple(m.value for m in found if m is not None))
        return [self.trial(number) for number in ranking.top(k)]

    def to_optuna(self) -> optuna.Study:
        """The search so far as an Optuna study, for Optuna's own plots and analyses."""
        from hpo_widgets.strategies.optuna import study_from_trials

        rows = [row for row in self._rows() if TrialState(row.state).has_ended]
        space = self._declared_space
        return study_from_trials(space, self.objectives, [Observation.of(row, space) for row in rows], self.name)

    def _rows(self) -> list[TrialRow]:
        return list(map(self._trials.as_shown, self._reader.trials()[1]))

    @property
    def _seen_at(self) -> float:
        return time.time()
