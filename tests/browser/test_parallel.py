"""Parallel coordinates under a person's hand: dragged along an axis, double-clicked, clicked, in both themes."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.looks import assert_looks_right
from tests.browser.notebook import VIEWPORT, rest
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of(
    """[
        LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5),
        UniformIntegerParameterRange("layers", 1, 6), DiscreteParameterRange("batch", [32, 64, 128, 256, 512]),
        DiscreteParameterRange("activation", ["relu", "tanh", "<b>logistic</b>" * 10]),
    ],
    name="digits", jobs=400, wall_minutes=5,""",
    """
random.seed(1)
search.command("start")
for number in range(300):
    point = {
        "lr": 10 ** random.uniform(-4, -1), "dropout": random.random() / 2, "layers": random.randint(1, 6),
        "batch": random.choice([32, 64, 128, 256, 512]), "activation": random.choice(["relu", "tanh"]),
    }
    failed = point["batch"] > 128 and random.random() < 0.1
    value = 0.03 + (point["dropout"] - 0.15) ** 2 + point["lr"] * random.uniform(1, 2)
    search.add_trial(None if failed else value, point, state=TrialState.FAILED if failed else TrialState.COMPLETED)
""",
    panel=", plots=['History', 'Slices', 'Parallel']",
)


@pytest.fixture
def panel(run_anew):
    """A new panel of a running search, in the page that the tests of this module share."""
    shown = run_anew.panel()
    expect(shown.locator(".hpo-pill")).to_have_text("●running")
    return shown


@pytest.fixture
def parallel(run_anew, panel):
    """The figure of a new panel, in front."""
    panel.get_by_role("tab", name="Parallel").click()
    run_anew.kernel("globals().update(plot=widget.plots['Parallel'])")
    figure = panel.locator(".hpo-parallel-host .bqplot")
    expect(figure.locator("text.label", has_text="dropout")).to_be_visible()
    figure.scroll_into_view_if_needed()
    rest(figure)
    # The size of the figure is told then, for which it is drawn once more.
    run_anew.wait_kernel("plot._refresher.flow.plot_size('plot') is not None and plot._refresher.flow.is_acknowledged")
    rest(figure)
    return figure


def spot(figure, axis, share):
    """Where on the page a place of one of the six axes is."""
    area = figure.locator(".plotarea_events").bounding_box()
    across, up = (axis + 0.2) / 5.4, (share + 0.03) / 1.06
    return area["x"] + across * area["width"], area["y"] + (1 - up) * area["height"]


def drag_along(figure, axis, low, high):
    mouse = figure.page.mouse
    x, y = spot(figure, axis, low)
    mouse.move(x - 4, y)
    mouse.down()
    mouse.move(*spot(figure, axis, high), steps=6)
    mouse.up()


def test_a_drag_along_an_axis_filters_and_a_double_click_clears(run_anew, panel, parallel):
    notebook, legend = run_anew, panel.locator(".hpo-parallel-host ~ * .hpo-key")
    expect(legend).to_contain_text("completed")
    drag_along(parallel, 1, 0.2, 0.6)
    notebook.wait_kernel("'dropout' in widget.filter.within")
    low, high = notebook.kernel("list(widget.filter.within['dropout'])")
    assert abs(low - 0.081) < 0.02, low
    assert abs(high - 0.305) < 0.02, high
    assert notebook.kernel("dict(widget.box) == {'dropout': tuple(widget.filter.within['dropout'])}")
    expect(legend).to_contain_text("pass the filter")
    assert notebook.kernel("widget.selected") == []
    ends = parallel.locator('text.label[style*="--hpo-accent"]')
    expect(ends).to_have_count(2)
    expect(ends.nth(1)).to_have_text(
        notebook.kernel(f"__import__('hpo_widgets.widget.text').widget.text.number({high})")
    )
    # An axis of choices, which is cleared again.
    rest(parallel)
    drag_along(parallel, 3, 0.05, 0.55)
    notebook.wait_kernel("dict(widget.filter.within).get('batch') == (32, 64, 128)")
    expect(panel.locator(".hpo-filter-chip", has_text="batch 32, 64, 128")).to_be_visible()
    rest(parallel)
    # The first click selects a trial, whose details are where the axis was by the second one.
    details = panel.locator(".hpo-details")
    mouse, at = parallel.page.mouse, spot(parallel, 3, notebook.kernel("plot._places(plot._best()).tolist()[0][3]"))
    mouse.click(*at)
    expect(details).to_be_visible()
    rest(parallel)
    box = details.bounding_box()
    assert box["x"] < at[0], "the details lie where the click was"
    mouse.down(click_count=2)
    mouse.up(click_count=2)
    notebook.wait_kernel("set(widget.filter.within) == {'dropout'} and set(widget.box) == {'dropout'}")
    assert notebook.kernel("widget.selected") == []
    expect(ends).to_have_count(2)
    expect(details).to_be_hidden()
    rest(parallel)
    mouse.dblclick(*spot(parallel, 1, 0.9))
    notebook.wait_kernel("widget.filter.is_empty and not widget.box and widget.selected == []")
    expect(ends).to_have_count(0)
    expect(legend).not_to_contain_text("pass the filter")


def test_a_drag_straight_along_an_axis_filters_too(run_anew, panel, parallel):
    mouse = run_anew.page.mouse
    mouse.move(*spot(parallel, 1, 0.2))
    mouse.down()
    mouse.move(*spot(parallel, 1, 0.6), steps=6)
    mouse.up()
    run_anew.wait_kernel("'dropout' in widget.filter.within", deadline=20)
    ends = run_anew.kernel("list(widget.filter.within['dropout'])")
    assert ends == [pytest.approx(0.1, abs=0.02), pytest.approx(0.3, abs=0.02)]


@pytest.mark.slow
def test_a_click_on_a_line_selects_its_trial_everywhere_and_a_new_trial_is_drawn_as_text(run_anew, panel, parallel):
    place = run_anew.kernel("plot._drawing._best.y.tolist()[0]")
    parallel.page.mouse.click(*spot(parallel, 5, place))
    run_anew.wait_kernel("widget.selected == [search.best_trial.number] == widget.plots['History'].selected")
    expect(panel.locator(".hpo-details")).to_be_visible()  # which leaves the figure less room, in height too
    rest(parallel)
    parallel.page.mouse.click(*spot(parallel, 0, -0.02))
    run_anew.wait_kernel("widget.selected == []")
    run_anew.kernel("search.add_trial(0.01)")
    expect(parallel.locator("text.label", has_text="#300")).to_be_visible()
    expect(parallel.locator("text.label", has_text="<b>")).to_have_count(1)
    expect(parallel.locator("b")).to_have_count(0)


@pytest.mark.slow
def test_parallel_coordinates_are_looked_at_in_both_themes_wide_and_narrow(run_anew, panel, parallel):
    drag_along(parallel, 1, 0.2, 0.6)
    run_anew.wait_kernel("'dropout' in widget.filter.within")
    run_anew.page.set_viewport_size({"width": 1900, "height": 1400})
    for dark in (False, True):
        run_anew.use_theme(dark=dark)
        for width in (1400, 600):
            run_anew.set_panel_width(width)
            run_anew.screenshot(f"parallel-{'dark' if dark else 'light'}-{width}", panel)
            assert_looks_right(panel)
    run_anew.use_theme(dark=False)
    run_anew.page.set_viewport_size(VIEWPORT)
    assert run_anew.complaints() == []


MANY = panel_of(
    "[UniformParameterRange(f'parameter_{number}', 0.0, 1.0) for number in range(12)], jobs=400",
    """
search.command("start")
for number in range(40):
    search.add_trial(number / 40, {f"parameter_{place}": (number * (place + 1) % 41) / 41 for place in range(12)})
""",
    panel=", plots=['Parallel', 'History']",
)


@pytest.mark.slow
def test_a_shadow_hints_at_axes_beyond_the_edge_until_they_are_scrolled_to(notebook):
    notebook.show(MANY)
    notebook.use_theme(dark=False)
    notebook.set_panel_width(900)
    panel = notebook.panel()
    host = panel.locator(".hpo-parallel-host")
    expect(host.locator("text.label", has_text="_11")).to_be_attached()
    host.scroll_into_view_if_needed()
    assert host.evaluate("host => host.scrollWidth > host.clientWidth + 100")
    assert edges(host) == (False, True)
    names = [name.bounding_box() for name in host.locator("text.label", has_text=re.compile(r"^par.*_\d+$")).all()]
    ends = sorted((box["x"], box["x"] + box["width"]) for box in names)
    assert len(ends) == 12
    assert min(left - right for (_, right), (left, _) in pairwise(ends)) > 1
    notebook.screenshots_in_both_themes("parallel-many", panel)
    host.evaluate("host => { host.scrollLeft = 100; }")
    assert edges(host) == (True, True)
    host.evaluate("host => { host.scrollLeft = host.scrollWidth; }")
    assert edges(host) == (True, False)


def edges(host):
    """Whether there is a shadow at the left and at the right edge, in the empty row above the axes."""
    rest(host)
    row = Image.open(io.BytesIO(host.screenshot())).convert("L").crop((0, 3, int(host.bounding_box()["width"]), 4))
    lightest = max(row.tobytes())
    return tuple(row.getpixel((x, 0)) < lightest - 10 for x in (1, row.width - 2))
