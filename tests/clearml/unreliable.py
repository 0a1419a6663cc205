"""A way to an API server on which requests get lost, answers get lost, and everything can come to a halt.

Any server will do behind it, so that what happens in bad weather is tried on a real one too.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import ThreadingHTTPServer

from tests.clearml.pass_on import PassOn


class Unreliable:
    """Passes requests on to a server unless something else was planned for them.

    Attributes
    ----------
    url : str
        Its own address.
    seen : list of (str, dict)
        Endpoint and body of each request that was passed on.
    gate : threading.Event
        While it is shut, requests are held before they are passed on.
    num_under_way : int
        Requests that came and have not had their effect, or not their answer.
    """

    def __init__(self, target):
        self.target = target.rstrip("/")
        self.seen = []
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

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    def up(self):
        """Listen, at the same address as before."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), _Handler, bind_and_activate=False)
        server.target, server.way = self.target, self
        server.daemon_threads = True
        server.socket.close()
        server.socket, self._socket = self._socket, None
        server.server_activate()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="unreliable", daemon=True)
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

    def count(self, endpoint, since=0):
        return sum(seen == endpoint for seen, _ in self.seen[since:])

    def close(self):
        self.gate.set()
        if self._server is not None:
            self.down()
        self._socket.close()


def _bound(port):
    """A socket that has a port, on which nobody listens."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


class _Handler(PassOn):
    def take(self, body):
        with self.server.way.on_the_way():
            self._take(body)

    def _take(self, body):
        way = self.server.way
        endpoint = self.path.partition("?")[0].strip("/").rpartition("/")[2]
        if not way.gate.is_set():
            way.num_held += 1
            way.gate.wait()
        what = way.take(endpoint)
        if isinstance(what, threading.Event):
            what.wait()
        if not way.is_up or what == "lost":
            self.close_connection = True
            return
        if isinstance(what, tuple):
            status, subcode, message = what
            if subcode is None:
                self.answer(status, {"Content-Type": "text/html"}, f"<html>{message}</html>".encode())
                return
            meta = {"result_code": status, "result_subcode": subcode, "result_msg": message}
            self.answer(status, {"Content-Type": "application/json"}, json.dumps({"meta": meta, "data": {}}).encode())
            return
        try:
            said = json.loads(body or b"{}")
        except ValueError:  # lines of JSON
            said = {}
        way.seen.append((endpoint, said if isinstance(said, dict) else {}))
        status, headers, content = self.ask(body)
        if what == "unanswered":
            self.close_connection = True
            return
        if callable(what):
            whole = json.loads(content)
            content = json.dumps({**whole, "data": what(whole["data"])}).encode()
        with contextlib.suppress(ConnectionError):  # nobody waits for it any more
            self.answer(status, headers, content, is_cut=what == "cut")
