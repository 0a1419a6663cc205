"""How running trials are made to stop, and how long they took."""

from __future__ import annotations

import time

import pytest

from hpo_widgets.controller import trial_lifecycle
from hpo_widgets.controller.run import Deadlines
from hpo_widgets.controller.trial_lifecycle import TrialLifecycle
from hpo_widgets.engines.base import JobEvent, Outcome, Summary
from hpo_widgets.search import StopReason
from hpo_widgets.strategies.base import Proposal
from hpo_widgets.trials import TrialState
from tests.runs import Time


@pytest.fixture
def clocks(monkeypatch):
    made = Time()
    monkeypatch.setattr(trial_lifecycle, "time", made)
    return made


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


@pytest.mark.parametrize("set_by", [0.0, -60.0, 86_400.0])
def test_a_trial_takes_as_long_as_a_clock_says_that_nobody_sets(trials, state, recorder, clocks, set_by):
    trials.launch({"x": 0.5}, [0.5], None)
    clocks.seconds += 3.0
    clocks.set_by = set_by
    trials.receive(JobEvent("ended", 0, Outcome(TrialState.ABORTED)))
    [row] = recorder.rows
    assert (row.duration, row.ended - row.started) == (3.0, 3.0)
    assert state.clock.compute_done == pytest.approx(3.0 / 60)


@pytest.mark.parametrize(("measured", "duration"), [(0.0, 0.0), (2.0, 2.0), (1e11, 100.0)])
def test_a_trial_takes_no_time_before_its_worker_is_ready(trials, state, recorder, engine, clocks, measured, duration):
    state.settings.time_limit_per_job = 1.0
    trials.launch({"x": 0.5}, [0.5], None)
    trials.receive(JobEvent("loading", 0, None))
    clocks.set_by = 3600.0
    trials.restate_starts()
    launched = clocks.time()
    clocks.seconds += 100.0
    Deadlines(state, recorder, trials).check(clocks.monotonic())
    assert (engine.aborted, state.clock.compute_used) == ([], 0.0)
    trials.receive(JobEvent("started", 0, clocks.time()))
    # Its end was read in the same moment as its beginning.
    trials.receive(JobEvent("ended", 0, Outcome(TrialState.ABORTED, duration=measured)))
    [row] = recorder.rows
    assert row.duration == duration
    assert state.clock.compute_done == pytest.approx(duration / 60)
    # Its worker was taken in all of that time, and waited for nothing.
    assert (row.started, row.ended) == (launched, clocks.time())


def test_a_trial_that_was_held_begins_when_the_one_before_it_has_ended_on_its_worker(trials, state, recorder, clocks):
    trials.launch({"x": 0.25}, [0.25], None)
    launched = clocks.time()
    clocks.seconds += 5.0  # in the last two of which this thread was busy
    assert trials.launched([0.5], Proposal({"x": 0.5}, 7), 3, clocks.monotonic() - 2.0, 0) == 1
    trials.receive(JobEvent("ended", 0, Outcome(TrialState.COMPLETED, 1.0, duration=2.5)))
    trials.receive(JobEvent("ended", 1, Outcome(TrialState.COMPLETED, 1.0, duration=1.5)))
    before, row = recorder.rows
    assert (before.started, before.ended, before.duration) == (launched, launched + 3.0, 3.0)
    assert (row.started, row.ended, row.duration) == (launched + 3.0, launched + 5.0, 2.0)
    assert state.clock.compute_done == pytest.approx(5.0 / 60)
    assert (row.worker, row.draw, row.enqueued) == (3, 7, False)
    assert (state.num_launched, state.num_draws, state.seen) == (2, 8, {(0.25,), (0.5,)})


@pytest.mark.parametrize("end", [TrialState.ABORTED, TrialState.FAILED])
def test_a_trial_that_ends_before_its_worker_is_ready_has_run_for_no_time(trials, state, recorder, clocks, end):
    trials.launch({"x": 0.5}, [0.5], None)
    trials.receive(JobEvent("loading", 0, None))
    clocks.seconds += 100.0
    trials.receive(JobEvent("ended", 0, Outcome(end, duration=100.0)))
    [row] = recorder.rows
    assert (row.seconds, state.clock.compute_done, row.ended) == (0.0, 0.0, clocks.time())


@pytest.mark.parametrize(
    ("end", "is_ready", "is_long"),
    [
        (TrialState.COMPLETED, True, False),
        (TrialState.FAILED, True, False),
        (TrialState.ABORTED, True, True),
        (TrialState.ABORTED, False, True),
        (TrialState.FAILED, False, True),
    ],
)
def test_a_trial_that_was_aborted_or_never_began_does_not_say_that_trials_are_short(
    trials, state, clocks, end, is_ready, is_long
):
    trials.launch({"x": 0.5}, [0.5], None)
    if not is_ready:
        trials.receive(JobEvent("loading", 0, None))
    clocks.seconds += 0.1
    trials.receive(JobEvent("ended", 0, Outcome(end)))
    assert state.has_long_trials is is_long


def test_a_trial_over_its_time_is_counted_once_as_its_server_says(trials, state, recorder, run_trial):
    state.settings.time_limit_per_job = 1.0
    run_trial(0, 61.0)
    trials.queue = Queue()
    Deadlines(state, recorder, trials).check(time.monotonic())
    assert state.clock.compute_used * 60 == pytest.approx(61, abs=1)
    trials.receive(JobEvent("ended", 0, Outcome(TrialState.ABORTED, duration=60.5)))
    assert state.clock.compute_used * 60 == pytest.approx(60.5)
    assert recorder.rows[0].duration == 60.5


def summary(last_iteration, **scalars):
    """What a server says of scalars of the title ``a``: series to value and number of reports."""
    entries = {
        ("a", series): [value, last_iteration, value, last_iteration, value, last_iteration, count]
        for series, (value, count) in scalars.items()
    }
    return Summary(entries, last_iteration)


def test_a_job_that_was_put_back_into_its_queue_keeps_nothing_of_its_first_run_but_its_time(
    trials, state, recorder, run_trial, clocks
):
    run_trial(0)
    trials.queue = Queue()
    trials.receive(JobEvent("started", 0, clocks.time()))
    trials.receive(JobEvent("summary", 0, summary(100, b=(0.01, 100))))
    trials.refresh_rows()
    assert state.active[0].row.values == [0.01]
    assert state.num_iterations == 100
    clocks.seconds += 120 * 60.0
    trials.receive(JobEvent("queued", 0, None))
    trials.receive(JobEvent("summary", 0, Summary({}, -1)))
    trials.refresh_rows()
    row = state.active[0].row
    assert (row.state, row.values, row.iteration, row.last_iteration) == (TrialState.QUEUED, [None], [None], -1)
    assert state.num_iterations == 0
    assert state.clock.compute_used == pytest.approx(120)
    trials.receive(JobEvent("started", 0, clocks.time()))
    clocks.seconds += 60.0
    trials.receive(JobEvent("summary", 0, summary(3, other=(5.0, 3))))
    trials.receive(JobEvent("ended", 0, Outcome(TrialState.COMPLETED, duration=60.0)))
    [row] = recorder.rows
    assert (row.state, row.values, row.last_iteration) == (TrialState.FAILED, [None], 3)
    assert state.num_iterations == 3  # as a view of the journal counts
    assert row.error.startswith("ended without reporting 'a/b'")
    assert state.clock.compute_used == pytest.approx(121)
    assert not state.stop_conditions.has_objective


def test_a_pruner_is_told_of_reports_of_the_objective_only_and_of_their_own_iterations(trials, state, run_trial):
    told = []
    trials._proposals.report = lambda *report: told.append(report)
    state.settings.min_iteration_per_job = 5
    run_trial(0)
    trials.queue = Queue()
    trials.receive(JobEvent("summary", 0, summary(1, b=(0.9, 1))))
    for seconds in (210, 240):  # what counts something else, such as the monitor of the machine
        trials.receive(JobEvent("summary", 0, summary(seconds, b=(0.9, 1), other=(seconds, seconds))))
    assert told == []
    reported = summary(270, b=(0.8, 2), other=(7.0, 270))
    reported.scalars["a", "b"][1] = 6
    trials.receive(JobEvent("summary", 0, reported))
    # The same value once more is a report, too.
    reported = summary(270, b=(0.8, 3), other=(7.0, 270))
    reported.scalars["a", "b"][1] = 7
    trials.receive(JobEvent("summary", 0, reported))
    assert told == [(0, 6, 0.8), (0, 7, 0.8)]


class Answering:
    """An engine of this machine that has a method of any name."""

    def __getattr__(self, name):
        return lambda *_: None


def test_an_engine_that_answers_to_any_name_has_no_queue(state, recorder):
    trials = TrialLifecycle(state, recorder, None, Answering(), lambda source, sentence: None)
    assert trials.queue is None


class Queue:
    """A server that is told of reasons."""

    def give_reason(self, number, sentence):
        pass
