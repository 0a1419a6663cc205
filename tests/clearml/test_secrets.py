"""API keys go to the server and nowhere else: not to the page, the journal, the logs, the reprs, the tracebacks."""

from __future__ import annotations

import base64
import gc
import json

import comm
import pytest
from clearml.backend_api import Session

from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.saved_page import save_html, widget_states
from tests.clearml.fake_worker import print_lines
from tests.runs import finished, wait_for
from tests.widget.conftest import RecordingComm

OF_A_WORKER = "planted-7f3a9c51"
ACCESS_KEY = "PLANTEDACCESS5D81"
SECRET_KEY = "planted-secret-e64b0d27"


@pytest.fixture
def comms(monkeypatch):
    """The comms of all widgets, which keep what they send to a page."""
    opened = []

    def create(*given, **named):
        opened.append(RecordingComm(*given, **named))
        return opened[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    return opened


def forms_of(environment):
    """What must be found nowhere: the keys, and all that is made of them."""
    keys = environment["CLEARML_API_ACCESS_KEY"], environment["CLEARML_API_SECRET_KEY"]
    tokens = {found.token for found in gc.get_objects() if isinstance(found, Session) and found.token}
    assert tokens
    return {*keys, base64.b64encode(":".join(keys).encode()).decode(), *tokens, OF_A_WORKER}


def test_keys_are_nowhere_in_what_a_search_shows_keeps_and_logs(
    way, task_search, worker, comms, api_client, project, clearml_api, tmp_path, caplog, capfd, monkeypatch
):
    # Where a proxy asks for them, people write them before the host.
    keys = [clearml_api.environment[f"CLEARML_API_{name}_KEY"] for name in ("ACCESS", "SECRET")]
    monkeypatch.setenv("CLEARML_API_HOST", way.url.replace("://", "://{}:{}@".format(*keys)))
    monkeypatch.setenv("CLEARML_WEB_HOST", "https://{}:{}@web.example".format(*keys))
    caplog.set_level("DEBUG")
    worker.end = lambda worker, task: worker.call(
        f"tasks.{'failed' if task == worker.taken[0] else 'completed'}", task=task
    )
    settings = [
        f"Using environment access key CLEARML_API_ACCESS_KEY={keys[0]}",
        f"api.credentials.access_key = {keys[0]}\nsdk.aws.s3.key = {OF_A_WORKER}",
        f"sdk.aws.s3.credentials.0.key = {OF_A_WORKER}\nlearning",
    ]
    worker.work = lambda worker, task, x: (worker.report(task, x), print_lines(worker.session, task, *settings))
    search = task_search(worker_env={0: {"TOKEN": OF_A_WORKER}})
    widget = OptimizerWidget(search)
    way.plan("tasks.clone", "lost")
    way.plan("tasks.get_all", (401, 30, "Invalid token"), times=4)
    finished(search)
    widget.selected = (0, 1)
    wait_for(lambda: "s3.key = ****" in json.dumps(widget_states(), default=str), "no console is shown", pause=0.02)
    save_html(widget, tmp_path / "page.html")
    projects = api_client.projects.get_all(name=f"^{project}$", only_fields=["id"])
    tasks = api_client.tasks.get_all(project=[found.id for found in projects])
    alive = [found for found in gc.get_objects() if str(type(found).__module__).startswith("hpo_widgets")]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    places = {
        "widget states": json.dumps(widget_states(), default=str),
        "messages to the page": repr([one.sent for one in comms]),
        "saved page": (tmp_path / "page.html").read_text(encoding="utf-8"),
        "journal": "".join(path.read_bytes().decode("latin-1") for path in files if path.name != "page.html"),
        "logs": caplog.text,
        "output": "".join(capfd.readouterr()),
        "reprs": " ".join(map(repr, alive)),
        "code": search.as_code(),
        "errors": " ".join(map(str, search.errors)),
        "Tasks": json.dumps([task.to_dict() for task in tasks], default=str),
    }
    widget.close()

    assert search.id in places["reprs"]
    assert search.trial(0).id in places["Tasks"]
    pages = [f"https://web.example/projects/*/experiments/{search.trial(n).id}/output/log" for n in (0, 1)]
    assert [search.trial(n).get_page() for n in (0, 1)] == pages
    assert any(page in places["messages to the page"] for page in pages)
    for place in ("widget states", "messages to the page", "saved page", "journal", "logs", "errors"):
        assert f"the ClearML server at {way.url} does not answer" in places[place], place
    secrets = forms_of(clearml_api.environment)
    assert [place for place, text in places.items() if any(secret in text for secret in secrets)] == []


FAILING = """
import traceback

from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

try:
    HyperParameterOptimizer({base_task!r}, [UniformParameterRange("x", 0, 1)])
except Exception as error:
    traceback.print_exc()
    # With the locals of each frame, as pytest and IPython can show them; some objects are only half made.
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for name, value in list(frame.f_locals.items()):
            try:
                print(name, "=", repr(value))
            except AttributeError:
                print(name, "=", object.__repr__(value))
"""


@pytest.mark.parametrize(
    "where",
    [
        "in the environment",
        pytest.param("in clearml.conf", marks=pytest.mark.slow),
        pytest.param("in the address", marks=pytest.mark.slow),
    ],
)
def test_keys_that_are_refused_are_not_in_the_traceback(where, script, base_task, clearml_api, tmp_path):
    if where == "in the environment":
        keys = {"CLEARML_API_ACCESS_KEY": ACCESS_KEY, "CLEARML_API_SECRET_KEY": SECRET_KEY}
    elif where == "in the address":
        keys = {"CLEARML_API_HOST": clearml_api.url.replace("://", f"://{ACCESS_KEY}:{SECRET_KEY}@")}
        keys |= {"CLEARML_API_ACCESS_KEY": ACCESS_KEY, "CLEARML_API_SECRET_KEY": SECRET_KEY}
    else:
        configuration = tmp_path / "clearml.conf"
        configuration.write_text(
            f'api.credentials {{ access_key: "{ACCESS_KEY}", secret_key: "{SECRET_KEY}" }}', encoding="utf-8"
        )
        keys = {"CLEARML_CONFIG_FILE": str(configuration), "CLEARML_API_ACCESS_KEY": "", "CLEARML_API_SECRET_KEY": ""}

    ended = script(FAILING.format(base_task=base_task), environment=keys)

    assert "did not accept the credentials" in ended.stderr
    assert "self = <hpo_widgets.engines.clearml.server.Server" in ended.stdout
    for secret in (ACCESS_KEY, SECRET_KEY, base64.b64encode(f"{ACCESS_KEY}:{SECRET_KEY}".encode()).decode()):
        assert secret not in ended.stdout + ended.stderr
