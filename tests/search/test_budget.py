"""Budgets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.search.budget import Budget, Limit

limits = st.none() | st.floats(1e-3, 1e9)
used = st.floats(0, 2e9)


@given(limits, used)
def test_fraction_and_exceeded_agree(limit, spent):
    entry = Limit(limit, spent)
    if limit is None:
        assert entry.fraction is None
        assert not entry.exceeded
    else:
        assert entry.fraction == spent / limit
        assert entry.exceeded == (spent >= limit)


@given(st.lists(st.tuples(limits, used), min_size=4, max_size=4))
def test_the_dict_form_holds_all_limits(pairs):
    budget = Budget(*[Limit(limit, spent) for limit, spent in pairs])
    form = json.loads(json.dumps(budget.to_dict()))
    assert {name: (part["limit"], part["used"]) for name, part in form.items()} == {
        name: (limit.limit, limit.used) for name, limit in vars(budget).items()
    }
    assert list(form) == ["jobs", "iterations", "compute_minutes", "wall_minutes"]


@given(st.lists(st.tuples(limits, used), min_size=4, max_size=4))
def test_progress_is_that_of_the_limit_that_is_nearest(pairs):
    budget = Budget(*[Limit(limit, spent) for limit, spent in pairs])
    fractions = [spent / limit for limit, spent in pairs if limit is not None]
    assert budget.progress == (min(1.0, max(fractions)) if fractions else None)


def test_a_budget_is_unlimited_and_unused_by_default():
    budget = Budget()
    assert budget.progress is None
    assert budget.to_dict()["jobs"] == {"limit": None, "used": 0, "fraction": None, "unit": "jobs"}


@pytest.mark.parametrize("used", [-1, -59.99])
def test_a_clock_that_went_back_leaves_nothing_used(used):
    assert Limit(3, used).used == 0
    assert Limit(None, used).used == 0
