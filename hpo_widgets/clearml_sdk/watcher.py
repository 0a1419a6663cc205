"""A thread that looks at a server while somebody watches, and the notices that it leaves."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml.server import ClearmlError, sentence_of
from hpo_widgets.search import MOST_NOTICES, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.trials.columns import TrialStore

logger = logging.getLogger("hpo_widgets")

MOST_SECONDS_AWAY = 30.0
"""Seconds at most between two looks while the server does not answer."""


class Notices:
    """The notices of a search; may be added to from any thread.

    Attributes
    ----------
    shown
        The newest notices, oldest first; replaced as a whole.
    notify
        Called after each notice; replaced by whoever has subscribers.
    """

    def __init__(self) -> None:
        self.shown: list[Notice] = []
        self.notify: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def tell(self, source: str, sentence: str) -> None:
        """Add a notice.

        Parameters
        ----------
        source
            What the notice is about, in a word: ``"server"``, ``"launch"``.
        sentence
            What people should know.
        """
        logger.warning("%s: %s", source, sentence)
        with self._lock:
            self.shown = [*self.shown, Notice(source, sentence)][-MOST_NOTICES:]
        self.notify()

    def forget_failed_starts(self) -> None:
        """Drop what said why a start has failed; for when a later one has worked."""
        with self._lock:
            self.shown = [one for one in self.shown if not one.is_of_failed_start]
        self.notify()


class Watcher:
    """Calls a function again and again, on a thread that lives as long as somebody has subscribed.

    Attributes
    ----------
    thread
        The thread; None while nobody has subscribed.

    Parameters
    ----------
    look
        Reads what is new; may raise `ClearmlError`. One look runs at a time.
    pause
        Returns the seconds until the next look.
    store
        Holds the subscribers.
    notices
        Where people are told of errors.
    """

    def __init__(
        self, look: Callable[[], None], pause: Callable[[], float], store: TrialStore, notices: Notices
    ) -> None:
        self.thread: threading.Thread | None = None
        self._look = look
        self._pause = pause
        self._store = store
        self._notices = notices
        self._lock = threading.Lock()
        self._subscriptions: set[object] = set()
        self._wake = threading.Event()
        self._away_since: float | None = None

    @property
    def is_watched(self) -> bool:
        """Whether somebody has subscribed."""
        return bool(self._subscriptions)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every change; returns the function that ends it."""
        unsubscribe = self._store.subscribe(callback)
        subscription = object()
        with self._lock:
            self._subscriptions.add(subscription)
            if self.thread is None:
                self.thread = threading.Thread(
                    target=self._run, args=(self._wake,), name="hpo_widgets clearml watcher", daemon=True
                )
                self.thread.start()

        def end() -> None:
            unsubscribe()
            with self._lock:
                self._subscriptions.discard(subscription)
            self.wake()

        return end

    def close(self) -> None:
        """End the thread, until somebody subscribes anew."""
        with self._lock:
            self._subscriptions.clear()
            thread, self.thread = self.thread, None
            # One event for each thread: a subscriber that comes during this thread's last look gets a new thread.
            wake, self._wake = self._wake, threading.Event()
        wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wake(self) -> None:
        """Have the thread look now."""
        self._wake.set()

    def _run(self, wake: threading.Event) -> None:
        pause = 0.0
        while True:
            wake.wait(pause)
            wake.clear()
            with self._lock:
                if wake is not self._wake:
                    return
                if not self._subscriptions:
                    self.thread = None
                    return
            pause = self._turn()

    def _turn(self) -> float:
        """Look once; returns the seconds until the next look."""
        try:
            self._look()
        except Exception as error:  # the thread lives as long as somebody watches
            if not isinstance(error, ClearmlError):
                logger.exception("the ClearML search could not be read")
            return self._was_away(sentence_of(error))
        if self._away_since is not None:
            self._away_since = None
            self._notices.tell("server", "the ClearML server answers again")
        return self._pause()

    def _was_away(self, sentence: str) -> float:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._notices.tell("server", f"{sentence}; what is shown may be old, trying again")
        return min(MOST_SECONDS_AWAY, max(self._pause(), (now - self._away_since) / 4))
