"""What stands in the way to an API server has in common: a request that is handed on, and its answer that is given."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import requests

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding"}


class PassOn(BaseHTTPRequestHandler):
    """Handles requests by ``take(body)``, on the way to its server's ``target``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the acknowledgement of its headers

    def handle_any(self):
        self.take(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names that the base class looks for

    def ask(self, body):
        """Hand the request on; gives status, headers and content of the answer."""
        url = self.server.target + self.path
        answer = requests.request(self.command, url, data=body, headers=end_to_end(self.headers), timeout=300)
        return answer.status_code, end_to_end(answer.headers), answer.content

    def answer(self, status, headers, content, *, is_cut=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection |= is_cut

    def log_message(self, *_):
        """Say nothing: the tests look at the notes."""


def end_to_end(headers):
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
