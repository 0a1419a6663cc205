"""What a person can ask of the search that this process runs, and why not of the rest."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from hpo_widgets.jobs.base import StartedSearch
from hpo_widgets.limits import SECONDS_A_MINUTE
from hpo_widgets.running_search import RunningSearch
from hpo_widgets.search import COMMANDS, check_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from hpo_widgets.definition import Definition


class SearchCommands(RunningSearch):
    """The commands of a search, which are queued to the controller's thread; the base of `HyperParameterOptimizer`.

    Every member may be used from any thread.
    """

    def _setup(self, definition: Definition, search_id: str, path: Path, *, save_top_k: int) -> None:
        self._commanding = threading.local()
        self._start_gate = threading.Lock()
        """Held while a start is on its way, which may wait for a server."""
        self._is_starting = False
        """Whether a thread of its own brings about the start that a command asked for."""
        super()._setup(definition, search_id, path, save_top_k=save_top_k)

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        controller = self._controller
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        if self.is_running():
            possible["start"] = "the search is running"
        elif self._is_starting:
            possible["start"] = "the search is starting"
        else:
            nothing_left = controller.state.why_nothing_left()
            possible["start"] = None if nothing_left is None else nothing_left.sentence
        if not self.is_running():
            for command in ("pause", "stop"):
                possible[command] = "the search is not running"
        if controller.state.is_paused:
            possible["pause"] = "the search is paused already"
        else:
            possible["resume"] = "the search is not paused"
        if not controller.state.epochs.can_undo:
            possible["undo"] = "no range was changed"
        if not controller.state.epochs.can_redo:
            possible["redo"] = "no change of a range was undone"
        return possible

    def command(self, name: str, *arguments: Any) -> None:
        """Ask for one of `COMMANDS` and return at once; what goes wrong appears in ``errors``."""
        check_command(name)
        reason = self.capabilities[name]
        if reason is not None:
            self._controller.notice("command", f"{name} did nothing: {reason}")
        elif name == "start" and self._definition.template.remote is not None:
            self._is_starting = True
            self._recorder.shown.notify()
            threading.Thread(target=self._start_apart, name="hpo_widgets start", daemon=True).start()
        else:
            self._commanding.active = True
            try:
                self._attempt(name, *arguments)
            finally:
                self._commanding.active = False

    def _attempt(self, name: str, *arguments: Any) -> None:
        try:
            if name == "stop":
                self._controller.submit(self._controller.stop)
            else:
                getattr(self, name)(*arguments)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: people are told instead
            self._controller.notice("command", f"{name}: {error}")

    def _start_apart(self) -> None:
        """Start where a server is asked for the queue first, which may be away: a panel does not wait for it."""
        self._attempt("start")
        self._is_starting = False
        self._recorder.shown.notify()

    def _do(self, function: Callable[[], object]) -> None:
        """Have the owner of the state do something.

        Methods wait until it is done and raise its error; `command` does neither.
        """
        future: Future[Any] = self._controller.submit(function)
        if not getattr(self._commanding, "active", False):
            future.result()
            return

        def tell(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None:
                self._controller.notice("command", str(error))

        future.add_done_callback(tell)

    def _followed(self) -> StartedSearch:
        """What the template may follow of a run."""
        controller = self._controller

        def state() -> dict[str, Any]:
            owner = self._recorder.owner()
            return {
                "search": self.id,
                "owner": None if owner is None else dataclasses.asdict(owner),
                "header": dict(self._recorder.header),
                "space": controller.state.space.to_dict(),
                "epoch": controller.state.epochs.number,
                "settings": dataclasses.asdict(controller.state.settings),
                "wall_minutes": controller.state.clock.elapsed,
            }

        return StartedSearch(
            search=self,
            job_of=self._recorder.job_of,
            top=self._recorder.shown.top,
            state=state,
            report_seconds=lambda: controller.state.settings.report_period * SECONDS_A_MINUTE,
            wait_for_end=controller.ended.wait,
            tell=lambda sentence: controller.notice("report", sentence),
        )
