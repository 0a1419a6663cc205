"""A view of a search on ClearML: its journal, and what the server keeps of its trials."""

from __future__ import annotations

from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets._messages import run_in_thread
from hpo_widgets.viewer import SearchViewer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpo_widgets.search import RemoteSource
    from hpo_widgets.viewer.viewer import RunnableSearch


class LazyTaskRecords:
    """A `RemoteSource` that imports ClearML, and asks its server, when somebody first looks at a trial."""

    @cached_property
    def _records(self) -> RemoteSource:
        from hpo_widgets.engines.clearml.reading import TaskRecords
        from hpo_widgets.engines.clearml.server import LazyServer

        return TaskRecords(LazyServer())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)


class TaskViewer(SearchViewer):
    """See `SearchViewer`; curves, consoles and pages of its trials are the server's, where this kernel can ask it."""

    engine_name = "ClearML"

    def __init__(self, path: Path, *, reopen: Callable[[], RunnableSearch | SearchViewer] | None = None) -> None:
        self._tasks = cast("RemoteSource", LazyTaskRecords())
        super().__init__(path, reopen=reopen, remote=self._tasks)

    @property
    def optimizer_task_id(self) -> str | None:
        """The Task that the search's trials are below, as its journal has it; None: they are below the template."""
        own = self._state.header["clearml"].get("optimizer_task")
        return own if isinstance(own, str) else None

    @property
    def optimizer_task_page(self) -> str | None:
        """Address of that Task's page."""
        own = self.optimizer_task_id
        return None if own is None else self._tasks.page(own)

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask for the console of a trial's Task; None for a trial that was none."""
        trial = self.trial(number)
        if not trial.is_elsewhere:
            nothing: Future[str | None] = Future()
            nothing.set_result(None)
            return nothing

        def read() -> str | None:
            return "\n".join(filter(None, self._tasks.output(trial.id, fresh=trial.state.has_ended)))

        return run_in_thread("hpo_widgets console", read, self._shown.notify)
