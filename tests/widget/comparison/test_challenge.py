"""Challenge: proposals are run at once, the sampler plays unseen, and both are shown at the end."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hpo_widgets import GridSearch, UniformIntegerParameterRange, UniformParameterRange, replay
from hpo_widgets.testing.objectives import himmelblau
from hpo_widgets.widget import Challenge
from tests.runs import wait_for

SPACE = [UniformParameterRange("x", -5, 5), UniformParameterRange("y", -5, 5)]
FEW = [UniformIntegerParameterRange("x", 0, 1), UniformIntegerParameterRange("y", 0, 1)]
DEADLINE = 1.0


@pytest.fixture
def play(show):
    """``play(trials, ...)`` gives a challenge that is closed after the test."""
    return lambda trials=2, **keywords: show(Challenge, himmelblau, SPACE, trials=trials, **keywords)


def until(challenge, is_so):
    """Wait until something is so that the searches tell of."""
    come = threading.Event()
    ends = [one.subscribe(lambda: come.set() if is_so() else None) for one in (challenge._own, challenge._rival)]
    if not is_so():
        assert come.wait(60)
    for end in ends:
        end()


def test_the_sampler_plays_unseen_until_the_last_point(play, wire):
    challenge = play(seed=3)
    challenge.propose(x=3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    challenge._refresher.refresh()
    rival = challenge._rival.best_trial
    assert rival is not None
    assert list(challenge.searches) == ["you"]
    assert not challenge.is_over
    assert challenge._tables.verdict[0] == "1 point is left."
    assert repr(rival.parameters["x"]) not in repr(wire.messages())
    assert challenge._end_of_game.children == ()
    page = challenge._export.file("html")[1].decode()
    assert challenge._map.model_id in page
    assert challenge._plot.model_id not in page

    challenge.propose(x=-3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    assert list(challenge.searches) == ["you", "TPE"]
    assert [len(one._trials.x) for one in challenge._looks] == [2, 2]
    assert [line.name for line in challenge._plot._drawn if len(line.band.at)] == ["you", "TPE"]
    assert challenge._tables.verdict[0] == "You were better."
    assert challenge._own.best_trial.values[0] == 0


def test_a_game_that_has_a_folder_for_its_journals_can_be_played_back_afterwards(play, tmp_path):
    challenge = play(trials=1, journal=tmp_path / "games")
    challenge.propose(x=3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    game = challenge.searches["you"].id
    challenge.close()

    played = replay(tmp_path / "games", game)
    try:
        played.seek(played.duration)
        assert played.best_trial.parameters == {"x": 3.0, "y": 2.0}
    finally:
        played.close()


def test_a_point_is_proposed_by_the_form_and_a_click_fills_it(play, wire):
    challenge = play()
    challenge._map.point = {"x": 1.0, "y": 2.0}
    assert challenge._form.fields[0]["value"] == "1"
    wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "2"}, id="a")
    assert challenge._form.answer["problem"] == ""
    assert challenge.wait(DEADLINE)
    challenge._own_refresher.refresh()
    assert "enqueued" not in challenge._map._key.value  # as all of them were
    assert challenge._own.best_trial.parameters == {"x": 1.0, "y": 2.0}
    assert challenge._form.fields  # for the next point
    wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "high"}, id="b")
    assert challenge._form.answer["fields"]["y"].startswith("Type a number")
    wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "3"}, id="c")
    assert challenge._form.fields == []  # that was the last one


def test_the_map_marks_the_point_that_is_to_be_proposed_next(play, wire):
    challenge = play()
    (figure,) = challenge._map.figures

    def marked():
        return figure._offered.x.tolist(), figure._offered.y.tolist()

    assert marked() == ([0.0], [0.0])  # the middle, which the form offers
    challenge._map._on_click({"empty_place": {"click_x": 1.5, "click_y": 0.5}}, figure)
    assert marked() == ([1.5], [0.5])
    wire.browser_says(challenge._form, kind="edit", values={"x": "1.5", "y": "-4"})
    assert marked() == ([1.5], [-4.0])
    wire.browser_says(challenge._form, kind="cancel")
    assert marked() == ([0.0], [0.0])
    challenge.propose(x=1.0, y=1.0)
    challenge.propose(x=2.0, y=1.0)
    until(challenge, lambda: challenge.is_over)
    challenge._own_refresher.refresh()
    assert marked() == ([], [])  # that was the last one


def test_a_point_that_was_proposed_costs_nothing_when_the_button_is_pressed_again(play, wire):
    challenge = play()
    for request in ("a", "b"):
        wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "2"}, id=request)
    assert challenge._form.answer["id"] == "b"
    assert challenge._form.answer["problem"] == "This point was proposed before: change a value."
    assert challenge._num_left == 1
    wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "2.5"}, id="c")
    assert challenge._form.answer["problem"] == ""
    assert challenge._num_left == 0


def test_a_point_that_the_constraint_refuses_costs_nothing(play, wire):
    challenge = play(constraint=lambda x, y: x < y)
    form = challenge._form
    wire.browser_says(form, kind="edit", values={"x": "2", "y": "1"})
    wait_for(lambda: form.refusal, "no answer")
    wire.browser_says(form, kind="queue", id="1", values={"x": "2", "y": "1"})
    assert form.answer["problem"] == form.refusal
    assert challenge._num_left == 2


def test_the_form_offers_nothing_after_the_last_point_that_code_proposes(play):
    challenge = play(trials=2)
    challenge.propose(x=3.0, y=2.0)
    assert challenge._form.point
    challenge.propose(x=-3.0, y=2.0)
    assert not challenge._form.point


def test_nothing_is_taken_after_the_last_point(play, wire):
    challenge = play(trials=1)
    challenge.propose(x=3.0, y=2.0)
    for is_over in (False, True):  # the last point may still be running, and is done then
        if is_over:
            until(challenge, lambda: challenge.is_over)
            challenge._refresher.refresh()
        challenge._map._on_click({"empty_place": {"click_x": 1.5, "click_y": 0.5}}, challenge._map.figures[0])
        assert challenge._map.point
        wire.browser_says(challenge._form, kind="cancel")
        assert challenge._form.fields == []
        wire.browser_says(challenge._form, kind="queue", values={"x": "1", "y": "3"}, id="a")
        assert len(challenge._proposed) == 1
        challenge._map.point = {}
    assert len(challenge._own.snapshot()) == 1


def test_a_form_offers_the_middle_before_there_is_a_best(play):
    assert [field["value"] for field in play()._form.fields] == ["0", "0"]


def test_a_point_that_still_runs_is_none_that_is_left(show, tmp_path):
    door = tmp_path / "door"
    door.touch()

    def held(x, y):
        while door.exists():
            time.sleep(0.01)
        return x + y

    challenge = show(Challenge, held, SPACE, trials=2)
    for x, said in ((1.0, "1 point is left."), (2.0, "No point is left.")):
        challenge.propose(x=x, y=0.0)
        challenge._refresher.refresh()
        assert challenge._tables.verdict[0] == said
    until(challenge, lambda: len(challenge._own.snapshot()) == 1)
    challenge._own_refresher.refresh()
    offered = challenge._map.figures[0]._offered
    assert (offered.x.tolist(), offered.y.tolist()) == ([2.0], [0.0])  # which waits for the first one
    assert challenge._tables.verdict[1] == "The result is shown when all have run, also those of the sampler."
    door.unlink()
    until(challenge, lambda: challenge.is_over)


def fails_left_of_0(x, y):
    if x < 0:
        raise ValueError("x is below 0")
    return x + y


def test_a_point_that_fails_says_why(show):
    challenge = show(Challenge, fails_left_of_0, SPACE, trials=3, rival="random", seed=0)

    def play(x):
        challenge.propose(x=x, y=0.0)
        assert challenge.wait(DEADLINE)
        challenge._refresher.refresh()
        return challenge._tables.verdict

    said, why = play(-1.0)
    assert said == "2 points are left."
    assert why.startswith("#0 failed: ValueError: x is below 0. Click an empty place")
    assert play(1.0)[1].startswith("Click an empty place")


def test_a_game_without_any_value_says_so(show):
    challenge = show(Challenge, fails_left_of_0, [UniformParameterRange("x", -5, -1), SPACE[1]], trials=1)
    challenge.propose(x=-2.0, y=0.0)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    said, why = challenge._tables.verdict
    assert said == "Neither has a value."
    assert why.startswith("#0 failed: ValueError: x is below 0")


def infinite_at_0(x, y):
    return float("inf") * y if x == 0 else x + y


@pytest.mark.parametrize(("sign", "y"), [("min", -1.0), ("max", 1.0)])
def test_an_infinite_value_of_either_sign_beats_nobody(show, sign, y):
    challenge = show(Challenge, infinite_at_0, SPACE, "random", trials=1, seed=1, objective_metric_sign=sign)
    challenge.propose(x=0.0, y=y)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    assert challenge._tables.verdict[0] == "random search was better."


def infinite(x, y):
    return float("inf")


def test_a_game_in_which_no_value_is_finite_says_so(show):
    challenge = show(Challenge, infinite, SPACE, "random", trials=1, seed=1)
    challenge.propose(x=0.0, y=0.0)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    assert challenge._tables.verdict[0] == "Neither has a finite value."


class Helpless(GridSearch):
    def ask(self):
        raise RuntimeError("no idea")


def test_a_sampler_that_fails_is_not_beaten_without_a_word(play):
    challenge = play(trials=1, rival=Helpless)
    challenge.propose(x=3.0, y=2.0)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    said, why = challenge._tables.verdict
    assert said == "You were better."
    assert why.startswith("grid search failed: Helpless raised RuntimeError: no idea. One game")


def test_a_sampler_that_ends_while_the_score_is_made_is_in_the_next_one(play, refresh, monkeypatch):
    challenge = play(trials=1)
    challenge.propose(x=3.0, y=2.0)
    until(challenge, lambda: challenge.is_over)
    answers = itertools.chain([False], itertools.repeat(True))
    monkeypatch.setattr(Challenge, "is_over", property(lambda _: next(answers)))
    for players, sentence in ((1, "No point is left."), (2, "You were better.")):
        [score], (said, _) = challenge._make_tables()
        assert len(score["rows"]) == players
        assert said == sentence


def test_points_in_quick_succession_are_all_run(play):
    challenge = play(trials=5)
    for x in range(5):
        challenge.propose(x=float(x), y=0.0)
    until(challenge, lambda: challenge._num_ended == 5)
    with pytest.raises(ValueError, match="all 5 points"):
        challenge.propose(x=0.0, y=0.0)


def test_a_point_outside_of_the_space_costs_nothing(play):
    challenge = play()
    with pytest.raises(ValueError, match="z"):
        challenge.propose(x=1.0, y=2.0, z=3.0)
    assert challenge._proposed == []


def test_closing_frees_the_folder_and_all_comms(wire):
    challenge = Challenge(himmelblau, SPACE, GridSearch, trials=2)
    folder = Path(challenge._folder.name)
    challenge.propose(x=1.0, y=2.0)
    challenge.close()
    assert wire.num_open() == 0
    assert not folder.exists()
    assert not challenge._own.is_running()
    assert not challenge._rival.is_running()


@pytest.mark.parametrize("num_before", [0, 1])
def test_a_point_after_closing_is_refused_and_begins_nothing(play, num_before):
    challenge = play()
    folder = Path(challenge._folder.name)
    for x in range(num_before):
        challenge.propose(x=float(x), y=0.0)
    challenge.close()
    with pytest.raises(RuntimeError, match="the challenge is closed; make another one"):
        challenge.propose(x=3.0, y=2.0)
    assert not folder.exists()
    assert not challenge._rival.is_running()


@pytest.mark.parametrize("rival", ["grid", "random"])
def test_the_budget_may_be_a_number_of_numpy(play, rival):
    assert "0 of 3 points" in repr(play(trials=np.int64(3), rival=rival))


@pytest.mark.parametrize(
    ("arguments", "keywords", "said"),
    [
        ((himmelblau, SPACE, "TPEE"), {}, "Did you mean 'TPE'"),
        ((himmelblau, SPACE), {"trials": 0}, "trials"),
        ((lambda x: x, SPACE[:1]), {}, "needs two parameters"),
        ((himmelblau, FEW), {"trials": 5}, "the space has 4 points, .* trials is at most 4, got 5"),
        # Before its budget is used up a game cannot end.
        ((himmelblau, SPACE), {"total_max_jobs": 3}, "takes no total_max_jobs.* use trials"),
        ((himmelblau, SPACE), {"optimization_time_limit": 1}, "takes no optimization_time_limit.* use trials"),
        ((himmelblau, SPACE), {"optimizer_class": GridSearch}, "takes no optimizer_class.* use rival"),
        ((himmelblau, SPACE), {"journal": "game.sqlite"}, "journal is a folder here, .*got 'game.sqlite'"),
        ((himmelblau, SPACE), {"trial": 5}, "takes no trial. Did you mean 'trials'"),
        ((himmelblau, SPACE, 20), {}, "its budget by name: write trials=20"),
        ((himmelblau, SPACE, ["TPE"]), {}, r"rival is a name such as 'TPE', or the class of a strategy, got \['TPE'\]"),
    ],
)
def test_bad_input_is_refused_before_anything_is_opened(wire, arguments, keywords, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Challenge(*arguments, **keywords)
    assert wire.num_open() == 0
