"""An in-memory ClearML API server on loopback, for tests and demonstrations: it keeps nothing when it ends.

Run it by hand with ``python -m hpo_widgets.testing.clearml_server``.
"""

from __future__ import annotations

from hpo_widgets.testing.clearml_server.request_log import LoggedRequest, RequestLog

try:
    from hpo_widgets.testing.clearml_server.server import ClearmlServer
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in {"tornado", "jwt"}:
        raise
    msg = f'The in-memory ClearML server needs {missing}: pip install "hpo-widgets[demo]"'
    raise ModuleNotFoundError(msg, name=error.name) from error

__all__ = ["ClearmlServer", "LoggedRequest", "RequestLog"]
