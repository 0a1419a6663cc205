"""The notebook that is made for Voilà, as its page: a search outlives the page that began it, and the page's kernel."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from hpo_widgets.journal import Journal
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.browser.hand import button
from tests.browser.notebook import copy_with_easy_training, open_page
from tests.browser.server import serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

APP = Path(__file__).resolve().parents[2] / "notebooks" / "11_voila.ipynb"


@pytest.fixture(scope="module")
def voila(tmp_path_factory):
    """The server of both pages' app; its search has a budget that no test uses up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPO_WIDGETS_TRIALS", os.environ.get("HPO_WIDGETS_TRIALS", "4000"))
        with serve("voila", tmp_path_factory.mktemp("voila")) as running:
            yield running


@pytest.fixture
def voila_of_test(voila, request):
    """The server with a copy of the app, and with it a search, that is this test's own."""
    folder = f"{request.node.name.split('_')[2]}"
    (voila.root / folder).mkdir()
    copy_with_easy_training(APP, voila.root / folder, epochs=10)
    return dataclasses.replace(voila, root=voila.root / folder, opens=f"{voila.opens}/{folder}")


@pytest.fixture
def app(voila_of_test, context):
    """A page for the app."""
    with open_page(voila_of_test, context) as page:
        yield page


def complaints(page):
    """What a page complains of, without what Voilà says of itself.

    It cannot load Notebook 7's own extension, and its widget manager, on a busy machine, draws the output before it has
    fetched the kernel's widgets, complains of each that is not there, and draws it again. Until then it does not know
    those to which a search that runs sends what is new.
    """
    excused = (
        "/labextensions/@jupyter-notebook/",
        "/labextensions/@jupyter-widgets/jupyterlab-manager/",
        "Comm not found for comm id",
    )
    return [said for said in page.complaints() if not any(one in said for one in excused)]


def open_app(page, theme="light"):
    page.page.goto(f"{page.lab.base}/{page.lab.opens}/{APP.name}?theme={theme}")
    panel = page.page.locator(".hpo-panel")
    expect(panel).to_have_count(1)
    return panel


def end_kernel(journal):
    """End the kernel that runs the search."""
    with Journal.view(journal) as reader:
        kernel = psutil.Process(reader.owner().pid)
    kernel.kill()
    kernel.wait(60)


def test_a_search_whose_page_is_closed_and_whose_kernel_has_ended_goes_on_in_the_next_page(app, until):
    panel = open_app(app)
    expect(panel.locator(".hpo-pill")).to_have_text("○idle")
    expect(app.page.get_by_role("heading", name="Handwritten digits")).to_be_visible()
    app.screenshot("voila-idle")
    button(panel, "Start").click()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    expect(panel.locator(".hpo-history-host .dot").nth(2)).to_be_attached()
    # A range steers what comes next.
    journal = app.lab.root / ".hpo_widgets" / "voila-app.sqlite"
    field = panel.get_by_role("textbox", name="units, lower bound")
    field.fill("100")
    field.press("Enter")
    expect(panel.locator(".hpo-plot-host text", has_text="space 2: units")).to_be_visible()
    with SearchViewer(journal) as search:
        until(search, lambda: len(search.epochs) == 2 and len(search.snapshot()) > search.epochs[1].first_number + 2)
        rows = search.snapshot()
        steered = rows.parameters["units"][rows.numbers >= search.epochs[1].first_number]
        assert min(steered) >= 100
    app.screenshot("voila-running")
    assert complaints(app) == []

    # The page is closed, and its kernel ended as Voilà does it when nobody has been connected for a while.
    app.page.goto("about:blank")
    end_kernel(journal)
    with SearchViewer(journal) as search:
        kept = search.snapshot()
        done = search.counts[TrialState.COMPLETED]
    assert done >= 3

    panel = open_app(app, "dark")
    expect(panel.locator(".hpo-pill")).to_have_text("■stopped")
    expect(panel.get_by_role("button", name=f"{done} completed")).to_be_visible()
    expect(panel.get_by_role("textbox", name="units, lower bound")).to_have_value("100")
    app.screenshot("voila-opened-again")
    # Four trials more show that it goes on.
    num_trials = len(kept) + 4
    panel.get_by_role("button", name="trials in all: ").click()
    budget = panel.get_by_role("textbox", name="trials in all")
    budget.fill(str(num_trials))
    budget.press("Enter")
    expect(budget).to_be_hidden()
    expect(panel.get_by_role("button", name="trials in all: ").filter(has_text=str(num_trials))).to_be_visible()
    button(panel, "Continue").click()
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    with SearchViewer(journal) as search:
        rows = search.snapshot()
        assert rows.numbers.tolist() == list(range(num_trials))
        assert rows.parameters["lr"][: len(kept)].tolist() == kept.parameters["lr"].tolist()
        # What ran when the kernel ended did not end; the others completed, or were pruned.
        assert search.counts[TrialState.ABORTED] <= 1
        assert search.counts[TrialState.FAILED] == 0
    app.page.set_viewport_size({"width": 640, "height": 1000})
    app.screenshot("voila-narrow", panel)
    app.page.set_viewport_size({"width": 1400, "height": 1000})

    # Of an ended search nothing is left to be done but to look at it, which any page can.
    app.page.goto("about:blank")
    panel = open_app(app)
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    assert complaints(app) == []


def test_a_second_page_sees_the_search_of_the_first_and_takes_it_over(app, context):
    panel = open_app(app)
    with open_page(app.lab, context) as second:
        early = open_app(second)
        button(panel, "Start").click()
        expect(panel.locator(".hpo-history-host .dot").nth(2)).to_be_attached()
        button(early, "Start").click()
        expect(early.locator(".hpo-notices li")).to_contain_text("There is a journal")
        expect(early.locator(".hpo-pill")).to_have_text("○idle")
        # A page that was opened before the search began has to be loaded again.
        viewer = open_app(second)
        expect(viewer.locator(".hpo-pill")).to_have_text("●running")
        expect(viewer.locator(".hpo-viewer")).to_have_text("viewer")
        app.page.goto("about:blank")
        end_kernel(app.lab.root / ".hpo_widgets" / "voila-app.sqlite")
        viewer.get_by_role("button", name="Take over").click()
        expect(viewer.locator(".hpo-viewer")).to_be_hidden()
        expect(viewer.locator(".hpo-pill")).to_have_text("●running")
        button(viewer, "Stop").click()
        expect(viewer.locator(".hpo-pill")).to_have_text("■stopped")
        assert complaints(second) == []
