"""Where the built browser modules lie."""

from __future__ import annotations

from pathlib import Path

_STATIC = Path(__file__).parents[2] / "static"


def asset(name: str) -> Path:
    """Path of a file that the build of ``js/`` has put into the package.

    Raises
    ------
    FileNotFoundError
        When the package was never built, as in a fresh checkout.
    """
    path = _STATIC / name
    if not path.is_file():
        msg = f"{name} is not built: run `pip install -e .` in the checkout, or `node build.mjs` in js/"
        raise FileNotFoundError(msg)
    return path
