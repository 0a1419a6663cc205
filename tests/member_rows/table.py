"""What is common to all rows of the members of `HyperParameterOptimizer` that promise the same on every engine.

A test module runs them with a class that derives from those of `arguments`, `reference` and `beyond`, has rows of its
own for what differs, and these fixtures:

``optimizer(...)``
    gives a search over x in [0, 1] whose trials report x+1, x-1, x as ``validation/loss`` and three times -x as
    ``accuracy per class/cat``; they also take ``units``, ``kind``, ``Args/depth`` and ``Args/free``
``running(...)``
    gives one whose two running trials have reported and wait before the gate
``failing()``
    gives one of two trials, all of which fail
``gate``
    lets them end by ``gate.open()``

The row of a member ``name`` is a test whose name begins with ``test_name``; the row of a constructor's argument
begins with ``test_argument_name``.
"""

from __future__ import annotations

import inspect
import sys

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.journal import Journal

REFERENCE_MEMBERS = (
    "elapsed",
    "get_active_experiments",
    "get_num_active_experiments",
    "get_optimizer",
    "get_optimizer_top_experiments",
    "get_time_limit",
    "get_top_experiments",
    "get_top_experiments_details",
    "is_active",
    "is_running",
    "reached_time_limit",
    "set_default_job_class",
    "set_report_period",
    "set_time_limit",
    "start",
    "start_locally",
    "stop",
    "wait",
)
"""The methods of the reference page of ClearML's controller."""

REFERENCE_ARGUMENTS = (
    "base_task_id",
    "hyper_parameters",
    "objective_metric_title",
    "objective_metric_series",
    "objective_metric_sign",
    "optimizer_class",
    "max_number_of_concurrent_tasks",
    "execution_queue",
    "optimization_time_limit",
    "compute_time_limit",
    "auto_connect_task",
    "always_create_task",
    "spawn_project",
    "save_top_k_tasks_only",
    "optimizer_kwargs",
)
"""The arguments of its constructor on that page."""


def header_of(made):
    with Journal.view(made.journal_path) as reader:
        return reader.header


class Table:
    def stop(self, made):
        """Stop a search and come back when its trials have ended."""
        made.stop()

    def without_row(self, names):
        """Those of the names for which neither this class nor the module around it has a row."""
        tests = {*dir(self), *dir(sys.modules[type(self).__module__])}
        return [name for name in sorted(names) if not any(f"{test}_".startswith(f"test_{name}_") for test in tests)]

    def test_every_member_has_a_row(self):
        own = {name for name in dir(HyperParameterOptimizer) if not name.startswith("_")}
        assert set(REFERENCE_MEMBERS) <= own
        assert self.without_row(own) == []

    def test_every_argument_has_a_row_and_the_order_of_the_reference(self):
        given = tuple(inspect.signature(HyperParameterOptimizer).parameters)
        assert given == REFERENCE_ARGUMENTS
        assert self.without_row(f"argument_{name}" for name in given) == []
