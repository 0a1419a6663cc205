"""Encodes rows into bytes with checksums, and decodes and checks them, one by one and in bulk.

The numbers of a trial are a record of fixed layout (`TRIAL_HEAD`, then values, iterations and the point), which NumPy
reads for all trials at once; everything else is JSON text.
"""

from __future__ import annotations

import json
import re
import struct
from json import encoder as json_encoder
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

import numpy as np

from hpo_widgets._messages import printable
from hpo_widgets.journal.errors import Damage
from hpo_widgets.journal.schema import EVENTS, HEADER, TRIALS, checksum
from hpo_widgets.trials import NAN, TrialRow, TrialState
from hpo_widgets.trials.export import extras_of_trials
from hpo_widgets.trials.trial import STORED_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from hpo_widgets.trials.export import Extra

LATEST = 1e11
"""The largest time that is accepted, in Unix seconds: some 3,000 years."""

Record = tuple[int, bytes, bytes, int]
"""A row of ``trials``: number, ``data``, ``more``, checksum."""


class BulkColumns(TypedDict):
    """All trials of a journal as columns, row ``i`` being trial ``number[i]``; n trials, k objectives.

    ``state`` uint8, ``epoch`` int32, ``values`` (n, k) float64 with NaN where there is none, ``iteration``
    (n, k) int64 with -1, ``started`` and ``ended`` float64 Unix seconds with NaN, ``duration`` float64 seconds with
    NaN, ``worker`` int16 with -1, ``archived`` and ``enqueued`` bool, ``draw`` and ``last_iteration`` int64 with -1,
    ``parameters`` (n, p) float64, what ``Space.encode`` gives for each trial, with NaN for None.
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
    enqueued: np.ndarray
    draw: np.ndarray
    last_iteration: np.ndarray
    parameters: np.ndarray


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
    """Turn NumPy's scalars and arrays into Python's, which json can write; anything else is an error."""
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


def encode_trial(stored: StoredTrial) -> tuple[int, bytes, str, int]:
    """Encode a trial as number, ``data``, ``more`` and checksum of the table ``trials``.

    Raises
    ------
    TypeError, ValueError
        When something in it is not of its type.
    """
    row, sequence, curve, has_output = stored
    number = int(row.number)
    values, iterations, point = row.values or (), row.iteration or (), row.parameters
    if len(values) != len(iterations):
        raise ValueError(f"Trial {number} has {len(values)} values and {len(iterations)} iterations.")
    try:
        data = struct.pack(
            f"{_RECORD_FORMAT}{len(values)}d{len(iterations)}q{len(point)}d",
            sequence, row.draw, row.last_iteration, _time(row.started), _time(row.ended), _time(row.duration),
            row.epoch, row.worker, row.state, bool(row.archived) | bool(row.enqueued) << 1, len(values), len(point),
            *[NAN if value is None else value for value in values],
            *[-1 if at is None else at for at in iterations],
            *[NAN if entry is None else entry for entry in point],
        )  # fmt: skip
    except struct.error as error:
        raise TypeError(
            f"Trial {number} holds something else than numbers, or one out of range: {row!r:.500}"
        ) from error
    said, job = (None if text is None else printable(text) for text in (row.error, row.job))
    more = encode((said, row.summary, curve, int(has_output), job))
    return number, data, more, checksum(TRIALS, number, data, more.encode())


def _time(seconds: float) -> float:
    """Return seconds as they are kept, which are no more than `LATEST`; NaN while unknown."""
    if abs(seconds) > LATEST:
        raise ValueError(f"{seconds} seconds cannot be the time of a trial.")
    return seconds


def decode_trials(records: Sequence[Record]) -> list[StoredTrial]:
    """Check and decode rows of the table ``trials``, in their order; raises `Damage`, as all functions here do."""
    if not records:
        return []
    heads = _check_records(records)
    return [
        _stored_trial(*record[:2], head, *rest)
        for record, head, rest in zip(records, heads.tolist(), _read_more(records), strict=True)
    ]


def decode_extras(records: Sequence[Record], objectives: AbstractSet[str]) -> dict[int, Extra]:
    """Check rows of the table ``trials`` and decode what an export has of them beside their columns.

    Parameters
    ----------
    records
        Rows of the table.
    objectives
        Names of the objectives.

    Returns
    -------
    dict
        As `extras_of_trials`.
    """
    if not records:
        return {}
    _check_records(records)
    more = zip(records, _read_more(records), strict=True)
    return extras_of_trials(((record[0], *rest[:2], rest[4]) for record, rest in more), objectives)


def _stored_trial(
    number: int,
    data: bytes,
    head: tuple[Any, ...],
    error: str | None,
    summary: dict[str, list[float]] | None,
    curve: int,
    has_output: int,
    job: str | None,
) -> StoredTrial:
    """Make a trial of its checked record and of the fields of ``more``."""
    (
        sequence, draw, last_iteration, started, ended, duration, epoch, worker, state, flags, num_objectives,
        num_parameters,
    ) = head  # fmt: skip
    body = struct.unpack_from(f"<{num_objectives}d{num_objectives}q{num_parameters}d", data, TRIAL_HEAD.itemsize)
    values, iterations = body[:num_objectives], body[num_objectives : 2 * num_objectives]
    # Always the same NaN object, so that equal rows compare as equal.
    started, ended, duration = (NAN if seconds != seconds else seconds for seconds in (started, ended, duration))  # noqa: PLR0124
    row = TrialRow(
        number, state, epoch, _with_none(body[2 * num_objectives :]), _with_none(values) or None,
        [None if at == -1 else at for at in iterations] or None, started, ended, worker, bool(flags & 1),
        bool(flags & 2), draw, error, summary, job, duration, last_iteration,
    )  # fmt: skip
    return StoredTrial(row, sequence, curve, bool(has_output))


def _with_none(numbers: Sequence[float]) -> list[float | None]:
    """Put None for NaN."""
    return [None if number != number else number for number in numbers]  # noqa: PLR0124 -- NaN


def decode_columns(records: Sequence[Record], num_objectives: int) -> BulkColumns:
    """Check and decode rows of the table ``trials`` into columns.

    Parameters
    ----------
    records : sequence of tuple
        The rows, in the order of their numbers.
    num_objectives : int
        Second axis of ``values``.

    Returns
    -------
    BulkColumns
        One array a column; the first axis is the trial.

    Raises
    ------
    Damage
        When a row is not as it was written, or not like the others.
    """
    heads = _check_records(records)
    count = len(heads)
    num_parameters = int(heads["num_parameters"].max(initial=0))
    reported = heads["num_objectives"] > 0
    if (heads["num_objectives"][reported] != num_objectives).any() or (heads["num_parameters"] != num_parameters).any():
        raise Damage("its trials differ in the number of objectives or parameters")
    values = np.full((count, num_objectives), NAN)
    iteration = np.full((count, num_objectives), -1, dtype=np.int64)
    size, width = TRIAL_HEAD.itemsize, 8 * num_objectives
    bodies = [
        record[1][size : size + 2 * width] for record, has_values in zip(records, reported, strict=True) if has_values
    ]
    body = np.frombuffer(b"".join(bodies), dtype="<i8").reshape(len(bodies), 2 * num_objectives)
    values[reported] = body[:, :num_objectives].view("<f8")
    iteration[reported] = body[:, num_objectives:]
    points = b"".join([record[1][-8 * num_parameters :] for record in records]) if num_parameters else b""
    return {
        "number": np.array([record[0] for record in records], dtype=np.int64),
        "state": heads["state"].copy(),
        "epoch": heads["epoch"].astype(np.int32),
        "values": values,
        "iteration": iteration,
        "started": heads["started"].astype(np.float64),
        "ended": heads["ended"].astype(np.float64),
        "duration": heads["duration"].astype(np.float64),
        "worker": heads["worker"].astype(np.int16),
        "archived": (heads["flags"] & 1).astype(np.bool_),
        "enqueued": (heads["flags"] & 2).astype(np.bool_),
        "draw": heads["draw"].astype(np.int64),
        "last_iteration": heads["last_iteration"].astype(np.int64),
        "parameters": np.frombuffer(points, dtype="<f8").astype(np.float64).reshape(count, num_parameters),
    }


def running_records(records: Sequence[Record]) -> list[Record]:
    """Check rows of the table ``trials`` and return those of trials that run, in the order given."""
    heads = _check_records(records)
    return [records[index] for index in np.flatnonzero(heads["state"] == TrialState.RUNNING).tolist()]


def join_columns(parts: Sequence[BulkColumns]) -> BulkColumns:
    """Put columns of consecutive trials one after the other."""
    given = cast("Sequence[dict[str, np.ndarray]]", parts)
    return cast("BulkColumns", {name: np.concatenate([part[name] for part in given]) for name in given[0]})


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


def decode_row(table: int, row: Sequence[Any] | None, what: str) -> Any:
    """Check and decode a row of any table but ``trials``.

    Parameters
    ----------
    table : int
        ``schema.STATE`` to ``schema.WRITES``.
    row : sequence or None
        Key, text, checksum; None when there is no such row.
    what : str
        The row, for messages.

    Returns
    -------
    object
        The value that was written.

    Raises
    ------
    Damage
        When there is no row, or it is not as it was written.
    """
    if row is None:
        raise Damage(f"{what} is missing")
    key, data, crc = row[:3]
    if not isinstance(data, bytes) or checksum(table, key, data) != crc:
        raise Damage(f"{what} was changed since it was written")
    try:
        # The header has choices, and events what people typed: both are kept exactly, also unpaired surrogates.
        return json.loads(data) if table in {HEADER, EVENTS} else _loads(data)
    except (ValueError, RecursionError) as error:
        raise Damage(f"{what} holds text that is not JSON ({error})") from error


_HALF_OF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def _loads(data: bytes) -> Any:
    """Read JSON; halves of surrogate pairs, which no other text of the package has, become question marks."""
    value = json.loads(data)
    if _HALF_OF_A_PAIR.search(data) is None:
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


TRIAL_HEAD = np.dtype([
    ("sequence", "<i8"), ("draw", "<i8"), ("last_iteration", "<i8"), ("started", "<f8"), ("ended", "<f8"),
    ("duration", "<f8"), ("epoch", "<i4"), ("worker", "<i2"), ("state", "u1"), ("flags", "u1"),
    ("num_objectives", "<u2"), ("num_parameters", "<u2"),
])  # fmt: skip
"""How the ``data`` of a trial begins; ``flags`` has archived as bit 0, enqueued as bit 1. Then come the values
(float64), their iterations (int64) and the point (float64); the first two are left out while nothing was reported."""

_RECORD_FORMAT = "<qqqdddihBBHH"
"""`TRIAL_HEAD` in the words of `struct`."""


def _check_records(records: Sequence[Record]) -> np.ndarray:
    """Compare all checksums and check the numbers that each record begins with; returns them as `TRIAL_HEAD`."""
    try:
        wrong = [number for number, data, more, crc in records if checksum(TRIALS, number, data, more) != crc]
    except TypeError as error:
        raise Damage("a trial is not a text") from error
    if wrong:
        raise Damage(f"trial {wrong[0]} was changed since it was written")
    size = TRIAL_HEAD.itemsize
    joined = b"".join([record[1][:size] for record in records])
    if len(joined) != size * len(records):
        raise Damage("a trial is cut off")
    heads = np.frombuffer(joined, dtype=TRIAL_HEAD)
    lengths = np.fromiter([len(record[1]) for record in records], np.int64, len(records))
    times = np.stack([heads[name] for name in ("started", "ended", "duration")])
    if (
        (lengths != size + 16 * heads["num_objectives"].astype(np.int64) + 8 * heads["num_parameters"]).any()
        or (heads["sequence"] < 0).any()
        or (heads["draw"] < -1).any()
        or (heads["epoch"] < 0).any()
        or (heads["worker"] < -1).any()
        or (heads["state"] >= len(STORED_STATES)).any()
        or (heads["flags"] > 3).any()
        or (np.abs(times) > LATEST).any()
    ):
        raise Damage("a trial does not have the form of a journal (a number is out of range)")
    return heads


def _parse(texts: Sequence[bytes]) -> list[Any]:
    """Read many JSON texts by one call of the parser, which is what makes it quick."""
    try:
        decoded = _loads(b"[" + b",".join(texts) + b"]")
    except (ValueError, RecursionError) as error:
        raise Damage(f"a trial holds text that is not JSON ({error})") from error
    if len(decoded) != len(texts):
        raise Damage("a trial holds several texts in one")
    return decoded  # type: ignore[no-any-return]


def _read_more(records: Sequence[Record]) -> list[Any]:
    """Read and check the fields of ``more`` of each row, of which there is at least one."""
    more = _parse([record[2] for record in records])
    try:
        _check_more(list(zip(*more, strict=True)))
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise Damage(f"a trial does not have the form of a journal ({error})") from error
    return more


def _check_more(columns: Sequence[Sequence[Any]]) -> None:
    """Check the fields of ``more``."""
    errors, summaries, curves, outputs, jobs = columns
    if not set(map(type, (*errors, *jobs))) <= {str, type(None)} or not set(map(type, summaries)) <= {dict, type(None)}:
        raise TypeError("its error, its job or its summary is of another type")
    for summary in summaries:
        for entries in (summary or {}).values():
            if type(entries) is not list or len(entries) != _NUM_SUMMARY:
                raise TypeError("its summary is of another form")
            if not set(map(type, entries)) <= {float, int}:
                raise TypeError("its summary holds something else than numbers")
    if not set(map(type, (*curves, *outputs))) <= {int}:
        raise TypeError("a key is not a whole number")
    if max((*curves, *outputs), default=0) >= _MOST_KEYS:
        raise ValueError("a key is larger than any that SQLite has")


_NUM_SUMMARY = 7
_MOST_KEYS = 2**63
