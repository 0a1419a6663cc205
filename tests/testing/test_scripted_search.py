"""The scripted search is a Search, does what its script says, and nothing by itself."""

from __future__ import annotations

import pytest

from hpo_widgets.search import COMMANDS, Search, SearchStatus
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState


@pytest.fixture
def search():
    return ScriptedSearch(jobs=10)


def test_it_is_a_search(search):
    assert isinstance(search, Search)
    assert set(search.capabilities) == set(COMMANDS)


def test_two_with_one_seed_draw_the_same_points():
    first, second = ScriptedSearch(seed=3), ScriptedSearch(seed=3)
    for search in (first, second):
        search.add_trial(0.5)
        search.add_trials([0.5, 0.25])
    assert [first.trial(n).parameters for n in range(3)] == [second.trial(n).parameters for n in range(3)]


def test_subscribers_are_told_of_each_change_until_they_leave(search):
    told = []
    leave = search.subscribe(lambda: told.append(search.snapshot().version))
    search.add_trial(0.5)
    search.add_trials([0.5, 0.25])
    leave()
    search.add_trial(0.5)
    assert told == [1, 3]


def test_commands_are_recorded_and_obeyed(search):
    search.command("start")
    search.command("set_range", "lr", (0.001, 0.01))
    assert search.status is SearchStatus.RUNNING
    assert search.space.ranges["lr"] == (0.001, 0.01)
    assert search.commands == [("start",), ("set_range", "lr", (0.001, 0.01))]


def test_commands_can_be_recorded_alone():
    search = ScriptedSearch(obeys=False)
    search.command("start")
    assert search.status is SearchStatus.IDLE


def test_what_cannot_be_done_becomes_a_notice(search):
    search.command("set_ranges", {"lr": (1.0, 0.1)})
    assert search.errors[0].source == "command"
    assert len(search.epochs) == 1


def test_a_command_that_no_search_has_is_an_error_of_the_test(search):
    with pytest.raises(ValueError, match="'strat' is not a command"):
        search.command("strat")


def test_undo_and_redo_walk_through_the_spaces(search):
    search.set_ranges({"layers": (2, 3)})
    search.command("undo")
    assert search.space.ranges["layers"] == (1, 6)
    search.command("redo")
    assert search.space.ranges["layers"] == (2, 3)
    assert [epoch.epoch for epoch in search.epochs] == [0, 1, 2, 3]


def test_a_running_trial_can_be_ended(search):
    number = search.add_trial(state=TrialState.RUNNING)
    search.advance(2)
    search.end_trial(number, 0.5)
    assert search.counts[TrialState.COMPLETED] == 1
    assert search.best_trial.value == 0.5
    assert search.best_trial.duration == 2


def test_a_point_can_be_given(search):
    point = {"lr": 0.01, "dropout": 0.1, "layers": 2, "activation": "tanh"}
    number = search.add_trial(0.5, point)
    assert search.trial(number).parameters == point


@pytest.mark.parametrize(("sign", "best"), [("min", 1), ("max", 0)])
def test_the_top_is_ordered_by_the_sign(sign, best):
    search = ScriptedSearch(signs=sign)
    search.add_trials([3.0, 1.0, None, 2.0])
    assert search.top(3)[0].number == best
    assert len(search.top(10)) == 3


def test_the_best_of_several_objectives_is_the_best_by_one_of_them_and_the_top_is_the_front():
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    for values in ((0.2, 5.0), (0.1, 1.0), (0.1, 2.0), (0.9, 9.0), (0.15, 0.5)):
        search.add_trial(value=values)
    assert search.best_trial.number == search.best_by(0).number == 2
    assert search.best_by(1).number == 3
    assert {trial.number for trial in search.top(3)} == {0, 2, 3}


def test_what_goes_wrong_with_a_command_is_told_with_its_name_as_by_a_real_search():
    search = ScriptedSearch()
    search.command("add_choices", "activation", ["relu"])
    assert search.errors[-1].sentence.startswith("add_choices: ")
