"""How trials are followed: by one request a look for all of them, sooner where something happens, and no more."""

from __future__ import annotations

import re
import sys
import threading
import time

import numpy as np
import pytest

from hpo_widgets import HyperParameterOptimizer, UniformParameterRange, replay
from hpo_widgets.engines.clearml import children, poll_thread, reading, server
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.poll_thread import PollThread
from hpo_widgets.search import SearchStatus
from hpo_widgets.space import Space
from hpo_widgets.strategies import RandomSearch
from hpo_widgets.testing.clearml_server._api import documents
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import CurvesPlot, OptimizerWidget, TimelinePlot
from hpo_widgets.widget.parts.details import TrialDetails
from hpo_widgets.widget.parts.status import StatusPanel
from hpo_widgets.widget.plots import curve_reading
from tests.clearml.fake_server import Idle
from tests.clearml.fake_worker import print_lines, send_events
from tests.runs import finished, wait_for


@pytest.mark.parametrize("workers", [1, 12])
def test_a_look_is_one_request_for_all_active_trials(asked, looks, task_search, worker, until, workers):
    worker.gate.clear()
    made = task_search(max_number_of_concurrent_tasks=workers, total_max_jobs=workers)
    asked.start_over()
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == workers)
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert max(looks) == workers
    # All that was asked, from the start to the end: no trial costs a request of its own but for its launch.
    assert asked.counts() == {
        "queues.get_all": 2,
        "tasks.clone": workers,
        "tasks.enqueue": workers,
        "tasks.get_all": len(looks),
    }


def test_trials_beyond_one_answer_are_followed_stopped_and_taken_up_again(
    clearml_api, asked, task_search, worker, until, own, tmp_path, monkeypatch
):
    for module in (server, children):
        monkeypatch.setattr(module, "PAGE", 2)
    if clearml_api.server is not None:  # another one answers with 500 at most
        monkeypatch.setattr(documents, "LARGEST_PAGE", 2)
    worker.gate.clear()
    made = task_search(auto_connect_task=own, max_number_of_concurrent_tasks=5, total_max_jobs=5)
    made.start()
    until(made, lambda: len(made.top(5)) == 5)
    assert made.counts[TrialState.RUNNING] == 5
    asked.start_over()
    made.stop()
    assert made.wait(timeout=1.0)
    assert [worker.status(made.trial(number).id) for number in range(5)] == ["stopped"] * 5
    assert {made.trial(number).error for number in range(5)} == {"stopped by hand"}
    assert asked.counts()["tasks.stop_many"] == 3
    again = HyperParameterOptimizer.open(own.id, journal=tmp_path / "elsewhere")
    assert again.counts[TrialState.ABORTED] == 5


def test_a_plot_without_curves_says_how_a_script_reports_and_what_a_replay_cannot_have(task_search, worker):
    worker.work = lambda *_: None
    made = task_search(total_max_jobs=1)
    made.start()
    assert made.wait(timeout=1.0)
    played = replay(made.journal_path)
    played.seek(played.duration)
    for search, words in ((made, "Logger.current_logger().report_scalar"), (played, "are at the ClearML server")):
        plot = CurvesPlot(search)
        wait_for(lambda plot=plot: plot._said.value, "it says nothing", pause=0.02)
        assert words in plot._said.value
        plot.close()
    played.close()


def test_the_timeline_has_the_rows_of_trials_that_ran_at_once_and_claims_to_know_no_workers(task_search, worker):
    made = finished(task_search(max_number_of_concurrent_tasks=1))
    plot = TimelinePlot(made)
    assert (plot._axis_y.label, plot._y.max) == ("at once", 0.6)
    assert np.isfinite(plot._lines[TrialState.COMPLETED].x).sum() >= 2
    assert {row[1] for row in plot.numbers().rows} == {"–"}
    plot.close()


NOT_ALLOWED = (403, 30, "Forbidden (no permission)")


@pytest.mark.parametrize("answer", [(400, 110, "Invalid status"), NOT_ALLOWED])
def test_an_end_that_the_server_does_not_want_to_hear_of_is_told_with_the_next_look(
    way, task_search, api_client, base_task, monkeypatch, answer
):
    hurried = []
    look_now = Pace.look_now

    def counting(self):
        hurried.append(1)
        look_now(self)

    monkeypatch.setattr(Pace, "look_now", counting)
    script = {"diff": "raise SystemExit(3)", "entry_point": "train.py", "repository": "", "binary": "python"}
    api_client.tasks.edit(task=base_task, script=script, force=True)
    way.plan("tasks.failed", answer, times=2)
    made = task_search(total_max_jobs=1, max_number_of_concurrent_tasks=1)
    assert made.start_locally()
    assert made.wait(timeout=1.0)
    trial = made.trial(0)
    assert (trial.state, trial.error) == (TrialState.FAILED, "the process ended with exit code 3")
    # Because the process has ended, and because the server has taken note of it; not because it has refused to.
    assert len(hurried) == 2
    assert len(made.errors) == (answer is NOT_ALLOWED)


def test_what_the_keys_are_not_allowed_to_ask_is_told_once_and_ends_no_look(way, task_search, worker):
    class Pruning(RandomSearch):
        def report(self, number, iteration, value):
            return False

    way.plan("events.scalar_metrics_iter_histogram", NOT_ALLOWED, times=1000)
    made = finished(task_search(optimizer_class=Pruning, max_iteration_per_job=1))
    assert made.counts[TrialState.COMPLETED] == 3
    [notice] = made.errors
    assert notice.sentence == (
        "the iterations at which trials have last reported objectives cannot be read: the ClearML server refused "
        "events.scalar_metrics_iter_histogram (403/30: Forbidden (no permission)); check the access key and the secret "
        "key"
    )


@pytest.mark.parametrize("what", ["lost", "unreadable"])
def test_the_moment_of_the_next_look_is_changed_under_the_lock_alone(way, task_search, monkeypatch, what):
    found = []
    look_in, read = Pace.look_in, poll_thread.read_task

    def looking(self, seconds):
        found.append(sys._getframe(1).f_locals["self"]._jobs.changed._is_owned())
        look_in(self, seconds)

    def unreadable(task):
        monkeypatch.setattr(poll_thread, "read_task", read)
        raise KeyError("status")

    made = task_search()
    monkeypatch.setattr(Pace, "look_in", looking)
    if what == "lost":
        way.plan("tasks.get_all", "lost")
    else:
        monkeypatch.setattr(poll_thread, "read_task", unreadable)
    finished(made)
    assert set(found) == {True}


def test_a_strategy_is_told_the_iterations_of_the_objective_whatever_else_a_trial_counts(task_search, worker):
    told = []

    class Noting(RandomSearch):
        def report(self, number, iteration, value):
            told.append((number, iteration, value))
            return False

    worker.work = lambda *_: None
    worker.gate.clear()
    made = task_search(optimizer_class=Noting, total_max_jobs=1)
    made.start()
    wait_for(lambda: worker.taken, "it did not begin", pause=0.02)
    [task] = worker.taken
    for step in range(4):
        for batch in (10 * step + 1, 10 * step + 5):
            send_events(worker.session, task, ("batch", "loss", 0.5, batch))
            wait_for(lambda batch=batch: made.budget.iterations.used == batch, "it is not seen", pause=0.02)
        send_events(worker.session, task, ("validation", "loss", 1.0 - step, step))
        wait_for(lambda step=step: len(told) == step + 1, "the strategy is not told", pause=0.02)
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert told == [(0, step, 1.0 - step) for step in range(4)]
    assert made.trial(0).iterations == (3,)


@pytest.mark.parametrize(
    ("sign", "reports", "iteration", "num_asked"),
    [
        ("min", [(1.0, 0), (3.0, 1), (2.0, 2)], 2, 1),
        ("min_global", [(1.0, 0), (3.0, 1), (2.0, 2)], 0, 0),
        ("min", [(3.0, 3), (2.0, 99)], 99, 0),
    ],
    ids=["behind the batches", "its least", "as far as the batches"],
)
def test_the_callback_is_told_the_iteration_of_the_objective_whatever_else_a_trial_counts(
    asked, task_search, worker, sign, reports, iteration, num_asked
):
    def report(worker, task, x):
        objective = [("validation", "loss", value, at) for value, at in reports]
        send_events(worker.session, task, *objective, *(("batch", "loss", 0.5, batch) for batch in (7, 99)))

    told = []
    worker.work = report
    made = task_search(total_max_jobs=2, objective_metric_sign=sign)
    finished(made, lambda job, value, at, *_: told.append(at))
    assert told == [iteration] * 2
    assert made.trial(0).iterations == (iteration,)
    assert asked.counts()[CURVES] == 2 * num_asked


CONSOLE = "events.get_task_log"
CURVES = "events.scalar_metrics_iter_histogram"


def test_curves_are_fetched_only_of_trials_that_somebody_looks_at(asked, task_search, worker, until, monkeypatch):
    monkeypatch.setattr(reading, "KEPT_SECONDS", 60.0)
    worker.gate.clear()
    made = task_search(total_max_jobs=4, max_number_of_concurrent_tasks=4)
    made.start()
    until(made, lambda: len(made.top(4)) == 4)
    assert asked.counts()[CURVES] == 0
    assert made.trial(2).get_reported_scalars()["validation"]["loss"]["x"] == [0, 1, 2]
    assert asked.counts()[CURVES] == 1
    # A page that is drawn again asks no server.
    assert made.trial(2).get_reported_scalars()["validation"]["loss"]["x"] == [0, 1, 2]
    assert asked.counts()[CURVES] == 1
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert asked.counts()[CURVES] == 1


def test_a_trial_whose_task_was_deleted_has_no_curve_and_the_others_have_theirs(task_search, worker, monkeypatch):
    made = finished(task_search())
    worker.call("tasks.delete", task=made.trial(1).id, force=True)
    wanted = dict.fromkeys(range(3))
    monkeypatch.setattr(curve_reading, "LOOK_SECONDS", 3600)
    found = curve_reading.read_curves(made, wanted, "validation/loss", wanted)
    assert {number: len(curve.x) for number, curve in found.curves.items()} == {0: 3, 1: 0, 2: 3}


def test_what_a_trial_has_printed_is_asked_for_when_somebody_selects_it(asked, task_search, worker):
    made = finished(task_search())
    print_lines(worker.session, made.trial(1).id, "epoch 1", "epoch 2")
    asked.start_over()
    panel, details = OptimizerWidget(made), TrialDetails(made)
    assert asked.in_order() == []
    details.selected = [1]
    wait_for(lambda: details.log == "epoch 1\nepoch 2", "its output is not shown", pause=0.02)
    assert asked.counts() == {CONSOLE: 1}
    panel.close()
    details.close()


def test_a_console_that_is_looked_at_each_second_is_asked_for_now_and_then_and_once_more_at_the_end(
    asked, running, worker, monkeypatch
):
    monkeypatch.setattr(reading, "KEPT_SECONDS", 60.0)
    made = running(total_max_jobs=2)
    trial = made.trial(0)
    print_lines(worker.session, trial.id, "epoch 1")
    asked.start_over()
    assert {made.log_so_far(0).result(60) for _ in range(4)} == {trial.get_output()[0]} == {"epoch 1"}
    assert asked.counts()[CONSOLE] == 1
    print_lines(worker.session, trial.id, "done")
    assert made.log_so_far(0).result(60) == "epoch 1"
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert made.log_so_far(0).result(60) == made.trial(0).get_output()[0] == "epoch 1\ndone"
    assert asked.counts()[CONSOLE] == 2


def test_nothing_is_asked_while_no_trial_is_active(asked, running, worker, until):
    made = running(total_max_jobs=2)
    made.pause()
    made.set_total_max_jobs(10)
    worker.gate.set()
    until(made, lambda: made.get_num_active_experiments() == 0)
    asked.start_over()
    made.set_range("x", (0.25, 0.5))  # whatever else goes on
    assert made.status is SearchStatus.PAUSED
    assert made.next_poll is None
    assert asked.in_order() == []


def test_the_panel_counts_down_to_the_next_look(task_search, worker):
    worker.gate.clear()
    made = task_search(pool_period_min=1.0)
    panel = StatusPanel(made)
    assert panel.next_poll == ""
    made.start()
    wait_for(lambda: made.next_poll is not None, "no look is due", pause=0.02)
    assert re.fullmatch(r"next poll in 0:\d\d", StatusPanel(made).next_poll)
    made.stop()
    assert made.wait(timeout=1.0)
    assert StatusPanel(made).next_poll == ""


def test_the_time_between_looks_is_a_tenth_of_a_minute_by_default(task_search, worker, monkeypatch):
    seconds = []
    look_soon = Pace.look_soon

    def noting(self):
        look_soon(self)
        seconds.append(self.seconds)

    monkeypatch.setattr(Pace, "look_soon", noting)
    worker.gate.clear()
    made = task_search(pool_period_min=None)
    made.start()
    # A launch is news: the next look comes an eighth of the period later.
    wait_for(lambda: seconds, "nothing was launched", pause=0.02)
    assert seconds[0] == pytest.approx(0.1 * 60 / 8)


@pytest.mark.parametrize("minutes", ["soon", True, 0, -1.0, float("inf"), 1e12])
def test_a_period_that_is_none_is_told(task_search, minutes):
    with pytest.raises((TypeError, ValueError), match="pool_period_min .*minutes"):
        task_search(pool_period_min=minutes)


def test_what_happens_between_two_looks_costs_no_walk_through_all_jobs(monkeypatch):
    walks, rounds = [], []
    followed, seconds_to_next = ActiveJobs.followed, PollThread._seconds_to_next
    monkeypatch.setattr(ActiveJobs, "followed", lambda self: walks.append(None) or followed(self))
    went_round = threading.Event()
    monkeypatch.setattr(
        PollThread, "_seconds_to_next", lambda self: went_round.set() or rounds.append(None) or seconds_to_next(self)
    )
    jobs = ActiveJobs(Pace(1.0))
    began = time.monotonic()
    thread = PollThread(jobs, None, None, Idle(), None, None, Space([UniformParameterRange("x", 0, 1)]))
    thread.start()
    for number in range(200):
        assert went_round.wait(60)
        with jobs.changed:
            went_round.clear()
            jobs.add(ActiveJob(number, {}, task=str(number), launched=0.0))
            jobs.pace.due = time.monotonic() + 60
    assert went_round.wait(60)
    with jobs.changed:
        jobs.is_closed = True
        jobs.changed.notify_all()
    thread.join(60)
    assert len(rounds) > 200
    assert len(walks) <= 2 + (time.monotonic() - began) / poll_thread._PROCESS_SECONDS
