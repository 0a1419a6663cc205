"""A replay in a real JupyterLab: played, held and scrubbed by keyboard, looked at in both themes and widths."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button
from tests.browser.looks import assert_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEARCH = """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange, replay
from hpo_widgets.testing.objectives import branin

def train(x, y):
    import time
    time.sleep(0.05)  # so that the history is one of trials, not of the start of workers
    return branin(x, y)

space = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
search = HyperParameterOptimizer(train, space, optimizer_class=RandomSearch, seed=1, total_max_jobs=60)
search.start()
search.wait()
played = replay(search.id, speed=1)
panel = OptimizerWidget(played)
panel
"""


# Trials with a value; one that runs has reported it, maybe.
DRAWN = "int((played.snapshot().values[:, 0] == played.snapshot().values[:, 0]).sum())"


def test_a_replay_is_played_held_and_scrubbed_by_keyboard(notebook):
    notebook.open(SEARCH)
    notebook.run_cell(0)
    panel = notebook.panel()
    scrubber = panel.get_by_role("slider", name="moment of the replay")
    expect(scrubber).to_have_value("0")
    expect(button(panel, "Start")).to_have_count(0)
    whole = notebook.kernel("played.duration")

    # By keyboard: to the end, and back.
    scrubber.focus()
    keyboard = notebook.page.keyboard
    keyboard.press("End")
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile("^60 of 60 trials"))
    assert notebook.kernel("played.position") == pytest.approx(whole)
    expect(panel.locator(".hpo-pill")).to_contain_text("completed")
    dots = panel.locator(".hpo-history-host .dot")
    expect(dots).to_have_count(61)  # and the mark of the best one
    keyboard.press("PageDown")
    notebook.wait_kernel(f"abs(played.position - 0.9 * {whole}) < 1e-6")
    expect(panel.locator(".hpo-pill")).to_contain_text("running")
    keyboard.press("ArrowRight")
    notebook.wait_kernel(f"abs(played.position - 0.91 * {whole}) < 1e-6")
    num_then = notebook.kernel("len(played.snapshot())")
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile(f"^{num_then} of 60 trials"))
    notebook.wait_kernel(f"panel.num_trials == {num_then}")
    # What is drawn goes with the trials.
    for step in range(1, 9):
        keyboard.press("PageDown")
        notebook.wait_kernel(f"abs(played.position - (0.91 - 0.1 * {step}) * {whole}) < 1e-6")
        drawn = notebook.kernel(DRAWN)
        if drawn < 60:
            break
    assert drawn < 60
    has_best = notebook.kernel("played.best_trial is not None and not played.best_trial.is_partial")
    expect(dots).to_have_count(drawn + has_best)

    keyboard.press("Home")
    expect(scrubber).to_have_value("0")
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile("^[0-2] of 60 trials"))
    notebook.wait_kernel("panel.num_trials == len(played.snapshot()) < 3")
    expect(dots.nth(9)).not_to_be_attached()

    # Space plays and holds; the button says which. The sixth trial begins in a moment, and the end is an hour away.
    sixth = notebook.kernel("float(played._recording.begin[5])")
    notebook.kernel(f"[played.seek({sixth} - 1e-3), played.set_speed({whole} / 3600)] and None")
    assert notebook.kernel("len(played.snapshot())") <= 5
    keyboard.press("Space")
    expect(button(panel, "Pause")).to_be_visible()
    notebook.wait_kernel("played.is_playing and len(played.snapshot()) > 5")
    keyboard.press("Space")
    expect(button(panel, "Play")).to_be_visible()
    assert notebook.kernel("played.is_playing") is False
    held = notebook.kernel("played.position")
    expect(scrubber).to_have_value(re.compile(f"^{str(held)[:6]}"))
    panel.get_by_label("speed", exact=True).select_option("100")
    notebook.wait_kernel("played.speed == 100")
    button(panel, "Play").click()
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile("^60 of 60 trials"))
    expect(button(panel, "Play")).to_be_visible()
    assert notebook.kernel("played.is_playing") is False

    scrubber.focus()
    for _ in range(4):
        keyboard.press("PageDown")
    notebook.wait_kernel(f"abs(played.position - 0.6 * {whole}) < 1e-6")
    assert_accessible(notebook, panel, "replay", (1400, 972, 600))
    notebook.kernel("(panel.close(), played.close())")
