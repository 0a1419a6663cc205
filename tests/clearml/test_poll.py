"""How trials are followed: by one request a look for all of them, sooner where something happens, and no more."""

from __future__ import annotations

import pytest

from hpo_widgets.clearml.poll_thread import PollThread
from hpo_widgets.trials import TrialState

pytest_plugins = ["tests.clearml.hands"]


@pytest.fixture
def looks(monkeypatch):
    """How many trials each look at the server was for; the looks are the real ones."""
    counted = []
    look = PollThread.look

    def counting(self, followed):
        counted.append(len(followed))
        look(self, followed)

    monkeypatch.setattr(PollThread, "look", counting)
    return counted


@pytest.mark.parametrize("workers", [1, 12])
def test_a_look_is_one_request_for_all_active_trials(asked, looks, task_search, hands, until, workers):
    hands.gate.clear()
    made = task_search(max_number_of_concurrent_tasks=workers, total_max_jobs=workers)
    asked.start_over()
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == workers)
    hands.gate.set()
    assert made.wait(timeout=1.0)
    assert max(looks) == workers
    # All that was asked, from the start to the end: no trial costs a request of its own but for its launch.
    assert asked.counts() == {
        "queues.get_all": 2,
        "tasks.clone": workers,
        "tasks.enqueue": workers,
        "tasks.get_all": len(looks),
    }
