"""What is written comes back, each value and its type."""

from __future__ import annotations

import ast
import math
import pickle
import sqlite3
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpo_widgets.journal
from hpo_widgets.journal import Journal, JournalDamaged, TrialRow, new_search_id
from hpo_widgets.journal import rows as rows_module
from hpo_widgets.trials import TrialState
from tests.journal.conftest import rewrite

numbers = st.floats() | st.integers(-(2**70), 2**70)
scalars = st.none() | st.booleans() | numbers | st.text()
unix_seconds = st.floats(-1e11, 1e11) | st.just(math.nan)

values = st.none() | st.floats(allow_nan=False)
iterations = st.none() | st.integers(0, 2**62)
reports = st.none() | st.lists(st.tuples(values, iterations), min_size=1, max_size=3)


@st.composite
def trial_rows(draw):
    """A trial with values and iterations for as many objectives."""
    reported = draw(reports)
    one, other = (None, None) if reported is None else map(list, zip(*reported, strict=True))
    return TrialRow(
        number=draw(st.integers(0, 1000)),
        state=draw(st.integers(0, 5)),
        epoch=draw(st.integers(0, 2**31 - 1)),
        parameters=draw(st.lists(values, max_size=6)),
        values=one,
        iteration=other,
        started=draw(unix_seconds),
        ended=draw(unix_seconds),
        worker=draw(st.integers(-1, 2**15 - 1)),
        archived=draw(st.booleans()),
        enqueued=draw(st.booleans()),
        draw=draw(st.integers(-1, 2**60)),
        error=draw(st.none() | st.text()),
        summary=draw(st.none() | st.dictionaries(st.text(), st.lists(numbers, min_size=7, max_size=7), max_size=3)),
        job=draw(st.none() | st.text()),
        duration=draw(unix_seconds),
        last_iteration=draw(st.integers(-1, 2**60)),
    )


def same(one, other):
    """Compare values with their types; NaN is like NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@pytest.fixture(scope="module")
def shared_journal(tmp_path_factory):
    with Journal.create(tmp_path_factory.mktemp("rows"), new_search_id("rows"), {}) as made:
        yield made


@given(st.lists(trial_rows(), min_size=1, max_size=5, unique_by=lambda row: row.number))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back_as_they_were_written(shared_journal, rows):
    before = shared_journal.sequence
    sequence = shared_journal.write(rows)
    reached, read = shared_journal.reader.trials(since=before)
    assert reached == sequence
    expected = sorted(rows, key=lambda row: row.number)
    assert same([astuple(row) for row in read], [astuple(row) for row in expected])
    assert same(astuple(shared_journal.reader.row(expected[0].number)), astuple(expected[0]))


json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_header_comes_back_as_it_was_set(shared_journal, header):
    sequence = shared_journal.set_header(header)
    assert same(shared_journal.reader.header, header)
    assert shared_journal.reader.sequence == sequence


def test_numbers_that_are_not_finite_are_kept_everywhere(journal, make_row):
    values = [math.inf, -math.inf, None, -0.0, 5e-324, 1.7976931348623157e308]
    journal.write(
        [make_row(0, values=values, iteration=[0] * 6, parameters=[math.inf], started=math.nan)],
        [(0, "t", "s", value, step) for step, value in enumerate([math.nan, *values]) if value is not None],
        events=[{"kind": "odd", "value": math.inf}],
    )
    assert same(journal.reader.row(0).values, values)
    assert math.isnan(journal.reader.row(0).started)
    assert same(
        [value for *_, value, _ in journal.reader.scalars(0)], [math.nan, *(v for v in values if v is not None)]
    )
    assert journal.reader.events()[0]["value"] == math.inf


def test_numpy_scalars_are_kept_as_pythons(journal, make_row):
    journal.write([make_row(0, parameters=[np.float64(0.1), np.int64(3), np.bool_(True)], values=[np.float32(0.5)])])
    row = journal.reader.row(0)
    assert same(row.parameters, [0.1, 3.0, 1.0])
    assert same(row.values, [0.5])


def test_what_is_not_json_is_refused_and_nothing_of_that_write_is_stored(journal, make_row):
    for field, value in [
        ("parameters", [object()]), ("parameters", ["x"]), ("parameters", None), ("worker", []), ("started", "now"),
        ("values", ["x"]), ("values", 1.0), ("iteration", [[]]), ("job", object()), ("error", 1), ("state", 6),
        ("number", -1), ("number", 2**40), ("epoch", "first"), ("summary", {"a": object()}), ("epoch", 2**31),
        ("worker", 2**15), ("draw", 2**63), ("values", [1.0, 2.0]), ("iteration", [0.5]),
    ]:  # fmt: skip
        odd = make_row(1)
        setattr(odd, field, value)
        with pytest.raises((TypeError, ValueError)):
            journal.write([make_row(0), odd])
    with pytest.raises(ValueError, match="no trial 3"):
        journal.write([make_row(0)], [(3, "t", "s", 1.0, 0)])
    with pytest.raises(TypeError, match="JSON only"):
        journal.set_header({"choices": {1, 2}})
    assert journal.reader.trials() == (1, [])
    assert journal.reader.counts()[TrialState.COMPLETED] == 0
    assert journal.write([make_row(0)]) == 2


def test_text_that_utf8_cannot_hold_is_spelt_out(journal, make_row):
    odd = "file \udcff\x00 end"
    journal.write(
        [make_row(0, error=odd)],
        [(0, odd, odd, 1.0, 0)],
        [(0, odd, odd, odd)],
        [{"kind": odd, "text": odd}],
    )
    spelt = "file \\udcff\x00 end"
    assert journal.reader.row(0).error == spelt
    assert journal.reader.output(0) == (spelt, spelt, spelt)
    assert journal.reader.scalars(0) == [(spelt, spelt, 1.0, 0)]
    assert journal.reader.events()[0]["text"] == odd


def test_columns_hold_all_trials_as_arrays(journal, make_row):
    journal.set_header({"objectives": [{"title": "a"}, {"title": "b"}]})
    journal.write(
        [
            make_row(0, values=[1.0, None], iteration=[3, None], parameters=[0.5, 2, None]),
            make_row(
                1, state=1, values=None, iteration=None, parameters=[None, 0, 1.5], ended=math.nan, worker=-1,
                archived=True, draw=-1, enqueued=True,
            ),
        ]
    )  # fmt: skip
    columns = journal.reader.columns()
    assert set(columns) == {
        "number", "state", "epoch", "values", "iteration", "started", "ended", "duration", "worker", "archived",
        "enqueued", "draw", "last_iteration", "parameters",
    }  # fmt: skip
    np.testing.assert_array_equal(columns["values"], [[1.0, math.nan], [math.nan, math.nan]])
    np.testing.assert_array_equal(columns["iteration"], [[3, -1], [-1, -1]])
    assert columns["state"].tolist() == [2, 1]
    assert columns["archived"].tolist() == [False, True]
    assert columns["enqueued"].tolist() == [False, True]
    assert columns["draw"].tolist() == [0, -1]
    assert columns["worker"].tolist() == [0, -1]
    assert math.isnan(columns["ended"][1])
    np.testing.assert_array_equal(columns["parameters"], [[0.5, 2, math.nan], [math.nan, 0, 1.5]])
    kinds = {name: array.dtype.str[1:] for name, array in columns.items()}
    assert kinds == {
        "number": "i8", "state": "u1", "epoch": "i4", "values": "f8", "iteration": "i8", "started": "f8",
        "ended": "f8", "duration": "f8", "worker": "i2", "archived": "b1", "enqueued": "b1", "draw": "i8",
        "last_iteration": "i8", "parameters": "f8",
    }  # fmt: skip


def test_columns_of_an_empty_journal_are_empty(journal):
    columns = journal.reader.columns()
    assert columns["values"].shape == (0, 1)
    assert columns["parameters"].shape == (0, 0)


@pytest.mark.parametrize("header", [{"objectives": [{"title": "t"}]}, {}])
@pytest.mark.parametrize("count", [1, 999, 1000, 2500])
def test_columns_agree_with_rows(journal, make_row, header, count):
    journal.set_header(header)
    journal.write([make_row(n) for n in range(count)])
    columns, (_, rows) = journal.reader.columns(), journal.reader.trials()
    assert columns["number"].tolist() == [row.number for row in rows]
    assert columns["values"].tolist() == [row.values for row in rows]
    np.testing.assert_array_equal(columns["parameters"], np.array([row.parameters for row in rows], dtype=float))


def test_both_encoders_write_the_same(monkeypatch):
    fast = rows_module.encode
    monkeypatch.setattr(rows_module.json_encoder, "c_make_encoder", None)
    slow = rows_module._make_encoder()
    value = {"a": [1, 2.5, None, True, math.nan, math.inf, "\u00e9\ud800"], "b": {}, "c": np.float64(0.1)}
    assert fast is not slow
    assert fast(value) == slow(value)


@pytest.mark.parametrize("column", ["data", "more"])
@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_pickle_in_the_file_is_damage_and_is_never_run(journal, make_row, column, is_sealed, tmp_path):
    witness = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (witness,)

    journal.write([make_row(0), make_row(1)])
    bomb = pickle.dumps(Bomb())
    if is_sealed:
        rewrite(journal.path, "trials", 1, lambda _: bomb, column)
    else:
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as vandal:
            vandal.execute(f"UPDATE trials SET {column} = ? WHERE number = 1", (bomb,))
    with pytest.raises(JournalDamaged, match="trial"):
        journal.reader.trials()
    if column == "data":
        with pytest.raises(JournalDamaged, match="trial"):
            journal.reader.columns()
    assert not witness.exists()


def test_nothing_in_the_package_unpickles():
    forbidden = {"pickle", "cloudpickle", "marshal", "shelve", "dill", "joblib"}
    for path in Path(hpo_widgets.journal.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            assert not forbidden & {part for name in names for part in name.split(".")}, path
            assert not (isinstance(node, ast.Name) and node.id in {"eval", "exec", "__import__"}), path
