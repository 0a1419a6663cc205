"""Updates are acknowledged by the browser, so that they never queue up.

A counter is linked in the browser from a "sent" to an "acknowledged" widget. As the messages of a
kernel arrive in order, an acknowledgement says that everything sent before it has been taken in.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ipywidgets import IntText, jslink

from hpo_widgets.widget.close_widget import close_tree
from hpo_widgets.widget.sync.subshell import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 2.0
_UNATTENDED_INTERVAL = 1.0


class Flow:
    """When the next update may go to the browser.

    Parameters
    ----------
    interval
        Seconds between updates while the browser keeps up: at least in the mean, half of it at the least.
    on_acknowledged
        Called, on the thread that handles messages of the browser, when it has caught up.
    """

    def __init__(self, interval: float, on_acknowledged: Callable[[], None]) -> None:
        self._interval = interval
        self._sent = IntText(0)
        self._acknowledged = IntText(0)
        self._link = jslink((self._sent, "value"), (self._acknowledged, "value"))
        self._sent_at = self._due = float("-inf")
        self._is_unattended = False
        act_while_cell_runs(self._acknowledged)
        self._acknowledged.observe(lambda _change: on_acknowledged(), "value")

    @property
    def is_acknowledged(self) -> bool:
        """True when the browser has taken in everything that was sent."""
        return int(self._acknowledged.value) >= int(self._sent.value)

    @property
    def is_followed(self) -> bool:
        """True when a browser has answered to everything that was sent."""
        return self.is_acknowledged and int(self._sent.value) > 0

    def seconds_until_next(self) -> float:
        """How long the next update has to wait.

        Without an acknowledgement (the page is closed, or was never there) there is still one
        update a second, so that the state which is saved or reopened is true.
        """
        now = time.monotonic()
        if self.is_acknowledged:
            return max(0.0, self._due - now)
        # The first silence lasts longer: a browser may be busy drawing.
        patience = _UNATTENDED_INTERVAL if self._is_unattended else _PATIENCE
        return max(0.0, self._sent_at + patience - now)

    def mark_sent(self) -> None:
        """Say that an update has gone out: the last thing of each update."""
        self._is_unattended = not self.is_acknowledged
        self._sent_at = now = time.monotonic()
        # Counted from when this one was due: from when it went out, every delay would slow the pace.
        self._due = min(max(self._due, now - self._interval / 2), now) + self._interval
        self._sent.value += 1

    def close(self) -> None:
        """Close the link and its two ends."""
        for widget in (self._link, self._sent, self._acknowledged):
            close_tree(widget)
