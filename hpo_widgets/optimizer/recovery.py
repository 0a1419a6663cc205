"""What became of trials while nobody followed them, written into the journal that is taken up again."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.engines.base import Recovered
    from hpo_widgets.journal import Journal
    from hpo_widgets.objectives import Objective
    from hpo_widgets.trials import TrialRow


def settle(
    journal: Journal, recovered: Sequence[Recovered] | None, objectives: tuple[Objective, ...]
) -> list[TrialRow]:
    """Write what became of trials while nobody followed them; returns those that still run somewhere."""
    if recovered is None:
        journal.abort_interrupted()
        return []
    rows = [_brought_up_to_date(found, objectives, journal.last_owner_seen) for found in recovered]
    if rows:
        journal.write(trials=rows)
    return [row for row in rows if not TrialState(row.state).has_ended]


def _brought_up_to_date(found: Recovered, objectives: tuple[Objective, ...], last_sign: float | None) -> TrialRow:
    trial = ActiveTrial(found.row, None, 0.0)
    trial.restore()
    trial.take_summary(found.summary)
    row = trial.refresh(objectives)
    now = time.time()
    if found.state is None:
        sentence = "Aborted by a restart: the process that ran the search ended before this trial was launched."
        return trial.finish(TrialState.ABORTED, last_sign or now, sentence)
    if not found.state.has_ended:
        row.state = int(found.state)
        if found.seconds is not None and math.isnan(row.started):
            row.started = now - found.seconds
        return row
    state, error = found.state, found.error
    if state is TrialState.COMPLETED:
        error = trial.validate_objectives(objectives)
        state = TrialState.COMPLETED if error is None else TrialState.FAILED
    return trial.finish(state, now, error, found.seconds)
