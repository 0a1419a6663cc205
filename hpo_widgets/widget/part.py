"""What all parts of the panel share: following a search, messages with a kind, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anywidget

from hpo_widgets.widget.closing import close_tree
from hpo_widgets.widget.keywords import refuse_unknown
from hpo_widgets.widget.refresher import Refresher
from hpo_widgets.widget.subshell import act_while_cell_runs

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.refresher import Update


class Following:
    """Follows a search with a refresher of its own, or with the one of the panel it is part of."""

    _refresher: Refresher
    _owns_refresher: bool

    def _follow(self, search: Search, refresher: Refresher | None, *, hidden: bool = False) -> None:
        self._owns_refresher = refresher is None
        self._refresher = Refresher(search) if refresher is None else refresher
        self._refresher.add(self, hidden=hidden)

    @property
    def search(self) -> Search:
        """The search that is shown."""
        return self._refresher.search

    def refresh(self, update: Update) -> None:
        """Show what changed; called by the refresher only."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop showing the search, which goes on, and free threads and comms."""
        # A widget whose construction failed is closed when it is collected, too.
        if getattr(self, "_owns_refresher", False):
            self._refresher.close()
        close_tree(self)


class ViewPart(Following, anywidget.AnyWidget):
    """A part with a browser module of its own, whose messages have a ``kind``."""

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        refuse_unknown(type(self), traits)
        super().__init__(**traits)
        self.on_msg(self._receive)
        # Before anything is shown: what a person does must reach the search while a cell runs.
        act_while_cell_runs(self)
        self._follow(search, refresher)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        """Hand a message of the browser to ``_on_<kind>``; what does not fit is not acted on."""
        if isinstance(content, dict) and isinstance(content.get("kind"), str):
            handler = getattr(self, f"_on_{content['kind']}", None)
            if handler is not None:
                handler(content)
