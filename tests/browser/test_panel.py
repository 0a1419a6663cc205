"""The panel under a person's hand: mouse, keyboard, a narrow page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, drag, hover_dot, middle, press_keys
from tests.browser.looks import CUT_OFF, unreadable
from tests.browser.notebook import rest
from tests.browser.scripted import DIGITS, MARKUP, commands, panel_of, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = panel_of(f"{DIGITS}, limits={{'dropout': (0.0, 0.8)}}")
WIDGETS = "len(__import__('ipywidgets').Widget.widgets)"


def test_what_is_behind_a_tab_is_made_when_somebody_looks(opened, panel):
    before = opened.kernel(WIDGETS)
    assert before < 60
    panel.get_by_role("tab", name="Slices").click()
    expect(panel.locator(".hpo-slices-host .bqplot:visible").first).to_be_visible()
    assert before < opened.kernel(WIDGETS) < 200  # of all tabs it would be about 380


def test_a_drag_is_one_command_moved_by_nothing_but_the_hand_and_given_up_by_escape(opened, panel):
    lower = panel.get_by_role("slider", name="lr, lower end")
    x, _ = middle(lower)
    drag(lower, 90)
    held, _ = middle(lower)
    assert held == pytest.approx(x + 90, abs=4)
    # While the hand is on it, trials end, another range changes, and this one too.
    opened.kernel("[search.add_trial(0.5) for _ in range(5)]")
    opened.kernel("search.set_ranges({'lr': (0.05, 0.06), 'layers': (2, 3)})")
    expect(panel.get_by_role("textbox", name="layers, lower bound")).to_have_value("2")
    assert middle(lower)[0] == pytest.approx(held, abs=1)
    assert commands(opened) == []
    opened.page.mouse.up()
    ((name, ranges),) = wait_for_commands(opened)
    assert (name, list(ranges)) == ("set_ranges", ["lr"])
    assert 1e-4 < ranges["lr"][0] < 1e-2
    opened.page.wait_for_timeout(300)
    assert middle(lower)[0] == pytest.approx(held, abs=4)

    lower = panel.get_by_role("slider", name="dropout, lower end")
    x, _ = middle(lower)
    drag(lower, 60)
    opened.page.keyboard.press("Escape")
    opened.page.mouse.up()
    assert middle(lower)[0] == pytest.approx(x, abs=1)
    # Commands keep their order: what the drag had sent would stand before this one.
    press_keys(lower, ("End",))
    [[name, ranges]] = wait_for_commands(opened, 2)[1:]
    assert name == "set_ranges"
    assert ranges == {"dropout": [pytest.approx(0.5, abs=0.01), 0.5]}


def test_keys_move_a_handle_page_keys_by_large_steps_and_follow_up_as_one_command(opened, panel):
    upper = panel.get_by_role("slider", name="layers, upper end")
    press_keys(upper, ("ArrowLeft", "ArrowDown", "ArrowRight", "ArrowLeft"))
    expect(upper).to_have_attribute("aria-valuenow", "4")
    expect(upper).to_be_focused()
    assert wait_for_commands(opened) == [["set_ranges", {"layers": [1, 4]}]]
    opened.page.keyboard.press("Home")
    expect(upper).to_have_attribute("aria-valuenow", "1")
    opened.page.keyboard.press("End")
    expect(upper).to_have_attribute("aria-valuenow", "6")
    panel.get_by_role("slider", name="lr, lower end").focus()
    opened.page.keyboard.press("PageUp")
    opened.wait_kernel("'lr' in search.commands[-1][1]")
    # A tenth of three decades, on a logarithmic track.
    assert commands(opened)[-1][1]["lr"][0] == pytest.approx(10**-3.7, rel=0.02)


def test_choices_are_checkboxes_of_which_one_stays_as_is_said_until_something_changes(opened, panel):
    group = panel.get_by_role("group", name="activation")
    boxes = group.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    boxes.evaluate_all("all => all.slice(1).forEach(box => box.click())")  # tanh and logistic, in one gesture
    assert wait_for_commands(opened) == [["set_ranges", {"activation": ["relu"]}]]
    group.get_by_role("checkbox", name="relu").click()
    expect(group.get_by_role("checkbox", name="relu")).to_be_checked()
    expect(group.get_by_role("alert")).to_have_text("At least one choice stays.")
    expect(group.get_by_role("checkbox", name="tanh")).not_to_be_checked()
    opened.kernel("search.command('undo')")
    expect(group.get_by_text("At least one choice stays.")).to_be_hidden()
    assert commands(opened)[1:] == [["undo"]]


@pytest.mark.slow
def test_bounds_are_typed_undone_redone_and_reset(opened, panel):
    undo = panel.get_by_role("button", name="Undo the last change of ranges")
    expect(undo).to_have_attribute("aria-disabled", "true")
    expect(undo).to_have_attribute("title", "There is no change of ranges to undo.")
    field = panel.get_by_role("textbox", name="lr, lower bound")
    field.fill("1e-3")
    field.press("Enter")
    assert wait_for_commands(opened) == [["set_ranges", {"lr": [0.001, 0.1]}]]
    expect(field).to_have_value("0.001")
    field = panel.get_by_role("textbox", name="dropout, lower bound")
    field.fill("0.2")
    field.press("Enter")
    wait_for_commands(opened, 2)
    undo.click()
    expect(field).to_have_value("0")
    panel.get_by_role("button", name="Redo the change of ranges").click()
    expect(field).to_have_value("0.2")
    panel.get_by_role("button", name="Reset all ranges to those of the start").click()
    expect(field).to_have_value("0")


def test_buttons_steer_and_say_why_not(opened, panel):
    pill = panel.locator(".hpo-pill")
    expect(pill).to_have_text("○idle")
    stop = panel.get_by_role("button", name="Stop")
    expect(stop).to_have_attribute("title", "The search has not started.")
    stop.click(force=True)
    button(panel, "Start").click()
    expect(pill).to_have_text("●running")
    panel.get_by_role("button", name="Pause").click()
    expect(pill).to_have_text("❚❚paused")
    panel.get_by_role("button", name="Resume").click()
    expect(pill).to_have_text("●running")
    stop.click()
    expect(pill).to_have_text("■stopped")
    expect(panel.get_by_text("Stopped by a person.")).to_be_visible()
    assert [name for (name,) in commands(opened)] == ["start", "pause", "resume", "stop"]


def test_every_control_has_a_name_is_reached_by_tab_and_keeps_its_keys_from_the_notebook(opened, panel):
    unnamed = panel.evaluate(
        """panel => [...panel.querySelectorAll('button, input, [role=slider]')]
             .filter(control => control.offsetParent)
             .filter(control => control.tabIndex < 0 || !(control.getAttribute('aria-label') || control.title ||
                                control.textContent.trim() || control.closest('label')?.textContent))
             .map(control => control.outerHTML)"""
    )
    assert unnamed == []
    bars = panel.get_by_role("progressbar")
    expect(bars.first).to_have_attribute("aria-valuetext", "0 of 200 done")

    cells = opened.page.locator(".jp-Notebook .jp-Cell")
    count = cells.count()
    opened.kernel("search.add_trials([0.5, 0.25])")
    for control in (
        button(panel, "Start"),
        panel.get_by_role("button", name="workers: 2 workers"),
        panel.get_by_role("slider", name="lr, lower end"),
        panel.get_by_role("checkbox").first,
        panel.get_by_role("tab", name="Slices"),
        panel.locator(".hpo-table tbody tr").first,
        panel.get_by_role("spinbutton", name="top"),
    ):
        control.focus()
        # In a notebook: a new cell above, one below, and cut it.
        for key in "abx":
            opened.page.keyboard.press(key)
        expect(control).to_be_focused()
    assert cells.count() == count
    # What saves the notebook still does.
    unsaved = opened.page.locator(".lm-TabBar-tab.jp-mod-dirty")
    expect(unsaved).to_have_count(1)
    button(panel, "Start").press("Control+s")
    expect(unsaved).to_have_count(0)
    opened.page.evaluate("() => { window.jupyterapp.shell.currentWidget.context.model.dirty = true; }")
    expect(unsaved).to_have_count(1)
    panel.get_by_role("spinbutton", name="top").press("Control+s")
    expect(unsaved).to_have_count(0)


@pytest.mark.slow
def test_a_new_best_trial_is_read_out_also_the_last_of_many_in_a_row(opened, panel):
    announced = panel.locator(".hpo-status [aria-live=polite]")
    opened.kernel("search.add_trial(0.5)")
    expect(announced).to_have_text("new best 0.5 at #0")
    for value in (0.4, 0.3, 0.2):
        opened.kernel(f"search.add_trial({value})")
    expect(panel.get_by_text("best 0.2 at #3", exact=True)).to_be_visible()
    expect(announced).to_have_text("new best 0.2 at #3")


@pytest.mark.slow
def test_the_time_to_the_next_look_at_a_server_is_counted_down(opened, panel):
    counts = panel.locator(".hpo-facts-row")
    expect(counts).not_to_contain_text("poll")
    opened.kernel("[setattr(search, 'next_poll', 4.2), search.set_status('running')] and None")
    expect(counts).to_contain_text(" · next poll in 0:05")
    # It is shown as time passes, without a trial that changes.
    opened.kernel("setattr(search, 'next_poll', 2.2)")
    expect(counts).to_contain_text("next poll in 0:03")
    opened.kernel("setattr(search, 'next_poll', None)")
    expect(counts).not_to_contain_text("poll")


@pytest.mark.slow
def test_trials_are_drawn_failed_ones_on_their_lane_and_named_under_the_pointer(opened, panel):
    opened.kernel("search.add_trials([0.5, 0.25, 0.4])")
    dots = panel.locator(".hpo-plot-host .dot")
    # Three dots and the mark of the best.
    expect(dots).to_have_count(4)
    rest(panel)
    hover_dot(dots.nth(2))
    tip = opened.page.locator(".bqplot_mark_tooltip:visible")
    expect(tip).to_contain_text("0.4")
    expect(tip).to_contain_text("validation / loss")
    opened.screenshot("panel-tooltip")
    opened.kernel(
        "[search.add_trial(state=TrialState.FAILED, error='no'), search.add_trial(0.3, state=TrialState.PRUNED)]"
    )
    expect(dots).to_have_count(6)


@pytest.mark.slow
def test_a_side_view_of_the_panel_is_narrow_and_steers_too(notebook):
    notebook.show(PANEL)
    expect(notebook.panel().locator(".hpo-pill")).to_have_text("○idle")
    notebook.command("notebook:create-output-view")
    side = notebook.page.locator(".jp-LinkedOutputView .hpo-panel")
    expect(side.locator(".hpo-pill")).to_have_text("○idle")
    notebook.page.evaluate(BESIDE)
    expect(side.get_by_role("slider").first).to_be_visible()
    assert side.bounding_box()["width"] < 720
    button(side, "Start").click()
    notebook.kernel("search.add_trials([0.5, 0.25, 0.4])")
    for panel in (side, notebook.panel()):
        expect(panel.locator(".hpo-pill")).to_have_text("●running")
        expect(panel.locator(".hpo-plot-host .dot")).to_have_count(4)
    space, plot = side.locator(".hpo-space").bounding_box(), side.locator(".hpo-plot-host").first.bounding_box()
    assert plot["y"] >= space["y"] + space["height"] - 1
    notebook.screenshot("panel-side-view")


@pytest.mark.slow
def test_what_is_drawn_behind_another_tab_of_jupyterlab_is_whole_when_it_is_seen(notebook):
    panel = notebook.show(PANEL)
    expect(panel.locator(".hpo-pill")).to_have_text("○idle")
    notebook.kernel("[search.command('start'), search.add_trials([0.5, 0.25, 0.4])] and None")
    path = notebook.path()
    notebook.command("launcher:create")
    expect(panel).to_be_hidden()
    notebook.kernel("search.set_status('completed')")
    tabs = panel.locator(".lm-TabBar-tab").count()
    expect(panel.locator(".hpo-tab > *")).to_have_count(tabs)  # all are drawn after the end
    notebook.command("docmanager:open", path=path)
    for name in ("Slices", "Parallel", "Distribution"):
        panel.get_by_role("tab", name=name).click()
        figure = panel.locator(".hpo-tab:visible .bqplot:visible").first
        expect(figure.locator("rect.plotarea_background")).to_have_attribute("width", re.compile(r"^\d{3}"))
        shown = figure.bounding_box()
        assert shown["width"] > 200
        assert shown["height"] > 100
    notebook.console_errors.clear()  # what bqplot says of figures that it draws where they have no size


# Moves the view of an output to the right of its notebook.
BESIDE = """() => {
  const { shell } = window.jupyterapp;
  const [notebook, view] = [...shell.widgets('main')];
  shell.add(view, 'main', { mode: 'split-right', ref: notebook.id });
}"""


@pytest.mark.slow
def test_an_earlier_run_of_the_cell_is_told_of_shown_and_stopped(opened, panel):
    opened.kernel("setattr(search, 'id', 'digits-earlier')")
    opened.kernel("search.command('start')")
    opened.kernel("globals().update(first=search)")
    opened.run_all()
    line = opened.panel().locator(".hpo-earlier")
    expect(line).to_contain_text("An earlier search 'digits' is still running: 0 trials so far.")
    line.get_by_role("button", name="Show the earlier run").click()
    expect(opened.page.locator(".jp-OutputArea .hpo-panel .hpo-panel .hpo-pill")).to_have_text("●running")
    opened.screenshot("panel-earlier", opened.panel())
    line.get_by_role("button", name="Stop the earlier run").click()
    expect(line).to_be_hidden()
    assert opened.kernel("[str(first.status), str(search.status)]") == ["stopped", "idle"]
    for number in (2, 3):
        opened.kernel("search.command('start')")
        opened.kernel(f"setattr(search, 'id', 'digits-earlier-{number}')")
        opened.run_all()
    line = opened.panel().locator(".hpo-earlier")
    expect(line).to_contain_text("2 earlier searches are still running: 0 trials so far.")
    line.get_by_role("button", name="Stop all earlier runs").click()
    expect(line).to_be_hidden()


@pytest.mark.slow
def test_each_part_can_be_shown_alone(notebook):
    notebook.show("""
from IPython.display import display
from hpo_widgets.parameters import *
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import HistoryPlot, SearchControls, SpacePanel, StatusPanel

search = ScriptedSearch(
    [
        LogUniformParameterRange("Optimizer/learning_rate_of_the_second_layer", -6, 0, step_size=0.5),
        UniformParameterRange("x", -1e6, 1e6, step_size=0.25),
        UniformIntegerParameterRange("units", 16, 4096, step_size=16),
        DiscreteParameterRange("choice", [True, 1, 1.0, "1", None, "None", "a choice with a rather long name " * 3]),
    ],
    signs="max",
)
search.add_trials([number % 17 - 8.5 for number in range(40)])
parts = [kind(search) for kind in (HistoryPlot, SpacePanel, StatusPanel, SearchControls)]
display(*parts)
""")
    page = notebook.page
    expect(page.locator(".hpo-plot-host .dot")).to_have_count(41)
    expect(page.locator(".hpo-title")).to_have_text("scripted")
    lower = page.get_by_role("slider", name="learning_rate_of_the_second_layer, lower end")
    lower.focus()
    page.keyboard.press("ArrowRight")
    # One step of the exponent.
    notebook.wait_kernel("len(search.commands) == 1")
    low, _ = notebook.kernel("search.commands[0][1]['Optimizer/learning_rate_of_the_second_layer']")
    assert low == pytest.approx(10**-5.5, rel=1e-6)
    for bound, typed in (("upper", "31"), ("lower", "17")):
        field = page.get_by_role("textbox", name=f"units, {bound} bound")
        field.fill(typed)
        field.press("Enter")
    # 16 and 32 are steps, and nothing between them.
    expect(page.get_by_role("alert").filter(has_text="No step lies between these bounds.")).to_be_visible()
    notebook.wait_kernel("len(search.commands) == 2")
    button(page, "Start").click()
    expect(page.locator(".hpo-pill")).to_have_text("●running")
    page.set_viewport_size({"width": 1400, "height": 1500})
    page.wait_for_timeout(300)
    notebook.screenshot("parts-alone")


def test_text_of_a_search_is_never_html(notebook):
    panel = notebook.show(f"""
from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

markup = {MARKUP!r}
search = ScriptedSearch(
    [UniformParameterRange(markup, 0.0, 1.0), DiscreteParameterRange("choice", [markup, "b"])],
    titles=markup, series=markup, name=markup,
)
widget = OptimizerWidget(search)
widget
""")
    expect(panel.locator(".hpo-title")).to_have_text(MARKUP)
    notebook.kernel("[search.add_trial(0.5), search.add_trial(state=TrialState.FAILED, error=markup)]")
    notebook.kernel("[search.notify('callback', markup), search.set_ranges({markup: (0.25, 0.5)})]")
    expect(panel.locator(".hpo-notices")).to_contain_text(MARKUP)
    dots = panel.locator(".hpo-plot-host .dot")
    # The trial, the mark of the best over it, and the cross.
    expect(dots).to_have_count(3)
    rest(panel)
    for dot in dots.all():
        hover_dot(dot)
        tip = notebook.page.locator(".bqplot_mark_tooltip:visible")
        expect(tip).to_contain_text(MARKUP)
        expect(tip.locator("td").first).to_have_css("text-align", "left")
        # Each mark has a tooltip of its own.
        notebook.page.mouse.move(1, 1)
        expect(tip).to_have_count(0)


@pytest.mark.slow
def test_tabs_of_a_search_that_ended_while_its_panel_was_out_of_view_show_what_is_chosen(notebook):
    panel = notebook.show(PANEL, "print('line\\n' * 200)")
    expect(panel.locator(".hpo-history-host .bqplot")).to_be_visible()
    notebook.page.locator(".jp-Cell").last.evaluate("cell => cell.scrollIntoView({block: 'end'})")
    notebook.page.wait_for_function("document.querySelector('.jp-Cell').style.contentVisibility === 'auto'")
    notebook.kernel("[search.command('start'), search.add_trials([0.5] * 20), search.set_status('completed')] and None")
    expect(panel.locator(".hpo-tabs-host .hpo-tab:empty")).to_have_count(0)
    expect(panel.locator(".bqplot[aria-label='when each worker ran which trials']")).to_have_count(1)
    panel.evaluate("panel => panel.scrollIntoView()")
    panel.get_by_role("tab", name="Timeline").click()
    expect(panel.get_by_role("img", name="when each worker ran which trials")).to_be_visible()
    expect(panel.locator(".hpo-history-host .bqplot")).to_be_hidden()


# In the dark theme too, where test_table.py looks at both.
def test_all_can_be_read(opened, panel):
    opened.kernel("search.command('start')")
    opened.kernel("search.add_trials([0.03 + 0.4 / (1 + number % 37) for number in range(60)])")
    opened.kernel("search.set_ranges({'lr': (0.001, 0.01), 'activation': ('relu', 'tanh')})")
    opened.kernel("search.add_trials([0.04 + 0.1 / (1 + number % 13) for number in range(36)])")
    opened.kernel("[search.add_trial(state=TrialState.FAILED), search.add_trial(state=TrialState.RUNNING)]")
    opened.kernel("search.notify('callback', 'ValueError: something is wrong in the callback of trial 12')")
    expect(panel.get_by_text("96 completed")).to_be_visible()
    expect(panel.locator(".hpo-plot-host text", has_text="space 2")).to_be_visible()
    opened.page.wait_for_timeout(300)
    opened.screenshots_in_both_themes("panel", panel)
    assert unreadable(panel) == {}


def test_a_narrow_page_shows_one_column_and_cuts_nothing_off(opened, panel):
    opened.kernel("search.command('start')")
    opened.kernel("search.add_trials([0.5, 0.25, 0.4])")
    opened.page.set_viewport_size({"width": 1400, "height": 1400})
    for width in (520, 380, 320):
        panel.evaluate(
            "(panel, width) => { panel.style.width = `${width}px`; window.dispatchEvent(new Event('resize')); }", width
        )
        expect(panel.locator(".hpo-plot-host .dot").first).to_be_visible()
        space, plot = panel.locator(".hpo-space").bounding_box(), panel.locator(".hpo-plot-host").first.bounding_box()
        assert plot["y"] >= space["y"] + space["height"] - 1
        # bqplot lays out a figure some time after its size has changed.
        opened.page.wait_for_function(f"panel => ({CUT_OFF})(panel).length === 0", arg=panel.element_handle())
        opened.screenshot(f"panel-narrow-{width}", panel)
