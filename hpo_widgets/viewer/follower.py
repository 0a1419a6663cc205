"""Follows a journal while another process writes to it."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.journal import Journal, JournalError, reported_as_damage
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import TrialStore
from hpo_widgets.viewer.journal_state import JournalState, split_at_trials
from hpo_widgets.viewer.trial_reader import TrialReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    from hpo_widgets.journal import Owner
    from hpo_widgets.search import RemoteSource
    from hpo_widgets.trials import TrialRow

logger = logging.getLogger("hpo_widgets")

FOLLOW_SECONDS = 1.0
"""Seconds between two checks whether the owner still lives, while nothing is written."""

READ_SECONDS = 0.1
"""Seconds for which a view that nobody has subscribed to shows what it has read, before it reads again."""

_LONG_READ, _PAUSE_FACTOR = 0.05, 20
"""What took longer than these seconds of computing and could not be shown is read again after so many times as long: it
may be all trials of a search."""


class JournalFollower:
    """Keeps columns and state up to date with a journal; the base of `SearchViewer`, which shows them.

    The first `subscribe` starts a thread that follows the journal; `close` ends it and closes the file. Until then
    whoever reads brings it up to date (`_catch_up`). One lock guards what is shown, so that one thread at a time writes
    it.

    Parameters
    ----------
    path
        The journal.
    remote
        As of `TrialReader`.
    """

    def __init__(self, path: Path, remote: RemoteSource | None = None) -> None:
        self._remote = remote
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_notified_unknown_events = False
        self._last_error = ""
        self._next_look = time.monotonic() + READ_SECONDS
        """When reading brings it up to date again, in seconds of ``time.monotonic``."""
        self._owner: Owner | None = None
        """Who ran the search when last looked at; the last one that was known."""
        self._reader = Journal.view(self.path)
        try:
            self._open()
        except BaseException:
            self._reader.close()
            raise

    def _open(self) -> None:
        self.id = self._reader.search_id
        self._read_state = JournalState.of(self._reader)
        owner_lives = self._owner_lives()
        self._sequence, columns, events = self._reader.whole()
        self._followed = self._sequence
        """The last write whose events were taken in; its trials are read again as long as they cannot be shown."""
        self._read_state.follow(events)
        space, objectives = self._read_state.declared_space, self._read_state.objectives
        self._shown = TrialStore(space, objectives)
        self._trials = TrialReader(self.path, self.id, space, objectives, self._remote, self._shown.columns.remark)
        self._notify_unknown_events()
        with reported_as_damage(self.path, "a trial"):
            self._read_state.check_columns(columns)
            self._shown.load(columns)
        self._look_after_owner(lives=owner_lives)
        self._shown.set_remarks(self._read_state.take_remarks())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _show(self, rows: Sequence[TrialRow]) -> None:
        with reported_as_damage(self.path, "a trial"):
            for row in rows:
                self._read_state.check_row(row)
        self._shown.put(rows)
        self._shown.rank_all(rows)

    def _look_after_owner(self, *, lives: bool) -> None:
        """Note whether the owner lives: without it nothing runs on this machine, whatever the journal says.

        Parameters
        ----------
        lives
            Whether it lived before the journal was read last: of one that has gone, all had been written then.
        """
        self._owner_was_alive = lives
        # A server's Tasks go on, and their end is found there.
        is_cut_off = self._read_state.is_running and not self._owner_was_alive and not self._read_state.has_tasks
        if is_cut_off and self._shown.columns.counts()[TrialState.RUNNING]:
            last_sign = math.nan if self._owner is None else self._owner.heartbeat
            rows = [row.cut_off(last_sign) for row in self._reader.running()]
            self._trials.cut_off = {row.number: row for row in rows}
            self._show(rows)
        elif self._trials.cut_off and not is_cut_off:
            # It lives after all, or another process has told what became of them.
            numbers, self._trials.cut_off = list(self._trials.cut_off), {}
            self._show([self._reader.row(number) for number in numbers])

    def _owner_lives(self) -> bool:
        owner = self._reader.owner()
        if owner is None:
            return False
        self._owner = owner
        return owner.is_alive

    def refresh(self) -> None:
        """Take in what was written since the last look; reading and the follower do so by themselves."""
        # Before the file is read: other threads that read meanwhile need not wait for it.
        self._next_look = time.monotonic() + READ_SECONDS
        began = time.thread_time()
        try:
            self._take_in()
        except Exception:
            spent = time.thread_time() - began
            if spent > _LONG_READ:
                self._next_look = time.monotonic() + _PAUSE_FACTOR * spent
            raise
        self._notify_unknown_events()
        self._shown.notify()

    def _take_in(self) -> None:
        with self._lock:
            owner_lives = self._owner_lives()
            changes = self._reader.changes(self._sequence)
            new = [event for event in changes.events if event["sequence"] > self._followed]
            self._followed = changes.sequence
            first, others = split_at_trials(new)
            self._read_state.follow(first)
            self._trials.space = self._read_state.declared_space
            try:
                if changes.trials:
                    self._show(changes.trials)
            finally:
                self._read_state.follow(others)
            self._shown.set_remarks(self._read_state.take_remarks())
            self._sequence = changes.sequence
            self._look_after_owner(lives=owner_lives)

    def _notify_unknown_events(self) -> None:
        if self._read_state.num_unknown_events and not self._has_notified_unknown_events:
            self._has_notified_unknown_events = True
            self._tell("journal", "the journal has events that this release does not know; they are not shown")

    def _catch_up(self) -> None:
        """Bring it up to date for somebody who reads, unless the follower does so or it was done just now."""
        if self._thread is None and not self._closed.is_set() and time.monotonic() >= self._next_look:
            self._try(self.refresh)

    def _follow(self) -> None:
        """Follow until `close`: what cannot be read now may be readable later, and somebody may wait for it."""
        while not self._closed.is_set():
            self._try(self._follow_on)
            self._closed.wait(max(FOLLOW_SECONDS, self._next_look - time.monotonic()))

    def _try(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception as error:  # whatever it is, people must not look at a view that stands still in silence
            sentence = str(error)
            if not isinstance(error, JournalError):
                logger.exception("the journal %s could not be followed", self.path)
                sentence = f"what was written to {self.path} could not be shown: {type(error).__name__}: {error}"
            if not self._closed.is_set() and sentence != self._last_error:
                self._last_error = sentence
                self._tell("journal", sentence)

    def _follow_on(self) -> None:
        self.refresh()
        while not self._closed.is_set():
            latest = self._reader.wait_for_change(self._sequence, FOLLOW_SECONDS)
            if self._closed.is_set():
                return
            with self._lock:
                has_news = latest > self._sequence or self._owner_lives() != self._owner_was_alive
            if has_news:
                self.refresh()
            elif self.status is SearchStatus.RUNNING:
                self._shown.notify()

    def _tell(self, source: str, sentence: str) -> None:
        """Show people a sentence that the journal does not hold."""
        with self._lock:
            self._read_state.follow([{"kind": "notice", "source": source, "sentence": sentence, "at": time.time()}])
        self._shown.notify()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Follow the journal and have ``callback`` called after every change."""
        unsubscribe = self._shown.subscribe(callback)
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._follow, name="hpo_widgets follower", daemon=True)
                self._thread.start()
        return unsubscribe

    def close(self) -> None:
        """End following and close the file."""
        self._closed.set()
        self._reader.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._trials.close()

    @property
    def _state(self) -> JournalState:
        """The state of the search, for readers."""
        self._catch_up()
        return self._read_state

    @property
    def _store(self) -> TrialStore:
        """All trials, for readers."""
        self._catch_up()
        return self._shown

    @property
    def _owner_is_alive(self) -> bool:
        """Whether a living process may write the journal, for readers."""
        self._catch_up()
        return self._owner_was_alive

    @property
    def status(self) -> SearchStatus:
        """What the search is doing; a search whose owner has died does not run."""
        return self._state.status(owner_is_alive=self._owner_was_alive)
