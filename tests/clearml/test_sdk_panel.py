"""The panel of a live controller of the SDK: what it cannot do is disabled with the reason, the rest steers."""

from __future__ import annotations

import threading

import pytest
from clearml.automation import LogUniformParameterRange, UniformIntegerParameterRange
from clearml.automation.optuna import OptimizerOptuna

from hpo_widgets import OptimizerWidget
from hpo_widgets.clearml_sdk.live import adapt
from tests.clearml.sdk_worker import states

FIXED = "ClearML's Optuna strategy fixes its ranges when it starts"


@pytest.fixture
def panel():
    """``panel(optimizer)`` shows a controller until the test ends."""
    made = []

    def make(optimizer):
        made.append(OptimizerWidget(optimizer))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


def test_a_controller_that_runs_and_one_that_does_not_are_shown(panel, controller, sdk_worker, until):
    idle, running = controller(), controller()
    running.start()
    sdk_worker.take()
    shown = panel(running)
    until(shown.search, lambda: states(shown.search).get("running"))
    shown._refresher.refresh()
    assert (shown.status, shown.num_active > 0) == ("running", True)
    # Active by the SDK's word, but nothing runs.
    assert idle.is_active()
    assert panel(idle).status == "idle"


def test_traits_of_the_panel_steer_the_controller(panel, controller, sdk_worker):
    optimizer = controller(max_number_of_concurrent_tasks=1)
    shown = panel(optimizer)
    shown.ranges = {"General/x": (0.25, 0.5)}
    shown.max_number_of_concurrent_tasks = 2
    shown.total_max_jobs = 5
    shown.search.command("start")
    assert all(0.25 <= float(sdk_worker.point(sdk_worker.take())["x"]) <= 0.5 for _ in range(2))
    assert optimizer.get_optimizer().total_max_jobs == 5


def test_what_it_cannot_do_is_disabled_with_the_reason(panel, controller, sdk_worker):
    optimizer = controller(optimizer_class=OptimizerOptuna, max_iteration_per_job=10)
    optimizer.start()
    sdk_worker.take()
    shown = panel(optimizer)
    shown._refresher.refresh()
    assert shown._space_panel.commands["set_ranges"] == FIXED
    assert set(shown._status_panel.commands.values()) >= {
        "ClearML's Optuna strategy fixes the number of its workers when it starts",
        "ClearML's Optuna strategy fixes the number of its jobs when it starts",
    }
    # What is assigned all the same is refused in words, and the trait goes back.
    shown.ranges = {"General/x": (0.25, 0.5)}
    shown._refresher.refresh()
    assert any(FIXED in notice.sentence for notice in shown.search.errors)
    assert shown.ranges["General/x"] == (0, 1)


def test_a_press_of_stop_returns_at_once_while_the_sdks_stop_blocks(panel, controller, sdk_worker, monkeypatch):
    optimizer = controller()
    shown = panel(optimizer)
    shown.search.command("start")
    sdk_worker.take()
    callers, may_end = [], threading.Event()
    real = optimizer.stop

    def blocking(**keywords):
        callers.append(threading.current_thread())
        may_end.wait()
        real(**keywords)

    with monkeypatch.context() as patch:
        patch.setattr(optimizer, "stop", blocking)
        try:
            shown._controls._on_command({"name": "stop"})
            assert shown.search.status in ("stopping", "stopped")
        finally:
            may_end.set()
            shown.search.stopping.join()
    assert callers
    assert threading.main_thread() not in callers


@pytest.mark.parametrize("keywords", [{}, {"optimizer_class": OptimizerOptuna, "max_iteration_per_job": None}])
def test_its_code_gives_the_same_controller(controller, keywords):
    parameters = [LogUniformParameterRange("General/lr", -4, -1), UniformIntegerParameterRange("General/units", 1, 8)]
    search = adapt(controller(parameters, optimization_time_limit=30, **keywords))
    search.command("set_ranges", {"General/lr": (1e-3, 1e-2), "General/units": (2, 4)})
    search.command("set_total_max_jobs", 7)
    code = search.as_code().replace("HyperParameterOptimizer(", "HyperParameterOptimizer(auto_connect_task=False,", 1)
    names = {}
    exec(code, names)
    again = adapt(names["optimizer"])
    assert dict(again.space.ranges) == {"General/lr": (0.001, 0.01), "General/units": (2, 4)}
    assert again.objectives == search.objectives
    assert (again.total_max_jobs, again.budget.wall_minutes.limit) == (7, 30)
    assert again.strategy_name == search.strategy_name
    assert again.engine_name == search.engine_name
