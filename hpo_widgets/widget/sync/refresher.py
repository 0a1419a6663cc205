"""The one way from a search to what is shown: at most ten times a second, on one thread for each search and kernel.

A search only raises a flag (`Search.subscribe`). The thread then has the refresher of each widget take the changes
since its last version and hand them to its parts, under the lock of the widget. Nothing else writes traits outwards;
what comes in becomes commands.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import comm
from IPython import get_ipython

from hpo_widgets.search import Notice, SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.sync.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from traitlets import HasTraits

    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.filter import Mask, TrialFilter

_log = logging.getLogger(__name__)
_INTERVAL = 0.1
_CLOCK_INTERVAL = 1.0
# Now and then the thread looks whether anybody is left, and whether a cell runs.
_LONGEST_WAIT = 60.0
_MOST_NOTICES = 20
_BETWEEN_SENDING_AGAIN = 2.0
"""Seconds in which one answer is enough for all: a page asks some more seconds after it is connected again."""
_MOST_TRIES = 3
"""So often in a row a part that fails is refreshed though the search has not changed."""


class _PassingTrials:
    """Which trials pass a filter, worked out once for each version of a search, however many parts ask.

    Used under the lock of its refresher only.
    """

    def __init__(self) -> None:
        self._asked: tuple[TrialFilter, int, int] | None = None
        self._rows: Rows | None = None
        self._mask: Mask | None = None

    def find(self, search: Search, version: int, chosen: TrialFilter) -> tuple[Rows, Mask]:
        """Return all trials by number, and a mask of those that pass; ``version`` is shown, trials may be newer."""
        asked = chosen, version, len(search.epochs)
        if asked != self._asked or self._rows is None or self._mask is None:
            self._rows = search.snapshot()
            self._mask = chosen.passing(self._rows, search.space, search.objectives)
            self._asked = asked
        return self._rows, self._mask


@dataclass(frozen=True)
class Update:
    """What a part is told: the search, and the rows that changed since it was last told."""

    search: Search
    rows: Rows
    known: _PassingTrials = field(default_factory=_PassingTrials)
    is_kept: bool = False
    """Whether somebody keeps what is shown after this update, as when a page is saved."""

    @property
    def at_once(self) -> bool:
        """Whether all has to be there at the end of this update, and nothing may be put off or left to a thread."""
        return self.is_kept or not self.search.status.is_alive

    def passing(self, chosen: TrialFilter) -> Mask | None:
        """Which trials pass a filter, by number; None: all of them."""
        passes_all = chosen.is_empty and not self.search.counts.get(TrialState.LEFT_OUT, 0)
        return None if passes_all else self.known.find(self.search, self.rows.version, chosen)[1]

    def all_rows(self, chosen: TrialFilter) -> Rows:
        """All trials that pass a filter, not only the changed ones."""
        if self.passing(chosen) is None:
            return self.search.snapshot()
        rows, mask = self.known.find(self.search, self.rows.version, chosen)
        return rows.where(mask)


class _Part(Protocol):
    """Something that shows a search."""

    def refresh(self, update: Update) -> None:
        """Show what changed. Rows may come twice: the second time changes nothing."""
        ...


@runtime_checkable
class _KeepsTrials(Protocol):
    """A part that keeps something of trials, which may go when a replay goes back."""

    def forget(self) -> None:
        """Drop what is kept of trials; all of those that there are follow at once."""
        ...


@dataclass
class _Shown:
    """A part, and how it stands beside the others."""

    part: _Part
    name: str
    is_drawn: bool
    """Whether it opens and closes widgets as trials come."""
    is_hidden: bool
    """Whether nobody sees it now."""
    version: int | None
    """The version that it shows; None: the one that all show that are seen. It stays behind while it is hidden, and
    while it is drawn and a page may be loading."""
    num_failed: int = 0
    """Refreshes that failed in a row: what it shows may be half of one."""


class _RefreshThread:
    """The one thread that refreshes all widgets of a search in a kernel, however many there are.

    It holds them weakly and ends with the last one. Its set of refreshers and the dictionary of threads are read and
    changed under ``_threads_lock`` only.

    A Jupyter kernel is a process. Solara has a kernel for each page, all in one process, and the thread that makes a
    widget decides to which page it belongs: the thread that starts this one belongs to the page of its widgets.
    """

    def __init__(self, search: Search, comms: object) -> None:
        self._search = search
        self._comms = comms
        self._refreshers: weakref.WeakSet[Refresher] = weakref.WeakSet()
        self._has_ended = False
        self._is_dirty = False
        self._wake = threading.Event()
        self._unsubscribe = search.subscribe(self._poke)
        self._end_settling = after_each_cell(self._settle)
        self._thread = threading.Thread(target=self._run, name=f"hpo-widgets-refresher-{search.id}", daemon=True)

    @staticmethod
    def add(refresher: Refresher) -> _RefreshThread:
        """Refresh this one from here on, on the thread of its search in the kernel of the calling thread."""
        search, comms = refresher.search, comm.get_comm_manager()
        with _threads_lock:
            thread = _threads.get((id(search), id(comms)))
            is_new = thread is None
            if thread is None:
                thread = _threads[id(search), id(comms)] = _RefreshThread(search, comms)
            thread._refreshers.add(refresher)
        if is_new:
            thread._thread.start()
        thread.wake()
        return thread

    def remove(self, refresher: Refresher, *, waits: bool) -> None:
        """Refresh this one no more; with the last one the thread ends, and is waited for where that may be."""
        with _threads_lock:
            self._refreshers.discard(refresher)
            self._end_without_refreshers()
        self.wake()
        if waits and self._has_ended and threading.current_thread() is not self._thread:
            self._thread.join()

    def wake(self) -> None:
        """Have the thread look again at what is due."""
        self._wake.set()

    def pass_on_changes(self) -> None:
        """Tell every refresher that the search has changed, when it has since this was called last."""
        if self._is_dirty:
            self._is_dirty = False  # before: what changes from here on is passed on once more
            for refresher in self._living():
                refresher.is_dirty = True
            if threading.current_thread() is not self._thread:
                self.wake()  # it may have looked in between

    def _living(self) -> list[Refresher]:
        with _threads_lock:
            return list(self._refreshers)

    def _end_without_refreshers(self) -> None:
        if not self._refreshers and not self._has_ended:
            self._has_ended = True
            _threads.pop((id(self._search), id(self._comms)), None)

    def _poke(self) -> None:
        # Called on the search's thread, thousands of times a second: wakes ours once an update, and for the end.
        if not self._is_dirty or not self._search.status.is_alive:
            self._is_dirty = True
            self.wake()

    def _settle(self) -> None:
        for refresher in self._living():
            refresher.settle()

    def _run(self) -> None:
        while not self._has_ended:
            self._wake.wait(self._seconds_to_wait())
            self._wake.clear()
            self._refresh_those_due()
            with _threads_lock:
                self._end_without_refreshers()
        self._unsubscribe()
        self._end_settling()

    def _refresh_those_due(self) -> None:
        for refresher in self._living():
            if refresher.seconds_to_wait(self._is_dirty) == 0:
                try:
                    refresher.refresh()
                except Exception:  # noqa: BLE001 -- the thread lives as long as a panel
                    refresher.is_dirty = False
                    _log.exception("the panel could not be refreshed")

    def _seconds_to_wait(self) -> float:
        waits = [refresher.seconds_to_wait(self._is_dirty) for refresher in self._living()]
        return min([_LONGEST_WAIT, *(wait for wait in waits if wait is not None)])


_threads: dict[tuple[int, int], _RefreshThread] = {}
"""By the identities of the search and of the kernel's comm manager, which the thread keeps alive."""
_threads_lock = threading.Lock()


class Refresher:
    """Keeps the parts of one widget up to date with a search, on the thread that all widgets of the search share.

    Parameters
    ----------
    search
        The search to follow. It is never changed from here.
    clock
        Seconds that never go back.
    """

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.search = search
        self.lock = threading.RLock()
        self.notices: list[Notice] = []
        self.is_dirty = False
        self._parts: list[_Shown] = []
        self._known = _PassingTrials()
        self._has_rest = False
        """Whether a search has ended of which hidden parts do not show all yet."""
        self._version = 0
        self._status = search.status
        self._clock = clock
        self._refreshed_at = clock()
        self._sent_again_at = float("-inf")
        self._writer: int | None = None
        self._is_closed = False
        self.flow = Flow(_INTERVAL, self._wake, self.poke, self._send_again, clock=clock)
        self._thread: _RefreshThread | None = None
        self._thread = _RefreshThread.add(self)

    @property
    def is_writing(self) -> bool:
        """True when the calling thread is writing traits outwards."""
        return self._writer == threading.get_ident()

    def link(self, source: tuple[HasTraits, str], target: tuple[HasTraits, str], *, one_way: bool = False) -> None:
        """Give a trait the value of another one, now and whenever that changes, and the other way round.

        What a page says and what a cell assigns come on two threads; traitlets' own link is for one, and fails or
        leaves both unequal when they meet.

        Parameters
        ----------
        source
            A widget, and the name of its trait.
        target
            What takes the value first.
        one_way
            Whether changes of ``target`` leave ``source`` alone. Default False.
        """

        def copy(source: tuple[HasTraits, str], target: tuple[HasTraits, str]) -> None:
            with self.lock:
                # The value of this moment: the one of the change may be an older one, when another thread was faster.
                setattr(*target, getattr(*source))

        copy(source, target)
        source[0].observe(lambda _change: copy(source, target), source[1])
        if not one_way:
            target[0].observe(lambda _change: copy(target, source), target[1])

    def add(self, part: _Part, *, name: str = "", hidden: bool = False, is_drawn: bool = False) -> None:
        """Show the whole search in ``part`` now, and every change from here on; a hidden one later.

        Parameters
        ----------
        part
            The part to show changes in.
        name
            What a notice calls it when it fails. Default: its class.
        hidden
            Whether it is not seen now, so that it is drawn later. Default False.
        is_drawn
            Whether it opens and closes widgets as trials come, so that it waits while a page may be loading. Default
            False.
        """
        with self.lock:
            one = _Shown(part, name or type(part).__name__, is_drawn, hidden, 0 if hidden else None)
            if not hidden:
                snapshot = self.search.snapshot()
                # Where all others are hidden, it is the first that follows what changes from here on.
                if all(other.is_hidden for other in self._parts):
                    self._version = snapshot.version
                self._tell(one, snapshot)
            self._parts.append(one)

    def _find(self, part: _Part) -> _Shown | None:
        return next((one for one in self._parts if one.part is part), None)

    def hide(self, part: _Part) -> None:
        """Leave ``part`` as it is, until it is shown again or all has to be true."""
        with self.lock:
            if (one := self._find(part)) is not None:
                one.is_hidden = True
                one.version = self._version if one.version is None else one.version

    def is_hidden(self, part: _Part) -> bool:
        """Whether nobody sees the part now."""
        one = self._find(part)
        return one is not None and one.is_hidden

    def show(self, part: _Part) -> None:
        """Bring a hidden part up to date, and keep it so."""
        with self.lock:
            one = self._find(part)
            if one is not None and one.is_hidden:
                one.is_hidden, version, one.version = False, one.version, None
                self._refresh(one, self.search.changes_since(version or 0))

    def show_anew(self, part: _Part) -> None:
        """Have a part forget what it keeps of trials and show all of them, a hidden one once it is seen."""
        with self.lock:
            if (one := self._find(part)) is None:
                return
            one.version = 0 if one.is_hidden else None
            if not one.is_hidden:
                self._refresh(one, replace(self.search.snapshot(), is_anew=True))
            elif isinstance(part, _KeepsTrials):
                part.forget()

    def refresh(self, *, everything: bool = False, is_kept: bool = False, draws: bool = False) -> None:
        """Bring all parts up to date now, whatever the browser has acknowledged.

        Hidden parts are left out, except with ``everything``, and where nothing says that there is a page: after the
        end of the search, and as long as nobody answers, the state may be what is saved. On a page they follow after
        the end, one with each update. What is drawn waits while a page may be loading.

        Parameters
        ----------
        everything
            Whether hidden parts are brought up to date too. Default False.
        is_kept
            Whether what is shown then is kept: everything is brought up to date, and no part leaves anything for
            later. Default False.
        draws
            Whether what is drawn waits for no page, as the kernel itself looks at it. Default False.
        """
        with self.lock:
            if self._is_closed:
                return
            if self._thread is not None:
                self._thread.pass_on_changes()
            self.is_dirty = False
            self._status = self.search.status
            self._refreshed_at = self._clock()
            everything = everything or is_kept
            waits = self.flow.may_be_loading and not (everything or draws)
            has_ended = not self._status.is_alive and self._status is not SearchStatus.IDLE
            everything = everything or (self.flow.may_have_no_page and (has_ended or self.flow.is_unattended))
            takes_one = has_ended and self.flow.was_ever_seen and not waits
            before = self._version
            rows = self.search.changes_since(before)
            self._version = rows.version
            for one in self._parts:  # which may add one, whose turn then comes too
                shown = before if one.version is None else one.version
                if one.is_hidden:
                    if not everything and not (takes_one and shown < rows.version):
                        continue
                    takes_one = False
                elif waits and one.is_drawn:
                    one.version = shown
                    continue
                self._refresh(one, rows if shown == before else self.search.changes_since(shown), is_kept=is_kept)
                one.version = rows.version if one.is_hidden else None
            hidden = [one.version for one in self._parts if one.is_hidden and one.version is not None]
            self._has_rest = has_ended and any(version < rows.version for version in hidden)
            self.flow.mark_sent(goes_on=self._status.is_alive)

    def _refresh(self, one: _Shown, rows: Rows, *, is_kept: bool = False) -> None:
        """Tell a part of changes; one that fails leaves the others alone, and the panel says why."""
        try:
            self._tell(one, rows, is_kept=is_kept)
        except Exception as error:  # noqa: BLE001 -- one part must not take the others with it
            if one.num_failed == 1:
                self.tell_failure(one.name, error)
            else:
                _log.exception("%s could not be drawn", one.name)
            if one.num_failed < _MOST_TRIES:
                self.poke()

    def _tell(self, one: _Shown, rows: Rows, *, is_kept: bool = False) -> None:
        """Have a part show what changed, or all trials where it failed to show the last ones.

        What it sets meanwhile is said by the search.
        """
        part = one.part
        before, self._writer = self._writer, threading.get_ident()
        try:
            if one.num_failed:
                rows = replace(self.search.snapshot(), is_anew=True)
            if rows.is_anew and isinstance(part, _KeepsTrials):
                part.forget()
            part.refresh(Update(self.search, rows, self._known, is_kept))
        except Exception:
            one.num_failed += 1
            raise
        else:
            one.num_failed = 0
        finally:
            self._writer = before

    def catch_up(self) -> None:
        """Bring all parts up to date now, where the search has changed since they were."""
        with self.lock:
            if self._thread is not None:
                self._thread.pass_on_changes()
            if self.is_dirty or self._is_behind or self.search.status is not self._status:
                self.refresh(draws=True)

    def look_at(self, part: _Part) -> None:
        """Bring one part up to date now, a hidden one with nothing left for later; it stays hidden."""
        with self.lock:
            one = self._find(part)
            if one is None or not one.is_hidden:
                self.catch_up()
                return
            rows = self.search.changes_since(one.version or 0)
            one.is_hidden = False
            try:
                self._tell(one, rows, is_kept=True)
                one.version = rows.version
            finally:
                one.is_hidden = True

    @property
    def _is_behind(self) -> bool:
        return any(one.version is not None and not one.is_hidden for one in self._parts)

    def close(self) -> None:
        """Refresh no more. The search goes on."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._thread is not None:
            self._thread.remove(self, waits=not self._holds_lock())
        with self.lock:
            self._parts.clear()
            self.flow.close()

    def _holds_lock(self) -> bool:
        """Whether the calling thread holds the lock: then the refresher's may be waiting for it."""
        try:
            threading.Condition(self.lock).notify()  # which only the holder may
        except RuntimeError:
            return False
        return True

    def settle(self) -> None:
        """Have all that is shown true at the end of a cell, unless a browser follows already.

        It may be what is saved, then what is hidden, too; a page answers it once it shows the panel.
        """
        with self.lock:
            if not self.flow.was_ever_seen:
                self.refresh(everything=self.flow.may_have_no_page)

    def _send_again(self) -> None:
        """Send the state of all widgets that show the search: a page may have missed any change of them.

        With the lock, so that no change goes out between the state that is taken and the one that is sent. Questions
        that have waited for a connection, or for a kernel that was held up, come all at once, and get one answer.
        """
        from ipywidgets import Widget
        from ipywidgets.embed import dependency_state
        from ipywidgets.widgets.widget import _instances

        with self.lock:
            if self._clock() - self._sent_again_at < _BETWEEN_SENDING_AGAIN:
                return
            self._sent_again_at = self._clock()
            shown = [part for part in (self.flow.view, *(one.part for one in self._parts)) if isinstance(part, Widget)]
            for model_id in dependency_state(shown):
                _instances[model_id].send_state()

    def tell(self, source: str, sentence: str) -> None:
        """Show a notice of the widget itself among those of the search; never of interest to a journal.

        Parameters
        ----------
        source
            What it is about, in a word.
        sentence
            What people should know.
        """
        logging.getLogger("hpo_widgets").warning("%s: %s", source, sentence)
        self._add_notice(source, sentence)

    def tell_failure(self, name: str, error: Exception) -> None:
        """Show a notice of something that could not be drawn, and log the error that is handled now.

        Parameters
        ----------
        name
            What could not be drawn.
        error
            Why.
        """
        _log.exception("%s could not be drawn", name)
        self._add_notice("panel", f"{name} could not be drawn: {f'{type(error).__name__}: {error}':.300}")

    def _add_notice(self, source: str, sentence: str) -> None:
        with self.lock:
            self.notices = [*self.notices, Notice(source, sentence)][-_MOST_NOTICES:]
        self.poke()

    def hear(self) -> None:
        """Go on where the panel was forgotten, as a page has sent something."""
        if self.flow.is_forgotten:
            self.flow.hear()
            self._wake()

    def poke(self) -> None:
        """Have the parts refreshed as soon as may be; costs nothing when that is due anyway."""
        if not self.is_dirty:
            self.is_dirty = True
            self._wake()

    def _wake(self) -> None:
        if self._thread is not None:
            self._thread.wake()

    def seconds_to_wait(self, has_changed: bool = False) -> float | None:
        """Return the seconds until the next update is due; 0 is now, None is when something changes.

        Parameters
        ----------
        has_changed
            Whether the search has changed, which not every refresher knows yet.
        """
        status = self.search.status
        has_changed_status = status is not self._status
        if has_changed_status and (self.flow.is_forgotten or not status.is_alive):
            # The end is shown at once, acknowledged or not: it may be what is saved. And a page may be there that has
            # lost a message, which some hosts do not tell.
            return 0.0
        until_next = self.flow.seconds_until_next()
        is_behind = self._is_behind or (self._has_rest and self.flow.was_ever_seen)
        if self.is_dirty or has_changed or has_changed_status or (is_behind and not self.flow.may_be_loading):
            return until_next
        if not status.is_alive:
            return None
        until_tick = _CLOCK_INTERVAL - (self._clock() - self._refreshed_at)
        return max(until_next, until_tick, 0.0)


_EVENT = "post_run_cell"


def after_each_cell(function: Callable[[], None]) -> Callable[[], None]:
    """Call ``function`` at the end of each cell, on the thread that runs cells, until the answer is called.

    What runs a notebook without a page (nbconvert, nbclient) keeps what a kernel sends while a cell runs, and drops
    what comes between cells and after the last one.
    """
    shell = get_ipython()
    if shell is None:
        return lambda: None

    def act(_result: object) -> None:
        function()

    shell.events.register(_EVENT, act)

    def end() -> None:
        with contextlib.suppress(ValueError):  # it was ended before
            shell.events.unregister(_EVENT, act)

    return end
