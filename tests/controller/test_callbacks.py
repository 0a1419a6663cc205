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


def test_where_no_thread_can_be_started_nothing_is_queued_and_the_next_try_calls_once(monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    calls = []
    thread = CallbackThread(calls.append)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            thread.put(calls.append, [(0,)])
    assert thread.wait(0)
    thread.put(calls.append, [(0,)])
    assert thread.wait(DEADLINE)
    assert calls == [0]
    thread.close()
