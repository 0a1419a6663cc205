"""The thread that keeps the optimizer Task and the archive up to date while a search runs."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml.report import Report
from hpo_widgets.engines.clearml.server import ClearmlError, pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.engines.base import StartedSearch
    from hpo_widgets.engines.clearml.optimizer_task import OptimizerTask
    from hpo_widgets.engines.clearml.server import Server

logger = logging.getLogger("hpo_widgets")

FIRST_SECONDS = 15.0
"""The first report comes at the latest after so long."""

LOOK_SECONDS = 1.0
"""How often it is looked at what has changed for the archive."""

KEEP_SECONDS = 20.0
"""How often the optimizer Task is told that the search is at work here: three times in a lease's `SILENCE`."""

LAST_TRIES = 5

LAST_SECONDS = 60.0
"""Nobody waits longer for a last report: the SDK tries for hours to send it to a server that is away."""


class Reporter:
    """Reports a search, run after run; one thread a run, which ends with its last report, and the next behind it.

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
        self._report: Report | None = None
        if optimizer_task is not None and not optimizer_task.is_read_only:
            self._report = Report(optimizer_task.task, server, queue)
        self._archives = archives
        self._archived: set[str] = set()
        self._version = 0
        self._thread: threading.Thread | None = None

    def begin(self, source: StartedSearch) -> None:
        """Follow a run that has just begun; its reports come behind the last one of the run before."""
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
        due = time.monotonic() + min(FIRST_SECONDS, source.report_seconds())
        own = self._optimizer_task
        if own is not None:
            self._guarded(lambda _: own.begin(), source)
        self._guarded(self._keep, source)
        keep_due = time.monotonic() + KEEP_SECONDS
        while not source.wait_for_end(LOOK_SECONDS):
            if self._archives:
                self._guarded(self._archive, source)
            now = time.monotonic()
            # A period that was made shorter counts from now on.
            due = min(due, now + source.report_seconds())
            if now >= min(due, keep_due):
                self._guarded(self._keep, source)
                keep_due = now + KEEP_SECONDS
            if now >= due:
                self._guarded(self._send, source)
                due = now + source.report_seconds()
        for tried in range(LAST_TRIES):
            if self._archives and not self._guarded(self._archive, source):
                time.sleep(2.0**tried)
                continue
            break
        self._guarded(self._keep, source)
        self._guarded(lambda last: self._send(last, is_last=True), source)
        if own is not None:
            self._guarded(lambda _: own.end(), source)

    def _guarded(self, work: Callable[[StartedSearch], object], source: StartedSearch) -> bool:
        """Do one thing; what goes wrong is told and does not end the reports."""
        try:
            work(source)
        except ClearmlError as error:
            source.tell(f"the report could not be sent: {error}")
            return False
        except Exception as error:
            logger.exception("clearml: the report could not be made")
            source.tell(f"the report could not be made: {type(error).__name__}: {error}")
            return False
        return True

    def _keep(self, source: StartedSearch) -> None:
        if self._optimizer_task is not None:
            self._optimizer_task.keep(source.state())

    def _send(self, source: StartedSearch, *, is_last: bool = False) -> None:
        if self._report is not None:
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
