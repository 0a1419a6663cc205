"""The thread that keeps the optimizer Task and the archive up to date, and the plots and scalars that it sends.

They are those of the SDK's own controller. Scalars are sent for the trials that have ended since the last report. A
plot is always sent whole, so it is sent again only when the number of ended trials has grown by a tenth, and at the
end: all reports of a search together cost what its trials do, not their square. Nothing is asked of the server for a
single trial.
"""

from __future__ import annotations

import html
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.engines.clearml.optimizer_task import TakenOverError
from hpo_widgets.engines.clearml.reading import page_of
from hpo_widgets.engines.clearml.server import ClearmlError, pages, sentence_of
from hpo_widgets.search.budget import Limit
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.trial import UNRANKED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.engines.base import StartedSearch
    from hpo_widgets.engines.clearml.optimizer_task import OptimizerTask
    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.trials.columns import Snapshot

GROWTH = 1.1
MOST_ROWS = 1000
"""So many trials are in the table and in the parallel coordinates, best first."""

_ID_LENGTH = 6
_SERIES = {True: "min", False: "max"}


class OptimizerReport:
    """Reports one search to its Task; used by the reporter thread alone.

    Parameters
    ----------
    task
        The SDK's Task.
    queue
        Name of the execution queue.
    is_continued
        Whether an earlier process may have reported to it: this report begins behind the iterations of that one.
    """

    def __init__(self, task: Any, server: Server, queue: str, *, is_continued: bool = False) -> None:
        self._task = task
        self._server = server
        self._queue = queue
        self._counter = 0
        self._is_continued = is_continued
        self._version = 0
        self._told: set[int] = set()
        self._best: list[float | None] = []
        self._left_out: set[int] = set()
        """The trials that were left out of the search when `_best` was known last."""
        self._num_drawn = 0

    def send(self, source: StartedSearch, *, is_last: bool) -> None:
        """Report what is new; plots when there is enough of it, and at the end.

        Parameters
        ----------
        source
            The search that is followed.
        is_last
            Whether the search has ended: plots are drawn once more.
        """
        search = source.search
        logger = self._task.get_logger()
        if self._is_continued:
            self._counter, self._is_continued = int(self._task.get_last_iteration()), False
        self._counter += 1
        self._send_budget(logger, source)
        self._send_resources(logger, source)
        self._send_best(logger, source)
        num_ended = sum(number for state, number in search.counts.items() if state.has_ended)
        if num_ended and (num_ended >= GROWTH * self._num_drawn or (is_last and num_ended > self._num_drawn)):
            self._num_drawn = num_ended
            self._send_plots(logger, source, search.snapshot())
        if is_last:
            self._task.flush()

    def _scalar(self, logger: Any, title: str, series: str, value: float) -> None:
        if math.isfinite(value):
            logger.report_scalar(title=title, series=series, iteration=self._counter, value=value)

    def _send_budget(self, logger: Any, source: StartedSearch) -> None:
        budget = source.search.budget
        compute = budget.compute_minutes
        minutes_per_job = source.state().get("settings", {}).get("time_limit_per_job")
        if compute.limit is None and budget.jobs.limit is not None and minutes_per_job is not None:
            # As in the SDK, what all trials together may take bounds the compute time.
            compute = Limit(budget.jobs.limit * minutes_per_job, compute.used)
        parts = {
            "jobs": budget.jobs,
            "iterations": budget.iterations,
            "compute_time": compute,
            "time": budget.wall_minutes,
        }
        for name, limit in parts.items():
            if limit.fraction is not None:
                self._scalar(logger, "remaining budget", f"{name} %", round(100 * max(0.0, 1 - limit.fraction), 1))

    def _send_resources(self, logger: Any, source: StartedSearch) -> None:
        counts = source.search.counts
        self._scalar(logger, "resources", "queue workers", len(self._server.workers_of(self._queue)))
        self._scalar(logger, "resources", "running tasks", counts[TrialState.RUNNING])
        self._scalar(logger, "resources", "pending tasks", counts[TrialState.QUEUED])

    def _send_best(self, logger: Any, source: StartedSearch) -> None:
        """Best value so far and last value, a point for each trial that has ended since the last report."""
        changes = source.search.changes_since(self._version)
        self._version = changes.version
        ended = changes.state >= TrialState.COMPLETED
        in_order = np.flatnonzero(ended)[np.lexsort((changes.numbers[ended], changes.ended[ended]))]
        objectives = source.search.objectives
        left_out = {number for number, remark in changes.remarks.items() if remark.left_out}
        if not self._best or left_out != self._left_out:
            self._best, self._left_out = self._best_told(source), left_out
        for at in in_order.tolist():
            number = int(changes.numbers[at])
            if number in self._told:  # only its place in the archive has changed
                continue
            self._told.add(number)
            if changes.state[at] in UNRANKED:
                continue
            for index, objective in enumerate(objectives):
                value = float(changes.values[at, index])
                if not math.isfinite(value):
                    continue
                better = min if objective.minimise else max
                before = self._best[index]
                best = self._best[index] = value if before is None else better(before, value)
                series = _SERIES[objective.minimise]
                place = len(self._told)
                logger.report_scalar(title=objective.key, series=series, iteration=place, value=best)
                logger.report_scalar(title=objective.key, series="last reported", iteration=place, value=value)

    def _best_told(self, source: StartedSearch) -> list[float | None]:
        """The best value of each objective among the trials that were told and count."""
        rows = source.search.snapshot()
        values = rows.values[rows.is_ranked & np.isin(rows.numbers, list(self._told))]
        best: list[float | None] = []
        for column, objective in zip(values.T, source.search.objectives, strict=True):
            finite = column[np.isfinite(column)].tolist()
            best.append((min if objective.minimise else max)(finite) if finite else None)
        return best

    # Plots ----------------------------------------------------------------------------------------

    def _send_plots(self, logger: Any, source: StartedSearch, snapshot: Snapshot) -> None:
        search = source.search
        objectives = search.objectives
        measured = np.flatnonzero(snapshot.is_whole & snapshot.is_ranked).tolist()
        if not measured:
            return
        texts = {html.escape(name): _texts(source, snapshot, name) for name in snapshot.parameters}
        labels = [", ".join(f"{name}: {own[n]}" for name, own in texts.items() if own[n] != "") for n in measured]
        for index, objective in enumerate(objectives):
            logger.report_scatter2d(
                title="Optimization Objective",
                series=objective.key,
                scatter=[(n, float(snapshot.values[n, index])) for n in measured],
                iteration=0,
                labels=labels,
                mode="markers",
                xaxis="job #",
                yaxis="objective",
            )
        is_measured = set(measured)
        best = [number for number in source.top(MOST_ROWS) if number in is_measured]
        self._send_table(logger, source, snapshot, best, texts)
        self._send_coordinates(logger, source, snapshot, best, texts)

    def _send_table(
        self, logger: Any, source: StartedSearch, snapshot: Snapshot, best: Sequence[int], texts: dict[str, list[Any]]
    ) -> None:
        objectives = source.search.objectives
        if len(objectives) == 1:
            heads = ["objective"]
        else:
            heads = [html.escape(objective.key) for objective in objectives]
        table: list[list[Any]] = [["task id", *heads, "iteration", *texts, "status"]]
        for number in best:
            row = [float(value) for value in snapshot.values[number]]
            parameters = [str(own[number]) for own in texts.values()]
            state = TrialState(int(snapshot.state[number])).label
            table.append([self._link(source, number), *row, int(snapshot.iteration[number].max()), *parameters, state])
        title = html.escape(", ".join(objective.key for objective in objectives))
        logger.report_table("summary", "job", 0, table_plot=table, extra_layout={"title": f"objective: {title}"})

    def _link(self, source: StartedSearch, number: int) -> str:
        job = source.job_of(number)
        if job is None:
            return ""
        page = page_of(job)
        return job if page is None else f'<a href="{html.escape(page, quote=True)}"> {job} </a>'

    def _send_coordinates(
        self, logger: Any, source: StartedSearch, snapshot: Snapshot, best: Sequence[int], texts: dict[str, list[Any]]
    ) -> None:
        objectives = source.search.objectives
        jobs = [f"{(source.job_of(number) or str(number))[:_ID_LENGTH]}..." for number in best]
        dimensions = [
            _dimension("task id", jobs),
            _dimension("iteration", [int(snapshot.iteration[number].max()) for number in best]),
        ]
        dimensions += [_dimension(name, [own[number] for number in best]) for name, own in texts.items()]
        dimensions += [
            _dimension(html.escape(objective.key), [float(snapshot.values[number, index]) for number in best])
            for index, objective in enumerate(objectives)
        ]
        line = {
            "colorscale": "Viridis",
            "reversescale": not objectives[-1].minimise,
            "color": dimensions[-1]["values"],
        }
        figure = {"data": [{"type": "parcoords", "line": line, "dimensions": dimensions}], "layout": {}}
        logger.report_plotly(title="Parallel Coordinates", series="", iteration=0, figure=figure)


def _texts(source: StartedSearch, snapshot: Snapshot, name: str) -> list[Any]:
    """A parameter's values by trial, as numbers or texts in HTML; nothing where it is no part of the point."""
    space = source.search.space
    column = next(column for column in space.columns if column.name == name)
    values = snapshot.parameters[name].tolist()
    if column.labels is None:
        kind = int if column.kind == "int" else float
        return ["" if value != value else kind(value) for value in values]  # noqa: PLR0124 -- NaN
    choices: Sequence[Any] = space.leaf(name).declared
    if not all(isinstance(choice, (int, float)) and not isinstance(choice, bool) for choice in choices):
        choices = [html.escape(label) for label in column.labels]
    return ["" if index < 0 else choices[index] for index in values]


def _dimension(label: str, values: Sequence[Any]) -> dict[str, Any]:
    """One axis of parallel coordinates: numbers as they are, texts by their place."""
    if all(isinstance(value, (int, float)) for value in values):
        return {"label": label, "values": [float(value) for value in values]}
    texts = list(dict.fromkeys(map(str, values)))
    place = {text: index for index, text in enumerate(texts)}
    return {
        "label": label,
        "values": [place[str(value)] for value in values],
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
    }


logger = logging.getLogger("hpo_widgets")

_FIRST_SECONDS = 15.0
"""Seconds after the start within which the first report is sent."""

LOOK_SECONDS = 1.0
"""Seconds between two checks of which trials enter or leave the archive."""

KEEP_SECONDS = 20.0
"""Seconds between two signs of life that the optimizer Task is sent: a third of a lease's `SILENCE`."""

_NOT_STEERED = {"owner", "wall_minutes", "enqueued", "num_enqueued_launched"}
"""What changes of a search's state while nobody steers it."""

_LAST_TRIES = 5

LAST_SECONDS = 60.0
"""Seconds at most to wait for a last report: the SDK tries for hours to send it to a server that does not answer."""


class ReportThread:
    """Reports a search. Each run has a thread, which waits for that of the run before and ends with the last report.

    Parameters
    ----------
    optimizer_task
        Where to report to; None: nowhere, only the archive is kept.
    archives
        Whether trials beyond the top k are archived at the server.
    """

    def __init__(self, server: Server, optimizer_task: OptimizerTask | None, queue: str, *, archives: bool) -> None:
        self._server = server
        self._optimizer_task = optimizer_task
        self._report: OptimizerReport | None = None
        if optimizer_task is not None and not optimizer_task.is_read_only:
            is_continued = optimizer_task.is_continued
            self._report = OptimizerReport(optimizer_task.task, server, queue, is_continued=is_continued)
        self._archives = archives
        self._archived: set[str] = set()
        self._version = 0
        self._told: dict[str, str] = {}
        """What was told of a kind of work that has failed, until it succeeds."""
        self._thread: threading.Thread | None = None
        self._steered: dict[str, Any] = {}
        """What the optimizer Task was told of that people steer by."""
        self._is_steered = False

    def begin(self, source: StartedSearch) -> None:
        """Follow a run that has just begun; its reports begin after the last one of the run before."""
        if self._report is None and not self._archives:
            return
        arguments = (source, self._thread)
        self._thread = threading.Thread(target=self._run, args=arguments, name="hpo_widgets reporter", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the last report of a run that has ended; False when it was not sent in time.

        No longer than `LAST_SECONDS`, with any ``timeout``.
        """
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(LAST_SECONDS if timeout is None else min(timeout, LAST_SECONDS))
        return not thread.is_alive()

    def _run(self, source: StartedSearch, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            self._follow(source)
        except TakenOverError as error:  # the Task, the archive and the reports are that process's now
            source.leave(str(error))

    def _follow(self, source: StartedSearch) -> None:
        due = time.monotonic() + min(_FIRST_SECONDS, source.report_seconds())
        own = self._optimizer_task
        if own is not None:
            self._guarded("begin", lambda _: own.begin(), source)
        self._guarded("keep", self._keep, source)
        keep_due = time.monotonic() + KEEP_SECONDS
        while not source.wait_for_end(LOOK_SECONDS):
            if self._archives:
                self._guarded("archive", self._archive, source)
            now = time.monotonic()
            # A period that was made shorter counts from now on.
            due = min(due, now + source.report_seconds())
            self._guarded("look", self._look, source)
            if now >= min(due, keep_due) or self._is_steered:
                self._guarded("keep", self._keep, source)
                keep_due = now + KEEP_SECONDS
            if now >= due:
                self._guarded("send", self._send, source)
                due = now + source.report_seconds()
        for tried in range(_LAST_TRIES):
            if self._archives and not self._guarded("archive", self._archive, source):
                time.sleep(2.0**tried)
                continue
            break
        self._guarded("keep", self._keep, source)
        self._guarded("send", lambda last: self._send(last, is_last=True), source)
        if own is not None:
            self._guarded("end", lambda _: own.end(), source)

    def _guarded(self, kind: str, work: Callable[[StartedSearch], object], source: StartedSearch) -> bool:
        """Do one thing; what goes wrong is told and does not end the reports.

        It is told once until work of its kind succeeds, which is tried every second where the server is away.
        """
        try:
            work(source)
        except TakenOverError:
            raise
        except Exception as error:  # whatever it is, the search goes on
            logger.debug("clearml: a report", exc_info=True)
            done = "sent" if isinstance(error, ClearmlError) else "made"
            sentence = f"the report could not be {done}: {sentence_of(error)}"
            if self._told.get(kind) != sentence:
                self._told[kind] = sentence
                source.tell(sentence)
            return False
        self._told.pop(kind, None)
        return True

    def _look(self, source: StartedSearch) -> None:
        """Note whether somebody has steered the search since the optimizer Task was told of it."""
        self._is_steered = self._optimizer_task is not None and _steered(source.state()) != self._steered

    def _keep(self, source: StartedSearch) -> None:
        if self._optimizer_task is not None:
            state = source.state()
            self._steered = _steered(state)  # before: where no answer comes, the next sign of life tries again
            self._optimizer_task.keep(state)

    def _send(self, source: StartedSearch, *, is_last: bool = False) -> None:
        own = self._optimizer_task
        if self._report is not None and own is not None and not own.is_read_only:
            self._report.send(source, is_last=is_last)

    def _archive(self, source: StartedSearch) -> None:
        """Archive what fell out of the top k and bring back what rose into it."""
        changes = source.search.changes_since(self._version)
        fallen: list[str] = []
        risen: list[str] = []
        for number, archived in zip(changes.numbers.tolist(), changes.archived.tolist(), strict=True):
            job = source.job_of(number)
            if job is None or archived == (job in self._archived):
                continue
            (fallen if archived else risen).append(job)
        for page in pages(fallen):
            self._server.call("tasks.archive_many", ids=page, status_reason="beyond the top of the search")
            self._archived.update(page)
        for page in pages(risen):
            self._server.call("tasks.unarchive_many", ids=page, status_reason="back in the top of the search")
            self._archived.difference_update(page)
        self._version = changes.version


def _steered(state: Mapping[str, Any]) -> dict[str, Any]:
    """What of a search's state changes only when somebody steers it."""
    num_enqueued = len(state["enqueued"]) + state["num_enqueued_launched"]
    return {"num_enqueued": num_enqueued, **{name: state[name] for name in state.keys() - _NOT_STEERED}}
