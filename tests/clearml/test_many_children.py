"""A search of more Tasks than one answer holds: all are followed, and by few requests."""

from __future__ import annotations

import copy
import json
import math

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.engines.clearml import reporting
from hpo_widgets.trials import TrialState
from tests.runs import finished

NUMBER = 519
NUM_PAGES = 2
"""A server answers with 500 Tasks at most."""


@pytest.fixture
def many(task_search, worker, own, api_client):
    """An optimizer Task of that many trials: the first completed, the others waiting in a queue nobody serves."""
    made = finished(task_search(auto_connect_task=own, total_max_jobs=1))
    first = made.trial(0).id
    [found] = worker.call("tasks.get_all", id=[first], only_fields=["hyperparams"])["tasks"]
    children = []
    for number in range(1, NUMBER):
        hyperparams = copy.deepcopy(found["hyperparams"])
        x = number / NUMBER
        hyperparams["General"]["x"]["value"] = str(x)
        hyperparams["hpo_widgets"]["trial"]["value"] = str(number)
        hyperparams["hpo_widgets"]["draw"]["value"] = str(number)
        hyperparams["hpo_widgets"]["point"]["value"] = json.dumps([x])
        clone = {"new_task_name": f"train: x={x}", "new_task_parent": own.id, "new_task_hyperparams": hyperparams}
        children.append(worker.call("tasks.clone", task=first, **clone)["id"])
    idle = api_client.queues.create(name=f"{worker.name}-idle").id
    worker.call("tasks.enqueue_many", ids=children, queue=idle)
    report(worker, {child: (number + 1) / NUMBER for number, child in enumerate(children)})
    yield own.id
    api_client.queues.delete(queue=idle, force=True)


def report(worker, values):
    """Report the objective of many Tasks; a server takes events of 500 Tasks by one request."""
    event = {"type": "training_stats_scalar", "metric": "validation", "variant": "loss", "iter": 0}
    lines = [json.dumps({**event, "task": task, "value": value}) for task, value in values.items()]
    headers = {"Content-Type": "application/json-lines"}
    for start in range(0, len(lines), 500):
        batch = "\n".join(lines[start : start + 500])
        answer = worker.session.send_request("events", "add_batch", data=batch, headers=headers)
        assert answer.json()["data"]["errors"] == 0


@pytest.mark.slow
def test_children_beyond_one_answer_are_taken_over_looked_at_stopped_and_ranked(
    asked, looks, many, worker, until, tmp_path, monkeypatch
):
    # Signs of life only at the start and at the end, however long it runs.
    for name in ("KEEP_SECONDS", "_FIRST_SECONDS"):
        monkeypatch.setattr(reporting, name, math.inf)
    asked.start_over()
    again = HyperParameterOptimizer.open(many, journal=tmp_path / "elsewhere")
    assert again.counts == {
        **dict.fromkeys(TrialState, 0),
        TrialState.COMPLETED: 1,
        TrialState.QUEUED: NUMBER - 1,
    }
    # What the optimizer Task keeps, the template, the children by pages of 500.
    assert asked.counts()["tasks.get_all"] <= 7

    asked.start_over()
    assert again.start()
    until(again, lambda: looks and len(again.top(NUMBER)) == NUMBER)
    again.stop()
    assert again.wait(timeout=1.0)
    assert again.counts[TrialState.ABORTED] == NUMBER - 1
    assert max(looks) == NUMBER - 1
    counts = asked.counts()
    # Who runs the search, asked as it starts and before each sign of life, and the looks.
    assert counts["tasks.get_all"] <= 3 + NUM_PAGES * len(looks)
    assert counts["tasks.stop_many"] == NUM_PAGES
    assert counts["tasks.get_by_id"] == counts["events.scalar_metrics_iter_histogram"] == 0

    asked.start_over()
    top = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", many, 3)
    assert [task.id for task in top] == [trial.id for trial in again.top(3)]
    assert asked.counts()["tasks.get_all"] <= 3
