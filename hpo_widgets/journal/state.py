"""The row that every write renews: who owns the journal, and how much is in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hpo_widgets.journal.errors import damaged
from hpo_widgets.journal.lease import Owner, refuse_living
from hpo_widgets.journal.rows import decode_row, encode
from hpo_widgets.journal.schema import STATE, checksum
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

MOST_TRIALS = 10_000_000
"""A journal has fewer trials than this."""

MOST_GAPS = 1_000_000
"""So many numbers below the highest may have no trial: readers reserve space for each."""

_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a journal holds: what readers compare with what they find.

    Parameters
    ----------
    sequence
        Sequence number of the last write; 1 for a new journal.
    states
        Number of trials by `TrialState`.
    highest
        The highest number of a trial; -1 when there is none.
    metrics, scalars, outputs, events
        Number of rows of these tables.
    """

    sequence: int = 1
    states: tuple[int, ...] = (0,) * len(TrialState)
    highest: int = -1
    metrics: int = 0
    scalars: int = 0
    outputs: int = 0
    events: int = 0

    @property
    def trials(self) -> int:
        """Number of trials."""
        return sum(self.states)


class State(NamedTuple):
    """The owner, None when there is none, and the totals."""

    owner: Owner | None
    totals: Totals


def insert_state(connection: sqlite3.Connection, owner: Owner) -> None:
    """Write the row of a new journal, inside a transaction of the caller's."""
    connection.execute("INSERT INTO state VALUES (1, ?, ?, ?)", _record(owner, Totals()))


def renew_state(connection: sqlite3.Connection, owner: Owner, totals: Totals) -> bool:
    """Write the row anew if ``owner`` still is the owner, inside a transaction of the caller's; else return False."""
    done = connection.execute(
        "UPDATE state SET token = ?, data = ?, crc = ? WHERE id = 1 AND token = ?",
        (*_record(owner, totals), owner.token),
    )
    return done.rowcount == 1


def take(connection: sqlite3.Connection, owner: Owner, path: Path) -> State:
    """Make ``owner`` the owner, inside a write transaction, so that of two takers one sees the other.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    owner : Owner
        The new one.
    path : pathlib.Path
        For messages.

    Returns
    -------
    State
        What was there: the owner is one that left without giving the journal back.

    Raises
    ------
    JournalInUse
        When the former owner is alive.
    """
    former = read_state(connection, path)
    refuse_living(former.owner, path)
    connection.execute("UPDATE state SET token = ?, data = ?, crc = ? WHERE id = 1", _record(owner, former.totals))
    return former


def give_back(connection: sqlite3.Connection, owner: Owner, path: Path) -> None:
    """Leave the journal without an owner, if ``owner`` still is it."""
    state = read_state(connection, path)
    if state.owner is not None and state.owner.token == owner.token:
        connection.execute(
            "UPDATE state SET token = ?, data = ?, crc = ? WHERE id = 1 AND token = ?",
            (*_record(None, state.totals), owner.token),
        )


def read_state(connection: sqlite3.Connection, path: Path) -> State:
    """Read the row; raises `JournalDamaged` when it is not as it was written."""
    row = connection.execute("SELECT id, data, crc, token FROM state WHERE id = 1").fetchone()
    fields = decode_row(STATE, row, path, "the row that says how much it holds")
    try:
        owner, sequence, states, *others = fields
        totals = Totals(sequence, tuple(states), *others)
        owner = None if owner is row[3] is None else _owner(owner, row[3])
    except (TypeError, ValueError) as error:
        raise damaged(path, f"the row that says how much it holds has other fields ({error})") from error
    sizes = (totals.sequence, *totals.states, totals.highest + 1, *others[1:])
    if (
        len(states) != len(TrialState)
        or not all(type(size) is int and 0 <= size < _LARGEST for size in sizes)
        or not -1 <= totals.trials - 1 <= totals.highest <= totals.trials + MOST_GAPS
        or totals.trials > MOST_TRIALS
    ):
        raise damaged(path, "the row that says how much it holds has numbers that no journal has")
    return State(owner, totals)


def _owner(fields: object, token: bytes | None) -> Owner:
    """Check and make the owner of its fields."""
    owner = Owner(*fields)  # type: ignore[misc]  # a wrong number of them is a TypeError
    texts = (owner.host, owner.machine, owner.token)
    if not all(type(text) is str for text in texts) or token != owner.token.encode("utf-8", "surrogatepass"):
        raise ValueError("its owner has no name")
    numbers = (owner.pid, owner.started or 0, owner.heartbeat)
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError("its owner has no process")
    if type(owner.pid) is not int or not 0 <= owner.pid < 2**31:
        raise ValueError("its owner has no process")
    return owner


def _record(owner: Owner | None, totals: Totals) -> tuple[str | None, str, int]:
    """Return token, data and checksum."""
    who = None
    if owner is not None:
        who = (owner.host, owner.machine, owner.pid, owner.started, owner.heartbeat, owner.token)
    counts = (totals.highest, totals.metrics, totals.scalars, totals.outputs, totals.events)
    data = encode((who, totals.sequence, totals.states, *counts))
    return None if owner is None else owner.token, data, checksum(STATE, 1, data.encode())
