"""Search ids are readable, unique and file-safe, and find their file."""

from __future__ import annotations

import os
import re
import stat
import sys

import pytest

from hpo_widgets.journal import Journal, JournalError, JournalNotFound, find, journals, new_search_id, opened_by
from hpo_widgets.journal.naming import changed_at


def test_an_id_says_name_date_and_time():
    assert re.fullmatch(r"digits-mlp-\d{8}-\d{6}-[0-9a-f]{6}", new_search_id("Digits MLP"))


@pytest.mark.parametrize(
    "name",
    [
        "a/b\\c:d*?",
        "../../etc/passwd",
        "\U0001f600",
        "\u05e9\u05dc\u05d5\u05dd",
        "x" * 300,
        "",
        None,
        "CON",
        ".",
        "-",
        "d\u00e9j\u00e0 vu",
        "a\nb",
        "%2e%2f",
    ],
)
def test_an_id_is_a_file_name_whatever_the_search_is_called(name, tmp_path):
    search_id = new_search_id(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", search_id)
    assert len(search_id) < 80
    with Journal.create(tmp_path, search_id, {"name": name}) as journal:
        assert journal.path == tmp_path / f"{search_id}.sqlite"
        assert journal.reader.header["name"] == name
        assert journal.reader.search_id == journal.search_id == search_id
        assert find(search_id, tmp_path) == journal.path


def test_accents_are_dropped():
    assert new_search_id("D\u00e9j\u00e0 vu").startswith("deja-vu-")


def test_ids_are_unique():
    ids = [new_search_id("same") for _ in range(5000)]
    assert len({one.casefold() for one in ids}) == len(ids)


def test_an_id_is_found_in_any_case_and_by_its_beginning(tmp_path):
    Journal.create(tmp_path, "digits-1", {}).close()
    Journal.create(tmp_path, "iris-1", {}).close()
    assert find("DIGITS-1", tmp_path).stem == "digits-1"
    assert find("digits-1.sqlite", tmp_path).stem == "digits-1"
    assert find("iris", tmp_path).stem == "iris-1"


def test_of_many_ids_with_the_same_beginning_five_are_listed(tmp_path):
    for letter in "abcdefg":
        Journal.create(tmp_path, f"digits-{letter}", {}).close()
    with pytest.raises(JournalNotFound, match=r"'digits': ('digits-[a-g]', ){4}'digits-[a-g]' and 2 more\. Give the"):
        find("digits", tmp_path)


def test_an_unknown_id_is_answered_with_near_ones(tmp_path):
    for search_id in ("digits-20261124-a", "digits-20261124-b", "wine-20261124-a"):
        Journal.create(tmp_path, search_id, {}).close()
    with pytest.raises(JournalNotFound, match="Did you mean 'digits-20261124-a'"):
        find("digit-20261124-a", tmp_path)
    with pytest.raises(JournalNotFound, match=r"Several searches begin with 'digits'.*whole id"):
        find("digits", tmp_path)
    with pytest.raises(JournalNotFound, match=r"The latest are .*'wine-20261124-a'"):
        find("zzz", tmp_path)
    with pytest.raises(JournalNotFound, match="The latest are"):
        find("", tmp_path)
    with pytest.raises(JournalNotFound, match="holds no journals"):
        find("digits", tmp_path / "nowhere")


def test_opening_a_path_that_is_not_there_offers_near_ones(tmp_path):
    Journal.create(tmp_path, "digits-1", {}).close()
    for opener in (Journal.open, Journal.view):
        with pytest.raises(JournalNotFound, match="Did you mean 'digits-1'"):
            opener(tmp_path / "digit-1.sqlite")
        with pytest.raises(JournalNotFound, match="is a folder"):
            opener(tmp_path)


def test_an_id_never_leaves_its_folder(tmp_path):
    for search_id in ("../outside", "a/b", "", "a\\b"):
        with pytest.raises(ValueError, match="cannot be a search id"):
            Journal.create(tmp_path / "in", search_id, {})
    Journal.create(tmp_path, "outside", {}).close()
    with pytest.raises(JournalNotFound):
        find("../outside", tmp_path / "in")


def test_journals_are_listed_latest_first(tmp_path, make_row):
    assert journals(tmp_path / "nowhere") == []
    first = Journal.create(tmp_path, "first", {})
    Journal.create(tmp_path, "second", {}).close()
    first.write([make_row(0)])
    first.close()
    assert {path.stem for path in journals(tmp_path)} == {"first", "second"}


def test_what_a_process_has_written_beside_a_journal_counts_as_its_change(tmp_path, make_row):
    with Journal.create(tmp_path, "open", {}) as journal:
        Journal.create(tmp_path, "closed", {}).close()
        journal.write([make_row(0)])
        log = journal.path.with_name("open.sqlite-wal")
        for path, moment in ((journal.path, 1_000), (tmp_path / "closed.sqlite", 2_000), (log, 3_000)):
            os.utime(path, (moment, moment))
        assert [path.stem for path in journals(tmp_path)] == ["open", "closed"]
        assert changed_at(journal.path) == 3_000
    # A log without anything in it, as a reader may leave it, tells nothing.
    os.utime(journal.path, (1_000, 1_000))
    log.touch()
    assert [path.stem for path in journals(tmp_path)] == ["closed", "open"]


def test_the_folder_of_journals_keeps_out_of_repositories(tmp_path):
    Journal.create(tmp_path / ".hpo_widgets", "one", {}).close()
    assert (tmp_path / ".hpo_widgets" / ".gitignore").read_text() == "*\n"


def test_a_folder_of_the_users_gets_no_ignore_list_and_an_existing_list_is_kept(tmp_path):
    Journal.create(tmp_path / "results", "one", {}).close()
    assert not (tmp_path / "results" / ".gitignore").exists()
    mine = tmp_path / ".hpo_widgets" / ".gitignore"
    mine.parent.mkdir()
    mine.write_text("mine")
    Journal.create(mine.parent, "one", {}).close()
    assert mine.read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX rights")
def test_a_journal_and_its_folder_are_its_users_alone(tmp_path, make_row):
    before = os.umask(0)
    try:
        with Journal.create(tmp_path / ".hpo_widgets", "one", {}) as journal:
            journal.write([make_row(0)])
            rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in journal.path.parent.glob("one*")}
    finally:
        os.umask(before)
    assert rights == {"one.sqlite": 0o600, "one.sqlite-wal": 0o600, "one.sqlite-shm": 0o600}
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_a_file_can_be_named_instead_of_a_folder(tmp_path):
    with Journal.create(tmp_path / "deep" / "my search.sqlite", "some-id", {}) as journal:
        assert journal.path.name == "my search.sqlite"
        assert journal.search_id == "some-id"


@pytest.mark.parametrize("name", ["a b", "a?mode=memory", "a#b", "100%41", "\u00fc\U0001f600"])
def test_odd_folder_names_are_taken_as_they_are(tmp_path, name, make_row):
    with Journal.create(tmp_path / name, "one", {}) as journal:
        journal.write([make_row(0)])
        assert (tmp_path / name / "one.sqlite").exists()
        assert journal.reader.row(0).number == 0


def test_an_existing_journal_is_never_overwritten(tmp_path):
    Journal.create(tmp_path, "one", {"name": "first"}).close()
    with pytest.raises(JournalError, match=r"already\. Open it .*, or give the new one another journal=\."):
        Journal.create(tmp_path, "one", {"name": "second"})
    with Journal.view(tmp_path / "one.sqlite") as reader:
        assert reader.header == {"name": "first"}


@pytest.mark.parametrize("place", ["here", "below", "elsewhere", "here by another name", "a copy"])
def test_what_opens_a_search_is_its_id_or_where_its_journal_is(place, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    path, expected = {
        "here": (".hpo_widgets/digits-1.sqlite", "digits-1"),
        "below": ("kept/digits-1.sqlite", "kept/digits-1.sqlite"),
        "elsewhere": ("../kept/digits-1.sqlite", str(tmp_path / "kept" / "digits-1.sqlite")),
        "here by another name": (".hpo_widgets/mine.sqlite", ".hpo_widgets/mine.sqlite"),
        "a copy": ("copies/monday.db", "./copies/monday.db"),  # no name of a Task in a project
    }[place]
    assert opened_by((tmp_path / "work" / path).resolve(), "digits-1") == expected


def test_what_opens_a_search_is_its_path_where_the_working_directory_has_gone(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work").rmdir()
    path = tmp_path / "work" / ".hpo_widgets" / "digits-1.sqlite"
    assert opened_by(path, "digits-1") == str(path)
