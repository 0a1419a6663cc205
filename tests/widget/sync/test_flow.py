"""When updates go out: at a steady pace, whatever delays single ones."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from ipykernel.comm.comm import BaseComm

from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.sync import flow as flow_module
from hpo_widgets.widget.sync.flow import Flow, FlowView, act_while_cell_runs, cells


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def flow(clock, wire):
    made = Flow(0.1, lambda: None, lambda: None, lambda: None, clock=lambda: clock.now)
    made.follow(FlowView())
    yield made
    made.close()


@pytest.fixture
def send(clock, flow, wire):
    """Send an update some seconds after it may go, and have the browser acknowledge it."""

    def send(late=0.0):
        clock.now += flow.seconds_until_next() + late
        flow.mark_sent()
        wire.browser_sets(flow.view, seen=flow.view.sent)
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
    wire.browser_sets(flow.view, seen=flow.view.sent)
    assert flow.seconds_until_next() == pytest.approx(0.1)


def test_nothing_goes_before_the_browser_has_acknowledged_one_of_two_for_two_seconds(clock, flow, send):
    send()
    flow.mark_sent()
    assert flow.seconds_until_next() < 0.2
    assert not flow.is_acknowledged
    flow.mark_sent()
    assert flow.seconds_until_next() == pytest.approx(2.0)
    clock.now += 2.0
    assert flow.seconds_until_next() == 0.0


@pytest.fixture
def updates_of_an_hour(clock, flow):
    """The seconds at which updates go out in an hour in which nobody acknowledges any."""

    def count():
        start, sent = clock.now, []
        while (now := clock.now + flow.seconds_until_next()) < start + 3600:
            clock.now = now
            flow.mark_sent()
            sent.append(now - start)
        return sent

    return count


def test_what_nobody_has_seen_is_updated_once_a_second_at_first_and_once_a_minute_later(updates_of_an_hour):
    sent = updates_of_an_hour()
    assert len([second for second in sent if second < 10]) > 8
    assert 60 < len(sent) < 80


def test_a_page_that_falls_silent_is_sent_nothing_after_ten_seconds(send, updates_of_an_hour, flow):
    send()
    sent = updates_of_an_hour()
    assert len(sent) > 8
    assert sent[-1] < 10
    assert flow.is_forgotten


def test_silence_counts_from_the_first_update_without_an_answer(clock, flow, send):
    send()
    clock.now += 3600.0  # in which nothing has changed
    flow.mark_sent()
    flow.mark_sent()
    assert flow.seconds_until_next() == pytest.approx(2.0)


def test_an_acknowledgement_ends_a_silence_at_once(clock, flow, send, updates_of_an_hour, wire):
    send()
    updates_of_an_hour()
    clock.now += 3600.0
    wire.browser_sets(flow.view, seen=flow.view.sent)
    assert flow.seconds_until_next() == 0.0
    flow.mark_sent()
    flow.mark_sent()
    assert flow.seconds_until_next() == pytest.approx(2.0)


def test_updates_go_on_while_a_cell_runs_as_an_answer_may_wait_for_its_end(
    monkeypatch, clock, flow, send, updates_of_an_hour
):
    send()
    monkeypatch.setattr(cells, "are_running", True)
    assert len(updates_of_an_hour()) > 60
    monkeypatch.setattr(cells, "are_running", False)
    assert flow.is_forgotten


def test_the_kernels_routing_is_replaced_by_its_default():
    comm = SimpleNamespace(_reply_subshell_for=lambda _data, _default: "shell of the cell")
    act_while_cell_runs(SimpleNamespace(comm=comm))
    assert comm._reply_subshell_for({}, "shell of the browser") == "shell of the browser"


def test_a_comm_without_that_routing_is_left_alone():
    comm = SimpleNamespace()
    act_while_cell_runs(SimpleNamespace(comm=comm))
    act_while_cell_runs(SimpleNamespace(comm=None))
    assert vars(comm) == {}


def test_the_kernel_in_use_has_the_routing_that_is_known():
    assert hasattr(BaseComm, "_reply_subshell_for")


def test_everything_that_a_person_presses_or_drags_acts_while_a_cell_runs(show, search):
    panel = show(OptimizerWidget, search)
    for widget in (panel._controls, panel._space_panel, panel._status_panel, panel._beacon):
        assert widget.comm._reply_subshell_for({}, "shell of the browser") == "shell of the browser"


class Shell:
    """What IPython has of a cell that is run by somebody who can, or cannot, be asked."""

    def __init__(self, content):
        self.content = content

    def get_parent(self):
        return {"content": self.content}


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (None, True),
        (object(), True),
        (Shell({}), True),
        (Shell({"allow_stdin": True}), True),
        (Shell({"allow_stdin": False}), False),
    ],
    ids=["no IPython", "a terminal", "says nothing", "can ask", "cannot ask"],
)
def test_a_cell_without_a_page_is_one_that_cannot_ask(monkeypatch, shell, expected):
    monkeypatch.setattr(flow_module, "get_ipython", lambda: shell)
    assert flow_module.is_run_by_page() is expected


def test_voila_asks_nobody_and_has_a_page(monkeypatch):
    monkeypatch.setattr(flow_module, "get_ipython", lambda: Shell({"allow_stdin": False}))
    monkeypatch.setenv("VOILA_PREHEAT", "False")
    assert flow_module.is_run_by_page()
