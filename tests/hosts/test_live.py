"""A panel is live in each host: it starts, is steered and follows, and its page has nothing to complain of."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, drag

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PANEL = """
import time
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

def train(x, y):
    time.sleep(0.05)
    return (x - 0.3) ** 2 + y

optimizer = HyperParameterOptimizer(
    train,
    [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)],
    optimizer_class=RandomSearch, max_number_of_concurrent_tasks=1, total_max_jobs=2000, seed=1, name="hosted",
)
widget = OptimizerWidget(optimizer)
widget
"""
# Notebook 7 says so by itself when a page is loaded, without this package too.
OF_THE_HOST = "Cannot read properties of undefined (reading 'schema')"


def complaints(page):
    is_notebook_7 = page.lab.opens == "notebooks"
    return [said for said in page.complaints() if not (is_notebook_7 and said == OF_THE_HOST)]


# In JupyterLab tests of tests/browser do all of this.
@pytest.mark.parametrize("host", ["notebook"], indirect=True)
def test_a_panel_is_started_and_steered(page):
    panel = page.show(PANEL)
    button(panel, "Start").click()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    expect(panel.locator(".hpo-history-host .dot").nth(3)).to_be_attached()
    # A handle of a range: what comes next lies above it.
    lower = panel.get_by_role("slider", name="x, lower end")
    drag(lower, 120)
    page.page.mouse.up()
    page.wait_kernel("len(optimizer.epochs) == 2")
    expect(panel.locator(".hpo-plot-host text", has_text="space 2: x")).to_be_visible()
    page.wait_kernel("len(optimizer.snapshot()) > optimizer.epochs[1].first_number + 5")
    low, steered = page.kernel(
        "[optimizer.space.ranges['x'][0], [float(x) for s in [optimizer.snapshot()]"
        " for n, x in zip(s.numbers, s.parameters['x']) if n >= optimizer.epochs[1].first_number]]"
    )
    assert low > 0.05
    assert min(steered) >= low
    button(panel, "Pause").click()
    expect(panel.locator(".hpo-pill")).to_have_text("❚❚paused")
    kind = page.lab.opens.split("/", maxsplit=1)[0]
    page.screenshot(f"live-{kind}")
    # The list of searches is at the side of both.
    page.command("hpo-widgets:open-search-panel")
    listed = page.page.locator(".hpo-side .hpo-entry").filter(has_text="hosted")
    expect(listed.locator(".hpo-pill")).to_have_text("❚❚paused")
    listed.get_by_role("button", name="Open hosted").click()
    expect(page.page.locator(".hpo-search-tab .hpo-pill")).to_have_text("❚❚paused")
    page.screenshot(f"live-{kind}-list")
    listed.get_by_role("button", name="Stop hosted").click()
    expect(listed.locator(".hpo-pill")).to_have_text("■stopped")
    assert complaints(page) == []
