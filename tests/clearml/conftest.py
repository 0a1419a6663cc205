"""What the tests of ClearML run on: an API server, projects and queues of their own, scripts and agents.

The server is the in-memory one, or with ``HPO_WIDGETS_CLEARML=external`` the one that the usual ``CLEARML_*``
variables name. A test takes names of its own, finds only what it made, and removes it afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from tests.clearml.agents import Agent
from tests.clearml.way import Way
from tests.runs import HANGS, wait_for

pytest.register_assert_rewrite("tests.clearml.sdk_worker", "tests.clearml.fake_worker")
from tests.clearml.fake_worker import asked, base_task, looks, optimizer, own, running, task_search, way, worker  # noqa: E402
from tests.clearml.sdk_worker import base, controller, sdk_worker, started, watched  # noqa: E402

__all__ = [  # fixtures
    "asked", "base", "base_task", "controller", "looks", "optimizer", "own", "running", "sdk_worker", "started",
    "task_search", "watched", "way", "worker",
]  # fmt: skip

SDK_SETTINGS = """
development {
    # The reporter's process would cost each trial ten seconds at its end.
    report_use_subprocess: false
    # The thread that looks for a repository and the main thread may each make the lock of a new Task, and hang.
    vcs_repo_detect_async: false
}
"""
AGENT_SETTINGS = """
disable_agent_update_check: true
"""

TEMPLATE = """
import json

from clearml import Task

task = Task.init("{project}", "template", reuse_last_task_id=False, auto_connect_frameworks=False)
values = task.connect({{"x": 0.5, "units": 4, "kind": "plain", "shuffle": True}})
logger = task.get_logger()
for iteration in range(3):
    loss = (values["x"] - 0.25) ** 2 + 1 / (iteration + 1)
    logger.report_scalar("validation", "loss", loss, iteration)
    logger.report_scalar("validation", "units", values["units"], iteration)
"""


@dataclass(frozen=True)
class ClearmlApi:
    """A ClearML API: the variables that lead to it, and the in-memory server unless it is an external one."""

    environment: dict[str, str] = field(repr=False)
    server: ClearmlServer | None

    @property
    def url(self):
        return self.environment["CLEARML_API_HOST"]


@pytest.fixture(scope="session")
def clearml_settings(tmp_path_factory):
    """A folder of settings that the SDK and the agent read beside the user's own."""
    folder = tmp_path_factory.mktemp("clearml-settings")
    (folder / "default").mkdir()
    (folder / "default" / "sdk.conf").write_text(SDK_SETTINGS, encoding="utf-8")
    (folder / "default" / "agent.conf").write_text(AGENT_SETTINGS, encoding="utf-8")
    return folder


def external_environment(variables):
    """The variables that lead to an external API."""
    missing = {"CLEARML_API_HOST", "CLEARML_API_ACCESS_KEY", "CLEARML_API_SECRET_KEY"} - set(variables)
    if missing:
        raise LookupError(f"HPO_WIDGETS_CLEARML=external needs {', '.join(sorted(missing))}")
    return {name: value for name, value in variables.items() if name.startswith("CLEARML_")}


@pytest.fixture(scope="session")
def clearml_api(clearml_settings):
    """The API that all tests share, with the variables that lead to it."""
    settings = {"CLEARML_CONFIG_PATH": str(clearml_settings)}
    if os.environ.get("HPO_WIDGETS_CLEARML") == "external":
        yield ClearmlApi({**external_environment(os.environ), **settings}, None)
        return
    with ClearmlServer() as server:
        yield ClearmlApi({**server.environment(), **settings}, server)


@pytest.fixture(scope="session")
def _sdk(clearml_api):
    """The SDK in this process reads its settings once; what it read before the API was there is read again.

    It does without what most of its computing goes into: with each request it checks the schema that it ships and looks
    for proxies, for each session it reads the source of every function that is running, and for each Task that this
    process runs as it reads the whole checkout for what is imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clearml_api.environment.items():
            patch.setenv(name, value)
        from clearml.backend_api.session import datamodel, session
        from clearml.backend_interface.task.repo import scriptinfo
        from clearml.config import config, config_obj
        from requests import sessions

        config_obj.set_config_impl(None)
        config.clear_config_impl()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datamodel._CustomValidator, "check_schema", lambda *_arguments, **_keywords: None)
        patch.setattr(sessions, "get_environ_proxies", lambda *_arguments, **_keywords: {})
        patch.setattr(session, "get_logger", functools.partial(session.get_logger, "session"))
        patch.setattr(scriptinfo.ScriptRequirements, "get_requirements", lambda *_arguments, **_keywords: ("", ""))
        yield


@pytest.fixture(autouse=True)
def _clearml_environment(clearml_api, _sdk, monkeypatch):
    """Whatever a test starts finds the API, and no other test does."""
    for name, value in clearml_api.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def api_client(_sdk, clearml_api):
    """The SDK's own client of single endpoints."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clearml_api.environment.items():
            patch.setenv(name, value)
        from clearml.backend_api.session.client import APIClient

        return APIClient()


def remove_project(client, name):
    """Remove a project, what is below it and their Tasks."""
    search = {"name": f"^{name}(/.*)?$", "only_fields": ["id", "name"], "search_hidden": True}
    projects = client.projects.get_all(**search)
    ids = [project.id for project in projects]
    # An answer has no more than 500 Tasks.
    while tasks := ids and client.tasks.get_all(project=ids, only_fields=["id"], search_hidden=True):
        client.tasks.delete_many(ids=[task.id for task in tasks], force=True)
    # The children first: a project goes with what is below it.
    for project in sorted(projects, key=lambda project: -len(project.name)):
        client.projects.delete(project=project.id, force=True)


@pytest.fixture(scope="session")
def new_project(api_client):
    """``with new_project() as name`` gives a project of its own; it is removed with all Tasks in it."""

    @contextlib.contextmanager
    def make():
        name = f"hpo-widgets-test-{uuid.uuid4().hex}"
        try:
            yield name
        finally:
            remove_project(api_client, name)

    return make


@pytest.fixture
def project(new_project):
    """The name of a project of the test's own."""
    with new_project() as name:
        yield name


@pytest.fixture(scope="session")
def new_queue(api_client):
    """``with new_queue() as name`` gives a queue of its own."""

    @contextlib.contextmanager
    def make():
        name = f"hpo-widgets-test-{uuid.uuid4().hex}"
        made = api_client.queues.create(name=name)
        try:
            yield name
        finally:
            api_client.queues.delete(queue=made.id, force=True)

    return make


@pytest.fixture
def queue(new_queue):
    """The name of a queue of the test's own."""
    with new_queue() as name:
        yield name


@pytest.fixture
def passing_by(clearml_api):
    """``passing_by()`` gives a way to the API on which every call is noted."""
    with contextlib.ExitStack() as ways:
        yield lambda: ways.enter_context(Way(clearml_api.url))


@dataclass(frozen=True)
class Ended:
    """A script that ended: what it printed, and what its last line of JSON says."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def said(self):
        for line in reversed(self.stdout.splitlines()):  # a thread of the SDK's may print after the script
            with contextlib.suppress(json.JSONDecodeError):
                return json.loads(line)
        raise AssertionError(f"no line of JSON:\n{self.stdout}\n{self.stderr}")


def run_script(source, folder, environment, *arguments, name="script.py"):
    """Run a script as a person does: a file, outside a checkout, with the API in the environment."""
    path = Path(folder) / name
    path.write_text(source, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, name, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def script(clearml_api, tmp_path):
    """``script(source, *arguments)`` runs it in a process of its own and gives what it said."""

    def run(source, *arguments, fails=False, name="script.py", through=None, environment=()):
        environment = {**clearml_api.environment, **(through.environment if through else {}), **dict(environment)}
        ended = run_script(source, tmp_path, environment, *arguments, name=name)
        assert bool(ended.returncode) == fails, ended.stdout + ended.stderr
        return ended

    return run


@pytest.fixture(scope="session")
def template(new_project, clearml_api, tmp_path_factory):
    """The id of a Task that minimises ``validation/loss`` at ``General/x`` = 0.25; made by a run of a script."""
    with new_project() as name:
        source = TEMPLATE.format(project=name) + "\nprint(json.dumps(task.id))\n"
        ended = run_script(source, tmp_path_factory.mktemp("template"), clearml_api.environment, name="train.py")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        yield ended.said


@pytest.fixture(scope="session")
def new_agent(api_client, clearml_api, tmp_path_factory):
    """``with new_agent(queue)`` gives an agent that the server knows; it is ended."""

    @contextlib.contextmanager
    def make(queue, through=None):
        environment = {**clearml_api.environment, **(through.environment if through else {})}
        started = Agent(queue, tmp_path_factory.mktemp("agent"), environment)

        def registered():
            assert started.process.poll() is None, started.log.read_text(errors="replace")
            return started.worker in {worker.id for worker in api_client.workers.get_all(last_seen=600)}

        try:
            wait_for(registered, f"the agent did not register: {started.log}")
            yield started
        finally:
            started.end()

    return make
