"""The notebook runs on the server that is configured, and says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clearml import Task

from tests.runs import run_notebook

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def notebook(project):
    """The notebook, with the test's project for its own."""
    import nbformat

    text = (ROOT / "notebooks" / "02_clearml.ipynb").read_text(encoding="utf-8")
    for written, instead in (("hpo_widgets examples", project), ("range(15)", "range(3)")):  # its epochs
        assert written in text
        text = text.replace(written, instead)
    return nbformat.reads(text, as_version=4)


@pytest.mark.slow
def test_the_notebook_searches_on_the_server_that_is_configured(notebook, project, clearml_api, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]))
    monkeypatch.setenv("HPO_WIDGETS_TRIALS", "2")

    run_notebook(notebook, tmp_path)

    said = str([cell.get("outputs") for cell in notebook.cells])
    assert f"This notebook runs on your ClearML server, {clearml_api.url}" in said
    template = Task.get_task(project_name=project, task_name="train digits")
    [search] = Task.get_tasks(project_name=project, task_filter={"type": ["optimizer"]})
    trials = Task.get_tasks(task_filter={"parent": search.id})
    assert len(trials) == 2
    for task in (template, *trials):
        assert task.get_status() == "completed"
        assert "accuracy" in task.get_last_scalar_metrics()["validation"]
    assert len({str(task.get_parameters()) for task in (template, *trials)}) == 3
