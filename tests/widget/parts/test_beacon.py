"""The beacon: announced with its panel, silent until somebody follows, live at the pace of who does."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.parts.part import widgets_of


@pytest.fixture
def panel(show, search):
    return show(OptimizerWidget, search)


@pytest.fixture
def followed(panel, wire, refresh):
    """The beacon of a panel that a list follows, and what brings it up to date."""
    wire.browser_says(panel._beacon, kind="follow")
    return panel._beacon


def test_it_is_announced_with_the_panel_and_is_no_part_of_it(panel, search):
    beacon = panel._beacon
    assert (beacon.target, beacon.search_id, beacon.title) == (panel.model_id, search.id, search.name)
    assert beacon not in widgets_of(panel)
    assert beacon.layout is panel._layout_of_parts


def test_nothing_is_sent_to_nobody(panel, search, wire, refresh):
    wire.clear()
    search.command("start")
    search.add_trial(0.5)
    refresh(panel)
    assert wire.updates(panel._beacon) == []


def test_who_follows_is_told_how_the_search_stands_and_then_what_changes(followed, search, refresh):
    assert followed.commands["start"] is None
    assert followed.commands["stop"] is not None
    search.command("start")
    search.add_trials([0.5, 0.75, 0.25])
    search.add_trial(state=TrialState.FAILED)
    search.add_trial(state=TrialState.RUNNING)
    refresh(followed)
    assert followed.status == "running"
    assert followed.pill == {"word": "running", "look": "running"}
    assert (followed.ended, followed.total, followed.num_trials) == (4, 200, 5)
    assert followed.best == {"value": "0.25", "trial": "#2", "note": ""}
    assert followed.objective == "validation / loss"
    assert followed.curve == [[0, 0.5], [2, 0.25]]
    assert followed.progress == pytest.approx(4 / 200)
    assert followed.commands["stop"] is None


def test_only_what_changed_is_sent(followed, search, wire, refresh):
    search.add_trial(0.5)
    refresh(followed)
    wire.clear()
    search.add_trial(0.75)
    refresh(followed)
    (update,) = wire.updates(followed)
    assert set(update) == {"ended", "num_trials", "progress"}


def test_it_keeps_the_pace_of_its_own_list_not_of_the_panel(panel, followed, wire):
    own = followed._refresher.flow
    assert own is not panel._refresher.flow
    followed._refresher.refresh()
    assert not own.is_acknowledged
    wire.browser_sets(followed, seen=followed.sent)
    assert own.is_acknowledged


def test_following_twice_is_following_once(followed, wire, search):
    before = followed._refresher
    threads = set(threading.enumerate())
    wire.browser_says(followed, kind="follow")
    assert followed._refresher is before
    assert set(threading.enumerate()) <= threads


def test_a_press_in_a_list_is_one_command_and_nothing_else_can_be_asked(panel, search, wire):
    for name in ("start", "set_range", "pause", "id", "resume", "", "stop", None, 3):
        wire.browser_says(panel._beacon, kind="command", name=name)
    assert search.commands == [("start",), ("pause",), ("resume",), ("stop",)]


def test_a_page_that_sets_what_it_may_not_changes_nothing(panel, wire):
    wire.browser_sets(panel._beacon, title="other", seen="three")
    assert panel._beacon.title == "scripted"
    assert [notice.sentence for notice in panel._refresher.notices] == [
        "title cannot be set by a page; nothing was changed",
        "The 'seen' trait of a SearchBeacon instance expected an int, not the str 'three'.; nothing was changed",
    ]


def test_of_several_objectives_nothing_is_called_the_best(show, wire, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["a", "b"], signs=["min", "max"])
    beacon = show(OptimizerWidget, search)._beacon
    wire.browser_says(beacon, kind="follow")
    search.add_trial([0.5, 0.5])
    refresh(beacon)
    assert beacon.best == {"value": "1 trial on the front", "trial": "#0", "note": ""}
    assert (beacon.curve, beacon.objective) == ([], "")


@pytest.mark.parametrize("sign", ["min", "max"])
def test_a_long_curve_keeps_sixty_steps_with_the_first_and_the_last(show, wire, refresh, sign):
    search = ScriptedSearch(signs=sign)
    beacon = show(OptimizerWidget, search)._beacon
    values = [float(number) for number in range(500)]
    search.add_trials(values[::-1] if sign == "min" else values)
    wire.browser_says(beacon, kind="follow")
    assert len(beacon.curve) == 60
    assert beacon.curve[0] == [0, 499.0 if sign == "min" else 0.0]
    assert beacon.curve[-1] == [499, 0.0 if sign == "min" else 499.0]


def test_what_is_not_finite_is_not_sent(followed, search, refresh):
    search.add_trials([float("nan"), float("inf"), 0.5])
    refresh(followed)
    assert followed.curve == [[2, 0.5]]


def test_closing_the_panel_withdraws_it_and_frees_all(wire, search):
    before = set(threading.enumerate())
    panel = OptimizerWidget(search)
    wire.browser_says(panel._beacon, kind="follow")
    panel.close()
    assert wire.num_open() == 0
    assert search.num_subscribers == 0
    assert set(threading.enumerate()) <= before
    # A message that was on its way follows nothing any more.
    panel._beacon._on_follow({})
    assert set(threading.enumerate()) <= before
