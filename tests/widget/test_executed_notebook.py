"""Notebooks that run without a page (nbclient, as papermill and nbconvert do) hold the panel as it was at their end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hpo_widgets.widget.parts.snapshot import MIME
from hpo_widgets.widget.saved_page import STATE_MIME, VIEW_MIME
from tests.runs import run_notebook

PANEL = """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

optimizer = HyperParameterOptimizer(
    lambda x: x, [UniformParameterRange("x", 0, 1)],
    optimizer_class=RandomSearch, max_number_of_concurrent_tasks=1, total_max_jobs=3,
)
OptimizerWidget(optimizer)
"""
# As 11_voila.ipynb does it.
IDLE = """
panel = OptimizerWidget(
    HyperParameterOptimizer(
        lambda x: x, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=3, name="idle"
    )
)
panel
"""
CLOSED = """
from IPython.display import display

ended = HyperParameterOptimizer(
    lambda x: x, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=2, name="ended"
)
closed = OptimizerWidget(ended)
display(closed)
ended.start()
_ = ended.wait()
closed.close()
"""
RACE = """
from hpo_widgets import StrategyRace

race = StrategyRace(
    lambda x, y: x + y, [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)], ["grid", "random"],
    trials=4, repeats=1, name="sums",
)
race
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook with a panel, an idle one, a cell that runs the first search, a panel that is closed, and a race."""
    from nbformat.v4 import new_code_cell, new_notebook

    cells = PANEL, IDLE, "optimizer.start(); _ = optimizer.wait()", CLOSED, RACE, "race.start(); _ = race.wait()"
    notebook = new_notebook(cells=list(map(new_code_cell, cells)))
    folder = tmp_path_factory.mktemp("executed")
    package = str(Path(__file__).parents[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])))
        run_notebook(notebook, folder)
    return notebook


def test_the_output_of_a_panel_that_was_closed_is_the_panel_as_it_was_then(executed):
    (output,) = executed.cells[3].outputs
    assert output.data[MIME]["did"] == "was complete"
    assert "2 completed" in output.data["text/plain"]
    assert output.data["image/png"]


def test_the_output_of_a_race_is_the_race_at_the_end_of_the_last_cell(executed):
    (output,) = executed.cells[4].outputs
    assert executed.cells[5].outputs == []
    assert output.data[MIME]["did"] == "was complete"
    assert "1 whole repeat" in output.data["text/plain"]
    assert output.data["image/png"] in output.data["text/html"]


def test_the_output_is_the_panel_at_the_end_of_the_last_cell(executed):
    (output,) = executed.cells[0].outputs
    assert executed.cells[2].outputs == []
    assert output.output_type == "display_data"
    assert set(output.data) == {VIEW_MIME, "text/plain", "text/html", "image/png", MIME}
    assert output.data[MIME]["did"] == "was complete"
    for kind in ("text/plain", "text/html"):
        assert "3 completed" in output.data[kind]
    assert output.data["image/png"] in output.data["text/html"]
    assert len(json.dumps(output.data)) < 300_000


def test_a_search_that_was_not_started_is_shown_and_saved_as_idle(executed):
    (output,) = executed.cells[1].outputs
    assert VIEW_MIME in output.data
    saved = [widget["state"] for widget in executed.metadata["widgets"][STATE_MIME]["state"].values()]
    assert sorted(state["status"] for state in saved if "forecast" in state) == ["completed", "completed", "idle"]


def test_what_is_behind_the_other_tabs_is_saved_too(executed):
    saved = [widget["model_name"] for widget in executed.metadata["widgets"][STATE_MIME]["state"].values()]
    assert saved.count("FigureModel") >= 2 * 6  # of the eight tabs of a panel, those that draw one parameter


def test_nbconvert_makes_a_page_with_picture_and_table_where_no_widget_states_are_stored(executed):
    from nbconvert import HTMLExporter

    without_states = executed.copy()
    without_states["metadata"] = {key: value for key, value in executed.metadata.items() if key != "widgets"}
    page, _ = HTMLExporter().from_notebook_node(without_states)
    assert f'src="data:image/png;base64,{executed.cells[0].outputs[0].data["image/png"]}"' in page
    assert "3 completed" in page
    assert "<th>state</th>" in page
