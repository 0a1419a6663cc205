"""A search on a ClearML queue in the panel of a real page, on the in-memory server: what waits is steered, too."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.clearml_kernel import SERVER
from tests.browser.hand import button

pytestmark = pytest.mark.browser

# A module for the notebook: the kernel plays server and agent, too.
SERVED = (
    SERVER
    + """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, UniformIntegerParameterRange, UniformParameterRange
from tests.clearml.fake_worker import make_base_task

def statuses():
    tasks = [optimizer.trial(number).id for number in range(len(optimizer.snapshot()))]
    found = {task.id: str(task.status) for task in client.tasks.get_all(id=tasks, only_fields=["id", "status"])}
    return [found.get(task) for task in tasks]

def work():
    task = hand.take()
    hand.report(task, 0.5, 0)
    hand.complete(task)
    return True

optimizer = HyperParameterOptimizer(
    make_base_task(client, "digits"),
    [UniformParameterRange("x", 0, 1), UniformIntegerParameterRange("units", 1, 8)],
    "validation", "loss", "min", execution_queue="agents", max_number_of_concurrent_tasks=4, total_max_jobs=6,
    pool_period_min=0.02, seed=3, always_create_task=True,
)
"""
)
VIEW = """
from clearml.backend_api import Session

OptimizerWidget(HyperParameterOptimizer.open(optimizer.optimizer_task_id))
"""
PANEL = """
widget = OptimizerWidget(optimizer)
widget
"""


@pytest.fixture(autouse=True)
def _served(lab):
    (lab.root / "served_queue.py").write_text(SERVED)


@pytest.mark.slow
def test_a_pause_and_a_narrowed_range_reach_what_waits_in_the_queue(notebook):
    panel = notebook.show("from served_queue import *", PANEL)
    expect(button(panel, "workers: 4 at once")).to_be_visible()
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[0] == 4 and statuses() == ['queued'] * 4")
    assert notebook.kernel("work()")
    notebook.wait_kernel("optimizer.counts[2] == 1 and statuses()[1:] == ['queued'] * 4")
    button(panel, "Pause").click()
    notebook.wait_kernel("statuses()[1:] == ['created'] * 4")
    expect(panel.locator(".hpo-pill")).to_contain_text("paused")
    notebook.screenshots_in_both_themes("queue-paused", panel)
    # From 1 to 8 to 1 to 4, by the keyboard.
    for _ in range(4):
        panel.get_by_role("slider", name="units").last.press("ArrowLeft")
    notebook.wait_kernel("widget.ranges['units'] == (1, 4)")
    outside = [
        number for number in range(1, 5) if notebook.kernel(f"optimizer.trial({number}).parameters['units'] > 4")
    ]
    assert outside
    notebook.wait_kernel(f"optimizer.counts[4] == {len(outside)}")
    expect(panel.get_by_text("1 of 6 done")).to_be_visible()
    notebook.screenshots_in_both_themes("queue-narrowed", panel)
    button(panel, "Resume").click()
    for _ in range(5):
        assert notebook.kernel("work()")
    notebook.wait_kernel("widget.status == 'completed'")
    assert notebook.kernel("optimizer.counts[2] == optimizer.budget.jobs.used == 6")
    expect(panel.get_by_text("6 of 6 done")).to_be_visible()
    notebook.screenshots_in_both_themes("queue-ended", panel)


@pytest.mark.slow
def test_a_panel_leads_to_the_task_of_its_search(notebook):
    notebook.open("from served_queue import *", PANEL, VIEW)
    notebook.run_cell(0)
    notebook.run_cell(1)
    panel = notebook.panel()
    address = notebook.kernel("server.url + '/projects/*/experiments/' + optimizer.optimizer_task_id + '/output/log'")
    link = panel.locator(".hpo-status").get_by_role("link", name="Task")
    expect(link).to_have_attribute("href", address)
    button(panel, "workers: 4 at once").focus()
    notebook.page.keyboard.press("Tab")
    expect(link).to_be_focused()
    notebook.screenshots_in_both_themes("queue-task", panel)
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[0] == 4 and statuses() == ['queued'] * 4")
    panel.get_by_role("button", name="all trials").click()
    panel.locator("tbody tr").first.click()
    of_trial = panel.locator(".hpo-details").get_by_role("link", name="Task")
    expect(of_trial).to_be_visible()
    # Both look like links, whatever JupyterLab says of these.
    colours = [found.evaluate("a => getComputedStyle(a).color") for found in (link, of_trial, panel)]
    assert colours[0] == colours[1] != colours[2]
    notebook.run_cell(2)
    view = notebook.page.locator(".hpo-panel").last
    expect(view.get_by_text("viewer", exact=True)).to_be_visible()
    expect(view.get_by_text("4 at once")).to_be_visible()
    expect(view.locator(".hpo-status").get_by_role("link", name="Task")).to_have_attribute("href", address)
    notebook.screenshots_in_both_themes("queue-task-view", view)
    # Where nobody knows the web application, the id is there to be copied.
    notebook.kernel("setattr(Session, 'get_app_server_host', lambda: 'unknown')")
    expect(view.get_by_text("Task " + notebook.kernel("optimizer.optimizer_task_id"))).to_be_visible()
    expect(view.get_by_role("link", name="Task")).to_have_count(0)
    notebook.screenshots_in_both_themes("queue-task-text", view)
    notebook.kernel("optimizer.stop()")
