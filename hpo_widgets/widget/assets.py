"""The built browser modules and their styles."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "static"


def asset(name: str) -> str | Path:
    """Return the text of a file that the build of ``js/`` has put into the package.

    With ``ANYWIDGET_HMR`` in the environment its path, which anywidget watches to show a change at once. A path makes
    anywidget hold every widget for ever, so that none would be freed.

    Raises
    ------
    FileNotFoundError
        When the package was never built, as in a fresh checkout.
    """
    path = _FOLDER / name
    if not path.is_file():
        msg = f"{name} is not built: run `pip install -e .` in the checkout, or `node build.mjs` in js/"
        raise FileNotFoundError(msg)
    return path if os.environ.get("ANYWIDGET_HMR") else path.read_text(encoding="utf-8")
