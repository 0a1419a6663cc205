"""What a person can ask of the search that this process runs, and why not of the rest."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.base import StartedSearch
from hpo_widgets.optimizer.running_search import RunningSearch
from hpo_widgets.optimizer.starts import Starts
from hpo_widgets.search import COMMANDS, SearchStatus, check_command
from hpo_widgets.search.limits import SECONDS_A_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from hpo_widgets.optimizer.definition import Definition


class SearchCommands(RunningSearch):
    """The commands of a search, which are queued to the controller's thread; the base of `HyperParameterOptimizer`.

    Every member may be used from any thread.
    """

    def _setup(self, definition: Definition, search_id: str, path: Path, *, save_top_k: int) -> None:
        self._commanding = threading.local()
        self._starts = Starts()
        super()._setup(definition, search_id, path, save_top_k=save_top_k)

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        controller = self._controller
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        is_starting = self._starts.are_on_their_way
        if self.is_running():
            possible["start"] = "the search is running"
        elif is_starting:
            possible["start"] = possible["resume"] = "the search is starting"
        else:
            nothing_left = controller.state.why_nothing_left()
            possible["start"] = None if nothing_left is None else nothing_left.sentence
        if not self.is_running():
            possible["pause"] = "the search is not running"
            possible["stop"] = None if is_starting else "the search is not running"
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
        elif self._definition.template.remote is not None and (name == "start" or self._is_resuming(name)):
            self._start_apart(name)
        else:
            self._commanding.active = True
            try:
                self._attempt(name, self._stop_run if name == "stop" else lambda: getattr(self, name)(*arguments))
            finally:
                self._commanding.active = False

    def _is_resuming(self, command: str) -> bool:
        """Whether a command resumes a search that was reopened paused, and so has to be started."""
        return command == "resume" and not self.is_running() and self.status is SearchStatus.PAUSED

    def _attempt(self, name: str, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: people are told instead
            self._controller.notice("command", f"{name}: {error}")

    # Beginning and end of a run ------------------------------------------------------------------

    def _start_apart(self, name: str) -> None:
        """Start where a server is asked for the queue first, which may be away: a panel does not wait for it."""
        start = self._starts.announce()
        self._recorder.shown.notify()
        begin = self._resume_run if name == "resume" else self._controller.start

        def run() -> None:
            self._attempt(name, lambda: self._begin_run(start, begin))
            self._recorder.shown.notify()

        threading.Thread(target=run, name="hpo_widgets start", daemon=True).start()

    def _begin_run(self, start: object, begin: Callable[[], bool]) -> bool:
        """Begin a run once all that it needs is there; False when nothing is left, or a stop came meanwhile."""
        template = self._definition.template
        with self._starts.turn(start):
            ended = self._controller.ended
            if ended.is_set():
                template.before_start(self._job_class, self.id)
            if not self._starts.begin(start, begin):
                return False
            # One that was running may have ended by now, so that this is another.
            if self._controller.ended is not ended:
                template.started(self._followed())
        return True

    def _resume_run(self) -> bool:
        self._controller.submit(self._controller.resume).result()
        return self.is_running()

    def _stop_run(self) -> Future[threading.Event] | None:
        """Have the run end, or the start that is on its way not begin one; returns at once.

        The event is set once nothing of the stop is left to be sent; None: nothing runs.
        """
        self._starts.take_back()
        if self.is_running():
            return self._controller.submit(self._controller.stop)
        self._recorder.shown.notify()
        return None

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
                "run": self._recorder.run,
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
