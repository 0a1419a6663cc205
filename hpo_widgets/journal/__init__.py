"""The file of a search: one SQLite database that is appended to, read, followed and resumed.

It holds trials by number (`TrialRow`), their reports, their logs, what happened to the search itself (events),
and a header that says what the search is. Values are JSON; nothing is ever unpickled. One process owns a journal
(`Journal`), any number of them read it (`JournalReader`).

**Durable** means: a write that has returned survives the death of this process by any signal. After a power
loss the file is intact, but the last writes before it may be missing.

**Copies.** While its owner is at work, copy a journal with `JournalReader.backup`: reading the file byte by byte
misses what is in its log, and in the owner's process it would release the locks on it. A closed journal is one file
like any other.

**Numbers that are not finite** are kept: in JSON as the words ``NaN``, ``Infinity`` and ``-Infinity``, as
Python's json module and JSON5 write them.
"""

from __future__ import annotations

from hpo_widgets.journal.batch import fits_in_event
from hpo_widgets.journal.errors import (
    JournalBusy,
    JournalDamaged,
    JournalError,
    JournalInUse,
    JournalLeaseLost,
    JournalNotFound,
    JournalVersionError,
    reported_as_damage,
)
from hpo_widgets.journal.lease import Owner
from hpo_widgets.journal.naming import DIRECTORY, find, journal_path, journals, new_search_id, opened_by
from hpo_widgets.journal.reader import JournalChanges, JournalReader
from hpo_widgets.journal.rows import BulkColumns
from hpo_widgets.journal.writer import Journal
from hpo_widgets.trials import TrialRow

__all__ = [
    "DIRECTORY",
    "BulkColumns",
    "Journal",
    "JournalBusy",
    "JournalChanges",
    "JournalDamaged",
    "JournalError",
    "JournalInUse",
    "JournalLeaseLost",
    "JournalNotFound",
    "JournalReader",
    "JournalVersionError",
    "Owner",
    "TrialRow",
    "find",
    "fits_in_event",
    "journal_path",
    "journals",
    "new_search_id",
    "opened_by",
    "reported_as_damage",
]
