"""Pages that play a search back: what they hold of each moment. In a browser: tests/browser/test_replay_page.py."""

from __future__ import annotations

import base64
import gzip
import json
import re
from itertools import pairwise

import pytest
from ipywidgets import Widget

from hpo_widgets.viewer import SearchReplay
from hpo_widgets.widget import OptimizerWidget, save_replay_html
from hpo_widgets.widget.parts.part import widgets_of
from tests.widget.test_replay import DURATION, NUM_TRIALS, plant
from tests.widget.test_saved_page import state_in

PLOTS = ["History", "Timeline", "Importance", "Curves"]


def moments_in(path):
    """What the page holds of all moments."""
    found = re.search(r'id="moments" data-bar="(\w+)">([^<]*)<', path.read_text(encoding="utf-8"))
    assert found is not None
    return found.group(1), json.loads(gzip.decompress(base64.b64decode(found.group(2))))


def played_to(path, place):
    """The states of all models of a page at one of its moments, as its script makes them."""
    states = state_in(path)
    for trait in moments_in(path)[1]["traits"]:
        index = max([0, *(at for at, since in enumerate(trait["since"]) if since <= place)])
        model, name = states[trait["model"]], trait["name"]
        model["state"][name] = trait["values"][index]
        others = [one for one in model.get("buffers", []) if one["path"][0] != name]
        model["buffers"] = [*others, *trait["buffers"][index]]
    return states


def drawn(states):
    """The points of all scatters that have some, in base64."""
    scatters = [model for model in states.values() if model["model_name"] == "ScatterModel"]
    points = [
        sorted(
            (one["path"][0], one["data"]) for one in model.get("buffers", []) if one["path"][0] in "xy" and one["data"]
        )
        for model in scatters
    ]
    return sorted(filter(None, points))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The journal of a search of forty trials."""
    return plant(tmp_path_factory.mktemp("kept") / "digits.sqlite")


@pytest.fixture(scope="module")
def page(kept):
    """A page of it with eight moments."""
    return save_replay_html(kept, kept.parent / "page.html", moments=8, plots=PLOTS)


@pytest.mark.slow
def test_at_each_moment_a_page_holds_what_a_panel_of_that_moment_shows(show, refresh, kept, page):
    bar, moments = moments_in(page.path)
    positions = moments["positions"]
    assert (len(positions), positions[0], positions[-1]) == (8, 0, DURATION)
    for place in (0, 3, 7):
        with SearchReplay(kept) as search:
            search.seek(positions[place])
            panel = show(OptimizerWidget, search, plots=PLOTS)
            panel._refresher.refresh(is_kept=True)
            states = played_to(page.path, place)
            status = states[panel_part(states, "counts")]["state"]
            assert status["counts"] == panel._status_panel.counts
            assert status["best"] == panel._status_panel.best
            assert states[bar]["state"]["words"] == panel._parts.children[1].words
            table = states[panel_part(states, "shows_all")]["state"]
            rows = [table[f"row_{slot}"] for slot in table["order"]]
            assert rows == panel._table.shown_rows(100)[1]
            space = states[panel_part(states, "undo_labels")]["state"]
            assert space["ranges"] == panel._space_panel.ranges
            for title, numbers in numbers_in(states).items():
                assert numbers["rows"] == panel.plots[title]._numbers_table.made()["rows"], title
            assert drawn(states) == drawn(Widget.get_manager_state(widgets=widgets_of(panel))["state"])


def panel_part(states, trait):
    """The id of the only model that has a trait."""
    (model_id,) = [one for one, model in states.items() if trait in model["state"]]
    return model_id


def numbers_in(states):
    """The tables of numbers of a page by the title of their plot."""
    tables = [model["state"] for model in states.values() if {"sentence", "columns", "rows"} <= model["state"].keys()]
    return {table["title"]: table for table in tables}


def test_a_page_stands_at_the_end_and_its_bar_alone_may_be_used(page):
    states = state_in(page.path)
    bar = states[moments_in(page.path)[0]]["state"]
    assert bar["position"] == bar["duration"] == DURATION
    assert bar["words"].startswith(f"{NUM_TRIALS} of {NUM_TRIALS} trials")
    assert bar["commands"] == {"play": None}
    others = [model["state"]["commands"] for model in states.values() if "commands" in model["state"]]
    others.remove({"play": None})
    assert all(reason for commands in others for reason in commands.values())


def test_at_no_moment_is_a_control_beside_the_bar_alive(page):
    bar, moments = moments_in(page.path)
    for place in range(len(moments["positions"])):
        states = played_to(page.path, place)
        commands = {one: model["state"]["commands"] for one, model in states.items() if "commands" in model["state"]}
        assert commands.pop(bar) == {"play": None}
        assert all(reason for of_part in commands.values() for reason in of_part.values()), place


def test_what_one_tab_alone_shows_is_said_to_be_of_that_tab(page):
    _, moments = moments_in(page.path)
    states = state_in(page.path)
    by_tab = {tab: {one["model"] for one in moments["traits"] if one["tab"] == tab} for tab in (None, 0, 1, 2, 3)}
    assert panel_part(states, "counts") in by_tab[None]
    assert all(by_tab[tab] for tab in range(len(PLOTS)))
    assert not by_tab[None] & by_tab[0]


def test_nothing_of_a_page_is_sent_twice(page):
    for trait in moments_in(page.path)[1]["traits"]:
        pairs = list(zip(trait["values"], trait["buffers"], strict=True))
        assert all(one != following for one, following in pairwise(pairs)), trait["name"]


def test_fewer_than_two_moments_are_refused(kept, tmp_path):
    with pytest.raises(ValueError, match="at least 2"):
        save_replay_html(kept, tmp_path / "page.html", moments=1)
