"""The event that the SDK's loop sleeps on: nudges wake it, and none is lost."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.clearml_sdk.events import NudgedEvent
from tests.conftest import DEADLINE


@pytest.fixture
def waits():
    """``waits(event)`` waits on a thread of its own and gives what `wait` will have returned."""
    threads = []

    def begin(event):
        answers = []
        threads.append(threading.Thread(target=lambda: answers.append(event.wait()), daemon=True))
        threads[-1].start()
        return lambda: (threads[-1].join(DEADLINE), answers)[1]

    return begin


def test_a_nudge_wakes_without_setting(waits):
    event = NudgedEvent(threading.Event())
    answers = waits(event)
    event.nudge()
    assert answers() == [False]
    assert not event.is_set()


def test_a_nudge_that_comes_between_two_waits_ends_the_next_one():
    event = NudgedEvent(threading.Event())
    event.nudge()
    assert event.wait(DEADLINE) is False
    event.nudge()
    assert event.wait(DEADLINE) is False
    assert event.wait(0) is False


def test_who_waits_for_the_former_event_is_served_too(waits):
    former = threading.Event()
    answers = waits(former)
    event = NudgedEvent(former)
    event.set()
    assert answers() == [True]
    event.clear()
    assert not former.is_set()
    former.set()
    assert NudgedEvent(former).is_set()
