"""How rows become checked JSON text and come back, one by one and in bulk."""

from __future__ import annotations

import json
from itertools import chain
from json import encoder as json_encoder
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import numpy as np

from hpo_widgets.journal.errors import JournalDamaged, damaged
from hpo_widgets.journal.schema import TRIALS, checksum
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

KeyedRow = tuple[int, bytes, int]
"""A row of any table but ``trials``: key, text, checksum."""

LATEST = 1e11
"""Times are at most so many seconds from 1970: some 3,000 years."""

Record = tuple[int, bytes, bytes, int]
"""A row of ``trials``: number, ``data``, ``more``, checksum."""

ArrayName = Literal[
    "number", "state", "epoch", "values", "iteration", "started", "ended", "duration", "worker", "archived", "manual",
    "draw", "last_iteration",
]  # fmt: skip


class BulkColumns(TypedDict):
    """All trials of a journal as columns, row ``i`` being trial ``number[i]``; n trials, k objectives.

    ``state`` uint8, ``epoch`` int32, ``values`` (n, k) float64 with NaN where there is none, ``iteration``
    (n, k) int64 with -1, ``started`` and ``ended`` float64 Unix seconds with NaN, ``duration`` float64 seconds with
    NaN, ``worker`` int16 with -1, ``archived`` and ``manual`` bool, ``draw`` and ``last_iteration`` int64 with -1,
    ``parameters`` a list of ``Space.encode`` lists.
    """

    number: np.ndarray
    state: np.ndarray
    epoch: np.ndarray
    values: np.ndarray
    iteration: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    duration: np.ndarray
    worker: np.ndarray
    archived: np.ndarray
    manual: np.ndarray
    draw: np.ndarray
    last_iteration: np.ndarray
    parameters: list[list[Any]]


class StoredTrial(NamedTuple):
    """A trial as the table holds it.

    Attributes
    ----------
    row : TrialRow
        The trial.
    sequence : int
        Sequence number of the write that changed it last.
    curve : int
        Key of its newest row in ``scalars``; 0 when it has none.
    has_output : bool
        Whether it has a row in ``outputs``.
    """

    row: TrialRow
    sequence: int
    curve: int
    has_output: bool


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


def encode_trial(row: TrialRow, sequence: int, curve: int, has_output: bool) -> tuple[int, str, str, int]:
    """Encode a trial for the table ``trials``.

    Parameters
    ----------
    row : TrialRow
        The trial.
    sequence, curve, has_output
        See `StoredTrial`.

    Returns
    -------
    tuple
        Number, ``data``, ``more``, checksum.

    Raises
    ------
    TypeError, ValueError
        When something in it is not of its type.
    """
    number = int(row.number)
    for entry in row.parameters:
        if type(entry) not in _ENTRIES and not isinstance(entry, np.number | np.bool_):
            raise TypeError(f"A point is a list of numbers and None, got {row.parameters!r} for trial {number}.")
    values, iterations = row.values, row.iteration
    epoch, worker, draw, last_iteration = int(row.epoch), int(row.worker), int(row.draw), int(row.last_iteration)
    if not (0 <= epoch < 2**31 and -1 <= worker < 2**15 and -1 <= draw < 2**62 and abs(last_iteration) < 2**62):
        raise ValueError(f"Trial {number} has a number that is out of range: {row!r:.500}")
    data = encode((
        sequence,
        int(row.state),
        epoch,
        row.parameters,
        None if values is None else [None if value is None else float(value) for value in values],
        None if iterations is None else [None if at is None else int(at) for at in iterations],
        _time(row.started),
        _time(row.ended),
        _time(row.duration),
        worker,
        int(bool(row.archived)),
        int(bool(row.manual)),
        draw,
        last_iteration,
        None if row.job is None else printable(row.job),
    ))  # fmt: skip
    more = encode((None if row.error is None else printable(row.error), row.summary, curve, int(has_output)))
    return number, data, more, checksum(TRIALS, number, data.encode(), more.encode())


def _time(seconds: float) -> float | None:
    """Return seconds as they are kept: null while unknown, which is parsed quicker than NaN."""
    seconds = float(seconds)
    if seconds != seconds:  # noqa: PLR0124 -- NaN
        return None
    if not abs(seconds) <= LATEST:
        raise ValueError(f"{seconds} seconds are no time that a trial can have.")
    return seconds


def decode_trials(records: Sequence[Record], path: Path) -> list[StoredTrial]:
    """Check and decode rows of the table ``trials``, in their order.

    Parameters
    ----------
    records
        Rows of the table.
    path
        The file, for messages.

    Returns
    -------
    list of StoredTrial
        One entry a row, in the same order.

    Raises
    ------
    JournalDamaged
        When a row is not as it was written.
    """
    if not records:
        return []
    _check_records(records, path)
    fields = _parse([record[1] for record in records], path)
    more = _parse([record[2] for record in records], path)
    try:
        _check_columns(list(zip(*fields, strict=True)))
        _check_more(list(zip(*more, strict=True)))
        return [
            StoredTrial(
                TrialRow(
                    record[0], state, epoch, point, values, iterations, NAN if started is None else started,
                    NAN if ended is None else ended, worker, bool(archived), bool(manual), draw, error, summary, job,
                    NAN if duration is None else duration, last_iteration,
                ),
                sequence,
                curve,
                bool(has_output),
            )
            for record, (
                sequence, state, epoch, point, values, iterations, started, ended, duration, worker, archived, manual,
                draw, last_iteration, job,
            ), (error, summary, curve, has_output) in zip(records, fields, more, strict=True)
        ]  # fmt: skip
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise _odd_trial(path, error) from error


def decode_columns(records: Sequence[Record], num_objectives: int | None, path: Path) -> BulkColumns:
    """Check and decode rows of the table ``trials`` into columns.

    Parameters
    ----------
    records : sequence of tuple
        The rows, in the order of their numbers.
    num_objectives : int or None
        Second axis of ``values``; None: as many as the rows have, at least one.
    path : pathlib.Path
        For messages.

    Returns
    -------
    BulkColumns
        One array a column; the first axis is the trial.
    """
    _check_records(records, path)
    fields = _parse([record[1] for record in records], path)
    try:
        columns = list(zip(*fields, strict=True)) if fields else [()] * _NUM_FIELDS
        arrays = _check_columns(columns)
        values, iterations = columns[4], columns[5]
        if num_objectives is None:
            num_objectives = max((len(value) for value in values if value is not None), default=1) or 1
        return {
            "number": np.array([record[0] for record in records], dtype=np.int64),
            "state": arrays[1].astype(np.uint8),
            "epoch": arrays[2].astype(np.int32),
            "values": _matrix(values, num_objectives, np.dtype(np.float64), NAN),
            "iteration": _matrix(iterations, num_objectives, np.dtype(np.int64), -1),
            "started": arrays[6],
            "ended": arrays[7],
            "duration": arrays[8],
            "worker": arrays[9].astype(np.int16),
            "archived": arrays[10].astype(np.bool_),
            "manual": arrays[11].astype(np.bool_),
            "draw": arrays[12].astype(np.int64),
            "last_iteration": arrays[13].astype(np.int64),
            "parameters": list(columns[3]),
        }
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise _odd_trial(path, error) from error


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
        "duration": joined("duration"),
        "worker": joined("worker"),
        "archived": joined("archived"),
        "manual": joined("manual"),
        "draw": joined("draw"),
        "last_iteration": joined("last_iteration"),
        "parameters": [point for part in parts for point in part["parameters"]],
    }


def encode_row(table: int, key: int, value: object) -> tuple[int, str, int]:
    """Encode a row of any table but ``trials``.

    Parameters
    ----------
    table : int
        ``schema.STATE`` to ``schema.WRITES``.
    key : int
        Its key.
    value : object
        What JSON can hold.

    Returns
    -------
    tuple
        Key, text, checksum.
    """
    data = encode(value)
    return key, data, checksum(table, key, data.encode())


def decode_row(table: int, row: Sequence[Any] | None, path: Path, what: str) -> Any:
    """Check and decode a row of any table but ``trials``.

    Parameters
    ----------
    table : int
        ``schema.STATE`` to ``schema.WRITES``.
    row : sequence or None
        Key, text, checksum; None when there is no such row.
    path : pathlib.Path
        For messages.
    what : str
        The row, for messages.

    Returns
    -------
    object
        The value that was written.

    Raises
    ------
    JournalDamaged
        When there is no row, or it is not as it was written.
    """
    if row is None:
        raise damaged(path, f"{what} is missing")
    key, data, crc = row[:3]
    if not isinstance(data, bytes) or checksum(table, key, data) != crc:
        raise damaged(path, f"{what} was changed since it was written")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"{what} holds text that is not JSON ({error})") from error


def printable(text: str) -> str:
    """Spell out what UTF-8 cannot hold (lone surrogates, as in undecodable file names), the rest as it is."""
    if not isinstance(text, str):
        raise TypeError(f"A journal keeps text here, got {text!r}.")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


_ENTRIES = frozenset({float, int, bool, type(None)})
"""Types of what a point holds."""

_NUM_FIELDS = 15
_INTEGERS = {
    0: (0, 2**53),
    1: (0, len(TrialState)),
    2: (0, 2**31),
    9: (-1, 2**15),
    10: (0, 2),
    11: (0, 2),
    12: (-1, 2**62),
    13: (-(2**62), 2**62),
}
"""Position in ``data`` of whole numbers, with the lowest and what is above the highest."""
_FLOATS = (6, 7, 8)


def _check_records(records: Sequence[Record], path: Path) -> None:
    """Compare all checksums."""
    try:
        wrong = [number for number, data, more, crc in records if checksum(TRIALS, number, data, more) != crc]
    except TypeError as error:
        raise damaged(path, "a trial is no text") from error
    if wrong:
        raise damaged(path, f"trial {wrong[0]} was changed since it was written")


def _parse(texts: Sequence[bytes], path: Path) -> list[Any]:
    """Read many JSON texts by one call of the parser, which is what makes it quick."""
    try:
        decoded = json.loads(b"[" + b",".join(texts) + b"]")
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"a trial holds text that is not JSON ({error})") from error
    if len(decoded) != len(texts):
        raise damaged(path, "a trial holds several texts in one")
    return decoded  # type: ignore[no-any-return]


def _check_columns(columns: Sequence[Sequence[Any]]) -> dict[int, np.ndarray]:
    """Check types and ranges of all fields of ``data``; returns the columns of numbers by position."""
    if len(columns) != _NUM_FIELDS:
        raise ValueError("it has other fields")
    arrays = {}
    for position, (lowest, above) in _INTEGERS.items():
        column = columns[position]
        if not set(map(type, column)) <= {int} or (column and not lowest <= min(column) <= max(column) < above):
            raise ValueError("a number is out of range")
        arrays[position] = np.fromiter(column, np.int64, len(column))
    for position in _FLOATS:
        if not set(map(type, columns[position])) <= {float, type(None)}:
            raise TypeError("a time is no number")
        array = arrays[position] = np.array(columns[position], dtype=np.float64)
        if (np.abs(array) > LATEST).any():
            raise ValueError("a time is out of range")
    for position, types in ((3, {list}), (4, {list, type(None)}), (5, {list, type(None)}), (14, {str, type(None)})):
        if not set(map(type, columns[position])) <= types:
            raise TypeError("a list is missing")
    _check_entries(columns[3], _ENTRIES)
    _check_entries(columns[4], {float, type(None)})
    _check_entries(columns[5], {int, type(None)})
    return arrays


def _check_entries(lists: Iterable[Sequence[Any] | None], types: AbstractSet[object]) -> None:
    """Check the types of what lists hold."""
    if not set(map(type, chain.from_iterable(filter(None, lists)))) <= types:
        raise TypeError("a list holds something else than numbers")


def _check_more(columns: Sequence[Sequence[Any]]) -> None:
    """Check the fields of ``more``."""
    errors, summaries, curves, outputs = columns
    if not set(map(type, errors)) <= {str, type(None)} or not set(map(type, summaries)) <= {dict, type(None)}:
        raise TypeError("its error or its summary is of another type")
    for summary in summaries:
        for entries in (summary or {}).values():
            if type(entries) is not list or len(entries) != _NUM_SUMMARY:
                raise TypeError("its summary is of another form")
            _check_entries([entries], {float, int})
    if not set(map(type, (*curves, *outputs))) <= {int}:
        raise TypeError("a key is no whole number")


_NUM_SUMMARY = 7


def _matrix(lists: Sequence[Sequence[Any] | None], width: int, dtype: np.dtype, empty: float) -> np.ndarray:
    """Make an (n, width) array of lists that may be None or hold None."""
    if not {len(item) for item in lists if item is not None} <= {width}:
        raise ValueError("a trial has another number of objectives")
    if width == 1:
        firsts = [None if item is None else item[0] for item in lists]
        flat = [empty if first is None else first for first in firsts]
        return np.array(flat, dtype=dtype).reshape(len(lists), 1)
    missing = [empty] * width
    full = [missing if item is None else [empty if entry is None else entry for entry in item] for item in lists]
    return np.array(full, dtype=dtype).reshape(len(lists), width)


def _odd_trial(path: Path, error: Exception) -> JournalDamaged:
    """Say that the fields of a trial are not as a journal has them."""
    return damaged(path, f"a trial is not as a journal has it ({error})")
