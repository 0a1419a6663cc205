"""StatusPanel: the numbers of workers and trials can be typed over, a used-up budget can be raised."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets import DiscreteParameterRange, HyperParameterOptimizer
from hpo_widgets.search import SearchStatus, StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, StatusPanel
from hpo_widgets.widget.parts.snapshot import MIME
from tests.runs import X, identity, wait_for


@pytest.fixture
def status(show, search):
    return show(StatusPanel, search)


@pytest.fixture
def type_in(wire):
    """Type text into a field as a page does, and return what is wrong with it."""

    def enter(part, name, text):
        wire.browser_says(part, kind="type", name=name, text=text, id=f"view-{text[:5]}")
        assert part.answer["id"] == f"view-{text[:5]}"
        return part.answer["problem"]

    return enter


def use_up(search):
    search.command("start")
    search.add_trials([0.5] * search.total_max_jobs)
    search.set_status(SearchStatus.COMPLETED, StopReason("total_max_jobs", "all trials were run"))
    search.commands.clear()


def test_the_numbers_are_those_of_the_search(status, search, refresh):
    assert (status.workers, status.jobs, status.facts[1]) == (2, 200, "2 workers")
    search.command("set_max_number_of_concurrent_tasks", 5)
    search.command("set_total_max_jobs", None)
    refresh(status)
    assert (status.workers, status.jobs, status.facts[1]) == (5, None, "5 workers")


def test_the_task_of_the_search_is_shown_once_there_is_one(status, search, refresh):
    assert status.task is None
    search.optimizer_task_id, search.optimizer_task_page = "0a1b", None
    refresh(status)
    assert status.task == {"id": "0a1b", "page": ""}


def test_the_time_to_the_next_poll_is_counted_down_where_a_server_runs_the_trials(status, search, refresh):
    assert status.next_poll == ""
    shown = []
    for seconds in (95.2, 3.2, 0.0, None):
        search.next_poll = seconds
        refresh(status)
        shown.append(status.next_poll)
    assert shown == ["next poll in 1:36", "next poll in 0:04", "polling now", ""]


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("workers", "8", ("set_max_number_of_concurrent_tasks", 8)),
        ("workers", " 1 ", ("set_max_number_of_concurrent_tasks", 1)),
        ("jobs", "400", ("set_total_max_jobs", 400)),
        ("jobs", "", ("set_total_max_jobs", None)),
    ],
    ids=str,
)
def test_a_typed_number_is_one_command(status, search, type_in, name, text, command):
    assert type_in(status, name, text) == ""
    assert search.commands == [command]


@pytest.mark.parametrize("text", ["0", "-3", "two", "1.5", "1e3", "∞", "<b>2</b>", "9" * 400, "1" * 5000])
@pytest.mark.parametrize("name", ["workers", "jobs"])
def test_a_number_that_makes_no_sense_gets_a_sentence(status, search, type_in, name, text):
    problem = type_in(status, name, text)
    what = {"workers": "the number of workers is", "jobs": "the number of trials in all is"}[name]
    assert problem.startswith(what)
    assert len(problem) < 120
    assert search.commands == []


def test_no_number_of_workers_is_none_and_a_slip_of_the_finger_is_refused(status, search, type_in):
    assert type_in(status, "workers", "") == "the number of workers is a whole number of at least 1, not nothing"
    assert type_in(status, "workers", "2000") == "the number of workers is at most 1000 here, not “2000”"
    assert search.commands == []


def test_what_the_search_cannot_do_is_said_and_refused(status, search, type_in, refresh):
    search.refuse("set_max_number_of_concurrent_tasks", "this is a view")
    refresh(status)
    assert status.commands == {"workers": "this is a view", "jobs": None, "retry_failed": None}
    assert type_in(status, "workers", "3") == "this is a view"
    assert search.commands == []


def test_a_used_up_budget_is_offered_to_be_raised_and_the_search_goes_on(status, search, wire, refresh):
    use_up(search)
    refresh(status)
    assert status.raise_to == 300
    wire.browser_says(status, kind="raise")
    assert search.commands == [("set_total_max_jobs", 300), ("start",)]
    refresh(status)
    assert (status.status, status.raise_to, status.jobs) == ("running", None, 300)


@pytest.mark.parametrize(
    ("limit", "words", "no_start"),
    [
        (201, "the budget is 201 trials now: Continue runs 1 more", "the budget is 201 trials now: 1 more may run"),
        (None, "the budget has no limit now: Continue runs more", "the budget has no limit now"),
        (200, "", ""),
    ],
)
def test_a_budget_that_was_raised_since_the_end_is_told_beside_its_reason(
    show, search, refresh, limit, words, no_start
):
    panel = show(OptimizerWidget, search)
    status = panel._status_panel
    use_up(search)
    search.command("set_total_max_jobs", limit)
    refresh(panel)
    assert (status.sentence, status.since_end) == ("all trials were run", words)
    assert panel._repr_mimebundle_()[MIME]["reason"] == "all trials were run"
    search.refuse("start", "this is a view")
    refresh(panel)
    assert status.since_end == no_start
    search.command("start")
    refresh(panel)
    assert (status.sentence, status.since_end) == ("", "")


def test_a_small_budget_is_raised_by_ten(show):
    search = ScriptedSearch(jobs=3)
    use_up(search)
    assert show(StatusPanel, search).raise_to == 13


def test_a_used_up_budget_is_raised_to_what_waiting_points_need(show):
    search = ScriptedSearch(jobs=3)
    use_up(search)
    search.num_waiting_points = 40
    assert show(StatusPanel, search).raise_to == 43


def test_failed_points_are_counted_and_run_again_by_one_press(status, search, wire, refresh):
    search.command("start")
    point = search.trial(search.add_trial(state=TrialState.FAILED, error="no")).parameters
    search.add_trial(state=TrialState.FAILED, point=point, error="no")
    for _ in range(3):
        search.add_trial(state=TrialState.FAILED, error="no")
    refresh(status)
    assert status.num_failed_points == 4
    wire.browser_says(status, kind="retry_failed")
    assert search.commands[-1] == ("retry_failed",)
    refresh(status)
    assert (status.num_failed_points, status.commands["retry_failed"]) == (0, None)
    search.refuse("retry_failed", "this is a view")
    refresh(status)
    assert status.commands["retry_failed"] == "this is a view"


def test_failed_points_are_counted_with_pauses_where_that_takes_long(status, search, refresh, monkeypatch):
    search.command("start")
    now = [0.0]
    counted = []

    def count_slowly(self):
        counted.append(now[0])
        now[0] += 1.0
        return self.snapshot().failed_points()

    monkeypatch.setattr("hpo_widgets.widget.parts.status.time.monotonic", lambda: now[0])
    monkeypatch.setattr(ScriptedSearch, "failed_points", count_slowly)
    for _ in range(40):
        search.add_trial(state=TrialState.FAILED, error="no")
        refresh(status)
        now[0] += 1.0
    assert len(counted) == 4
    search.set_status("stopped")
    refresh(status)
    assert status.num_failed_points == 40


def test_failed_points_that_the_constraint_refuses_are_not_offered_to_be_run_again(
    show, wire, refresh, tmp_path, monkeypatch
):
    def fails(x):
        raise ValueError("no")

    space = [DiscreteParameterRange("x", [1, 2, 3])]
    made = HyperParameterOptimizer(fails, space, journal=tmp_path, total_max_jobs=3)
    made.start()
    made.wait()
    search = HyperParameterOptimizer.open(made.journal_path, base_task_id=fails, constraint=lambda x: x == 2)
    status = show(StatusPanel, search)

    def is_counted(number):
        refresh(status)
        return status.num_failed_points == number

    wait_for(lambda: is_counted(1), "not counted")
    wire.browser_says(status, kind="retry_failed")
    wait_for(lambda: search.num_waiting_points == 1, "it was not queued")
    wait_for(lambda: is_counted(0), "not counted again")
    threads = [thread for thread in threading.enumerate() if thread.name == "hpo_widgets failed points"]
    for thread in threads:
        thread.join()
    calls = []
    monkeypatch.setattr(HyperParameterOptimizer, "failed_points", lambda self: calls.append(1))
    for _ in range(3):
        refresh(status)
    assert not calls  # nothing has changed since


@pytest.mark.parametrize("why", ["it runs", "there is some left", "there is none", "it is a view"])
def test_nothing_is_offered_where_that_is_of_no_use(show, wire, why):
    search = ScriptedSearch(jobs=None if why == "there is none" else 5)
    search.command("start")
    search.add_trials([0.5] * (4 if why == "there is some left" else 5))
    if why != "it runs":
        search.command("stop")
    if why == "it is a view":
        search.refuse("set_total_max_jobs", "this is a view")
    search.commands.clear()
    status = show(StatusPanel, search)
    assert status.raise_to is None
    wire.browser_says(status, kind="raise")
    assert search.commands == []


def test_a_press_on_a_count_selects_the_newest_of_those_trials(show, search, wire):
    search.add_trials([0.5] * 150)
    search.add_trial(state=TrialState.FAILED, error="no")
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(state=TrialState.RUNNING)
    panel = show(OptimizerWidget, search)
    wire.browser_says(panel._status_panel, kind="look", state="running")
    assert panel.selected == panel._table.selected == [151, 152]
    wire.browser_says(panel._status_panel, kind="look", state="completed")
    assert panel.selected == list(range(50, 150))


@pytest.mark.parametrize("state", ["gone", "RUNNING", 1, None, ["running"]])
def test_a_state_that_there_is_not_is_refused(status, search, wire, state):
    search.add_trial(state=TrialState.RUNNING)
    wire.browser_says(status, kind="look", state=state)
    assert status.selected == []
    assert [notice.source for notice in status._refresher.notices] == ["page"]


def test_a_repeated_notice_is_one_line_that_can_be_dismissed_until_it_comes_again(show, search, refresh, wire):
    panel = show(StatusPanel, search)
    for _ in range(12):
        search.notify("callback", "the callback raised KeyError: 'lr'")
    search.notify("worker", "a worker was lost")
    refresh(panel)
    assert [(line["text"], line["count"]) for line in panel.notices] == [
        ("a worker was lost", 1),
        ("the callback raised KeyError: 'lr'", 12),
    ]
    wire.browser_says(panel, kind="dismiss", text="the callback raised KeyError: 'lr'")
    wire.browser_says(panel, kind="dismiss", text="nothing of the kind")
    refresh(panel)
    assert [line["text"] for line in panel.notices] == ["a worker was lost"]
    search.advance(1)
    search.notify("callback", "the callback raised KeyError: 'lr'")
    refresh(panel)
    assert panel.notices[0]["count"] == 1


def test_that_a_command_did_nothing_is_said_as_long_as_its_reason_holds(show, refresh, tmp_path):
    made = HyperParameterOptimizer(identity, [X], journal=tmp_path)
    panel = show(StatusPanel, made)

    def said():
        refresh(panel)
        return [(line["text"], line["count"]) for line in panel.notices]

    def press(name, *arguments):
        made.command(name, *arguments)

    press("undo")
    press("pause")
    pause = ("pause did nothing: the search is not running", 1)
    assert said() == [pause, ("undo did nothing: no range was changed", 1)]
    press("set_range", "x", (0, 0.5))
    assert said() == [pause]
    press("undo")
    assert said() == [pause]
    press("undo")
    assert said() == [("undo did nothing: no range was changed", 1), pause]
    assert len(made.errors) == 3


def test_a_page_may_deselect(show, search, wire):
    panel = show(StatusPanel, search)
    search.add_trial(0.5)
    panel.selected = [0]
    wire.browser_says(panel, kind="deselect")
    assert panel.selected == []


def test_trials_that_are_left_out_are_counted_and_selected_by_a_press(show, search, refresh, wire):
    panel = show(OptimizerWidget, search)
    search.add_trials([0.5, 0.25, 0.75])
    search.command("leave_out", [0, 1])
    refresh(panel)
    status = panel._status_panel
    assert {"label": "left out", "number": 2, "is_bad": False} in status.counts
    assert status.budgets[0]["text"].startswith("3 of")
    assert status.best["trial"] == "#2"
    wire.browser_says(status, kind="look", state="left out")
    assert panel.selected == [0, 1]
