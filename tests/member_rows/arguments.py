"""Rows of the constructor's arguments, and of a member that is one of them."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace

import pytest

from hpo_widgets import GridSearch, OptimizerOptuna, RandomSearch
from hpo_widgets.objectives import SIGNS
from hpo_widgets.search import limits
from hpo_widgets.trials import TrialState
from tests.member_rows.table import Table
from tests.runs import finished


class RowsOfArguments(Table):
    def test_argument_objective_metric_title_and_the_others_may_be_sequences(self, optimizer):
        made = finished(
            optimizer(
                objective_metric_title=["validation", "accuracy per class"],
                objective_metric_series=["loss", "cat"],
                objective_metric_sign=["min_global", "max"],
            )
        )
        for trial in made.top(3):
            x = trial.parameters["x"]
            assert trial.values == pytest.approx((x - 1, -x))
            assert trial.iterations == (1, 2)

    def test_argument_objective_metric_series_names_the_scalar(self, optimizer):
        made = finished(optimizer(objective_metric_title="accuracy per class", objective_metric_series="cat"))
        assert [t.value for t in made.top(3)] == sorted(-t.parameters["x"] for t in made.top(3))

    @pytest.mark.parametrize("sign", SIGNS)
    def test_argument_objective_metric_sign(self, optimizer, sign):
        made = finished(optimizer(objective_metric_sign=sign))
        step, iteration = {"min": (0, 2), "max": (0, 2), "min_global": (-1, 1), "max_global": (1, 0)}[sign]
        top = made.top(3)
        assert [t.value for t in top] == pytest.approx([t.parameters["x"] + step for t in top])
        assert all(t.iterations == (iteration,) for t in top)
        values = [t.value for t in top]
        assert values == sorted(values, reverse=sign.startswith("max"))

    @pytest.mark.parametrize("strategy", [RandomSearch, GridSearch, OptimizerOptuna])
    def test_argument_optimizer_class(self, optimizer, strategy):
        made = finished(optimizer(optimizer_class=strategy))
        assert isinstance(made.get_optimizer(), strategy)
        assert made.counts[TrialState.COMPLETED] == 3

    def test_argument_max_number_of_concurrent_tasks(self, running, gate):
        made = running()
        assert made.max_number_of_concurrent_tasks == 2
        assert made.get_num_active_experiments() == 2
        gate.open()
        assert made.wait()

    def test_argument_optimization_time_limit_counts_from_the_start(self, optimizer, gate, until, monkeypatch):
        gate.shut()
        made = optimizer(optimization_time_limit=60, total_max_jobs=None)
        assert made.get_time_limit() is None
        before = dt.datetime.now()
        assert made.start()
        assert before <= made.get_time_limit() - dt.timedelta(hours=1) <= dt.datetime.now()
        until(made, lambda: made.counts[TrialState.RUNNING] > 0)
        assert not made.reached_time_limit()
        monkeypatch.setattr(limits, "time", SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + 3600))
        made.set_report_period(60)  # has it look at the clock
        assert made.wait() is True
        assert made.stop_reason.code == "optimization_time_limit"
        assert made.reached_time_limit()
        assert made.counts[TrialState.ABORTED] == len(made.snapshot()) > 0

    def test_argument_compute_time_limit_aborts_every_job(self, optimizer, gate):
        gate.shut()
        made = optimizer(compute_time_limit=0.01, total_max_jobs=None)
        assert made.start()
        assert made.wait() is True
        assert made.stop_reason.code == "compute_time_limit"
        assert made.counts[TrialState.ABORTED] == len(made.snapshot()) > 0
        assert made.start() is False

    def test_argument_save_top_k_tasks_only_keeps_all_by_minus_one(self, optimizer):
        made = finished(optimizer(save_top_k_tasks_only=-1))
        assert not made.snapshot().archived.any()

    def test_argument_optimizer_kwargs_reach_the_controller_and_the_strategy(self, optimizer):
        made = optimizer(total_max_jobs=2, seed=7, time_limit_per_job=120, min_iteration_per_job=1, name="mine")
        assert (made.total_max_jobs, made.get_optimizer().seed, made.name) == (2, 7, "mine")
        with pytest.raises(TypeError, match="total_max_job.*Did you mean 'total_max_jobs'"):
            optimizer(total_max_job=2)

    def test_total_max_jobs_is_never_exceeded(self, optimizer):
        made = finished(optimizer(max_number_of_concurrent_tasks=4, total_max_jobs=3))
        assert made.total_max_jobs == 3
        assert len(made.snapshot()) == 3
