"""A search seen from a second notebook: its kernel notices that the owner's has died, and takes the search over."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button
from tests.browser.looks import assert_accessible
from tests.browser.test_continue import IMPORT, SEARCH, TRAIN, door

pytestmark = [pytest.mark.browser, pytest.mark.slow]
__all__ = ["door"]  # a fixture
IS_WHOLE = """
name => {
  const words = document.createRange();
  words.selectNodeContents(name);
  return words.getBoundingClientRect().width <= name.getBoundingClientRect().width;
}
"""


@pytest.fixture
def viewer(pages):
    """A second page, with a notebook of its own."""
    with pages.lend() as page:
        yield page


def test_a_second_notebook_takes_the_search_over_when_the_kernel_of_the_first_was_killed(notebook, viewer, door):
    door = door.with_suffix(".6")
    door.touch()
    notebook.show(TRAIN, SEARCH)
    button(notebook.panel(), "Start").click()
    notebook.wait_kernel("optimizer.counts[2] == 6 and optimizer.counts[1] == 2")
    search_id, owner = notebook.kernel("[optimizer.id, __import__('os').getpid()]")

    viewer.show(
        IMPORT + TRAIN,
        f"widget = OptimizerWidget.open({search_id!r}, base_task_id=train)\nwidget",
        f"bare = OptimizerWidget.open({search_id!r})\nbare",
    )
    panels = viewer.page.locator(".jp-OutputArea .hpo-panel")
    panel, bare = panels.nth(0), panels.nth(1)
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    expect(panel.locator(".hpo-viewer")).to_have_text("viewer")
    expect(panel.locator(".hpo-viewer")).to_have_attribute("title", re.compile("^Read-only view: another process runs"))
    expect(panel.locator(".hpo-orphaned")).to_have_text("")
    expect(button(panel, "Pause")).to_have_attribute(
        "title", f"another process runs this search (process {owner} on {os.uname().nodename}); this is a view of it"
    )
    viewer.command("hpo-widgets:open-search-panel")
    # Every entry has the word, most hide it; journals of other tests are entries, too.
    entries = viewer.page.locator(".hpo-side .hpo-entry").filter(has_text="outlived")
    listed = entries.filter(has=viewer.page.locator(".hpo-viewer:visible"))
    expect(listed).to_have_count(1)
    title = "Read-only view: another process runs this search, or ran it"
    expect(listed.locator(".hpo-viewer")).to_have_attribute("title", title)

    os.kill(owner, signal.SIGKILL)
    take_over = panel.get_by_role("button", name="Take over")
    expect(take_over).to_be_enabled()
    expect(panel.locator(".hpo-orphaned")).to_contain_text("Take over continues it here.")
    expect(panel.locator(".hpo-pill")).to_have_text("■interrupted")
    expect(listed.get_by_role("button", name="Take over outlived")).to_be_visible()
    expect(listed.locator(".hpo-pill")).to_have_text("■interrupted")
    assert listed.locator(".hpo-entry-title").evaluate(IS_WHOLE)
    viewer.screenshots_in_both_themes("side-panel-viewer", viewer.page.locator(".hpo-side"))
    # Without its function the panel says what to do.
    expect(bare.get_by_role("button", name="Take over")).to_have_attribute("aria-disabled", "true")
    expect(bare.locator(".hpo-orphaned code")).to_have_text(
        "from hpo_widgets import OptimizerWidget # train: the callable of this search "
        f'OptimizerWidget.open("{search_id}", base_task_id=train)'
    )
    assert_accessible(viewer, panel, "take-over")
    viewer.screenshots_in_both_themes("take-over-bare", bare)
    viewer.command("filebrowser:activate")
    viewer.page.set_viewport_size({"width": 640, "height": 1000})
    viewer.screenshot("take-over-narrow", panel)
    viewer.page.set_viewport_size({"width": 1400, "height": 1000})

    take_over.click()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    expect(panel.locator(".hpo-viewer")).to_be_hidden()
    expect(panel.locator(".hpo-orphaned")).to_have_text("")
    # This kernel steers now, and the other view of it knows who does.
    field = panel.get_by_role("textbox", name="dropout, upper bound")
    field.fill("0.25")
    field.press("Enter")
    expect(bare.get_by_role("textbox", name="dropout, upper bound")).to_have_value("0.25")
    expect(button(bare, "Pause")).to_have_attribute(
        "title", "this process itself runs this search; this is a view of it"
    )
    door.unlink()
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    # The budget of 24 in all, each number once; what ran when the kernel died did not end.
    numbers, completed, aborted = viewer.kernel(
        "[[int(n) for n in widget.search.snapshot().numbers], widget.search.counts[2], widget.search.counts[4]]"
    )
    assert numbers == list(range(24))
    assert completed + aborted == 24
    assert completed >= 22
    # The page of the first one was told by JupyterLab.
    expect(notebook.panel().get_by_role("alert").filter(has_text="Not connected any more")).to_be_visible()
    notebook.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
