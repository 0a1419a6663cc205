"""The README's pictures, of a real search in a real JupyterLab: no test, but what `make pictures` runs.

The notebook is the quickstart. A pointer is drawn where the mouse is, as pictures of a page have none.
"""

from __future__ import annotations

import io
import json
import math
import pathlib
import time
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.hand import button, middle
from tests.browser.notebook import rest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = pathlib.Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
NUM_TRIALS = 70
WIDTH = 900
MOST_BYTES = 1_500_000
POINTER = """
() => {
  const pointer = document.createElement('div');
  pointer.innerHTML = '<svg width="22" height="26"><path d="M2 1 V21 L7 16 L11 25 L14 23.5 L10.5 15 L18 15 Z"' +
    ' fill="#fff" stroke="#000" stroke-width="1.5"/></svg>';
  pointer.style.cssText = 'position: fixed; z-index: 99999; pointer-events: none; left: 0; top: 0';
  document.body.append(pointer);
  document.addEventListener('mousemove', ({ clientX, clientY }) => {
    pointer.style.transform = `translate(${clientX}px, ${clientY}px)`;
  }, { capture: true });
}
"""


class Film:
    """Frames of a part of a page, each with its time.

    Parameters
    ----------
    page
        The page.
    clip
        Left, top, width and height of the part.
    """

    def __init__(self, page: Page, clip: dict[str, float]) -> None:
        self.page = page
        self._clip = clip
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def shoot(self, milliseconds: int) -> None:
        """Take a frame; one that is like the last only lengthens it."""
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=self._clip))).convert("RGB")
        height = round(shot.height * WIDTH / shot.width)
        frame = shot.resize((WIDTH, height), Image.Resampling.LANCZOS)
        if self._frames and frame.tobytes() == self._frames[-1].tobytes():
            self._milliseconds[-1] += milliseconds
            return
        self._frames.append(frame)
        self._milliseconds.append(milliseconds)

    def move(self, goal: tuple[float, float], start: tuple[float, float], steps: int = 6) -> tuple[float, float]:
        """Take the mouse somewhere, in a frame a step; returns where it is."""
        for step in range(1, steps + 1):
            self.page.mouse.move(*(a + (b - a) * step / steps for a, b in zip(start, goal, strict=True)))
            self.shoot(60)
        return goal

    def save(self, path: pathlib.Path) -> None:
        """Write the animated picture."""
        first, *others = self._frames
        first.save(path, save_all=True, append_images=others, duration=self._milliseconds, loop=0, quality=72, method=4)


def still(panel: Locator, path: pathlib.Path) -> None:
    """Keep a picture of the panel in 256 colours, as a page of flat areas needs no more."""
    rest(panel)
    shot = Image.open(io.BytesIO(panel.screenshot())).convert("RGB")
    shot.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


@pytest.mark.browser
@pytest.mark.timeout(900)
def test_pictures(notebook):
    cells = json.loads((ROOT / "notebooks" / "01_quickstart.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"][:3]
    code[2] = code[2].replace("OptimizerWidget(optimizer)", "widget = OptimizerWidget(optimizer, selected=[])\nwidget")
    notebook.open(f"import os\nos.environ['HPO_WIDGETS_TRIALS'] = '{NUM_TRIALS}'", *code)
    page = notebook.page
    page.set_viewport_size({"width": 1500, "height": 1250})
    notebook.command("application:toggle-left-area")
    notebook.run_all()
    panel = notebook.panel()
    expect(panel.get_by_role("slider").first).to_be_visible()
    notebook.kernel("[setattr(widget.plots['Map'], 'x', 'lr'), setattr(widget.plots['Map'], 'y', 'units')] and None")
    notebook.set_panel_width(1120)
    panel.scroll_into_view_if_needed()
    panel.evaluate("panel => panel.scrollIntoView({block: 'start'})")
    rest(panel)
    page.evaluate(POINTER)
    box, tabs = panel.bounding_box(), panel.locator(".hpo-tabs-host").bounding_box()
    bottom = tabs["y"] + tabs["height"]
    film = Film(page, {"x": box["x"], "y": box["y"], "width": box["width"], "height": bottom - box["y"] + 46})

    at = (box["x"] + 700, box["y"] + 300)
    page.mouse.move(*at)
    film.shoot(800)
    at = film.move(middle(button(panel, "Start")), at)
    button(panel, "Start").click()
    at = film.move((box["x"] + 620, box["y"] + 500), at)
    watch(notebook, film, 26)

    tab = panel.get_by_role("tab", name="Map")
    at = film.move(middle(tab), at)
    tab.click()
    expect(panel.locator(".hpo-map .bqplot .dot").first).to_be_visible()
    film.shoot(500)
    select = button(panel.locator(".hpo-plot-controls:visible"), "▭ select")
    at = film.move(middle(select), at)
    select.click()
    expect(panel.locator(".hpo-map .bqplot .brushintsel .overlay")).to_be_attached()
    film.shoot(300)
    first, last = good_box(notebook, panel.locator(".hpo-map .bqplot"))
    at = film.move(first, at)
    page.mouse.down()
    at = film.move(last, at, steps=9)
    page.mouse.up()
    bar = panel.get_by_role("region", name="Brushed box")
    expect(bar).to_contain_text("narrow to this box")
    film.shoot(1500)
    narrow = button(bar, "Narrow ranges")
    at = film.move(middle(narrow), at)
    narrow.click()
    notebook.wait_kernel("len(optimizer.epochs) == 2")
    film.shoot(700)
    tab = panel.get_by_role("tab", name="History")
    at = film.move(middle(tab), at)
    tab.click()
    notebook.kernel("setattr(widget, 'selected', [])")
    at = film.move((box["x"] + 700, box["y"] + 560), at)
    watch(notebook, film, NUM_TRIALS - 8)
    film.shoot(2500)
    film.save(IMAGES / "search.webp")

    notebook.wait_kernel("widget.status == 'completed'", deadline=180)
    page.mouse.move(2, 2)
    for dark in (False, True):
        notebook.use_theme(dark=dark)
        still(panel, IMAGES / f"panel-{'dark' if dark else 'light'}.png")
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MOST_BYTES


def watch(notebook, film: Film, num_ended: int) -> None:
    """Take a frame from time to time until so many trials have ended."""
    deadline = time.monotonic() + 300
    while notebook.kernel("widget.num_trials - widget.num_active") < num_ended:
        assert time.monotonic() < deadline, "the search is too slow for its picture"
        film.page.wait_for_timeout(300)
        film.shoot(110)


def good_box(notebook, figure: Locator) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two corners, on the page, of the box round the best trials in the map."""
    area = figure.locator(".plotarea_events").bounding_box()
    drawn = "widget.plots['Map'].figures[0]"
    corners = []
    for name, scale, is_log in (("lr", "x", True), ("units", "y", False)):
        values = notebook.kernel(f"sorted(trial.parameters[{name!r}] for trial in optimizer.top(8))")[1:-1]
        low, high = notebook.kernel(f"[{drawn}.{scale}.scale.min, {drawn}.{scale}.scale.max]")
        place = math.log10 if is_log else float
        shares = [(place(one) - place(low)) / (place(high) - place(low)) for one in (values[0], values[-1])]
        corners.append((max(0.03, shares[0] - 0.04), min(0.97, shares[1] + 0.04)))
    (left, right), (bottom, top) = corners
    x, y, width, height = area["x"], area["y"], area["width"], area["height"]
    return (x + left * width, y + (1 - top) * height), (x + right * width, y + (1 - bottom) * height)
