"""The form for a new search in JupyterLab: from the launcher, a function and its ranges to a cell that runs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.looks import AXE, faults

pytestmark = pytest.mark.browser

TRAIN = '''
from typing import Literal

def train(lr=0.001, layers=2, activation: Literal["relu", "tanh"] = "relu", method="<b>adam</b>", seed=0):
    """Train <img src=x onerror="window.hit=1">."""
    return (lr - 0.01) ** 2 + layers
'''
WRITTEN = """\
from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    OptimizerWidget,
    UniformIntegerParameterRange,
)

optimizer = HyperParameterOptimizer(
    base_task_id=train,
    hyper_parameters=[
        LogUniformParameterRange("lr", min_value=-4.0, max_value=-1.0),  # 0.0001 to 0.1
        UniformIntegerParameterRange("layers", min_value=1, max_value=4),
        DiscreteParameterRange("activation", ["relu", "tanh"]),
    ],
    objective_metric_title="objective",
    objective_metric_series="objective",
    objective_metric_sign="min",
    optimizer_class=OptimizerOptuna,
    total_max_jobs=4,
)
OptimizerWidget(optimizer)"""
# Ends when it is interrupted, so that all that is seen meanwhile is seen while a cell runs.
BUSY = """
while True:
    sum(range(100_000))
"""
# An interrupt would refuse what was asked meanwhile.
BUSY_UNTIL_TOLD = """
import pathlib, time
while not pathlib.Path("told").exists():
    time.sleep(0.01)
"""
# It answers nothing beside the cell that it runs.
BEFORE_IPYKERNEL_7 = """
() => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  Object.defineProperty(kernel, 'supportsSubshells', { get: () => false });
}
"""
GO_TO_NOTEBOOK = """
() => {
  const { shell } = window.jupyterapp;
  shell.activateById([...shell.widgets('main')].find(widget => widget.sessionContext).id);
}
"""
INTERRUPT = """
() => {
  const notebook = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext);
  return notebook.sessionContext.session.kernel.interrupt();
}
"""


@pytest.fixture
def form(notebook):
    """The form; afterwards it is closed."""
    yield notebook.page.locator(".hpo-new")
    notebook.page.evaluate(
        """() => [...window.jupyterapp.shell.widgets('main')]
          .filter(widget => widget.id === 'hpo-widgets-new-search-tab').forEach(widget => widget.dispose())"""
    )


def open_form(notebook):
    notebook.command("hpo-widgets:new-search")


def row(form, name):
    return form.get_by_role("group", name=name, exact=True)


def code(form):
    return form.get_by_role("region", name="The cell that is written")


def close(form):
    return form.get_by_role("button", name="Close", exact=True)


def sources(notebook):
    """The cells of all open notebooks, in order."""
    return notebook.page.evaluate(
        """() => [...window.jupyterapp.shell.widgets('main')]
          .filter(widget => widget.context?.model?.cells)
          .flatMap(widget => [...widget.context.model.cells].map(cell => cell.sharedModel.source))"""
    )


def test_from_the_launcher_to_a_search_that_runs(notebook, form):
    notebook.show(TRAIN)
    notebook.command("launcher:create")
    notebook.page.locator(".jp-LauncherCard", has_text="New search").click()
    expect(form.get_by_label("Function", exact=True)).to_have_value("train")
    expect(form.get_by_label("lr: lowest value")).to_have_value("1e-05")
    # A name or a text of the kernel is text on the page.
    expect(form).to_contain_text('Train <img src=x onerror="window.hit=1">.')
    expect(row(form, "method").get_by_role("checkbox").first).not_to_be_checked()
    expect(row(form, "method")).to_contain_text("stays at <b>adam</b>")
    form.get_by_label("lr: lowest value").fill("0.0001")
    form.get_by_label("Trials").fill("4")
    expect(code(form)).to_have_text(WRITTEN)
    notebook.screenshot("new-search-launcher")
    form.get_by_role("button", name="Write and run").click()
    expect(form).to_have_count(0)
    panel = notebook.panel()
    expect(panel.locator(".hpo-pill")).to_have_text("○idle")
    assert sources(notebook) == [TRAIN, WRITTEN]
    panel.locator("[data-command=start]").click()
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    assert notebook.kernel("optimizer.space.leaf('lr').range") == [0.0001, 0.1]


@pytest.mark.slow
def test_the_form_works_by_keyboard_while_a_cell_runs_and_tells_errors_at_their_fields(notebook, form):
    notebook.open(TRAIN, BUSY, "later = 1")
    notebook.run_cell(0)
    notebook.be_busy(1)
    # All that follows happens while the cell computes. The palette gives the focus back before the form takes it.
    keyboard = notebook.page.keyboard
    notebook.command("apputils:activate-command-palette")
    palette = notebook.page.locator("#modal-command-palette")
    palette.locator("input").press_sequentially("New search")
    expect(palette.locator(".lm-mod-active")).to_contain_text("New search")
    keyboard.press("Enter")
    function = form.get_by_label("Function", exact=True)
    expect(function).to_have_value("train")
    expect(code(form)).to_contain_text("base_task_id=train")
    expect(form.get_by_label("A trial runs")).to_be_focused()
    keyboard.press("Tab")
    expect(function).to_be_focused()
    keyboard.press("Tab")
    expect(row(form, "lr").get_by_role("checkbox")).to_be_focused()
    for _ in range(2):
        keyboard.press("Tab")
    expect(form.get_by_label("lr: lowest value")).to_be_focused()
    keyboard.type("-1")
    expect(row(form, "lr")).to_contain_text("a log scale has values above 0, not -1")
    low = form.get_by_label("lr: lowest value")
    expect(low).to_have_attribute("aria-invalid", "true")
    expect(code(form)).to_have_text("One field needs a change first.")
    form.get_by_role("button", name="Write the cell").focus()
    keyboard.press("Enter")
    expect(low).to_be_focused()
    keyboard.press("Control+a")
    keyboard.type("0.0001")
    expect(low).not_to_have_attribute("aria-invalid", "true")
    expect(code(form)).to_contain_text("min_value=-4.0")
    # What is left out of the search is left out of the code.
    row(form, "layers").get_by_role("checkbox").focus()
    keyboard.press("Space")
    expect(row(form, "layers")).to_contain_text("stays at 2")
    expect(code(form)).not_to_contain_text("layers")
    # Escape takes nothing away that was set. The cross closes, writes nothing, and gives the focus back.
    keyboard.press("Escape")
    expect(row(form, "layers")).to_contain_text("stays at 2")
    close(form).focus()
    keyboard.press("Enter")
    expect(form).to_have_count(0)
    assert notebook.page.evaluate("() => document.activeElement.closest('.jp-NotebookPanel') !== null")
    assert len(sources(notebook)) == 3
    open_form(notebook)
    expect(code(form)).to_contain_text("base_task_id=train")
    form.get_by_role("button", name="Write the cell").click()
    expect(form).to_have_count(0)
    # Below the active cell, and nothing was waited for.
    assert "base_task_id=train" in sources(notebook)[2]
    expect(notebook.busy_prompts()).to_be_visible()
    notebook.page.evaluate(INTERRUPT)
    expect(notebook.busy_prompts()).to_have_count(0)


@pytest.mark.slow
def test_without_a_notebook_the_form_makes_one_and_begins_with_an_example(notebook, form):
    notebook.open("x = 1")
    notebook.page.evaluate(
        """async () => {
          for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
            await widget.sessionContext?.shutdown();
            widget.dispose();
          }
        }"""
    )
    open_form(notebook)
    expect(form).to_contain_text("No notebook is open.")
    make = form.get_by_role("button", name="New notebook")
    expect(make).to_be_focused()
    notebook.console_errors.clear()  # what was asked of the kernel that was shut down has no answer
    make.dblclick()  # which opens one
    example = form.get_by_role("button", name="Write an example")
    expect(form).to_contain_text("No function in this kernel yet")
    example.dblclick()
    # The form hears of the cell's end.
    expect(form.get_by_label("Function", exact=True)).to_have_value("train")
    expect(code(form)).to_contain_text("base_task_id=train")
    form.get_by_role("button", name="Write and run").click()
    expect(notebook.panel().locator(".hpo-pill")).to_have_text("○idle")
    written = [text for text in sources(notebook) if text]
    assert [text.partition("(")[0].partition("\n")[0] for text in written] == [
        "import math",
        "from hpo_widgets import ",
    ]
    opened = "() => [...window.jupyterapp.shell.widgets('main')].filter(widget => widget.sessionContext).length"
    assert notebook.page.evaluate(opened) == 1


@pytest.mark.slow
def test_the_notebook_is_chosen_and_a_restart_is_followed(notebook, form):
    notebook.show(TRAIN)
    first, second = notebook.open_beside(train="other")
    notebook.command("hpo-widgets:open-search-panel")
    notebook.page.locator(".hpo-side").get_by_role("button", name="New search").click()
    choice = form.get_by_label("Notebook")
    function = form.get_by_label("Function", exact=True)
    expect(choice.locator("option:checked")).to_have_text(second)
    expect(function).to_have_value("other")
    choice.select_option(label=first)
    expect(function).to_have_value("train")
    choice.select_option(label=second)
    expect(function).to_have_value("other")
    notebook.restart(second)
    expect(form).to_contain_text("No function in this kernel yet")
    expect(form.get_by_role("button", name="Write the cell")).to_have_attribute("aria-disabled", "true")
    choice.select_option(label=first)
    expect(code(form)).to_contain_text("base_task_id=train")


@pytest.mark.slow
def test_a_kernel_that_answers_after_its_cell_only_is_waited_for_and_one_without_the_package_is_told(notebook, form):
    notebook.open(TRAIN, BUSY, "import sys; sys.modules['hpo_widgets.optimizer.new_search'] = None")
    notebook.run_cell(0)
    notebook.page.evaluate(BEFORE_IPYKERNEL_7)
    notebook.be_busy(1)
    open_form(notebook)
    expect(form.get_by_role("status")).to_contain_text("Waits for the running cell in")
    expect(form).not_to_contain_text("No function in this kernel yet")
    expect(form.get_by_role("button", name="Write the cell")).to_have_attribute("aria-disabled", "true")
    notebook.page.evaluate(INTERRUPT)
    expect(code(form)).to_contain_text("base_task_id=train")
    expect(form.get_by_role("status")).to_have_text("")
    close(form).click()
    notebook.run_cell(2)
    open_form(notebook)
    expect(form.get_by_role("status")).to_contain_text("does not have this version of hpo_widgets")


@pytest.mark.slow
def test_what_a_person_has_set_stays_when_the_function_is_defined_anew(notebook, form):
    again = TRAIN.replace("seed=0", "seed=0, momentum=0.9")
    notebook.open(TRAIN, BUSY_UNTIL_TOLD, "def helper(a=1.0):\n    return a", again)
    notebook.run_cell(0)
    notebook.page.evaluate(BEFORE_IPYKERNEL_7)
    told = notebook.lab.root / "told"
    told.unlink(missing_ok=True)
    notebook.be_busy(1)
    open_form(notebook)
    trials, goal = form.get_by_label("Trials"), form.get_by_label("Goal")
    low, layers = form.get_by_label("lr: lowest value"), row(form, "layers").get_by_role("checkbox")
    # Before the kernel has said anything.
    trials.fill("7")
    goal.select_option("max")
    told.touch()
    expect(low).to_have_value("1e-05")
    low.fill("0.0002")
    layers.uncheck()

    def is_as_set(sign="max"):
        expect(low).to_have_value("0.0002")
        expect(layers).not_to_be_checked()
        expect(code(form)).to_contain_text(f'objective_metric_sign="{sign}"')
        expect(code(form)).to_contain_text("total_max_jobs=7,")

    def run(cell):
        notebook.page.evaluate(GO_TO_NOTEBOOK)
        notebook.run_cell(cell)

    is_as_set()
    run(3)
    expect(code(form)).to_contain_text('"momentum"')
    is_as_set()
    # After a restart the function comes back behind another one.
    notebook.restart()
    expect(form).to_contain_text("No function in this kernel yet")
    goal.select_option("min")
    run(2)
    expect(form.get_by_label("Function", exact=True)).to_have_value("helper")
    expect(code(form)).to_contain_text('objective_metric_sign="min"')
    run(3)
    expect(form.get_by_label("Function", exact=True)).to_have_value("train")
    is_as_set("min")


@pytest.mark.slow
def test_a_row_that_was_added_stands_once_when_its_name_is_proposed(notebook, form):
    notebook.open(*(f"def train({names}, **more):\n    return lr" for names in ("lr=0.01", "lr=0.01, momentum=0.9")))
    notebook.run_cell(0)
    open_form(notebook)
    form.get_by_role("button", name="Add a parameter").click()
    form.get_by_label("Name of new parameter").fill("momentum")
    form.get_by_label("momentum: lowest value").fill("0.5")
    form.get_by_label("momentum: highest value").fill("0.75")
    notebook.page.evaluate(GO_TO_NOTEBOOK)
    notebook.run_cell(1)
    expect(row(form, "momentum").get_by_role("checkbox")).to_be_checked()
    expect(row(form, "momentum")).to_have_count(1)
    written = 'UniformParameterRange("momentum", min_value=0.5, max_value=0.75)'
    expect(code(form)).to_contain_text(written)


@pytest.mark.slow
def test_a_press_that_waits_writes_one_cell_and_none_when_the_form_was_closed(notebook, form):
    notebook.open(TRAIN, BUSY_UNTIL_TOLD)
    notebook.run_cell(0)
    notebook.page.evaluate(BEFORE_IPYKERNEL_7)
    told = notebook.lab.root / "told"

    def change_while_a_cell_runs():
        open_form(notebook)
        expect(code(form)).to_contain_text("base_task_id=train")
        assert len(sources(notebook)) == 2
        told.unlink(missing_ok=True)
        notebook.page.evaluate(GO_TO_NOTEBOOK)
        notebook.be_busy(1)
        form.get_by_label("Trials").fill("5")
        expect(form.get_by_role("status")).to_contain_text("Waits for the running cell in")

    change_while_a_cell_runs()
    form.get_by_role("button", name="Write the cell").click()
    close(form).click()
    expect(form).to_have_count(0)
    told.touch()
    # The kernel answers this form after the one that was closed.
    change_while_a_cell_runs()
    form.get_by_role("button", name="Write the cell").dblclick()
    told.touch()
    expect(form).to_have_count(0)
    written = sources(notebook)
    assert len(written) == 3
    assert "total_max_jobs=5," in written[2]


@pytest.mark.slow
def test_a_press_writes_no_older_cell_when_the_kernel_has_refused_the_last_change(notebook, form):
    module = "__import__('sys').modules['hpo_widgets.optimizer.new_search']"
    cell = f"def other(x=0.5):\n    return x\n{TRAIN}"
    notebook.open(cell)
    notebook.run_cell(0)
    open_form(notebook)
    expect(code(form)).to_contain_text("base_task_id=train")
    notebook.kernel(f"[setattr({module}, 'kept', {module}.answer), delattr({module}, 'answer')] and None")
    form.get_by_label("Trials").fill("7")
    status = form.get_by_role("status")
    expect(status).to_contain_text("cannot answer")
    write = form.get_by_role("button", name="Write the cell")
    write.click()
    expect(status).to_contain_text("cannot answer")
    # Nor that of a function that was chosen before.
    form.get_by_label("Function", exact=True).select_option("other")
    expect(row(form, "lr")).to_have_count(0)
    write.click()
    expect(status).to_contain_text("cannot answer")
    assert sources(notebook) == [cell]
    notebook.kernel(f"setattr({module}, 'answer', {module}.kept)")
    form.get_by_label("Function", exact=True).select_option("train")
    write.click()
    expect(form).to_have_count(0)
    assert "total_max_jobs=7," in sources(notebook)[1]


@pytest.mark.slow
def test_an_answer_takes_no_press_away_from_a_button(notebook, form):
    notebook.open(TRAIN, BUSY_UNTIL_TOLD)
    notebook.page.evaluate(BEFORE_IPYKERNEL_7)
    told = notebook.lab.root / "told"
    told.unlink(missing_ok=True)
    # The answer comes quickly, while the mouse is pressed.
    notebook.kernel("__import__('hpo_widgets.optimizer.new_search') and None")
    notebook.be_busy(1)
    open_form(notebook)
    form.get_by_label("A trial runs").select_option("script")
    form.get_by_label("Script", exact=True).fill("missing.py")
    expect(form.get_by_role("status")).to_contain_text("Waits for the running cell in")
    add = form.get_by_role("button", name="Add a parameter")
    add.hover()
    with notebook.longer(5000):  # after which the form waits for no release any more
        notebook.page.mouse.down()
        told.touch()
        # It is answered after what the form has asked, which puts a line of red above the button.
        notebook.kernel("None")
        notebook.page.mouse.up()
    expect(form.get_by_label("Name of new parameter")).to_be_focused()
    expect(form).to_contain_text("there is no script")


@pytest.mark.slow
def test_scripts_and_tasks_are_written_too(notebook, form):
    notebook.open("x = 1")
    (notebook.lab.root / "fit.py").write_text(
        "import argparse\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--lr', type=float, default=0.01)\n"
        "parser.add_argument('--kind', choices=['a', 'b'])\n",
        encoding="utf-8",
    )
    open_form(notebook)
    form.get_by_label("A trial runs").select_option("script")
    script = form.get_by_label("Script", exact=True)
    script.fill("fti.py")
    script.press("Enter")
    expect(form).to_contain_text("there is no script")
    script.fill("fit.py")
    script.press("Enter")
    expect(form.get_by_label("lr: highest value")).to_have_value("1.0")
    expect(form).to_contain_text("name the scalar that it reports")
    form.get_by_label("Objective").fill("validation/loss")
    expect(code(form)).to_contain_text('base_task_id=Path("fit.py")')
    expect(code(form)).to_contain_text('DiscreteParameterRange("kind", ["a", "b"])')
    form.get_by_label("A trial runs").select_option("task")
    form.get_by_label("Task", exact=True).fill("0123456789abcdef" * 2)
    form.get_by_role("button", name="Add a parameter").click()
    form.get_by_label("Name of new parameter").fill("Args/lr")
    form.get_by_label("Args/lr: kind of values").select_option("log")
    form.get_by_label("Args/lr: lowest value").fill("1e-4")
    form.get_by_label("Args/lr: highest value").fill("1e-1")
    expect(code(form)).to_contain_text('base_task_id="0123456789abcdef0123456789abcdef"')
    expect(code(form)).to_contain_text('LogUniformParameterRange("Args/lr", min_value=-4.0, max_value=-1.0)')


@pytest.mark.slow
def test_the_form_has_no_serious_fault_and_fits_where_it_is_narrow_in_both_themes(notebook, form):
    notebook.show(TRAIN)
    open_form(notebook)
    expect(code(form)).to_contain_text("base_task_id=train")
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    for name, themes in (("", (False, True)), ("-narrow", (True, False))):  # to change it is what takes longest
        if name:
            form.get_by_label("lr: highest value").fill("-")
            expect(row(form, "lr")).to_contain_text("'-' is not a number")
            form.evaluate("node => { node.style.width = '250px'; node.style.flex = 'none'; }")
        for dark in themes:
            notebook.use_theme(dark=dark)
            expect(notebook.page.locator("#jupyterlab-splash")).to_have_count(0)
            if name:
                for part in (".hpo-new-body", ".hpo-new-foot"):
                    assert form.locator(part).evaluate("node => node.scrollWidth <= node.clientWidth"), part
            notebook.screenshot(f"new-search-{'dark' if dark else 'light'}{name}", of=form if name else None)
            assert faults(form, dark=dark) == []
