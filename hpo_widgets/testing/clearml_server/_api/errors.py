"""The errors of the API: an HTTP status, a subcode within it and a message, as the server words them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error.

    Parameters
    ----------
    code : int
        The HTTP status, which is ``meta.result_code`` too.
    subcode : int
        ``meta.result_subcode``: which error of that status.
    message : str
        ``meta.result_msg``.
    """

    def __init__(self, code: int, subcode: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.subcode = subcode
        self.message = message


def bad_request(subcode: int, title: str, reason: str = "", **details: Any) -> ApiError:
    """An error 400: its title, the reason in brackets, and details after a colon."""
    message = f"{title} ({reason})" if reason else title
    if details:
        message += ": " + ", ".join(f"{name}={_detail(value)}" for name, value in details.items())
    return ApiError(400, subcode, message)


def _detail(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def validation_error(reason: str, **details: Any) -> ApiError:
    """A value that the endpoint does not take."""
    return bad_request(12, "Validation error", reason, **details)


def unknown_tasks(*ids: str) -> ApiError:
    """Tasks that do not exist, where the endpoint takes several."""
    return bad_request(101, "Invalid task id", ids=ids)


def unresolved_field(name: str) -> ApiError:
    """A field that the documents do not have."""
    return bad_request(
        14,
        "Lookup error",
        "probably an invalid field name or unsupported nested field",
        err=f'Cannot resolve field "{name}"',
    )
