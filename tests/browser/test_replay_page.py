"""A page that plays a search back, in a browser without network: by keyboard, by hand, and by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from hpo_widgets.widget import save_replay_html
from tests.browser.hand import button, middle
from tests.browser.looks import AXE, faults
from tests.browser.notebook import PAINTED, rest
from tests.widget.test_replay import NUM_TRIALS, plant
from tests.widget.test_replay_page import moments_in

pytestmark = pytest.mark.browser

WHOLE = re.compile(f"^{NUM_TRIALS} of {NUM_TRIALS} trials")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A page that plays back a search of forty trials."""
    folder = tmp_path_factory.mktemp("replay")
    return save_replay_html(plant(folder / "digits.sqlite"), folder / "page.html", moments=30)


def words_at(saved, share):
    """What the bar says where the scrubber is at a share of the whole."""
    bar, moments = moments_in(saved.path)
    positions = moments["positions"]
    place = max(at for at, position in enumerate(positions) if position <= share * positions[-1] + 1e-6)
    (words,) = [one for one in moments["traits"] if (one["model"], one["name"]) == (bar, "words")]
    return words["values"][max(at for at, since in enumerate(words["since"]) if since <= place)]


def test_a_page_goes_to_each_moment_without_kernel_and_network(saved, open_saved):
    shown = open_saved(saved.path)
    page, keyboard = shown.page, shown.page.keyboard
    scrubber = page.get_by_role("slider", name="moment of the replay")
    dots = page.locator(".hpo-history-host .dot")
    rows = page.locator(".hpo-table tbody tr")
    expect(scrubber).to_have_attribute("aria-valuetext", WHOLE)
    expect(page.locator(".hpo-pill")).to_contain_text("stopped")
    expect(dots.nth(NUM_TRIALS * 3 // 5)).to_be_attached()
    expect(rows.filter(has_text="completed").first).to_be_visible()

    # By keyboard.
    scrubber.focus()
    keyboard.press("Home")
    expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, 0))
    expect(page.locator(".hpo-pill")).to_contain_text("running")
    expect(rows.filter(has_text="completed")).to_have_count(0)
    expect(dots.nth(2)).not_to_be_attached()
    expect(page.locator(".hpo-export button:not([aria-disabled=true])")).to_have_count(0)
    for _ in range(3):
        keyboard.press("PageUp")
    expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, 0.3))
    expect(dots.nth(4)).to_be_attached()
    few = dots.count()
    keyboard.press("ArrowRight")
    expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, 0.31))

    # By hand.
    box = scrubber.bounding_box()
    page.mouse.move(*middle(scrubber))
    page.mouse.move(box["x"] + 0.3 * box["width"], middle(scrubber)[1])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], middle(scrubber)[1], steps=8)
    page.mouse.up()
    share = float(scrubber.input_value()) / float(scrubber.get_attribute("max"))
    assert share == pytest.approx(0.75, abs=0.03)
    expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, share))
    expect(dots.nth(few)).to_be_attached()

    # Another tab shows the same moment.
    keyboard.press("Home")
    page.get_by_role("tab", name="Importance").click()
    expect(page.get_by_text("The importance is shown from 10 completed trials on")).to_be_visible()
    scrubber.focus()
    keyboard.press("End")
    expect(page.get_by_text("What sets the best tenth of 24 trials apart")).to_be_visible()
    page.get_by_role("tab", name="History").click()
    expect(dots.nth(NUM_TRIALS * 3 // 5)).to_be_attached()
    assert [url for url in shown.requests if not url.startswith(("file:", "blob:", "data:"))] == []


@pytest.mark.slow
def test_a_page_plays_from_the_beginning_to_the_end_and_is_held(saved, open_saved):
    shown = open_saved(saved.path)
    scrubber = shown.page.get_by_role("slider", name="moment of the replay")
    shown.page.get_by_label("speed", exact=True).select_option("5")
    button(shown.page, "Play").click()
    # For a minute; a busy page may look late.
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile(r"^([2-9]|[12]\d) of"))
    button(shown.page, "Pause").click()
    expect(button(shown.page, "Play")).to_be_visible()
    held = scrubber.input_value()
    assert 0 < float(held) < float(scrubber.get_attribute("max"))
    shown.page.evaluate(PAINTED)
    assert scrubber.input_value() == held
    shown.page.get_by_label("speed", exact=True).select_option("100")
    scrubber.focus()
    shown.page.keyboard.press("Space")
    expect(scrubber).to_have_attribute("aria-valuetext", WHOLE)
    expect(button(shown.page, "Play")).to_be_visible()


GO_TO = """
(scrubber, position) => {
  scrubber.value = position;
  scrubber.dispatchEvent(new Event("input"));
}
"""
KEEP_BLOBS = """
() => {
  window.blobs = new Map();
  const create = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    const url = create(blob);
    window.blobs.set(url, blob);
    return url;
  };
}
"""
DRAWN = """
async (images) => Promise.all(
  images.map(async (image) => {
    const blob = window.blobs.get(image.getAttribute("href"));
    return blob ? btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()))) : "";
  })
)
"""


def test_a_picture_is_that_of_its_moment(saved, open_saved):
    """Two image widgets take turns: some moments later the same one has another picture, which bqplot does not see."""
    _, moments = moments_in(saved.path)
    traits = {(one["model"], one["name"]): one for one in moments["traits"]}
    turns = next(one for (_, name), one in traits.items() if name == "image" and one["tab"] == 3)

    def at(trait, place, what):
        return trait[what][max(index for index, since in enumerate(trait["since"]) if since <= place)]

    def png(place):
        image = traits[at(turns, place, "values").removeprefix("IPY_MODEL_"), "value"]
        return at(image, place, "buffers")[0]["data"]

    page = open_saved(saved.path).page
    page.evaluate(KEEP_BLOBS)
    page.get_by_role("tab").nth(3).click()
    scrubber = page.get_by_role("slider", name="moment of the replay")
    positions = moments["positions"]
    seen = set()
    for place in (-3, -5, -6, -3):
        position = positions[place]
        scrubber.evaluate(GO_TO, position)
        expected = png(len(positions) + place)
        seen.add(expected)
        expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, position / positions[-1]))
        page.evaluate(PAINTED)
        assert expected in page.locator(".hpo-tab:visible svg image").evaluate_all(DRAWN)
    assert len(seen) == 3


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_readable_in_both_themes_and_all_widths(saved, open_saved, scheme):
    shown = open_saved(saved.path, scheme)
    scrubber = shown.page.get_by_role("slider", name="moment of the replay")
    scrubber.focus()
    for _ in range(4):
        shown.page.keyboard.press("PageDown")
    expect(scrubber).to_have_attribute("aria-valuetext", words_at(saved, 0.6))
    shown.page.evaluate(AXE.read_text(encoding="utf-8"))
    for width in (1400, 600):
        shown.page.set_viewport_size({"width": width, "height": 900})
        rest(shown.page.locator(".hpo-history-host .bqplot"))
        shown.screenshot(f"replay-page-{width}-{scheme}")
        assert faults(shown.page.locator(".hpo-panel"), dark=scheme == "dark") == []
    shown.page.set_viewport_size({"width": 1200, "height": 900})
    for tab in ("Map", "Timeline", "Curves"):
        shown.page.get_by_role("tab", name=tab).click()
        rest(shown.page.locator(".hpo-tab:visible .bqplot").first)
        shown.screenshot(f"replay-page-{tab}-{scheme}")
