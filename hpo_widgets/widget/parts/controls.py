"""Start, Pause / Resume, Stop and Wait as buttons, and the search as Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.search import GivesCode, SearchStatus, ViewedSearch
from hpo_widgets.search.limits import typed_minutes
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import NumberFieldPart, ViewPart
from hpo_widgets.widget.parts.waiting import Deadline, TimeoutTrait, WaitingTrait, progress, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

COMMANDS = ("start", "pause", "resume", "stop")
"""What buttons ask of a search as a whole."""


class SearchControls(NumberFieldPart):
    """Buttons that start, pause, resume and stop a search, and wait for its end.

    They act while a cell runs. What the search cannot do is shown disabled, with the reason. Waiting blocks
    nothing: a line says what is waited for, and then how it ended.

    Parameters
    ----------
    search
        The search to steer.
    **traits
        First values of ``waiting`` and ``wait_timeout``.

    Examples
    --------
    >>> SearchControls(optimizer)  # doctest: +SKIP
    """

    _esm = asset("controls.js")
    _css = asset("controls.css")

    opening_code = t.Unicode(
        help="Code that shows the search in another kernel, once its own has gone; empty: no journal keeps it."
    ).tag(sync=True)
    status = t.Unicode(SearchStatus.IDLE.value, help="What the search is doing.").tag(sync=True)
    owner_died = t.Bool(False, help="Whether the process that ran it has gone, so that Start takes it over.").tag(
        sync=True
    )
    waiting = WaitingTrait(help="Two-way. Whether the panel waits for the end of the search.").tag(
        sync=True, two_way=True
    )
    wait_timeout = TimeoutTrait(
        None,
        allow_none=True,
        help="Two-way. Minutes after which waiting ends in any case, from the press of Wait on; None: it does not.",
    ).tag(sync=True, two_way=True)
    wait_progress = t.Unicode(help="What is waited for, and for how long; empty when nobody waits.").tag(sync=True)
    wait_limit = t.Unicode(help="When waiting ends in any case; empty when nobody waits.").tag(sync=True)
    wait_outcome = t.Unicode(help="How the last wait ended; empty before that.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._deadline = Deadline()
        super().__init__(search, refresher=refresher, **traits)
        self._deadline.set(self.wait_timeout)
        self.observe(self._observe_waiting, ["waiting", "wait_timeout"])

    def refresh(self, update: Update) -> None:
        """Show which commands can be done now, and how far waiting is."""
        search = update.search
        capabilities = search.capabilities
        with self.hold_sync():
            has_changed = self.status != str(search.status)
            self.status = str(search.status)
            self.owner_died = isinstance(search, ViewedSearch) and search.owner_died
            self.commands = {name: capabilities.get(name) for name in COMMANDS} | {"wait": why_not(search)}
            if self.waiting:
                self._look(search)
            if has_changed or not self.opening_code:
                self.opening_code = text.opening_code(search)

    def _look(self, search: Search) -> None:
        ended = self._deadline.outcome(search)
        if ended is not None:
            self.waiting = False
            self.wait_outcome = ended  # after the observer, which begins without one
        self._say(search)

    def _say(self, search: Search) -> None:
        self.wait_progress = progress(search) if self.waiting else ""
        self.wait_limit = self._deadline.limit if self.waiting else ""

    def _observe_waiting(self, change: dict[str, object]) -> None:
        """Begin to wait, give it up, or count anew."""
        with self._refresher.lock:
            self._deadline.set(self.wait_timeout if self.waiting else None)
            with self.hold_sync():
                if change["name"] == "waiting":
                    self.wait_outcome = ""
                self._say(self.search)
        self._refresher.poke()

    @property
    def _fields(self) -> Mapping[str, Callable[[str], None]]:
        return {"timeout": self._take_timeout}

    def _take_timeout(self, text: str) -> None:
        self.wait_timeout = typed_minutes("a time-out", text) if text else None

    def _on_command(self, content: dict[str, object]) -> None:
        name = content.get("name")
        if name in COMMANDS:
            self.search.command(str(name))

    def _on_wait(self, content: dict[str, object]) -> None:
        try:
            self.set_trait("waiting", content.get("on"))
        except t.TraitError as error:
            self._refuse(str(error))

    def _on_dismiss(self, _content: dict[str, object]) -> None:
        self.wait_outcome = ""


class SearchCode(ViewPart):
    """A button that shows the constructor call for the present controls, and one that copies it.

    The code follows the controls, shown or not: a saved page, and one whose kernel has ended, have it too.

    Parameters
    ----------
    search
        The search that is written as Python.
    **traits
        First value of ``shown``.

    Examples
    --------
    >>> SearchCode(optimizer, shown=True)  # doctest: +SKIP
    """

    _esm = asset("code.js")
    _css = asset("code.css")

    shown = t.Bool(False, help="Two-way. Whether the code is shown.").tag(sync=True, two_way=True)
    code = t.Unicode(help="The search as Python.").tag(sync=True)
    why_not = t.Unicode(None, allow_none=True, help="Why this search cannot be written as Python.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._written_for: tuple[object, ...] = ()
        super().__init__(search, refresher=refresher, **traits)
        self.observe(lambda _change: self._refresher.poke(), "shown")

    def refresh(self, update: Update) -> None:
        """Write the code anew while it is shown, and when what it depends on has changed."""
        search = update.search
        if isinstance(search, GivesCode):
            budget = search.budget
            limits = [
                one.limit for one in (budget.jobs, budget.iterations, budget.compute_minutes, budget.wall_minutes)
            ]
            depends_on = (search.space, len(search.epochs), search.max_number_of_concurrent_tasks, *limits)
            if self.shown or depends_on != self._written_for or update.rows.is_recorded.any():
                self._written_for = depends_on
                self.code = search.as_code()
        else:
            self.why_not = f"a {type(search).__name__} cannot be written as Python"
