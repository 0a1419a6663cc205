"""Trials that take more memory than they may: they fail with a sentence, the others go on, the budget is kept."""

from __future__ import annotations

import sys

import pytest

from hpo_widgets.trials import TrialState
from tests.runs import finished

BUDGET = 24
LIMIT = 0.05  # GB


def hog(x):
    """Take memory without end in three of four trials."""
    import os
    import signal

    if x < 0.25:
        return x
    kept = []
    try:
        while True:
            kept.append(bytearray(1 << 16 if x < 0.75 else 1 << 14))
    except MemoryError:
        if x > 0.9:  # what an operating system does that has no memory left
            os.kill(os.getpid(), signal.SIGKILL)
        if x < 0.5:  # there is none left for the trial's own words either
            raise
    return x


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_trials_without_memory_fail_and_the_search_goes_on(search, record):
    made = finished(search(hog, total_max_jobs=BUDGET, max_failures=None, max_memory_per_job=LIMIT, seed=3))
    line = record("memory used up by a trial")
    assert made.stop_reason.code == "total_max_jobs"
    trials = [made.trial(number) for number in range(BUDGET)]
    for trial in trials:
        x = trial.parameters["x"]
        line.tried += x >= 0.25
        if x < 0.25 or 0.5 <= x <= 0.9:
            assert (trial.state, trial.values) == (TrialState.COMPLETED, (x,))
        else:
            assert trial.state is TrialState.FAILED
            limited = "MemoryError (each process may take 0.05 GB: max_memory_per_job)"
            assert (limited if x < 0.5 else "SIGKILL (somebody killed it, or memory ran out)") in trial.error
    assert line.tried > BUDGET / 2
