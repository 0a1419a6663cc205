"""Rehearse a search here, then dispatch it: the same space and journal, first on this machine, then on a queue."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from clearml import Task

from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.trials import TrialState
from tests.runs import finished

SCRIPT = """
import argparse
import hpo_widgets

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
hpo_widgets.report_scalar("validation", "loss", parser.parse_args().x, iteration=0)
"""


def train(x, trial):
    trial.report_scalar("validation", "loss", x, iteration=0)


@pytest.fixture(params=["callable", "script"])
def experiment(request, tmp_path):
    """The experiment as it is tried out here."""
    if request.param == "callable":
        return train
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def dispatched(base_task, queue):
    """``dispatched(here)`` opens a search over the Task and the queue; it is ended after the test."""
    searches, keywords = [], {"base_task_id": base_task, "execution_queue": queue, "pool_period_min": 0.005}

    def make(here):
        searches.append(HyperParameterOptimizer.open(here.journal_path, **keywords))
        return searches[-1]

    yield make
    for made in searches:
        made.stop()


def rehearsed(search, experiment, parameter, **keywords):
    """A search with two trials that ran here."""
    here = search(
        experiment,
        [parameter],
        objective_metric_title="validation",
        objective_metric_series="loss",
        objective_metric_sign="min",
        max_number_of_concurrent_tasks=1,
        total_max_jobs=2,
        **keywords,
    )
    return finished(here)


def test_the_budget_goes_on_and_trials_on_the_queue_are_tasks(search, experiment, dispatched, worker, base_task):
    here = rehearsed(search, experiment, UniformParameterRange("x", 0, 1), seed=1)
    there = dispatched(here)
    assert there.id == here.id
    assert there.start() is False  # two of two jobs have run, here
    there.set_total_max_jobs(5)
    finished(there)
    assert there.budget.jobs.used == 5
    assert there.counts[TrialState.COMPLETED] == 5
    tasks = [Task.get_task(task_id=there.trial(number).id) for number in range(2, 5)]
    assert [task.id for task in tasks] == worker.taken
    assert all(task.parent == base_task for task in tasks)
    values = [there.trial(number).parameters["x"] for number in range(5)]
    assert [float(task.get_parameters()["General/x"]) for task in tasks] == values[2:]
    # One ranking over both, and points of one sequence.
    assert [trial.value for trial in there.top(5)] == sorted(values)
    whole = rehearsed(search, train, UniformParameterRange("x", 0, 1), seed=1)
    whole.set_total_max_jobs(5)
    finished(whole)
    assert [whole.trial(number).parameters["x"] for number in range(5)] == values


def test_the_strategy_knows_what_was_tried_here(search, experiment, dispatched, worker):
    grid = DiscreteParameterRange("x", [0.125, 0.25, 0.375, 0.5])
    here = rehearsed(search, experiment, grid, optimizer_class=GridSearch)
    there = dispatched(here)
    there.set_total_max_jobs(10)
    finished(there)
    assert there.stop_reason.code == "space_exhausted"
    assert sorted(there.trial(number).parameters["x"] for number in range(4)) == [0.125, 0.25, 0.375, 0.5]
    assert len(worker.taken) == 2


def test_ranges_that_were_steered_here_hold_there(search, experiment, dispatched, worker):
    here = rehearsed(search, experiment, UniformParameterRange("x", 0, 1))
    here.set_range("x", (0.5, 0.75))
    there = dispatched(here)
    assert there.space.ranges["x"] == (0.5, 0.75)
    there.set_total_max_jobs(4)
    finished(there)
    assert all(0.5 <= there.trial(number).parameters["x"] <= 0.75 for number in (2, 3))


def test_a_task_without_the_parameter_is_refused_before_anything_changes(search, dispatched):
    here = finished(
        search(
            lambda width: width,
            [UniformParameterRange("width", 0, 1)],
            objective_metric_title="validation",
            objective_metric_series="loss",
            total_max_jobs=1,
        )
    )
    before = Path(here.journal_path).read_bytes()
    with pytest.raises(ValueError, match="width"):
        dispatched(here)
    assert Path(here.journal_path).read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_limit_of_memory_is_the_rehearsals_alone(search, dispatched):
    here = rehearsed(search, train, UniformParameterRange("x", 0, 1), max_memory_per_job=1.0)
    queued = dispatched(here)
    assert "max_memory_per_job" not in queued.as_code()
    assert "max_memory_per_job=1.0" in here.as_code()
