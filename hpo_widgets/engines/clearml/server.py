"""Requests to the ClearML server, with errors that say in words what to do, and whether the server answers.

A session of the SDK signs in. It does not retry: the threads that send requests have other work to do while the server
does not answer, and look for what a request without an answer has done before they send it again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import requests.exceptions
from clearml import Task
from clearml.backend_api import Session
from clearml.backend_api.session.defs import ENV_ACCESS_KEY, MissingConfigError
from clearml.backend_api.session.session import LoginError
from clearml.config import config_obj

from hpo_widgets._messages import short
from hpo_widgets.engines.clearml.session import SingleRequestSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

logger = logging.getLogger("hpo_widgets")

PAGE = 500
"""A server answers with no more Tasks than this, whatever a request asks for."""

_SAME_SECONDS = 5.0
"""Seconds by which the clocks of two machines may differ and count as one."""

# Subcodes of a 400.
UNKNOWN_TASK = 101
INVALID_STATUS = 110
CHANGED_MEANWHILE = 121
NO_SUCH_QUEUE = 701
NOT_IN_QUEUE = 703
ALREADY_QUEUED = 706
NAME_IS_TAKEN = 801


class ClearmlError(RuntimeError):
    """Something that ClearML did not do, with what to do about it.

    Attributes
    ----------
    is_away : bool
        Whether nothing can be asked of the server now, which may pass.
    """

    is_away = False


def sentence_of(error: BaseException) -> str:
    """What went wrong, in words: errors of this module say it, others only with their type."""
    return str(error) if isinstance(error, ClearmlError) else f"{type(error).__name__}: {error}"


class NoCredentialsError(ClearmlError):
    """There is no ClearML configuration on this machine."""


class RefusedError(ClearmlError):
    """The server does not accept the credentials (401), or allows them too little (403)."""

    def __init__(self, message: str, code: int = 401) -> None:
        super().__init__(message)
        self.is_away = code == 401


class UnreachableError(ClearmlError):
    """The server does not answer; whether it got the request is not known."""

    is_away = True


class RequestFailedError(ClearmlError):
    """The server's answer is an error.

    Attributes
    ----------
    code, subcode : int
        ``result_code`` and ``result_subcode`` of the answer.
    message : str
        ``result_msg``, the server's own words.
    """

    def __init__(self, action: str, code: int, subcode: int, message: str) -> None:
        super().__init__(f"the ClearML server answered {action} with {code}/{subcode}: {message}")
        self.code = code
        self.subcode = subcode
        self.message = message

    @property
    def is_the_servers_fault(self) -> bool:
        """True when the same request may succeed later."""
        return self.code >= 500


class NotClearmlsError(RequestFailedError):
    """The answer is not ClearML's but, for instance, a proxy's that does not find the server while it restarts."""

    is_the_servers_fault = True

    def __init__(self, action: str, code: int) -> None:
        super().__init__(action, code, 0, "the answer is not ClearML's; check the address of the API")


class Server:
    """One ClearML server, signed in; may be used from any thread.

    Attributes
    ----------
    clock_ahead : float
        Seconds by which its clock is ahead of this machine's, by its last answer; 0 where they agree.

    Raises
    ------
    NoCredentialsError, RefusedError, UnreachableError
        With what to do.
    """

    clock_ahead = 0.0

    def __init__(self) -> None:
        try:
            # config_obj stands for a ConfigTree, which is made at its first use.
            config: Any = config_obj
            self._session = SingleRequestSession(config)
        except MissingConfigError:
            raise NoCredentialsError(
                "there are no ClearML credentials on this machine: run `clearml-init`, or set CLEARML_API_HOST, "
                "CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY"
            ) from None
        except LoginError as error:
            raise _login_failed(error) from None
        except (requests.exceptions.RequestException, ValueError) as error:
            raise UnreachableError(
                f"the ClearML server cannot be used: {without_user(str(error))}; check CLEARML_API_HOST or clearml.conf"
            ) from None

    def __repr__(self) -> str:
        return f"<ClearML server {self.host}>"

    @property
    def host(self) -> str:
        """The address of its API, as people may see it."""
        return without_user(str(self._session.host))

    def call(self, action: str, /, **body: Any) -> dict[str, Any]:
        """Send one request and return the data of its answer.

        Parameters
        ----------
        action
            ``"service.action"``.
        **body
            The request's fields; those that are None are left out.

        Returns
        -------
        dict
            The answer's ``data``.

        Raises
        ------
        UnreachableError, RefusedError, RequestFailedError
            As the names say.
        """
        service, _, name = action.partition(".")
        fields = {key: value for key, value in body.items() if value is not None}
        try:
            answer = self._session.send_request(service, name, version=str(Session.api_version), json=fields)
        except LoginError as error:
            raise _login_failed(error) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise UnreachableError(f"the ClearML server at {self.host} does not answer ({_short(error)})") from None
        self.clock_ahead = _seconds_ahead(answer.headers.get("Date"))
        return _data(action, answer.status_code, answer.content)

    def tasks(self, ids: list[str], only_fields: list[str]) -> list[dict[str, Any]]:
        """Fields of some Tasks, archived and hidden ones included.

        Parameters
        ----------
        ids
            Ids of Tasks; each `PAGE` of them are one request.
        only_fields
            Dotted paths of the fields.

        Returns
        -------
        list of dict
            The Tasks that exist; unknown ids are left out.
        """
        found: list[dict[str, Any]] = []
        for page in pages(ids):
            request = {"id": page, "only_fields": only_fields, "search_hidden": True, "page": 0, "page_size": PAGE}
            found += self.find_tasks(**request)
        return found

    def workers_of(self, queue: str) -> list[str]:
        """Ids of the workers that serve a queue, by its name."""
        workers = self.call("workers.get_all").get("workers") or ()
        return [
            str(worker.get("id"))
            for worker in workers
            if any(served.get("name") == queue for served in worker.get("queues") or ())
        ]

    def project_id(self, name: str) -> str | None:
        """The id of a project, hidden ones included; None: there is none of that name."""
        pattern = f"^{re.escape(name)}$"
        found = self.call("projects.get_all", name=pattern, only_fields=["id", "name"], search_hidden=True)
        return next((str(project["id"]) for project in found.get("projects") or ()), None)

    def find_tasks(self, **request: Any) -> list[dict[str, Any]]:
        """Fields of the Tasks that ``tasks.get_all`` finds; an answer that does not say which is an error, not none."""
        tasks = self.call("tasks.get_all", **request).get("tasks")
        if not isinstance(tasks, list):
            raise NotClearmlsError("tasks.get_all", 200)
        return tasks


class LazyServer(Server):
    """The server that this process's configuration names, signed in with the first request.

    Without credentials it is that request which raises `NoCredentialsError`.
    """

    def __init__(self) -> None:
        pass

    def __repr__(self) -> str:
        return "<ClearML server of this process's configuration>"

    def call(self, action: str, /, **body: Any) -> dict[str, Any]:
        """See `Server.call`."""
        return server().call(action, **body)


def pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The same ids, no more than `PAGE` at a time."""
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))


_lock = threading.Lock()
_servers: dict[str, Server] = {}


def server() -> Server:
    """The server that this process's ClearML configuration names, signed in once; ``ClearmlError`` for none."""
    if Task.is_offline():
        raise ClearmlError(
            "ClearML's SDK is offline, and the trials of a search are Tasks of a server: unset CLEARML_OFFLINE_MODE, "
            "or call Task.set_offline(offline_mode=False)"
        )
    identity = _identity()
    with _lock:
        if identity not in _servers:
            _servers[identity] = Server()
        return _servers[identity]


def _identity() -> str:
    """Which server is asked as whom; a digest, because keys do not belong into the locals of a traceback."""
    settings: Any = config_obj
    access_key = ENV_ACCESS_KEY.get(default=settings.get("api.credentials.access_key", None))
    parts = [Session.get_api_server_host(), Session.get_worker_host_name(), access_key]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _seconds_ahead(date: str | None) -> float:
    """How far a date of HTTP, which has whole seconds and was on its way, is ahead; 0 within `_SAME_SECONDS`."""
    try:
        ahead = parsedate_to_datetime(date or "").timestamp() - time.time()
    except (OverflowError, TypeError, ValueError):
        return 0.0
    return ahead if abs(ahead) > _SAME_SECONDS else 0.0


def _data(action: str, status: int, content: bytes) -> dict[str, Any]:
    try:
        # Lenient: the server writes NaN and Infinity as they are.
        answer: Mapping[str, Any] = json.loads(content)
        meta: Mapping[str, Any] = answer["meta"]
        code = int(meta.get("result_code", status))
        subcode, message = int(meta.get("result_subcode") or 0), str(meta.get("result_msg") or "")
        data = dict(answer.get("data") or {})
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        if status >= 500:
            raise UnreachableError(f"the ClearML server answered {action} with HTTP {status}") from None
        raise NotClearmlsError(action, status) from None
    if code == 200:
        return data
    if code in {401, 403}:
        raise RefusedError(
            f"the ClearML server refused {action} ({code}/{subcode}: {message}); "
            "check the access key and the secret key",
            code,
        )
    raise RequestFailedError(action, code, subcode, message)


def _login_failed(error: LoginError) -> ClearmlError:
    cause = error.__context__
    if isinstance(cause, (requests.exceptions.RequestException, OSError)):
        return UnreachableError(
            f"the ClearML server at {without_user(str(Session.get_api_server_host()))} does not answer "
            f"({_short(cause)}); check that it runs and that CLEARML_API_HOST or clearml.conf names it"
        )
    return RefusedError(
        f"the ClearML server did not accept the credentials ({without_user(str(error))}); check the access key and "
        "the secret key"
    )


def without_user(text: str) -> str:
    """An address, or a sentence with one, without the name and the password that it may have before its host."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


def _short(error: BaseException) -> str:
    """The innermost reason, without the address and the pool that requests wraps round it."""
    reason: Any = error
    while True:
        inner = getattr(reason, "reason", None) or next(
            (argument for argument in getattr(reason, "args", ()) if isinstance(argument, BaseException)), None
        )
        if not isinstance(inner, BaseException) or inner is reason:
            break
        reason = inner
    text = without_user(str(reason)).rpartition(": ")[2] or type(reason).__name__
    return short(text, 200)


FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


class Availability:
    """Counts failed requests of all threads of an engine, and tells people once when the server goes and comes.

    Parameters
    ----------
    tell
        Called with a sentence, under the lock, so that the last sentence tells the present state; it must not block.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._since = ""
        self._wait = FIRST_WAIT

    def failed(self, error: BaseException) -> float:
        """Take note of a request without an answer; returns the seconds to wait before the next."""
        with self._lock:
            wait = self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            if self._away_since is None:
                self._away_since = time.monotonic()
                self._since = time.strftime("%H:%M:%S")
                self._tell(
                    f"{error}; since {self._since} nothing is known of the running trials and none is launched. Trying "
                    f"again in {wait:g} s, later every {LONGEST_WAIT:g} s; nothing is lost"
                )
        return wait

    def answered(self) -> None:
        """Take note of an answer."""
        with self._lock:
            if self._away_since is None:
                return
            seconds = time.monotonic() - self._away_since
            self._away_since = None
            self._wait = FIRST_WAIT
            self._tell(f"the ClearML server answers again after {seconds:.0f} s (it did not since {self._since})")
