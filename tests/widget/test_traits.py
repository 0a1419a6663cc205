"""Each public trait of the panel from both sides: the search or the page changes it, and code reads or sets it."""

from __future__ import annotations

import pytest
import traitlets

from hpo_widgets.search import StopReason
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget import OptimizerWidget


@pytest.fixture
def panel(show, search):
    """The panel of a search that runs and has three trials, the second one failed."""
    search.command("start")
    search.add_trial(0.5)
    search.add_trial(state=TrialState.FAILED, error="ValueError: no")
    search.add_trial(0.75)
    search.commands.clear()
    return show(OptimizerWidget, search)


BY_THE_SEARCH = {
    "status": (lambda search: search.set_status("paused"), "running", "paused"),
    "stop_reason": (
        lambda search: search.set_status("completed", StopReason("total_max_jobs", "all 200 trials were run")),
        None,
        "all 200 trials were run",
    ),
    "elapsed": (lambda search: search.advance(90), 0.0, 1.5),
    "time_limit": (lambda search: setattr(search.budget.wall_minutes, "limit", None), 5, None),
    "num_trials": (lambda search: search.add_trials([0.5, 0.5]), 3, 5),
    "num_active": (lambda search: search.add_trial(state=TrialState.QUEUED), 0, 1),
    "num_failed": (lambda search: search.add_trial(state=TrialState.FAILED, error="no"), 1, 2),
    "progress": (lambda search: search.advance(150), 3 / 200, 0.5),
    "best_trial": (lambda search: search.add_trial(0.25), 0, 3),
    "best_objective": (lambda search: search.add_trial(0.25), 0.5, 0.25),
    "ranges": (
        lambda search: search.set_ranges({"lr": (1e-3, 1e-2)}),
        {"lr": (1e-4, 1e-1), "dropout": (0.0, 0.5), "layers": (1, 6), "activation": ("relu", "tanh", "logistic")},
        {"lr": (1e-3, 1e-2), "dropout": (0.0, 0.5), "layers": (1, 6), "activation": ("relu", "tanh", "logistic")},
    ),
    "priors": (
        lambda search: search.set_priors({"layers": [1, 4]}),
        {},
        {"layers": {"weights": (0.25, 1.0), "range": (1.0, 6.0)}},
    ),
    "max_number_of_concurrent_tasks": (lambda search: search.command("set_max_number_of_concurrent_tasks", 7), 2, 7),
    "total_max_jobs": (lambda search: search.command("set_total_max_jobs", None), 200, None),
}

# Name to the part and the message of its view, what follows for the trait, and the command that follows.
BY_THE_PAGE = {
    "ranges": (
        "_space_panel",
        {"kind": "set_ranges", "id": 1, "ranges": {"layers": [2, 3]}},
        {"lr": (1e-4, 1e-1), "dropout": (0.0, 0.5), "layers": (2, 3), "activation": ("relu", "tanh", "logistic")},
        ("set_ranges", {"layers": (2, 3)}),
    ),
    "priors": (
        "_space_panel",
        {"kind": "set_priors", "id": 1, "priors": {"layers": {"weights": [0, 0, 2, 0, 0, 1], "range": [1, 6]}}},
        {"layers": {"weights": (0, 0, 1, 0, 0, 0.5), "range": (1.0, 6.0)}},
        ("set_priors", {"layers": {"weights": [0, 0, 2, 0, 0, 1], "range": [1, 6]}}),
    ),
    "max_number_of_concurrent_tasks": (
        "_status_panel",
        {"kind": "type", "name": "workers", "text": "7", "id": "a"},
        7,
        ("set_max_number_of_concurrent_tasks", 7),
    ),
    "total_max_jobs": (
        "_status_panel",
        {"kind": "type", "name": "jobs", "text": "", "id": "a"},
        None,
        ("set_total_max_jobs", None),
    ),
    "filter": (
        "_filter_bar",
        {"kind": "add", "id": "1", "condition": "top_k", "value": "2"},
        TrialFilter(top_k=2),
        None,
    ),
    "selected": ("_table", {"kind": "select", "numbers": [2, 0]}, [2, 0], None),
    "top_k": ("_table", {"kind": "set", "name": "top_k", "value": 5}, 5, None),
    "waiting": ("_controls", {"kind": "wait", "on": True}, True, None),
    "wait_timeout": ("_controls", {"kind": "type", "name": "timeout", "text": "1.5", "id": "a"}, 1.5, None),
}

# What is dragged and clicked in figures: tests/widget/plots/test_brush.py.
BY_FIGURES = {"box", "point"}

# Name to what code sets, the part and its trait that carry it to the page, and what the page gets.
TO_THE_PAGE = {
    "ranges": ({"layers": (2, 3)}, "_space_panel", "ranges", lambda sent: sent["layers"] == [2, 3]),
    "priors": (
        {"layers": [0, 0, 2, 0, 0, 1]},
        "_space_panel",
        "priors",
        lambda sent: sent["layers"] == [0.01, 0.01, 1, 0.01, 0.01, 0.5],
    ),
    "max_number_of_concurrent_tasks": (7, "_status_panel", "workers", lambda sent: sent == 7),
    "total_max_jobs": (300, "_status_panel", "jobs", lambda sent: sent == 300),
    "filter": ({"top_k": 2}, "_filter_bar", "left", lambda sent: sent == [2, 3]),
    "box": ({"lr": (1e-3, 1e-2)}, "_space_panel", "preview", lambda sent: sent["lr"]["range"] == [1e-3, 1e-2]),
    "point": ({"lr": 0.01}, "_point_form", "fields", lambda sent: sent[0]["value"] == "0.01"),
    "selected": ([2, 0], "_table", "selected", lambda sent: sent == [2, 0]),
    "top_k": (5, "_table", "top_k", lambda sent: sent == 5),
    "waiting": (True, "_controls", "waiting", lambda sent: sent is True),
    "wait_timeout": (1.5, "_controls", "wait_timeout", lambda sent: sent == 1.5),
}


def test_no_trait_is_left_out():
    # Advice is tested with its line, the objective with the plots that have it (plots/test_objective_choice.py).
    own = set(OptimizerWidget.class_own_traits()) - {"advice", "objective"}
    assert set(BY_THE_SEARCH) | set(BY_THE_PAGE) | BY_FIGURES == own
    two_way = {name for name in own if OptimizerWidget.class_traits()[name].help.startswith("Two-way")}
    assert set(BY_THE_PAGE) | BY_FIGURES == set(TO_THE_PAGE) == two_way


@pytest.mark.parametrize("name", BY_THE_SEARCH)
def test_a_trait_follows_the_search_and_is_no_command_then(panel, search, refresh, name):
    change, before, after = BY_THE_SEARCH[name]
    assert getattr(panel, name) == before
    change(search)
    asked = list(search.commands)
    refresh(panel)
    assert getattr(panel, name) == after
    assert search.commands == asked


@pytest.mark.parametrize("name", sorted(set(BY_THE_SEARCH) - set(BY_THE_PAGE)))
def test_what_only_the_search_sets_is_refused_from_code(panel, name):
    before = getattr(panel, name)
    with pytest.raises(traitlets.TraitError):
        setattr(panel, name, before)
    assert getattr(panel, name) == before


@pytest.mark.parametrize("name", BY_THE_PAGE)
def test_a_person_sets_a_trait_in_the_page_and_code_hears_of_it(panel, search, wire, refresh, name):
    part, message, value, command = BY_THE_PAGE[name]
    heard = []
    panel.observe(lambda change: heard.append(change["new"]), name)
    wire.browser_says(getattr(panel, part), **message)
    refresh(panel)
    assert getattr(panel, name) == value
    assert heard == [value]
    assert search.commands == ([] if command is None else [command])


@pytest.mark.parametrize("name", TO_THE_PAGE)
def test_code_sets_a_trait_and_the_page_shows_it(panel, wire, refresh, name):
    value, part, trait, is_shown = TO_THE_PAGE[name]
    wire.clear()
    setattr(panel, name, value)
    refresh(panel)
    sent = [state[trait] for state in wire.updates(getattr(panel, part)) if trait in state]
    assert is_shown(sent[-1])
