"""The row that every write renews: who owns the journal, and how much is in it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.journal.errors import Damage
from hpo_widgets.journal.lease import Owner
from hpo_widgets.journal.rows import decode_row, encode
from hpo_widgets.journal.schema import STATE, checksum
from hpo_widgets.trials.trial import STORED_STATES

if TYPE_CHECKING:
    import sqlite3

MOST_TRIALS = 10_000_000
"""Trials that a journal holds at most."""

MOST_GAPS = 1_000_000
"""Numbers below the highest that may have no trial; readers reserve space for them too."""

_LARGEST = 2**53


class Totals(NamedTuple):
    """How much a journal holds; readers compare it with the rows that they find.

    Attributes
    ----------
    sequence : int
        Sequence number of the last write; 1 for a new journal.
    states : tuple of int
        Number of trials by each of `STORED_STATES`.
    highest : int
        The highest number of a trial; -1 when there is none.
    metrics, scalars, outputs, events : int
        Number of rows of these tables.
    """

    sequence: int = 1
    states: tuple[int, ...] = (0,) * len(STORED_STATES)
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
    """Write the row of a new journal, inside a transaction of the caller's.

    Parameters
    ----------
    connection
        A new journal, inside a transaction of the caller's.
    owner
        Who holds it from now on.
    """
    connection.execute("INSERT INTO state VALUES (1, ?, ?, ?)", _record(owner, Totals(), owner.heartbeat))


def renew_state(connection: sqlite3.Connection, owner: Owner, totals: Totals, heartbeat: float) -> bool:
    """Write the row anew if the owner still is the same, inside a transaction of the caller's.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    owner : Owner
        Who owned the journal at the last write.
    totals : Totals
        What the journal holds with this write.
    heartbeat : float
        Unix seconds of now.

    Returns
    -------
    bool
        False: another owner has the journal, and the row is as it was.
    """
    token, data, crc = _record(owner, totals, heartbeat)
    done = connection.execute("UPDATE state SET data = ?, crc = ? WHERE id = 1 AND token = ?", (data, crc, token))
    return done.rowcount == 1


def put_state(connection: sqlite3.Connection, state: State) -> None:
    """Write the row anew whoever owns the journal, inside a transaction of the caller's.

    Parameters
    ----------
    connection
        An open journal.
    state
        Its owner from now on, None for nobody, and what it holds.
    """
    heartbeat = 0.0 if state.owner is None else state.owner.heartbeat
    connection.execute("UPDATE state SET token = ?, data = ?, crc = ? WHERE id = 1", _record(*state, heartbeat))


def read_state(connection: sqlite3.Connection) -> State:
    """Read the row; raises `Damage` when it is not as it was written."""
    row = connection.execute("SELECT id, data, crc, token FROM state WHERE id = 1").fetchone()
    fields = decode_row(STATE, row, "the row that says how much it holds")
    try:
        sequence, states, highest, *others, heartbeat, owner = fields
        totals = Totals(sequence, tuple(states), highest, *others)
        owner = None if owner is row[3] is None else _owner(owner, heartbeat, row[3])
    except (TypeError, ValueError) as error:
        raise Damage(f"the row that says how much it holds has other fields ({error})") from error
    sizes = (totals.sequence, *totals.states, *others)
    if (
        len(states) != len(STORED_STATES)
        or type(totals.highest) is not int
        or not all(type(size) is int and 0 <= size < _LARGEST for size in sizes)
        or not -1 <= totals.trials - 1 <= totals.highest <= totals.trials + MOST_GAPS
        or totals.trials > MOST_TRIALS
    ):
        raise Damage("the row that says how much it holds has numbers that no journal has")
    return State(owner, totals)


def _owner(fields: list[Any], heartbeat: Any, token: bytes | None) -> Owner:
    """Check and make the owner of its fields."""
    host, machine, pid, started, own_token = fields
    if not all(type(text) is str for text in (host, machine, own_token)) or token != own_token.encode():
        raise ValueError("its owner has no name")
    if type(pid) is not int or not 0 <= pid < 2**31:
        raise ValueError("its owner has no process")
    if not all(type(moment) in (int, float) and math.isfinite(moment) for moment in (started or 0, heartbeat)):
        raise ValueError("its owner has no time")
    return Owner(host, machine, pid, started, heartbeat, own_token)


def _record(owner: Owner | None, totals: Totals, heartbeat: float) -> tuple[str | None, str, int]:
    """Return token, data and checksum."""
    sequence, states, *others = totals
    # Written by hand for speed: every write has this text, and it hardly changes.
    counts = ",".join(map(str, others))
    data = f"[{sequence},{list(states)},{counts},{heartbeat!r},{'null' if owner is None else _owner_text(owner)}]"
    return None if owner is None else owner.token, data, checksum(STATE, 1, data.encode())


@lru_cache(maxsize=8)
def _owner_text(owner: Owner) -> str:
    return encode([owner.host, owner.machine, owner.pid, owner.started, owner.token])
