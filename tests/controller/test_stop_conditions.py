"""Each reason for which a search ends by itself."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from hpo_widgets.controller.stop_conditions import LAUNCH_FAILURES, StopConditions
from hpo_widgets.search.limits import SearchClock, Settings
from hpo_widgets.trials import TrialState

UNCOUNTED = [state for state in TrialState if state not in {TrialState.COMPLETED, TrialState.FAILED}]


class Proposals:
    """What `StopConditions` looks at."""

    def __init__(self, *, is_exhausted=False, error=None):
        self.is_exhausted = is_exhausted
        self.error = error


@pytest.fixture
def settings():
    return Settings(2, total_max_jobs=9, max_failures=4)


@pytest.fixture
def clock(settings):
    return SearchClock(settings)


@pytest.fixture
def conditions(settings, clock):
    return StopConditions(settings, clock)


def failed(conditions, times, **keywords):
    return [conditions.after_trial(TrialState.FAILED, "raised ValueError: no", **keywords) for _ in range(times)]


def test_the_error_in_a_reason_is_one_line_of_bounded_length(conditions):
    for _ in range(4):
        reason = conditions.after_trial(TrialState.FAILED, "raised ValueError: no\n  " + "x" * 1000)
    assert reason.sentence.startswith("4 trials in a row failed; the last: raised ValueError: no xxx")
    assert reason.sentence.endswith("x…")
    assert len(reason.sentence) < 300


def test_another_limit_holds_from_the_next_trial_on(settings, conditions):
    failed(conditions, 3)
    settings.max_failures = 2
    assert failed(conditions, 1)[0].code == "max_failures"


# Trials that somebody stops at a server before they run -----------------------------------------


def stopped_elsewhere(conditions, times):
    """Whether no further trial is launched, after each of so many trials."""
    seen = []
    for _ in range(times):
        assert conditions.after_trial(TrialState.ABORTED, "its Task was stopped: no", stopped_elsewhere=True) is None
        seen.append(conditions.why_none_launched is not None)
    return seen


def test_trials_that_are_stopped_at_a_server_in_a_row_beyond_those_that_wait_at_once_end_the_launches(
    settings, conditions
):
    number = settings.max_failures + settings.max_number_of_concurrent_tasks
    assert stopped_elsewhere(conditions, number) == [False] * (number - 1) + [True]
    reason = why_no_more(conditions, Proposals(), 0)
    assert reason is conditions.why_none_launched
    assert reason.code == "max_failures"
    assert reason.sentence == (
        "6 trials in a row were stopped at the server before they ran; see there who stops them, then continue; the "
        "last: its Task was stopped: no"
    )
    conditions.begin_run()
    assert conditions.why_none_launched is None


@pytest.mark.parametrize("state", [state for state in TrialState if state.has_ended and state != TrialState.ABORTED])
def test_a_trial_that_has_run_begins_the_row_of_stopped_ones_again(conditions, state):
    stopped_elsewhere(conditions, 5)
    conditions.after_trial(state, "raised ValueError: no")
    assert stopped_elsewhere(conditions, 5) == [False] * 5


def test_a_trial_that_was_aborted_here_leaves_the_row_of_stopped_ones(conditions):
    stopped_elsewhere(conditions, 5)
    conditions.after_trial(TrialState.ABORTED, "the search was stopped")
    assert stopped_elsewhere(conditions, 1) == [True]


def test_without_a_limit_of_failures_any_number_may_be_stopped_at_a_server(settings, conditions):
    settings.max_failures = None
    assert not any(stopped_elsewhere(conditions, 100))


@pytest.mark.parametrize("state", UNCOUNTED)
def test_trials_that_were_cut_short_neither_count_nor_break_the_row(conditions, state):
    failed(conditions, 3)
    assert conditions.after_trial(state, "aborted by hand") is None
    assert failed(conditions, 1)[0].code == "max_failures"


def test_trials_that_cannot_begin_end_the_search_soon(conditions):
    *before, reason = failed(conditions, LAUNCH_FAILURES, launch_failed=True)
    assert before == [None] * (LAUNCH_FAILURES - 1)
    assert (reason.code, reason.sentence) == (
        "launch_failed",
        "trials could not be started: raised ValueError: no",
    )


@pytest.mark.parametrize("state", [TrialState.COMPLETED, TrialState.FAILED])
def test_one_trial_that_began_is_a_sign_that_trials_can(settings, conditions, state):
    settings.max_failures = None
    for _ in range(3):
        assert failed(conditions, LAUNCH_FAILURES - 1, launch_failed=True) == [None] * (LAUNCH_FAILURES - 1)
        assert conditions.after_trial(state, "raised") is None


def test_an_objective_that_was_reported_once_is_only_missing(conditions):
    conditions.after_trial(TrialState.COMPLETED, None)
    assert failed(conditions, 3, without_objective=True) == [None] * 3
    assert failed(conditions, 1, without_objective=True)[0].code == "max_failures"


def test_a_run_that_is_continued_has_new_patience(conditions):
    failed(conditions, 3)
    conditions.begin_run()
    assert failed(conditions, 3) == [None] * 3
    conditions.begin_run()
    failed(conditions, LAUNCH_FAILURES - 1, launch_failed=True, without_objective=True)
    conditions.begin_run()
    assert failed(conditions, 1, launch_failed=True, without_objective=True) == [None]


class Walk:
    """A strategy, of which only the name counts."""


def why_no_more(conditions, proposals, num_launched=5, *, size=5, **state):
    known = {"num_launched": num_launched, "strategy": Walk(), "enqueued": [], "is_paused": False}
    return conditions.why_no_more(
        SimpleNamespace(space=SimpleNamespace(size=size), constraint=None, **known | state), proposals
    )


def test_a_search_with_points_left_goes_on(conditions):
    assert why_no_more(conditions, Proposals()) is None


def test_the_budget_of_jobs_ends_the_search_paused_or_not(conditions):
    for is_paused in (True, False):
        reason = why_no_more(conditions, Proposals(), 9, is_paused=is_paused)
        assert (reason.code, reason.sentence) == ("total_max_jobs", "all 9 trials of the budget were used")


def test_one_trial_is_told_of_in_the_singular(settings, conditions):
    settings.total_max_jobs = 1
    assert why_no_more(conditions, Proposals(), 1).sentence == "the only trial of the budget was used"
    settings.total_max_jobs = None
    exhausted = why_no_more(conditions, Proposals(is_exhausted=True), 1, size=1)
    assert exhausted.sentence == "every point of the space was tried (1 trial)"


def test_an_exhausted_space_ends_the_search_unless_it_is_paused_or_points_wait(conditions):
    exhausted = Proposals(is_exhausted=True)
    assert why_no_more(conditions, exhausted, is_paused=True) is None
    assert why_no_more(conditions, exhausted, enqueued=[{"x": 1}]) is None
    reason = why_no_more(conditions, exhausted)
    assert (reason.code, reason.sentence) == ("space_exhausted", "every point of the space was tried (5 trials)")
    for size in (6, None):
        reason = why_no_more(conditions, exhausted, size=size)
        assert (reason.code, reason.sentence) == ("space_exhausted", "Walk has no further point (5 trials)")


def test_what_the_strategy_raised_ends_the_search_and_its_traceback_is_logged(conditions, caplog):
    with caplog.at_level(logging.ERROR, logger="hpo_widgets"):
        reason = why_no_more(conditions, Proposals(error=ZeroDivisionError("of nothing")), is_paused=True)
    assert (reason.code, reason.sentence) == ("error", "Walk raised ZeroDivisionError: of nothing")
    assert "ZeroDivisionError: of nothing" in caplog.text
