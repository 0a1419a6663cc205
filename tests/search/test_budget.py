"""Budgets."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.search.budget import Budget, Limit, check_limit

limits = st.none() | st.floats(1e-3, 1e9)
used = st.floats(0, 2e9)


@given(limits, used)
def test_fraction_remaining_and_exceeded_agree(limit, spent):
    entry = Limit(limit, spent)
    if limit is None:
        assert entry.fraction is None
        assert entry.remaining is None
        assert not entry.exceeded
    else:
        assert entry.fraction == spent / limit
        assert entry.remaining == max(0, limit - spent)
        assert entry.exceeded == (entry.remaining == 0)


@given(st.lists(st.tuples(limits, used), min_size=4, max_size=4))
def test_the_dict_form_makes_an_equal_budget(pairs):
    budget = Budget(*[Limit(limit, spent) for limit, spent in pairs])
    form = json.loads(json.dumps(budget.to_dict()))
    assert Budget.from_dict(form) == budget
    assert list(form) == ["jobs", "iterations", "compute_minutes", "wall_minutes"]


@given(st.lists(st.tuples(limits, used), min_size=4, max_size=4))
def test_progress_is_that_of_the_limit_that_is_nearest(pairs):
    budget = Budget(*[Limit(limit, spent) for limit, spent in pairs])
    fractions = [spent / limit for limit, spent in pairs if limit is not None]
    assert budget.progress == (min(1.0, max(fractions)) if fractions else None)
    assert bool(budget.exceeded) == any(limit is not None and spent >= limit for limit, spent in pairs)


def test_a_budget_is_unlimited_and_unused_by_default():
    budget = Budget()
    assert budget.exceeded == ()
    assert budget.progress is None
    assert budget.to_dict()["jobs"] == {"limit": None, "used": 0, "fraction": None, "unit": "jobs"}


def test_the_limit_that_is_used_up_is_named():
    budget = Budget.of(jobs=10, wall_minutes=1.5)
    budget.jobs.used = 10
    assert budget.exceeded == ("jobs",)
    budget.wall_minutes.used = 2
    assert budget.exceeded == ("jobs", "wall_minutes")
    assert budget.wall_minutes.remaining == 0


@pytest.mark.parametrize("limit", [0, -1, -0.5, math.nan, "10", True, -math.inf])
def test_impossible_limits_are_refused(limit):
    with pytest.raises(ValueError, match="total_max_jobs must be .*above 0, or None for no limit; got"):
        check_limit("total_max_jobs", limit)
    with pytest.raises(ValueError, match="above 0"):
        Limit(limit)


def test_parts_of_jobs_are_refused():
    with pytest.raises(ValueError, match="total_max_jobs counts whole things, got 2.5"):
        check_limit("total_max_jobs", 2.5, whole=True)
    with pytest.raises(ValueError, match="the limit of jobs counts whole things"):
        Budget.of(jobs=0.5)


def test_limits_become_python_numbers():
    assert check_limit("x", np.int64(3), whole=True) == 3
    assert type(check_limit("x", np.float64(0.5))) is float
    assert check_limit("x", math.inf) is None
    assert type(check_limit("x", 4.0, whole=True)) is int


def test_less_than_nothing_cannot_be_used():
    for spent in (-1, math.nan):
        with pytest.raises(ValueError, match="what is used of a limit is at least 0"):
            Limit(3, spent)
