"""A question that may take its time, answered on a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")


def answer_apart(name: str, ask: Callable[[], _Answer], then: Callable[[], None]) -> Future[_Answer]:
    """Ask on a thread of that name, which ends with the answer; returns at once.

    Parameters
    ----------
    name
        Of the thread.
    ask
        Gives the answer; what it raises belongs to whoever asks for the result.
    then
        Called on that thread when the answer is there.
    """
    answer: Future[_Answer] = Future()

    def run() -> None:
        complete(answer, ask)
        then()

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer


def complete(answer: Future[_Answer], ask: Callable[[], _Answer]) -> None:
    """Ask here, and give the answer or what was raised to whoever waits for it."""
    try:
        answer.set_result(ask())
    except Exception as error:  # noqa: BLE001 -- it belongs to the one who asked
        answer.set_exception(error)
