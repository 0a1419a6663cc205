"""The thread on which a search calls its user's ``job_complete_callback``.

A slow callback must delay neither launches nor stop, and may itself call any method of the search,
so it never runs on the controller's thread.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger("hpo_widgets")


class CallbackThread:
    """Calls one function with queued arguments, in order, each exactly once.

    The queue is filled by the controller's thread and emptied by this one; `_condition` guards it.
    The thread is a daemon that starts with the first call due and ends with `close`.

    Parameters
    ----------
    on_error
        Called on this thread with the exception that a callback raised; the queue goes on.
    """

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._condition = threading.Condition()
        self._due: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._num_unfinished = 0
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def put(self, function: Callable[..., object], calls: Iterable[tuple[Any, ...]]) -> None:
        """Queue calls of ``function``, one for each tuple of arguments."""
        with self._condition:
            before = len(self._due)
            self._due.extend((function, arguments) for arguments in calls)
            self._num_unfinished += len(self._due) - before
            self._is_closing = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hpo_widgets callbacks", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    @property
    def is_current(self) -> bool:
        """True when asked from inside a callback."""
        return threading.current_thread() is self._thread

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every call due has returned; False when ``timeout`` seconds passed first."""
        if self.is_current:
            return True
        with self._condition:
            return self._condition.wait_for(lambda: self._num_unfinished == 0, timeout)

    def close(self) -> None:
        """Let the thread end after the last call due, without waiting for it; `put` wakes it again."""
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._due or self._is_closing)
                if not self._due:
                    # Under the condition, so that a `put` either sees this thread or starts one.
                    self._thread = None
                    return
                function, arguments = self._due.popleft()
            try:
                function(*arguments)
            except BaseException as error:  # noqa: BLE001 -- `sys.exit()` too: whoever waits waits for this thread
                self._tell(error)
            finally:
                with self._condition:
                    self._num_unfinished -= 1
                    if self._num_unfinished == 0:
                        self._condition.notify_all()

    def _tell(self, error: BaseException) -> None:
        try:
            self._on_error(error)
        except Exception:  # an exception of the user's own may not even have words
            logger.exception("an error of a callback could not be told")
