"""What Tasks upload: artifacts by path, as the file server keeps them."""

from __future__ import annotations

from tornado.web import Application, RequestHandler


class Files:
    """Uploaded files by path, in memory; the server's thread (``clearml-server``) alone touches them."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def put(self, path: str, content: bytes) -> None:
        """Keep a file; an earlier one of the same path is replaced.

        Parameters
        ----------
        path : str
            The path in the address.
        content : bytes
            The bytes.
        """
        self._contents[path] = content

    def get(self, path: str) -> bytes | None:
        """The content of a file, if it is there."""
        return self._contents.get(path)

    def remove(self, path: str) -> bool:
        """Forget a file; whether it was there."""
        return self._contents.pop(path, None) is not None


class FileHandler(RequestHandler):
    """The file server: what is posted can be read again and deleted."""

    def initialize(self, files: Files) -> None:
        """Take what the application hands to each handler."""
        self.files = files

    def set_default_headers(self) -> None:
        """Say nothing of the framework."""
        self.clear_header("Server")

    def post(self, path: str) -> None:
        """Keep the uploaded files: each part of a form under its name, or a plain body under the path."""
        uploads = [(name, file) for name, files in self.request.files.items() for file in files]
        for name, file in uploads:
            self.files.put("/".join(part for part in (path, name) if part).strip("/"), file["body"])
        if not uploads:
            self.files.put(path, self.request.body)

    put = post

    def get(self, path: str) -> None:
        """Hand out a file."""
        content = self.files.get(path)
        if content is None:
            self.set_status(404)
            return
        self.set_header("Content-Type", "application/octet-stream")
        self.write(content)

    head = get

    def delete(self, path: str) -> None:
        """Forget a file."""
        if not self.files.remove(path):
            self.set_status(404)


def make_file_application(files: Files) -> Application:
    """The file server, at the root of its port."""
    return Application([(r"/(.*)", FileHandler, {"files": files})], log_function=_silent)


def _silent(handler: RequestHandler) -> None:
    """Write no access log."""
