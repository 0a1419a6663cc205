"""Notebooks run from top to bottom, and are kept without outputs."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpo_widgets.cli import demo
from hpo_widgets.widget.saved_page import STATE_MIME, VIEW_MIME
from tests.runs import run_notebook

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# What a notebook says beside its results.
SAYS = {"02_clearml": "This notebook runs on the in-memory server of this kernel, http://127.0.0.1:"}

# Trials, where three are too few for what a notebook explains, or more than it needs where each is a process.
TRIALS = {
    "02_clearml": "1",
    "04_reading_the_plots": "50",
    "05_two_objectives": "20",
    "06_steering": "90",
    "08_a_script_with_argparse": "2",
}

# What is written in a notebook and what is run instead: a trial trains when a cell waits for it, so that the next cell,
# however late it comes, finds as many ended as were waited for.
HELD = {
    "06_steering": {
        "def train(leaves, features):\n": (
            "def train(leaves, features, trial):\n"
            "    import pathlib, time\n"
            "    while not any(trial.number < int(one.suffix[1:]) for one in pathlib.Path().glob('until.*')):\n"
            "        time.sleep(0.01)\n"
        ),
        "    changed = threading.Event()\n": (
            "    open(f'until.{number}', 'w').close()\n    changed = threading.Event()\n"
        ),
        "optimizer.wait()\n": "open(f'until.{trials}', 'w').close()\noptimizer.wait()\n",
    },
}

# Repeats and trials of a race, epochs, and workers, each of which imports scikit-learn, as they are written and as they
# are run: what is checked needs no more.
FEWER = {
    "02_clearml": [("range(15)", "range(3)")],
    "03_grid_random_tpe": [("repeats=10", "repeats=2")],
    "04_reading_the_plots": [("range(8)", "range(4)")],
    "07_writing_a_strategy": [("repeats=10", "repeats=2"), ("trials=40", "trials=10")],
    "08_a_script_with_argparse": [("default=8", "default=2")],
    "09_pytorch": [
        ("epochs = 12", "epochs = 3"),
        ("max_number_of_concurrent_tasks=2", "max_number_of_concurrent_tasks=1"),
    ],
    "10_classroom_challenge": [("repeats=20", "repeats=8")],
    "12_from_optuna": [("n_trials=20", "n_trials=6"), ("cv=5", "cv=2")],
}

# The demo runs the first one (tests/cli/test_demo.py), Voilà the one that is made for it (tests/hosts/test_voila.py).
RUN_ELSEWHERE = {demo.NOTEBOOK, "11_voila.ipynb"}
THAT_NO_OTHER_TEST_RUNS = [path for path in NOTEBOOKS if path.name not in RUN_ELSEWHERE]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def test_there_are_notebooks_and_they_are_numbered():
    numbers = [re.match(r"(\d\d)_", path.name) for path in NOTEBOOKS]

    assert all(numbers)
    assert [int(found[1]) for found in numbers if found] == list(range(1, len(NOTEBOOKS) + 1))


@every_notebook
def test_a_notebook_is_valid_and_kept_without_outputs(path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)

    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in notebook.metadata


def test_the_challenge_can_be_played_by_hand_without_the_cell_that_plays_by_code():
    import nbformat

    notebook = nbformat.read(FOLDER / "10_classroom_challenge.ipynb", as_version=4)
    trees = {cell.id: ast.parse(cell.source) for cell in notebook.cells if cell.cell_type == "code"}
    nodes = {cell: list(ast.walk(tree)) for cell, tree in trees.items()}
    by_code = nodes.pop("classroom-06")
    elsewhere = [node for cell in nodes.values() for node in cell if isinstance(node, ast.Name)]

    defined_by_code = {node.id for node in by_code if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined_elsewhere = {node.id for node in elsewhere if isinstance(node.ctx, ast.Store)}
    used_elsewhere = {node.id for node in elsewhere if isinstance(node.ctx, ast.Load)}

    assert {"step", "best"} < defined_by_code
    assert used_elsewhere & defined_by_code - defined_elsewhere == set()


def test_the_table_of_the_front_has_each_of_two_equal_trials_as_the_panel_does(capsys):
    import nbformat
    import pandas as pd

    notebook = nbformat.read(FOLDER / "05_two_objectives.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    frame = pd.DataFrame(
        {
            "state": ["completed", "completed", "completed", "completed", "aborted"],
            "model/accuracy": [0.8, 0.9, 0.9, 0.8, float("nan")],
            "model/kilobytes": [10.0, 20.0, 20.0, 11.0, float("nan")],
            **dict.fromkeys(["trees", "leaves", "features"], 1),
        }
    )

    exec(sources["two-08"], {"optimizer": SimpleNamespace(to_dataframe=lambda: frame)})

    assert "3 of 4 trials are on the front" in capsys.readouterr().out


def test_the_challenge_says_that_it_is_not_played_yet_where_nobody_has_proposed_a_point(capsys):
    import nbformat
    import pandas as pd

    notebook = nbformat.read(FOLDER / "10_classroom_challenge.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    frame = pd.DataFrame({"strategy": ["TPE"], "repeat": [1], "objective/objective": [0.5]})
    names = {"race": SimpleNamespace(to_dataframe=lambda: frame)}
    with contextlib.ExitStack() as at_the_end:
        for cell in ("classroom-02", "classroom-04", "classroom-08", "classroom-12"):
            exec(sources[cell], names)
            if cell == "classroom-04":
                at_the_end.callback(names["challenge"].close)
    assert capsys.readouterr().out.splitlines() == [
        "The game is not over yet: <Challenge of TPE: 0 of 20 points>. Run this cell again when it is.",
        "The class has not played yet.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", THAT_NO_OTHER_TEST_RUNS, ids=[path.stem for path in THAT_NO_OTHER_TEST_RUNS])
def test_a_notebook_runs_from_top_to_bottom_without_an_account(path, tmp_path, monkeypatch):
    import nbformat

    for name in [name for name in os.environ if name.startswith("CLEARML_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(tmp_path / "no.conf"))
    package = str(FOLDER.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("HPO_WIDGETS_TRIALS", TRIALS.get(path.stem, "3"))
    text = path.read_text(encoding="utf-8")
    for written, fewer in FEWER.get(path.stem, ()):
        assert written in text
        text = text.replace(written, fewer)
    notebook = nbformat.reads(text, as_version=4)
    for written, held in HELD.get(path.stem, {}).items():
        [cell] = [cell for cell in notebook.cells if cell.cell_type == "code" and written in cell.source]
        cell.source = cell.source.replace(written, held)

    run_notebook(notebook, tmp_path)

    said = "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert VIEW_MIME in said
    assert SAYS.get(path.stem, "") in said
    saved = [widget["state"] for widget in notebook.metadata["widgets"][STATE_MIME]["state"].values()]
    CHECKS.get(path.stem, search_has_ended)(said, saved)


def search_has_ended(said, saved, trials=3):
    assert ("the only trial of the budget" if trials == 1 else f"all {trials} trials of the budget") in said
    assert len(re.findall(r"trial \d: accuracy 0\.\d+", said)) == trials
    shown = [state["status"] for state in saved if "forecast" in state]
    assert shown == ["completed"], "the saved panel does not show how the search ended"


def races_have_ended(said, saved):
    assert [state["status"] for state in saved if "start_word" in state] == ["completed", "completed"]
    assert len(re.findall(r"ahead of \w+ in \d+ of \d+", said)) == 4
    assert "image/png" in said


def plots_show_what_is_said_of_them(said, saved):
    shown = {state["_model_name"] for state in saved}
    assert "FigureModel" in shown
    assert re.search(r"'text': 'lr: \d", said), "lr is not the most important parameter"
    assert re.search(r"(\d+) of \1 failures have lr > ", said)
    medians = [float(row) for row in re.findall(r"\\n[01] +[\d.]+ +[\d.]+ +([\d.]+)", said)]
    assert len(medians) == 2
    assert medians[1] < medians[0] / 3, "narrowing has not made typical trials better"
    assert "image/png" in said


def front_is_what_the_panel_shows(said, saved):
    num_front = int(re.search(r"(\d+) of 20 trials are on the front", said)[1])
    assert 1 <= num_front <= 20
    front = said[said.index("accuracy  kilobytes") : said.index("trials are on the front")]
    rows = [(float(one), float(other)) for one, other in re.findall(r"\\n\d+ +(0\.\d+) +([\d.]+)", front)]
    assert len(rows) == num_front
    assert rows == sorted(rows), "a larger model on the front is no better"
    share = int(re.search(r"chosen: [\d.]+ with \d+ kB, (\d+)% of the size", said)[1])
    assert 0 < share <= 100
    assert "image/png" in said


def steps_are_what_is_said_of_them(said, saved):
    assert re.search(r"paused after \d+ trials", said)
    assert re.search(r"The best trial is near the upper end of leaves .* Widen to \d+", said)
    low, high = re.search(r"undone: leaves from (\d+) to (\d+)", said).groups()
    assert (low, high) == ("8", "200")
    redone = re.search(r"redone: leaves from (\d+) to (\d+)", said).groups()
    assert int(redone[0]) > 8
    medians = [float(row) for row in re.findall(r"\\n\d +\d+\.0 +([\d.]+)", said)]
    assert medians[0] < medians[1] < medians[2] < medians[-1], "steering has not made typical trials better"
    assert re.search(r"the point from the room: \[0\.\d+\]", said)
    assert [state["status"] for state in saved if "forecast" in state] == ["completed"]
    assert "image/png" in said


def own_strategy_races_and_is_steered(said, saved):
    assert len(re.findall(r"ahead of [a-zA-Z ]+ in \d+ of \d+", said)) == 6
    assert "30 trials after the change, all inside: True" in said
    assert "image/png" in said


def script_is_searched_in_processes(said, saved):
    assert "epoch 1: loss" in said, "the script does not run alone"
    assert "all 2 trials of the budget" in said
    assert re.search(r"python train.py --lr [\d.e-]+ --units \d+ --activation (relu|tanh)", said)
    assert "2 trials: 2 completed" in said
    assert "image/png" in said


def network_is_trained_and_said_by_what(said, saved):
    assert ("PyTorch is installed" in said) == (importlib.util.find_spec("torch") is not None)
    assert "image/png" in said
    search_has_ended(said, saved)


def game_is_played_to_its_end(said, saved):
    assert re.search(r"you: [\d.e-]+ in trial \d+ of 20", said)
    assert re.search(r"TPE: [\d.e-]+ in trial \d+ of 20", said)
    # The few repeats of a test do not tell which one is better.
    assert re.search(r"(TPE ahead of random|random ahead of TPE) in \d+ of \d+", said)
    assert len(re.findall(r"\d+ of 8 games ended better than the class", said)) == 2
    assert any("was better." in str(state) or "You were better." in str(state) for state in saved)
    assert "image/png" in said


def study_is_shown_and_goes_on(said, saved):
    assert "best of 6 trials: 0." in said
    assert "all 9 trials of the budget" in said
    assert "9 trials, the best 0." in said
    assert "LogUniformParameterRange('gamma', -5.0, 0.0)" in said
    assert {state["status"] for state in saved if "forecast" in state} == {"idle", "completed"}


CHECKS = {
    "02_clearml": partial(search_has_ended, trials=1),
    "03_grid_random_tpe": races_have_ended,
    "04_reading_the_plots": plots_show_what_is_said_of_them,
    "05_two_objectives": front_is_what_the_panel_shows,
    "06_steering": steps_are_what_is_said_of_them,
    "07_writing_a_strategy": own_strategy_races_and_is_steered,
    "08_a_script_with_argparse": script_is_searched_in_processes,
    "09_pytorch": network_is_trained_and_said_by_what,
    "10_classroom_challenge": game_is_played_to_its_end,
    "12_from_optuna": study_is_shown_and_goes_on,
}
