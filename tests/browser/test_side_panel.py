"""The list of searches at the side of JupyterLab: live behind a busy kernel, restored, true after a restart.

Each test opens notebooks of its own; what it adds to the page beside them it closes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid

import pytest
from playwright.sync_api import expect

from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange
from tests.browser.hand import click_again, middle
from tests.browser.looks import AXE, faults
from tests.browser.notebook import PATIENCE
from tests.browser.scripted import DIGITS, MARKUP, commands, panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of(
    DIGITS.replace("digits", "NAME"),
    """
search.command("start")
search.add_trials([0.5, 0.75, 0.25])
search.commands.clear()
""",
)
# It computes until it is told, and brings results meanwhile.
BUSY = """
import time
from pathlib import Path

began = time.monotonic()
while not Path("told").exists():
    sum(range(100_000))
    if search.status == "running" and len(search.snapshot()) < 3 + 5 * (time.monotonic() - began):
        search.add_trial(0.2)
acted = [command[0] for command in search.commands]
"""

NOTEBOOK = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext)"


def cell(name):
    return PANEL.replace("NAME", name)


@pytest.fixture
def side(notebook):
    """The list, without what other tests kept."""
    shutil.rmtree(notebook.lab.root / ".hpo_widgets", ignore_errors=True)
    shown = notebook.page.locator(".hpo-side")
    if notebook.page.url.startswith(notebook.lab.base):
        # Shown anew, the list has what it knew of journals until the server has answered.
        open_list(notebook)
        expect(shown.locator(".hpo-is-kept")).to_have_count(0)
        notebook.command("filebrowser:activate")
    return shown


@pytest.fixture
def settings(notebook):
    """Write the settings of the list, which a page reads when it is loaded; afterwards they are as they were."""

    def write(**chosen):
        notebook.page.evaluate(
            "raw => window.jupyterapp.serviceManager.settings.save('hpo-widgets:searches', raw).then(() => undefined)",
            json.dumps(chosen),
        )

    yield write
    write()


@pytest.fixture
def workspace(notebook):
    """A workspace of the page's own, by its name: pages that share one write their layouts over each other's."""
    name = f"again-{uuid.uuid4().hex}"
    load(notebook, name)
    return name


def load(notebook, workspace):
    """Load the page, with what was kept of its layout."""
    notebook.page.goto(f"{notebook.lab.base}/lab/workspaces/{workspace}")
    notebook.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")


def open_list(notebook):
    notebook.command("hpo-widgets:open-search-panel")


def entry(side, name):
    return side.locator(".hpo-entry").filter(has=side.page.get_by_role("button", name=name, exact=True))


def group(side, title):
    """One group of the list; others may be there from other tests' journals."""
    return side.locator(".hpo-side-group").filter(has=side.page.get_by_role("list", name=title, exact=True))


def close_tab(notebook):
    """Close the tab of the search "digits"."""
    label = notebook.page.locator(".lm-DockPanel-tabBar").get_by_text("digits", exact=True)
    label.locator("..").locator(".lm-TabBar-tabCloseIcon").click()


def tab(notebook):
    return notebook.page.locator(".hpo-search-tab .hpo-panel")


def test_searches_are_listed_and_steered_while_a_cell_computes(notebook, side):
    told = notebook.lab.root / "told"
    told.unlink(missing_ok=True)
    notebook.open(cell("digits"), BUSY)
    notebook.run_cell(0)
    notebook.be_busy(1)
    # All that follows happens while the cell computes.
    open_list(notebook)
    shown = entry(side, "digits")
    expect(shown.locator(".hpo-pill")).to_have_text("●running")
    expect(shown.locator(".hpo-entry-origin")).to_contain_text("kernel busy")
    expect(shown).to_contain_text("0.2 validation / loss")
    count = shown.locator(".hpo-entry-progress > span")
    before = count.inner_text()
    expect(count).not_to_have_text(before)
    expect(notebook.page.locator(".hpo-search-status")).to_have_text("1 search running")
    shown.get_by_role("button", name="Open digits").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    notebook.screenshot("side-panel-light")
    shown.get_by_role("button", name="Pause digits").click()
    expect(shown.locator(".hpo-pill")).to_have_text("❚❚paused")
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("❚❚paused")
    resume = shown.get_by_role("button", name="Resume digits")
    expect(resume).not_to_have_attribute("aria-disabled", "true")
    click_again(resume)  # a double click on Pause pauses
    resume.click()
    expect(shown.locator(".hpo-pill")).to_have_text("●running")
    expect(shown.locator(".hpo-entry-origin")).to_contain_text("kernel busy")
    # The tab is a live panel: its buttons act, too.
    tab(notebook).get_by_role("button", name="Stop").click()
    expect(shown.locator(".hpo-pill")).to_have_text("■stopped")
    told.touch()
    expect(shown.locator(".hpo-entry-origin")).not_to_contain_text("busy")
    assert notebook.kernel("acted") == ["pause", "resume", "stop"]
    expect(notebook.page.locator(".hpo-search-status")).not_to_be_visible()


def test_the_list_has_the_focus_when_it_was_opened_from_the_command_palette(notebook, side):
    notebook.open("1")
    keyboard = notebook.page.keyboard
    notebook.page.locator(".jp-Cell").first.focus()
    keyboard.press("Control+Shift+c")
    expect(notebook.page.locator(".lm-CommandPalette-input:visible")).to_be_focused()
    keyboard.type("Open search panel")
    expect(notebook.page.locator(".lm-CommandPalette-item:visible")).to_have_count(1)
    keyboard.press("Enter")
    field = side.get_by_role("searchbox", name="Filter searches")
    expect(field).to_be_focused()
    keyboard.type("digits")
    expect(field).to_have_value("digits")
    field.fill("")


PRESS_BOTH = "entry => ['pause', 'stop'].forEach(name => entry.querySelector(`[data-command=${name}]`).click())"


@pytest.mark.slow
def test_a_press_that_is_not_answered_yet_takes_none_away_from_another_button(notebook, side):
    notebook.show(cell("digits"))
    open_list(notebook)
    shown = entry(side, "digits")
    expect(shown.get_by_role("button", name="Stop digits")).not_to_have_attribute("aria-disabled", "true")
    shown.evaluate(PRESS_BOTH)
    expect(shown.locator(".hpo-pill")).to_have_text("■stopped")
    assert [name for name, *_ in commands(notebook)] == ["pause", "stop"]


@pytest.mark.slow
def test_a_press_reaches_the_search_that_was_under_the_pointer_though_another_one_comes(notebook, side):
    notebook.open(cell("digits"), cell("newer"))
    notebook.run_cell(0)
    open_list(notebook)
    shown, mouse = entry(side, "digits"), notebook.page.mouse
    mouse.move(*middle(shown.get_by_role("button", name="digits", exact=True)))
    mouse.down()
    notebook.start_cell(1)
    expect(notebook.page.locator(".hpo-search-status")).to_have_text("2 searches running")
    expect(side.locator(".hpo-entry")).to_have_count(1)
    mouse.up()
    expect(side.locator(".hpo-entry-title")).to_have_text(["newer", "digits"])
    expect(notebook.page.locator(".hpo-search-tab")).to_have_count(1)
    expect(tab(notebook).locator(".hpo-title")).to_contain_text("digits")
    close_tab(notebook)


@pytest.mark.slow
def test_the_focus_goes_with_a_search_into_another_group_and_its_cell_keeps_one_line_beside_its_tab(notebook, side):
    notebook.show(cell("digits"))
    open_list(notebook)
    shown = entry(side, "digits")
    opens, stop = (shown.get_by_role("button", name=f"{name} digits") for name in ("Open", "Stop"))
    expect(stop).not_to_have_attribute("aria-disabled", "true")
    ((before, _), height) = middle(opens), shown.bounding_box()["height"]
    stop.press("Enter")
    expect(group(side, "Ended")).to_contain_text("digits")
    expect(stop).to_have_count(0)
    expect(opens).to_be_focused()
    assert (middle(opens)[0], shown.bounding_box()["height"]) == (before, height)
    notebook.kernel("search.command('start')")
    expect(group(side, "Running")).to_contain_text("digits")
    expect(opens).to_be_focused()

    wanted = {
        "searchId": notebook.kernel("search.id"),
        "path": notebook.path(),
        "title": "digits",
    }

    def open_beside():
        notebook.command("hpo-widgets:open-search", **wanted, place="right")

    in_cell = notebook.page.locator(".jp-Notebook .hpo-panel")
    expect(in_cell).to_be_visible()
    open_beside()
    line = notebook.page.locator(".jp-Notebook .hpo-elsewhere")
    expect(line).to_contain_text("digits is shown in the tab beside · show it here too")
    expect(tab(notebook)).to_be_visible()
    expect(in_cell).not_to_be_visible()
    # The picture that the notebook keeps is renewed all the same.
    notebook.kernel("search.add_trial(0.1)")
    expect(tab(notebook).locator(".hpo-counts")).to_contain_text("4 completed")
    with notebook.longer(10_000):  # for which a save waits for its picture
        name = notebook.page.evaluate(
            """async () => {
              const notebook = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext);
              await notebook.context.save();
              return notebook.context.path;
            }"""
        )
    assert "4 completed" in (notebook.lab.root / name).read_text(encoding="utf-8")
    notebook.screenshots_in_both_themes("shown-in-tab")
    line.get_by_role("button", name="show it here too").click()
    expect(in_cell).to_be_visible()
    expect(notebook.page.locator(".jp-Notebook .hpo-layout")).to_be_focused()  # as the button has gone
    expect(tab(notebook)).to_be_visible()
    expect(line).not_to_be_visible()
    # A tab that is closed leaves the panel in its cell, as before.
    close_tab(notebook)
    expect(tab(notebook)).to_have_count(0)
    open_beside()
    expect(line).to_be_visible()
    close_tab(notebook)
    expect(in_cell).to_be_visible()
    expect(in_cell.locator(".hpo-plot-host .dot").first).to_be_visible()


@pytest.mark.slow
def test_two_notebooks_and_all_their_searches_stop_at_once(notebook, side):
    notebook.show(cell("first"))
    first, second = notebook.open_beside(first="second")
    notebook.command("launcher:create")
    notebook.page.locator(".jp-LauncherCard", has_text="Searches").click()
    for name, path in (("first", first), ("second", second)):
        expect(entry(side, name).locator(".hpo-entry-origin")).to_have_text(path)
    expect(notebook.page.locator(".hpo-search-status")).to_have_text("2 searches running")
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert faults(side) == []
    notebook.use_theme(dark=True)
    expect(notebook.page.locator("#jupyterlab-splash")).to_have_count(0)
    notebook.screenshot("side-panel-dark")
    assert faults(side, dark=True) == []
    # A press on its notebook brings it to the front.
    entry(side, "first").locator(".hpo-entry-origin").click()
    notebook.page.wait_for_function(f"() => window.jupyterapp.shell.currentWidget?.context?.path === {first!r}")
    side.get_by_placeholder("filter").fill("sec")
    expect(side.locator(".hpo-entry")).to_have_count(1)
    side.get_by_placeholder("filter").fill("")
    notebook.page.evaluate("() => { void window.jupyterapp.commands.execute('hpo-widgets:stop-all-searches'); }")
    notebook.page.get_by_role("button", name="Stop", exact=True).last.click()
    for name in ("first", "second"):
        expect(entry(side, name).locator(".hpo-pill")).to_have_text("■stopped")
    # A notebook that is closed takes its search off the list; the kernel's end does so, too.
    notebook.page.evaluate(
        """async path => {
          const { shell } = window.jupyterapp;
          const widget = [...shell.widgets('main')].find(one => one.context?.path === path);
          await widget.sessionContext.shutdown();
          widget.dispose();
        }""",
        second,
    )
    expect(entry(side, "second")).to_have_count(0)
    expect(entry(side, "first")).to_have_count(1)


@pytest.mark.slow
def test_a_restart_takes_searches_off_the_list_and_a_tab_shows_the_next_one(notebook, side):
    notebook.show(cell("digits"))
    open_list(notebook)
    entry(side, "digits").get_by_role("button", name="Open digits").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    notebook.restart()
    expect(entry(side, "digits")).to_have_count(0)
    waiting = notebook.page.locator(".hpo-search-tab-waiting")
    expect(waiting).to_contain_text("digits is not shown in")
    # What is not shown is looked for in its notebook, whatever that is called by then.
    notebook.page.evaluate(f"name => {NOTEBOOK}.context.rename(name)", "after the restart.ipynb")
    expect(waiting).to_contain_text("digits is not shown in after the restart.ipynb")
    waiting.get_by_role("button", name="Show the notebook").click()
    notebook.run_all()
    expect(entry(side, "digits").locator(".hpo-pill")).to_have_text("●running")
    expect(waiting).to_be_hidden()
    expect(tab(notebook)).to_have_count(1)
    tab(notebook).get_by_role("button", name="Stop").click()
    notebook.wait_kernel("('stop',) in search.commands")


@pytest.mark.slow
def test_a_tab_opens_without_https_and_follows_its_notebook_when_that_is_renamed_or_closed(notebook, side):
    notebook.show(cell("digits"))
    notebook.save()
    # What a page lacks that comes over http from another machine.
    notebook.page.evaluate("() => { delete Crypto.prototype.randomUUID; }")
    item = notebook.page.locator(".hpo-search-status")
    for key in ("Space", "Enter"):
        notebook.command("filebrowser:activate")
        expect(side).not_to_be_visible()
        item.press(key)
        expect(side).to_be_visible()
    shown = entry(side, "digits")
    opens = shown.get_by_role("button", name="Open digits")
    opens.click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    notebook.page.evaluate(f"name => {NOTEBOOK}.context.rename(name)", "renamed.ipynb")
    expect(shown.locator(".hpo-entry-origin")).to_have_text("renamed.ipynb")
    opens.click()
    expect(notebook.page.locator(".hpo-search-tab")).to_have_count(1)
    # Its kernel goes on without it.
    notebook.page.evaluate(f"() => {NOTEBOOK}.dispose()")
    waiting = notebook.page.locator(".hpo-search-tab-waiting")
    expect(waiting).to_contain_text("digits is not shown in renamed.ipynb now. Show the notebook first")
    waiting.get_by_role("button", name="Show the notebook").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    expect(waiting).to_be_hidden()


@pytest.mark.slow
def test_a_tab_that_the_kept_layout_does_not_have_yet_is_there_again_too(notebook, side, workspace):
    notebook.show(cell("digits"))
    path = notebook.save()
    open_list(notebook)
    # A page that is left at once, before JupyterLab has written where the tab stands.
    notebook.page.evaluate("() => { window.jupyterapp.serviceManager.workspaces.save = async () => undefined; }")
    entry(side, "digits").get_by_role("button", name="Open digits").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    told = {"searchId": notebook.kernel("search.id"), "path": path, "title": "digits"}
    notebook.page.goto("about:blank")
    address = f"{notebook.lab.base}/lab/api/workspaces/{workspace}"
    with urllib.request.urlopen(address) as answer:
        kept = json.load(answer)
    kept["data"][f"hpo-widgets-search:{told['path']}:{told['searchId']}"] = {"data": told}
    notebook.page.request.put(address, data=kept)
    load(notebook, workspace)
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    close_tab(notebook)
    expect(tab(notebook)).to_have_count(0)


@pytest.mark.slow
def test_a_page_that_is_loaded_again_has_list_and_tab_again(notebook, side, settings, workspace):
    earlier = HyperParameterOptimizer(
        lambda x: x, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, name="kept earlier",
        total_max_jobs=1, journal=notebook.lab.root / ".hpo_widgets",
    )  # fmt: skip
    earlier.start()
    earlier.wait()
    earlier.close_files()
    notebook.show(cell("digits"))
    notebook.save()
    open_list(notebook)
    entry(side, "digits").get_by_role("button", name="Open digits").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")

    def layout():
        with urllib.request.urlopen(f"{notebook.lab.base}/lab/api/workspaces/{workspace}") as answer:
            return json.dumps(json.load(answer)["data"])

    # JupyterLab writes its layout some time after it has changed.
    end = time.monotonic() + PATIENCE
    while not all(part in layout() for part in ("hpo-widgets-search:", '"hpo-widgets-searches"')):
        assert time.monotonic() < end, layout()
        notebook.page.wait_for_timeout(50)
    beside = notebook.page.locator(".lm-DockPanel-tabBar").filter(has_text="digits").filter(has_text=".ipynb")
    expect(beside).to_have_count(0)
    settings(place="tab")
    load(notebook, workspace)
    expect(entry(side, "digits").locator(".hpo-pill")).to_have_text("●running")
    # What is kept in journals may be known first, and stands last.
    expect(side.locator(".hpo-side-heading:visible").first).to_contain_text("Running")
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("●running")
    entry(side, "digits").get_by_role("button", name="Stop digits").click()
    expect(tab(notebook).locator(".hpo-pill")).to_have_text("■stopped")
    # The place that was chosen meanwhile holds for the next one that is opened.
    close_tab(notebook)
    expect(tab(notebook)).to_have_count(0)
    entry(side, "digits").get_by_role("button", name="Open digits").click()
    expect(beside).to_have_count(1)
    # Of the notebook, which was loaded behind a tab: bqplot draws a figure without a size with negative rectangles.
    notebook.console_errors.clear()


SEARCH = """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

def kept(x):
    return x

optimizer = HyperParameterOptimizer(
    kept, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=5, seed=1
)
optimizer.start()
optimizer.wait()
OptimizerWidget(optimizer)
"""


@pytest.mark.slow
def test_a_name_of_markup_and_control_characters_is_text_live_in_the_tab_and_of_what_is_kept(notebook, side):
    name = f"{MARKUP}\x1b[31m\x00\u202ereversed"
    notebook.show(SEARCH.replace("seed=1", f"seed=1, name={name!r}"))
    search_id = notebook.kernel("optimizer.id")
    open_list(notebook)
    title = group(side, "Ended").locator(".hpo-entry-title", has_text="reversed")
    expect(title).to_have_text(name)
    title.click()
    expect(tab(notebook).locator(".hpo-title")).to_have_text(name)
    expect(notebook.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text="reversed")).to_have_text(name)
    notebook.restart()
    title = group(side, "Journals").locator(".hpo-entry-title", has_text="reversed")
    expect(title).to_have_text(name)
    expect(title).to_have_attribute("title", f"Open {name} ({search_id})")
    expect(notebook.page.locator(".hpo-search-tab-waiting")).to_contain_text(f"{name} is not shown in")
    # Of the notebook, which is behind a tab: bqplot draws a figure without a size with negative rectangles.
    notebook.console_errors.clear()


BUSY_UNTIL_TOLD = """
import time
from pathlib import Path

while not Path("told").exists():
    time.sleep(0.05)
"""


# Run by the kernel, and by a process of its own.
LONG = """
import time
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

optimizer = HyperParameterOptimizer(
    lambda x: time.sleep(60), [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, name="NAME",
    max_number_of_concurrent_tasks=1,
)
optimizer.start()
while not optimizer.get_num_active_experiments():  # before, its journal may not say that it runs
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_search_is_not_called_running_any_more_once_the_process_that_ran_it_has_gone(notebook, side):
    notebook.show(LONG.replace("NAME", "of the kernel") + "OptimizerWidget(optimizer)\n")
    script = LONG.replace("NAME", "of a script") + "print('started', flush=True)\noptimizer.wait()\n"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=notebook.lab.root, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"started\n"
        of_the_kernel, of_a_script = (entry(side, f"Open of {one}") for one in ("the kernel", "a script"))
        open_list(notebook)
        expect(of_the_kernel.locator(".hpo-pill")).to_have_text("●running")
        expect(of_a_script.locator(".hpo-pill")).to_have_text("●running")
        notebook.restart()
        expect(of_the_kernel.locator(".hpo-pill")).to_have_text("■interrupted")
        expect(of_a_script.locator(".hpo-pill")).to_have_text("●running")
    finally:
        process.kill()
        process.communicate()
    expect(of_a_script.locator(".hpo-pill")).to_have_text("■interrupted")
    notebook.console_errors.clear()  # what was asked of the kernel that was restarted has no answer


@pytest.mark.slow
def test_a_search_whose_kernel_has_gone_is_listed_from_its_journal_and_opened_by_a_cell(notebook, side):
    told = notebook.lab.root / "told"
    told.touch()
    notebook.show(SEARCH, BUSY_UNTIL_TOLD)
    search_id = notebook.kernel("optimizer.id")
    open_list(notebook)
    shown = side.locator(".hpo-entry").filter(has=notebook.page.locator(f"[title*='{search_id}']"))
    journals = group(side, "Journals")
    expect(shown.locator(".hpo-pill")).to_have_text("✓completed")
    expect(shown.get_by_role("button", name="Continue")).to_be_visible()
    shown.get_by_role("button", name="Continue").focus()
    notebook.restart()
    kept = journals.locator(".hpo-entry").filter(has=notebook.page.locator(f"[title*='{search_id}']"))
    expect(kept.locator(".hpo-entry-progress > span")).to_have_text("5 / 5")
    expect(kept.locator(".hpo-entry-curve path").first).to_have_attribute("d", re.compile("^M"))
    expect(side.locator(":focus")).to_have_count(1)  # in the place of the button that has gone
    notebook.screenshot("side-panel-journals")
    told.unlink()
    notebook.start_cell(1)
    # There is no notebook that a press on this could show.
    expect(kept.locator(".hpo-entry-origin")).to_be_visible()
    expect(kept.locator("button.hpo-entry-origin")).to_have_count(0)
    kept.click(button="right")
    menu = notebook.page.locator(".lm-Menu")
    expect(menu.get_by_text("Open below")).to_have_count(0)
    menu.get_by_text("Open by a cell").click()
    written = notebook.page.locator(".jp-NotebookPanel .jp-InputArea", has_text=f'OptimizerWidget.open("{search_id}')
    expect(written).to_have_count(1)
    opens = kept.get_by_role("button", name="Open").last
    opens.dblclick()  # no other cell is written while the first one waits
    opens.click()
    expect(written).to_have_count(1)
    told.touch()
    expect(kept).to_have_count(0)
    expect(shown.locator(".hpo-entry-origin")).to_have_text(re.compile(r"\.ipynb"))
    expect(written).to_have_count(1)  # to be read and kept
    notebook.console_errors.clear()  # what was asked of the kernel that was restarted has no answer
