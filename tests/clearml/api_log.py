"""What is asked of an API server, noted on the way to it: of any server, in full, and by whom."""

from __future__ import annotations

import json
import sys
import threading
from http.server import ThreadingHTTPServer

from tests.clearml.pass_on import PassOn
from tests.clearml.recorded import EDITED, Step, calls, in_order


class PassingBy(ThreadingHTTPServer):
    """Passes each request on to a server and notes it as a `Step`."""

    daemon_threads = True

    def __init__(self, target):
        self.target = target.rstrip("/")
        self.steps = []
        super().__init__(("127.0.0.1", 0), _Noting)
        self._thread = threading.Thread(target=self.serve_forever, name="passing by", daemon=True)
        self._thread.start()

    @property
    def environment(self):
        """The variable that leads a process by here; the rest is as for the server itself."""
        return {"CLEARML_API_HOST": f"http://127.0.0.1:{self.server_address[1]}"}

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

    def handle_error(self, request, client_address):
        """A process that ends leaves its connections; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Noting(PassOn):
    def take(self, body):
        status, headers, content = self.ask(body)
        try:
            said = json.loads(body or b"{}")
        except ValueError:  # lines of JSON, as which events are sent
            said = {"events": [json.loads(line) for line in body.splitlines()]}
        self.server.steps.append(step(self.command, self.path, status, said))
        self.answer(status, headers, content)


def step(method, path, status, body):
    path = path.partition("?")[0].strip("/")
    request = body if isinstance(body, dict) else {}
    is_edit = path.endswith("tasks.edit")
    return Step("", method, path, status, ",".join(name for name in EDITED if is_edit and name in request), request)
