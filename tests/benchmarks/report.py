"""Puts what was measured last into BENCHMARKS.md.

``python -m tests.benchmarks.report measurements``, ``quality``, ``sooner`` or ``candidates``: a part of the page each.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.benchmarks import candidates as of_samplers
from tests.benchmarks import wall_clock
from tests.benchmarks.rows import RESULTS, ROOT, environment, missed, read_lines, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PAGE = ROOT / "BENCHMARKS.md"

_HEAD_TITLE = "# Measurements\n"
_HEAD = f"""\
{_HEAD_TITLE}
hpo_widgets and similar tools, measured in the same run: other load on the machine affects all of them, so compare
ratios rather than times. `make bench` writes this part of the page, `make bench-quality`, `make bench-sooner` and
`make bench-candidates` the others; do not edit it. The code of every row is in `tests/benchmarks/`. A number is the
{{spread}}. The growth of pages and Tasks takes minutes to measure; it
is measured once, and its rows say so. If a target is missed, the last column says **no**, and a list below the
table says why.
"""

_TITLE = "## What a search finds in the same time\n"
_QUALITY = f"""\
{_TITLE}
Written by `make bench-quality`. Each search has two cores and starts in a new process, which has loaded its library,
that of the model, and the data. The clock starts when the user starts the search: for hpo_widgets by pressing Start in
a panel that has been on a page for {wall_clock.LOOKED_AT:g} s, so that its workers are ready. In the row
"started at once" code calls `start()` right after making the search, so the start of worker processes, which
import what a trial needs, is included. Optuna's two processes share a journal and are forked after these imports.
hyperopt runs one trial at a time. Each library uses its default: `OptimizerOptuna` of hpo_widgets proposes by TPE and a
Gaussian process in turn, Optuna and hyperopt by their TPE.

The best value is the best found when the time was over; lower is better. The target of a task is the median of what
random search has found at the end, and the time to the target is that of the first trial that reached it.
Medians have 95 % intervals (bootstrap). Each *p* is one-sided, from the rank test of Mann and Whitney: the probability
of a result at least this much better, or worse, than that of the row's search if both searches were equal.

Each task is judged by two criteria, at a level of significance of {wall_clock.LEVEL:.4f}: 0.05 divided by the number of
tasks. *Not worse* than Optuna in two processes: no *p* for a worse best value or a later target is
below the level. *Sooner* at the target than Optuna with n_jobs=2: its *p* is below the level; **no** means that this
was not shown.
"""

_SOONER_TITLE = "## Sooner than threads, with more seeds\n"
_SOONER = f"""\
{_SOONER_TITLE}
Written by `make bench-sooner`. Where 20 seeds do not show that hpo_widgets, started from a panel, is sooner at the
target than Optuna with n_jobs=2, more seeds may: the times to a target differ much from seed to seed. The two are
measured again in turn, as above, with {len(wall_clock.SOONER_SEEDS)} seeds that were not used there. The target is the
median of what random search finds with the first {len(wall_clock.SOONER_TARGET_SEEDS)} of these seeds. A difference is
shown by a *p* below {wall_clock.SOONER_LEVEL:.4f}: half of the level above, as this is the second measurement.
"""

_CANDIDATES_TITLE = "## The default sampler, beside others\n"
_CANDIDATES = f"""\
{_CANDIDATES_TITLE}
Made by `make bench-candidates`: the best values that `OptimizerOptuna` has found after so many trials, with plain TPE,
which is Optuna's default, and with others. The values of a row are those of the same searches, in simulated time with
one trial unfinished at each ask, as with two workers; less is better. The models of scikit-learn have 60 or 200 trials,
as they take CPU time. "TPE and a Gaussian process in turn" is the default of `OptimizerOptuna`. "64 candidates, gamma
0.15 n" is `TPESampler(n_ei_candidates=64, gamma=...)` with min(⌈0.15 n⌉, 25) good trials among n; Optuna 6 is to have
no `gamma` any more. "Sobol startup" begins with points of a scrambled Sobol sequence in place of random ones.
`GPSampler` is a Gaussian process; it needs `pip install torch`, and has 60 trials, as each ask takes longer than the
one before. The CPU time is that of a search with its trials. Of three tasks some trials fail: "failed of 60" is the
median of how many of the first 60 do. Optuna's samplers ignore these, the default learns of them.

A cell is the median, with the one-sided *p* of Mann and Whitney's rank test (of doing that much better than plain TPE /
that much worse, if both were alike). "Better" is significant below {of_samplers.LEVEL:.2g}: 0.05 divided by the number
of all cells of all candidates. "Worse" is significant below 0.05 divided by the number of the candidate's own cells, as
a default that does harm is to be found out.

The rule: a candidate may be the default where it is significantly better at one cell or more of a task that chose no
candidate, and significantly worse at none.
"""


def measurements() -> str:
    """The first part of the page: what `make bench` measured last."""
    if not RESULTS.exists():
        return _HEAD.format(spread="median") + "\n`make bench` was not run yet.\n"
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = results["rows"]
    return "\n".join(
        [_HEAD.format(spread=results["spread"]), _about(results), "\n".join([*table(rows), *missed(rows)]) + "\n"]
    )


def quality() -> str:
    """The second part of the page: what `make bench-quality` has found so far."""
    return _made(_QUALITY, "bench-quality", wall_clock.RESULTS, wall_clock.report)


def sooner() -> str:
    """The third part of the page: what `make bench-sooner` has found so far."""
    return _made(_SOONER, "bench-sooner", wall_clock.SOONER, wall_clock.sooner_report)


def candidates() -> str:
    """The last part of the page: what `make bench-candidates` has found so far."""
    return _made(_CANDIDATES, "bench-candidates", of_samplers.RESULTS, of_samplers.report)


def _made(head: str, target: str, path: Path, lines: Callable[[], list[str]]) -> str:
    found = read_lines(path)
    if not found:
        return f"{head}\n`make {target}` was not run yet.\n"
    return "\n".join([head, _found(found), "\n".join(lines()) + "\n"])


def renewed(page: str, part: Callable[[], str]) -> str:
    """Return the page with one part made anew; the others stay, also on a machine where they were not measured.

    Parameters
    ----------
    page
        The page as it is; empty where there is none.
    part
        `measurements`, `quality`, `sooner` or `candidates`.

    Returns
    -------
    str
        The page's text.
    """
    parts, rest = [], page
    for make, title in reversed(_PARTS.items()):
        begin = rest.find(title) if title in rest else len(rest)
        old, rest = rest[begin:], rest[:begin]
        parts.insert(0, make() if make is part or not old else old)
    return "\n\n".join(text.strip("\n") for text in parts) + "\n"


_PARTS = {measurements: _HEAD_TITLE, quality: _TITLE, sooner: _SOONER_TITLE, candidates: _CANDIDATES_TITLE}
"""What makes each part of the page, in their order, and its title."""


def _found(found: Sequence[Mapping[str, Any]]) -> str:
    """When, with which code, on which machine."""
    seeds = len({result["seed"] for result in found})
    commits = ", ".join(sorted({result["commit"] for result in found}))
    return f"{dt.datetime.now().astimezone():%Y-%m-%d}, commits {commits}: {seeds} seeds.\n{_on(environment())}\n"


def _about(results: Mapping[str, Any]) -> str:
    rows = results["rows"]
    num_missed = sum(row["reached"] is False for row in rows)
    num_left = sum(row["reached"] is None for row in rows)
    rest = f", {num_left} not measured" if num_left else ""
    return (
        f"{results['made'][:10]}, {results['minutes']} minutes, commit {results['commit']}: "
        f"{len(rows)} rows, {num_missed} of them miss their target{rest}.\n"
        f"{_on(results)}\n"
    )


def _on(results: Mapping[str, Any]) -> str:
    """On which machine, with which versions."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in results["packages"].items())
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}, SQLite {machine['sqlite']}, {machine['browser']};\n{packages}."
    )


def main(part: str) -> None:
    """Write a part of the page, then fail where a search that was looked at before misses a bar of that part."""
    chosen = {make.__name__: make for make in _PARTS}[part]
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", chosen), encoding="utf-8")
    print(f"wrote {PAGE}")
    if chosen is quality and (misses := wall_clock.missed()):
        sys.exit("\n".join(misses))


if __name__ == "__main__":
    main(sys.argv[1])
