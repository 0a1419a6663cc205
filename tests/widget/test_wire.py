"""What goes over the wire to the browser: little, batched, finite, and never HTML."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import HistoryPlot, OptimizerWidget

MARKUP = "<img src=x onerror=alert(1)>"


def numbers_in(message):
    """All numbers of a message, those in binary buffers included."""
    found = []
    for path, buffer in zip(message.get("buffer_paths", ()), message["buffers"], strict=False):
        holder = message["state"]
        for step in path[:-1]:
            holder = holder[step]
        if isinstance(holder, dict) and str(holder.get("dtype", "")).startswith("float"):
            data = np.frombuffer(memoryview(buffer).tobytes(), dtype=np.uint8)
            found.extend(data.view(holder["dtype"]).tolist())
    waiting = [message.get("state", {})]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)
        elif isinstance(value, float):
            found.append(value)
    return found


def test_one_ended_trial_at_20000_touches_only_the_hot_mark(show, wire, refresh, acknowledge):
    search = ScriptedSearch()
    panel = show(OptimizerWidget, search)
    acknowledge(panel)
    search.command("start")
    search.add_trials((0.5 + 0.5 * np.random.default_rng(0).random(20_000)).tolist())
    refresh(panel)
    for _ in range(3):  # until the hot mark has been rolled
        search.add_trial(0.75)
        refresh(panel)
    wire.clear()
    search.add_trial(0.75)
    refresh(panel)
    hot = panel._history._drawing.completed.hot
    flow = panel._refresher._flow
    plot_comms = {widget.comm for widget in plot_widgets(panel._history)}
    assert wire.touched() & plot_comms == {hot.comm}
    assert wire.touched() - plot_comms <= {panel._status_panel.comm, flow._sent.comm}
    assert wire.num_bytes() < 16_000


def plot_widgets(plot):
    """Every widget that a plot is made of."""
    found, waiting = [], [plot]
    while waiting:
        widget = waiting.pop()
        if widget in found:
            continue
        found.append(widget)
        for value in widget._trait_values.values():
            parts = (
                value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, dict) else [value]
            )
            waiting.extend(part for part in parts if hasattr(part, "comm"))
    return found


def test_both_coordinates_of_a_mark_arrive_in_one_message(show, wire, search, refresh):
    plot = show(HistoryPlot, search)
    wire.clear()
    search.add_trials([0.5, 0.25])
    refresh(plot)
    updates = wire.updates(plot._drawing.completed.hot)
    assert updates
    assert all({"x", "y"} <= set(update) for update in updates)


def test_the_status_changes_in_one_message(show, wire, search, refresh):
    panel = show(OptimizerWidget, search)
    wire.clear()
    search.command("start")
    search.add_trial(0.5)
    refresh(panel)
    assert len(wire.updates(panel._controls)) == 1
    assert {"status", "counts", "best", "budgets"} <= set().union(*wire.updates(panel._status_panel))


def test_nothing_is_sent_when_nothing_changed(show, wire, search, refresh):
    panel = show(OptimizerWidget, search)
    refresh(panel)
    refresh(panel)  # nobody answers: from here on hidden tabs are up to date too
    wire.clear()
    refresh(panel)
    assert wire.touched() == {panel._refresher._flow._sent.comm}


@pytest.mark.parametrize("sign", ["min", "max"])
@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.5],
        [0.5] * 30,
        [0.0] * 30,
        [-1.0, 1.0] * 20,
        [1e-300, 1e300],
        [10.0**exponent for exponent in range(-300, 301, 10)],
        [-1e308, 1e308],
        [5e-324, 1.7e308, 1.0],
        [math.inf, -math.inf, math.nan, 0.5],
        [math.inf],
        [-(10.0**exponent) for exponent in range(30)],
    ],
    ids=str,
)
def test_only_finite_numbers_are_sent(show, wire, refresh, values, sign):
    search = ScriptedSearch(signs=sign)
    panel = show(OptimizerWidget, search)
    search.command("start")
    for value in values:
        search.add_trial(value)
        refresh(panel)
    search.add_trials(values)
    refresh(panel)
    sent = [number for _, message in wire.messages() for number in numbers_in(message)]
    assert all(math.isfinite(number) for number in sent)


def test_a_search_of_failures_only_is_shown(show, wire, search, refresh):
    panel = show(OptimizerWidget, search)
    for _ in range(5):
        search.add_trial(state=TrialState.FAILED, error="ValueError")
        search.add_trial(math.nan, state=TrialState.FAILED, error="NaN")
    refresh(panel)
    assert len(panel._history._drawing._failed) == 10
    assert panel.best_trial is None
    assert all(math.isfinite(number) for _, message in wire.messages() for number in numbers_in(message))


def test_markup_in_names_and_errors_is_sent_as_it_is_and_to_no_html_widget(show, wire, refresh):
    search = ScriptedSearch(
        [UniformParameterRange(MARKUP, 0.0, 1.0), DiscreteParameterRange("choice", [MARKUP, "b"])],
        titles=MARKUP,
        name=MARKUP,
    )
    panel = show(OptimizerWidget, search)
    search.add_trial(0.5)
    search.add_trial(state=TrialState.FAILED, error=MARKUP)
    search.notify("callback", MARKUP)
    search.set_ranges({MARKUP: (0.25, 0.5)})
    refresh(panel)
    assert panel._status_panel.title == MARKUP
    assert MARKUP in panel._status_panel.notices[0]["text"]
    html = [
        message["state"].get("value", "")
        for _, message in wire.messages()
        if "HTML" in str(message.get("state", {}).get("_model_name", ""))
    ]
    assert not any(MARKUP in value for value in html)
