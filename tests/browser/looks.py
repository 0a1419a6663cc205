"""How a panel looks: that each text can be read, that nothing is cut off, and that axe-core finds nothing serious."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from tests.browser.notebook import VIEWPORT, rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

AXE = pathlib.Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
# Contrast of each text of the panel with what is behind it, as WCAG defines it.
CONTRASTS = """
panel => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const node of panel.querySelectorAll('*')) {
    if (!(node instanceof HTMLElement) || node.matches('option, style, script')) continue;
    const own = [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE);
    const isField = node.matches('input, textarea');
    const text = isField ? node.value : own.map(child => child.textContent).join('');
    if (!text.trim() || !node.offsetParent || node.closest('[aria-disabled=true]')) continue;
    if (getComputedStyle(node).visibility === 'hidden') continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    found[text.trim()] = Math.min(found[text.trim()] ?? Infinity, (a + 0.05) / (b + 0.05));
  }
  return found;
}
"""
# What of the panel is beyond its right edge, but for what is hidden, may be scrolled to, or is clipped as a drawing is.
CUT_OFF = """
panel => [...panel.querySelectorAll('.hpo-part *')].filter(node =>
  node.offsetParent && getComputedStyle(node).visibility === 'visible' &&
  !node.closest('svg, .hpo-hidden, .hpo-track, .hpo-table-scroll') &&
  node.getBoundingClientRect().right > panel.getBoundingClientRect().right + 1
).map(node => node.outerHTML.slice(0, 200))
"""

# Of the text of the axes of a figure: names beyond its edge, names that read alike, and text that lies on a number.
MISPLACED = """figure => {
  const box = node => node.getBoundingClientRect();
  const frame = box(figure);
  const labels = [...figure.querySelectorAll(".axis text.axislabel")].filter(label => label.textContent);
  const numbers = [...figure.querySelectorAll(".axis .tick text")].filter(
    number => getComputedStyle(number).visibility === "visible" && number.textContent);
  const isOutside = node => box(node).left < frame.left - 1 || box(node).right > frame.right + 1
    || box(node).top < frame.top - 1 || box(node).bottom > frame.bottom + 1;
  const shown = labels.map(label => label.firstChild.nodeValue);
  const meet = (a, b) => a !== b && box(a).left < box(b).right && box(b).left < box(a).right
    && box(a).top < box(b).bottom && box(b).top < box(a).bottom;
  return [
    labels.filter(isOutside).map(label => label.textContent),
    shown.filter((name, index) => shown.indexOf(name) < index),
    [...numbers, ...labels].filter(node =>
      numbers.some(number => number.parentElement.parentElement === (node.closest(".axis")) && meet(node, number)))
      .map(node => node.textContent),
  ];
}"""

# What has a scroll bar for a few pixels, which a browser without a window does not show.
SCROLLS = """
panel => [...panel.querySelectorAll('.hpo-part, .hpo-part *')].filter(node => {
  const { overflowX, overflowY, visibility } = getComputedStyle(node);
  const scrolls = (overflow, beyond) => /auto|scroll/.test(overflow) && beyond > 0 && beyond < 8;
  const isSeen = node.offsetParent && visibility === 'visible' && !node.closest('.lm-mod-hidden');
  return isSeen && (scrolls(overflowX, node.scrollWidth - node.clientWidth) ||
    scrolls(overflowY, node.scrollHeight - node.clientHeight));
}).map(node => node.outerHTML.slice(0, 200))
"""


def unreadable(panel: Locator) -> dict[str, float]:
    """Texts with too little contrast."""
    # Signs, like other graphics, need less contrast than words.
    contrasts = panel.evaluate(CONTRASTS)
    assert contrasts, "no text was judged"
    return {text: ratio for text, ratio in contrasts.items() if ratio < (3 if len(text) == 1 else 4.5)}


def cut_off(panel: Locator) -> list[str]:
    """What is beyond the right edge."""
    return panel.evaluate(CUT_OFF)


def scrolls_by_few_pixels(panel: Locator) -> list[str]:
    """What has a scroll bar though it all but fits."""
    return panel.evaluate(SCROLLS)


def assert_looks_right(panel: Locator) -> None:
    """Assert that all can be read and nothing is cut off, once the page has laid out and coloured what has changed."""
    for _look in range(300):
        found = unreadable(panel), cut_off(panel)
        if not any(found):
            return
        panel.page.wait_for_timeout(100)
    assert found == ({}, []), found


FOUND = """
async (panel, runOnly) => {
  const {violations} = await axe.run(panel, {resultTypes: ['violations'], ...(runOnly && {runOnly})});
  return violations
    .filter(({impact}) => impact === 'serious' || impact === 'critical')
    .flatMap(({id, nodes}) => nodes.map(({html, failureSummary}) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`));
}
"""
# The rules that read colours, by axe's tag `cat.color`.
RULES_OF_COLOURS = ["color-contrast", "link-in-text-block"]


def faults(of: Locator, *, dark: bool = False) -> list[str]:
    """What axe-core, which the page has, finds serious in a part of it.

    All other rules find in the dark theme what they find in the light one, in which each test looks too.
    """
    return of.evaluate(FOUND, RULES_OF_COLOURS if dark else None)


def assert_accessible(notebook: Notebook, panel: Locator, name: str, widths: Sequence[int] = ()) -> None:
    """Assert that axe-core finds nothing serious in both themes, in pages of some widths, and keep pictures of them."""
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    for dark in (False, True):
        notebook.use_theme(dark=dark)  # which takes longer than to change the width
        theme = "dark" if dark else "light"
        for width in widths or (None,):
            if width is not None:
                notebook.page.set_viewport_size({"width": width, "height": 1400})
            notebook.screenshot(f"{name}-{theme}" if width is None else f"{name}-{width}-{theme}", panel)
            rest(panel)
            assert faults(panel, dark=dark) == [], (theme, width)
    notebook.use_theme(dark=False)
    notebook.page.set_viewport_size(VIEWPORT)
