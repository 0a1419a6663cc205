"""The search as Python: it follows the controls while it is shown, and gives the same search again."""

from __future__ import annotations

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.widget import OptimizerWidget, SearchCode

SPACE = [
    LogUniformParameterRange("lr", -4, -1),
    UniformIntegerParameterRange("layers", 1, 8),
    UniformParameterRange("dropout", 0.0, 0.5, step_size=0.1),
    DiscreteParameterRange("kind", [True, 1, "1", None]),
]


def train(lr, layers, dropout, kind, width=1):
    return {"validation/loss": lr * layers, "validation/size": float(width)}


@pytest.fixture
def steered(tmp_path):
    """A search of four kinds of parameters and two objectives, with limits."""
    return HyperParameterOptimizer(
        train,
        SPACE,
        ["validation", "validation"],
        ["loss", "size"],
        ["min_global", "max"],
        OptimizerOptuna,
        max_number_of_concurrent_tasks=2,
        optimization_time_limit=30,
        total_max_jobs=20,
        journal=tmp_path / "journals",
    )


def run(code):
    """What the code makes, run as in a cell of its own."""
    names = {}
    exec(code, names)
    return names["optimizer"]


def test_the_code_is_there_before_the_box_is_opened_as_on_a_page_without_a_kernel(show, steered, refresh):
    part = show(SearchCode, steered)
    refresh(part)
    assert part.code == steered.as_code()
    steered.set_total_max_jobs(77)
    refresh(part)
    assert "total_max_jobs=77" in part.code
    assert part.why_not is None


def test_code_that_nobody_looks_at_is_written_only_when_something_changed(show, steered, refresh, monkeypatch):
    part = show(SearchCode, steered)
    monkeypatch.setattr(type(steered), "as_code", lambda _self: pytest.fail("it was written"))
    refresh(part)


def test_the_code_of_the_controls_as_they_are_gives_the_same_search(show, steered, wire, refresh):
    panel = show(OptimizerWidget, steered)
    wire.browser_sets(panel._code, shown=True)
    panel.ranges = {"lr": (1e-3, 1e-2), "layers": (2, 4), "kind": (True, "1")}
    panel.total_max_jobs = 50
    panel.max_number_of_concurrent_tasks = 3
    steered.set_time_limit(in_minutes=45)
    steered.set_compute_time_limit(60)
    refresh(panel)
    again = run(panel._code.code)
    assert dict(again.space.ranges) == dict(steered.space.ranges)
    assert again.space.ranges["layers"] == (2, 4)
    assert [type(choice) for choice in again.space.ranges["kind"]] == [bool, str]
    assert again.objectives == steered.objectives
    assert again.strategy_name == steered.strategy_name
    assert (again.total_max_jobs, again.max_number_of_concurrent_tasks) == (50, 3)
    assert again.budget.compute_minutes.limit == 60
    assert again.budget.wall_minutes.limit == pytest.approx(45, abs=0.05)
    assert "base_task_id=train," in panel._code.code


def test_a_page_can_set_nothing_but_whether_it_is_shown(show, steered, wire, refresh):
    part = show(SearchCode, steered, shown=True)
    refresh(part)
    wire.browser_sets(part, code="import os")
    assert part.code == steered.as_code()
    wire.browser_sets(part, shown="perhaps")
    assert part.shown is True


def test_a_search_that_has_no_code_says_why(show, search, refresh):
    part = show(SearchCode, search)
    refresh(part)
    assert part.why_not == "a ScriptedSearch cannot be written as Python"
