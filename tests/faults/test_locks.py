"""Another process locks the journal again and again: the search waits for it, and goes on."""

from __future__ import annotations

import random

from tests.faults import table
from tests.journal.conftest import locked


def test_a_journal_that_another_process_locks_again_and_again_loses_no_trial(search, account, record):
    rng = random.Random(table.SEED)
    line = record("journal locked by another process")
    made = search(account.objective(), total_max_jobs=5 * table.KILLS, seed=table.SEED)
    made.start(account.told)
    while made.is_running():
        with locked(made.journal_path):
            made.wait(timeout=0.05 * rng.random() / 60)
        line.tried += 1
    assert made.wait()
    account.settle(line, made.journal_path)
    assert made.stop_reason.code == "total_max_jobs"
    assert len(account.known) == 5 * table.KILLS
    assert line.tried
