"""The Export menu in a real JupyterLab: what is downloaded is what the kernel has; the best parameters are copied."""

from __future__ import annotations

import ast
import csv
import json
import pathlib
import xml.etree.ElementTree as ET

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of(then="search.add_trials([number * 37 % 60 / 60 for number in range(60)])")


@pytest.fixture
def menu(run_anew):
    """The open menu of a search of 60 trials."""
    run_anew.panel().locator(".hpo-export-summary").click()
    shown = run_anew.panel().get_by_role("group", name="Export")
    expect(shown).to_contain_text("all trials")
    return shown


def downloaded(opened, menu, name):
    with opened.page.expect_download() as waiting:
        menu.get_by_role("button", name=name).click()
    return waiting.value.suggested_filename, pathlib.Path(waiting.value.path()).read_bytes()


@pytest.mark.slow
def test_what_is_downloaded_and_copied_is_what_the_kernel_has_in_a_menu_of_both_themes_and_widths(
    opened, menu, themes_and_widths
):
    name, data = downloaded(opened, menu, "Trials as CSV")
    assert name == "digits.csv"
    assert len(list(csv.DictReader(data.decode().splitlines()))) == 60
    opened.kernel("setattr(widget, 'filter', {'top_k': 5})")
    expect(menu).to_contain_text("trials that pass the filter")
    _, data = downloaded(opened, menu, "Trials as JSON")
    assert sorted(trial["number"] for trial in json.loads(data)) == opened.kernel(
        "sorted(trial.number for trial in search.top(5))"
    )
    expect(menu.get_by_role("status")).to_have_text("Saved digits.json: 5 of 60 trials, by the filter")
    name, data = downloaded(opened, menu, "Plot as PNG")
    assert (name, data[:4]) == ("digits.png", b"\x89PNG")
    _, data = downloaded(opened, menu, "Plot as SVG")
    assert ET.fromstring(data).tag.endswith("svg")
    expect(menu.get_by_role("status")).to_have_text("Saved digits.svg")
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    menu.get_by_role("button", name="Copy best parameters").click()
    expect(menu.get_by_role("status")).to_have_text("Copied")
    copied = ast.literal_eval(opened.page.evaluate("() => navigator.clipboard.readText()"))
    assert copied == opened.kernel("dict(search.best_trial.parameters)")
    opened.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()

    opened.kernel("setattr(widget, 'filter', {})")
    opened.panel().locator(".hpo-export-summary").click()
    expect(menu).to_contain_text("all trials")
    for name in themes_and_widths(1300):
        expect(menu).to_be_visible()
        opened.screenshot(f"export-{name}", opened.panel())
