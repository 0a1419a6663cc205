"""Every state of a search in both plots and both themes: each trial drawn, each label whole, each point clicked."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import rest
from tests.browser.scripted import MARKUP

pytestmark = pytest.mark.browser

NOTEBOOK = """
import math
import ipywidgets
from hpo_widgets.parameters import *
from hpo_widgets.search import StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

host = ipywidgets.VBox()

def begin(*parameters, **names):
    global search
    search = ScriptedSearch(parameters or None, **{"name": "digits", "jobs": 200, "wall_minutes": 5, **names})
    search.command("start")
    search.advance(72)

def fill():
    search.add_trials([0.03 + 0.4 / (1 + number * 7919 % 37) for number in range(60)])
    search.set_ranges({"lr": (0.001, 0.01), "activation": ("relu", "tanh")})
    search.add_trials([0.04 + 0.2 / (1 + number * 7919 % 13) for number in range(36)])
    search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN at epoch 3")
    search.add_trial(0.3, state=TrialState.PRUNED)
    search.add_trial(0.2, state=TrialState.ABORTED)

def show():
    global widget
    for old in host.children:
        old.search.set_status("stopped")
        old.close()
    widget = OptimizerWidget(search)
    host.children = [widget]

host
"""
NAMES = [MARKUP, "🙂 سرعة التعلم", "a" * 70, "Args/lr", "General/lr"]


@dataclass(frozen=True)
class State:
    """A state of a search: how it comes about in the kernel, and what is to be seen of it."""

    script: str
    pill: str = "●running"
    dots: int = 0
    figures: int = 4


STATES = {
    "before-start": State("search.set_status('idle')", "○idle"),
    "running": State("fill(); search.add_trial(state=TrialState.RUNNING)", dots=100),
    "paused": State("fill(); search.command('pause')", "❚❚paused", dots=100),
    "stopped": State("fill(); search.command('stop')", "■stopped", dots=100),
    "completed": State(
        "fill(); search.set_status('completed', StopReason('total_max_jobs', 'All 99 trials have been run.'))",
        "✓completed",
        dots=100,
    ),
    "all-failed": State(
        "[search.add_trial(state=TrialState.FAILED, error='ValueError: no') for _ in range(10)];"
        "search.set_status('failed', StopReason('max_failures', '10 trials in a row have failed.'))",
        "✕failed",
        dots=10,
    ),
    "one-trial": State("search.add_trial(0.0364)", dots=2),
    "all-equal": State("search.add_trials([0.25] * 30)", dots=31),
    "extreme": State("search.add_trials([10.0 ** exponent for exponent in range(-300, 301, 25)])", dots=26),
    "infinite": State("search.add_trials([math.inf, -math.inf, math.nan, 0.5, 0.7] * 3)", dots=16),
    "odd-names": State(
        f"begin(*(UniformParameterRange(name, 0.0, 1.0) for name in {NAMES}),"
        f"DiscreteParameterRange('choice', [{MARKUP!r}, 'ب' * 40, '🙂', None, 'None', 'x' * 300]),"
        f"name={MARKUP!r}, titles={MARKUP!r}, series='🙂 خسارة');"
        "search.add_trials([0.5, 0.25, 1.0] * 10);"
        f"search.add_trial(state=TrialState.FAILED, error={MARKUP!r})",
        dots=32,
        figures=6,
    ),
    "64-parameters": State(
        "begin(*(UniformParameterRange(f'layer {index}/dropout', 0.0, 1.0) for index in range(64)));"
        "search.add_trials([0.5, 0.25, 1.0] * 10)",
        dots=31,
        figures=12,
    ),
}


IN_BOTH_THEMES = ("running", "odd-names")


@pytest.fixture(scope="module")
def opened(pages):
    with pages.lend() as page:
        page.show(NOTEBOOK)
        page.page.set_viewport_size({"width": 1400, "height": 2200})
        yield page


@pytest.fixture
def show(opened):
    """Show a new search, after a script has brought it into a state; gives its panel."""

    def shown(script, pill="●running"):
        opened.console_errors.clear()
        opened.kernel(f"exec({'begin(); ' + script + '; show()'!r})")
        expect(opened.panel().locator(".hpo-pill")).to_have_text(pill)
        return opened.panel()

    return shown


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name != "running" else ()) for name in STATES]
)
def test_each_state_is_drawn_whole(opened, show, name):
    state = STATES[name]
    panel = show(state.script, state.pill)
    history, slices = (
        panel.locator(".hpo-plot-host").first.locator(".bqplot"),
        panel.locator(".hpo-slices-grid .bqplot"),
    )
    # The theme of the state before first: to change it is what takes longest, and where labels lie depends on none.
    is_dark = opened.page.locator("body[data-jp-theme-light=false]").count() == 1
    for dark in (is_dark, not is_dark) if name in IN_BOTH_THEMES else (is_dark,):
        opened.use_theme(dark=dark)
        for tab, figures, number in (("History", history, 1), ("Slices", slices, state.figures)):
            panel.get_by_role("tab", name=tab).click()
            expect(figures).to_have_count(number)
            for figure in figures.all():
                expect(figure.locator(".dot")).to_have_count(state.dots)
            expect(figures.last).to_be_visible()
            opened.page.mouse.move(5, 5)
            opened.screenshot(f"state-{name}-{tab.lower()}-{'dark' if dark else 'light'}", panel)
            # What is behind the other tab is hidden, and not measured.
            rest(panel)
            assert panel.evaluate(BROKEN) == [], tab
            assert panel.evaluate(MISPLACED_TEXTS) == [], tab


# What a browser cannot place.
BROKEN = r"""
panel => [...panel.querySelectorAll('.bqplot *')]
  .filter(node => [...node.attributes].some(({name, value}) => name !== 'class' && /NaN|Infinity/.test(value)))
  .map(node => node.outerHTML.slice(0, 200))
"""

# Texts of plots that are not whole inside their figure, and ticks that lie on each other.
MISPLACED_TEXTS = """
panel => {
  const lieOnEachOther = (one, other) => one.left < other.right && other.left < one.right &&
                                         one.top < other.bottom && other.top < one.bottom;
  const found = [];
  for (const figure of panel.querySelectorAll('.bqplot')) {
    const frame = figure.getBoundingClientRect();
    if (getComputedStyle(figure).visibility === 'hidden') continue;
    const plot = figure.querySelector('.plotarea_background').getBoundingClientRect();
    for (const label of figure.querySelectorAll('text.label')) {
      const box = label.getBoundingClientRect();
      const isClipped = label.closest('[clip-path]');
      const {left, right} = isClipped ? plot : frame;
      if (box.width && (box.left < left || box.right > right)) found.push([label.textContent, 'cut off']);
      const ticks = isClipped ? [] : [...figure.querySelectorAll('.axis text')];
      if (ticks.some(tick => lieOnEachOther(box, tick.getBoundingClientRect()))) {
        found.push([label.textContent, 'on another']);
      }
    }
    for (const axis of figure.querySelectorAll('.axis')) {
      const texts = [...axis.querySelectorAll('text')].filter(text => text.textContent);
      const boxes = texts.map(text => text.getBoundingClientRect());
      boxes.forEach((box, index) => {
        const isWhole = box.left >= frame.left - 1 && box.right <= frame.right + 1 &&
                        box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
        const lies = boxes.slice(0, index).some(other => lieOnEachOther(box, other));
        if (!isWhole || lies) found.push([texts[index].textContent, isWhole ? 'on another' : 'cut off']);
      });
    }
  }
  return found;
}
"""


def places(opened, plot):
    """Where the points of a plot are on the screen, and in values, by the number of their trial; when it rests."""
    found = None
    while found != (found := plot.evaluate(PLACES)):
        opened.page.wait_for_timeout(100)
    return {int(number): place for number, place in found.items()}


PLACES = """
plot => {
  const found = {};
  for (const dot of plot.querySelectorAll('.dot')) {
    const {x, y, name} = dot.__data__;
    const box = dot.getBoundingClientRect();
    // A point of Slices is named by its trial, one of History stands at its number.
    const number = parseInt(plot.closest('.hpo-slices-grid') ? name : x);
    found[number] = [box.x + box.width / 2, box.y + box.height / 2, x, y];
  }
  return found;
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("tab", ["History", "Slices"])
def test_a_click_on_a_point_selects_its_trial_and_another_none(opened, show, tab):
    panel = show(
        "search.add_trials([0.2, 0.8, 0.4, 0.6]);"
        "search.add_trial(0.5, state=TrialState.PRUNED); search.add_trial(state=TrialState.FAILED)"
    )
    panel.get_by_role("tab", name=tab).click()
    host = panel.locator(".hpo-plot-host" if tab == "History" else ".hpo-slices-grid").first
    plot = host.locator(".bqplot").last
    expect(plot.locator(".dot")).to_have_count(7)
    plot.scroll_into_view_if_needed()
    tip = opened.page.locator(".bqplot_mark_tooltip:visible tr").first
    # Where across the panel a plot stands, and how wide it is drawn.
    drawn = "plot => (({x, width}) => `${x} ${width}`)(plot.querySelector('.plotarea_events').getBoundingClientRect())"
    alone = plot.evaluate(drawn)
    # Completed ones, the best with the mark that lies over it, a pruned and a failed one.
    for number in (1, 2, 0, 4, 5):
        x, y, *_ = places(opened, plot)[number]
        opened.page.mouse.move(x, y)
        expect(tip).to_have_text(re.compile(rf"trial{number}( \w+)?"))
        opened.page.mouse.click(x, y)
        everywhere = "[widget.selected, widget.plots['History'].selected, widget.plots['Slices'].selected]"
        opened.wait_kernel(f"{everywhere} == [[{number}]] * 3")
        expect(panel.locator(".hpo-details")).to_contain_text(f"#{number}")
        # The details stand beside the plots, which are drawn again for what is left of the width.
        opened.page.wait_for_function(
            f"([plot, alone]) => ({drawn})(plot) !== alone", arg=[plot.element_handle(), alone]
        )
        plot.scroll_into_view_if_needed()
    x, y, *_ = places(opened, plot)[5]
    opened.page.mouse.click(x, y)
    opened.wait_kernel("widget.selected == []")


@pytest.mark.slow
def test_of_20000_trials_a_click_selects_the_nearest_old_one_and_the_page_keeps_up(opened, show, request):
    # A page that is silent for longer than this gets updates all the same, as it may have gone.
    module = "vars(__import__('sys').modules['hpo_widgets.widget.sync.flow'])"
    patience = opened.kernel(f"{module}['_PATIENCE']")
    opened.kernel(f"{module}.update(_PATIENCE=600)")
    request.addfinalizer(lambda: opened.kernel(f"{module}.update(_PATIENCE={patience})"))
    panel = show("None")
    opened.kernel("search.add_trials([1 + (number * 7919 % 1000) / 1000 for number in range(20000)])")
    plot = panel.locator(".hpo-plot-host").first.locator(".bqplot")
    expect(panel.get_by_role("button", name="20000 completed")).to_be_visible()
    flow = "widget._refresher.flow"
    opened.wait_kernel(f"{flow}.is_acknowledged")
    # The newest are points: they tell where on the screen any trial is.
    (x0, y0, *first), *_, (x1, y1, *last) = sorted(places(opened, plot).values())
    value = opened.kernel("search.trial(700).value")
    x = x0 + (700 - first[0]) / (last[0] - first[0]) * (x1 - x0)
    y = y0 + (value - first[1]) / (last[1] - first[1]) * (y1 - y0)
    opened.page.mouse.click(x, y)
    (number,) = opened.wait_kernel("widget.selected")
    # A pixel is some thirty trials wide.
    assert abs(number - 700) < 100
    assert opened.kernel(f"search.trial({number}).value") == pytest.approx(value, abs=0.01)
    opened.screenshot("state-20000-selected", panel)
    for number in range(20):
        opened.kernel(f"search.add_trial(1.5 + {number} / 100)")
        opened.page.wait_for_timeout(50)
    expect(panel.get_by_role("button", name="20020 completed")).to_be_visible()
    # Never more than two updates are under way, so nothing queues up.
    assert opened.kernel(f"{flow}.view.sent - {flow}.view.seen") <= 2
    opened.wait_kernel(f"{flow}.is_acknowledged")
    opened.screenshot("state-20000-followed", panel)


@pytest.mark.slow
def test_in_a_narrow_view_plots_are_whole_too(opened, show):
    panel = show("fill()")
    for width in (520, 340):
        panel.evaluate(
            "(panel, width) => { panel.style.width = `${width}px`; dispatchEvent(new Event('resize')); }", width
        )
        for tab in ("History", "Slices"):
            panel.get_by_role("tab", name=tab).click()
            figure = panel.locator(".hpo-plot-host .bqplot" if tab == "History" else ".hpo-slices-grid .bqplot").first
            expect(figure.locator(".dot")).to_have_count(100)
            expect(figure).to_be_visible()
            assert figure.bounding_box()["width"] <= width
            assert len(places(opened, figure)) == 99
            opened.screenshot(f"state-narrow-{width}-{tab.lower()}", panel)
            rest(panel)
            assert panel.evaluate(MISPLACED_TEXTS) == []
