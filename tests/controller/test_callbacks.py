"""The thread of a search's callback."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.controller.callbacks import CallbackThread
from tests.conftest import DEADLINE


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError("an error that cannot even be told")


@pytest.mark.parametrize("error", [SystemExit("enough"), KeyboardInterrupt(), UnspeakableError()])
def test_whatever_a_call_raises_the_next_one_comes_and_nobody_waits_for_ever(error):
    calls = []

    def call(n):
        calls.append(n)
        if n == 0:
            raise error

    thread = CallbackThread(lambda error: calls.append(str(error)))
    thread.put(call, [(0,), (1,)])
    assert thread.wait(DEADLINE)
    assert calls[0] == 0
    assert calls[-1] == 1
    thread.close()


def test_after_its_close_the_thread_ends_and_a_later_call_starts_another():
    threads = []
    thread = CallbackThread(threads.append)
    for _ in range(2):
        thread.put(lambda: threads.append(threading.current_thread()), [()])
        thread.close()
        assert thread.wait(DEADLINE)
        threads[-1].join(DEADLINE)
        assert not threads[-1].is_alive()
    assert len(set(threads)) == 2
