"""When updates go out: at a steady pace, whatever delays single ones."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from hpo_widgets.widget.sync.flow import Flow


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("hpo_widgets.widget.sync.flow.time", SimpleNamespace(monotonic=made.monotonic))
    return made


@pytest.fixture
def flow(clock, wire):
    made = Flow(0.1, lambda: None)
    yield made
    made.close()


@pytest.fixture
def send(clock, flow, wire):
    """Send an update some seconds after it may go, and have the browser acknowledge it."""

    def send(late=0.0):
        clock.now += flow.seconds_until_next() + late
        flow.mark_sent()
        wire.browser_sets(flow._acknowledged, value=flow._sent.value)
        return clock.now

    return send


def test_updates_keep_their_pace_when_each_is_a_little_late(send):
    send()
    first = send()
    for _ in range(99):
        send(late=0.02)
    # Counted from when each went out, it would be two seconds more.
    assert send() - first == pytest.approx(100 * 0.1)


def test_after_a_pause_updates_do_not_come_in_a_burst(send):
    send()
    sent = [send(late=60.0), send(), send(), send()]
    gaps = [later - sooner for sooner, later in itertools.pairwise(sent)]
    assert gaps == pytest.approx([0.05, 0.1, 0.1])


def test_updates_out_of_turn_do_not_put_off_the_next(flow, wire):
    for _ in range(5):
        flow.mark_sent()
    wire.browser_sets(flow._acknowledged, value=flow._sent.value)
    assert flow.seconds_until_next() == pytest.approx(0.1)


def test_nothing_goes_before_the_browser_has_acknowledged_for_two_seconds(clock, flow, send):
    send()
    flow.mark_sent()
    assert flow.seconds_until_next() == pytest.approx(2.0)
    clock.now += 2.0
    assert flow.seconds_until_next() == 0.0
