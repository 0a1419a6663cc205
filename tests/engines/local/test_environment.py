"""The environment variables of workers."""

from __future__ import annotations

import pytest

from hpo_widgets.engines.local.process import THREAD_LIMITS, Environments


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({1: {"DEVICE": 7}}, id="a mapping"),
        pytest.param([{}, {"DEVICE": 7}], id="a sequence"),
        pytest.param(lambda index: {"DEVICE": 7} if index == 1 else {}, id="a function"),
    ],
)
def test_each_worker_has_its_own_variables_and_one_that_is_not_named_has_none(own):
    environments = Environments(own)
    assert [environments.of(index).get("DEVICE") for index in range(3)] == [None, "7", None]


def test_none_removes_a_variable_from_one_worker_only(monkeypatch):
    monkeypatch.setenv("SECRET", "value")
    environments = Environments({0: {"SECRET": None}})
    assert ["SECRET" in environments.of(index) for index in (0, 1)] == [False, True]


def test_numeric_libraries_get_one_thread_unless_the_user_said_otherwise(monkeypatch):
    for name in THREAD_LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    environment = Environments(None).of(0)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert {environment[name] for name in THREAD_LIMITS if name != "OMP_NUM_THREADS"} == {"1"}


def test_a_worker_cannot_change_what_the_others_get():
    environments = Environments(None)
    environments.of(0)["MINE"] = "1"
    assert "MINE" not in environments.of(1)
