"""The buttons: a press is one command, a reason says why not."""

from __future__ import annotations

import pytest

from hpo_widgets.widget import SearchControls


@pytest.fixture
def controls(show, search):
    return show(SearchControls, search)


@pytest.mark.parametrize("name", ["start", "pause", "resume", "stop"])
def test_a_press_is_one_command(controls, search, wire, name):
    wire.browser_says(controls, kind="command", name=name)
    assert search.commands == [(name,)]


@pytest.mark.parametrize("name", ["set_total_max_jobs", "close", None, ["stop"]])
def test_only_the_four_commands_can_be_sent(controls, search, wire, name):
    wire.browser_says(controls, kind="command", name=name)
    assert search.commands == []


def test_reasons_follow_the_search(controls, search, refresh):
    assert controls.commands["start"] is None
    assert controls.commands["stop"] == "The search has not started."
    search.command("start")
    refresh(controls)
    assert (controls.status, controls.commands["stop"]) == ("running", None)
    assert controls.commands["start"] == "The search is running already."


def test_unknown_keyword_is_refused(search):
    with pytest.raises(TypeError, match="SearchControls has no keyword 'stauts': did you mean 'status'"):
        SearchControls(search, stauts="idle")
