"""Requests in all the ways in which clients send them, and who may send them."""

from __future__ import annotations

import gzip
import http.client
import json
from urllib.parse import quote, urlsplit

import jwt
import pytest

from tests.testing.clearml_server.replay import IDENTIFIER, TIME


class TestRequests:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_all_methods_are_alike(self, api, method):
        task = api.task()
        answer = api.client.call("/tasks.get_by_id", {"task": task}, method=method)
        assert answer.body["data"]["task"]["id"] == task

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", "application/json"),
            (b"null", "application/json"),
            (b"{}", ""),
        ],
    )
    def test_arguments_may_come_in_the_query(self, api, body, content_type):
        task = api.task()
        answer = api.client.call(f"/tasks.get_by_id?task={task}", body, content_type=content_type)
        assert answer.body["data"]["task"]["id"] == task

    def test_arguments_may_come_in_a_form(self, api):
        task = api.task("a form")
        body = f"id={task}&only_fields=name&only_fields=id".encode()
        answer = api.client.call(
            "/tasks.get_all", body, content_type="application/x-www-form-urlencoded", method="POST"
        )
        assert answer.body["data"]["tasks"] == [{"name": "a form", "id": task}]

    def test_unknown_fields_are_ignored(self, api):
        task = api.task(method="post", nonsense=[1])
        assert "nonsense" not in api.read(task)

    def test_words_and_numbers_count_as_flags(self, api):
        task = api.task()
        for force in ("yes", 1):
            assert api("tasks.completed", task=task, force=force)["updated"] == 1

    def test_an_answer_is_packed_when_the_client_takes_it(self, api):
        for number in range(20):
            api.task(f"task {number}")
        connection = http.client.HTTPConnection(urlsplit(api.server.url).netloc, timeout=30)
        headers = {"Authorization": f"Bearer {api.client.token}", "Accept-Encoding": "gzip"}
        connection.request("GET", "/tasks.get_all", headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert len(json.loads(gzip.decompress(content))["data"]["tasks"]) == 20

    def test_one_connection_serves_many_requests(self, api):
        connection = http.client.HTTPConnection(urlsplit(api.server.url).netloc, timeout=30)
        for _ in range(3):
            connection.request("GET", "/debug.ping")
            assert connection.getresponse().read()
        connection.close()

    def test_a_transaction_is_named_back(self, api):
        named = api.client.call("/debug.ping", headers={"X-ClearML-Trx": "mine"}.items())
        assert named.body["meta"]["trx"] == "mine"
        assert IDENTIFIER.fullmatch(named.body["meta"]["id"])

    def test_times_have_six_digits_and_are_kept_in_milliseconds(self, api):
        task = api.task()
        echoed = api("tasks.started", task=task)["fields"]["status_changed"]
        kept = api.read(task)["status_changed"]
        assert TIME.fullmatch(echoed)
        assert TIME.fullmatch(kept)
        assert kept.endswith("000+00:00")
        assert kept[:23] == echoed[:23]

    def test_values_that_are_no_json_numbers_are_written_as_the_real_server_does(self, api):
        task = api.task()
        api.report(task, (0, float("nan")), (1, float("inf")))
        connection = http.client.HTTPConnection(urlsplit(api.server.url).netloc, timeout=30)
        connection.request(
            "GET", f"/tasks.get_by_id?task={task}", headers={"Authorization": f"Bearer {api.client.token}"}
        )
        text = connection.getresponse().read().decode()
        connection.close()
        assert "NaN" in text
        assert "Infinity" in text


class TestVersions:
    @pytest.mark.parametrize(
        ("path", "requested"),
        [("", "2.34"), ("/v2.35", "2.35"), ("/v3.0", "3.0"), ("/v999.0", "999.0"), ("/v1.5", 1.5)],
    )
    def test_any_version_from_the_first_on_is_taken_and_named_back(self, api, path, requested):
        meta = api.client.call(f"{path}/tasks.get_all").body["meta"]
        assert meta["endpoint"]["requested_version"] == requested
        assert meta["result_code"] == 200

    def test_a_tasks_container_is_told_in_words_that_older_clients_know(self, api):
        task = api.task(container={"image": "python:3"})
        old = api.client.call("/v2.12/tasks.get_by_id", {"task": task}).body["data"]["task"]
        new = api.client.call("/v2.13/tasks.get_by_id", {"task": task}).body["data"]["task"]
        assert old["execution"]["docker_cmd"] == "python:3"
        assert "docker_cmd" not in new["execution"]

    def test_metadata_of_queues_were_a_list_once(self, api):
        queue = api("queues.create", name="a queue")["id"]
        old = api.client.call("/v2.14/queues.get_by_id", {"queue": queue}).body["data"]["queue"]
        new = api.client.call("/v2.20/queues.get_by_id", {"queue": queue}).body["data"]["queue"]
        assert (old["metadata"], new["metadata"]) == ([], {})


class TestCredentials:
    def test_the_token_tells_what_the_sdk_reads_from_it(self, api, server):
        payload = jwt.decode(api.client.token, options={"verify_signature": False})
        assert payload["exp"] - payload["iat"] == 2_592_000
        assert (payload["api_version"], payload["server_version"], payload["feature_set"]) == ("2.34", "2.3.0", "basic")
        assert set(payload["identity"]) == {"user", "user_name", "company", "company_name", "role"}

    def test_a_token_renews_itself_and_may_be_short(self, api):
        token = api("auth.login", expiration_sec=60)["token"]
        payload = jwt.decode(token, options={"verify_signature": False})
        assert payload["exp"] - payload["iat"] == 60

    def test_an_expired_token_is_refused(self, api):
        expired = api("auth.login", expiration_sec=-1)["token"]
        answer = api.client.call("/tasks.get_all", authorization=f"Bearer {expired}")
        assert (answer.status, answer.body["meta"]["result_subcode"]) == (401, 30)

    def test_tokens_end_by_the_servers_clock(self, api, server):
        server.skew(40 * 24 * 3600)
        assert api.client.call("/tasks.get_all").status == 401
        server.skew(0)
        assert api.client.call("/tasks.get_all").status == 200

    def test_keys_are_taken_in_place_of_a_token(self, api):
        assert api.client.call("/tasks.get_all", authorization=api.client.basic()).status == 200

    def test_the_cookie_of_a_login_is_enough(self, api):
        connection = http.client.HTTPConnection(urlsplit(api.server.url).netloc, timeout=30)
        connection.request("GET", "/auth.login", headers={"Authorization": api.client.basic()})
        answer = connection.getresponse()
        answer.read()
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        connection.request("GET", "/tasks.get_all", headers={"Cookie": cookie.partition(";")[0]})
        assert connection.getresponse().status == 200
        connection.close()

    @pytest.mark.parametrize("credentials", ["Basic !!!", "Basic " + "é", "Basic", "Bearer"])
    def test_what_is_no_credential_is_refused_and_not_an_accident(self, api, credentials):
        answer = api.client.call("/tasks.get_all", authorization=quote(credentials, safe=" !"))
        assert answer.status == 401

    def test_a_sign_of_life_needs_none(self, api):
        assert api.client.call("/debug.ping", authorization="").status == 200
