"""What axe-core finds in the panel: nothing serious, in whatever state and theme."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.looks import AXE, faults
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of()
BUSY = """
search.command("start")
search.add_trials([0.03 + 0.4 / (1 + number % 37) for number in range(30)])
search.set_ranges({"lr": (1e-8, 0.01), "activation": ("relu", "tanh")})
search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN")
search.add_trial(0.3, state=TrialState.PRUNED)
search.add_trial(0.2, state=TrialState.RUNNING)
search.report(0, [0.5, 0.4])
search.notify("callback", "the callback raised KeyError")
"""
ASKED = """
widget.filter = {"states": ["completed"], "within": {"dropout": (0.04, 0.4)}}
widget.box, widget.point = {"lr": (1e-4, 1e-3), "activation": ("relu",)}, {"lr": 0.001}
"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_state_of_the_panel_has_a_serious_fault(notebook, dark):
    notebook.open(PANEL)
    notebook.use_theme(dark=dark)
    notebook.run_all()
    panel, page = notebook.panel(), notebook.page
    expect(panel.get_by_role("slider").first).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert faults(panel, dark=dark) == [], "before the start"

    notebook.kernel(f"exec({BUSY!r})")
    expect(panel.locator(".hpo-notices li")).to_have_count(1)
    expect(panel.get_by_role("img", name="validation / loss of each trial in order")).to_be_visible()
    assert faults(panel, dark=dark) == [], "running"
    panel.get_by_role("tab", name="Slices").click()
    for name in ("lr", "dropout", "layers", "activation"):
        expect(panel.get_by_role("img", name=f"validation / loss of each trial against {name}")).to_be_attached()
    assert faults(panel, dark=dark) == [], "slices"
    # From here on another tab is all that changes; what is beside it is looked at again below.
    tabs = panel.locator(".hpo-tabs-host")
    for tab in ("Parallel", "Map", "Curves", "Importance", "Distribution", "Timeline"):
        panel.get_by_role("tab", name=tab).click()
        expect(panel.locator(".bqplot:visible")).to_have_count(1)
        assert faults(tabs, dark=dark) == [], tab
        numbers = tabs.get_by_role("button", name="numbers", expanded=False).filter(visible=True)
        numbers.click()
        table = tabs.get_by_role("table", name=f"Numbers of {tab}")
        expect(table.get_by_role("rowheader").first).to_be_visible()
        assert faults(tabs, dark=dark) == [], f"numbers of {tab}"
        notebook.screenshot(f"numbers-{tab.lower()}-{'dark' if dark else 'light'}", panel)
        table.press("Escape")
        expect(table).to_be_hidden()

    notebook.kernel("setattr(widget, 'selected', [30])")
    expect(panel.get_by_role("region", name="Details of trial 30")).to_be_visible()
    panel.get_by_role("button", name="Wait").click()
    expect(panel.get_by_role("button", name="Stop waiting")).to_be_visible()
    assert faults(panel, dark=dark) == [], "details, and waiting"
    ids = panel.evaluate("panel => [...panel.querySelectorAll('[id^=hpo-]')].map(({id}) => id)")
    assert len(ids) > 8
    assert len(ids) == len(set(ids))

    notebook.kernel(f"exec({ASKED!r})")
    expect(panel.get_by_role("form", name="Try this point")).to_be_visible()
    panel.get_by_role("button", name="+ filter").click()
    expect(panel.get_by_role("form", name="Filter by")).to_be_visible()
    assert faults(panel, dark=dark) == [], "filter, box and point"

    notebook.restart()
    expect(panel.get_by_text("Not connected any more")).to_be_visible()
    assert faults(panel, dark=dark) == [], "disconnected"
    notebook.screenshot(f"accessibility-disconnected-{'dark' if dark else 'light'}", panel)


# How wide the ring of each control in view is when a key brings the focus there; a row has one made of its cells.
RINGS = """panel => Object.fromEntries(
  [...panel.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
    .filter(control => control.checkVisibility({ visibilityProperty: true }) && !control.matches('tr'))
    .map(control => {
      control.focus({ preventScroll: true });
      const { outlineStyle, outlineWidth } = getComputedStyle(control);
      const name = control.getAttribute('aria-label') || control.textContent;
      return [name, `${outlineWidth} ${outlineStyle}`];
    }))"""


@pytest.mark.parametrize("tab", ["Map", "Curves"])
def test_whatever_has_the_focus_has_a_ring_also_what_ipywidgets_gave_none(notebook, tab):
    panel = notebook.show(PANEL)
    notebook.kernel("[search.add_trials([0.3, 0.2, 0.1]), search.report(0, [0.5, 0.4])] and None")
    panel.get_by_role("tab", name=tab).click()
    expect(panel.locator(".hpo-plot-controls select:visible").first).to_be_visible()
    notebook.page.keyboard.press("Tab")
    rings = panel.evaluate(RINGS)
    assert len(rings) > 20
    assert {name: ring for name, ring in rings.items() if ring != "2px solid"} == {}
