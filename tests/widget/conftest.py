"""The browser's side of a widget without a browser: comms that keep what is sent."""

from __future__ import annotations

import time

import comm
import pytest
from comm.base_comm import BaseComm

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget.plots import curve_reading
from hpo_widgets.widget.sync.flow import MOST_UNSEEN
from hpo_widgets.widget.sync.refresher import Refresher


class RecordingComm(BaseComm):
    """A comm that keeps what Python would have sent to the browser."""

    def __init__(self, *args, **kwargs):
        self.sent = []
        self.is_open = True
        super().__init__(*args, **kwargs)

    def _reply_subshell_for(self, _data, _default):
        """Route as ipykernel 7 does: to the shell of the cell that made the widget."""
        return "shell of the cell"

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **_keys):
        self.is_open = msg_type != "comm_close"
        self.sent.append({"type": msg_type, "buffers": list(buffers or ()), **(data or {})})


class Wire:
    """Everything that went over all comms, and what a browser would say.

    Attributes
    ----------
    comms
        All comms in the order in which they were opened.
    """

    def __init__(self):
        self.comms = []

    def clear(self):
        """Forget what was sent so far."""
        for one in self.comms:
            one.sent = []

    def messages(self):
        """All messages since the last `clear`, with the comm of each."""
        return [(one, message) for one in self.comms for message in one.sent]

    def updates(self, widget=None):
        """The states that were sent as updates, of one widget or of all, without the number of the update."""
        states = [
            {name: value for name, value in message["state"].items() if name != "sent"}
            for one, message in self.messages()
            if message.get("method") == "update" and (widget is None or one is widget.comm)
        ]
        return [state for state in states if state]

    def touched(self):
        """Widgets' comms that got an update."""
        return {one for one, message in self.messages() if message.get("method") == "update"}

    def num_bytes(self):
        """About how much was sent: states as text, buffers as they are."""
        return sum(
            len(repr(message.get("state", ""))) + sum(memoryview(buffer).nbytes for buffer in message["buffers"])
            for _, message in self.messages()
        )

    @staticmethod
    def comms_of(root):
        """Comms of every widget that a widget is made of: children, marks, scales, layouts."""
        seen, waiting = set(), [root]
        while waiting:
            widget = waiting.pop()
            if widget in seen:
                continue
            seen.add(widget)
            for value in widget._trait_values.values():
                parts = value if isinstance(value, (list, tuple)) else [value]
                parts = value.values() if isinstance(value, dict) else parts
                waiting.extend(part for part in parts if hasattr(part, "comm"))
        return {widget.comm for widget in seen}

    def num_open(self):
        """How many comms are open."""
        return sum(one.is_open for one in self.comms)

    @staticmethod
    def browser_sets(widget, **state):
        """Do what a change of a trait in the browser does."""
        _deliver(widget, {"method": "update", "state": state, "buffer_paths": []})

    @staticmethod
    def browser_says(widget, **content):
        """Do what a custom message of the browser does."""
        _deliver(widget, {"method": "custom", "content": content})


def _deliver(widget, data):
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


@pytest.fixture
def wire(monkeypatch):
    """All comms of the test."""
    recorded = Wire()

    def create(*args, **kwargs):
        recorded.comms.append(RecordingComm(*args, **kwargs))
        return recorded.comms[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    return recorded


@pytest.fixture
def search():
    """A search of four parameters of four kinds, with room for 200 trials and five minutes."""
    return ScriptedSearch(jobs=200, wall_minutes=5)


@pytest.fixture
def show(wire):
    """Make a widget that is closed at the end of the test."""
    made = []

    def make(kind, *args, **kwargs):
        made.append(kind(*args, **kwargs))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


@pytest.fixture
def refresh(monkeypatch):
    """Bring a widget up to date now, and let nothing but this fixture do so."""
    monkeypatch.setattr(Refresher, "seconds_to_wait", lambda *_: None)  # the thread waits until something is due

    def now(widget):
        widget._refresher.refresh()

    return now


@pytest.fixture
def acknowledge(wire):
    """Answer from now on as a browser that keeps up: what nobody sees is not sent to it."""

    def begin(widget):
        view = widget._refresher.flow.view
        with widget._refresher.lock:
            view.observe(lambda change: wire.browser_sets(view, seen=change["new"]), "sent")
            wire.browser_sets(view, seen=view.sent)

    return begin


@pytest.fixture
def fall_silent(wire, refresh):
    """Be a browser that has answered once, and then nothing for longer than one needs that draws."""

    def fall(widget):
        flow = widget._refresher.flow
        refresh(widget)
        wire.browser_sets(flow.view, seen=flow.view.sent)
        for _ in range(MOST_UNSEEN):
            refresh(widget)
        now = time.monotonic() + 3.0
        flow._clock = lambda: now
        assert flow.may_be_loading

    return fall


@pytest.fixture(autouse=True)
def _no_earlier_runs(monkeypatch):
    """Searches and races that other tests have left running are none of this test's."""
    monkeypatch.setattr("hpo_widgets.widget.panel._shown", [])
    monkeypatch.setattr("hpo_widgets.widget.comparison.strategy_race._shown", [])


@pytest.fixture(autouse=True)
def _looks_that_reach_all_curves(monkeypatch):
    """A machine that stands still for a moment does not end a look into the reports of trials."""
    monkeypatch.setattr(curve_reading, "LOOK_SECONDS", 3600)
