"""What a ``job_complete_callback`` is told, and when: once a trial's end is durable, and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.controller.callbacks import CallbackThread
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.space.range_history import RangeHistory
    from hpo_widgets.trials import TrialRow


class CallsDue:
    """Gathers calls as trials end, and hands them to the thread that makes them.

    Belongs to the controller's thread; ``callback`` is set by who starts the search.
    """

    def __init__(self, recorder: Recorder, epochs: RangeHistory, thread: CallbackThread) -> None:
        self.callback: Callable[..., object] | None = None
        self._recorder = recorder
        self._epochs = epochs
        self._thread = thread
        self._due: list[tuple[Any, ...]] = []
        recorder.on_ended = self._add

    def _add(self, row: TrialRow, best: int | None) -> None:
        """Make the call due that follows from a trial's durable end."""
        if self.callback is None or row.values is None or row.state == TrialState.FAILED:
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
        """Have everything that is due called, on the callbacks' own thread."""
        if self._due and self.callback is not None:
            self._thread.put(self.callback, self._due)
        self._due = []

    def close(self) -> None:
        """Let that thread end after the last call due, without waiting for it."""
        self._thread.close()
