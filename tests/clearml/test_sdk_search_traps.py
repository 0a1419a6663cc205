"""What the SDK's controller does late, never or wrongly does not reach whoever sees it as a search."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import threading
import time
from types import SimpleNamespace

import pytest
from clearml.automation import RandomSearch, UniformParameterRange, optimization
from clearml.automation.job import ClearmlJob
from clearml.automation.optimization import SearchStrategy
from clearml.automation.parameters import RandomSeed

from hpo_widgets.clearml_sdk import live
from hpo_widgets.clearml_sdk.live import adapt
from hpo_widgets.clearml_sdk.tasks import USER_ABORTED
from hpo_widgets.trials import TrialState
from tests.clearml.sdk_worker import every_strategy, states
from tests.conftest import DEADLINE
from tests.runs import wait_for

SECONDS = 1 / 60


# Time limits


def test_no_time_limit_is_no_error(watched, sdk_worker, until):
    search = watched()
    with pytest.raises(TypeError):
        search.optimizer.get_time_limit()
    assert search.budget.wall_minutes.limit is None
    search.command("start")
    sdk_worker.take()
    until(search, lambda: states(search).get("running"))
    with pytest.raises(TypeError):
        search.optimizer.reached_time_limit()
    assert search.budget.wall_minutes.limit is None
    assert search.status == "running"


def test_the_constructors_limit_counts_from_the_start(watched, sdk_worker, monkeypatch):
    # Half an hour goes by before somebody presses Start: by the SDK's clock nothing would be left.
    with monkeypatch.context() as past:
        past.setattr(optimization, "time", lambda: time.time() - 1801)
        past.setattr(live, "time", SimpleNamespace(time=lambda: time.time() - 1801, monotonic=time.monotonic))
        search = watched(optimization_time_limit=30)
    assert search.capabilities["start"] is None
    assert search.budget.wall_minutes.limit == 30
    search.command("start")
    sdk_worker.take()
    assert search.status == "running"
    assert search.budget.wall_minutes.limit == pytest.approx(30, abs=5)


MOMENT = dt.datetime(2101, 1, 1, 18, tzinfo=dt.UTC)


@pytest.mark.parametrize("set_by", ["a command", "a cell", "a cell before it was watched"])
def test_a_limit_that_is_a_moment_stays_one_however_late_the_start(controller, sdk_worker, set_by):
    optimizer = controller(optimization_time_limit=30)
    if set_by == "a cell before it was watched":
        optimizer.set_time_limit(specific_time=MOMENT)
    with contextlib.closing(adapt(optimizer)) as search:
        if set_by == "a cell":
            optimizer.set_time_limit(specific_time=MOMENT)
        elif set_by == "a command":
            search.command("set_time_limit", None, MOMENT)
        minutes_left = (MOMENT.timestamp() - time.time()) / 60
        assert search.budget.wall_minutes.limit == pytest.approx(minutes_left, abs=10)
        search.command("start")
        sdk_worker.take()
        assert optimizer.optimization_timeout == MOMENT.timestamp()


def test_a_limit_that_passes_before_the_start_is_said_to_have_passed(watched):
    search = watched()
    search.optimizer.set_time_limit(specific_time=dt.datetime(2001, 1, 1, tzinfo=dt.UTC))
    assert search.capabilities["start"] == "the time limit has passed: set a later one first"
    limit = search.budget.wall_minutes
    assert (limit.limit, limit.fraction, limit.exceeded) == (0, 1, True)
    assert "optimization_time_limit" not in search.as_code()


def test_a_limit_that_is_reached_ends_the_search_though_the_reporter_sleeps(started, sdk_worker, until):
    search, task = started(1)
    search.command("set_time_limit", SECONDS)
    until(search, lambda: not search.status.is_alive)
    assert search.stop_reason.code == "optimization_time_limit"
    assert search.status == "completed"
    assert sdk_worker.status(task) == "stopped"
    # The SDK says that no limit was reached, once it has ended.
    assert not search.optimizer.reached_time_limit()
    assert search.capabilities["start"] == "the time limit has passed: set a later one first"


def test_the_compute_limit_ends_the_search(started, sdk_worker, until):
    search, *tasks = started(2, compute_time_limit=60)
    # Only now, so that both have been taken when it is reached.
    search.command("set_compute_time_limit", 2 * SECONDS)
    until(search, lambda: not search.status.is_alive)
    assert search.stop_reason.code == "compute_time_limit"
    assert [sdk_worker.status(task) for task in tasks] == ["stopped", "stopped"]
    assert search.budget.compute_minutes.used >= 2 * SECONDS
    assert states(search) == {"aborted": 2}


def test_compute_time_is_reported_as_a_share_and_kills_no_reporter(watched):
    search = watched(compute_time_limit=10)
    budget = search.optimizer.get_optimizer().budget
    budget.compute_time.update("a", 20)
    assert budget.to_dict()["compute_time"]["used"] == 2
    # Where the SDK would name an attribute that it has not.
    assert not budget.compute_time.limit
    search.command("set_compute_time_limit", 40)
    assert budget.to_dict()["compute_time"]["used"] == 0.5
    assert search.budget.compute_minutes.limit == 40


# Stop


class BlockingStop:
    """Stands before the ``stop`` of a controller, which returns only when it may."""

    def __init__(self, optimizer):
        self._stop = optimizer.stop
        self.has_come = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, **keywords):
        # The SDK's own reporter, which calls it too, is let through.
        if threading.current_thread().name == "hpo_widgets clearml stop":
            self.has_come.set()
            self.may_end.wait()
        self._stop(**keywords)


@contextlib.contextmanager
def blocking_stop(optimizer, monkeypatch):
    """Have a controller's ``stop`` block until the end of the ``with``."""
    blocking = BlockingStop(optimizer)
    with monkeypatch.context() as patch:
        patch.setattr(optimizer, "stop", blocking)
        try:
            yield blocking
        finally:
            blocking.may_end.set()


def test_stop_shows_at_once_and_aborts_while_the_sdks_own_stop_still_blocks(started, sdk_worker, until, monkeypatch):
    search, *running = started(2, max_number_of_concurrent_tasks=3)
    until(search, lambda: states(search) == {"running": 2, "queued": 1})
    with blocking_stop(search.optimizer, monkeypatch) as blocking:
        with search._looking:  # so that nobody sees yet that all has ended
            search.command("stop")
            assert search.status == "stopping"
            assert search.capabilities["stop"] == "the search is stopping"
        until(search, lambda: states(search) == {"aborted": 3})
        assert [sdk_worker.status(task) for task in running] == ["stopped", "stopped"]
        # The SDK may be launching one more: it takes a Task for ended that begins between two of its requests.
        wait_for(lambda: sdk_worker.num_waiting() == 0, "a Task waits in the queue")
        assert blocking.has_come.wait(DEADLINE)
        until(search, lambda: search.status == "stopped")  # though the SDK's stop has not returned
    assert search.stop_reason.code == "stopped"
    assert all(USER_ABORTED in search.trial(number).error for number in range(2))


def test_a_start_while_the_sdks_stop_still_blocks_begins_after_it(started, sdk_worker, until, monkeypatch):
    search, _ = started(1)
    with blocking_stop(search.optimizer, monkeypatch) as blocking:
        search.command("stop")
        until(search, lambda: search.status == "stopped")
        assert blocking.has_come.wait(DEADLINE)
        is_waited_for, join = threading.Event(), search.stopping.join
        monkeypatch.setattr(search.stopping, "join", lambda: (is_waited_for.set(), join()))
        search.command("start")
        assert search.capabilities["start"] == "the search is running"
        assert is_waited_for.wait(DEADLINE)
    task = sdk_worker.take()
    until(search, lambda: search.status == "running" and states(search).get("running"))
    assert search.optimizer.is_running()  # the SDK knows the thread of the new run
    sdk_worker.complete(task, 1.0)
    assert sdk_worker.take()


@pytest.mark.parametrize("is_again", [False, True], ids=["first", "again"])
def test_a_start_that_the_sdk_does_not_do_is_told(watched, sdk_worker, until, monkeypatch, is_again):
    search = watched()
    if is_again:
        search.command("start")
        sdk_worker.take()
        search.command("stop")
        until(search, lambda: search.status == "stopped")

    def broken(**_keywords):
        raise RuntimeError("the server does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(search.optimizer, "start", broken)
        search.command("start")
        until(search, lambda: search.errors)
        [notice] = search.errors
        assert (notice.source, notice.sentence) == ("command", "start: the server does not answer")
        until(search, lambda: search.capabilities["start"] is None)
    search.command("start")
    until(search, lambda: not search.errors)
    search.command("stop")
    until(search, lambda: search.status == "stopped")


def test_a_task_that_is_launched_while_a_stop_is_on_its_way_is_taken_back(watched, sdk_worker, until, monkeypatch):
    search = watched(max_number_of_concurrent_tasks=1)
    about_to_launch, may_launch = threading.Event(), threading.Event()
    real = ClearmlJob.launch

    def late(job, queue_name=None):
        about_to_launch.set()
        may_launch.wait(DEADLINE)
        return real(job, queue_name)

    monkeypatch.setattr(ClearmlJob, "launch", late)
    search.command("start")
    assert about_to_launch.wait(DEADLINE)
    search.command("stop")
    until(search, lambda: states(search) == {"aborted": 1})
    search.stopping.join()
    search.look()
    assert search.status == "stopping"  # its loop, which the SDK has forgotten, still launches
    may_launch.set()
    until(search, lambda: search.status == "stopped")
    assert sdk_worker.num_waiting() == 0


@pytest.mark.slow
def test_a_start_in_a_cell_after_the_end_is_seen(watched, sdk_worker, until):
    search = watched(total_max_jobs=1)
    search.command("start")
    sdk_worker.complete(sdk_worker.take(), 1.0)
    until(search, lambda: search.status == "completed")
    search.command("set_total_max_jobs", 2)
    search.optimizer.start()
    task = sdk_worker.take()
    until(search, lambda: search.status == "running")
    assert search.stop_reason is None
    sdk_worker.complete(task, 0.5)
    until(search, lambda: search.status == "completed")
    assert states(search) == {"completed": 2}


def test_stop_after_a_natural_end_does_nothing_and_says_so(watched, sdk_worker, until):
    search = watched(total_max_jobs=1)
    search.command("start")
    sdk_worker.complete(sdk_worker.take(), 1.0)
    until(search, lambda: search.status == "completed")
    search.command("stop")
    assert search.errors[-1].sentence == "stop did nothing: the search is not running"
    assert search.status == "completed"


@every_strategy
def test_nothing_is_launched_after_the_stop(started, sdk_worker, until, strategy):
    search, *running = started(2, **strategy, pool_period_min=0.001)
    until(search, lambda: states(search) == {"running": 2})
    search.command("stop")
    until(search, lambda: search.status == "stopped")
    assert [sdk_worker.status(task) for task in running] == ["stopped", "stopped"]
    search.look()
    assert not search.is_running
    assert len(search.optimizer.get_optimizer().get_created_jobs_ids()) == 2
    assert sdk_worker.num_waiting() == 0


def test_a_stop_from_a_cell_is_seen(started, until):
    search, _ = started(1)
    until(search, lambda: states(search).get("running"))
    search.optimizer.stop(wait_for_reporter=False)
    search.watcher.wake()
    until(search, lambda: not search.status.is_alive)
    assert (search.status, search.stop_reason.code) == ("stopped", "stopped")


def test_an_aborted_trial_stays_aborted_when_its_process_counts_as_failed(started, sdk_worker, until):
    search, task = started(1, total_max_jobs=2)
    until(search, lambda: states(search).get("running"))
    search.command("stop")
    until(search, lambda: search.status == "stopped")
    # What the SDK does to a local job whose process was killed.
    sdk_worker.client.tasks.failed(task=task, force=True, status_reason="Signal None")
    search.trials._asked_all_at = -math.inf
    search.look()
    states_by_task = {trial.id: trial.state for trial in map(search.trial, range(len(search.snapshot())))}
    assert states_by_task[task] is TrialState.ABORTED
    assert search.counts[TrialState.FAILED] == 0


# Launches


def test_the_job_budget_is_never_exceeded(started, sdk_worker, until):
    search, *first = started(4, total_max_jobs=5, max_number_of_concurrent_tasks=4, pool_period_min=5)
    for task in first[1:]:
        sdk_worker.complete(task, 1.0)
    sdk_worker.complete(sdk_worker.take(), 1.0)  # three places were free for the one job that was left
    sdk_worker.complete(first[0], 1.0)
    until(search, lambda: not search.status.is_alive)
    assert states(search) == {"completed": 5}
    assert sdk_worker.num_waiting() == 0


def test_a_free_place_is_filled_when_a_job_ends_and_not_a_pool_period_later(started, sdk_worker):
    _, first, _ = started(2, pool_period_min=60)
    sdk_worker.complete(first, 1.0)
    assert sdk_worker.take()  # an hour later by the SDK's clock


def test_a_launch_that_fails_is_told_and_ends_the_search_with_its_reason(watched, until):
    search = watched(execution_queue="there-is-no-such-queue", max_number_of_concurrent_tasks=8)
    search.command("start")
    until(search, lambda: not search.status.is_alive)
    assert (search.status, search.stop_reason.code) == ("failed", "launch_failed")
    assert "there-is-no-such-queue" in search.stop_reason.sentence
    # Three are enough to know; the SDK goes on leaving drafts.
    assert states(search) == {"failed": 3}
    assert {notice.source for notice in search.errors} == {"launch"}
    assert "there-is-no-such-queue" in search.trial(0).error


def test_a_job_class_that_raises_ends_the_search_with_the_error_in_words(watched, until):
    search = watched()

    def broken(*_arguments, **_keywords):
        raise OSError("no space left on the device")

    search.optimizer.get_optimizer().set_job_class(broken)
    search.command("start")
    until(search, lambda: not search.status.is_alive)
    assert (search.status, search.stop_reason.code) == ("failed", "error")
    assert "no space left on the device" in search.stop_reason.sentence
    assert not search.optimizer.is_running()  # by the SDK's book, too


def test_a_loop_that_died_before_it_was_shown_does_not_count_as_running(controller, monkeypatch):
    optimizer = controller()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(optimizer.get_optimizer(), "process_step", lambda: 1 / 0)
    optimizer.start()
    optimizer._thread.join()
    assert optimizer.is_running()  # says the SDK
    search = adapt(optimizer)
    search.look()
    assert (search.status, search.stop_reason.code) == ("failed", "error")


def test_a_reporter_that_died_is_told_once(started, until):
    search, _ = started(1)
    until(search, lambda: states(search).get("running"))
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    search.optimizer._thread_reporter = dead
    search.watcher.wake()
    until(search, lambda: search.errors)
    search.look()
    search.look()
    assert [notice.source for notice in search.errors] == ["report"]


@pytest.fixture
def looked_at(started):
    """A search with one running Task, which only the test looks at."""
    search, task = started(1, total_max_jobs=1)
    search.close()
    return search, task


def test_a_reporter_that_the_sdk_has_not_started_yet_has_not_died(looked_at, monkeypatch):
    search, _ = looked_at
    with monkeypatch.context() as patch:
        patch.setattr(search.optimizer, "_thread_reporter", threading.Thread(target=lambda: None))
        search.look()
    assert search.errors == []


def test_a_reporter_that_ends_together_with_the_search_has_not_died(looked_at, sdk_worker, monkeypatch):
    search, task = looked_at
    loop = search.optimizer._thread

    class EndsWithTheSearch:
        """A reporter that is looked at in the moment in which it and the loop end."""

        ident = 1

        def is_alive(self):
            if loop.is_alive():
                sdk_worker.complete(task, 1.0)
                loop.join(DEADLINE)
            return False

    with monkeypatch.context() as patch:
        patch.setattr(search.optimizer, "_thread_reporter", EndsWithTheSearch())
        search.look()
    assert not loop.is_alive()
    assert search.errors == []


def test_the_reporter_of_the_run_before_has_not_died_when_the_next_begins(looked_at, sdk_worker, monkeypatch):
    search, task = looked_at
    optimizer = search.optimizer
    sdk_worker.complete(task, 1.0)
    optimizer._thread.join(DEADLINE)
    search.look()
    assert search.status == "completed"
    optimizer._stop_event.set()
    optimizer._thread_reporter.join(DEADLINE)
    with monkeypatch.context() as patch:
        # The SDK makes the loop of the next run first, and a moment later its reporter.
        patch.setattr(optimizer, "_thread", threading.Thread(target=lambda: None))
        assert search.is_running
        search.look()
    assert search.errors == []


# Points


class Unmade:
    """A job that no Task is made for."""

    launch = None

    def task_id(self):
        return "none"


@pytest.fixture
def drawn(monkeypatch):
    """``drawn(search, count)`` gives what a search's first parameter draws; no Task is made."""
    points = []

    def make(_strategy, base_task_id, parameter_override):
        points.append(parameter_override)
        return Unmade()

    monkeypatch.setattr(SearchStrategy, "helper_create_job", make)

    def draw(search, count):
        strategy, name = search.optimizer.get_optimizer(), next(iter(search.space.names))
        points.clear()
        for _ in range(count):
            strategy.create_job()
        return [point[name] for point in points]

    return draw


def test_two_searches_draw_points_of_their_own(watched, drawn, monkeypatch):
    monkeypatch.setattr(RandomSeed, "_seed", 1337)
    assert drawn(watched(), 5) != drawn(watched(), 5)
    # As if another kernel ran the same cell.
    monkeypatch.setattr(RandomSeed, "_random", type(RandomSeed._random)(1337))
    first = drawn(watched(), 5)
    monkeypatch.setattr(RandomSeed, "_random", type(RandomSeed._random)(1337))
    assert drawn(watched(), 5) != first


def test_a_seed_that_somebody_set_holds(watched, drawn, monkeypatch):
    monkeypatch.setattr(RandomSeed, "_seed", 1337)
    monkeypatch.setattr(RandomSeed, "_random", RandomSeed._random)
    RandomSeed.set_random_seed(7)
    first = drawn(watched(), 5)
    RandomSeed.set_random_seed(7)
    assert drawn(watched(), 5) == first


def test_a_seed_that_somebody_set_holds_after_a_change_of_range_and_each_search_draws_its_own(
    watched, drawn, monkeypatch
):
    monkeypatch.setattr(RandomSeed, "_seed", 1337)
    monkeypatch.setattr(RandomSeed, "_random", RandomSeed._random)

    def narrowed():
        search = watched()
        search.command("set_ranges", {"General/x": (0.25, 0.5)})
        return drawn(search, 5)

    RandomSeed.set_random_seed(7)
    first, second = narrowed(), narrowed()
    RandomSeed.set_random_seed(7)
    assert narrowed() == first
    assert second != first


@pytest.mark.parametrize("seed", [1337, 7])
def test_a_stepped_range_gives_its_maximum_too(watched, drawn, monkeypatch, seed):
    monkeypatch.setattr(RandomSeed, "_seed", seed)
    search = watched([UniformParameterRange("General/x", 0, 1, step_size=0.5)], optimizer_class=RandomSearch)
    assert set(drawn(search, 100)) == {0.0, 0.5, 1.0}
