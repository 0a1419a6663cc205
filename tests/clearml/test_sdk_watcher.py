"""The thread that looks at a server while somebody has subscribed."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets import UniformParameterRange
from hpo_widgets.clearml_sdk.watcher import Notices, Watcher
from hpo_widgets.objectives import Objective
from hpo_widgets.space import Space
from hpo_widgets.trials.columns import TrialStore
from tests.conftest import DEADLINE


@pytest.fixture
def watches():
    """``watches(look)`` gives a watcher that calls it; it is closed after the test."""
    made = []

    def make(look):
        store = TrialStore(Space([UniformParameterRange("x", 0, 1)]), (Objective("validation", "loss", "min"),))
        made.append(Watcher(look, lambda: 60.0, store, Notices()))
        return made[-1]

    yield make
    for watcher in made:
        watcher.close()


def test_who_subscribes_after_a_close_is_served_though_an_earlier_subscription_ends_in_between(watches):
    looked = threading.Event()
    watcher = watches(looked.set)
    earlier = watcher.subscribe(lambda: None)
    watcher.close()
    earlier()
    looked.clear()
    end = watcher.subscribe(lambda: None)
    assert looked.wait(DEADLINE)
    thread = watcher.thread
    earlier()
    assert watcher.thread is thread
    end()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_a_close_waits_for_its_own_thread_and_not_for_that_of_a_later_subscription(watches):
    is_looking, goes_on = threading.Event(), threading.Event()

    def look():
        is_looking.set()
        assert goes_on.wait(DEADLINE)

    watcher = watches(look)
    watcher.subscribe(lambda: None)
    assert is_looking.wait(DEADLINE)
    first = watcher.thread
    closer = threading.Thread(target=watcher.close, daemon=True)
    is_looking.clear()
    closer.start()
    # The close waits for the first thread, which still looks; only then does another subscribe.
    while watcher.thread is first:
        assert closer.is_alive()
    watcher.subscribe(lambda: None)
    assert is_looking.wait(DEADLINE)
    assert closer.is_alive()
    goes_on.set()
    closer.join(DEADLINE)
    assert not closer.is_alive()
    assert not first.is_alive()
    assert watcher.thread.is_alive()


def test_an_error_is_told_once_and_so_is_its_end(watches):
    has_failed, answers = threading.Event(), threading.Event()
    num_looks = 0

    def look():
        nonlocal num_looks
        num_looks += 1
        if num_looks < 3:
            has_failed.set()
            raise OSError("the line is cut")

    watcher = watches(look)
    watcher._notices.notify = lambda: answers.set() if len(watcher._notices.shown) == 2 else None
    watcher.subscribe(lambda: None)
    assert has_failed.wait(DEADLINE)
    for _ in range(2):
        has_failed.clear()
        watcher.wake()
        has_failed.wait(0.2)
    assert answers.wait(DEADLINE)
    assert [notice.sentence for notice in watcher._notices.shown] == [
        "OSError: the line is cut; what is shown may be old, trying again",
        "the ClearML server answers again",
    ]
