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


# What stands beside a plot and is cut off less than a ring's width from it, which is 4 px with its distance.
CUT_RINGS = """panel => [...panel.querySelectorAll('.hpo-plot-controls :is(input, button, select)')]
  .filter(control => control.checkVisibility({ visibilityProperty: true }))
  .filter(control => {
    const ring = control.getBoundingClientRect();
    for (let at = control.parentElement; at !== panel; at = at.parentElement) {
      const box = at.getBoundingClientRect();
      const isClose = Math.min(ring.left - box.left, box.right - ring.right, ring.top - box.top) < 4;
      if (isClose && getComputedStyle(at).overflowX !== 'visible') return true;
    }
  })
  .map(control => control.outerHTML.slice(0, 120))"""


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
    assert panel.evaluate(CUT_RINGS) == []


# Font sizes of what has text of its own, but for plots, whose margins are in pixels.
SIZES = """panel => [...panel.querySelectorAll('.hpo-part *')]
  .filter(node => node instanceof HTMLElement && node.offsetParent && !node.closest('.bqplot, .hpo-ramp-host'))
  .filter(node => node.matches('input:not([type="checkbox"])') ||
    [...node.childNodes].some(child => child.nodeName === '#text'))
  .map(node => parseFloat(getComputedStyle(node).fontSize))"""
GROW = "size => document.documentElement.style.setProperty('--jp-ui-font-size1', size)"
# What of the panel is beyond its sides, has text that it cuts off, or lies over something else that is read or pressed.
OUT_OF_PLACE = """panel => {
  const isText = node => node.nodeName === '#text' && node.textContent.trim();
  const seen = [...panel.querySelectorAll('.hpo-part *')].filter(node =>
    node instanceof HTMLElement && node.checkVisibility({ visibilityProperty: true }) &&
    !node.closest('.bqplot, .hpo-hidden, .hpo-track, .hpo-table-scroll, .hpo-ramp-host, .lm-mod-hidden, option'));
  const controls = 'button, summary, input, select, .hpo-pill, .hpo-badge, .hpo-chip, .hpo-filter-chip';
  const read = seen.filter(node => node.matches(controls) || [...node.childNodes].some(isText));
  const frame = panel.getBoundingClientRect();
  const found = [];
  const say = (fault, ...nodes) => found.push([fault, ...nodes.map(node => node.outerHTML.slice(0, 120))].join(' '));
  for (const node of seen) {
    const box = node.getBoundingClientRect();
    if (box.width && (box.right > frame.right + 1 || box.left < frame.left - 1)) say('beyond', node);
    const isCut = node.scrollHeight > node.clientHeight + 1 || node.scrollWidth > node.clientWidth + 1;
    if (node.matches(controls) && getComputedStyle(node).display !== 'inline' && isCut) say('cut off', node);
  }
  for (const [place, node] of read.entries()) {
    for (const other of read.slice(place + 1).filter(other => !node.contains(other) && !other.contains(node))) {
      for (const a of node.getClientRects()) {
        for (const b of other.getClientRects()) {
          const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (width > 5 && height > 3) say('over', node, other);
        }
      }
    }
  }
  return found;
}"""


def test_text_is_as_large_as_jupyterlab_is_told_and_nothing_is_out_of_place_then(notebook):
    panel = notebook.show(PANEL)
    notebook.page.set_viewport_size({"width": 1700, "height": 1400})
    notebook.kernel(f"exec({BUSY!r})")
    notebook.kernel(f"exec({ASKED!r})")
    expect(panel.get_by_role("form", name="Try this point")).to_be_visible()
    before = panel.evaluate(SIZES)
    row = panel.locator(".hpo-table tbody tr:visible").first
    height = row.evaluate("row => row.offsetHeight")
    assert set(before) >= {11, 12, 13}
    try:
        for size in (13, 16, 17):
            notebook.page.evaluate(GROW, f"{size}px")
            after = panel.evaluate(SIZES)
            assert {one - size for one in after} == {one - 13 for one in before}
            assert row.evaluate("row => row.offsetHeight") == height + size - 13
            for width in (360, 700, 930, 1100):
                notebook.set_panel_width(width)
                assert panel.evaluate(OUT_OF_PLACE) == [], (size, width)
                notebook.screenshot(f"letters-{size}-{width}", panel)
    finally:
        notebook.page.evaluate(GROW, "13px")


def test_tabs_of_plots_and_the_button_that_swaps_axes_say_what_they_are(notebook):
    panel = notebook.show(PANEL)
    notebook.kernel("search.add_trials([0.3, 0.2, 0.1])")
    expect(panel.get_by_role("tablist", name="Plots")).to_be_visible()
    for tab in ("History", "Map"):
        panel.get_by_role("tab", name=tab).click()
        shown = panel.get_by_role("tabpanel", name=tab)
        expect(shown.get_by_role("img").first).to_be_visible()
    swap = shown.get_by_role("button", name="swap x and y")
    expect(swap).to_have_text("⇄")
    retry = panel.locator(".hpo-retry-failed")
    expect(retry).to_be_hidden()
    assert retry.text_content() == ""


# How a colour of the system, or one of CSS, is told by the page.
COLOUR = """colour => {
  const probe = document.body.appendChild(document.createElement('p'));
  probe.style.cssText = `forced-color-adjust: none; color: ${colour}`;
  const told = getComputedStyle(probe).color;
  probe.remove();
  return told;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_colours_of_the_system_numbers_of_axes_the_chosen_row_and_text_buttons_are_clear(notebook, scheme):
    page, panel = notebook.page, notebook.show(PANEL)
    notebook.kernel(f"exec({BUSY!r})")
    page.emulate_media(forced_colors="active", color_scheme=scheme)
    try:
        canvas, text, chosen = (page.evaluate(COLOUR, name) for name in ("Canvas", "CanvasText", "Highlight"))
        # Whatever the theme of JupyterLab is, which is light here.
        expect(panel.locator(".bqplot:visible .tick text").first).to_have_css("fill", text)
        expect(panel.locator(".bqplot:visible .axislabel").first).to_have_css("fill", text)
        label = panel.locator(".bqplot:visible text.label[style*='--hpo-accent']").first
        expect(label).to_have_css("fill", page.evaluate(COLOUR, "LinkText"))
        row = panel.locator(".hpo-table tbody tr").first
        row.click()
        expect(row).to_have_attribute("aria-selected", "true")
        expect(row.locator("td").last).to_have_css("background-color", chosen)
        # What is see-through would be darker where it is twice.
        behind = row.evaluate(
            "row => [...row.querySelectorAll('td *, th *')].map(node => getComputedStyle(node).backgroundColor)"
        )
        assert set(behind) == {"rgba(0, 0, 0, 0)"}
        words = panel.locator(".hpo-counts .hpo-typed-button")
        page.mouse.move(0, 0)
        for index in range(words.count()):
            expect(words.nth(index)).to_have_css("border-top-color", canvas)
        toggle, badge = (panel.locator(one).first for one in (".hpo-prior-toggle", ".hpo-badge"))
        assert toggle.bounding_box()["x"] >= badge.evaluate("badge => badge.getBoundingClientRect().right")
        rail = "node => getComputedStyle(node, '::before').backgroundColor"
        assert panel.locator(".hpo-rail").first.evaluate(rail) == page.evaluate(COLOUR, "GrayText")
        expect(panel.locator(".hpo-fill").first).to_have_css("background-color", chosen)
        notebook.screenshot(f"forced-colours-{scheme}", panel)
    finally:
        page.emulate_media(forced_colors="none", color_scheme="light")
