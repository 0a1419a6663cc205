"""The line of advice: one at a time, done by one command, put off until there is more evidence."""

from __future__ import annotations

from typing import ClassVar

import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import SearchStatus
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import AdviceLine, OptimizerWidget
from hpo_widgets.widget.parts.advice import Adviser


@pytest.fixture
def failing():
    """A search in which most trials with a batch of 64 failed."""
    search = ScriptedSearch([DiscreteParameterRange("batch", [32, 64]), UniformParameterRange("x", 0.0, 1.0)])
    add(search, 60)
    return search


def add(search, count):
    for number in range(count):
        is_bad = number % 2 == 1 and number % 3 > 0
        search.add_trial(
            None if is_bad else 0.5 + number / 1000,
            {"batch": 64 if number % 2 else 32, "x": number % 20 / 20},
            state=TrialState.FAILED if is_bad else TrialState.COMPLETED,
            error="ValueError" if is_bad else None,
        )


@pytest.fixture
def line(show, failing):
    return show(AdviceLine, failing)


def test_an_advice_is_a_rule_with_evidence_trials_and_a_command(line):
    assert line.advice["sentence"] == "20 of 20 failures have batch 64"
    assert line.advice["evidence"] == "20 of 30 such trials failed (67 %), 0 of 30 others (0 %)"
    assert (line.advice["command"], line.advice["arguments"]) == ("set_ranges", ({"batch": (32,)},))
    assert line.shown["label"] == "Exclude batch 64"
    assert line.advised == {"batch": [0]}


def test_a_search_that_has_nothing_to_say_has_no_advice(show, search):
    line = show(AdviceLine, search)
    assert (line.shown, line.advice) == (None, None)


def test_a_page_that_gets_no_update_has_no_advice_either(show, search, wire):
    line = show(AdviceLine, search)
    first = next(message for one, message in wire.messages() if one is line.comm)
    assert (first["type"], first["state"]["shown"]) == ("comm_open", None)


def test_acting_is_one_command_and_one_epoch_and_is_not_offered_again_after_undo(line, failing, wire, refresh):
    wire.browser_says(line, kind="act", key=line.shown["key"])
    assert failing.commands == [("set_ranges", {"batch": (32,)})]
    assert line.shown is None
    assert len(failing.epochs) == 2
    failing.command("undo")
    refresh(line)
    assert failing.space.ranges["batch"] == (32, 64)
    assert (line.shown, line.advised) == (None, {})


def test_what_was_put_off_comes_back_with_half_as_much_evidence_again(line, failing, wire, refresh):
    wire.browser_says(line, kind="put_off", key=line.shown["key"])
    refresh(line)
    assert line.shown is None
    add(failing, 24)
    refresh(line)
    assert line.shown is None
    add(failing, 12)
    refresh(line)
    assert line.advice["sentence"] == "32 of 32 failures have batch 64"


def test_the_trials_that_it_speaks_of_are_selected(line, wire):
    wire.browser_says(line, kind="show", key=line.shown["key"])
    assert line.selected == line.shown["trials"]
    assert len(line.selected) == 20


@pytest.mark.parametrize(
    "content", [{"key": "failures:batch"}, {"key": "widen:x"}, {"key": None}, {}, {"key": ["failures:batch"]}], ids=str
)
@pytest.mark.parametrize("kind", ["act", "put_off", "show"])
def test_a_message_about_another_advice_does_nothing(line, failing, wire, kind, content):
    wire.browser_says(line, kind=kind, **content)
    assert failing.commands == []
    assert line.shown is not None
    assert line.selected == []


def test_the_panel_has_the_advice_and_dashes_what_it_would_exclude(show, failing, refresh):
    panel = show(OptimizerWidget, failing)
    assert panel.advice["rule"] == "failures"
    assert panel._space_panel.advised == {"batch": [0]}
    with pytest.raises(Exception, match="read-only"):
        panel.advice = None
    failing.set_ranges({"batch": (32,)})
    refresh(panel)
    assert panel.advice is None
    assert panel._space_panel.advised == {}


def test_advice_about_trials_that_a_replay_has_left_behind_is_dropped(monkeypatch):
    class Moment:
        status, epochs = SearchStatus.COMPLETED, (0,)
        counts: ClassVar = {TrialState.COMPLETED: 9}

    monkeypatch.setattr("hpo_widgets.widget.parts.advice.find_advice", lambda _search: ["narrow"])
    adviser, search = Adviser(lambda: 0.0), Moment()
    adviser._not_before = 1.0
    assert adviser.advice_for(search, lambda: None) == ["narrow"]
    search.status, search.counts = SearchStatus.RUNNING, {TrialState.COMPLETED: 3}
    assert adviser.advice_for(search, lambda: None) == []
    search.counts = {TrialState.COMPLETED: 10}
    assert adviser.advice_for(search, lambda: None) == ["narrow"]


def test_a_running_search_is_looked_at_in_the_background_every_two_seconds_at_most(failing):
    now = [0.0]
    adviser = Adviser(lambda: now[0])
    failing.command("start")
    answers = []
    assert adviser.advice_for(failing, lambda: answers.append(1)) == []
    adviser._answer.result(30)
    assert [one.code for one in adviser.advice_for(failing, lambda: None)] == ["failures"]
    failing.add_trial(0.5)
    adviser.advice_for(failing, lambda: None)
    assert adviser._answer is None
    now[0] = 2.1
    adviser.advice_for(failing, lambda: None)
    assert adviser._answer.result(30)
    # Ranges have changed: what was found for others is dropped at once.
    failing.set_ranges({"batch": (32,)})
    assert adviser.advice_for(failing, lambda: None) == []
