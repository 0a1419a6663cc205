"""What a notebook keeps of a race, a challenge and a comparison: a picture, who is best, and how it is seen again."""

from __future__ import annotations

import json
import math

import pytest

from hpo_widgets import StrategyRace, UniformParameterRange, compare
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.testing.objectives import branin, himmelblau
from hpo_widgets.widget import Challenge
from hpo_widgets.widget.parts.snapshot import MIME
from hpo_widgets.widget.saved_page import VIEW_MIME
from tests.widget.comparison.test_challenge import until

SPACE = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
ALL = {VIEW_MIME, "text/plain", "text/html", "image/png", MIME}
WITHOUT_PICTURE = ALL - {"image/png"}
DEADLINE = 1.0
LONG = "<b>" * 200


@pytest.fixture
def race(show):
    return show(StrategyRace, branin, SPACE, ["random", "grid"], trials=4, repeats=2)


@pytest.fixture
def challenge(show):
    return show(Challenge, himmelblau, SPACE, rival="random", trials=2, seed=1)


def compared(show, names=("a", "b"), **keywords):
    """A comparison of two searches, the second of which has the best value."""
    searches = [ScriptedSearch(**keywords) for _ in names]
    for search, value in zip(searches, (0.5, 0.25), strict=True):
        search.command("start")
        search.add_trial(value)
    return show(compare, dict(zip(names, searches, strict=True)))


def test_of_a_race_its_standings_and_its_verdict_are_kept(race):
    before = race._repr_mimebundle_()
    assert set(before) == WITHOUT_PICTURE
    assert "Race on branin of random, grid had not been started at" in before["text/plain"]
    assert race._snapshot.end == ""
    race.start()
    assert race.wait(DEADLINE)
    race._refresher.refresh()
    assert race._snapshot.end == "completed, 2 whole repeats"
    output = race._repr_mimebundle_()
    assert set(output) == ALL
    kept = output[MIME]
    assert (kept["name"], kept["did"], kept["plot"]) == ("Race on branin", "was complete", "Best so far")
    assert [one["text"] for one in kept["counts"]] == ["2 whole repeats", "random 8 / 8 trials", "grid 8 / 8 trials"]
    assert kept["table"]["caption"] == "Standings"
    assert kept["again"] == "Run its cell again for another race."
    assert [row["cells"][0] for row in kept["table"]["rows"]] == [one.name for one in race.summary().standings]
    assert f"{kept['verdict']} {kept['reason']}" == race.summary().verdict
    assert kept["verdict"].removesuffix(".") in output["text/plain"]
    assert output["image/png"] in output["text/html"]
    assert len(json.dumps(output)) < 150_000


def test_of_a_challenge_nothing_of_the_sampler_is_kept_before_the_end(challenge):
    assert set(challenge._repr_mimebundle_()) == WITHOUT_PICTURE
    challenge.propose(x=3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    challenge._refresher.refresh()
    rival = challenge._rival.best_trial
    output = challenge._repr_mimebundle_()
    assert set(output) == ALL
    kept = output[MIME]
    assert (kept["did"], kept["plot"], kept["verdict"]) == ("was being played", "Map", "1 point is left.")
    assert kept["reason"] == ""  # which is what to click
    assert [row["cells"][0] for row in kept["table"]["rows"]] == ["you"]
    assert f"{rival.values[0]:.4g}" not in json.dumps(kept)
    assert challenge._snapshot.end == ""

    challenge.propose(x=-3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    until(challenge, lambda: challenge.is_over)
    challenge._refresher.refresh()
    assert challenge._snapshot.end == "over"
    kept = challenge._repr_mimebundle_()[MIME]
    assert (kept["did"], kept["plot"], kept["verdict"]) == ("was over", "Best so far", "You were better.")
    assert [row["cells"][0] for row in kept["table"]["rows"]] == ["you", "random search"]
    assert kept["again"] == "Run its cell again for another game."


def test_of_a_comparison_the_best_of_each_and_of_all_is_kept(show):
    shown = compared(show)
    output = shown._repr_mimebundle_()
    assert set(output) == ALL
    kept = output[MIME]
    assert (kept["name"], kept["did"]) == ("a · b", "was running")
    assert kept["best"] == "best 0.25 in b at #0"
    assert kept["again"] == "Run its cell to compare again."
    assert [one["text"] for one in kept["counts"]] == ["a 1 trial", "b 1 trial"]
    assert kept["table"]["caption"] == "The best of each search"
    assert "Comparison of a, b was running at" in output["text/plain"]
    for search in shown.searches.values():
        search.set_status("completed")
    shown._refresher.refresh()
    assert shown._snapshot.end == "completed, [1, 1]"


def test_no_search_is_called_the_best_where_the_values_are_not_alike(show):
    searches = {"a": ScriptedSearch(), "b": ScriptedSearch(signs="max")}
    for search in searches.values():
        search.add_trial(0.5)
    kept = show(compare, searches)._repr_mimebundle_()[MIME]
    assert kept["best"] == ""
    assert kept["verdict"] == "Not all of this can be compared."


@pytest.mark.parametrize(("sign", "least"), [("min", -math.inf), ("max", math.inf)])
def test_an_infinite_value_of_either_sign_is_not_the_best(show, sign, least):
    searches = {"a": ScriptedSearch(signs=sign), "b": ScriptedSearch(signs=sign)}
    for search in searches.values():
        search.add_trial(least)
    assert show(compare, searches)._repr_mimebundle_()[MIME]["best"] == ""
    searches["b"].add_trial(0.5)
    assert show(compare, searches)._repr_mimebundle_()[MIME]["best"] == "best 0.5 in b at #1"


def test_names_are_text_and_what_is_kept_stays_small(show):
    output = compared(show, (LONG, f"{LONG}2"), name=LONG)._repr_mimebundle_()
    assert "<b>" not in output["text/html"]
    assert len(json.dumps(output[MIME])) < 10_000
    assert len(json.dumps(output)) < 150_000


def test_a_page_gets_what_is_seen_now_and_each_page_the_last_picture(race, wire):
    race._repr_mimebundle_()
    race.start()
    assert race.wait(DEADLINE)
    wire.clear()
    wire.browser_says(race._snapshot, kind="snapshot", id="a")
    comm = race._snapshot.comm
    race.close()
    *_, answer, last, close = comm.sent
    assert (answer["content"]["id"], "id" in last["content"]) == ("a", False)
    assert close["type"] == "comm_close"
    for message in (answer, last):
        assert message["content"]["data"][MIME]["did"] == "was complete"
        assert message["content"]["data"]["image/png"]


def test_a_game_that_is_broken_off_keeps_the_points_that_were_played(challenge):
    challenge._repr_mimebundle_()
    challenge.propose(x=3.0, y=2.0)
    assert challenge.wait(DEADLINE)
    comm = challenge._snapshot.comm
    challenge.close()
    last = comm.sent[-2]["content"]["data"]
    assert last[MIME]["did"] == "was being played"
    assert last["image/png"]
    assert "1 of 2 points" in last["text/plain"]
