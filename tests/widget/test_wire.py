"""What goes over the wire to the browser: little, batched, finite, and never HTML."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import HistoryPlot, OptimizerWidget
from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.plots.style import Picture

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


def not_finite(wire):
    """Numbers that were sent and are not finite, but for the gaps of broken lines, which are NaN."""
    lines = {one for one, message in wire.messages() if message.get("state", {}).get("_model_name") == "LinesModel"}
    return [
        number
        for one, message in wire.messages()
        for number in numbers_in(message)
        if math.isinf(number) or (math.isnan(number) and one not in lines)
    ]


LIMIT = 16_000
NUM_ENDED = 130
ORDINARY = {"value": 0.75}
ENDED = {
    "ordinary": [ORDINARY] * NUM_ENDED,
    "each the best": [{"value": 0.4 * 0.99**number} for number in range(NUM_ENDED)],
    # Beyond the axis now and then: it grows, and with it the picture of the oldest trials.
    "outliers": ([ORDINARY] * 20 + [{"value": 5.0}] + [ORDINARY] * 20 + [{"value": 50.0}] + [ORDINARY] * 20) * 2,
    "every kind": [
        ORDINARY,
        {"state": TrialState.FAILED, "error": "ValueError"},
        {"value": 0.9, "state": TrialState.PRUNED},
        {"value": 0.9, "state": TrialState.ABORTED},
    ]
    * (NUM_ENDED // 4),
}


def panel_of(num_trials, show, refresh, acknowledge, title, parameters=None):
    """A search with many trials and its panel, in front of a browser that keeps up."""
    search = ScriptedSearch(parameters)
    search.command("start")
    search.add_trials((0.5 + 0.5 * np.random.default_rng(0).random(num_trials)).tolist())
    panel = show(OptimizerWidget, search)
    panel._plots.show(title)
    acknowledge(panel)
    refresh(panel)
    return search, panel


def marks_of(cloud):
    """The comms of the marks, and of the image widgets that show the picture in turn."""
    images = [one for mark in cloud.marks for one in (getattr(mark, "image", None), getattr(mark, "spare", None))]
    return {one.comm for one in (*cloud.marks, *images) if one is not None}


def others_of(panel):
    """What an ended trial touches beside the plot: counts, the rug, advice, and that there was an update."""
    return {one.comm for one in (panel._status_panel, panel._space_panel, panel._export, panel._advice_line)}


def frozen_clouds(touched, clouds):
    """The clouds of which more than the hot mark was touched."""
    return [cloud for cloud in clouds if touched & (marks_of(cloud) - {cloud.hot.comm})]


PARAMETERS = {
    "12 figures": [UniformParameterRange(f"p{index}", 0.0, 1.0) for index in range(12)],
    "64 parameters": [UniformParameterRange(f"p{index}", 0.0, 1.0) for index in range(64)],
    "12 figures of long choices": [
        DiscreteParameterRange(f"p{index}", ["x" * 300, "y" * 300, "z"]) for index in range(12)
    ],
}


CASES = [
    ("History", None, "each the best"),
    ("History", None, "outliers"),  # of which nearly all are ordinary
    ("History", None, "every kind"),
    ("Slices", "12 figures", "each the best"),
    ("Slices", "12 figures", "outliers"),
    ("Slices", "12 figures", "every kind"),
    ("Slices", "64 parameters", "ordinary"),
    ("Slices", "12 figures of long choices", "ordinary"),
    ("Slices", "12 figures of long choices", "outliers"),
]


@pytest.mark.parametrize(
    ("num_trials", "title", "parameters", "ended"),
    [
        (2_000, "History", None, "every kind"),
        (2_000, "Slices", None, "ordinary"),
        *(pytest.param(20_000, *case, marks=pytest.mark.slow) for case in CASES),
    ],
)
def test_each_of_many_ended_trials_costs_little(show, wire, refresh, acknowledge, num_trials, title, parameters, ended):
    search, panel = panel_of(num_trials, show, refresh, acknowledge, title, PARAMETERS.get(parameters))
    plot = panel.plots[title]
    clouds = [cloud for figure in plot.figures for cloud in figure.clouds]
    hot = {cloud.hot.comm for cloud in clouds}
    others = {figure.figure.comm for figure in plot.figures}
    if title == "History":
        others.add(plot.figures[0]._best_line.comm)
    parts = wire.comms_of(plot)
    sent, num_frozen, num_grown = [], 0, 0
    for one in ENDED[ended]:
        wire.clear()
        search.add_trial(**one)
        refresh(panel)
        sent.append(wire.num_bytes())
        touched = wire.touched()
        frozen = frozen_clouds(touched, clouds)
        assert len(frozen) <= 1
        num_frozen += len(frozen)
        if touched & {figure.figure.comm for figure in plot.figures}:  # a cloud has got its frozen marks
            parts = wire.comms_of(plot)
            num_grown += 1
        if one is ORDINARY:
            assert touched & parts <= hot.union(others, *map(marks_of, frozen))
            assert touched - parts <= others_of(panel)
            assert len(touched & hot) >= len(plot.figures)
    assert max(sent) < LIMIT
    assert num_frozen >= len(plot.figures)
    if title == "History":
        # All but a few touch nothing but the hot mark; those few keep it small.
        assert num_frozen <= len(sent) / 10
        assert num_grown <= len(clouds)
    elif ended == "ordinary":
        # At least every other update touches nothing but hot marks.
        assert num_frozen <= len(sent) / 2


@pytest.mark.slow
@pytest.mark.parametrize("title", ["History", "Slices"])
def test_a_trial_costs_as_much_at_20000_as_at_2000(show, wire, refresh, acknowledge, title):
    cost = {}
    for num_trials in (2_000, 20_000):
        search, panel = panel_of(num_trials, show, refresh, acknowledge, title)
        cost[num_trials] = 0
        for _ in range(100):
            wire.clear()
            search.add_trial(0.75)
            refresh(panel)
            cost[num_trials] += wire.num_bytes()
    assert cost[20_000] < 1.2 * cost[2_000]


@pytest.mark.parametrize("tab", ["History", "Map"])
def test_pictures_that_change_close_no_widget_and_take_two_each(show, wire, refresh, acknowledge, tab):
    """A page that is loaded meanwhile asks for all widgets; one that was closed before it is answered never is."""
    search = ScriptedSearch()
    search.command("start")
    panel = show(OptimizerWidget, search)
    panel._plots.selected_index = panel._plots.titles.index(tab)
    plot = panel.plots[tab]
    if tab == "Map":
        plot.x, plot.y = search.space.names[:2]  # else those that are important are shown, once
    refresh(panel)
    wire.clear()
    shown, images = set(), set()
    values = iter((0.5 + 0.5 * np.random.default_rng(0).random(6_000)).tolist())  # the axis stays linear
    for _ in range(12):
        search.add_trials([next(values) for _ in range(500)])
        refresh(panel)
        acknowledge(panel)
        pictures = [one for one in widgets_of(plot) if isinstance(one, Picture)]
        shown |= {one.image.value for one in pictures}
        images |= {one.image.model_id for one in pictures}
    said = [message["type"] for _, message in wire.messages()]
    assert len(shown) > 4
    assert "comm_close" not in said
    assert len(images) <= 2 * len(pictures)


def test_no_widget_is_opened_or_closed_while_a_page_may_be_loading(show, wire, refresh, fall_silent):
    """A page that knows none of those that a new one names handles no message for two seconds."""
    search = ScriptedSearch()
    panel = show(OptimizerWidget, search)
    view = panel._refresher.flow.view
    search.command("start")
    fall_silent(panel)
    wire.clear()
    for _ in range(4):
        search.add_trials([0.5 + number / 1000 for number in range(100)])
        refresh(panel)
    said = {message["type"] for _, message in wire.messages()}
    assert "comm_msg" in said
    assert not {"comm_open", "comm_close"} & said
    # What so many points need is there when the page is.
    wire.browser_sets(view, seen=view.sent)
    refresh(panel)
    assert "comm_open" in {message["type"] for _, message in wire.messages()}


def test_both_coordinates_of_a_mark_arrive_in_one_message(show, wire, search, refresh):
    plot = show(HistoryPlot, search)
    wire.clear()
    search.add_trials([0.5, 0.25])
    refresh(plot)
    updates = wire.updates(plot._drawing.cloud("inside").hot)
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
    for _ in range(6):  # nobody answers: after that hidden tabs are up to date and settled too
        refresh(panel)
    wire.clear()
    refresh(panel)
    assert wire.touched() == {panel._status_panel.comm}


VALUES = {
    "none": [],
    "one": [0.5],
    "one value": [0.5] * 30,
    "zeros": [0.0] * 30,
    "two values": [-1.0, 1.0] * 20,
    "small and large": [1e-300, 1e300],
    "all magnitudes": [10.0**exponent for exponent in range(-300, 301, 10)],
    "both ends": [-1e308, 1e308],
    "subnormal": [5e-324, 1.7e308, 1.0],
    "not finite": [math.inf, -math.inf, math.nan, 0.5],
    "infinite": [math.inf],
    "ever smaller": [-(10.0**exponent) for exponent in range(30)],
}


@pytest.mark.parametrize("sign", ["min", pytest.param("max", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(values, marks=pytest.mark.slow if len(values) > 20 else (), id=name)
        for name, values in VALUES.items()
    ],
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
    assert not not_finite(wire)


def test_a_search_of_failures_only_is_shown(show, wire, search, refresh):
    panel = show(OptimizerWidget, search)
    for _ in range(5):
        search.add_trial(state=TrialState.FAILED, error="ValueError")
        search.add_trial(math.nan, state=TrialState.FAILED, error="NaN")
    refresh(panel)
    assert len(panel.plots["History"]._drawing.cloud("failed")) == 10
    assert panel.best_trial is None
    assert not not_finite(wire)


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
