"""A live controller of the SDK is steered: paused, given other ranges, enqueued points and other sizes."""

from __future__ import annotations

from dataclasses import replace

from clearml.automation import DiscreteParameterRange, GridSearch, RandomSearch, UniformIntegerParameterRange

from hpo_widgets.trials import TrialState
from tests.clearml.sdk_worker import every_strategy, states


def grid():
    """Six points."""
    return [
        UniformIntegerParameterRange("General/units", 1, 3),
        DiscreteParameterRange("General/kind", ["plain", "fancy"]),
    ]


@every_strategy
def test_a_pause_launches_nothing_and_the_running_trial_ends(started, sdk_worker, until, strategy):
    search, first = started(1, **strategy, max_number_of_concurrent_tasks=1, total_max_jobs=3)
    search.command("pause")
    assert search.status == "paused"
    sdk_worker.complete(first, 1.0)
    until(search, lambda: states(search) == {"completed": 1})
    assert sdk_worker.num_waiting() == 0
    assert search.status == "paused"
    assert search.capabilities["pause"] == "the search is paused already"
    search.command("resume")
    second = sdk_worker.take()
    assert second != first
    assert search.capabilities["resume"] == "the search is not paused"


def test_a_resume_in_the_middle_of_a_turn_of_the_loop_does_not_end_the_search(started, sdk_worker, monkeypatch):
    search, first = started(1, max_number_of_concurrent_tasks=1, total_max_jobs=3)
    real = RandomSearch.process_step

    def turn(strategy):
        goes_on = real(strategy)
        if not goes_on:  # a turn of the pause, with nothing running any more
            search.command("resume")
        return goes_on

    monkeypatch.setattr(RandomSearch, "process_step", turn)
    search.command("pause")
    sdk_worker.complete(first, 1.0)
    assert sdk_worker.take() != first


def test_a_random_search_draws_from_the_ranges_of_the_moment_and_goes_back(watched, sdk_worker, until):
    search = watched(max_number_of_concurrent_tasks=1, pool_period_min=5)
    search.command("set_ranges", {"General/x": (0.25, 0.5), "General/kind": ("fancy",)})
    search.command("start")
    first = sdk_worker.take()
    point = sdk_worker.point(first)
    assert 0.25 <= float(point["x"]) <= 0.5
    assert point["kind"] == "fancy"
    search.command("set_range", "General/x", (1.5, 2.0))  # beyond what was declared
    sdk_worker.complete(first, 1.0)
    second = sdk_worker.take()
    assert 1.5 <= float(sdk_worker.point(second)["x"]) <= 2.0
    search.command("undo")
    sdk_worker.complete(second, 1.0)
    third = sdk_worker.take()
    assert 0.25 <= float(sdk_worker.point(third)["x"]) <= 0.5
    until(search, lambda: sum(search.counts.values()) == 3)
    assert [search.trial(number).epoch for number in range(3)] == [1, 2, 3]
    assert search.trial(1).parameters["General/x"] == float(sdk_worker.point(second)["x"])


def test_a_grid_search_goes_on_with_what_the_ranges_leave_and_repeats_nothing(started, sdk_worker, until):
    search, first = started(1, grid(), optimizer_class=GridSearch, max_number_of_concurrent_tasks=1, total_max_jobs=20)
    search.command("set_ranges", {"General/units": (1, 2)})
    points = [dict(search.patches.strategy.get_created_jobs_ids()[first])]
    sdk_worker.complete(first, 1.0)
    for _ in range(3):
        task = sdk_worker.take()
        points.append(dict(search.patches.strategy.get_created_jobs_ids()[task]))
        sdk_worker.complete(task, 1.0)
    until(search, lambda: not search.status.is_alive)
    assert search.stop_reason.code == "space_exhausted"
    assert sorted((point["General/units"], point["General/kind"]) for point in points) == [
        (1, "fancy"),
        (1, "plain"),
        (2, "fancy"),
        (2, "plain"),
    ]


def test_an_enqueued_point_runs_next_and_a_retry_runs_again(started, sdk_worker, until):
    search, first = started(1, max_number_of_concurrent_tasks=1, total_max_jobs=3)
    mine = {"General/x": 0.125, "General/units": 7, "General/kind": "fancy"}
    search.command("enqueue_trial", mine)
    sdk_worker.fail(first)
    second = sdk_worker.take()
    assert sdk_worker.point(second) == {"x": "0.125", "units": "7", "kind": "fancy"}
    until(search, lambda: search.counts[TrialState.FAILED] == 1)
    search.command("retry", 0)
    sdk_worker.complete(second, 1.0)
    third = sdk_worker.take()
    assert sdk_worker.point(third) == sdk_worker.point(first)
    sdk_worker.complete(third, 0.5)
    until(search, lambda: not search.status.is_alive)
    assert [search.trial(number).enqueued for number in range(3)] == [False, True, True]
    assert search.errors == []


def test_failed_trials_run_again_once_each_as_far_as_the_budget_goes(started, sdk_worker, until):
    search, *tasks = started(3, max_number_of_concurrent_tasks=3, total_max_jobs=5)
    search.command("pause")
    for task in tasks:
        sdk_worker.fail(task)
    until(search, lambda: search.counts[TrialState.FAILED] == 3)
    assert (search.num_waiting_points, search.failed_points()) == (0, [0, 1, 2])
    search.command("retry_failed")
    assert (search.num_waiting_points, search.failed_points()) == (2, [2])
    assert [notice.sentence for notice in search.errors] == [
        "1 of 3 points does not run again, as the budget has room for 2; raise the number of jobs first"
    ]
    search.command("retry_failed")
    assert search.errors[-1].sentence.startswith("retry_failed did nothing: all 5 jobs have been launched, or are")
    search.command("resume")
    again = [sdk_worker.take(), sdk_worker.take()]
    points = search.patches.strategy.get_created_jobs_ids()
    assert [points[task] for task in again] == [points[task] for task in tasks[:2]]
    assert search.failed_points() == [2]
    sdk_worker.complete(again[0], 0.5)
    sdk_worker.fail(again[1])
    until(search, lambda: not search.status.is_alive)
    assert search.failed_points() == [1, 2]


def test_a_trial_of_another_search_is_not_taken_for_the_own_one_of_its_number(started, until):
    search, _ = started(1, total_max_jobs=3)
    until(search, lambda: search.counts[TrialState.RUNNING])
    search.command("retry", replace(search.trial(0), id="of-another-search"))
    assert "(of-another-search) belongs to another search than" in search.errors[-1].sentence
    search.command("retry", search.trial(0))
    assert len(search.errors) == 1


def test_more_and_fewer_trials_at_once(started, sdk_worker, until):
    search, first = started(1, max_number_of_concurrent_tasks=1)
    search.command("set_max_number_of_concurrent_tasks", 3)
    more = [sdk_worker.take(), sdk_worker.take()]
    assert search.max_number_of_concurrent_tasks == 3
    search.command("set_max_number_of_concurrent_tasks", 1)
    for task in (first, *more[:1]):
        sdk_worker.complete(task, 1.0)
    until(search, lambda: search.counts[TrialState.COMPLETED] == 2)
    assert states(search) == {"completed": 2, "running": 1}
    sdk_worker.complete(more[1], 1.0)
    assert sdk_worker.take()


def test_a_budget_that_is_raised_after_the_end_is_used_up(watched, sdk_worker, until):
    search = watched(total_max_jobs=1)
    search.command("start")
    sdk_worker.complete(sdk_worker.take(), 1.0)
    until(search, lambda: search.status == "completed")
    minutes = search.elapsed_minutes
    assert search.capabilities["start"] == "all 1 jobs have run: raise the number of jobs first"
    search.command("set_total_max_jobs", 2)
    search.command("start")
    sdk_worker.complete(sdk_worker.take(), 0.5)
    until(search, lambda: search.status == "completed")
    assert states(search) == {"completed": 2}
    assert search.best_trial.value == 0.5
    assert search.elapsed_minutes > minutes


def test_points_beyond_the_budget_are_refused_and_do_not_wait_in_silence(started, until):
    search, _ = started(1, max_number_of_concurrent_tasks=1, total_max_jobs=2)
    until(search, lambda: states(search) == {"running": 1})
    search.command("retry", 0)
    assert search.errors == []
    search.command("retry", 0)
    assert search.errors[-1].sentence == (
        "retry did nothing: all 2 jobs have been launched, or are reserved for waiting points: "
        "raise the number of jobs first"
    )


def test_a_budget_below_what_has_run_says_what_to_do(watched, sdk_worker, until):
    search = watched(total_max_jobs=2)
    search.command("start")
    for task in [sdk_worker.take(), sdk_worker.take()]:
        sdk_worker.complete(task, 1.0)
    until(search, lambda: search.status == "completed")
    search.command("set_total_max_jobs", 1)
    assert search.capabilities["start"] == "2 jobs have run, 1 are allowed: raise the number of jobs first"
