"""Start, Pause / Resume and Stop as buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.search import SearchStatus
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.part import ViewPart

if TYPE_CHECKING:
    from hpo_widgets.widget.refresher import Update

_COMMANDS = ("start", "pause", "resume", "stop")


class SearchControls(ViewPart):
    """Buttons that start, pause, resume and stop a search.

    They act while a cell runs. What the search cannot do is shown disabled, with the reason.

    Parameters
    ----------
    search
        The search to steer.

    Examples
    --------
    >>> SearchControls(optimizer)  # doctest: +SKIP
    """

    _esm = asset("controls.js")
    _css = asset("controls.css")

    status = t.Unicode(SearchStatus.IDLE.value, help="What the search is doing.").tag(sync=True)
    commands = t.Dict(help="Command to None when it can be done now, else to the sentence that says why not.").tag(
        sync=True
    )

    def refresh(self, update: Update) -> None:
        """Show which commands can be done now."""
        capabilities = update.search.capabilities
        with self.hold_sync():
            self.status = str(update.search.status)
            self.commands = {name: capabilities.get(name) for name in _COMMANDS}

    def _on_command(self, content: dict[str, object]) -> None:
        name = content.get("name")
        if name in _COMMANDS:
            self.search.command(str(name))
