"""What `make bench` writes down: measurements with their spread, and the machine on which they were made."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import importlib.metadata
import json
import os
import platform
import sqlite3
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench.json"
"""Where `make bench` leaves its measurements."""

TURNS = int(os.environ.get("HPO_WIDGETS_BENCH_TURNS", "5"))
"""How often each is measured; fewer than five show only that the code runs."""

SPREAD = "median (least–greatest; how many measurements)"
"""What the numbers of a measurement are."""

_PACKAGES = (
    "hpo-widgets", "anywidget", "bqplot", "clearml", "hyperopt", "ipywidgets", "jupyter-scatter", "jupyterlab", "numpy",
    "optuna", "pandas", "plotly", "ray", "scikit-learn", "scipy",
)  # fmt: skip
_SECONDS = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "µs"))


@dataclasses.dataclass(frozen=True)
class Samples:
    """Repeated measurements of one quantity, each by itself.

    Parameters
    ----------
    values
        The measurements, at least one.
    unit
        ``s``, ``B``, ``%`` (the values are shares of 1), ``/s``, ``×``, or "" for counts.
    note
        What else is to be said, behind the numbers.
    """

    values: Sequence[float]
    unit: str
    note: str = ""

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def quantile(self, share: float) -> float:
        """What this share of the measurements keep."""
        return float(np.quantile(self.values, share))

    def __str__(self) -> str:
        factor, unit = _shown_in(self.unit, self.median)
        low, high = (_number(factor * value) for value in (min(self.values), max(self.values)))
        spread = f"{low}–{high}" if low != high else "all alike"
        number = f"{_number(factor * self.median)}{unit} ({spread}; {len(self.values)})"
        return f"{number}, {self.note}" if self.note else number


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement: what, how much, which target (`bar`) it has to reach, what peers reach.

    ``reached`` is None where there was nothing to compare. ``test`` is the id of the test that measured it. ``why`` is
    a sentence that says why the target is missed where it is.
    """

    what: str
    measured: Samples | str
    bar: str
    peers: Mapping[str, Samples | str] | str
    reached: bool | None
    test: str = ""
    why: str = ""

    def form(self) -> dict[str, Any]:
        """The row as JSON holds it."""
        peers = {"": self.peers} if isinstance(self.peers, str) else self.peers
        return {
            "what": self.what,
            "measured": _form(self.measured),
            "bar": self.bar,
            "reached": self.reached,
            "peers": {name: _form(peer) for name, peer in peers.items()},
            "test": self.test,
            "why": self.why,
        }


def _form(measured: Samples | str) -> dict[str, Any]:
    if isinstance(measured, str):
        return {"text": measured}
    values = [float(f"{value:.6g}") for value in measured.values]
    return {"text": str(measured), "median": measured.median, "unit": measured.unit, "values": values}


def _shown_in(unit: str, median: float) -> tuple[float, str]:
    """By what the values are multiplied, and the unit that they then have."""
    if unit == "s":
        factor, name = next((factor, name) for least, factor, name in _SECONDS if abs(median) >= least)
        return factor, f" {name}"
    if unit == "B":
        return 1e-3, " kB"
    if unit == "%":
        return 100.0, " %"
    return 1.0, f" {unit}" if unit and unit[0] != "/" else unit


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def save(rows: Iterable[Row], began: dt.datetime, path: Path = RESULTS) -> None:
    """Write all that was measured so far."""
    seconds = (dt.datetime.now().astimezone() - began).total_seconds()
    results = {
        "made": began.isoformat(timespec="seconds"),
        "minutes": round(seconds / 60, 1),
        "spread": SPREAD,
        **environment(),
        "rows": [row.form() for row in rows],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@functools.cache
def environment() -> dict[str, Any]:
    """The machine and the versions of what is measured on it."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return {
        "commit": _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _cpu_model(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{platform.system()} {platform.release().partition('-')[0]}",
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "browser": _said(os.environ.get("HPO_WIDGETS_CHROMIUM", "chromium"), "--version").split(" built")[0],
        },
        "packages": found,
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of a table in Markdown, of rows as JSON holds them."""
    lines = ["| what | measured | target | peers in the same run | reached |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        peers = "; ".join(f"{name}: {peer['text']}" if name else peer["text"] for name, peer in row["peers"].items())
        mark = {True: "yes", False: "**no**", None: "–"}[row["reached"]]
        cells = (row["what"], row["measured"]["text"], row["bar"], peers, mark)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return lines


def missed(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines that say in Markdown why targets are missed; none where all are reached."""
    lines = [f"- {row['what']}: {row['why'] or 'Nobody knows yet.'}" for row in rows if row["reached"] is False]
    return ["", "### Missed, and why", "", *lines] if lines else []


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What was found so far, a line of JSON each."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def shown_chance(chance: float) -> str:
    """A probability of a mere chance."""
    return "< 0.001" if chance < 0.001 else f"{chance:.3f}"
