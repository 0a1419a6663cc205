"""``hpo-widgets list``, ``show``, ``export`` and ``replay``: read the journals of searches from a terminal."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hpo_widgets._messages import counted
from hpo_widgets.journal import DIRECTORY, JournalError
from hpo_widgets.journal.naming import changed_at, find, journal_place, journals
from hpo_widgets.search import ViewedSearch
from hpo_widgets.search.in_words import front as on_front
from hpo_widgets.search.in_words import note, num_done, pill, ranked_by
from hpo_widgets.search.limits import typed_positive_int
from hpo_widgets.trials.columns import Front
from hpo_widgets.viewer import SearchReplay, SearchViewer
from hpo_widgets.viewer.replay import SPEED, checked_speed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import Search
    from hpo_widgets.trials import Trial

_Read = TypeVar("_Read")


class UsageError(Exception):
    """The command line asks for something impossible; the message says what is possible."""


def add_parsers(commands: Any) -> None:
    """Add these commands to what ``add_subparsers`` returned."""
    listing = commands.add_parser("list", help="list the searches of a folder, the newest first")
    listing.set_defaults(command=list_searches)
    show = commands.add_parser("show", help="show a search and its best trials")
    show.add_argument("--top", type=positive_int, default=10, metavar="N", help="number of trials (default: 10)")
    show.add_argument("--code", action="store_true", help="print the Python code that makes this search instead")
    show.set_defaults(command=show_search)
    export = commands.add_parser("export", help="write all trials of a search as CSV or JSON")
    export.add_argument("--format", choices=("csv", "json"), help="default: from the file's extension, else csv")
    export.add_argument("--out", type=typed_path, metavar="FILE", help="file to write (default: the terminal)")
    export.set_defaults(command=export_search)
    replay = commands.add_parser(
        "replay",
        help="play a search back, as a line of progress or in a page of its own",
        description="Play a search back as a line of progress: its trials and its best value at their recorded times; "
        "nothing is run. With --page, write a page that plays the whole panel back in any browser, without a kernel. "
        "In a notebook, OptimizerWidget(replay(...)) does the same.",
    )
    replay.add_argument("--page", type=typed_path, metavar="FILE", help="HTML page to write instead of playing")
    replay.add_argument(
        "--moments", type=positive_int, metavar="N", help="number of moments in the page (default: 100)"
    )
    replay.add_argument("--speed", type=_speed, default=SPEED, metavar="X", help="speed as a factor (default: 10)")
    replay.set_defaults(command=replay_search, top=10)
    for parser in (show, export, replay):
        add_search(parser)
    for parser in (listing, show, export, replay):
        add_folder(parser)


def add_search(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which search it is about."""
    parser.add_argument(
        "search", help="id of the search, the beginning of its id, or the path of its journal; `list` prints the ids"
    )


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where searches are kept."""
    parser.add_argument(
        "--journal",
        type=journal_folder,
        default=Path(DIRECTORY),
        metavar="DIR",
        help="folder of journals (%(default)s)",
    )


def typed_path(text: str) -> Path:
    """Return a path that was typed: no shell puts the home folder for ``~`` behind ``--out=``."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"no home folder is known for {text!r:.80}") from None


def argument(read: Callable[[str], _Read]) -> Callable[[str], _Read]:
    """Make an argparse ``type`` of a function that says in an error what is wrong with a text."""

    def typed(text: str) -> _Read:
        try:
            return read(text)
        except (ValueError, RuntimeError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


journal_folder = argument(journal_place)
positive_int = argument(partial(typed_positive_int, "it"))


def list_searches(chosen: argparse.Namespace) -> int:
    """Print a line for each search."""
    paths = journals(chosen.journal)
    if not paths:
        raise UsageError(f"the folder {chosen.journal} contains no searches; give another one with --journal")
    width = max(len(path.stem) for path in paths)
    for path in paths:
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(changed_at(path)))
        try:
            with SearchViewer(path) as search:
                ended, best = standing(search)
                best = best and f"best {best}"
                done, of, most = ended.rpartition(" of ")
                trials = f"{done}{of}{counted(int(most), 'trial')}"
                print(f"{path.stem:<{width}}  {at}  {pill(search)['word']:<11}  {trials}  {best}".rstrip())
        except JournalError as error:
            print(f"{path.stem:<{width}}  {at}  {error}")
    return 0


def show_search(chosen: argparse.Namespace) -> int:
    """Print how a search stands and its best trials, or its code."""
    with _opened(chosen) as search:
        if chosen.code:
            print(search.as_code())
        else:
            print(f"{plain(search.name)} ({search.id}), {plain(search.strategy_title)}: {pill(search)['word']}")
            print_best(search, chosen.top)
    return 0


def export_search(chosen: argparse.Namespace) -> int:
    """Write all trials."""
    suffix = "" if chosen.out is None else chosen.out.suffix.lower()
    kind = chosen.format or ("json" if suffix == ".json" else "csv")
    if chosen.format is None and suffix not in {"", ".csv", ".json", ".txt"}:
        raise UsageError(f"{chosen.out} is neither CSV nor JSON: name it *.csv or *.json, or use --format")
    with _opened(chosen) as search:
        text = search.to_csv() if kind == "csv" else f"{search.to_json()}\n"
        count = len(search.snapshot())
    if chosen.out is None:
        if kind == "json":
            # Output that has not all letters would get escapes that JSON does not know, such as \xe4.
            text = re.sub(r"[^\x00-\x7f]+", lambda letters: json.dumps(letters[0])[1:-1], text)
        sys.stdout.write(text)
        return 0
    try:
        chosen.out.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"{chosen.out} cannot be written: {error.strerror}") from None
    print(f"{counted(count, 'trial')} written to {chosen.out}", file=sys.stderr)
    return 0


def replay_search(chosen: argparse.Namespace) -> int:
    """Play a search to its end, and print its best trials then; or write a page that plays it."""
    if chosen.page is not None:
        return _write_page(chosen)
    if chosen.moments is not None:
        raise UsageError("--moments is the number of moments in a page: add --page FILE")
    try:
        with SearchReplay(chosen_journal(chosen), speed=chosen.speed) as search:
            search.play()
            search.wait(progress=True)
            print_best(search, chosen.top)
    except JournalError as error:
        raise UsageError(str(error)) from None
    return 0


def _write_page(chosen: argparse.Namespace) -> int:
    # Deferred: the other commands show no widget.
    from hpo_widgets.widget.replay_page import MOMENTS, save_replay_html

    try:
        page = save_replay_html(
            chosen_journal(chosen), chosen.page, moments=chosen.moments or MOMENTS, speed=chosen.speed
        )
    except (JournalError, ValueError) as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{chosen.page} cannot be written: {error.strerror or error}") from None
    print(f"written to {page}", file=sys.stderr)
    return 0


def print_best(search: Search, most: int) -> None:
    """Print how many trials there are, why the search ended, and its best trials as a table.

    Parameters
    ----------
    search
        The search.
    most
        Greatest number of trials in the table.
    """
    counts = [f"{count} {state.label}" for state, count in search.counts.items() if count]
    print(f"{counted(sum(search.counts.values()), 'trial')}: {', '.join(counts) or 'none so far'}")
    if search.stop_reason is not None:
        print(f"ended because: {plain(str(search.stop_reason))}")
    elif isinstance(search, ViewedSearch) and search.owner_died:
        print("the process that ran it ended before the search did")
    if len(search.objectives) > 1:
        front = Front(search.objectives)
        front.put(search.snapshot(), search.snapshot)
        if size := on_front(front.numbers):
            print(f"{size['value']}, first in the table")
    best = search.top(most)
    if not best:
        return
    names = list(search.space.names)
    rows = [["trial", *(plain(one) for one in [*(objective.key for objective in search.objectives), *names])]]
    rows += [
        [_number(trial), *_values(trial).split(), *(shown(trial.parameters.get(name, "")) for name in names)]
        for trial in best
    ]
    print_table(rows)


def standing(search: Search | SearchViewer) -> tuple[str, str]:
    """Return how many trials of a search are done, ``"3 of 10"``, and its best value, ``"0.5 at #2"`` or nothing."""
    of = "" if search.total_max_jobs is None else f" of {search.total_max_jobs}"
    best = search.best_trial
    return f"{num_done(search)}{of}", "" if best is None else f"{_values(best)} at {_number(best)}{ranked_by(search)}"


def print_table(rows: list[list[str]]) -> None:
    """Print rows, of which the first is the heading, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def plain(text: str) -> str:
    """Return a text of a trial or a journal with control characters escaped, as a terminal would act on them."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _opened(chosen: argparse.Namespace) -> SearchViewer:
    try:
        return SearchViewer(chosen_journal(chosen))
    except JournalError as error:
        raise UsageError(str(error)) from None


def chosen_journal(chosen: argparse.Namespace) -> Path:
    """Return the journal of the search that the command line names; a JournalError when there is none."""
    path = Path(chosen.search).expanduser()
    return path if path.is_file() else find(chosen.search, chosen.journal)


def _speed(text: str) -> float:
    try:
        return checked_speed(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"it is a number above 0, such as 10, got {text!r:.80}") from None


def _number(trial: Trial) -> str:
    """Return the number of a trial, with its state where its value is not that of a whole run."""
    return f"#{trial.number}{note(trial)}"


def _values(trial: Trial) -> str:
    return " ".join("-" if value is None else f"{value:.6g}" for value in trial.values)


def shown(value: object) -> str:
    """Return the value of a parameter as a terminal shows it: a float with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else plain(str(value))
