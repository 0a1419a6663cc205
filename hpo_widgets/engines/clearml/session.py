"""A session of the SDK in which each request is sent once, so that whoever sent it knows that it was not sent again.

The SDK's own session sends a request again, for ever and ten times a second, when an answer is cut in the middle or the
connection cannot be encrypted. A clone whose answer is cut would be made again each time, and a certificate that has
expired would hold the thread for ever. No setting changes that, so `Session._send_request`, which all requests and the
signing in go through, is overridden here; ``_WORKER_HEADER`` and ``_CLIENT_HEADER`` are read. Other sessions of the
process, such as those of the SDK's Tasks, stay as they are. Tried on clearml 2.1.12.
"""

from __future__ import annotations

from typing import Any

from clearml.backend_api import Session
from clearml.backend_api.session import Request
from clearml.backend_api.utils import get_http_session_with_retry

ANSWER_SECONDS = 30.0
"""How long one answer may take; the SDK waits five minutes."""

CONNECT_SECONDS = 5.0

_TIMEOUT = (CONNECT_SECONDS, ANSWER_SECONDS)

_NO_RETRIES: dict[str, Any] = {"total": 0, "connect": 0, "read": 0, "redirect": 5, "status": 0, "backoff_factor": 0.0}

_COMES_BACK = [429, 502, 503, 509]
"""Codes of HTTP by which a server, or a proxy before it, says that it is busy or away: they are no answer."""

_UNAUTHORIZED = 401


class SingleRequestSession(Session):
    """Signs in and sends requests, each once; after a 401 with a new token once more, as nothing was done then.

    Parameters
    ----------
    config
        The SDK's configuration.
    """

    def __init__(self, config: Any) -> None:
        http: Any = get_http_session_with_retry(**_NO_RETRIES, status_forcelist=_COMES_BACK, config=config)
        http.write_timeout = _TIMEOUT  # of large requests
        self._http = http
        super().__init__(initialize_logging=False, config=config, http_retries_config=dict(_NO_RETRIES))

    def _send_request(
        self,
        service: str,
        action: str,
        version: str | None = None,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        auth: Any = None,
        data: Any = None,
        json: Any = None,
        refresh_token_if_unauthorized: bool = True,
        params: Any = None,
    ) -> Any:
        url = f"{self.host}/v{version}/{service}.{action}" if version else f"{self.host}/{service}.{action}"
        names = dict.fromkeys(self._WORKER_HEADER, self.worker) | dict.fromkeys(self._CLIENT_HEADER, self.client)
        headers = {**(headers or {}), **names}
        request = {"auth": auth, "data": data, "json": json, "params": params, "timeout": _TIMEOUT}
        answer = self._http.request(method or Request.def_method, url, headers=headers, **request)
        if answer.status_code == _UNAUTHORIZED and refresh_token_if_unauthorized:
            self.refresh_token()
            headers = self.add_auth_headers(headers)
            answer = self._http.request(method or Request.def_method, url, headers=headers, **request)
        return answer
