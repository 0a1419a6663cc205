"""What the README and the guide say is so: their code runs, their tests, files and pictures exist."""

from __future__ import annotations

import ast
import inspect
import math
import os
import re
import subprocess
import sys
import tomllib
import warnings
from functools import partial
from pathlib import Path

import optuna
import pytest
from ipywidgets import Widget

import hpo_widgets
from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    Parameter,
    SearchStrategy,
    UniformParameterRange,
)
from hpo_widgets.cli import main
from hpo_widgets.controller.stop_conditions import LAUNCH_FAILURES, TRIALS_WITHOUT_OBJECTIVE
from hpo_widgets.optimizer.definition import CONTROLLER_KEYWORDS
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
PLOTS = (ROOT / "docs" / "plots.md").read_text(encoding="utf-8")
MEMBERS = (ROOT / "docs" / "members.md").read_text(encoding="utf-8")
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MEMBER_TESTS = [ROOT / "tests" / "optimizer" / "test_members.py", *(ROOT / "tests" / "member_rows").glob("*.py")]


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    """The rows of the table of members that begins with a heading, as cells."""
    table = MEMBERS[MEMBERS.index(f"| {heading} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def run_as_cells(cells: list[str], folder: Path) -> str:
    """Run blocks one after the other as a notebook would, and hand back what they print and end with."""
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"for cell in {cells!r}:\n"
        "    shell.run_cell(cell, store_history=True).raise_error()\n"
        "if 'optimizer' in shell.user_ns:\n"
        "    shell.user_ns['optimizer'].wait()\n"
        "    print('ENDED:', shell.user_ns['optimizer'].stop_reason)\n"
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env=os.environ | {"PYTHONPATH": path, "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_plot_of_ones_own_is_thirty_lines_and_works():
    (code,) = blocks(PLOTS)
    (plot,) = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    assert plot.end_lineno - plot.lineno < 30
    search = ScriptedSearch(jobs=10)
    search.add_trials([0.5, 0.25])
    # Stopped in its queue: it has an end and no beginning.
    search.add_trial(state=TrialState.ABORTED, error="stopped", seconds=math.nan)
    search.budget.compute_minutes.used = 0.0
    names = {"optimizer": search}
    exec(code.replace("\nOptimizerWidget(", "\nwidget = OptimizerWidget("), names)
    widget = names["widget"]
    try:
        assert list(widget.plots) == ["History", "Durations"]
        widget._plots.show("Durations")
        assert widget.plots["Durations"].bars.y.sum() == 2
    finally:
        widget.close()


def test_the_tabs_of_a_panel_are_told():
    first_table = re.search(r"(?:^\|.*\n)+", PLOTS, re.MULTILINE)
    told = re.findall(r"^\| (\w+) \| ", first_table[0], re.MULTILINE)[1:]
    search = ScriptedSearch(titles=["a", "b"], series=["a", "b"], signs=["min", "min"])
    widget = OptimizerWidget(search)
    try:
        assert told == list(widget.plots)
    finally:
        widget.close()


def test_every_trait_of_a_panel_is_told():
    section = PLOTS[PLOTS.index("## Traits that follow and steer") : PLOTS.index("## The table, the details")]

    assert [name for name in OptimizerWidget.class_own_traits() if f"`{name}`" not in section] == []


def test_the_first_code_is_seven_lines_at_most():
    assert len(blocks(README)[0].strip().splitlines()) <= 7


@pytest.mark.slow
def test_the_first_code_works_when_pasted(tmp_path):
    code = blocks(README)[0]
    assert "total_max_jobs=150" in code

    # The same lines; fewer trials of the same search show that they work.
    said = run_as_cells([code.replace("total_max_jobs=150", "total_max_jobs=2")], tmp_path)

    assert "Search 'accuracy' was running" in said
    assert "ENDED: all 2 trials" in said


@pytest.mark.slow
def test_the_guide_works_from_top_to_bottom(tmp_path):
    cells = blocks(GUIDE)
    assert "time.sleep(0.4)" in cells[0]

    # A reader has a minute to steer; the test takes some seconds.
    said = run_as_cells([cells[0].replace("time.sleep(0.4)", "time.sleep(0.05)"), *cells[1:]], tmp_path)

    assert "all 65 trials" in said
    assert re.search(r"^#\d+ \w+ 0\.\d+ \{'lr'", said, re.MULTILINE), said
    assert (tmp_path / "search.html").stat().st_size > 1e6


def test_the_guide_tells_after_how_many_failures_a_search_ends():
    [row] = [line for line in GUIDE.splitlines() if line.startswith("| `max_failures` |")]

    assert f"{TRIALS_WITHOUT_OBJECTIVE} trials without their objective" in row
    assert f"{LAUNCH_FAILURES} launches in a row" in row


def test_the_controls_that_the_guide_names_are_in_the_panel():
    section = GUIDE[GUIDE.index("## The panel, part by part") : GUIDE.index("## Look at the result")]
    told = [part.strip() for name in re.findall(r"\*\*(.+?)\*\*", section) for part in name.split("…")]
    files = [*(ROOT / "js" / "src").rglob("*.ts"), *(ROOT / "hpo_widgets").rglob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in files)

    assert [name for name in told if name not in sources] == []
    assert len(told) > 30


def test_the_answers_of_the_guide_work(tmp_path, monkeypatch):
    def train(lr, kind, trial):
        for title, series in (("validation", "loss"), ("model", "size")):
            trial.report_scalar(title, series, lr if kind == "fast" else 1.0, iteration=0)

    parameters = [LogUniformParameterRange("lr", -4, -1), DiscreteParameterRange("kind", ["fast", "slow"])]
    objectives = {
        "objective_metric_title": ["validation", "model"],
        "objective_metric_series": ["loss", "size"],
        "objective_metric_sign": ["min", "min"],
    }
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optimizer = HyperParameterOptimizer(train, parameters, **objectives, total_max_jobs=8)
        optimizer.start()
        assert optimizer.wait()
        make = partial(HyperParameterOptimizer, train, parameters, **objectives)
        names = {name: getattr(hpo_widgets, name) for name in hpo_widgets.__all__}
        names |= {"optimizer": optimizer, "make": make}
        section = GUIDE[GUIDE.index("## How do I …") : GUIDE.index("## When something looks odd")]
        expressions = []
        for code in re.findall(r"`([^`]+)`", section.replace('"ID"', repr(optimizer.id))):
            if re.match(r"\w+=", code):
                expressions.append(f"make({code})")
            elif re.match(r"(\w+, )*\w+ = optimizer\.|(optimizer|OptimizerWidget)\.|compare\(", code):
                expressions.append(code.rpartition(" = ")[2])
        answers = [eval(code, names) for code in expressions]

    assert len(expressions) > 20
    assert {path.name for path in tmp_path.iterdir()} >= {"trials.csv", "trials.json", "search.sqlite"}
    for answer in answers:
        if isinstance(answer, Widget):
            answer.close()


def test_the_page_about_races_works_from_top_to_bottom():
    names = {}
    try:
        for code in blocks((ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")):
            exec(code.replace("\ncompare(", "\ncompared = compare("), names)
        assert names["race"].race.names == ("grid", "random", "TPE")
        assert list(names["compared"].searches) == ["wide", "narrow"]
        assert names["replayed"].search is names["played"]
        assert names["loss"].landscape.optimum == names["loss"](0.37, 0.6)
    finally:
        for shown in ("race", "compared", "challenge", "replayed", "played"):
            names[shown].close()
        for search in names["searches"].values():
            search.stop()


def test_the_strategy_of_the_page_on_priors_follows_them(tmp_path):
    names = {}
    exec(blocks((ROOT / "docs" / "priors.md").read_text(encoding="utf-8"))[-1], names)
    mine, parameters = names["Mine"], [UniformParameterRange("x", 0, 1)]
    optimizer = HyperParameterOptimizer(lambda x: x, parameters, optimizer_class=mine, journal=tmp_path)

    optimizer.set_prior("x", [1, 0])
    strategy = mine(seed=1)
    strategy.begin(optimizer.space, optimizer.objectives, 1, [], 0)

    assert sum(strategy.ask().point["x"] < 0.5 for _ in range(10)) >= 9


def test_every_member_is_in_the_table():
    listed = {name for members, *_ in rows("member of `HyperParameterOptimizer`") for name in named(members)}

    assert listed == {name for name in dir(HyperParameterOptimizer) if not name.startswith("_")}


def test_every_public_name_is_in_a_table():
    listed = {name for names, _ in rows("other public names") for name in named(names)}

    assert set(hpo_widgets.__all__) - {"HyperParameterOptimizer", "__version__"} <= listed


def test_every_strategy_parameter_and_argument_is_on_a_page():
    bases = (Parameter, SearchStrategy)
    public = [getattr(hpo_widgets, name) for name in hpo_widgets.__all__]
    kinds = [one for one in public if inspect.isclass(one) and issubclass(one, bases) and one not in bases]
    named_ones = inspect.signature(HyperParameterOptimizer).parameters
    arguments = [*CONTROLLER_KEYWORDS, *(name for name in named_ones if name != "optimizer_kwargs")]
    pages = GUIDE + (ROOT / "docs" / "clearml.md").read_text(encoding="utf-8")

    assert [kind.__name__ for kind in kinds if f"\n| `{kind.__name__}`" not in GUIDE] == []
    assert f"\n| `{named_ones['optimizer_class'].default.__name__}` (default) |" in GUIDE
    assert [name for name in arguments if name not in pages] == []


def test_every_command_is_in_a_table(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    (\w+)", capsys.readouterr().out, re.MULTILINE)
    cells = [names for names, _ in rows("other public names") if names.startswith("`hpo-widgets ")]

    assert sorted(commands) == sorted(name for cell in cells for name in re.findall(r"`(?:hpo-widgets )?(\w+)`", cell))


@pytest.mark.parametrize("row", rows("member of `HyperParameterOptimizer`"), ids=lambda row: row[0])
def test_the_tests_of_a_member_exist_and_are_named_for_it(row):
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MEMBER_TESTS]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    there = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    members, _, tests = row

    assert set(named(tests)) <= there
    for member in named(members):
        assert any(re.match(rf"test_(argument_)?{member}(_|$)", test) for test in named(tests)), member


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    home = (ROOT / page).parent
    found = [*re.findall(r"\]\(([^)#]+)", text), *re.findall(r'\b(?:src|srcset|href)="([^"#]+)"', text)]
    links = [link for link in found if "://" not in link]

    assert [link for link in links if not (home / link).exists()] == []


def test_every_page_has_its_place_in_the_site():
    settings = ast.parse((ROOT / "docs" / "conf.py").read_text(encoding="utf-8"))
    (navigation,) = [
        ast.literal_eval(node.value)
        for node in settings.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAVIGATION"
    ]
    placed = [page for pages in navigation.values() for page in pages.values()]

    assert sorted(f"{page}.md" for page in ["README", *placed]) == PAGES


def test_the_pictures_are_shown_and_small():
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}

    pages = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert {name for name in pictures if f"images/{name}" in pages} == set(pictures)
    assert sum(pictures.values()) < 1_500_000


def test_the_figures_are_those_of_the_last_measurement():
    measured = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    (row,) = [line for line in measured.splitlines() if line.startswith("| live history, 20,000 trials")]
    _, _, own, _, peers, _, _ = row.split("|")
    said = f"hpo_widgets: {own}; {peers}"
    section = README[README.index("## Measured") : README.index("## What runs where")]
    table = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| ([^|]+) \|$", section, flags=re.MULTILINE)
    assert len(table) == 4
    for name, updates, lag in table:
        found = re.search(r"95 %: ([^,]+), ([\d.]+) updates/s", said[said.index(f"{name}: ") :])
        assert found is not None
        assert found.groups() == (lag, updates)


def test_the_times_to_a_target_are_those_of_the_last_measurement():
    measured = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    section = README[README.index("Seconds until a search has found") : README.index("## What runs where")]
    tasks = ("digits", "breast cancer", "diabetes")
    said = re.findall(r"^\| (\w[^|]*?) \| ([\d.]+ s) \| ([\d.]+ s) \| ([\d.]+ s) \|$", section, flags=re.MULTILINE)
    assert len(said) == 5
    for place, task in enumerate(tasks, 1):
        _, *lines = measured[measured.index(f"### {task}") :].split("\n| ")
        cells = {name: rest for name, *rest in (line.split(" | ") for line in lines[:8])}
        for name, *times in said:
            key = name.replace(", from a panel that was looked at for 4 s", "").replace(" by code", "")
            row = cells[key.replace(", one trial at a time", "")]
            assert row[0] == re.search(r"medians of (\d+) seeds", section)[1]
            assert row[5].split(" (")[0] == times[place - 1], (task, name)
    again = re.search(r"on diabetes by (\d+) seeds more \(([\d.]+ s)\s+and\s+([\d.]+ s)", section)
    assert again is not None
    (row,) = [line.split(" | ") for line in measured.splitlines() if line.startswith("| diabetes, random forest: 12 s")]
    seeds, *times = row[2:5]
    assert (seeds, *(time.split(" (")[0] for time in times)) == again.groups()
    assert row[-1] == "yes |"


MEASURED = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")


def table_after(words):
    """The tasks of the README's table after some words, and its rows: a sampler and a cell for each task."""
    lines = README[README.index(words) :].split("\n\n")[1].splitlines()
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return header[1:], rows


def cells_of(task, sampler):
    """The cells of a sampler at a task in the last measurement, by the heading of the column."""
    of_task = MEASURED[MEASURED.index("## The default sampler") :]
    of_task = of_task[re.search(f"### .*{re.escape(task)} \\(", of_task).start() :]
    header = of_task[of_task.index("| sampler |") :].splitlines()[0]
    row = of_task[of_task.index(f"| {sampler} |") :].splitlines()[0]
    return dict(zip(*(line.strip("| ").split(" | ") for line in (header, row)), strict=True))


def test_the_best_values_are_those_of_the_last_measurement():
    section = README[README.index("The best value after 60 trials") : README.index("Seconds until a search has found")]
    default = MEASURED[MEASURED.index("- TPE and a Gaussian process in turn: ") :].splitlines()[0]
    better, places, worse = re.search(r"at (\d+) of (\d+) cells.* worse at (\d+) ", default).groups()
    assert f"In {better} of {places} comparisons" in " ".join(section.split())
    assert worse == "0"
    together = MEASURED[MEASURED.index("On all models of scikit-learn together") :]
    together = together[together.index("- TPE and a Gaussian process in turn: ") :].splitlines()[0]
    assert "< 0.001 / 1.000 after 60 trials of 11 models" in together
    assert "all of them together do after 60 trials (*p* < 0.001, Stouffer's method)" in " ".join(section.split())
    tasks, rows = table_after("five functions whose minimum is 0")
    for sampler, *values in rows:
        assert values == [cells_of(task, sampler)["60 trials"].split()[0] for task in tasks]


def test_the_failures_are_those_of_the_last_measurement():
    tasks, rows = table_after("Failed trials of the first 60")
    for sampler, *values in rows:
        cells = [cells_of(task, sampler) for task in tasks]
        assert values == [f"{cell['failed of 60']}, {cell['60 trials'].split()[0]}" for cell in cells]


def test_the_operating_systems_are_told():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named_ones = [line.split(" :: ")[-1] for line in settings["project"]["classifiers"] if "Operating System" in line]
    assert named_ones

    for page in (README, GUIDE):
        assert [name for name in [*named_ones, "Windows"] if name.lower() not in page.lower()] == []


def test_every_extra_is_on_a_page():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)

    assert set(re.findall(r"pip install '\.\[(\w+)\]'", pages)) == set(settings["project"]["optional-dependencies"])


def test_commands_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"`make ([\w-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_tour_of_a_changed_range_names_what_its_files_define():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tour = page[page.index("## What happens when") : page.index("## I want to change")]
    steps = re.findall(r"`([\w/]+\.(?:py|ts))` \(`(\w+)`\)", tour)

    assert [
        (file, name)
        for file, name in steps
        if not re.search(rf"(?m)^ *(?:def|function|private) {name}\(", (ROOT / file).read_text(encoding="utf-8"))
    ] == []
    assert len(steps) >= 15


def test_the_changelog_begins_with_its_title():
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").startswith("# Changelog\n\n")


@pytest.mark.parametrize(
    ("page", "least"), [("CONTRIBUTING.md", 20), ("docs/architecture.md", 20), ("SECURITY.md", 10)]
)
def test_files_that_a_page_names_exist(page, least):
    text = (ROOT / page).read_text(encoding="utf-8")
    named_files = re.findall(r"`((?:[\w-]+/)*[\w.-]+\.(?:py|ts|mjs)|(?:[\w-]+/)+)`", text)
    homes = [ROOT, ROOT / "hpo_widgets", *(path for path in (ROOT / "hpo_widgets").iterdir() if path.is_dir())]
    homes.append(ROOT / "js" / "src")

    assert [name for name in named_files if not any((home / name).exists() for home in homes)] == []
    assert len(named_files) > least
