"""The command line: ``hpo-widgets COMMAND``."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hpo_widgets.cli import kept, lab, run
from hpo_widgets.cli.demo import DemoError, run_demo
from hpo_widgets.journal import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

INTERRUPTED = 130
"""What shells expect of a command that was ended by Ctrl+C."""
CUT_OFF = 141
"""What shells expect of a command whose output nobody reads any more."""
_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors of an output that takes no more, such as a file on a full disk."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        The words after ``hpo-widgets``. Default: those of this process.

    Returns
    -------
    int
        The exit code: 0, or 1 with a sentence on stderr, or 130 after Ctrl+C, or 141 when nobody reads the output any
        more. Wrong words exit with 2.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names and choices may have letters that the output has not: they are spelt out, as in a file that is written.
        sys.stdout.reconfigure(errors="backslashreplace")
    chosen = _parser().parse_args(arguments)
    try:
        code: int = chosen.command(chosen)
        if sys.stdout is not None:
            sys.stdout.flush()
    except kept.UsageError as error:
        print(f"hpo-widgets {chosen.word}: {error}", file=sys.stderr)
        return 2
    except (DemoError, JournalError) as error:
        print(f"hpo-widgets {chosen.word}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"hpo-widgets {chosen.word}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Who read the output has gone, as `head` does.
        _drop(sys.stdout, sys.stderr)
        return CUT_OFF
    except OSError as error:
        if error.errno not in _OUTPUT_FULL or error.filename is not None:
            raise
        print(f"hpo-widgets {chosen.word}: the output cannot be written: {error.strerror}", file=sys.stderr)
        _drop(sys.stdout)
        return 1
    return code


def _drop(*streams: TextIO | None) -> None:
    """Let nothing more come out of streams that cannot be written: Python would try once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, streams):
        with contextlib.suppress(OSError):  # a stream that is no file
            os.dup2(nowhere, stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hpo-widgets", description="Hyperparameter search, watched and steered.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", dest="word", metavar="COMMAND")
    parser.set_defaults(command=partial(_help, parser))
    demo = commands.add_parser(
        "demo",
        help="run the quickstart notebook without a browser and keep what it shows",
        description="Run the quickstart notebook without a browser: a search over the settings of a classifier, "
        "on this machine. Writes the executed notebook and a page with its plots.",
    )
    demo.add_argument("--trials", type=kept.positive_int, metavar="N", help="number of trials (default: 60)")
    demo.add_argument(
        "--out", type=kept.typed_path, default=Path("demo"), metavar="DIR", help="folder to write to (default: demo)"
    )
    demo.set_defaults(command=_demo)
    run.add_parsers(commands)
    kept.add_parsers(commands)
    lab.add_parser(commands)
    return parser


def _help(parser: argparse.ArgumentParser, _chosen: argparse.Namespace) -> int:
    """Print which commands there are, for somebody who has given none."""
    parser.print_help(sys.stderr)
    return 2


def _demo(chosen: argparse.Namespace) -> int:
    run_demo(trials=chosen.trials, out=chosen.out)
    return 0


def _version() -> str:
    try:
        return version("hpo-widgets")
    except PackageNotFoundError:
        return "not installed"
