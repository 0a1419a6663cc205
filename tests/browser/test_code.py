"""The search as Python in a real page: it is shown, follows the controls, and reaches the clipboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button

pytestmark = pytest.mark.browser

SEARCH = """
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget
from hpo_widgets import UniformIntegerParameterRange

def train(lr, layers):
    return lr * layers

optimizer = HyperParameterOptimizer(
    train, [LogUniformParameterRange("lr", -4, -1), UniformIntegerParameterRange("layers", 1, 8)],
    max_number_of_concurrent_tasks=2, total_max_jobs=20,
)
widget = OptimizerWidget(optimizer)
widget
"""


@pytest.fixture
def panel(notebook):
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return notebook.show(SEARCH)


def test_the_code_is_opened_copied_and_closed_by_keyboard(notebook, panel):
    toggle = button(panel, "Code")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.focus()
    notebook.page.keyboard.press("Enter")
    box = panel.get_by_role("region", name="The search as Python")
    expect(box).to_contain_text("base_task_id=train,")
    expect(box).to_contain_text("total_max_jobs=20,")
    notebook.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Copy")).to_be_focused()
    notebook.page.keyboard.press("Enter")
    expect(box.get_by_role("status")).to_have_text("Copied")
    copied = notebook.page.evaluate("navigator.clipboard.readText()")
    assert copied == notebook.kernel("optimizer.as_code()")
    notebook.screenshot("code-shown", panel)
    notebook.page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(toggle).to_be_focused()


@pytest.mark.slow
def test_the_code_follows_what_a_hand_changes_and_is_selected_where_a_page_may_not_copy_it(notebook, panel, request):
    button(panel, "Code").click()
    box = panel.get_by_role("region", name="The search as Python")
    expect(box).to_contain_text("min_value=1, max_value=8")
    panel.get_by_role("slider", name="layers").last.press("ArrowLeft")
    expect(box).to_contain_text("min_value=1, max_value=7")
    box.get_by_role("button", name="Copy").click()
    expect(box.get_by_role("status")).to_have_text("Copied")
    notebook.kernel("exec(widget._code.code.replace('optimizer =', 'again ='), globals())")
    assert notebook.kernel("list(again.space.ranges['layers'])") == [1, 7]

    notebook.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
    # The next test may get this page.
    request.addfinalizer(lambda: notebook.page.evaluate("() => { delete navigator.clipboard.writeText; }"))
    box.get_by_role("button", name="Copy").click()
    expect(box.get_by_role("status")).to_contain_text("press Ctrl+C")
    assert notebook.page.evaluate("getSelection().toString()").strip() == notebook.kernel("optimizer.as_code()").strip()
