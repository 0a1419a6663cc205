"""Trials that take more memory than they may: they fail with a sentence, the others go on, the budget is kept."""

from __future__ import annotations

import sys

import pytest

from hpo_widgets import DiscreteParameterRange, GridSearch
from hpo_widgets.trials import TrialState
from tests.runs import finished

BUDGET = 24
LIMIT = 0.05  # GB


def hog_after(begin):
    """Return an objective that does what another one does, and then takes all memory in three of four trials."""

    def hog(x, trial):
        import os
        import signal

        begin(x, trial)
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

    return hog


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_trials_without_memory_fail_and_the_search_goes_on(search, account, record):
    every = [DiscreteParameterRange("x", [number / BUDGET for number in range(BUDGET)])]
    made = search(
        hog_after(account.objective()), every, optimizer_class=GridSearch,
        total_max_jobs=BUDGET, max_failures=None, max_memory_per_job=LIMIT,
    )  # fmt: skip
    finished(made, account.told)
    line = record("memory used up by a trial")
    account.settle(line, made.journal_path)
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
