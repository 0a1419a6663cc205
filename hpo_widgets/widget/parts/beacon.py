"""What announces a panel to the page, so that a list of all searches can show and steer it, wherever it stands."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from hpo_widgets.search import ViewedSearch, in_words
from hpo_widgets.trials.columns import Front
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts import summary
from hpo_widgets.widget.parts.controls import COMMANDS
from hpo_widgets.widget.parts.part import PageWidget
from hpo_widgets.widget.parts.status import ShownStatus
from hpo_widgets.widget.plots.series import ObjectiveValues
from hpo_widgets.widget.sync.flow import Acknowledging, act_while_cell_runs
from hpo_widgets.widget.sync.refresher import Refresher

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Update

_MOST_STEPS = 60
"""Steps of the best value that are sent: a drawing of a hundred pixels shows no more."""


class SearchBeacon(ShownStatus, Acknowledging, PageWidget):
    """Announces a search and the panel that shows it, as soon as the panel is made, shown or not.

    A page without a list of searches hears of it and does nothing; nothing more is sent to it. A list asks to
    follow the search: from then on the traits are kept up to date, at the pace at which the list acknowledges
    them, whether or not anybody sees the panel itself.

    Parameters
    ----------
    search
        The search to announce.
    target, notices
        The model id of its panel, and the refresher in whose notices it is told what a page may not do.
    """

    _esm = asset("beacon.js")

    target = t.Unicode(help="Model id of the panel.").tag(sync=True)
    search_id = t.Unicode(help="Id of the search; several panels may show the same.").tag(sync=True)
    made_at = t.Float(help="When the panel was made, Unix seconds.").tag(sync=True)
    owner_died = t.Bool(False, help="Whether the process that ran it has gone, so that Start takes it over.").tag(
        sync=True
    )
    ended = t.Int(0, help="Number of trials that have ended.").tag(sync=True)
    total = t.Int(None, allow_none=True, help="Trials in all; None: any number.").tag(sync=True)
    num_trials = t.Int(0, help="Number of trials so far, queued and running ones too.").tag(sync=True)
    left = t.Unicode(help="How long the search will go on, where that can be known.").tag(sync=True)
    progress = t.Float(None, allow_none=True, help="Used share of the budget that ends first; None: no limit.").tag(
        sync=True
    )
    objective = t.Unicode(help="What is optimised, as an axis names it; empty for several objectives.").tag(sync=True)
    curve: t.List[list[float]] = t.List(
        help="Pairs of trial number and value, one for each time that the best value improved."
    ).tag(sync=True)

    def __init__(self, search: Search, *, target: str, notices: Refresher, **traits: Any) -> None:
        self._search = search
        self._notices = notices
        self._lock = threading.Lock()
        self._refresher: Refresher | None = None
        self._is_closed = False
        self.forget()
        super().__init__(target=target, search_id=search.id, title=search.name, made_at=time.time(), **traits)
        self.on_msg(self._receive)
        act_while_cell_runs(self)

    def forget(self) -> None:
        """Drop what is known of trials."""
        self._values = ObjectiveValues(0, minimise=self._search.objectives[0].minimise)
        self._front = Front(self._search.objectives)

    def refresh(self, update: Update) -> None:
        """Say how the search stands; called by the refresher only."""
        search = update.search
        has_front = len(search.objectives) > 1
        if has_front:
            self._front.put(update.rows, search.snapshot)
        else:
            self._values.put(update.rows)
        counts, capabilities = search.counts, search.capabilities
        with self.hold_sync():
            self._show_standing(search, self._front)
            self.owner_died = isinstance(search, ViewedSearch) and search.owner_died
            self.ended = in_words.num_done(search)
            self.set_trait("total", search.total_max_jobs)
            self.num_trials = sum(counts.values())
            self.left = summary.time_left(search)
            self.set_trait("progress", summary.progress(search))
            self.objective = "" if has_front else text.axis(search.objectives[0])
            improved = self._values.improvements(_MOST_STEPS)
            self.curve = list(map(list, zip(improved.tolist(), self._values.values[improved].tolist(), strict=True)))
            self.commands = {name: capabilities.get(name) for name in COMMANDS}

    def close(self) -> None:
        """Withdraw the announcement, and free the comm."""
        with self._lock:
            self._is_closed = True
            refresher, self._refresher = self._refresher, None
        if refresher is not None:
            refresher.close()
        anywidget.AnyWidget.close(self)

    def _on_follow(self, _content: dict[str, object]) -> None:
        """Keep the traits up to date from here on."""
        with self._lock:
            if self._refresher is None and not self._is_closed:
                self._refresher = Refresher(self._search)
                # The list acknowledges at the pace that a person has chosen.
                self._refresher.flow.follow(self, most_unseen=1)
                self._refresher.add(self)

    def _on_command(self, content: dict[str, object]) -> None:
        name = content.get("name")
        if name in COMMANDS:
            self._search.command(str(name))
