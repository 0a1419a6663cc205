"""Nonsense in the traits of a real search's panel, from code and from a page: a clear word, and nothing is changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import traitlets

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerWidget,
    UniformIntegerParameterRange,
)

pytestmark = pytest.mark.usefixtures("wire")


def train(lr, layers, act):
    return lr * layers * len(act)


@pytest.fixture(scope="module")
def optimizer(tmp_path_factory):
    """A real search of three kinds of parameters, ended after five trials; no test may change it."""
    made = HyperParameterOptimizer(
        train,
        [
            LogUniformParameterRange("lr", -4, -1),
            UniformIntegerParameterRange("layers", 1, 6),
            DiscreteParameterRange("act", ["relu", "tanh"]),
        ],
        total_max_jobs=5,
        max_number_of_concurrent_tasks=1,
        limits={"lr": (1e-6, 1.0)},
        seed=1,
        journal=tmp_path_factory.mktemp("journals"),
    )
    made.start()
    assert made.wait()
    return made


@pytest.fixture
def panel(show, optimizer):
    return show(OptimizerWidget, optimizer)


def state(panel):
    """All that a wrong value could have harmed."""
    return (
        dict(panel.ranges),
        panel.selected,
        panel.top_k,
        panel.max_number_of_concurrent_tasks,
        panel.total_max_jobs,
        panel.waiting,
        panel.wait_timeout,
        dict(panel.search.space.ranges),
        len(panel.search.epochs),
        panel._table.get_state(),
        panel._controls.get_state(["waiting", "wait_timeout"]),
        panel._space_panel.ranges,
        [plot.selected for plot in (panel.plots["History"], panel.plots["Slices"])],
    )


NONSENSE = {
    "ranges": [
        None, 3, "lr", [], [("lr", (0.1, 0.2))], {"lr": None}, {"lr": 3}, {"lr": "ab"}, {"lr": b"ab"}, {"lr": ()},
        {"lr": (0.001,)}, {"lr": (1e-3, 1e-2, 1e-1)}, {"lr": (0.01, 0.001)}, {"lr": (0.01, 0.01)}, {"lr": (None, 0.1)},
        {"lr": ("a", "b")}, {"lr": (math.nan, 0.1)}, {"lr": (-math.inf, math.inf)}, {"lr": (0, 0.1)},
        {"lr": (1e-9, 0.1)}, {"lr": (True, False)}, {"lr": (1j, 2)}, {"layers": (1.5, 3)},
        {"layers": (10**400, 10**401)}, {"act": ()}, {"act": "relu"}, {"act": ("gelu",)}, {"act": (["relu"],)},
        {3: (0, 1)}, {None: (0, 1)}, {"LR": (0.001, 0.01)}, {"lr": (0.001, 0.01), "act": ("gelu",)},
    ],
    "selected": [
        None, 3, -1, "x", b"ab", {0: 1}, [5], [-1], [0, 99], [0.5], [None], [[0]], [True], math.nan, 10**30,
        np.array([[0]]), np.array([0.0]), range(9),
    ],
    "top_k": [None, 0, -1, "x", [1], 1.5, math.nan, True, {}],
    "max_number_of_concurrent_tasks": [None, 0, -1, "x", 1.5, True],
    "total_max_jobs": [0, -1, "x", 1.5, True],
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_from_code_raises_a_sentence_and_changes_nothing(panel, refresh, name):
    before = state(panel)
    for value in NONSENSE[name]:
        # Both name what is wrong; a TraitError is raised where the type is.
        with pytest.raises((traitlets.TraitError, ValueError)) as raised:
            setattr(panel, name, value)
        assert len(str(raised.value)) > 20, value
        assert "object is not" not in str(raised.value), value
        refresh(panel)
        assert state(panel) == before, value


def test_ranges_of_a_page_that_make_no_sense_are_told_and_change_nothing(panel, wire, refresh):
    before, num_told = state(panel), len(panel.search.errors)
    for ranges in (
        {"lr": None}, {"lr": 3}, {"lr": "ab"}, {"lr": []}, {"lr": [0.001]}, {"lr": [0.01, 0.001]}, {"lr": [0.01, 0.01]},
        {"lr": [None, 0.1]}, {"lr": ["a", "b"]}, {"lr": [True, False]}, {"lr": [0, 0.1]}, {"lr": [1e-9, 0.1]},
        {"lr": {"0": 1}}, {"lr": [[1], [2]]}, {"layers": [1.5, 3]}, {"layers": [1e308, 1e309]}, {"act": []},
        {"lr": {"lower": None}}, {"lr": {"upper": 1e-9}}, {"lr": {"lower": 0.001, "middle": 0.01}},
        {"layers": {"upper": 1.5}}, {"act": {"7": True}}, {"act": {"0": 0}}, {"act": {"lower": True}},
        {"act": {"0": False, "1": False}},
        {"act": [7]}, {"act": [-1]}, {"act": ["relu"]}, {"act": 0}, {"act": [True]}, {"act": [None]}, {"act": [0.5]},
        {"lr": [-1.0, 0.01]}, {"lr": [math.nan, 0.01]}, {"lr": [0.001, math.inf]}, {"lr": ["0.001", 0.01]},
    ):  # fmt: skip
        num_told += 1
        wire.browser_says(panel._space_panel, kind="set_ranges", ranges=ranges, id=num_told)
        refresh(panel)
        assert state(panel) == before, ranges
        assert len(panel.search.errors) == num_told, ranges
        line = panel._status_panel.notices[0]
        (name,) = ranges
        assert panel._space_panel.answered == num_told
        assert name in line["text"] or "too large" in line["text"], ranges


def test_what_is_no_range_at_all_is_not_acted_on(panel, wire, refresh):
    before, num_told = state(panel), len(panel.search.errors)
    for ranges in (None, 3, "lr", [], {}, {"gone": [0, 1]}, {"__class__": [0, 1]}, {"gone": {"lower": 1}}, {"lr": {}}):
        wire.browser_says(panel._space_panel, kind="set_ranges", ranges=ranges, id=1)
        refresh(panel)
        assert state(panel) == before, ranges
        assert len(panel.search.errors) == num_told, ranges


def test_messages_of_no_known_form_are_not_acted_on(panel, refresh):
    before = state(panel)
    kinds = [None, ["x"], "close", "__init__"]
    for part in (panel._status_panel, panel._controls, panel._space_panel, panel._table, panel._details):
        for content in (None, 3, "select", [], {}, *({"kind": kind} for kind in kinds)):
            _deliver(part, content)
        refresh(panel)
        assert state(panel) == before, part


def _deliver(part, content):
    part.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_clicks_that_hit_no_trial_select_none(panel, wire):
    panel._plots.selected_index = 1
    for said in (
        None, 3, {}, {"name": "x"}, {"name": -1}, {"name": 99}, {"name": 0.5}, {"name": [1]}, {"name": True},
        {"name": "#99 0.5"}, {"x": math.nan}, {"click_x": "a"}, {"click_x": math.nan, "click_y": 1},
        {"click_x": 1e9, "click_y": 1e9},
    ):  # fmt: skip
        for plot in (panel.plots["History"], panel.plots["Slices"]):
            for mark in plot.figures[0].cloud("inside").marks:
                wire.browser_says(mark, event="element_click", data=said)
        assert panel.selected == [], said
