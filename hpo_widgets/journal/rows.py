"""How a row becomes JSON text and comes back, one by one and in bulk."""

from __future__ import annotations

import json
from json import encoder as json_encoder
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from hpo_widgets.journal.errors import damaged
from hpo_widgets.trials import NAN, TrialRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Record = tuple[Any, ...]
"""One row as SQLite holds it, in the order of `RECORD_FIELDS`."""

RECORD_FIELDS = (
    "number",
    "seq",
    "state",
    "epoch",
    "parameters",
    "objective_values",
    "objective_iterations",
    "started",
    "ended",
    "worker",
    "archived",
    "manual",
    "draw",
    "error",
    "summary",
    "job",
)
"""Columns of the table ``trials``."""

BULK_FIELDS = ", ".join(field for field in RECORD_FIELDS if field not in {"seq", "error", "summary", "job"})


ArrayName = Literal[
    "number", "state", "epoch", "values", "iteration", "started", "ended", "worker", "archived", "manual", "draw"
]


class BulkColumns(TypedDict):
    """All trials of a journal as columns, row ``i`` being trial ``number[i]``; n trials, k objectives.

    ``state`` uint8, ``epoch`` int32, ``values`` (n, k) float64 with NaN where there is none, ``iteration``
    (n, k) int64 with -1, ``started`` and ``ended`` float64 Unix seconds with NaN, ``worker`` int16 with -1,
    ``archived`` and ``manual`` bool, ``draw`` int64 with -1, ``parameters`` a list of ``Space.encode`` lists.
    """

    number: np.ndarray
    state: np.ndarray
    epoch: np.ndarray
    values: np.ndarray
    iteration: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    worker: np.ndarray
    archived: np.ndarray
    manual: np.ndarray
    draw: np.ndarray
    parameters: list[list[Any]]


def _plain(value: object) -> object:
    """Give json what it can write: NumPy's scalars and arrays as Python's; anything else is an error."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(
        f"{value!r} of type {type(value).__name__} cannot be kept in a journal, which holds JSON only: numbers, text, "
        "booleans, None, lists and dicts of them."
    )


def _make_encoder() -> Callable[[object], str]:
    """Make the function from a value to compact JSON text.

    ``JSONEncoder.encode`` builds its C encoder anew for each value, which is half the cost of a short list.
    Where that encoder can be had directly it is made once.
    """
    slow = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_plain).encode
    make = getattr(json_encoder, "c_make_encoder", None)
    if make is None:
        return slow
    chunks = make(None, _plain, json_encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    join = "".join

    def fast(value: object) -> str:
        return join(chunks(value, 0))

    sample = {"a": [1, -0.5, NAN, "\u00e9", None, True, {}]}
    return fast if fast(sample) == slow(sample) else slow


encode = _make_encoder()


def to_records(rows: Iterable[TrialRow], sequence: int) -> list[Record]:
    """Encode trials for the table ``trials``, stamped with the sequence number of their write."""
    write = encode
    return [
        (
            row.number,
            sequence,
            int(row.state),
            row.epoch,
            write(row.parameters),
            None if row.values is None else write(row.values),
            None if row.iteration is None else write(row.iteration),
            row.started,
            row.ended,
            row.worker,
            int(row.archived),
            int(row.manual),
            row.draw,
            row.error,
            None if row.summary is None else write(row.summary),
            row.job,
        )
        for row in rows
    ]


def from_records(records: Sequence[Record], path: Path) -> list[TrialRow]:
    """Decode rows of the table ``trials``, in their order."""
    if not records:
        return []
    columns = list(zip(*records, strict=True))
    parameters = decode_column(columns[4], columns[0], path)
    values = decode_column(columns[5], columns[0], path)
    iterations = decode_column(columns[6], columns[0], path)
    summaries = decode_column(columns[14], columns[0], path)
    return [
        TrialRow(
            number=record[0],
            state=record[2],
            epoch=record[3],
            parameters=point,
            values=value,
            iteration=iteration,
            started=NAN if record[7] is None else record[7],
            ended=NAN if record[8] is None else record[8],
            worker=record[9],
            archived=bool(record[10]),
            manual=bool(record[11]),
            draw=record[12],
            error=record[13],
            summary=summary,
            job=record[15],
        )
        for record, point, value, iteration, summary in zip(
            records, parameters, values, iterations, summaries, strict=True
        )
    ]


def to_columns(records: Sequence[Record], num_objectives: int | None, path: Path) -> BulkColumns:
    """Decode rows of ``BULK_FIELDS`` into columns.

    Parameters
    ----------
    records : sequence of tuple
        The rows, in the order of their numbers.
    num_objectives : int or None
        Second axis of ``values``; None: as many as the rows have, at least one.
    path : pathlib.Path
        For messages.
    """
    if not records:
        columns: list[tuple[Any, ...]] = [()] * 12
    else:
        columns = list(zip(*records, strict=True))
    number, state, epoch, parameters, values, iterations, started, ended, worker, archived, manual, draw = columns
    decoded_values = decode_column(values, number, path)
    decoded_iterations = decode_column(iterations, number, path)
    if num_objectives is None:
        num_objectives = max((len(value) for value in decoded_values if value is not None), default=1) or 1
    try:
        return {
            "number": np.array(number, dtype=np.int64),
            "state": np.array(state, dtype=np.uint8),
            "epoch": np.array(epoch, dtype=np.int32),
            "values": _matrix(decoded_values, num_objectives, np.float64, NAN),
            "iteration": _matrix(decoded_iterations, num_objectives, np.int64, -1),
            "started": np.array(started, dtype=np.float64),
            "ended": np.array(ended, dtype=np.float64),
            "worker": np.array(worker, dtype=np.int16),
            "archived": np.array(archived, dtype=np.bool_),
            "manual": np.array(manual, dtype=np.bool_),
            "draw": np.array(draw, dtype=np.int64),
            "parameters": decode_column(parameters, number, path),
        }
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise damaged(path, f"a trial holds something else than numbers ({error})") from error


def join_columns(parts: Sequence[BulkColumns]) -> BulkColumns:
    """Put columns of consecutive trials one after the other."""

    def joined(name: ArrayName) -> np.ndarray:
        return np.concatenate([part[name] for part in parts])

    return {
        "number": joined("number"),
        "state": joined("state"),
        "epoch": joined("epoch"),
        "values": joined("values"),
        "iteration": joined("iteration"),
        "started": joined("started"),
        "ended": joined("ended"),
        "worker": joined("worker"),
        "archived": joined("archived"),
        "manual": joined("manual"),
        "draw": joined("draw"),
        "parameters": [point for part in parts for point in part["parameters"]],
    }


def decode_column(texts: Sequence[str | None], numbers: Sequence[int], path: Path, what: str = "trial") -> list[Any]:
    """Read many JSON texts (NULL reads as None) by one call of the parser, which is what makes it quick."""
    try:
        decoded = json.loads(f"[{','.join(['null' if text is None else text for text in texts])}]")
        if len(decoded) == len(texts):
            return decoded  # type: ignore[no-any-return]
    except (TypeError, ValueError, RecursionError):
        pass
    # Something is wrong with one of them: say with which.
    for number, text in zip(numbers, texts, strict=True):
        decode(text, path, f"{what} {number}")
    raise damaged(path, f"a {what} holds several texts in one")


def decode(text: object, path: Path, what: str) -> Any:
    """Read one JSON text; NULL reads as None."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise damaged(path, f"{what} holds {type(text).__name__} where JSON text belongs")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"{what} holds text that is not JSON ({error})") from error


def _matrix(lists: Sequence[Sequence[Any] | None], width: int, dtype: type, empty: float) -> np.ndarray:
    """Make an (n, width) array of lists that may be None or hold None."""
    if width == 1:
        firsts = [None if item is None else item[0] for item in lists]
        flat = [empty if first is None else first for first in firsts]
        return np.array(flat, dtype=dtype).reshape(len(lists), 1)
    missing = [empty] * width
    full = [missing if item is None else [empty if entry is None else entry for entry in item] for item in lists]
    return np.array(full, dtype=dtype).reshape(len(lists), width)


def printable(text: str) -> str:
    """Spell out what UTF-8 cannot hold (lone surrogates, as in undecodable file names), the rest as it is."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
