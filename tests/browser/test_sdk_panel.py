"""A live controller of the ClearML SDK in the panel of a real page, on the in-memory server."""

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
from clearml import Task
from clearml.automation import HyperParameterOptimizer, RandomSearch
from clearml.automation import DiscreteParameterRange, LogUniformParameterRange, UniformIntegerParameterRange
from clearml.automation.optuna import OptimizerOptuna

from hpo_widgets import OptimizerWidget

base = Task.create("digits", "train")
base.set_parameters({"General/lr": 0.01, "General/units": 4, "General/kind": "relu"})

def work(number):
    for _ in range(number):
        task = hand.take()
        values = client.tasks.get_by_id(task=task).hyperparams["General"]
        value = abs(float(values["lr"].value) - 0.01) + 1 / int(values["units"].value)
        for iteration in range(3):
            hand.report(task, value + 1 / (iteration + 1), iteration)
        hand.complete(task)

def controller(strategy, **keywords):
    return HyperParameterOptimizer(
        base.id,
        [
            LogUniformParameterRange("General/lr", -4, -1),
            UniformIntegerParameterRange("General/units", 1, 8),
            DiscreteParameterRange("General/kind", ["relu", "tanh"]),
        ],
        "validation", "loss", "min", strategy,
        max_number_of_concurrent_tasks=2, execution_queue="agents", pool_period_min=0.02, total_max_jobs=14,
        auto_connect_task=Task.create("digits", "optimizer", task_type="optimizer"), **keywords,
    )
"""
)
RANDOM = """
optimizer = controller(RandomSearch)
widget = OptimizerWidget(optimizer)
widget
"""
OPTUNA = """
optimizer = controller(OptimizerOptuna, max_iteration_per_job=10)
widget = OptimizerWidget(optimizer)
widget
"""
BLOCKED_STOP = """(lambda may_end, stop: (
    globals().update(may_end=may_end),
    setattr(optimizer, "stop", lambda **keywords: (may_end.wait(), stop(**keywords))),
) and 1)(threading.Event(), optimizer.stop)"""


@pytest.fixture(autouse=True)
def _served(lab):
    (lab.root / "served.py").write_text(SERVED)


@pytest.mark.slow
def test_a_controller_is_started_steered_and_stopped_while_the_sdks_stop_blocks(notebook):
    panel = notebook.show("from served import *", RANDOM)
    button(panel, "Start").click()
    notebook.kernel("bool(threading.Thread(target=work, args=(8,), daemon=True).start() or True)")
    notebook.wait_kernel("widget.num_trials >= 6 and widget.best_trial is not None")
    panel.get_by_role("slider", name="units").first.press("ArrowRight")
    notebook.wait_kernel("widget.ranges['General/units'] == (2, 8)")
    notebook.wait_kernel("widget.search.counts[2] == 8")
    notebook.screenshot("sdk-running", panel)
    notebook.kernel(BLOCKED_STOP)
    button(panel, "Stop").click()
    notebook.wait_kernel("widget.status == 'stopped'")
    # The page and the kernel are free, though the SDK's own stop has not returned.
    expect(panel.get_by_text("stopped by hand")).to_be_visible()
    expect(button(panel, "Continue")).not_to_have_attribute("aria-disabled", "true")
    assert notebook.kernel("widget.num_active") == 0
    notebook.kernel("may_end.set()")
    notebook.screenshot("sdk-stopped", panel)


@pytest.mark.slow
def test_what_the_sdks_strategy_cannot_do_is_disabled_with_the_reason(notebook):
    panel = notebook.show("from served import *", OPTUNA)
    button(panel, "Start").click()
    notebook.wait_kernel("widget.num_active >= 2")
    handle = panel.get_by_role("slider", name="units").first
    expect(handle).to_have_attribute("aria-disabled", "true")
    notebook.screenshot("sdk-optuna", panel)
    reason = "ClearML's Optuna strategy fixes its ranges when it starts"
    expect(panel.get_by_text(reason).or_(panel.get_by_title(reason)).first).to_be_attached()
    button(panel, "Stop").click()
    notebook.wait_kernel("widget.status == 'stopped'")
    # No journal keeps it, so that there is no code that opens it again.
    notebook.restart()
    gone = panel.get_by_role("alert").filter(has_text="Not connected any more")
    expect(gone).to_contain_text("No journal keeps this search: run its cell again.")
    expect(gone.locator("code")).to_be_hidden()
