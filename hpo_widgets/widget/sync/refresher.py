"""The one way from a search to what is shown: at most ten times a second, on one thread.

A search only raises a flag (`Search.subscribe`). The refresher's thread then takes the changes since
its last version and hands them to its parts, under the lock of the widget. Nothing else writes
traits outwards; what comes in becomes commands.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hpo_widgets.search import Notice, SearchStatus
from hpo_widgets.widget.sync.after_cell import after_each_cell
from hpo_widgets.widget.sync.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows

_log = logging.getLogger(__name__)
_INTERVAL = 0.1
_CLOCK_INTERVAL = 1.0
_MOST_NOTICES = 20


@dataclass(frozen=True)
class Update:
    """What a part is told: the search, and the rows that changed since it was last told."""

    search: Search
    rows: Rows


class Part(Protocol):
    """Something that shows a search."""

    def refresh(self, update: Update) -> None:
        """Show what changed. Rows may come twice: the second time changes nothing."""
        ...


class Refresher:
    """Keeps the parts of one widget up to date with a search, from its own thread.

    Parameters
    ----------
    search
        The search to follow. It is never changed from here.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.lock = threading.RLock()
        self.notices: list[Notice] = []
        self._parts: list[Part] = []
        # Parts that nobody sees now, with the version that they show.
        self._hidden: dict[int, int] = {}
        self._version = 0
        self._status = search.status
        self._refreshed_at = time.monotonic()
        self._writer: int | None = None
        self._is_dirty = False
        self._is_closed = False
        self._wake = threading.Event()
        self._flow = Flow(_INTERVAL, self._wake.set)
        self._unsubscribe = search.subscribe(self.poke)
        self._end_settling = after_each_cell(self._settle)
        self._thread = threading.Thread(target=self._run, name=f"hpo-widgets-refresher-{search.id}", daemon=True)
        self._thread.start()

    @property
    def is_writing(self) -> bool:
        """True when the calling thread is writing traits outwards: such changes are no commands."""
        return self._writer == threading.get_ident()

    @property
    def is_closed(self) -> bool:
        """True after `close`."""
        return self._is_closed

    def add(self, part: Part, *, hidden: bool = False) -> None:
        """Show the whole search in ``part`` now, and every change from here on; a hidden one later."""
        with self.lock:
            snapshot = self.search.snapshot()
            if not self._parts:
                self._version = snapshot.version
            if hidden:
                self._hidden[id(part)] = 0
            else:
                with self._writing():
                    part.refresh(Update(self.search, snapshot))
            self._parts.append(part)

    def hide(self, part: Part) -> None:
        """Leave ``part`` as it is, until it is shown again or all has to be true."""
        with self.lock:
            self._hidden.setdefault(id(part), self._version)

    def show(self, part: Part) -> None:
        """Bring a hidden part up to date, and keep it so."""
        with self.lock:
            version = self._hidden.pop(id(part), None)
            if version is not None and not self._is_closed:
                with self._writing():
                    part.refresh(Update(self.search, self.search.changes_since(version)))

    def refresh(self, *, everything: bool = False) -> None:
        """Bring all parts up to date now, whatever the browser has acknowledged.

        Hidden parts are left out, except with ``everything``, after the end of the search, and while
        no browser answers: then the state may be what is saved.
        """
        with self.lock:
            if self._is_closed:
                return
            self._is_dirty = False
            self._status = self.search.status
            self._refreshed_at = time.monotonic()
            has_ended = not self._status.is_alive and self._status is not SearchStatus.IDLE
            everything = everything or has_ended or not self._flow.is_acknowledged
            rows = self.search.changes_since(self._version)
            self._version = rows.version
            update = Update(self.search, rows)
            with self._writing():
                for part in self._parts:
                    if id(part) not in self._hidden:
                        _refresh(part, update)
                    elif everything:
                        _refresh(part, Update(self.search, self.search.changes_since(self._hidden[id(part)])))
                        self._hidden[id(part)] = rows.version
                self._flow.mark_sent()

    def close(self) -> None:
        """End the thread and the subscription. The search goes on."""
        if self._is_closed:
            return
        self._unsubscribe()
        self._end_settling()
        self._is_closed = True
        self._wake.set()
        if threading.current_thread() is not self._thread and not self._holds_lock():
            self._thread.join()
        with self.lock:
            self._parts.clear()
            self._flow.close()

    def _holds_lock(self) -> bool:
        """Whether the calling thread holds the lock: then the refresher's may be waiting for it."""
        try:
            threading.Condition(self.lock).notify()  # which only the holder may
        except RuntimeError:
            return False
        return True

    def _settle(self) -> None:
        """Have all that is shown true at the end of a cell, unless a browser follows: it may be what is saved."""
        with self.lock:
            if not self._flow.is_followed:
                self.refresh(everything=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        before, self._writer = self._writer, threading.get_ident()
        try:
            yield
        finally:
            self._writer = before

    def tell(self, source: str, sentence: str) -> None:
        """Show a notice of the widget itself among those of the search; never of interest to a journal."""
        logging.getLogger("hpo_widgets").warning("%s: %s", source, sentence)
        with self.lock:
            self.notices = [*self.notices, Notice(source, sentence)][-_MOST_NOTICES:]
        self.poke()

    def poke(self) -> None:
        """Have the parts refreshed as soon as may be; costs nothing when that is due anyway."""
        # Called on the search's thread, thousands of times a second: wakes ours once an update, and for the end.
        if not self._is_dirty or not self.search.status.is_alive:
            self._is_dirty = True
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._seconds_to_wait())
            self._wake.clear()
            if self._is_closed:
                return
            if self._seconds_to_wait() == 0:
                try:
                    self.refresh()
                except Exception:  # noqa: BLE001 -- the thread lives as long as the panel
                    self._is_dirty = False
                    _log.exception("the panel could not be refreshed")

    def _seconds_to_wait(self) -> float | None:
        """Seconds until the next update is due; 0 is now, None is when something changes."""
        status = self.search.status
        has_changed_status = status is not self._status
        if has_changed_status and not status.is_alive:
            # The end is shown at once, acknowledged or not: it may be what is saved.
            return 0.0
        until_next = self._flow.seconds_until_next()
        if self._is_dirty or has_changed_status:
            return until_next
        if not status.is_alive:
            return None
        until_tick = _CLOCK_INTERVAL - (time.monotonic() - self._refreshed_at)
        return max(until_next, until_tick, 0.0)


def _refresh(part: Part, update: Update) -> None:
    try:
        part.refresh(update)
    except Exception:  # noqa: BLE001 -- one part must not take the others with it
        _log.exception("%s could not be refreshed", type(part).__name__)
