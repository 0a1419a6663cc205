"""A server for each test, and a plain client of it."""

from __future__ import annotations

import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from tests.testing.clearml_server.replay import JSON_LINES, Client


class Api:
    """Calls of the API in a test's words: what is answered, or which error."""

    def __init__(self, server):
        self.server = server
        self.client = Client(server)

    def __call__(self, endpoint, **data):
        """The data of a good answer."""
        answer = self.client.call(f"/{endpoint}", data)
        assert answer.status == 200, answer.body
        return answer.body["data"]

    def error(self, endpoint, **data):
        """The status, subcode and message of an answer that is an error."""
        answer = self.client.call(f"/{endpoint}", data)
        meta = answer.body["meta"]
        assert answer.status == meta["result_code"] != 200
        assert answer.body["data"] == {}
        return meta["result_code"], meta["result_subcode"], meta["result_msg"]

    def task(self, name="a task", **data):
        """The id of a new Task."""
        return self("tasks.create", name=name, type=data.pop("type", "training"), **data)["id"]

    def read(self, task):
        """A Task as it stands."""
        return self("tasks.get_by_id", task=task)["task"]

    def ids(self, **data):
        """The ids of the Tasks that a request finds."""
        return [task["id"] for task in self("tasks.get_all", **{"only_fields": ["id"], **data})["tasks"]]

    def report(self, task, *scalars, metric="loss", variant="val"):
        """Report one batch of scalars: pairs of iteration and value."""
        return self.batch(
            *(
                {
                    "type": "training_stats_scalar",
                    "task": task,
                    "metric": metric,
                    "variant": variant,
                    "iter": iteration,
                    "value": value,
                }
                for iteration, value in scalars
            ),
        )

    def batch(self, *events):
        """Send one batch of events."""
        answer = self.client.call("/events.add_batch", list(events), content_type=JSON_LINES)
        assert answer.status == 200, answer.body
        return answer.body["data"]


@pytest.fixture
def server():
    with ClearmlServer() as running:
        yield running


@pytest.fixture
def api(server):
    calls = Api(server)
    yield calls
    calls.client.close()
