"""The command line: ``hpo-widgets COMMAND``."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hpo_widgets.cli.demo import DemoError, run_demo

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""What shells expect of a command that was ended by Ctrl+C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        The words after ``hpo-widgets``. Default: those of this process.

    Returns
    -------
    int
        The exit code: 0, or 1 with a sentence on stderr, or 130 after Ctrl+C. Wrong words exit with 2.
    """
    chosen = _parser().parse_args(arguments)
    try:
        run_demo(trials=chosen.trials, out=chosen.out)
    except DemoError as error:
        print(f"hpo-widgets demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hpo-widgets demo: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hpo-widgets", description="Hyperparameter search, watched and steered.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run the quickstart notebook without a browser and keep what it shows",
        description="Run the quickstart notebook without a browser: a search over the settings of a classifier, "
        "on this machine. Writes the executed notebook and a page with its plots.",
    )
    demo.add_argument("--trials", type=_whole_above_zero, metavar="N", help="number of trials (default: 60)")
    demo.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder to write to (default: demo)"
    )
    return parser


def _whole_above_zero(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return int(text)


def _version() -> str:
    try:
        return version("hpo-widgets")
    except PackageNotFoundError:
        return "not installed"
