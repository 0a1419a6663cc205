"""``hpo-widgets run`` and ``continue``: search over the arguments of a script, from a terminal."""

from __future__ import annotations

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import counted, near_match
from hpo_widgets.cli.kept import (
    UsageError,
    add_folder,
    add_search,
    argument,
    chosen_journal,
    journal_folder,
    positive_int,
    print_best,
)
from hpo_widgets.journal import JournalError, opened_by
from hpo_widgets.objectives import Objective
from hpo_widgets.optimizer import HyperParameterOptimizer
from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.parameters.typed import typed_literal, typed_range
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.limits import typed_minutes
from hpo_widgets.strategies.registry import named
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from hpo_widgets.parameters import Parameter

_minutes = argument(partial(typed_minutes, "it"))

STRATEGIES = {"tpe": "OptimizerOptuna", "random": "RandomSearch", "grid": "GridSearch", "bohb": "OptimizerBOHB"}
"""Name of a strategy on the command line to the name of its class."""

EXAMPLES = """\
examples:
  hpo-widgets run train.py --param 'lr: log 1e-4 1e-1' --param 'layers: int 1 4' \\
      --objective validation/loss:min --trials 50
  hpo-widgets run train.py --param 'batch: int 16 128 step 16' --param 'optimizer: choice adam sgd' \\
      --objective validation/accuracy:max --minutes 30 --workers 4

The script gets each value as an argument (--lr 0.003) and reports its objective with
hpo_widgets.report_scalar("validation", "loss", value, iteration). Ctrl+C stops the search and its trials."""


def add_parsers(commands: Any) -> None:
    """Add the commands to what ``add_subparsers`` returned."""
    parser = commands.add_parser(
        "run",
        help="search over the arguments of a script",
        description="Run a script repeatedly with different arguments, in worker processes on this machine. Every "
        "trial is kept in a journal, which `list`, `show` and `export` read.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("script", type=Path, help="the Python script")
    parser.add_argument(
        "--param", dest="parameters", action="append", required=True, type=parameter, metavar="'NAME: KIND ...'",
        help="an argument of the script and its values: 'NAME: float LOW HIGH', 'NAME: log LOW HIGH', "
        "'NAME: int LOW HIGH' (float and int may end with 'step S'), or 'NAME: choice A B \"C D\"' (one choice alone "
        "stays fixed); may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--objective", dest="objectives", action="append", required=True, type=objective,
        metavar="TITLE/SERIES[:min|max]", help="title and series that the script reports, to minimise (default) "
        "or maximise; a name without a slash is both; repeat it for several objectives",
    )  # fmt: skip
    parser.add_argument("--trials", type=positive_int, metavar="N", help="trials in all (default: until it is stopped)")
    parser.add_argument("--minutes", type=_minutes, metavar="M", help="minutes after which the search ends")
    parser.add_argument(
        "--workers", type=positive_int, metavar="N", help="trials at the same time (default: one per core)"
    )
    parser.add_argument(
        "--trial-minutes",
        type=_minutes,
        metavar="M",
        help="minutes after which a trial is aborted, such as one that hangs",
    )
    parser.add_argument(
        "--trial-memory", type=float, metavar="GB", help="gigabytes of memory for each process of a trial, on Linux"
    )
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default="tpe", help="how points are chosen (default: %(default)s)"
    )
    parser.add_argument(
        "--min-iterations", type=positive_int, metavar="N",
        help="iterations that each trial gets before it may be pruned",
    )  # fmt: skip
    parser.add_argument(
        "--max-iterations", type=positive_int, metavar="N",
        help="iteration of the objective at which a trial is ended; bohb needs both",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="makes the choice of points repeatable")
    parser.add_argument("--name", help="name of the search (default: the script's name)")
    parser.add_argument(
        "--journal", type=journal_folder, metavar="DIR", help="folder of journals (default: .hpo_widgets)"
    )
    parser.set_defaults(command=run)
    going_on = commands.add_parser(
        "continue",
        help="continue a search that was stopped, or whose process has ended",
        description="Continue a search of this machine with its own strategy, and with the rest of its budget or a new "
        "one. The results of its trials are kept; interrupted trials are not run again.",
    )
    add_search(going_on)
    going_on.add_argument("script", type=Path, help="the Python script, as when the search was made")
    going_on.add_argument("--trials", type=positive_int, metavar="N", help="trials in all (default: as before)")
    going_on.add_argument(
        "--minutes", type=_minutes, metavar="M", help="minutes from now after which it ends (default: what is left)"
    )
    going_on.add_argument(
        "--workers", type=positive_int, metavar="N", help="trials at the same time (default: as before)"
    )
    going_on.add_argument(
        "--retry-failed",
        action="store_true",
        help="first run each point again that has failed and has no result; the retries count as trials",
    )
    add_folder(going_on)
    going_on.set_defaults(command=continue_search)


def run(chosen: argparse.Namespace) -> int:
    """Search, show the progress, and print what was found.

    Returns 0 when a trial was completed, 1 when none was or the search ended by an error, 130 after Ctrl+C.
    Arguments that do not fit together are a `UsageError`; no trial has run then.
    """
    titles, series, signs = zip(*chosen.objectives, strict=True)
    given = {
        "seed": chosen.seed, "name": chosen.name, "journal": chosen.journal, "total_max_jobs": chosen.trials,
        "min_iteration_per_job": chosen.min_iterations, "max_iteration_per_job": chosen.max_iterations,
        "time_limit_per_job": chosen.trial_minutes, "max_memory_per_job": chosen.trial_memory,
    }  # fmt: skip
    try:
        search = HyperParameterOptimizer(
            chosen.script, chosen.parameters, list(titles), list(series), list(signs),
            named(STRATEGIES[chosen.strategy]), max_number_of_concurrent_tasks=chosen.workers,
            optimization_time_limit=chosen.minutes,
            **{name: value for name, value in given.items() if value is not None},
        )  # fmt: skip
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    return _follow(search, chosen)


def continue_search(chosen: argparse.Namespace) -> int:
    """Go on with a search, show the progress, and print what was found; returns what `run` does.

    It is a `UsageError` when there is no such search, another process runs it, its budget is used up, or the script
    does not fit.
    """
    try:
        opened = HyperParameterOptimizer.open(chosen_journal(chosen), base_task_id=chosen.script)
    except (JournalError, TypeError, ValueError, OSError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    if not isinstance(opened, HyperParameterOptimizer):
        with opened:
            raise UsageError(f"{opened.id} cannot be continued: {opened.capabilities['start']}")
    if chosen.trials is not None:
        opened.set_total_max_jobs(chosen.trials)
    if chosen.minutes is not None:
        opened.set_time_limit(in_minutes=chosen.minutes)
    if chosen.workers is not None:
        opened.set_max_number_of_concurrent_tasks(chosen.workers)
    if chosen.retry_failed:
        opened.retry_failed()
        # With those that were queued before: by a run whose budget had no room for them, or by a person.
        print(f"to be run first: {counted(opened.num_waiting_points, 'point')}", file=sys.stderr)
    return _follow(opened, chosen)


def _follow(search: HyperParameterOptimizer, chosen: argparse.Namespace) -> int:
    """Start a search, wait for its end, and print what was found."""
    is_interrupted = False
    try:
        if not search.start():
            raise UsageError(f"the budget of {search.id} is used up: raise it with --trials or --minutes")
        print(f"search {search.id}, kept in {search.journal_path}", file=sys.stderr)
        search.wait(progress=True)
    except KeyboardInterrupt:
        is_interrupted = True
        print("stopping (ended trials are kept) ...", file=sys.stderr)
        search.stop()
        search.wait()
    except BrokenPipeError:  # nobody reads the progress any more
        search.stop()
        raise
    print_best(search, 3)
    if is_interrupted:
        words = ["hpo-widgets", "continue", opened_by(search.journal_path, search.id), str(chosen.script)]
        print(f"to continue: {shlex.join(words)}", file=sys.stderr)
        return 130
    is_good = search.counts.get(TrialState.COMPLETED, 0) > 0 and search.status is not SearchStatus.FAILED
    return 0 if is_good else 1


def parameter(words: str) -> Parameter:
    """Return the parameter that ``'NAME: KIND ...'`` describes.

    Parameters
    ----------
    words
        ``'lr: log 1e-4 1e-1'``, ``'layers: int 1 4'``, ``'dropout: float 0 0.5 step 0.1'``, ``'kind: choice a b'``.

    Returns
    -------
    Parameter
        A range or choices.

    Raises
    ------
    argparse.ArgumentTypeError
        For words that describe no parameter; the message shows how to write one.
    """
    name, colon, rest = words.partition(":")
    kind, *values = rest.split() or [""]
    name = name.strip()
    if not colon or not name:
        raise argparse.ArgumentTypeError(f"{words!r} has no name: write 'NAME: KIND ...', such as 'lr: log 1e-4 1e-1'")
    if kind not in {"float", "int", "log", "choice"}:
        raise argparse.ArgumentTypeError(
            f"{kind!r} of {name!r} is not a kind of parameter. {near_match(kind, ['float', 'log', 'int', 'choice'])}"
        )
    try:
        return _choices(name, rest) if kind == "choice" else _range(name, kind, values)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{name!r}: {error}") from None


def _choices(name: str, words: str) -> Parameter:
    _, *values = shlex.split(words, posix=False)  # which leaves quotes to `typed_literal`
    if not values:
        raise ValueError("give the choices after 'choice'")
    return DiscreteParameterRange(name, [typed_literal(value) for value in values])


def _range(name: str, kind: str, values: list[str]) -> Parameter:
    has_step = len(values) == 4 and values[2] == "step" and kind != "log"
    if len(values) != 2 and not has_step:
        steps = "" if kind == "log" else " [step S]"
        raise ValueError(f"write '{kind} LOW HIGH{steps}', got {' '.join([kind, *values])!r}")
    return typed_range(name, kind, values[0], values[1], values[3] if has_step else None)


def objective(words: str) -> tuple[str, str, str]:
    """Return title, series and sign of ``TITLE/SERIES[:min|max]``.

    Parameters
    ----------
    words
        ``"validation/loss:min"``; without a slash title and series are the same, without a sign it is min.

    Returns
    -------
    tuple of str
        Title, series, sign.

    Raises
    ------
    argparse.ArgumentTypeError
        For another sign or no name.
    """
    key, colon, sign = words.rpartition(":")
    if not colon:
        key, sign = words, "min"
    if sign not in {"min", "max"} or not key:
        raise argparse.ArgumentTypeError(
            f"{words!r} is not an objective: write TITLE/SERIES:min or TITLE/SERIES:max, such as validation/loss:min"
        )
    named_one = Objective.named(key, sign)
    return named_one.title, named_one.series, named_one.sign
