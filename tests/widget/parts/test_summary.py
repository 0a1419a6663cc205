"""What the status panel says of a search."""

from __future__ import annotations

import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts import summary


def test_facts_name_engine_workers_strategy_and_objectives():
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    search.max_number_of_concurrent_tasks = 1
    assert summary.facts(search) == ["this machine", "1 worker", "script", "minimise a / x", "maximise b / y"]


def test_of_clearml_facts_say_how_many_wait_and_run_at_once():
    search = ScriptedSearch()
    search.engine_name, search.max_number_of_concurrent_tasks = "ClearML, queue default", 10
    assert summary.facts(search)[:2] == ["ClearML, queue default", "10 at once"]


def test_the_task_that_a_server_keeps_of_a_search_is_told_with_its_page_where_that_is_known():
    search = ScriptedSearch()
    assert summary.task(search) is None
    search.optimizer_task_id, search.optimizer_task_page = None, None
    assert summary.task(search) is None
    search.optimizer_task_id = "0a1b"
    assert summary.task(search) == {"id": "0a1b", "page": ""}
    search.optimizer_task_page = "https://app.example/0a1b"
    assert summary.task(search) == {"id": "0a1b", "page": "https://app.example/0a1b"}


def test_a_trial_that_does_not_count_against_the_budget_is_not_done():
    search = ScriptedSearch(jobs=6)
    search.add_trial(0.5)
    search.add_trial(state=TrialState.ABORTED)
    search.budget.jobs.used -= 1
    line = summary.budgets(search)[0]
    assert (line["text"], line["fraction"]) == ("1 of 6 done", pytest.approx(1 / 6))


def test_budgets_say_used_and_limit_and_have_a_share_only_with_a_limit(search):
    search.command("start")
    search.advance(75)
    search.add_trial(0.5, seconds=60)
    trials, time, compute = summary.budgets(search)
    assert (trials["text"], trials["fraction"]) == ("1 of 200 done", pytest.approx(0.005))
    assert (time["text"], time["fraction"]) == ("1:15 / 5:00", pytest.approx(0.25))
    assert (compute["text"], compute["fraction"]) == ("1:00", None)


def test_iterations_are_shown_where_they_are_limited():
    assert [line["name"] for line in summary.budgets(ScriptedSearch(iterations=100))][-1] == "iterations"


def test_a_share_never_passes_one():
    search = ScriptedSearch(jobs=1)
    search.add_trials([0.1] * 3)
    assert summary.budgets(search)[0]["fraction"] == 1.0


def test_progress_is_that_of_the_budget_that_ends_first(search):
    search.command("start")
    search.add_trials([0.1] * 100)
    search.advance(60)
    assert summary.progress(search) == pytest.approx(0.5)
    assert summary.progress(ScriptedSearch()) is None


def test_counts_show_running_and_completed_always_and_the_others_where_there_are_some(search):
    assert [count["label"] for count in summary.counts(search)] == ["running", "completed"]
    search.add_trial(state=TrialState.FAILED)
    search.add_trial(state=TrialState.PRUNED)
    counts = {count["label"]: (count["number"], count["is_bad"]) for count in summary.counts(search)}
    assert counts == {"running": (0, False), "completed": (0, False), "pruned": (1, False), "failed": (1, True)}


def test_the_end_is_foretold_from_the_limit_that_comes_first(search):
    assert summary.forecast(search) == ""
    search.command("start")
    assert summary.forecast(search) == "ends in about 5:00"
    search.advance(60)
    search.add_trials([0.1] * 150)
    # 50 trials are left, at 150 a minute.
    assert summary.forecast(search) == "ends in about 0:20"
    search.command("pause")
    assert summary.forecast(search) == "the time limit runs on"


def test_trials_that_run_are_not_done_and_put_off_the_end():
    search = ScriptedSearch(jobs=6)
    search.command("start")
    search.advance(60)
    search.add_trials([0.1] * 4)
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(state=TrialState.RUNNING)
    line = summary.budgets(search)[0]
    assert (line["text"], line["fraction"]) == ("4 of 6 done, 2 running", pytest.approx(4 / 6))
    assert summary.forecast(search) == "ends in about 0:30"


def test_a_budget_is_raised_above_what_is_used_where_it_was_lowered_below(search):
    search.add_trials([0.1] * 32)
    search.budget.jobs.limit = 3
    assert summary.raised_budget(search) == 48


def test_nothing_is_foretold_where_nothing_is_limited():
    search = ScriptedSearch()
    search.command("start")
    search.add_trials([0.1] * 10)
    assert summary.forecast(search) == ""
    search.command("pause")
    assert summary.forecast(search) == ""


def test_points_that_wait_for_a_worker_are_counted_before_what_is_foretold(search):
    search.num_waiting_points = 1
    assert summary.forecast(search) == "1 point waits"
    search.command("start")
    search.num_waiting_points = 2
    assert summary.forecast(search) == "2 points wait · ends in about 5:00"
    search.command("pause")
    assert summary.forecast(search) == "2 points wait · the time limit runs on"
    search.set_status("stopped")
    assert summary.forecast(search) == "2 points wait for Continue"


def test_the_newest_notices_come_first_and_the_others_are_counted(search):
    for number in range(8):
        search.notify("callback", f"problem {number}")
    lines = [line["text"] for line in summary.notices(search)]
    assert lines == [f"problem {number}" for number in (7, 6, 5, 4, 3)] + ["and 3 earlier"]


def test_facts_call_a_strategy_by_what_it_does():
    search = ScriptedSearch()
    search.strategy_name, search.strategy_title = "OptimizerOptuna", "TPE"
    assert summary.facts(search)[2] == "TPE"
