"""A journal with anything in the place of something is a view or `JournalDamaged`, also when it is to be continued."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    ParameterSet,
    RandomSearch,
    UniformIntegerParameterRange,
    report_scalar,
)
from hpo_widgets.journal import Journal, JournalDamaged, JournalError, JournalVersionError
from hpo_widgets.viewer import SearchViewer
from tests.journal.conftest import rewrite
from tests.journal.test_hostile import assert_harmless, look


def objective(lr, n=1, kind="a", solver="sgd", momentum=0.5):
    """Report and return the point."""
    report_scalar("title", "series", lr * n, 0)
    return lr * n * momentum


TABLES = ("header", "state", "events", "metrics", "scalars", "outputs", "writes", "trials")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A journal with something of each kind, and the keys of its tables."""
    search = HyperParameterOptimizer(
        objective,
        [
            LogUniformParameterRange("lr", -4, -1),
            UniformIntegerParameterRange("n", 1, 9),
            DiscreteParameterRange("kind", ["a", "b"]),
            ParameterSet([{"solver": "sgd", "momentum": 0.5}, {"solver": "adam"}]),
        ],
        total_max_jobs=4, optimizer_class=RandomSearch, max_number_of_concurrent_tasks=1, seed=1,
        journal=tmp_path_factory.mktemp("whole"), limits={"lr": (1e-5, 1.0)},
    )  # fmt: skip
    search.set_range("lr", (0.001, 0.01))
    search.set_priors({"lr": [0, 1, 2], "kind": {"a": 1, "b": 3}})
    search.enqueue_trial({"lr": 0.002, "n": 2, "kind": "b", "solver": "adam"})
    search.set_time_limit(10)
    search.start()
    assert search.wait(60)
    search.set_note(1, "a note")
    search.set_tags(1, ["one", "two"])
    with closing(Journal.open(search.journal_path)) as journal:
        notice = {"kind": "notice", "source": "callback", "sentence": "it raised"}
        journal.write(outputs=[(0, "printed", "", "")], events=[notice])
    with closing(sqlite3.connect(search.journal_path)) as connection:
        keys = {
            name: [row[0] for row in connection.execute(f"SELECT rowid FROM {name} ORDER BY rowid")] for name in TABLES
        }
    return search.journal_path.read_bytes(), keys


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.floats(),
    st.sampled_from([10**10, 2**63, 10**30, -(10**30), 10**400, 1e308, 1e-320, math.inf, math.nan]),
    st.sampled_from(["", "lr", "kind", "a", "min", "adam", "\ud800", "\x00", "<b>", "__class__", "1" * 50]),
)  # fmt: skip
JUNK = (
    LEAVES
    | st.lists(LEAVES, max_size=3)
    | st.dictionaries(st.text(max_size=4), LEAVES, max_size=2)
    | st.just(_deep(400))
)


@st.composite
def changed(draw, value):
    """The value with one place of it, however deep, replaced, taken out or doubled."""
    places = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    if not places or draw(st.integers(0, 9)) == 0:
        return draw(JUNK)
    place = draw(st.sampled_from(places))
    what = draw(st.sampled_from(["inside"] * 8 + ["out", "twice"]))
    made = value.copy()
    if what == "out":
        del made[place]
    elif what == "twice":
        made = [*value, value[place]] if isinstance(value, list) else {**value, "more": value[place]}
    else:
        made[place] = draw(changed(value[place]))
    return made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example writes its own file
@given(st.data())
def test_a_journal_with_anything_in_it_is_a_view_or_damaged(whole, tmp_path, data):
    content, keys = whole
    path = tmp_path / "any.sqlite"
    path.write_bytes(content)
    for _ in range(data.draw(st.integers(1, 2))):
        table = data.draw(st.sampled_from(["header", "header", "events", "events", *TABLES]))
        key = data.draw(st.sampled_from(keys[table]))

        def change(found):
            value = data.draw(changed(json.loads(found) if isinstance(found, bytes) else found))
            return value if isinstance(value, (list, dict, str, float)) else [value]

        rewrite(path, table, key, change, "more" if table == "trials" else "data")
    with suppress(JournalDamaged, JournalVersionError):
        assert_harmless(look(path), MODULES)
    problem = ""
    try:
        assert_harmless(HyperParameterOptimizer.open(path, base_task_id=objective).as_code(), MODULES)
    except (JournalDamaged, JournalVersionError):
        pass
    except (JournalError, TypeError, ValueError) as error:
        problem = str(error)
    # Else what was given to go on does not belong to what is in the journal.
    expected = "pass it as optimizer_class=", "has no parameter", "are objects that a journal cannot hold"
    assert not problem or any(words in problem for words in expected)


MODULES = {"hpo_widgets", objective.__module__}


def test_halves_of_surrogate_pairs_are_spelt_out_and_choices_stay_what_they_are(whole, tmp_path):
    content, keys = whole
    path = tmp_path / "halves.sqlite"
    path.write_bytes(content)

    def half(row):
        sequence, (at, kind, fields) = row
        return [sequence, [at, kind, fields | {"tags": ["\ud800", "😀"]}]]

    rewrite(path, "events", next(key for key in reversed(keys["events"]) if _kind(path, key) == "set_tags"), half)

    def named(header):
        header[1]["name"] = "a\udfff"
        header[1]["space"]["parameters"][2]["values"][1] |= {"value": "\ud800", "label": "\ud800"}
        return header

    rewrite(path, "header", 1, named)
    rewrite(path, "trials", 1, lambda more: ["\ud800", *more[1:]], "more")
    with SearchViewer(path) as viewer:
        assert viewer.name == "a\\udfff"
        assert viewer.trial(1).tags == ("\\ud800", "😀")
        assert viewer.trial(1).error == "?"
        assert viewer.space.leaf("kind").declared == ("a", "\ud800")
        assert viewer.space.leaf("kind").labels == ("a", "\\ud800")


def _kind(path, key):
    with closing(sqlite3.connect(path)) as connection:
        (text,) = connection.execute("SELECT data FROM events WHERE rowid = ?", (key,)).fetchone()
    return json.loads(text)[1][1]
