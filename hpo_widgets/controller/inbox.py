"""Commands on their way to the thread that owns a search."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import complete

if TYPE_CHECKING:
    from collections.abc import Callable


class Inbox:
    """A queue of commands, filled by any thread and emptied by the controller's.

    Both ends of a deque are atomic. Who puts a command holds the controller's gate, so that none is put when nobody
    empties the queue any more.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], object], Future[Any]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, function: Callable[[], object]) -> Future[Any]:
        """Have a command wait for its turn; its result or error comes by the future."""
        future: Future[Any] = Future()
        self._waiting.append((function, future))
        return future

    def run_next(self) -> bool:
        """Run the command that has waited longest; False when there is none."""
        if not self._waiting:
            return False
        function, future = self._waiting.popleft()
        complete(future, function)
        return True


def run_now(function: Callable[[], object]) -> Future[Any]:
    """Run a command here; its result or error comes by the future all the same."""
    future: Future[Any] = Future()
    complete(future, function)
    return future
