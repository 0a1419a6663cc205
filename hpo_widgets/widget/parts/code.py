"""The search as Python, to be copied into a cell or a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.search import GivesCode
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update


class SearchCode(ViewPart):
    """A button that shows the constructor call for the controls as they are now, and one that copies it.

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
        self.observe(self._on_shown, "shown")

    def refresh(self, update: Update) -> None:
        """Write the code anew while it is shown, and when what it depends on has changed."""
        search = update.search
        if isinstance(search, GivesCode):
            budget = search.budget
            limits = [
                one.limit for one in (budget.jobs, budget.iterations, budget.compute_minutes, budget.wall_minutes)
            ]
            depends_on = (search.space, len(search.epochs), search.max_number_of_concurrent_tasks, *limits)
            if self.shown or depends_on != self._written_for:
                self._written_for = depends_on
                self.code = search.as_code()
        else:
            self.why_not = f"a {type(search).__name__} cannot be written as Python"

    def _on_shown(self, _change: object) -> None:
        self._refresher.poke()
