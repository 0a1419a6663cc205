"""A server that is away, slow, refuses or answers with errors: what a person is told, and that nothing is lost."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import sys
import threading
import time

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.controller import trial_lifecycle
from hpo_widgets.engines.clearml import launch_thread, server, session
from hpo_widgets.engines.clearml.server import NoCredentialsError, RefusedError, Server, UnreachableError
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.status import StatusPanel
from tests.clearml.conftest import run_script
from tests.faults import table
from tests.runs import finished, wait_for


def sentences(made):
    return [notice.sentence for notice in made.errors]


# Before anything runs --------------------------------------------------------------------------------------------


def test_a_server_that_is_away_at_the_beginning_is_told_at_construction(way, task_search):
    way.down()
    with pytest.raises(
        UnreachableError, match=rf"at {way.url} does not answer .* check that it runs and that CLEARML_API_HOST"
    ):
        task_search()


def test_a_server_that_goes_away_before_the_start_is_told_by_the_start(way, task_search):
    made = task_search()
    way.down()
    with pytest.raises(UnreachableError, match=f"the ClearML server at {way.url} does not answer"):
        made.start()
    assert made.status is SearchStatus.IDLE
    assert len(made.snapshot()) == 0
    way.up()
    finished(made)


def test_keys_that_are_not_accepted_are_told_at_construction(way, task_search, monkeypatch):
    monkeypatch.setenv("CLEARML_API_SECRET_KEY", "wrong-" + os.environ["CLEARML_API_SECRET_KEY"])
    with pytest.raises(RefusedError, match="did not accept the credentials .* check the access key") as raised:
        task_search()
    assert os.environ["CLEARML_API_SECRET_KEY"] not in str(raised.value)


def test_other_keys_for_the_same_server_are_signed_in_with(way, task_search, monkeypatch):
    task_search()
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "other")
    with pytest.raises(RefusedError, match="did not accept the credentials"):
        task_search()


WITHOUT_KEYS = """
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

try:
    HyperParameterOptimizer("0" * 32, [UniformParameterRange("x", 0, 1)], "validation", "loss", "min")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_that_there_are_no_keys_is_told_with_what_to_do(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith(("CLEARML_", "TRAINS_")):
            monkeypatch.delenv(name)
    said = run_script(WITHOUT_KEYS, tmp_path, {"HOME": str(tmp_path)}).stdout
    assert said.startswith(f"{NoCredentialsError.__name__} there are no ClearML credentials on this machine: run")
    assert "`clearml-init`, or set CLEARML_API_HOST, CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY" in said


def test_an_unknown_task_is_told_at_construction(task_search, clearml_api):
    with pytest.raises(ValueError, match=f"there is no Task {'0' * 32} on the ClearML server {clearml_api.url}"):
        task_search(base="0" * 32)


def test_a_project_that_cannot_be_made_fails_the_launch_with_the_servers_words(task_search, worker):
    made = finished(task_search(spawn_project="ab"))
    assert made.stop_reason.code == "launch_failed"
    assert "the project 'ab' cannot be made: Validation error" in made.stop_reason.sentence
    assert worker.taken == []


# In mid-search ---------------------------------------------------------------------------------------------------


def test_a_stop_while_the_server_is_away_returns_and_is_sent_when_it_is_back(way, running, worker, until):
    made = running()
    way.down()
    until(made, lambda: made.errors)
    made.stop()
    assert made.status is SearchStatus.STOPPING
    assert [worker.status(task) for task in worker.taken] == ["in_progress"] * 2
    way.up()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 2
    assert [worker.status(task) for task in worker.taken] == ["stopped"] * 2


def test_a_stop_does_not_wait_for_a_server_that_hangs(way, running, worker):
    made = running()
    way.gate.clear()
    made.stop()  # it would never return: the server answers only afterwards
    assert made.status is SearchStatus.STOPPING
    way.gate.set()
    assert made.wait(timeout=1.0)
    assert [worker.status(task) for task in worker.taken] == ["stopped"] * 2


@pytest.fixture
def settle(way, worker, api_client, base_task):
    """``settle(line, made)`` counts what became of a search whose trials were all to complete, each once.

    Left over are Tasks that wait or run.
    """

    def count(line, made):
        wait_for(lambda: way.num_under_way == 0, "a request is still on its way")
        budget = made.total_max_jobs
        tasks = [made.trial(number).id for number in range(len(made.snapshot()))]
        children = api_client.tasks.get_all(parent=base_task, only_fields=["id", "status"], search_hidden=True)
        left = [child.id for child in children if str(child.status.value) in {"queued", "in_progress"}]
        line.lost += budget - made.counts[TrialState.COMPLETED]
        line.doubled += len(worker.taken) - len(set(tasks))
        line.left_over += len(left)
        assert made.counts[TrialState.COMPLETED] == len(tasks) == budget, made.counts
        assert sorted(worker.taken) == sorted(tasks)
        assert left == []

    return count


def shown(made):
    """The texts of the notices in the panel, the newest first."""
    return [notice["text"] for notice in StatusPanel(made).notices]


@pytest.mark.parametrize("endpoint", ["tasks.clone", "tasks.enqueue", "tasks.get_all"])
def test_a_request_that_takes_effect_when_nobody_waits_for_it_any_more_runs_no_trial_twice(
    way, running, worker, until, settle, api_client, base_task, monkeypatch, endpoint
):
    line = table.line("request to ClearML that takes effect after its answer was given up")
    made = running()
    monkeypatch.setattr(session, "_TIMEOUT", (5.0, 0.3))
    late = threading.Event()
    way.plan(endpoint, late)
    line.tried += 1
    worker.gate.set()
    until(made, lambda: made.errors)
    away = sentences(made)[0]
    assert away.startswith(f"the ClearML server at {way.url} does not answer (Read timed out.")
    assert "nothing is known of the running trials and none is launched. Trying again in" in away
    assert away in shown(made)
    assert made.wait(timeout=1.0)
    assert shown(made)[0].startswith("the ClearML server answers again after")
    late.set()
    settle(line, made)
    # The Task of a clone that came too late is a draft, which no agent takes, and no trial's.
    children = api_client.tasks.get_all(parent=base_task, only_fields=["status"], search_hidden=True)
    drafts = [child for child in children if str(child.status.value) == "created"]
    assert len(drafts) == (endpoint == "tasks.clone")


@pytest.mark.parametrize("status", ["queued", "completed", "failed"])
def test_answers_that_name_a_task_twice_change_nothing_until_the_server_agrees_with_itself(
    way, running, worker, until, settle, status
):
    line = table.line("answer of ClearML that names each Task in two states")

    def twice(answer):
        line.tried += 1
        return {"tasks": [*answer["tasks"], *({**task, "status": status} for task in answer["tasks"])]}

    made = running()
    way.plan("tasks.get_all", twice, times=5)
    until(made, lambda: len(made.errors) == 2)
    for number in range(2):
        [told] = [text for text in shown(made) if f"Task {made.trial(number).id} " in text]
        assert f"cannot be read (ValueError: one answer names it twice, as running and as {status})" in told
    assert made.counts[TrialState.RUNNING] == made.get_num_active_experiments() == 2
    worker.gate.set()
    assert made.wait(timeout=1.0)
    settle(line, made)


@pytest.fixture
def let_pass(monkeypatch):
    """``let_pass(seconds)`` moves the clocks that the package reads, as if so much time had passed."""
    passed = 0.0

    def moved(read):
        return lambda: read() + passed * sys._getframe(1).f_globals["__name__"].startswith("hpo_widgets")

    def act(seconds):
        nonlocal passed
        passed += seconds

    for name in ("time", "monotonic"):
        monkeypatch.setattr(time, name, moved(getattr(time, name)))
    return act


@pytest.mark.parametrize("limits", [{}, {"time_limit_per_job": 2.0}], ids=["no limit", "a limit of two minutes"])
def test_a_server_that_does_not_answer_for_six_minutes_is_waited_for_and_nothing_is_lost(
    way, running, worker, until, settle, let_pass, monkeypatch, limits
):
    line = table.line("ClearML away for six minutes, in mid-search")
    tries = []
    failed = server.Availability.failed

    def noted(self, error):
        tries.append(threading.current_thread().name)
        return failed(self, error)

    monkeypatch.setattr(server.Availability, "failed", noted)
    for module in (server, launch_thread):
        monkeypatch.setattr(module, "LONGEST_WAIT", 0.1)
    made = running(total_max_jobs=5, **limits)
    way.down()
    line.tried += 1
    made.set_max_number_of_concurrent_tasks(3)
    threads = {"hpo_widgets poller", "hpo_widgets launcher"}
    wait_for(lambda: threads <= set(tries), "nobody has tried")
    # The trials that run go on, and nobody sees them end.
    worker.gate.set()
    wait_for(lambda: [worker.status(task) for task in worker.taken] == ["completed"] * 2, "they did not end")
    let_pass(360)
    tries.clear()
    wait_for(lambda: threads <= set(tries), "nobody tries any more")
    assert made.status is SearchStatus.RUNNING
    assert (made.counts[TrialState.RUNNING], made.counts[TrialState.FAILED]) == (2, 0)
    assert made.next_poll is not None
    [away] = shown(made)
    assert away.startswith(f"the ClearML server at {way.url} does not answer (")
    assert "nothing is lost" in away
    way.up()
    assert made.wait(timeout=1.0)
    assert int(re.match(r"the ClearML server answers again after (\d+) s", shown(made)[0])[1]) >= 360
    settle(line, made)


def go_away(way):
    way.down()


def hang(way):
    way.gate.clear()


def refuse(way):
    for endpoint in ("tasks.stop_many", "tasks.stopped"):
        way.plan(endpoint, (403, 0, "Forbidden"), times=1000)


def come_back(way):
    way.heal()
    way.gate.set()
    if not way.is_up:
        way.up()


@pytest.fixture
def left_behind(way, running, monkeypatch):
    """``left_behind(trouble)`` gives a search that was stopped, and ended though its two trials still run."""
    monkeypatch.setattr(trial_lifecycle, "AGREEMENT_SECONDS", 0.2)

    def make(trouble):
        made = running()
        trouble(way)
        made.stop()
        assert made.wait(timeout=1.0)
        return made

    yield make
    come_back(way)


@pytest.mark.parametrize(
    ("trouble", "is_taken_later"),
    [
        (go_away, False),
        pytest.param(hang, True, marks=pytest.mark.slow),
        pytest.param(refuse, False, marks=pytest.mark.slow),
    ],
)
def test_a_stop_comes_to_an_end_without_the_server_and_says_what_may_still_run(
    left_behind, way, worker, trouble, is_taken_later
):
    made = left_behind(trouble)
    assert (made.status, made.stop_reason.code) == (SearchStatus.STOPPED, "stopped")
    assert made.stop_reason.sentence.startswith("stopped by hand; the server did not say in ")
    for sentence in (made.stop_reason.sentence, sentences(made)[-1]):
        assert all(f"#{number} ({made.trial(number).id})" in sentence for number in range(2))
    assert made.counts[TrialState.RUNNING] == 2
    assert made.get_num_active_experiments() == 0
    # The same process takes them up again, when it is asked to.
    come_back(way)
    if is_taken_later:
        wait_for(
            lambda: [worker.status(task) for task in worker.taken] == ["stopped"] * 2,
            "the stop did not arrive",
        )
    assert made.start()
    worker.gate.set()
    assert made.wait(timeout=1.0)
    num_stopped = 2 * is_taken_later
    expected = {TrialState.ABORTED: num_stopped, TrialState.COMPLETED: 4 - num_stopped}
    assert made.counts == {**dict.fromkeys(TrialState, 0), **expected}
    assert len(worker.taken) == 4


def test_what_a_stop_left_behind_is_opened_as_the_server_has_it(left_behind, way, worker, base_task):
    made = left_behind(go_away)
    first, second = worker.taken
    worker.call("tasks.stopped", task=first, force=True, status_reason="by somebody")
    come_back(way)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=base_task)
    states = {again.trial(number).id: again.trial(number).state for number in range(2)}
    assert states == {first: TrialState.ABORTED, second: TrialState.RUNNING}
    assert again.stop_reason == made.stop_reason
    assert again.start()
    worker.gate.set()
    assert again.wait(timeout=1.0)
    assert (again.counts[TrialState.ABORTED], again.counts[TrialState.COMPLETED]) == (1, 3)


def test_a_trial_that_was_never_launched_is_not_left_behind(way, task_search, worker, until, monkeypatch):
    monkeypatch.setattr(trial_lifecycle, "AGREEMENT_SECONDS", 0.2)
    way.plan("tasks.clone", "unanswered")
    made = task_search(total_max_jobs=1)
    way.plan("tasks.get_all", "lost", times=1000)
    made.start()
    until(made, lambda: made.errors)
    made.stop()
    assert made.wait(timeout=1.0)
    assert made.stop_reason.sentence == "stopped by hand"
    assert (made.counts[TrialState.ABORTED], worker.taken) == (1, [])


@pytest.mark.parametrize("what", ["unanswered", "lost"])
def test_a_launch_that_nobody_knows_of_ends_with_the_search(
    way, task_search, worker, until, api_client, base_task, what
):
    way.plan("tasks.clone", what)
    made = task_search(total_max_jobs=1)
    way.plan("tasks.get_all", "lost", times=100)  # nor can its Task be looked for
    made.start()
    until(made, lambda: made.errors)
    made.stop()
    way.heal()
    assert made.wait(timeout=1.0)
    assert made.counts[TrialState.ABORTED] == 1
    assert made.trial(0).error == "stopped by hand"
    assert worker.taken == []
    # It is stopped where it was made, and not made to be stopped where it was not.
    children = api_client.tasks.get_all(parent=base_task, only_fields=["id", "status"], search_hidden=True)
    expected = [(made.trial(0).id, "stopped")] if what == "unanswered" else []
    assert [(child.id, str(child.status.value)) for child in children] == expected


@pytest.mark.parametrize(
    "answer",
    [
        (500, 0, "General data error"),
        (502, None, "Bad gateway"),
        (401, 22, "Unauthorized (invalid credentials)"),
        (400, 14, "Lookup error"),
        "lost",
        "unanswered",
    ],
    ids=["500", "502 of a proxy", "401", "400", "lost", "unanswered"],
)
def test_looks_that_fail_are_told_and_repeated(way, task_search, worker, answer):
    made = task_search()
    way.plan("tasks.get_all", answer, times=2)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == len(worker.taken) == 3
    first, *_, last = sentences(made)
    assert "nothing is lost" in first
    assert "answers again" in last
    if isinstance(answer, tuple) and answer[1] is not None:
        assert answer[2] in first


@pytest.fixture
def without_tls():
    """An address at which whoever wants to encrypt the connection is answered in plain text."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_connection_that_cannot_be_encrypted_is_told_at_once(without_tls, monkeypatch):
    monkeypatch.setenv("CLEARML_API_HOST", without_tls)
    with pytest.raises(UnreachableError, match="does not answer"):
        Server()


def test_a_token_that_is_not_accepted_any_more_is_renewed_once(way):
    server = Server()
    since = len(way.steps)
    way.plan("queues.get_all", (401, 30, "Invalid token"))
    assert server.call("queues.get_all")["queues"]
    assert [step.endpoint for step in way.steps[since:]] == ["auth.login", "queues.get_all"]
    way.plan("queues.get_all", (401, 30, "Invalid token"), times=2)
    with pytest.raises(RefusedError):
        server.call("queues.get_all")


def test_launches_wait_while_the_keys_are_not_accepted(way, task_search, worker):
    made = task_search()
    way.plan("tasks.clone", (401, 30, "Invalid token"), times=2)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == len(worker.taken) == 3
    assert "check the access key and the secret key" in sentences(made)[0]


def test_aborts_that_the_server_fails_are_sent_again(way, running, worker):
    made = running(total_max_jobs=3)
    way.plan("tasks.stop_many", "lost")
    made.stop()
    assert made.wait(timeout=1.0)
    assert [worker.status(task) for task in worker.taken] == ["stopped"] * 2
    assert made.counts[TrialState.ABORTED] == 2


@pytest.mark.slow
@pytest.mark.parametrize("run", range(4))
def test_whatever_happens_to_requests_each_trial_runs_once_and_none_is_lost(
    way, task_search, worker, settle, monkeypatch, run
):
    line = table.line("request to ClearML lost, unanswered, answered with an error or late")
    rng = random.Random(f"{table.SEED}, {run}")
    planned = way.take
    troubles = ("lost", "unanswered", (502, None, "Bad gateway"), (500, 0, "General data error"), "late")

    def trouble(endpoint):
        if rng.random() > 0.2:
            return planned(endpoint)
        line.tried += 1
        chosen = rng.choice(troubles)
        if chosen == "late":
            time.sleep(0.6 * rng.random())  # for half of them nobody waits that long
            return None
        return chosen

    made = task_search(total_max_jobs=12, seed=table.SEED)
    made.start()
    monkeypatch.setattr(session, "_TIMEOUT", (5.0, 0.3))
    way.take = trouble  # a start says at once what is wrong
    assert made.wait(timeout=1.0), f"{made.counts} {made.errors}"
    settle(line, made)


@pytest.fixture
def interrupt_next(clearml_api):
    """``interrupt_next(endpoint)`` has a request end halfway; on another server nothing is interrupted."""
    return (lambda endpoint: None) if clearml_api.server is None else clearml_api.server.interrupt_next


def test_a_task_that_is_queued_and_in_no_queue_is_sent_again(task_search, worker, interrupt_next, monkeypatch):
    monkeypatch.setattr(launch_thread, "TAKEN_SECONDS", 0.1)
    interrupt_next("tasks.enqueue")
    made = finished(task_search(total_max_jobs=1))
    assert made.counts[TrialState.COMPLETED] == 1
    assert worker.taken == [made.trial(0).id]


def test_trials_that_somebody_else_stops_at_the_same_moment_have_stopped_without_a_notice(
    running, worker, interrupt_next
):
    made = running(total_max_jobs=2)
    interrupt_next("tasks.stop_many")
    made.stop()
    assert made.wait(timeout=1.0)
    assert [worker.status(task) for task in worker.taken] == ["stopped"] * 2
    assert made.counts[TrialState.ABORTED] == 2
    assert list(made.errors) == []


@pytest.mark.parametrize("seconds", [-7200.0, 7200.0])
def test_a_servers_clock_that_is_wrong_does_no_harm(clearml_api, running, worker, seconds):
    if clearml_api.server is not None:  # another one's clock is as it is
        clearml_api.server.skew(seconds)
    try:
        made = running(time_limit_per_job=60, compute_time_limit=60, optimization_time_limit=60, total_max_jobs=3)
        worker.gate.set()
        assert made.wait(timeout=1.0)
    finally:
        if clearml_api.server is not None:
            clearml_api.server.skew(0)
    assert made.counts[TrialState.COMPLETED] == 3, made.errors
    rows = made.snapshot()
    assert ((rows.started >= made.trial(0).started - 60) & (rows.ended >= rows.started)).all()
    assert rows.ended.max() - rows.started.min() < 60
    assert made.budget.compute_minutes.used < 1
