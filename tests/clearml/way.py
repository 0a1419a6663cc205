"""A way to an API server: each request is noted, requests and answers get lost, and everything can come to a halt.

Any server will do behind it, so that what happens in bad weather is tried on a real one too.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from tests.clearml.recorded import EDITED, Step, calls, in_order

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding"}


class Way:
    """Passes requests on to a server unless something else was planned for them.

    Attributes
    ----------
    url : str
        Its own address.
    steps : list of Step
        The requests that were passed on.
    gate : threading.Event
        While it is shut, requests are held before they are passed on.
    num_under_way : int
        Requests that came and have not had their effect, or not their answer.
    """

    def __init__(self, target):
        self.target = target.rstrip("/")
        self.steps = []
        self.gate = threading.Event()
        self.gate.set()
        self.num_held = 0
        self.num_under_way = 0
        self._plans = []
        self._lock = threading.Lock()
        self._socket = _bound(0)
        self._port = self._socket.getsockname()[1]
        self._server = None
        self._thread = None
        self.up()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.gate.set()
        if self._server is not None:
            self.down()
        self._socket.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self):
        """The variable that leads a process by here; the rest is as for the server itself."""
        return {"CLEARML_API_HOST": self.url}

    def up(self):
        """Listen, at the same address as before."""
        server = _Server(("127.0.0.1", self._port), _Handler, bind_and_activate=False)
        server.way = self
        server.socket.close()
        server.socket, self._socket = self._socket, None
        server.server_activate()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="way", daemon=True)
        self._thread.start()

    def down(self):
        """Be away: new connections are refused, and those that are open end with their next request."""
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        self._socket = _bound(self._port)  # nobody else gets the port meanwhile
        self._thread.join()

    @property
    def is_up(self):
        return self._server is not None

    def plan(self, endpoint, what, times=1):
        """Have the next requests of an endpoint end differently.

        ``what`` is ``"lost"`` (it never arrives), ``"unanswered"`` (it takes effect, its answer is lost), ``"cut"`` (it
        takes effect, half of its answer is lost), a `threading.Event` (it is held until that is set), a function that
        is given the data of the answer and returns what is answered instead, or (status, subcode, message) of an answer
        that the server did not give, as a page when there is no subcode.
        """
        with self._lock:
            self._plans.extend([(endpoint, what)] * times)

    def heal(self):
        """Plan nothing any more."""
        with self._lock:
            self._plans.clear()

    def take(self, endpoint):
        with self._lock:
            for place, (planned, what) in enumerate(self._plans):
                if planned == endpoint:
                    del self._plans[place]
                    return what
        return None

    @contextlib.contextmanager
    def on_the_way(self):
        with self._lock:
            self.num_under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self.num_under_way -= 1

    def count(self, endpoint):
        return sum(step.endpoint == endpoint for step in self.steps)

    def calls(self):
        return calls(self.steps)

    def in_order(self):
        return in_order(self.steps)

    def events(self, task):
        """The events that were sent of one Task."""
        return [event for step in self.steps for event in step.request.get("events", ()) if event.get("task") == task]

    def launch(self, task, last):
        """The calls about one Task and about queues, from the first that names the Task to a certain one."""
        about = [step.request.get("task") == task for step in self.steps]
        start = about.index(True)
        end = next(number for number, step in enumerate(self.steps) if about[number] and step.endpoint == last)
        return in_order(
            step
            for number, step in enumerate(self.steps)
            if start <= number <= end and (about[number] or step.endpoint.startswith("queues."))
        )


def _bound(port):
    """A socket that has a port, on which nobody listens."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A process that ends leaves its connections; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the acknowledgement of its headers

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.way.on_the_way():
            self._take(body)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names that the base class looks for

    def _take(self, body):
        way = self.server.way
        path = self.path.partition("?")[0].strip("/")
        if not way.gate.is_set():
            way.num_held += 1
            way.gate.wait()
        what = way.take(path.rpartition("/")[2])
        if isinstance(what, threading.Event):
            what.wait()
        if not way.is_up or what == "lost":
            self.close_connection = True
            return
        if isinstance(what, tuple):
            status, subcode, message = what
            if subcode is None:
                self._answer(status, {"Content-Type": "text/html"}, f"<html>{message}</html>".encode())
                return
            meta = {"result_code": status, "result_subcode": subcode, "result_msg": message}
            self._answer(status, {"Content-Type": "application/json"}, json.dumps({"meta": meta, "data": {}}).encode())
            return
        url = f"{way.target}{self.path}"
        answer = requests.request(self.command, url, data=body, headers=_end_to_end(self.headers), timeout=300)
        way.steps.append(_step(self.command, path, answer.status_code, body))
        content = answer.content
        if what == "unanswered":
            self.close_connection = True
            return
        if callable(what):
            whole = json.loads(content)
            content = json.dumps({**whole, "data": what(whole["data"])}).encode()
        with contextlib.suppress(ConnectionError):  # nobody waits for it any more
            self._answer(answer.status_code, _end_to_end(answer.headers), content, is_cut=what == "cut")

    def _answer(self, status, headers, content, *, is_cut=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection |= is_cut

    def log_message(self, *_):
        """Say nothing: the tests look at the notes."""


def _end_to_end(headers):
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _step(method, path, status, body):
    try:
        said = json.loads(body or b"{}")
    except ValueError:  # lines of JSON, as which events are sent
        said = {"events": [json.loads(line) for line in body.splitlines()]}
    request = said if isinstance(said, dict) else {}
    edited = [name for name in EDITED if path.endswith("tasks.edit") and name in request]
    return Step("", method, path, status, ",".join(edited), request)
