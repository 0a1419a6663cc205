"""The built browser modules, their styles, and the widgets that have one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import anywidget
import traitlets as t

_FOLDER = Path(__file__).parents[1] / "static"


def asset(name: str) -> str | Path:
    """Return the text of a file that the build of ``js/`` has put into the package.

    For development, when the environment variable ``ANYWIDGET_HMR`` is set, return the path of the file instead:
    anywidget watches it to show a change at once. This is not the default, as anywidget never frees a widget whose
    module is a path.

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


class ModuleWidget(anywidget.AnyWidget):
    """A widget with a browser module of this package.

    The module finds its model by ``own_id`` (``js/src/lib/late_model.ts``).
    """

    own_id = t.Unicode(help="The id of the widget's model.").tag(sync=True)

    def __init__(self, **traits: object) -> None:
        name = uuid.uuid4().hex
        super().__init__(model_id=name, own_id=name, **traits)
