"""The status panel: what the search is, what it does, its budgets, its best trial, its problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.search import SearchStatus
from hpo_widgets.widget import summary
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.part import ViewPart

if TYPE_CHECKING:
    from hpo_widgets.widget.refresher import Update


class StatusPanel(ViewPart):
    """Shows a search in a header line, budgets, counts, the best trial and the newest notices.

    Its traits are words and numbers ready to be shown, all set by the search; everything that
    comes from a trial is shown as text.

    Parameters
    ----------
    search
        The search to show.

    Examples
    --------
    >>> StatusPanel(optimizer)  # doctest: +SKIP
    """

    _esm = asset("status.js")
    _css = asset("status.css")

    title = t.Unicode(help="Name of the search.").tag(sync=True)
    status = t.Unicode(SearchStatus.IDLE.value, help="What the search is doing.").tag(sync=True)
    facts = t.List(t.Unicode(), help="Engine, workers, strategy, objectives.").tag(sync=True)
    budgets = t.List(t.Dict(), help="Used and limit of trials, time and compute.").tag(sync=True)
    counts = t.List(t.Dict(), help="Number of trials in each state.").tag(sync=True)
    best = t.Dict(None, allow_none=True, help="Value and number of the best trial.").tag(sync=True)
    forecast = t.Unicode(help="When the search will end, where that can be known.").tag(sync=True)
    sentence = t.Unicode(help="Why the search ended, in words.").tag(sync=True)
    notices = t.List(t.Dict(), help="The newest problems, newest first.").tag(sync=True)

    def refresh(self, update: Update) -> None:
        """Show the search as it is now."""
        search = update.search
        reason, best = search.stop_reason, summary.best(search)
        with self.hold_sync():
            self.title = search.name
            self.status = str(search.status)
            self.facts = summary.facts(search)
            self.budgets = [dict(line) for line in summary.budgets(search)]
            self.counts = [dict(count) for count in summary.counts(search)]
            self.set_trait("best", best)
            self.forecast = summary.forecast(search)
            self.sentence = "" if reason is None else reason.sentence
            self.notices = [dict(line) for line in summary.notices(search, self._refresher.notices)]
