"""The server as an object: its life, its log, planned trouble, its files, and what it keeps to itself."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from tests.testing.clearml_server.replay import Client


def request(url, method="GET", path="/", body=None, **headers):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until(condition):
    """Wait for what another thread is about to bring about."""
    while not condition():
        time.sleep(0.001)


class TestLife:
    def test_it_listens_on_loopback_alone(self, server):
        for url in (server.url, server.files_url):
            assert urlsplit(url).hostname == "127.0.0.1"
        assert server.url != server.files_url

    def test_it_leaves_no_thread_and_no_port_behind(self):
        before = set(threading.enumerate())
        with ClearmlServer() as server:
            assert server.running
            address = urlsplit(server.url)
        assert not server.running
        assert set(threading.enumerate()) <= before
        with socket.socket() as free:
            free.bind((address.hostname, address.port))

    def test_a_second_start_or_stop_does_nothing(self):
        server = ClearmlServer()
        server.start()
        url = server.url
        server.start()
        assert request(url, path="/debug.ping")[0] == 200
        server.stop()
        server.stop()

    def test_a_server_that_does_not_run_says_what_to_do(self):
        server = ClearmlServer()
        with pytest.raises(RuntimeError, match="start it, or use it in a with statement"):
            server.down()
        server.stop()

    def test_a_request_in_flight_does_not_keep_it_from_ending(self, server):
        server.delay(60)
        client = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        client.request("GET", "/debug.ping")
        until(lambda: server.held)
        server.stop()
        with pytest.raises((http.client.HTTPException, OSError)):
            client.getresponse()
        client.close()

    def test_every_server_has_keys_of_its_own(self, server):
        with ClearmlServer() as other:
            assert not set(server.environment().values()) & set(other.environment().values())
            client = Client(server)
            answer = request(other.url, path="/auth.login", Authorization=client.basic())
            client.close()
        assert answer[0] == 401

    def test_it_runs_by_hand_until_it_is_interrupted(self):
        command = [sys.executable, "-m", "hpo_widgets.testing.clearml_server"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            lines = [process.stdout.readline() for _ in range(6)]
            environment = dict(line.strip().removeprefix("export ").split("=", 1) for line in lines[1:])
            assert "for tests and demonstrations" in lines[0]
            program = "".join([*lines, 'printf "%s" "$CLEARML_API_HOST"'])
            in_a_shell = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
            assert (in_a_shell.stdout, in_a_shell.stderr) == (environment["CLEARML_API_HOST"], "")
            assert request(environment["CLEARML_API_HOST"], path="/debug.ping")[0] == 200
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
        assert (process.returncode, rest, errors) == (0, "", "")


class TestOutages:
    def test_down_refuses_and_up_is_there_again_on_the_same_port_with_everything(self, api, server):
        task, url = api.task(), server.url
        server.down()
        with pytest.raises(OSError):
            request(url)
        server.down()
        server.up()
        server.up()
        assert server.url == url
        api.client.connection.close()
        assert api.read(task)["id"] == task

    def test_an_idle_connection_ends_with_it(self, api, server):
        api.task()
        server.down()
        with pytest.raises((http.client.HTTPException, OSError)):
            api.task()
        server.up()

    def test_nobody_else_takes_its_port_meanwhile(self, server):
        address = urlsplit(server.url)
        server.down()
        with socket.socket() as other, pytest.raises(OSError):
            other.bind((address.hostname, address.port))
        server.up()

    def test_a_forked_child_that_holds_the_socket_does_not_keep_it_up(self, api, server):
        api.task()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        try:
            server.down()
            with pytest.raises(OSError):
                request(server.url)
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                api.task()  # by a connection that the child has, too
            server.up()
            assert request(server.url, path="/debug.ping")[0] == 200
        finally:
            os.close(write)
            os.waitpid(child, 0)


class TestFaults:
    def test_the_next_answers_of_an_endpoint_fail_and_no_others(self, api, server):
        server.fail_next("tasks.create", 503, times=2, subcode=7, message="busy")
        for _ in range(2):
            assert api.error("tasks.create", name="name", type="training") == (503, 7, "busy")
        assert api.ids() == []
        api.task()

    def test_whatever_comes_next_may_fail(self, api, server):
        server.fail_next(status=502)
        assert api.error("tasks.get_all")[0] == 502
        assert api.ids() == []

    def test_an_answer_may_be_lost_after_the_request_took_effect(self, api, server):
        server.fail_next("tasks.create", 500, after=True)
        assert api.error("tasks.create", name="name", type="training")[0] == 500
        assert len(api.ids()) == 1

    def test_a_connection_may_be_cut_without_an_answer(self, api, server):
        server.fail_next("tasks.create", 0)
        with pytest.raises((http.client.HTTPException, OSError)):
            api.task()
        api.client.connection.close()
        assert api.ids() == []
        assert [entry.status for entry in server.log if entry.endpoint == "tasks.create"] == [0]

    def test_unauthorized_may_be_planned_too(self, api, server):
        server.fail_next("tasks.get_all", 401, subcode=30)
        assert api.error("tasks.get_all")[:2] == (401, 30)

    def test_healing_ends_all_trouble(self, api, server):
        server.fail_next(times=9)
        server.delay(60)
        server.skew(10**8)
        server.heal()
        api.task()

    def test_a_delay_holds_back_an_answer(self, server):
        server.delay(0.2)
        assert request(server.url, path="/debug.ping")[0] == 200
        (held,) = [entry for entry in server.log if entry.endpoint == "debug.ping"]
        assert held.seconds >= 0.2

    def test_a_request_that_is_held_back_holds_back_no_other(self, api, server):
        server.delay(60)
        answers = []

        def ask():
            with contextlib.suppress(http.client.HTTPException, OSError):  # the server stops
                answers.append(request(server.url, path="/debug.ping"))

        slow = threading.Thread(target=ask)
        slow.start()
        until(lambda: server.held)
        server.delay(0)
        api.task()
        assert server.held == 1
        server.stop()
        slow.join()
        assert answers == []

    def test_a_skew_moves_the_servers_times(self, api, server):
        server.skew(3600)
        ahead = api.read(api.task())["created"]
        server.skew(-3600)
        behind = api.read(api.task())["created"]
        assert behind < ahead


class TestLog:
    def test_each_request_is_an_entry(self, api, server):
        mark = len(server.log)
        headers = {"X-ClearML-Worker": "w:0", "X-ClearML-Client": "clearml-2.1.12"}
        api.client.call("/v2.23/tasks.get_all", {"name": "x"}, method="POST", headers=headers.items())
        api.client.call("/v2.23/tasks.nosuch")
        api.client.call("/nonsense")
        first, second, third = server.log.since(mark)
        assert (first.endpoint, first.method, first.status) == ("tasks.get_all", "POST", 200)
        assert (first.worker, first.client) == ("w:0", "clearml-2.1.12")
        assert first.request_size == len('{"name": "x"}')
        assert first.response_size > 0
        assert first.seconds >= 0
        assert (second.endpoint, second.status, second.subcode) == ("tasks.nosuch", 404, 0)
        assert (third.endpoint, third.status) == ("/nonsense", 400)

    def test_requests_are_counted(self, api, server):
        api.task()
        mark = len(server.log)
        api.task()
        api.error("tasks.create")
        api.client.call("/tasks.get_all", headers={"X-ClearML-Worker": "w:0"}.items())
        assert server.log.count("tasks.create") == 3
        assert server.log.count("tasks.create", since=mark) == 2
        assert server.log.count("tasks.create", status=400) == 1
        assert server.log.count(worker="w:0") == 1
        assert server.log.count() == len(list(server.log))
        server.log.clear()
        assert len(server.log) == 0


class TestFiles:
    def test_what_is_uploaded_is_read_again_and_deleted(self, server):
        assert request(server.files_url, "PUT", "/a/b.txt", b"content")[0] == 200
        assert request(server.files_url, "GET", "/a/b.txt") == (200, b"content")
        assert request(server.files_url, "DELETE", "/a/b.txt")[0] == 200
        assert request(server.files_url, "GET", "/a/b.txt")[0] == 404
        assert request(server.files_url, "DELETE", "/a/b.txt")[0] == 404

    def test_a_form_names_its_files_by_their_paths(self, server):
        path = "project/train%3A a.0123/artifacts/summary.json"
        body = (
            f'--X\r\nContent-Disposition: form-data; name="{path}"; filename="{path}"\r\n\r\n{{"a": 1}}\r\n--X--\r\n'
        ).encode()
        headers = {"Content-Type": "multipart/form-data; boundary=X"}
        assert request(server.files_url, "POST", "/", body, **headers)[0] == 200
        stored = "/project/train%253A%20a.0123/artifacts/summary.json"
        assert request(server.files_url, "GET", stored) == (200, b'{"a": 1}')


class TestSecrets:
    def test_keys_and_tokens_are_in_no_repr_and_not_in_the_log(self, api, server):
        api.client.call("/auth.login", authorization=api.client.basic())
        environment = server.environment()
        secrets = [environment["CLEARML_API_SECRET_KEY"], environment["CLEARML_API_ACCESS_KEY"], api.client.token]
        shown = repr(server) + repr(list(server.log)) + repr(server._store.authority.keys)
        assert not [secret for secret in secrets if secret in shown]


def test_a_request_can_end_between_its_two_steps(api, server):
    queue = api("queues.create", name="a queue")["id"]
    waiting, deleted, measured, stopped = (api.task(name) for name in ("waiting", "deleted", "measured", "stopped"))
    for endpoint, request in {
        "tasks.enqueue": {"task": waiting, "queue": queue},
        "tasks.delete": {"task": deleted, "force": True},
    }.items():
        server.interrupt_next(endpoint)
        with pytest.raises(http.client.RemoteDisconnected):
            api.client.call(f"/{endpoint}", request)
        api.client.close()
    assert api.read(waiting)["status"] == "queued"
    assert api("queues.get_by_id", queue=queue)["queue"]["entries"] == []
    api("tasks.enqueue", task=waiting, queue=queue)
    assert [entry["task"] for entry in api("queues.get_by_id", queue=queue)["queue"]["entries"]] == [waiting]
    assert api.read(deleted)["status"] == "created"
    api.report(measured, (0, 1.0))
    server.interrupt_next("events.add_batch")
    with pytest.raises(http.client.RemoteDisconnected):
        api.report(measured, (1, 0.5))
    api.client.close()
    [summary] = [one for variants in api.read(measured)["last_metrics"].values() for one in variants.values()]
    assert (summary["value"], summary["min_value"]) == (0.5, 1.0)
    api("tasks.started", task=stopped)
    server.interrupt_next("tasks.stop_many")
    [failure] = api("tasks.stop_many", ids=[stopped])["failed"]
    assert (failure["id"], failure["error"]["codes"]) == (stopped, [400, 121])
    assert api.read(stopped)["status"] == "stopped"


def test_an_endpoint_of_one_step_cannot_be_interrupted(server):
    with pytest.raises(ValueError, match=r"'tasks.get_all' has no two steps; these have: tasks.enqueue, "):
        server.interrupt_next("tasks.get_all")


def test_a_project_goes_with_what_is_below_it(api):
    below = api("projects.create", name="one/two")["id"]
    above = api("projects.get_by_id", project=below)["project"]["parent"]
    task = api.task(project=below)
    assert api("projects.delete", project=above, force=True) == {"deleted": 2, "disassociated_tasks": 1, "urls": None}
    assert "project" not in api.read(task)
