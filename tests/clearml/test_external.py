"""The tests run on whatever API the usual variables name, beside what is there already, and leave it as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from tests.clearml.conftest import external_environment
from tests.runs import HANGS
from tests.testing.clearml_server.conftest import Api

ROOT = Path(__file__).resolve().parents[2]
# Two of them: all take their server from the same place.
TESTS = (
    "tests/clearml/test_launch.py::test_a_trial_is_launched_by_two_requests",
    "tests/clearml/test_launch.py::test_two_searches_over_one_template_keep_their_trials_apart",
)


@pytest.fixture
def api():
    """A server on which somebody else works, with names that the tests use too."""
    with ClearmlServer() as server:
        calls = Api(server)
        project = calls("projects.create", name="somebody else's", description="")["id"]
        queue = calls("queues.create", name="default")["id"]
        for name in ("template", "train", "queued", "stopped"):
            for ways in ((), ("enqueue",), ("started",), ("started", "completed"), ("started", "completed", "publish")):
                task = calls.task(name, project=project)
                for operation in ways:
                    calls(f"tasks.{operation}", task=task, **({"queue": queue} if operation == "enqueue" else {}))
        yield calls
        calls.client.close()


def everything(api):
    """All that is on the server."""
    projects = api("projects.get_all", search_hidden=True)["projects"]
    queues = api("queues.get_all", search_hidden=True)["queues"]
    workers = api("workers.get_all", last_seen=0)["workers"]
    tasks = [api.read(task) for task in api.ids(search_hidden=True)]
    return {"projects": projects, "queues": queues, "workers": workers, "tasks": tasks}


@pytest.mark.slow
def test_the_tests_need_no_empty_server_and_clean_up(api):
    before = everything(api)
    mark = len(api.server.log)

    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLEARML_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={**environment, **api.server.environment(), "HPO_WIDGETS_CLEARML": "external"},
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert api.server.log.count("tasks.clone", since=mark) > 0
    assert api.server.log.count("projects.delete", since=mark) > 0
    assert everything(api) == before


def test_without_the_variables_it_is_said_which_are_needed():
    with pytest.raises(LookupError, match="external needs CLEARML_API_ACCESS_KEY, CLEARML_API_SECRET_KEY$"):
        external_environment({"CLEARML_API_HOST": "http://127.0.0.1:1"})
