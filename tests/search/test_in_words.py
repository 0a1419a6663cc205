"""What a panel and the lists of searches say of one in a few words."""

from __future__ import annotations

import math

import pytest

from hpo_widgets.search import SearchStatus, StopReason, in_words
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState


def test_the_best_is_marked_where_it_is_partial():
    search = ScriptedSearch()
    assert in_words.best(search) is None
    search.add_trial(0.5, state=TrialState.PRUNED)
    assert in_words.best(search) == {"value": "0.5", "trial": "#0", "note": " (pruned)"}


@pytest.mark.parametrize("value", [math.inf, 1e-300, -1e300])
def test_extreme_values_have_words(value):
    search = ScriptedSearch()
    search.add_trial(value)
    assert in_words.best(search)["value"]


def test_a_search_without_a_result_does_not_look_like_a_success():
    search = ScriptedSearch(jobs=2)
    search.command("start")
    for _ in range(2):
        search.add_trial(state=TrialState.FAILED)
    search.set_status(SearchStatus.COMPLETED, StopReason("total_max_jobs", "all 2 trials were used"))
    assert in_words.pill(search) == {"word": "all trials failed", "look": "failed"}
    search.add_trial(0.5)
    assert in_words.pill(search) == {"word": "completed", "look": "completed"}
    search.command("leave_out", 2)
    assert in_words.pill(search) == {"word": "completed", "look": "completed"}


def test_of_several_objectives_the_front_is_counted():
    assert in_words.front([]) is None
    assert in_words.front([3]) == {"value": "1 trial on the front", "trial": "#3", "note": ""}
    assert in_words.front([3, 7])["value"] == "2 trials on the front"


def test_the_best_of_several_objectives_is_said_to_be_so_by_the_first():
    assert in_words.ranked_by(ScriptedSearch()) == ""
    search = ScriptedSearch(titles=["a\x1b[2J", "b"], series=["x", "y"], signs=["min", "max"])
    assert in_words.ranked_by(search) == r" by a\x1b[2J/x"
