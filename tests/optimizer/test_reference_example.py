"""The example of ClearML's reference page, with a callable as ``base_task_id`` and nothing else changed."""

from __future__ import annotations

import sys
import textwrap
import time
import types

import pytest

EXAMPLE = """
    from clearml import Task
    from {parameters} import UniformParameterRange, DiscreteParameterRange
    from {strategies} import GridSearch, RandomSearch
    from hpo_widgets import HyperParameterOptimizer

    task = Task.init('examples', 'HyperParameterOptimizer example')
    an_optimizer = HyperParameterOptimizer(
        base_task_id=train,
        hyper_parameters=[
            UniformParameterRange('lr', min_value=0.01, max_value=0.3, step_size=0.05),
            DiscreteParameterRange('network', values=['ResNet18', 'ResNet50', 'ResNet101']),
            ],
        objective_metric_title='title',
        objective_metric_series='series',
        objective_metric_sign='min',
        max_number_of_concurrent_tasks=5,
        optimizer_class=RandomSearch,
        execution_queue='workers', time_limit_per_job=120, pool_period_min=0.2)

    # This will automatically create and print the optimizer new task id
    # for later use. if a Task was already created, it will use it.
    an_optimizer.set_time_limit(in_minutes=10.)
    an_optimizer.start()
    # we can create a pooling loop if we like
    while not an_optimizer.reached_time_limit():
        top_exp = an_optimizer.get_top_experiments(top_k=3)
        print(top_exp)
    # wait until optimization completed or timed-out
    an_optimizer.wait()
    # make sure we stop all jobs
    an_optimizer.stop()
"""


def train(lr, network, trial):
    trial.report_scalar("title", "series", lr * len(network), 0)


class FastClock:
    """`time` whose clocks go on by an hour once ``is_late()`` is true."""

    is_late = staticmethod(lambda: False)

    @staticmethod
    def monotonic():
        return time.monotonic() + 3600 * FastClock.is_late()

    @staticmethod
    def time():
        return time.time() + 3600 * FastClock.is_late()


@pytest.mark.parametrize("package", ["hpo_widgets", "clearml.automation"])
def test_the_example_runs_to_its_end(package, monkeypatch):
    if package == "hpo_widgets":
        stub = types.ModuleType("clearml")
        stub.Task = types.SimpleNamespace(init=lambda *_: None)
        monkeypatch.setitem(sys.modules, "clearml", stub)
    else:
        import clearml

        monkeypatch.setattr(clearml.Task, "init", lambda *_: None)
    monkeypatch.setattr("hpo_widgets.search.limits.time", FastClock)
    names = {"train": train}
    printed = []
    names["print"] = printed.append
    monkeypatch.setattr(FastClock, "is_late", lambda: bool(printed and len(printed[-1]) == 3))
    exec(textwrap.dedent(EXAMPLE.format(parameters=package, strategies=package)), names)
    optimizer = names["an_optimizer"]
    assert not optimizer.is_running()
    assert optimizer.reached_time_limit()
    assert optimizer.stop_reason.code in {"optimization_time_limit", "space_exhausted"}
    assert len(printed[-1]) == 3
    assert optimizer.get_top_experiments(3)[0].value <= printed[-1][0].value
