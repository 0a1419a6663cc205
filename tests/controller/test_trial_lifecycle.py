"""How running trials are made to stop."""

from __future__ import annotations

from hpo_widgets.search import StopReason
from hpo_widgets.trials import TrialState


def test_only_the_first_reason_to_end_counts(trials, engine, run_trial):
    run_trial(0, 1)
    trials.stop(StopReason("stopped", "first"))
    trials.stop(StopReason("error", "second"))
    assert trials.stop_reason == StopReason("stopped", "first")
    assert engine.aborted == [0]


def test_a_trial_is_asked_to_end_once_and_one_that_has_ended_never(trials, state, engine, run_trial):
    run_trial(0, 1)
    trials.prune([0, 0, 7])
    assert engine.asked == [(0, TrialState.PRUNED)]
    assert state.active[0].end_reason.startswith("pruned")
