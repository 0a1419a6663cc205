"""Recorded exchanges, replayed against a fresh server: what was answered then beside what is answered now."""

from __future__ import annotations

import base64
import gzip
import http.client
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATA = Path(__file__).parent / "data"
IDENTIFIER = re.compile(r"[0-9a-f]{32}")
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
JSON_LINES = "application/json-lines"
# The user's id was not of the usual form.
USER = "__tests__"

# What the recordings leave out: headers, and what was wrong with a bad authorization.
_WRONG_KEYS = "Basic " + base64.b64encode(b"nobody:nothing").decode()
BAD_AUTHORIZATION = {
    ("probe_errors", 0): _WRONG_KEYS,
    ("probe_errors", 3): "Bearer nonsense",
    ("probe_errors", 4): "Bearer {token}x",
    ("probe_errors", 5): "Foo bar",
    ("probe_errors", 6): _WRONG_KEYS,
}
NOT_RECORDED = {
    ("probe_errors", 103): {"Content-Encoding": "gzip"},
    ("probe_errors", 104): {"X-ClearML-Impersonate-As": "somebody"},
}


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a packed file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as text:
        return [json.loads(line) for line in text]


@cache
def flow(name: str) -> tuple[dict[str, Any], ...]:
    """The exchanges of one flow, in their order."""
    return tuple(lines(DATA / "exchanges" / f"{name}.jsonl.gz"))


_BEGAN = datetime.now(UTC)
_looks = itertools.count()


def now() -> datetime:
    """A time that goes on by a millisecond at each look: durations are the same however busy the machine is."""
    return _BEGAN + timedelta(milliseconds=next(_looks))


@dataclass
class Answer:
    """What a server answered."""

    status: int
    body: Any


@dataclass
class Client:
    """A plain HTTP client of a server: no SDK, no client of this package."""

    server: Any
    connection: http.client.HTTPConnection = field(init=False)
    token: str = ""

    def __post_init__(self):
        self.connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=30)
        self.token = self.call("/auth.login", authorization=self.basic()).body["data"]["token"]

    def basic(self) -> str:
        """The server's own keys."""
        keys = self.server.environment()
        pair = f"{keys['CLEARML_API_ACCESS_KEY']}:{keys['CLEARML_API_SECRET_KEY']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def call(self, path, data=None, *, method="GET", content_type="application/json", authorization=None, headers=()):
        """Send one request, with the token unless another authorization is given; "" gives none."""
        body = data if isinstance(data, bytes) else _encoded(data, content_type)
        given = dict(headers)
        if content_type:
            given["Content-Type"] = content_type
        authorization = f"Bearer {self.token}" if authorization is None else authorization
        if authorization:
            given["Authorization"] = authorization
        self.connection.request(method, path, body=body, headers=given)
        response = self.connection.getresponse()
        content = response.read()
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status, json.loads(content) if kind.startswith("application/json") else content)

    def close(self):
        """End the connection."""
        self.connection.close()


def _encoded(data, content_type):
    if data is None:
        return b""
    if content_type == JSON_LINES and isinstance(data, list):
        return "\n".join(map(json.dumps, data)).encode()
    return json.dumps(data).encode()


class Replay:
    """One pass over recorded exchanges, with the ids of then mapped to those of now as answers teach them.

    Calls that were made then and are not among the recorded ones are made where they belong, and the server's clock,
    which goes on as `now` does, is set to the time that a recording tells, so that durations can be compared.
    """

    def __init__(self, server):
        self.client = Client(server)
        self.now_of: dict[str, str] = {}
        self.then_of: dict[str, str] = {}
        self._set_clock = server.skew
        self._latest = 0.0

    def run(self, name: str) -> dict[int, Answer]:
        """Replay one flow: the place of an exchange → what was answered now, in the ids of then."""
        between: dict[int, list[dict[str, Any]]] = {}
        for call in lines(DATA / "unrecorded.jsonl.gz"):
            if call["flow"] == name:
                between.setdefault(call["before"], []).append(call)
        answers = {}
        for exchange in flow(name):
            for call in between.pop(exchange["seq"], ()):
                self._fill_in(call)
            answers[exchange["seq"]] = self._exchange(name, exchange)
        assert between == {}
        return answers

    def _fill_in(self, call: dict[str, Any]) -> None:
        self._tell_time(call["request"], None)
        self._set_to(call.get("at", 0) / 1000)
        if call["path"] is None:
            return
        batch = isinstance(call["request"], list)
        kind = JSON_LINES if batch else "application/json"
        answer = self.client.call(call["path"], self.to_now(call["request"]), content_type=kind)
        assert answer.status == 200, (call, answer.body)
        if "as" in call:
            self.know(call["as"], answer.body["data"]["id"])

    def _exchange(self, name: str, exchange: dict[str, Any]) -> Answer:
        recorded = exchange["response"]
        data = recorded["data"] if isinstance(recorded, dict) else None
        self._tell_time(exchange["request"], data)
        query = f"?{exchange['query']}" if exchange["query"] else ""
        request = self.to_now(exchange["request"])
        answer = self.client.call(
            exchange["path"] + query,
            request.encode() if isinstance(request, str) else request,
            method=exchange["method"],
            content_type=exchange["content_type"],
            authorization=self._authorization(name, exchange),
            headers=NOT_RECORDED.get((name, exchange["seq"]), {}).items(),
        )
        if isinstance(recorded, dict):
            self.learn(recorded, answer.body)
        return Answer(answer.status, self.to_then(answer.body))

    def _authorization(self, name: str, exchange: dict[str, Any]) -> str | None:
        if (name, exchange["seq"]) in BAD_AUTHORIZATION:
            return BAD_AUTHORIZATION[name, exchange["seq"]].format(token=self.client.token)
        return {"basic": self.client.basic(), "bearer": None, "none": ""}[exchange["auth"]]

    def _tell_time(self, request: Any, data: Any) -> None:
        """Set the server's clock to the latest time in a request's events and in the fields that an answer echoes."""
        for event in request if isinstance(request, list) else ():
            self._set_to(event.get("timestamp", 0) / 1000 if isinstance(event, dict) else 0)
        for value in ((data or {}).get("fields") or {}).values():
            if isinstance(value, str) and TIME.fullmatch(value):
                self._set_to(datetime.fromisoformat(value).timestamp())

    def _set_to(self, moment: float) -> None:
        if moment > self._latest:
            self._latest = moment
            self._set_clock(moment - now().timestamp())

    def learn(self, then: Any, now: Any) -> None:
        """Learn which id of now is which id of then, by their places in two answers."""
        if isinstance(then, dict) and isinstance(now, dict):
            for name in then.keys() & now.keys():
                self.learn(then[name], now[name])
        elif isinstance(then, list) and isinstance(now, list):
            for one, other in zip(then, now, strict=False):
                self.learn(one, other)
        elif isinstance(then, str) and isinstance(now, str):
            if then == USER and IDENTIFIER.fullmatch(now):
                self.know(then, now)
            self._learn_from_texts(then, now)

    def _learn_from_texts(self, then: str, now: str) -> None:
        """Two texts that differ in ids alone teach them all."""
        if IDENTIFIER.sub("", then) == IDENTIFIER.sub("", now):
            for one, other in zip(IDENTIFIER.findall(then), IDENTIFIER.findall(now), strict=True):
                self.know(one, other)

    def know(self, then: str, now: str) -> None:
        """Note that an id of now is an id of then; what is known stays."""
        if then != now and then not in self.now_of and now not in self.then_of:
            self.now_of[then] = now
            self.then_of[now] = then

    def to_now(self, value: Any) -> Any:
        """A value of then with the ids of now."""
        return mapped(value, self.now_of)

    def to_then(self, value: Any) -> Any:
        """A value of now with the ids of then."""
        return mapped(value, self.then_of)


def mapped(value: Any, names: dict[str, str]) -> Any:
    """A value with the ids in all its texts and keys replaced."""
    if isinstance(value, dict):
        return {mapped(name, names): mapped(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, names) for item in value]
    if isinstance(value, str):
        return IDENTIFIER.sub(lambda match: names.get(match[0], match[0]), value)
    return value
