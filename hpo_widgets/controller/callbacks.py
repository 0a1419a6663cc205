"""Calls a user's ``job_complete_callback`` once a trial's end is durable, in order, on a thread of its own.

A slow callback must delay neither launches nor stop, and may itself call any method of the search,
so it never runs on the controller's thread.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.space.range_history import RangeHistory
    from hpo_widgets.trials import TrialRow

logger = logging.getLogger("hpo_widgets")


class CallbackThread:
    """Calls one function with queued arguments, in order, each exactly once.

    The queue is filled by the controller's thread and emptied by this one; `_condition` guards it.
    The thread is a daemon that starts with the first call and ends after `close`.

    Parameters
    ----------
    on_error
        Called on this thread with the exception that a callback raised; the next calls are made all the same.
    """

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._condition = threading.Condition()
        self._due: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._num_unfinished = 0
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def put(self, function: Callable[..., object], calls: Iterable[tuple[Any, ...]]) -> None:
        """Queue calls of ``function``, one for each tuple of arguments.

        Parameters
        ----------
        function
            What to call.
        calls
            A tuple of arguments for each call, in order.
        """
        with self._condition:
            self._is_closing = False
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="hpo_widgets callbacks", daemon=True)
                thread.start()  # where the system has no thread left, nothing is queued, and nobody waits for it
                self._thread = thread
            before = len(self._due)
            self._due.extend((function, arguments) for arguments in calls)
            self._num_unfinished += len(self._due) - before
            self._condition.notify_all()

    @property
    def is_current(self) -> bool:
        """True when asked from inside a callback."""
        return threading.current_thread() is self._thread

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every queued call has returned; False when ``timeout`` seconds passed first."""
        if self.is_current:
            return True
        with self._condition:
            return self._condition.wait_for(lambda: self._num_unfinished == 0, timeout)

    def close(self) -> None:
        """Let the thread end after the last queued call, without waiting for it; `put` starts it again."""
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
                # All at once: each time the condition is held, the controller's thread may have to wait for it.
                calls, self._due = self._due, []
            for function, arguments in calls:
                try:
                    function(*arguments)
                except BaseException as error:  # noqa: BLE001 -- `sys.exit()` too: `wait` would never return
                    self._tell(error)
            with self._condition:
                self._num_unfinished -= len(calls)
                if self._num_unfinished == 0:
                    self._condition.notify_all()

    def _tell(self, error: BaseException) -> None:
        try:
            self._on_error(error)
        except Exception:  # the exception may be of a user's class, whose `__str__` raises
            logger.exception("an error of a callback could not be told")


class CallbackQueue:
    """Gathers the calls that follow from the ends of trials, and hands them to the thread that makes them.

    Belongs to the controller's thread; ``callback`` is set by the thread that starts the search.

    Parameters
    ----------
    recorder
        Calls back for each end once it is durable.
    epochs
        Decodes points.
    thread
        Makes the calls.
    """

    def __init__(self, recorder: Recorder, epochs: RangeHistory, thread: CallbackThread) -> None:
        self.callback: Callable[..., object] | None = None
        self._recorder = recorder
        self._epochs = epochs
        self._thread = thread
        self._due: list[tuple[Any, ...]] = []
        recorder.on_ended = self._add

    def _add(self, row: TrialRow, best: int | None) -> None:
        """Add the call for a job whose end is durable; a failed one, or one without a value, gets none."""
        if self.callback is None or row.values is None or row.state == TrialState.FAILED or row.is_recorded:
            return
        if None in row.values:
            return
        single = len(row.values) == 1
        best = row.number if best is None else best
        best_job = row.job if best == row.number else self._recorder.job_of(best)
        self._due.append(
            (
                row.job or f"{self._recorder.search_id}/{row.number}",
                row.values[0] if single else list(row.values),
                (row.iteration or [0])[0] if single else list(row.iteration or []),
                self._epochs.space.decode(row.parameters),
                best_job or f"{self._recorder.search_id}/{best}",
            )
        )

    def hand_over(self) -> None:
        """Pass all calls gathered so far to the callbacks' own thread."""
        if self._due and self.callback is not None:
            self._thread.put(self.callback, self._due)
        self._due = []

    def close(self) -> None:
        """Let that thread end after the last queued call, without waiting for it."""
        self._thread.close()
