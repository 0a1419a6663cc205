"""The buttons: a press is one command, a reason says why not; Wait waits and blocks nothing."""

from __future__ import annotations

import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import traitlets

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search import SearchStatus, StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import OptimizerWidget, SearchCode, SearchControls
from tests.conftest import DEADLINE


@pytest.fixture
def clock(monkeypatch):
    """The clock that time-outs are measured by."""
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("hpo_widgets.widget.parts.waiting.time.monotonic", lambda: made.now)
    return made


@pytest.fixture
def controls(show, search):
    return show(SearchControls, search)


@pytest.fixture
def waiting(controls, search, wire):
    """The controls of a running search, with Wait pressed."""
    search.command("start")
    wire.browser_says(controls, kind="wait", on=True)
    return controls


def notices(part):
    return [notice.sentence for notice in part._refresher.notices]


def test_a_press_is_one_command_and_nothing_else_can_be_sent(controls, search, wire):
    for name in ("start", "set_total_max_jobs", "pause", "close", "resume", None, "stop", ["stop"]):
        wire.browser_says(controls, kind="command", name=name)
    assert search.commands == [("start",), ("pause",), ("resume",), ("stop",)]


def test_reasons_follow_the_search(controls, search, refresh):
    assert controls.commands["start"] is None
    assert controls.commands["stop"] == "The search has not started."
    search.command("start")
    refresh(controls)
    assert (controls.status, controls.commands["stop"]) == ("running", None)
    assert controls.commands["start"] == "The search is running already."


def test_waiting_says_what_is_waited_for_and_for_how_long(waiting, search, refresh):
    assert waiting.wait_progress == "200 trials left, ends in about 5:00"
    search.advance(60)
    search.add_trials([0.5] * 199)
    refresh(waiting)
    assert waiting.wait_progress == "1 trial left, ends in about 0:05"
    assert search.commands == [("start",)]


def test_a_wait_that_nothing_ends_says_so(show, wire):
    search = ScriptedSearch()
    controls = show(SearchControls, search)
    search.command("start")
    search.add_trials([0.5] * 10)
    wire.browser_says(controls, kind="wait", on=True)
    assert controls.wait_progress == "no budget is set, so it is not known when the search ends"


def test_what_cannot_be_foretold_yet_is_not_foretold(show, wire):
    search = ScriptedSearch(jobs=10)
    controls = show(SearchControls, search)
    search.command("start")
    wire.browser_says(controls, kind="wait", on=True)
    assert controls.wait_progress == "10 trials left, too early to tell when the search ends"


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        ({"jobs": 9}, "the search is paused, so this lasts until it is resumed"),
        (
            {"wall_minutes": 9},
            "the search is paused, so this lasts until it is resumed or its time limit has passed",
        ),
    ],
    ids=str,
)
def test_a_paused_search_is_waited_for_and_it_is_said_that_this_lasts(show, wire, refresh, budget, sentence):
    search = ScriptedSearch(**budget)
    controls = show(SearchControls, search)
    search.command("start")
    search.command("pause")
    wire.browser_says(controls, kind="wait", on=True)
    assert controls.wait_progress == sentence
    search.set_status(SearchStatus.STOPPING)
    refresh(controls)
    assert controls.wait_progress == "the search is stopping"


def test_the_end_of_the_search_ends_the_wait_and_is_announced(waiting, search, refresh):
    search.set_status(SearchStatus.COMPLETED, StopReason("total_max_jobs", "all 200 trials were run"))
    refresh(waiting)
    assert (waiting.waiting, waiting.wait_progress) == (False, "")
    assert waiting.wait_outcome == "the search has ended: all 200 trials were run"


def test_a_search_whose_process_is_gone_has_ended_without_a_reason(waiting, search, refresh):
    search.set_status(SearchStatus.STOPPED)
    refresh(waiting)
    assert waiting.wait_outcome == "the search has ended"


class Viewed(ScriptedSearch):
    """A search that another process runs."""

    is_view, owner_died = True, False


def test_a_wait_for_a_paused_search_ends_with_the_process_that_ran_it(show, wire, refresh):
    search = Viewed(jobs=9)
    controls = show(SearchControls, search)
    search.command("start")
    search.command("pause")
    wire.browser_says(controls, kind="wait", on=True)
    assert controls.waiting
    search.owner_died = True
    search.refuse("stop", "this is a view of a journal")
    refresh(controls)
    assert (controls.waiting, controls.wait_outcome) == (False, "the process that ran the search has ended")
    assert controls.commands["wait"] == "there is nothing to wait for: the process that ran the search has ended"


def test_a_second_press_gives_the_wait_up_and_the_search_goes_on(waiting, search, wire):
    wire.browser_says(waiting, kind="wait", on=False)
    assert (waiting.waiting, waiting.wait_progress, waiting.wait_outcome) == (False, "", "")
    assert search.status is SearchStatus.RUNNING


def test_the_time_out_ends_the_wait_and_says_so(clock, waiting, search, wire, refresh):
    wire.browser_says(waiting, kind="type", name="timeout", text=" 1.5 ", id="a-1")
    assert waiting.answer == {"id": "a-1", "problem": ""}
    assert waiting.wait_limit == "time-out in 1:30"
    clock.now += 89
    refresh(waiting)
    assert waiting.wait_limit == "time-out in 0:01"
    clock.now += 1
    refresh(waiting)
    assert (waiting.waiting, waiting.wait_progress, waiting.wait_limit) == (False, "", "")
    assert waiting.wait_outcome == "the time-out of 1.5 minutes has passed; the search goes on"
    assert search.status is SearchStatus.RUNNING
    # The next wait has the time-out again.
    wire.browser_says(waiting, kind="wait", on=True)
    assert (waiting.wait_outcome, waiting.wait_limit) == ("", "time-out in 1:30")


def test_a_wait_that_begins_in_answer_to_the_search_has_its_time_out(clock, show, search, refresh):
    controls = show(SearchControls, search, wait_timeout=1)
    controls.observe(lambda _change: controls.set_trait("waiting", True), "status")
    clock.now += 50
    search.command("start")
    refresh(controls)
    assert (controls.waiting, controls.wait_limit) == (True, "time-out in 1:00")
    clock.now += 60
    refresh(controls)
    assert not controls.waiting
    assert controls.wait_outcome == "the time-out of 1 minute has passed; the search goes on"


def test_a_time_out_counts_from_when_it_was_set_and_can_be_taken_away(clock, waiting, wire, refresh):
    waiting.wait_timeout = 1
    clock.now += 50
    waiting.wait_timeout = 2
    clock.now += 100
    refresh(waiting)
    assert waiting.wait_limit == "time-out in 0:20"
    wire.browser_says(waiting, kind="type", name="timeout", text="", id="a-2")
    clock.now += 10_000
    refresh(waiting)
    assert (waiting.waiting, waiting.wait_timeout, waiting.wait_limit) == (True, None, "no time-out")


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf", "1e9", "1:30", "5 minutes", "½"])
def test_a_time_out_that_makes_no_sense_gets_a_sentence(waiting, wire, text):
    waiting.wait_timeout = 3
    wire.browser_says(waiting, kind="type", name="timeout", text=text, id="a-3")
    assert waiting.answer["id"] == "a-3"
    assert "in minutes" in waiting.answer["problem"]
    assert waiting.wait_timeout == 3


@pytest.mark.parametrize(
    "content",
    [
        {"name": "timeout", "text": 5, "id": "a"},
        {"name": "timeout", "text": "5"},
        {"name": "elsewhere", "text": "5", "id": "a"},
        {"name": ["timeout"], "text": "5", "id": "a"},
        {},
    ],
    ids=str,
)
def test_what_is_typed_into_no_field_is_refused(waiting, wire, content):
    wire.browser_says(waiting, kind="type", **content)
    assert (waiting.wait_timeout, waiting.answer) == (None, {})
    assert notices(waiting) == ["something was typed into no field of this part; nothing was changed"]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e9, True, "5", [5]], ids=str)
def test_a_time_out_from_code_that_makes_no_sense_is_refused(show, search, value):
    panel = show(OptimizerWidget, search)
    with pytest.raises(traitlets.TraitError, match="wait_timeout"):
        panel.wait_timeout = value
    assert panel.wait_timeout is None


class Kept(ScriptedSearch):
    """A search that a journal keeps, of which the code to open it names how it stands."""

    def opening_code(self):
        return f"opens({self.status.value!r})"


def test_a_page_has_the_code_that_opens_the_search_once_a_journal_keeps_it(show, refresh):
    kept = Kept()
    part = show(SearchControls, kept)
    assert part.opening_code == ""
    kept.command("start")
    refresh(part)
    assert part.opening_code == "opens('running')"
    kept.command("stop")
    refresh(part)
    assert part.opening_code == f"opens({kept.status.value!r})"


def test_a_page_has_the_code_that_opens_a_search_of_which_only_results_were_recorded(show, refresh):
    kept = Kept()
    part = show(SearchControls, kept)
    kept.add_trial([0.5])
    refresh(part)
    assert part.opening_code == "opens('idle')"


def test_buttons_follow_the_search_though_its_code_cannot_be_made(show, refresh, monkeypatch):
    kept = Kept()
    part = show(SearchControls, kept)
    kept.command("start")
    monkeypatch.setattr(Kept, "opening_code", lambda kept: 1 / 0)
    refresh(part)
    assert part.status == "running"
    assert part.commands["pause"] is None


def test_a_search_that_no_journal_keeps_has_no_such_code(controls, search, refresh):
    search.command("start")
    refresh(controls)
    assert controls.opening_code == ""


@pytest.mark.parametrize("on", ["yes", 2, None, [True], {}], ids=str)
def test_a_press_that_makes_no_sense_is_refused(controls, search, wire, on):
    search.command("start")
    wire.browser_says(controls, kind="wait", on=on)
    assert controls.waiting is False
    assert len(notices(controls)) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (SearchStatus.IDLE, "there is nothing to wait for: the search has not started"),
        (SearchStatus.STOPPED, "there is nothing to wait for: the search has ended"),
        (SearchStatus.COMPLETED, "there is nothing to wait for: the search has ended"),
    ],
)
def test_where_there_is_nothing_to_wait_for_it_is_said_why(show, wire, search, refresh, status, reason):
    search.set_status(status)
    panel = show(OptimizerWidget, search)
    controls = panel._controls
    assert controls.commands["wait"] == reason
    with pytest.raises(traitlets.TraitError, match=reason):
        panel.waiting = True
    wire.browser_says(controls, kind="wait", on=True)
    wire.browser_sets(controls, waiting=True)
    assert (panel.waiting, controls.waiting) == (False, False)
    assert notices(panel) == [f"{reason}; nothing was changed"] * 2


def test_waiting_is_a_trait_of_the_panel_from_both_sides(show, wire, search, refresh):
    search.command("start")
    panel = show(OptimizerWidget, search, waiting=True, wait_timeout=4)
    controls = panel._controls
    assert (controls.waiting, controls.wait_timeout) == (True, 4)
    assert controls.wait_limit == "time-out in 4:00"
    wire.browser_says(controls, kind="wait", on=False)
    assert panel.waiting is False
    wire.clear()
    panel.waiting = True
    assert [state["waiting"] for state in wire.updates(controls) if "waiting" in state] == [True]
    search.set_status(SearchStatus.COMPLETED)
    refresh(panel)
    assert (panel.waiting, controls.wait_outcome) == (False, "the search has ended")
    wire.browser_says(controls, kind="dismiss")
    assert controls.wait_outcome == ""


def test_waiting_starts_no_thread_and_leaves_nothing(wire, search):
    before, num_subscribers = set(threading.enumerate()), search.num_subscribers
    search.command("start")
    controls = SearchControls(search)
    alone, num_alone = set(threading.enumerate()), search.num_subscribers
    controls.waiting = True
    assert (set(threading.enumerate()) - alone, search.num_subscribers) == (set(), num_alone)
    controls.close()
    assert (set(threading.enumerate()) - before, search.num_subscribers) == (set(), num_subscribers)
    assert wire.num_open() == 0


def test_two_panels_wait_each_for_itself(show, search):
    first, second = show(OptimizerWidget, search), show(OptimizerWidget, search)
    search.command("start")
    first.waiting = True
    assert second.waiting is False


def test_wait_in_code_returns_at_the_end_of_the_search(show, search):
    panel = show(OptimizerWidget, search)
    assert panel.wait() is True
    search.command("start")
    assert panel.wait(timeout=1e-4) is False
    subscribed = search.num_subscribers
    returned = []
    waiter = threading.Thread(target=lambda: returned.append(panel.wait()))
    waiter.start()
    while search.num_subscribers == subscribed:
        waiter.join(0.001)
    search.add_trial(0.5)
    assert waiter.is_alive()
    search.command("stop")
    waiter.join(DEADLINE)
    assert (returned, search.num_subscribers) == ([True], subscribed)


SPACE = [
    LogUniformParameterRange("lr", -4, -1),
    UniformIntegerParameterRange("layers", 1, 8),
    UniformParameterRange("dropout", 0.0, 0.5, step_size=0.1),
    DiscreteParameterRange("kind", [True, 1, "1", None]),
]


def train(lr, layers, dropout, kind, width=1):
    return {"validation/loss": lr * layers, "validation/size": float(width)}


@pytest.fixture
def steered(tmp_path):
    """A search of four kinds of parameters and two objectives, with limits."""
    return HyperParameterOptimizer(
        train,
        SPACE,
        ["validation", "validation"],
        ["loss", "size"],
        ["min_global", "max"],
        OptimizerOptuna,
        max_number_of_concurrent_tasks=2,
        optimization_time_limit=30,
        total_max_jobs=20,
        journal=tmp_path / "journals",
    )


def run(code):
    """What the code makes, run as in a cell of its own."""
    names = {}
    exec(code, names)
    return names["optimizer"]


def test_the_code_is_there_before_the_box_is_opened_as_on_a_page_without_a_kernel(show, steered, refresh):
    part = show(SearchCode, steered)
    refresh(part)
    assert part.code == steered.as_code()
    steered.set_total_max_jobs(77)
    refresh(part)
    assert "total_max_jobs=77" in part.code
    assert part.why_not is None


def test_code_that_nobody_looks_at_is_written_only_when_something_changed(show, steered, refresh, monkeypatch):
    part = show(SearchCode, steered)
    monkeypatch.setattr(type(steered), "as_code", lambda _self: pytest.fail("it was written"))
    refresh(part)


def test_the_code_is_written_anew_when_a_result_was_recorded(show, steered, refresh):
    part = show(SearchCode, steered)
    refresh(part)
    [point] = steered.space.points(np.full((1, steered.space.num_dimensions), 0.5))
    steered.add_trial(point, [0.25, 3])
    refresh(part)
    assert ".add_trials([" in part.code
    assert run(part.code).trial(0).values == (0.25, 3.0)


def test_the_code_of_the_controls_as_they_are_gives_the_same_search(show, steered, wire, refresh):
    panel = show(OptimizerWidget, steered)
    wire.browser_sets(panel._code, shown=True)
    panel.ranges = {"lr": (1e-3, 1e-2), "layers": (2, 4), "kind": (True, "1")}
    panel.total_max_jobs = 50
    panel.max_number_of_concurrent_tasks = 3
    steered.set_time_limit(in_minutes=45)
    steered.set_compute_time_limit(60)
    refresh(panel)
    again = run(panel._code.code)
    assert dict(again.space.ranges) == dict(steered.space.ranges)
    assert again.space.ranges["layers"] == (2, 4)
    assert [type(choice) for choice in again.space.ranges["kind"]] == [bool, str]
    assert again.objectives == steered.objectives
    assert again.strategy_name == steered.strategy_name
    assert (again.total_max_jobs, again.max_number_of_concurrent_tasks) == (50, 3)
    assert again.budget.compute_minutes.limit == 60
    assert again.budget.wall_minutes.limit == pytest.approx(45, abs=0.05)
    assert "base_task_id=train," in panel._code.code


def test_a_page_can_set_nothing_but_whether_it_is_shown(show, steered, wire, refresh):
    part = show(SearchCode, steered, shown=True)
    refresh(part)
    wire.browser_sets(part, code="import os")
    assert part.code == steered.as_code()
    wire.browser_sets(part, shown="perhaps")
    assert part.shown is True


def test_a_search_that_has_no_code_says_why(show, search, refresh):
    part = show(SearchCode, search)
    refresh(part)
    assert part.why_not == "a ScriptedSearch cannot be written as Python"
