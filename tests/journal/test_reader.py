"""Reading, following and waiting, here and from another process."""

from __future__ import annotations

import gc
import json
import sqlite3
import threading

import pytest

from hpo_widgets.journal import Journal, JournalDamaged, JournalError
from hpo_widgets.journal.connection import connect_reader
from hpo_widgets.journal.reader import JournalReader
from hpo_widgets.trials.trial import STORED_STATES
from tests.journal.conftest import rewrite


def test_only_what_changed_is_read(journal, make_row):
    first = journal.write([make_row(n, state=1) for n in range(5)])
    second = journal.write([make_row(3), make_row(1)])
    assert journal.reader.trials(since=first) == (second, [make_row(1), make_row(3)])
    assert journal.reader.trials(since=second) == (second, [])
    sequence, rows = journal.reader.trials()
    assert sequence == second
    assert [row.number for row in rows] == [0, 2, 4, 1, 3]


def test_trials_are_counted_by_state(journal, make_row):
    assert tuple(journal.reader.counts()) == STORED_STATES
    journal.write([make_row(n, state=n % 6) for n in range(13)])
    assert list(journal.reader.counts().values()) == [3, 2, 2, 2, 2, 2]


def test_an_unknown_trial_is_an_index_error_and_has_no_curve_and_no_log(journal):
    with pytest.raises(IndexError, match="no trial 7"):
        journal.reader.row(7)
    assert journal.reader.scalars(7) == []
    assert journal.reader.output(7) == ("", "", "")


def test_of_a_trials_reports_only_those_after_a_key_are_read(journal, make_row):
    journal.write([make_row(0, state=1), make_row(1, state=1)], scalars=[(0, "t", "s", 0.5, 0), (1, "t", "s", 9.0, 0)])
    key, reports = journal.reader.scalars_after(0, 0)
    assert reports == [("t", "s", 0.5, 0)]
    assert journal.reader.scalars_after(0, key) == (key, [])
    journal.write(scalars=[(1, "t", "s", 8.0, 1), (0, "t", "s", 0.4, 1)])
    journal.write(scalars=[(0, "t", "s", 0.3, 2)])
    newest, reports = journal.reader.scalars_after(0, key)
    assert reports == [("t", "s", 0.4, 1), ("t", "s", 0.3, 2)]
    assert newest > key
    assert journal.reader.scalars_after(0, 0) == (newest, journal.reader.scalars(0))


def test_events_can_be_followed_too(journal, make_row):
    first = journal.write([make_row(0)], events=[{"kind": "start"}, {"kind": "begin"}])
    journal.write([make_row(1)])
    third = journal.write(events=[{"kind": "stop"}])
    assert [(event["kind"], event["sequence"]) for event in journal.reader.events()] == [
        ("start", first), ("begin", first), ("stop", third),
    ]  # fmt: skip
    assert [event["kind"] for event in journal.reader.events(since=first)] == ["stop"]
    assert [event["kind"] for event in journal.reader.events(since=first + 1)] == ["stop"]
    assert journal.reader.events(since=third) == []


def test_of_many_changes_each_trial_is_read_once(journal, make_row):
    first = journal.write([make_row(n) for n in range(1500)])
    journal.write([make_row(n, state=3) for n in range(1200)])
    last = journal.write([make_row(n, state=4) for n in range(1100, 1400)])
    sequence, rows = journal.reader.trials(since=first)
    assert sequence == last
    assert [(row.number, row.state) for row in rows] == [
        *((n, 3) for n in range(1100)), *((n, 4) for n in range(1100, 1400)),
    ]  # fmt: skip


def test_a_trial_that_was_left_out_is_unknown_and_the_others_are_found(journal, make_row):
    journal.write([make_row(0), make_row(4), make_row(2)])
    with pytest.raises(IndexError, match="no trial 3"):
        journal.reader.row(3)
    assert journal.reader.row(4) == make_row(4)
    assert journal.reader.columns()["number"].tolist() == [0, 2, 4]


def test_trials_and_events_of_one_moment_are_read_together(journal, make_row):
    first = journal.write([make_row(0)], events=[{"kind": "start", "at": 1.0}])
    assert journal.reader.changes() == (first, [make_row(0)], [{"sequence": first, "kind": "start", "at": 1.0}])
    second = journal.write([make_row(1)], events=[{"kind": "stop", "at": 2.0}])
    changes = journal.reader.changes(since=first)
    assert changes.sequence == second
    assert changes.trials == [make_row(1)]
    assert [event["kind"] for event in changes.events] == ["stop"]
    assert journal.reader.changes(since=second) == (second, [], [])


@pytest.mark.parametrize("event", [1, [], [0.0, "start"], [0.0, "start", 1], ["now", "start", {}], [0.0, 1, {}]])
def test_an_event_that_is_no_event_is_damage(journal, event):
    sequence = journal.write(events=[{"kind": "start"}])
    rewrite(journal.path, "events", sequence, lambda value: [value[0], event])
    with pytest.raises(JournalDamaged, match="event"):
        journal.reader.events()


def test_a_reader_sees_a_new_header(journal):
    with Journal.view(journal.path) as reader:
        assert reader.header["name"] == "digits"
        journal.set_header({"name": "wine"})
        assert reader.header == {"name": "wine"}


def test_a_reader_cannot_write(journal, make_row):
    journal.write([make_row(0)])
    reader = journal.reader
    with pytest.raises(JournalError, match="readonly"), reader._reading() as content:
        content.connection.execute("DELETE FROM trials")


def test_waiting_returns_at_once_for_what_is_there_already(journal, make_row):
    sequence = journal.write([make_row(0)])
    assert journal.reader.wait_for_change(0, timeout=0) == sequence
    assert journal.reader.wait_for_change(sequence, timeout=0) == sequence
    assert journal.reader.wait_for_change(sequence, timeout=0.02) == sequence


def test_a_heartbeat_does_not_end_a_wait(journal, make_row):
    sequence = journal.write([make_row(0)])
    returned = []
    waiter = threading.Thread(target=lambda: returned.append(journal.reader.wait_for_change(sequence, timeout=30)))
    assert journal.reader.sequence == sequence
    waiter.start()
    for _ in range(20):
        journal.heartbeat()
    assert not returned
    last = journal.write([make_row(1)])
    waiter.join(30)
    assert returned == [last]


def test_closing_a_reader_ends_a_wait_in_another_thread(journal):
    reader = Journal.view(journal.path)
    returned = []
    waiter = threading.Thread(target=lambda: returned.append(reader.wait_for_change(10**6)))
    waiter.start()
    reader.close()
    reader.close()
    waiter.join(30)
    assert len(returned) <= 1
    assert not waiter.is_alive()
    with pytest.raises(JournalError, match="is closed"):
        reader.trials()


def test_a_reader_that_is_dropped_closes_its_file(journal):
    connection = connect_reader(journal.path)
    reader = JournalReader(journal.path, connection)
    reader.itself = reader  # found by the garbage collector only, which may come to the connection first
    assert reader.sequence == journal.reader.sequence
    del reader
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_reader_that_is_closed_between_two_looks_of_a_wait_ends_it(journal, make_row, monkeypatch):
    sequence = journal.write([make_row(0)])
    reader = Journal.view(journal.path)
    reading = reader._reading

    def close_first():
        reader.close()
        return reading()

    monkeypatch.setattr(reader, "_reading", close_first)
    assert reader.wait_for_change(sequence) == sequence


def test_threads_share_a_reader(journal, make_row):
    journal.write([make_row(n) for n in range(200)], [(n, "t", "s", float(n), 0) for n in range(200)])
    failures = []

    def read():
        try:
            for number in range(200):
                assert journal.reader.row(number).number == number
                assert journal.reader.scalars(number) == [("t", "s", float(number), 0)]
        except BaseException as error:
            failures.append(error)

    assert journal.reader.sequence > 0
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(200, 300):
        journal.write([make_row(number)])
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_another_process_follows_in_order_and_misses_nothing(journal, make_row, run_python):
    follower = run_python(
        """
import json, sys
from hpo_widgets.journal import Journal
with Journal.view(sys.argv[1]) as reader:
    sequence, rows = reader.trials()
    print("ready", flush=True)
    ended = False
    while not ended:
        reached = reader.wait_for_change(sequence, timeout=60)
        assert reached > sequence, "nothing came"
        sequence, rows, events = reader.changes(since=sequence)
        assert sequence >= reached
        print(json.dumps([sequence, [[row.number, row.state, row.values] for row in rows]]), flush=True)
        ended = any(event["kind"] == "end" for event in events)
""",
        journal.path,
    )
    assert follower.stdout.readline() == "ready\n", follower.communicate()[1]
    for number in range(300):
        journal.write(
            [make_row(number, state=1, values=None, iteration=None), *([make_row(number - 5)] if number >= 5 else [])]
        )
    last = journal.write(events=[{"kind": "end"}])
    said = follower.stdout.read()
    assert follower.wait(120) == 0, follower.stderr.read()
    seen, sequences = {}, []
    for sequence, rows in map(json.loads, said.splitlines()):
        sequences.append(sequence)
        for number, state, values in rows:
            assert state >= seen.get(number, (0, None))[0], "an older state came after a newer one"
            seen[number] = (state, values)
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == last
    assert seen == {n: ((2, make_row(n).values) if n < 295 else (1, None)) for n in range(300)}
