"""Trials whose processes write garbage instead of messages: they fail, and the search loses nothing else."""

from __future__ import annotations

import random

from hpo_widgets import GridSearch, UniformIntegerParameterRange
from hpo_widgets.trials import TrialState
from tests.engines.local.garbage import GARBAGE, send
from tests.faults import table
from tests.runs import finished


def garbage_after(begin, garbage):
    """Return an objective that does what another one does, and then sends garbage in every other trial."""

    def train(x, trial):
        begin(x, trial)
        return send(garbage[x // 2]) if x % 2 else x

    return train


def test_garbage_costs_its_own_trial_and_no_other(search, account, record):
    kinds = random.Random(table.SEED).sample(list(GARBAGE), min(len(GARBAGE), table.KILLS))
    made = search(
        garbage_after(account.objective(), [GARBAGE[kind] for kind in kinds]),
        [UniformIntegerParameterRange("x", 0, 2 * len(kinds) - 1)],
        optimizer_class=GridSearch, total_max_jobs=2 * len(kinds), max_failures=None,
    )  # fmt: skip
    finished(made, account.told)
    line = record("garbage in place of a worker's messages")
    line.tried += len(kinds)
    account.settle(line, made.journal_path)
    states = {trial.parameters["x"]: trial.state for trial in map(made.trial, range(2 * len(kinds)))}
    well = dict.fromkeys(range(0, 2 * len(kinds), 2), TrialState.COMPLETED)
    assert states == well | dict.fromkeys(range(1, 2 * len(kinds), 2), TrialState.FAILED), kinds
