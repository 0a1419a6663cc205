"""What a search on ClearML leaves behind: no thread, no process, no connection that goes on."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.trials import TrialState
from tests.clearml.hands import finished

pytest_plugins = ["tests.clearml.hands"]


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("hpo_widgets")}


@pytest.mark.parametrize("ending", ["by itself", "stopped"])
def test_no_thread_outlives_its_run(optimizer, running, hands, project, ending, until):
    before = threads()
    if ending == "by itself":
        finished(optimizer(save_top_k_tasks_only=1))
    else:
        made = running()
        assert {"hpo_widgets launcher", "hpo_widgets poller"} <= threads() - before
        made.stop()
        assert made.wait()
    assert threads() - before == set()


def test_the_aborter_lives_while_there_is_something_to_abort_and_no_longer(running, hands, until):
    made = running(time_limit_per_job=0.01, total_max_jobs=None)
    until(made, lambda: made.counts[TrialState.ABORTED] == 2)
    made.pause()
    until(made, lambda: made.get_num_active_experiments() == 0)
    assert "hpo_widgets aborter" not in threads()
