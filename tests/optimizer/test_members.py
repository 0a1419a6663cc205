"""Rows of the members of `HyperParameterOptimizer` on a callable and on a script; see `tests.member_rows.table`."""

from __future__ import annotations

import itertools
import json
import os
import textwrap

import pytest

from hpo_widgets import DiscreteParameterRange, HyperParameterOptimizer
from hpo_widgets.journal import JournalNotFound
from hpo_widgets.objectives import SIGNS
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import Trial, TrialState
from tests.conftest import DEADLINE
from tests.member_rows.arguments import RowsOfArguments
from tests.member_rows.beyond import RowsBeyondTheReference
from tests.member_rows.reference import RowsOfTheReference
from tests.member_rows.table import header_of
from tests.runs import finished


def make_function(gate):
    path = str(gate.path)

    def train(x, units=4, kind="plain", depth=2, free=None):
        import os
        import time

        from hpo_widgets import report_scalar

        for iteration, step in enumerate((1.0, -1.0, 0.0)):
            report_scalar("validation", "loss", x + step, iteration)
            report_scalar("accuracy per class", "cat", -x, iteration)
        while not os.path.exists(path):
            time.sleep(0.002)

    return train


def make_script(gate, folder):
    path = folder / "train_script.py"
    path.write_text(
        textwrap.dedent(f"""
            import argparse, os, time
            from hpo_widgets import report_scalar

            parser = argparse.ArgumentParser()
            parser.add_argument("--x", type=float, required=True)
            parser.add_argument("--units", type=int, default=4)
            parser.add_argument("--kind", default="plain")
            parser.add_argument("--depth", type=int, default=2)
            parser.add_argument("--free")
            arguments = parser.parse_args()
            for iteration, step in enumerate((1.0, -1.0, 0.0)):
                report_scalar("validation", "loss", arguments.x + step, iteration)
                report_scalar("accuracy per class", "cat", -arguments.x, iteration)
            while not os.path.exists({str(gate.path)!r}):
                time.sleep(0.002)
        """)
    )
    return path


@pytest.fixture(params=["callable", pytest.param("script", marks=pytest.mark.slow)])
def template(request, gate, tmp_path):
    """A template experiment that reports x+1, x-1, x as ``validation/loss`` and then waits before the gate."""
    return make_function(gate) if request.param == "callable" else make_script(gate, tmp_path)


@pytest.fixture
def optimizer(search, template):
    """``optimizer(...)`` gives a search over x in [0, 1] that minimises the last ``validation/loss``."""

    def make(hyper_parameters=None, **keywords):
        defaults = {
            "objective_metric_title": "validation",
            "objective_metric_series": "loss",
            "objective_metric_sign": "min",
            "total_max_jobs": 3,
            "seed": 1,
        }
        return search(template, hyper_parameters, **{**defaults, **keywords})

    return make


@pytest.fixture
def running(optimizer, gate, until):
    """``running(...)`` gives a search whose two running trials have reported and wait before the gate."""

    def make(**keywords):
        gate.shut()
        made = optimizer(**{"total_max_jobs": 4, **keywords})
        assert made.start()
        until(made, lambda: len(made.top(4)) == 2)
        return made

    return make


@pytest.fixture
def failing(optimizer):
    """``failing()`` gives a search of two trials, all of which fail."""
    return lambda: optimizer(objective_metric_series="never reported", total_max_jobs=2)


class TestThisMachine(RowsOfArguments, RowsOfTheReference, RowsBeyondTheReference):
    """The rows of every engine."""


def test_argument_base_task_id_is_what_runs(optimizer, template):
    made = finished(optimizer())
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.name == ("train" if callable(template) else "train_script")


def test_argument_hyper_parameters_are_of_ours_and_of_clearmls(optimizer):
    automation = pytest.importorskip("clearml.automation")
    made = finished(
        optimizer(
            [
                automation.UniformParameterRange("General/x", min_value=0.2, max_value=0.4, step_size=0.1),
                DiscreteParameterRange("kind", values=["a", "b"]),
            ],
            optimizer_class=automation.GridSearch,
            total_max_jobs=None,
        )
    )
    assert made.stop_reason.code == "space_exhausted"
    assert {(round(t.parameters["General/x"], 6), t.parameters["kind"]) for t in made.top(10)} == {
        (x, kind) for x in (0.2, 0.3, 0.4) for kind in "ab"
    }


def test_argument_execution_queue_is_accepted_and_kept(optimizer):
    made = finished(optimizer(execution_queue="workers", pool_period_min=0.2))
    assert header_of(made)["arguments"]["execution_queue"] == "workers"


@pytest.mark.parametrize("value", [True, False, object()])
def test_argument_auto_connect_task_is_accepted(optimizer, value):
    assert finished(optimizer(auto_connect_task=value)).stop_reason.code == "total_max_jobs"


def test_argument_always_create_task_is_kept_with_the_space_and_the_other_arguments(optimizer):
    made = finished(optimizer(always_create_task=True))
    header = header_of(made)
    assert header["arguments"]["always_create_task"] is True
    assert header["arguments"]["total_max_jobs"] == 3
    assert header["space"] == json.loads(json.dumps(made.space.to_dict()))


def test_argument_spawn_project_is_the_journals_group(optimizer):
    assert header_of(finished(optimizer(spawn_project="lecture")))["group"] == "lecture"


def test_argument_save_top_k_tasks_only_archives_the_rest(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=1))
    archived = {number for number in range(3) if made.trial(number).archived}
    assert archived == {0, 1, 2} - {made.best_trial.number}


def test_get_active_experiments_are_those_that_run(running, gate):
    made = running()
    active = made.get_active_experiments()
    assert [t.status for t in active] == ["running", "running"]
    assert [t.number for t in active] == [0, 1]
    gate.open()
    assert made.wait()
    assert made.get_active_experiments() == []


def test_get_optimizer_top_experiments_ranks_by_any_scalar_and_sign(optimizer):
    made = finished(optimizer())
    for source, sign in itertools.product((made.id, str(made.journal_path)), SIGNS):
        top = HyperParameterOptimizer.get_optimizer_top_experiments("accuracy per class", "cat", sign, source, 2)
        by_x = sorted(made.top(3), key=lambda t: t.parameters["x"], reverse=sign.startswith("min"))
        assert [t.number for t in top] == [t.number for t in by_x[:2]], sign
        assert all(isinstance(t, Trial) for t in top)


def test_get_optimizer_top_experiments_says_when_there_is_no_such_search(optimizer):
    with pytest.raises(JournalNotFound):
        HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", "nothing", 2)


def test_get_top_experiments_are_best_first_with_the_accessors_of_a_task(optimizer):
    made = finished(optimizer())
    top = made.get_top_experiments(top_k=2)
    assert top == made.top(2)
    assert [t.value for t in top] == sorted(t.value for t in made.get_top_experiments(3))[:2]
    best = top[0]
    x = best.parameters["x"]
    assert [t.id for t in top] == [f"{made.id}/{t.number}" for t in top]
    assert (best.name, best.status) == (f"#{best.number}", "completed")
    assert best.get_parameters() == {"General/x": str(x)}
    assert best.get_last_scalar_metrics()["validation"]["loss"] == {"last": x, "min": x - 1, "max": x + 1}
    assert best.get_reported_scalars()["validation"]["loss"] == {
        "name": "loss",
        "x": [0, 1, 2],
        "y": pytest.approx([x + 1, x - 1, x]),
    }


def test_get_top_experiments_ranks_running_trials_too(running):
    made = running()
    assert [t.status for t in made.get_top_experiments(3)] == ["running", "running"]


def test_set_default_job_class_is_used_from_the_next_start(optimizer, template):
    from hpo_widgets.engines.local.functions import FunctionPool
    from hpo_widgets.engines.local.scripts import ScriptEngine

    launched = []

    class Counting(FunctionPool if callable(template) else ScriptEngine):
        def launch(self, number, point):
            launched.append(number)
            return super().launch(number, point)

    made = optimizer()
    made.set_default_job_class(Counting)
    finished(made)
    assert launched == [0, 1, 2]
    with pytest.raises(TypeError, match=r"job_class must be a class with the methods of .*JobEngine"):
        made.set_default_job_class(object)


def test_start_locally_is_start(optimizer):
    calls = []
    made = optimizer()
    assert made.start_locally(job_complete_callback=lambda *arguments: calls.append(arguments)) is True
    assert made.wait()
    assert len(calls) == 3


def test_open_continues_with_the_template_and_shows_without(optimizer, template):
    made = finished(optimizer())
    viewer = HyperParameterOptimizer.open(made.journal_path)
    assert viewer.counts == made.counts
    assert all(reason for reason in viewer.capabilities.values())
    viewer.close()
    again = HyperParameterOptimizer.open(made.journal_path.parent, made.id, base_task_id=template)
    again.set_total_max_jobs(5)
    finished(again)
    assert again.id == made.id
    assert again.counts[TrialState.COMPLETED] == 5


def test_add_trial_records_a_result_as_the_next_trial(running, gate):
    made = running()
    assert made.add_trial({"x": 0.125}, -1) == 2
    gate.open()
    assert made.wait()
    assert (made.best_trial.number, made.best_trial.parameters, made.best_trial.value) == (2, {"x": 0.125}, -1.0)
    assert made.budget.jobs.used == 4
    assert [made.trial(number).is_recorded for number in range(5)] == [False, False, True, False, False]


def test_add_trials_records_many_results_or_none(running, gate):
    made = running()
    with pytest.raises(ValueError, match=r"results\[1\]: "):
        made.add_trials([({"x": 0.125}, -1), ({"x": 0.25}, None)])
    assert made.add_trials(zip([{"x": 0.125}, {"x": 0.25}], [-1, -2], strict=True), tags=["paper"]) == [2, 3]
    gate.open()
    assert made.wait()
    assert (made.best_trial.number, made.best_trial.tags, made.budget.jobs.used) == (3, ("paper",), 4)


def test_engine_name_and_strategy(optimizer):
    assert optimizer().engine_name == "this machine"


def test_status_follows_the_search(optimizer, running):
    assert optimizer().status is SearchStatus.IDLE
    made = running()
    assert made.status is SearchStatus.RUNNING
    made.stop()
    assert made.status is SearchStatus.STOPPED


def test_next_poll_is_none_where_no_server_runs_the_trials(running):
    assert running().next_poll is None


def test_log_so_far_is_empty_before_a_trial_has_printed(running):
    assert running().log_so_far(0).result(DEADLINE) == ""


def test_as_code_names_the_template_and_the_present_ranges(optimizer, template):
    made = optimizer()
    made.set_range("x", (0.25, 0.5))
    scope = {"template_experiment": template}  # how code names a function that lives in another one
    exec(compile(made.as_code(), "<copied>", "exec"), scope)
    copied = scope["optimizer"]
    assert copied.space.ranges == {"x": (0.25, 0.5)}
    assert copied.objectives == made.objectives
    assert copied.total_max_jobs == 3


def test_opening_code_shows_the_search_again_to_go_on_with_it(optimizer, template):
    made = finished(optimizer())
    *before, call = made.opening_code().splitlines()
    scope = {"template_experiment": template}  # how code names a function that lives in another one
    exec("\n".join(before), scope)
    panel = eval(call, scope)
    panel.close()
    assert isinstance(panel.search, HyperParameterOptimizer)
    assert panel.search.id == made.id


def test_optimizer_task_page_is_none_where_trials_are_no_tasks(optimizer):
    assert optimizer().optimizer_task_page is None


def test_optimizer_task_id_is_none_where_trials_are_no_tasks(optimizer):
    assert optimizer().optimizer_task_id is None


def test_max_number_of_concurrent_tasks_is_the_number_of_cores_by_default(optimizer):
    made = optimizer(max_number_of_concurrent_tasks=None)
    assert made.max_number_of_concurrent_tasks == len(os.sched_getaffinity(0))
