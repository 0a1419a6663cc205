"""The command line: the demo runs the quickstart from start to result, and what goes wrong is said."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from hpo_widgets.cli import demo, main
from hpo_widgets.journal import DIRECTORY
from hpo_widgets.widget.parts.snapshot import MIME
from hpo_widgets.widget.saved_page import STATE_MIME, VIEW_MIME
from tests.browser.notebook import PATIENCE
from tests.runs import run_notebook

PACKAGE = Path(__file__).resolve().parents[2]
TRIALS = 4
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
"""A block of code in a text."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hpo_widgets", *words]


def environment() -> dict[str, str]:
    """The variables of somebody who has no account at ClearML."""
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEARML_")}
    return kept | {"PYTHONPATH": path, "CLEARML_CONFIG_FILE": os.devnull}


@dataclass
class Run:
    """A demo that has run."""

    folder: Path
    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Run:
    """The demo with a few trials, run once for all tests that look at it."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        command("demo", "--trials", str(TRIALS), "--out", "result"),
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return Run(folder / "result", done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_the_demo_succeeds(ran):
    assert ran.code == 0, ran.stderr


@pytest.mark.slow
def test_the_demo_shows_its_progress_while_it_works(ran):
    shown = set(re.findall(rf"(\d+)/{TRIALS} ", ran.stderr))

    assert {"0", str(TRIALS)} <= shown, ran.stderr
    assert re.search(r"best 0\.\d+ at #\d", ran.stderr), ran.stderr


@pytest.mark.slow
def test_progress_in_a_file_is_whole_lines(ran):
    lines = ran.stderr.splitlines()

    assert "\r" not in ran.stderr
    assert len(lines) == len(set(lines)), ran.stderr


@pytest.mark.slow
def test_the_demo_prints_the_three_best_trials_best_first(ran):
    lines = re.findall(r"^trial (\d+) +([\d.]+) +([\d.]+)  lr=.* solver=(?:adam|sgd)", ran.stdout, re.MULTILINE)

    assert len(lines) == 3, ran.stdout
    assert len({number for number, *_ in lines}) == 3
    losses = [float(loss) for _, _, loss in lines]
    assert losses == sorted(losses)
    assert all(0 <= float(accuracy) <= 1 for _, accuracy, _ in lines)


@pytest.mark.slow
def test_the_demo_prints_why_the_search_ended_and_how_to_open_it_live(ran):
    assert f"{TRIALS} trials: " in ran.stdout
    assert f"ended because: all {TRIALS} trials of the budget" in ran.stdout
    assert ran.stdout.rstrip().splitlines()[-1].startswith("To watch and steer it live: make lab")


@pytest.mark.slow
def test_the_demo_keeps_the_executed_notebook_with_its_widgets(ran):
    import nbformat

    notebook = nbformat.read(ran.folder / "quickstart.ipynb", as_version=4)

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    said = "\n".join(str(output) for cell in code for output in cell.outputs)
    assert VIEW_MIME in said
    assert f"all {TRIALS} trials of the budget" in said
    assert len(re.findall(r"trial \d: accuracy 0\.\d+", said)) == 3
    models = notebook.metadata.widgets[STATE_MIME]["state"].values()
    assert {"FigureModel", "AnyModel"} <= {model["model_name"] for model in models}
    assert [model["state"]["status"] for model in models if "forecast" in model["state"]] == ["completed"]


@pytest.mark.slow
def test_the_search_goes_on_in_a_fresh_kernel_by_the_code_that_panel_and_text_show(ran, tmp_path):
    import nbformat

    shown = nbformat.read(ran.folder / "quickstart.ipynb", as_version=4)
    outputs = [output for cell in shown.cells for output in cell.get("outputs", ())]
    [in_panel] = [output.data[MIME]["code"] for output in outputs if MIME in output.get("data", {})]
    [in_text] = [code for code in CODE.findall(shown.cells[-1].source) if "open(" in code]
    # Both are one but for the comment, and the text has the beginning of the id: what follows needs it no less.
    [journal] = (ran.folder / DIRECTORY).glob("digits*.sqlite")
    assert f'"{journal.stem}"' in in_panel
    lines = in_panel.replace(journal.stem, "digits").splitlines()
    assert [line for line in lines if not line.startswith("#")] == in_text.splitlines()

    before = [cell.source for cell in shown.cells if cell.id in {"quickstart-02", "quickstart-04"}]
    assert "range(20)" in before[1]
    before[1] = before[1].replace("range(20)", "range(2)")
    goes_on = f"search = _.search\nsearch.set_total_max_jobs({TRIALS + 1})\nsearch.start()\nsearch.wait()"
    cells = map(nbformat.v4.new_code_cell, [*before, in_text, goes_on, "print(search.stop_reason)"])
    again = nbformat.v4.new_notebook(cells=list(cells), metadata={"kernelspec": shown.metadata.kernelspec})
    shutil.copytree(ran.folder / DIRECTORY, tmp_path / DIRECTORY)
    run_notebook(again, tmp_path, env=environment())

    assert f"all {TRIALS + 1} trials of the budget" in again.cells[-1].outputs[-1].text


@pytest.mark.slow
def test_the_page_shows_the_search_as_it_ended(ran):
    text = (ran.folder / "quickstart.html").read_text(encoding="utf-8")

    assert set(re.findall(r'"status":"(\w+)"', text)) == {"completed"}


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_shows_every_trial_without_network(ran, tmp_path):
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("HPO_WIDGETS_CHROMIUM") or "/usr/bin/chromium"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((ran.folder / "quickstart.html").as_uri())
        page.locator(".bqplot .dot").nth(TRIALS - 1).wait_for(state="attached", timeout=1000 * PATIENCE)
        page.get_by_text("completed").first.wait_for(state="attached", timeout=1000 * PATIENCE)
        browser.close()
    assert complaints == []


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_and_its_kernel(tmp_path):
    running = subprocess.Popen(
        command("demo", "--trials", "1000", "--out", "result"),
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    too_late = threading.Timer(480, running.kill)
    too_late.start()
    try:
        assert running.stderr is not None
        heard = b""
        while b"searching" not in heard:
            piece = os.read(running.stderr.fileno(), 4096)
            assert piece, heard.decode()
            heard += piece
        children = psutil.Process(running.pid).children(recursive=True)
        assert children
        running.send_signal(signal.SIGINT)
        _, rest = running.communicate()
    finally:
        too_late.cancel()

    assert running.returncode == 130, rest.decode()
    assert "interrupted" in rest.decode()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


@pytest.mark.parametrize("number", ["0", "-3", "many", "2.5"])
def test_a_number_of_trials_must_be_a_whole_one_above_zero(number, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["demo", f"--trials={number}"])

    assert raised.value.code == 2
    assert f"it is a whole number of at least 1, not “{number}”" in capsys.readouterr().err


def test_a_missing_extra_is_named_with_the_way_to_install_it(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else find(name))

    assert main(["demo"]) == 1
    assert "sklearn is not installed; install the extra: pip install 'hpo-widgets[demo]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")

    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert "choose another folder with --out" in capsys.readouterr().err


def test_a_missing_notebook_is_said(monkeypatch, capsys):
    monkeypatch.setattr(demo, "NOTEBOOK", "99_nowhere.ipynb")

    assert main(["demo"]) == 1
    assert "99_nowhere.ipynb was found in none of" in capsys.readouterr().err


@pytest.fixture
def notebook_of(tmp_path, monkeypatch):
    """Have the demo run a notebook of these code cells."""

    import nbformat

    def write(*cells: str) -> None:
        (tmp_path / "notebooks").mkdir()
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        nbformat.write(notebook, tmp_path / "notebooks" / "99_other.ipynb")
        monkeypatch.setattr(demo, "NOTEBOOK", "99_other.ipynb")

    return write


def test_a_cell_that_fails_fails_the_demo_and_the_notebook_shows_it(notebook_of, tmp_path, capsys):
    notebook_of("1 / 0")

    assert main(["demo"]) == 1
    assert "a cell failed: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert "ZeroDivisionError" in (tmp_path / "demo" / "quickstart.ipynb").read_text(encoding="utf-8")


def test_a_kernel_that_dies_fails_the_demo(notebook_of, capsys):
    notebook_of("import os, sys\nprint('last words', file=sys.__stderr__, flush=True)\nos._exit(3)")

    assert main(["demo"]) == 1
    said = capsys.readouterr().err
    assert "the kernel ended" in said
    assert "last words" in said


def test_a_notebook_without_a_search_fails_the_demo(notebook_of, capsys):
    notebook_of("1 + 1")

    assert main(["demo"]) == 1
    assert "the notebook started no search" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_without_a_single_value_fails_the_demo(notebook_of, capsys):
    notebook_of(
        "from hpo_widgets import HyperParameterOptimizer, UniformParameterRange\n"
        "def fails(x):\n"
        "    raise OSError('no disk')\n"
        "optimizer = HyperParameterOptimizer(fails, [UniformParameterRange('x', 0, 1)], total_max_jobs=2)\n"
        "optimizer.start()",
        "optimizer.wait()",
    )

    assert main(["demo"]) == 1
    assert "no trial reported its objective" in capsys.readouterr().err
