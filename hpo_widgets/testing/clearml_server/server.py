"""`ClearmlServer`: an in-memory ClearML API server on loopback, for tests and demonstrations."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakSet

from tornado.httpserver import HTTPServer

from hpo_widgets.testing.clearml_server._api.faults import ANY, TWO_STEPS, Fault, Faults
from hpo_widgets.testing.clearml_server._api.http import make_application, make_file_application
from hpo_widgets.testing.clearml_server._api.store import Store
from hpo_widgets.testing.clearml_server.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tornado.iostream import IOStream
    from tornado.web import Application

_LOOPBACK = "127.0.0.1"
DESCRIPTION = "An in-memory ClearML API server for tests and demonstrations: it keeps nothing when it ends."
_PATIENCE = 30.0

_Result = TypeVar("_Result")


class ClearmlServer:
    """An in-memory ClearML API server on loopback, for tests and demonstrations only.

    It answers the calls that the ClearML SDK, its automation and ``clearml-agent`` make in a hyperparameter search, as
    server 2.3.0 (API 2.34) answers them. It has one user, keeps everything in memory, and forgets it when it ends.
    Both its ports, one for the API and one for files, are on 127.0.0.1 and its own from the beginning. Its thread,
    ``clearml-server``, answers all requests and alone touches what it stores. Any thread may start and stop it, plan
    trouble and read the log.

    Attributes
    ----------
    log : RequestLog
        What it was asked.

    Examples
    --------
    >>> with ClearmlServer() as server:  # doctest: +SKIP
    ...     os.environ.update(server.environment())
    ...     task = clearml.Task.init("project", "name")
    ...     server.log.count("tasks.create")
    1
    """

    def __init__(self) -> None:
        self.log = RequestLog()
        self._faults = Faults()
        self._store = Store()
        self._ports = [
            _Port(make_application(self._store, self.log, self._faults)),
            _Port(make_file_application(self._store.files)),
        ]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"ClearmlServer(url={self.url!r})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address of the API."""
        return self._ports[0].url

    @property
    def files_url(self) -> str:
        """The address of the file server."""
        return self._ports[1].url

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._thread is not None

    @property
    def held(self) -> int:
        """How many requests `delay` holds back now."""
        return self._faults.held

    def environment(self) -> dict[str, str]:
        """The variables that lead the SDK and the agent here, keys included.

        The keys are random for each server and good for nothing else.
        """
        keys = self._store.authority.keys
        return {
            "CLEARML_API_HOST": self.url,
            "CLEARML_WEB_HOST": self.url,
            "CLEARML_FILES_HOST": self.files_url,
            "CLEARML_API_ACCESS_KEY": keys.access,
            "CLEARML_API_SECRET_KEY": keys.secret,
        }

    def start(self) -> None:
        """Listen. A server that runs goes on.

        Raises
        ------
        RuntimeError
            If it was stopped: it has given its ports back.
        """
        if self._thread is not None:
            return
        if self._stopped:
            raise RuntimeError("A stopped server does not start again: make a new one.")
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._thread = threading.Thread(target=_run, args=(loop,), name="clearml-server", daemon=True)
        self._thread.start()
        try:
            self.up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all connections and give the ports back, for good. A second call does nothing."""
        thread, loop = self._thread, self._loop
        if thread is not None and loop is not None:
            self.down()
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_PATIENCE)
            self._thread = self._loop = None
        for port in self._ports:
            port.release()
        self._stopped = True

    def down(self) -> None:
        """Be away: connections end and new ones are refused until `up`, which listens on the same ports."""
        self._do(self._close())

    def up(self) -> None:
        """Be there again after `down`."""
        self._do(self._listen())

    def fail_next(
        self,
        endpoint: str = ANY,
        status: int = 500,
        *,
        times: int = 1,
        subcode: int = 0,
        message: str = "planned failure",
        after: bool = False,
    ) -> None:
        """Let the next answers fail.

        Parameters
        ----------
        endpoint : str, default "*"
            ``service.action``; "*" is whatever comes next.
        status : int, default 500
            The HTTP status; 0 cuts the connection without an answer.
        times : int, default 1
            How many of them.
        subcode : int, default 0
            ``meta.result_subcode``.
        message : str, default "planned failure"
            ``meta.result_msg``.
        after : bool, default False
            Whether the request takes effect before its answer fails, as when the answer is lost on the way.
        """
        self._faults.plan(endpoint, Fault(status, subcode, message, after), times)

    def interrupt_next(self, endpoint: str) -> None:
        """Let something happen in the middle of the next request of an endpoint that works in two steps.

        Parameters
        ----------
        endpoint : str
            ``tasks.enqueue``: the server dies when the status is written and the queue has no entry yet.
            ``tasks.delete``: it dies when the status is ``created`` and the Task still there.
            ``events.add_batch``: it dies when the last values are written and the least and greatest are not.
            ``tasks.stop_many``: another request stops the Tasks first, so that each answers 400/121.

        Raises
        ------
        ValueError
            For another endpoint.
        """
        if endpoint not in TWO_STEPS:
            msg = f"{endpoint!r} has no two steps; these have: {', '.join(TWO_STEPS)}"
            raise ValueError(msg)
        self._faults.plan(endpoint, Fault(TWO_STEPS[endpoint], 0, "interrupted", halfway=True), 1)

    def delay(self, seconds: float) -> None:
        """Let every answer take this long; 0 ends it."""
        self._faults.latency = seconds

    def skew(self, seconds: float) -> None:
        """Set the server's clock ahead of the machine's by this many seconds, or behind if negative."""
        self._store.clock.skew = timedelta(seconds=seconds)

    def heal(self) -> None:
        """End all planned failures, the delay and the skew."""
        self._faults.clear()
        self.skew(0)

    def _do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        if self._loop is None:
            work.close()
            raise RuntimeError("The server is not running: start it, or use it in a with statement.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _listen(self) -> None:
        for port in self._ports:
            port.listen()

    async def _close(self) -> None:
        for port in self._ports:
            await port.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class _HangingUpServer(HTTPServer):
    """A server that knows its connections, so that it can end them also where a forked child holds them too."""

    def initialize(self, *arguments: Any, **keywords: Any) -> None:
        super().initialize(*arguments, **keywords)
        self._streams: WeakSet[IOStream] = WeakSet()

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        self._streams.add(stream)
        super().handle_stream(stream, address)

    def hang_up(self) -> None:
        for stream in self._streams:
            if not stream.closed():
                with contextlib.suppress(OSError):  # the other end was faster
                    stream.socket.shutdown(socket.SHUT_RDWR)


class _Port:
    """A port of loopback that is kept while nobody listens on it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._server: _HangingUpServer | None = None
        self._socket = _bound(0)
        self._number: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """The address."""
        return f"http://{_LOOPBACK}:{self._number}"

    def listen(self) -> None:
        """Take connections."""
        if self._server is None:
            self._socket.listen(128)
            self._server = _HangingUpServer(self._application)
            self._server.add_socket(self._socket)

    async def close(self) -> None:
        """End the connections and refuse new ones; the port stays taken."""
        if self._server is not None:
            server, self._server = self._server, None
            # A child that was forked from this process may hold the socket too: closing alone would let it listen on.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            server.stop()
            server.hang_up()
            await server.close_all_connections()
            self._socket.close()
            self._socket = _bound(self._number)

    def release(self) -> None:
        """Give the port back."""
        self._socket.close()


def _bound(number: int) -> socket.socket:
    result = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        result.setblocking(False)
        result.bind((_LOOPBACK, number))
    except BaseException:
        result.close()
        raise
    return result
