"""``hpo-widgets lab``: JupyterLab on a folder, with the Python that has this package."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from hpo_widgets.cli.kept import UsageError

EXAMPLES = """\
examples:
  hpo-widgets lab                 the current folder, with its notebooks and searches
  hpo-widgets lab notebooks       the example notebooks, in a clone of the project
  hpo-widgets lab search.ipynb    one notebook
  hpo-widgets lab --no-browser --port 9000    on another machine

Ctrl+C ends it. All other options: python -m jupyterlab --help"""


def add_parser(commands: Any) -> None:
    """Add the command to what ``add_subparsers`` returned."""
    parser = commands.add_parser(
        "lab",
        help="open JupyterLab on a folder",
        description="Open JupyterLab in the browser, on a folder or a notebook. Its kernels use this Python, which has "
        "hpo_widgets. New search in the launcher writes the first cell.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="folder or notebook (default: this folder)"
    )
    parser.add_argument("--port", type=int, metavar="N", help="port (default: 8888, or the next one that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--allow-root", action="store_true", help="for the user root, as in a container")
    parser.set_defaults(command=open_lab)


def open_lab(chosen: argparse.Namespace) -> int:
    """Replace this process by JupyterLab, which then receives Ctrl+C and sets the exit status.

    Where JupyterLab is not installed it returns 1, and stderr says how to install it. A folder or notebook that does
    not exist is a `UsageError`.
    """
    if not chosen.path.exists():
        raise UsageError(f"there is no {chosen.path}; give a folder or a notebook")
    if importlib.util.find_spec("jupyterlab") is None:
        print(
            "hpo-widgets lab: JupyterLab is not installed; install the extra: pip install 'hpo-widgets[lab]'",
            file=sys.stderr,
        )
        return 1
    words = [sys.executable, "-m", "jupyterlab", str(chosen.path.resolve())]
    words += ["--no-browser"] * chosen.no_browser + ["--allow-root"] * chosen.allow_root
    if chosen.port is not None:
        words.append(f"--port={chosen.port}")
    return os.execv(sys.executable, words)  # noqa: S606 -- no shell is wanted, and the words are made here
