"""Limits and sizes as a person gives them: what is accepted, and what is said of the rest."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.optimizer.settings import above_zero, make_settings, whole_above_zero
from hpo_widgets.search.limits import Settings


def settings_of(concurrency=1, minutes=None, compute=None, **keywords):
    return make_settings(
        max_number_of_concurrent_tasks=concurrency,
        optimization_time_limit=minutes,
        compute_time_limit=compute,
        keywords=keywords,
    )


def test_what_is_left_out_is_the_default():
    assert asdict(settings_of()) == asdict(Settings(1))
    assert settings_of(None).max_number_of_concurrent_tasks == default_concurrency() >= 1


def test_all_that_is_given_is_kept():
    given = {
        "total_max_jobs": 5,
        "time_limit_per_job": 3,
        "min_iteration_per_job": 1,
        "max_iteration_per_job": 7,
        "max_failures": 2,
        "allow_duplicates": True,
        "stop_grace": 0,
    }
    made = asdict(settings_of(4, 1.5, 2, **given))
    assert {name: made[name] for name in given} == given
    assert (made["max_number_of_concurrent_tasks"], made["optimization_time_limit"], made["compute_time_limit"]) == (
        4,
        1.5,
        2.0,
    )


def test_failures_without_a_limit_have_to_be_asked_for():
    assert settings_of(max_failures=None).max_failures is None
    assert settings_of().max_failures == 10


@pytest.mark.parametrize("name", ["total_max_jobs", "min_iteration_per_job", "max_iteration_per_job", "max_failures"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_numbers_of_things_are_whole_and_above_zero(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        settings_of(**{name: value})


def test_what_a_whole_number_is_told():
    assert whole_above_zero("n", 1) == 1
    with pytest.raises(TypeError, match="n must be a whole number of at least 1, got True"):
        whole_above_zero("n", True)
    with pytest.raises(ValueError, match="n must be at least 1, got 0; leave it out for no limit"):
        whole_above_zero("n", 0)


def test_minutes_are_a_number_above_zero_or_none():
    assert above_zero("t", None) is None
    assert above_zero("t", 3) == 3.0
    assert type(above_zero("t", 3)) is float
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="t is in minutes and must be above 0"):
            above_zero("t", wrong)
    for wrong in ("10", True, [1]):
        with pytest.raises(TypeError, match="t must be a number of minutes"):
            above_zero("t", wrong)


@pytest.mark.parametrize("value", [-0.1, float("nan"), "1", True, None])
def test_the_grace_is_a_number_of_seconds(value):
    with pytest.raises(ValueError, match="stop_grace must be a number of seconds of at least 0"):
        settings_of(stop_grace=value)


def test_the_default_concurrency_is_what_the_process_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 3, 5}, raising=False)
    assert default_concurrency() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert default_concurrency() == 1
