"""Updates are acknowledged by the browser, so that they never queue up.

A view that is on a page answers the number of each update (``sent``) with the same number (``seen``). As the messages
of a kernel arrive in order, the answer says that everything sent before it has been taken in. A view that was removed
from its page answers nothing, so that a panel whose cell was run again costs next to nothing.
"""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

import traitlets as t
from IPython import get_ipython

from hpo_widgets.widget.assets import ModuleWidget, asset

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipywidgets import Widget

_ROUTING = "_reply_subshell_for"


def act_while_cell_runs(widget: Widget) -> None:
    """Let the messages of ``widget`` act while a cell runs.

    JupyterLab sends a comm's messages to a subshell of the kernel, so that they need not wait for the running cell.
    ipykernel 7 answers on a comm with the shell that last published on it, which pins the comm to the shell of the
    cell that made the widget, and a press of Stop would wait for that cell after all. Where ipykernel has that
    routing, it is switched off here: the handlers of controls run on another thread than the cell, and only queue
    commands.
    """
    if hasattr(widget.comm, _ROUTING):
        setattr(widget.comm, _ROUTING, lambda _data, default: default)


_IN_VOILA = "VOILA_PREHEAT"
"""Is in the environment of each kernel that Voilà starts, for a request or before one."""


def is_run_by_page() -> bool:
    """Whether a page has the present cell run, so that somebody can look into the panel.

    What runs a notebook without a page (nbclient, as papermill and nbconvert do) says that nobody can be asked for
    input. Voilà does so, too, but runs the cells for a page that comes then.
    """
    request: dict[str, Any] = getattr(get_ipython(), "get_parent", dict)()
    return request.get("content", {}).get("allow_stdin") is not False or _IN_VOILA in os.environ


MOST_UNSEEN = 2
"""Updates that go to a view of the panel before it has to acknowledge one, which it then does of both at once
(``js/src/lib/lifetime.ts``): each message to the kernel makes JupyterLab lay out the kernel's status twice, which costs
a page more than an update of a plot."""

_PATIENCE = 2.0
_UNATTENDED_INTERVAL = 1.0
_NUM_BEFORE_PAUSES = 10
_LONGEST_PAUSE = 60.0
_LONGEST_SILENCE = 9.0
"""Seconds after the last update that waited for no answer: then a page that was there counts as closed."""


class _Cells:
    """Whether a cell runs, and for whom; written on the thread that runs cells.

    An older kernel or page has the messages of widgets wait for the cell, so that silence says nothing meanwhile.
    """

    def __init__(self) -> None:
        self.are_running = False
        self.are_run_by_page = False
        """`is_run_by_page` of the cell that began last; False where there are no cells."""
        self._shell: object = None

    def watch(self) -> None:
        """Follow the cells of this kernel; outside of one there are none."""
        shell = get_ipython()
        if shell is None or shell is self._shell:
            return
        self._shell = shell
        self._begin()  # what watches first is a panel, made by a cell
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def _begin(self, _info: object = None) -> None:
        self.are_running, self.are_run_by_page = True, is_run_by_page()

    def _end(self, _result: object) -> None:
        self.are_running = False


cells = _Cells()


class Acknowledging(t.HasTraits):
    """Traits of a widget whose view acknowledges updates, when `Flow.follow` is given it."""

    sent = t.Int(0, help="Number of the newest update.").tag(sync=True)
    seen = t.Int(0, help="Number of the newest update that a view has taken in.").tag(
        sync=True, two_way=True, echo_update=False
    )
    goes_on = t.Bool(False, help="Whether updates follow every second, so that silence says that some were lost.").tag(
        sync=True
    )
    plot_sizes = t.Dict(
        per_key_traits={name: t.Tuple(t.Int(), t.Int()) for name in ("plot", "slices")},
        help="Width and height in pixels of the figure that fills a tab, and of one of several, on the page.",
    ).tag(sync=True, two_way=True, echo_update=False)


class FlowView(Acknowledging, ModuleWidget):
    """Shows nothing; for a widget that has no view of ours to acknowledge updates."""

    _esm = asset("flow.js")
    _css = asset("flow.css")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})
        act_while_cell_runs(self)


class Flow:
    """When the next update may go to the browser.

    Parameters
    ----------
    interval
        Seconds between updates while the browser keeps up: at least in the mean, half of it at the least.
    on_acknowledged, on_resized, on_connected
        Called, on the thread that handles messages of the browser, when it has caught up, when plots have another
        size there, and when it is connected again after messages may have been lost.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        interval: float,
        on_acknowledged: Callable[[], None],
        on_resized: Callable[[], None],
        on_connected: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval
        self._on_acknowledged = on_acknowledged
        self._on_resized = on_resized
        self._on_connected = on_connected
        self._clock = clock
        self.view: Acknowledging | None = None
        self.adds = False
        """Whether a key was held at the last click on a figure that adds to a selection: Shift, Ctrl or Command."""
        self._num_sent = 0
        self._sent_at = self._due = self._heard_at = self._silent_since = float("-inf")
        self._num_unattended = 0
        self._hears_beside_cells = False
        self._most_unseen = MOST_UNSEEN

    def follow(self, view: Acknowledging, *, most_unseen: int = MOST_UNSEEN) -> None:
        """Take the acknowledgements of a view from here on.

        Parameters
        ----------
        view
            The widget whose view acknowledges.
        most_unseen
            Number of updates at most that it has not acknowledged. Default `MOST_UNSEEN`.
        """
        cells.watch()
        self.view, self._most_unseen = view, most_unseen
        view.sent = self._num_sent
        view.observe(self._on_seen, "seen")
        view.observe(lambda _change: self._on_resized(), "plot_sizes")
        view.on_msg(self._on_told)  # type: ignore[attr-defined]  # which every widget has

    @property
    def is_acknowledged(self) -> bool:
        """True when the browser has taken in everything that was sent."""
        return self._num_seen >= self._num_sent

    @property
    def _keeps_up(self) -> bool:
        return self._num_sent - self._num_seen < self._most_unseen

    @property
    def is_unattended(self) -> bool:
        """True when no browser has answered the last updates: what is sent now may be what is saved."""
        return self._num_unattended > 0

    @property
    def was_ever_seen(self) -> bool:
        """True when a browser has acknowledged an update: what is saved is what it shows."""
        return self._num_seen > 0

    @property
    def may_have_no_page(self) -> bool:
        """True as long as nothing says that there is a page: what is sent now may be what is saved."""
        return not (self.was_ever_seen or cells.are_run_by_page)

    @property
    def _num_seen(self) -> int:
        return 0 if self.view is None else int(self.view.seen)

    @property
    def may_be_loading(self) -> bool:
        """True when a browser that has answered before is silent, and could be heard.

        It may be loading the page again. A page that loads asks for all widgets at once, and knows none before it is
        answered. For each widget that is opened meanwhile JupyterLab handles no message for two seconds: ipywidgets
        waits for those that the new one names, and then gives it up. For one that is closed it may wait for ever.
        """
        if not self.was_ever_seen or self._keeps_up or (cells.are_running and not self._hears_beside_cells):
            return False
        return self._clock() - self._heard_at >= _PATIENCE

    @property
    def is_forgotten(self) -> bool:
        """True when a browser that has answered before has been silent for so long that its page counts as closed.

        A page that shows the panel later begins by answering what was sent last, and one that loses its connection says
        when it has it again. While a cell runs silence says nothing.
        """
        if not self.was_ever_seen or self._keeps_up or cells.are_running:
            return False
        return self._next_unanswered - self._silent_since >= _LONGEST_SILENCE

    @property
    def _next_unanswered(self) -> float:
        """When the next update may go, if none is acknowledged until then."""
        # The first silence lasts longer: a browser may be busy drawing.
        patience = _PATIENCE
        if self._num_unattended:
            doubled = max(0, self._num_unattended - _NUM_BEFORE_PAUSES)
            patience = min(_UNATTENDED_INTERVAL * 2.0 ** min(doubled, 32), _LONGEST_PAUSE)
        return self._sent_at + patience

    def hear(self) -> None:
        """Take it that a page is there, as something has come from it."""
        self._num_unattended, self._silent_since = 0, self._clock()

    def plot_size(self, name: str) -> tuple[int, int] | None:
        """Width and height in pixels of a figure as it is on the page; None as long as nobody has said."""
        return None if self.view is None else self.view.plot_sizes.get(name)

    def seconds_until_next(self) -> float:
        """How long the next update has to wait; for ever, where the panel is forgotten.

        Without an acknowledgement (the page is closed, or was never there, or the cell was run again) there is still
        one update a second, then ever fewer down to one a minute. An acknowledgement ends that at once.
        """
        now = self._clock()
        if self._keeps_up:
            return max(0.0, self._due - now)
        if self.is_forgotten:
            return math.inf
        return max(0.0, self._next_unanswered - now)

    def mark_sent(self, *, goes_on: bool = False) -> None:
        """Say that an update has gone out: the last thing of each update.

        Parameters
        ----------
        goes_on
            Whether another one follows within a second or so, whatever happens. Default False.
        """
        self._sent_at = now = self._clock()
        if self._keeps_up:
            self._num_unattended, self._silent_since = 0, now
        else:
            self._num_unattended += 1
        # Counted from when this one was due: from when it went out, every delay would slow the pace.
        self._due = min(max(self._due, now - self._interval / 2), now) + self._interval
        self._num_sent += 1
        if self.view is not None:
            self.view.goes_on = goes_on
            self.view.sent = self._num_sent

    def _on_seen(self, _change: object) -> None:
        self._heard_at = self._clock()
        self._hears_beside_cells |= cells.are_running
        self._on_acknowledged()

    def _on_told(self, _view: object, content: object, _buffers: object) -> None:
        """Take what the page says before each click on a figure, as bqplot does not, and when it is connected again."""
        kind = content.get("kind") if isinstance(content, dict) else None
        if isinstance(content, dict) and kind == "click_on_figure":
            self.adds = content.get("adds") is True
        elif kind == "connected":
            self._on_connected()

    def close(self) -> None:
        """Listen no more."""
        if self.view is not None:
            for name in ("seen", "plot_sizes"):
                self.view.unobserve_all(name)
            self.view.on_msg(self._on_told, remove=True)  # type: ignore[attr-defined]  # as above
            self.view = None
