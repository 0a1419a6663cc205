"""Whatever a file says, looking at it is a view or `JournalDamaged`: no other error, and no code of its own."""

from __future__ import annotations

import ast
import gc
import itertools
import json
import math
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    RandomSearch,
    UniformParameterRange,
    report_scalar,
)
from hpo_widgets.journal import Journal, JournalDamaged, JournalError, JournalVersionError, schema
from hpo_widgets.journal.connection import MOST_BYTES
from hpo_widgets.viewer import SearchViewer
from tests.each import each
from tests.journal.conftest import rewrite, rewrite_trial


def objective(x, kind):
    """Report and return the point."""
    report_scalar("title", "series", x, 0)
    return x


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A journal of a search that has ended, with a change of ranges, an enqueued point and a notice."""
    search = HyperParameterOptimizer(
        objective, [UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b"])], total_max_jobs=6,
        optimizer_class=RandomSearch, max_number_of_concurrent_tasks=1, journal=tmp_path_factory.mktemp("whole"),
        seed=1,
    )  # fmt: skip
    search.set_range("x", (0, 0.5))
    search.enqueue_trial({"x": 0.25, "kind": "b"})
    search.set_time_limit(10)
    search.start()
    assert search.wait(60)
    with closing(Journal.open(search.journal_path)) as journal:
        notice = {"kind": "notice", "source": "callback", "sentence": "it raised"}
        journal.write(outputs=[(0, "printed", "", "")], events=[notice])
    return search.journal_path


@pytest.fixture
def copy(whole, tmp_path):
    path = tmp_path / "copy.sqlite"
    path.write_bytes(whole.read_bytes())
    return path


def look(path):
    """Look at everything in a view, and have its code."""
    with SearchViewer(path) as viewer:
        viewer.subscribe(lambda: None)
        seen = [viewer.status, viewer.stop_reason, viewer.budget, viewer.epochs, viewer.counts, viewer.errors]
        for number in range(len(viewer.snapshot())):
            trial = viewer.trial(number)
            seen += [repr(trial), trial.get_reported_scalars(), trial.get_output(), trial.get_last_scalar_metrics()]
        seen += [viewer.top(3), viewer.best_trial, viewer.to_dataframe(), viewer.space.ranges, viewer.name]
        seen += [viewer.top_by("objective", "objective", "min", 3), viewer.get_time_limit(), viewer.elapsed_minutes]
        return viewer.as_code()


def go_on(path):
    """Continue, and have the code of it."""
    return HyperParameterOptimizer.open(path, base_task_id=objective).as_code()


MODULES = {"hpo_widgets", objective.__module__}


def assert_harmless(code, modules=frozenset(MODULES)):
    """Check that code is one call of a constructor with values, and at most a change of ranges."""
    *imports, call = [node for node in ast.parse(code).body if not isinstance(node, ast.Expr)]
    assert all(isinstance(node, ast.ImportFrom) and node.module in modules for node in imports)
    assert isinstance(call, ast.Assign)
    classes = {alias.asname or alias.name for node in imports for alias in node.names}
    for node in ast.walk(call):
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            assert node.func.id in classes | {"float", "set", "frozenset"}
        assert not isinstance(node, ast.Attribute | ast.Lambda | ast.Subscript | ast.NamedExpr)


def header(change):
    def damage(path):
        rewrite(path, "header", 1, lambda value: [value[0], change(value[1])])

    return damage


def put(*keys, value):
    """Set an entry of the header."""

    def change(found):
        inner = found
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return found

    return header(change)


def without(name):
    return header(lambda found: {key: value for key, value in found.items() if key != name})


def trial(number=2, **fields):
    """Change numbers of a trial."""
    return lambda path: rewrite_trial(path, number, **fields)


def body(*numbers):
    """Change what follows the fixed part of a trial: its value, its iteration and its point."""
    return trial(body=struct.pack("<dq" + "d" * (len(numbers) - 2), *numbers))


def more(position, value):
    def change(fields):
        fields[position] = value
        return fields

    return lambda path: rewrite(path, "trials", 2, change, "more")


def state(position, value):
    def change(fields):
        fields[position] = value
        return fields

    return lambda path: rewrite(path, "state", 1, change)


def event(kind, value, **fields):
    """Replace the events of a kind, in one write, by one with other fields, or by a value."""

    def damage(path):
        with Journal.view(path) as reader:
            sequence = next(found["sequence"] for found in reader.events() if found["kind"] == kind)

        def change(row):
            new = [
                [at, found, data] if found != kind else [at, found, data | fields] if value is None else value
                for at, found, data in row[1:]
            ]
            return [row[0], *new]

        rewrite(path, "events", sequence, change)

    return damage


def sql(statement):
    def damage(path):
        with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
            vandal.executescript(statement)

    return damage


def text(table, key, content, column="data"):
    return lambda path: rewrite(path, table, key, lambda _: content, column)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5000])


def overwrite_page(path):
    data = bytearray(path.read_bytes())
    data[8192:8400] = b"\xff" * 208
    path.write_bytes(data)


DEEP = b"[" * 100_000
HUGE = 10**10

DAMAGE = {
    **{f"no {name} in the header": without(name) for name in (
        "name", "template", "engine", "strategy", "seed", "is_seeded", "space", "objectives", "settings", "arguments",
    )},
    **{f"{name} is another type": put(name, value=value) for name, value in (
        ("name", 1), ("name", None), ("template", []), ("engine", {}), ("strategy", 3), ("seed", "one"), ("space", []),
        ("space", {}), ("objectives", 5), ("objectives", []), ("objectives", [["a", "b"]]), ("objectives", [[1, 2, 3]]),
        ("objectives", [["a", "b", "sideways"]]), ("settings", None), ("settings", {"wrong": 1}), ("arguments", ["a"]),
        ("only_named", "weights"), ("strategy_title", 3),
    )},
    "a seed below 0": put("seed", value=-1),
    "an argument of another type": put("arguments", "save_top_k_tasks_only", value="x"),
    "an argument that no code can hold": put("arguments", "execution_queue", value=json.loads("[" * 250 + "]" * 250)),
    "an unknown setting": put("settings", "more", value=1),
    "text for a setting": put("settings", "total_max_jobs", value="many"),
    "a list for a setting": put("settings", "compute_time_limit", value=[1]),
    "NaN for a setting": put("settings", "optimization_time_limit", value=float("nan")),
    "a negative setting": put("settings", "max_number_of_concurrent_tasks", value=-3),
    "an unknown parameter": put("space", "parameters", 0, "type", value="Evil"),
    "a parameter without bounds": put("space", "parameters", 0, value={"type": "UniformParameterRange", "name": "x"}),
    "bounds of text": put("space", "parameters", 0, "max_value", value="one"),
    "a parameter's name is a number": put("space", "parameters", 0, "name", value=5),
    "choices that are no choices": put("space", "parameters", 1, "values", value=[1, 2]),
    "allowed choices that there are not": put("space", "parameters", 1, "allowed", value=[7]),
    "allowed choices by a number below 0": put("space", "parameters", 1, "allowed", value=[-1]),
    "a space of a later version": put("space", "version", value=99),
    "a space of a version of text": put("space", "version", value="one"),
    "a template on a server without its id": put("engine", value="clearml"),
    "a header that is a list": lambda path: rewrite(path, "header", 1, lambda value: [value[0], []]),
    "a header without id": text("header", 1, b"[]"),
    "a deep header": text("header", 1, DEEP),
    "a header of a huge number": text("header", 1, b"1" * 10_000),
    "a header of NaN": text("header", 1, b"NaN"),
    "a header that is a pickle": text("header", 1, b"\x80\x04K\x01."),
    "a header that is no text": sql("UPDATE header SET data = 5"),
    "a header twice": sql("INSERT INTO header SELECT 2, data, crc FROM header"),
    **{f"{name} of a trial is {value}": trial(**{name: value}) for name, value in (
        ("sequence", -1), ("state", 6), ("state", 255), ("epoch", -1), ("worker", -2), ("draw", -2), ("flags", 4),
        ("started", 1e300), ("ended", -math.inf), ("duration", 1e12), ("num_objectives", 0), ("num_objectives", 2),
        ("num_objectives", 65535), ("num_parameters", 0), ("num_parameters", 1), ("num_parameters", 65535),
    )},
    **{f"a point of {numbers[2:]}": body(*numbers) for numbers in (
        (1.0, 0, 0.5), (1.0, 0, 0.5, 1, 2), (1.0, 0, 0.5, 7), (1.0, 0, 0.5, -1), (1.0, 0, 0.5, 0.5),
        (1.0, 0, 0.5, 1e300), (1.0, 0, 0.5, math.inf),
    )},
    "a trial without its values": trial(num_objectives=0, body=struct.pack("<dd", 0.5, 1)),
    "a trial of two objectives": trial(num_objectives=2, body=struct.pack("<ddqqdd", 1, 2, 0, 0, 0.5, 1)),
    "a trial of three parameters": trial(num_parameters=3, body=struct.pack("<dqddd", 1, 0, 0.5, 1, 1)),
    "a trial of other numbers": text("trials", 2, bytes(range(84))),
    "a trial that is cut off": text("trials", 2, bytes(20)),
    "a trial without bytes": text("trials", 2, b""),
    "a trial of JSON": text("trials", 2, b"[],[]"),
    "a deep trial": text("trials", 2, DEEP),
    "a trial that is a number": sql("UPDATE trials SET data = 5"),
    **{f"more {position} is {value!r:.20}": more(position, value) for position, value in (
        (0, 5), (1, []), (1, {"a": 1}), (1, {"a": [1]}), (1, {"a": ["x"] * 7}), (2, -1), (2, 10**6), (2, "x"),
        (2, 2 * 10**20), (3, None), (4, 5),
    )},
    "more with a field too many": lambda path: rewrite(path, "trials", 2, lambda fields: [*fields, 1], "more"),
    "more with a field too few": lambda path: rewrite(path, "trials", 2, lambda fields: fields[:-1], "more"),
    "more of two texts": text("trials", 2, b"[],[]", "more"),
    "deep more": text("trials", 2, DEEP, "more"),
    "a trial of a huge number": sql(f"UPDATE trials SET number = {HUGE} WHERE number = 5"),
    "a trial of a negative number": sql("UPDATE trials SET number = -1 WHERE number = 5"),
    **{f"field {position} of the totals is {value!r:.20}": state(position, value) for position, value in (
        (0, -1), (0, 2**60), (0, "x"), (1, []), (1, [0, 0, 10**9, 0, 0, 0]), (1, [1.5] * 6), (1, 5), (2, HUGE), (2, -2),
        (2, "x"), (3, 10**9), (4, None), (5, 0), (6, 99), (7, "now"), (7, 1e999), (8, 5), (8, ["a", "b", "c", 1, 2]),
        (8, [None] * 5),
    )},
    "totals that are a dict": text("state", 1, b"{}"),
    "an owner of text that does not fit": sql("UPDATE state SET token = 'x'"),
    "a metric of numbers": text("metrics", 1, b"[1,2]"),
    "a metric too many": sql("INSERT INTO metrics SELECT 9, data, crc FROM metrics WHERE id = 1"),
    "reports of text": text("scalars", 1, b'["a"]'),
    "reports of an unknown metric": text("scalars", 1, b"[0,99,1.0,0]"),
    "reports before themselves": text("scalars", 1, b"[1,1,1.0,0]"),
    "reports of lists": text("scalars", 1, b"[0,1,[],0]"),
    "a log of numbers": text("outputs", 0, b"[1,2,3]"),
    "a log that is too short": text("outputs", 0, b"[]"),
    "a write of text": text("writes", 2, b'["a"]'),
    **{f"{kind} {fields or value!r:.40}": event(kind, value, **fields) for kind, value, fields in (
        ("start", 1, {}), ("start", [], {}), ("start", [float("nan"), "start", {}], {}),
        ("start", [1e300, "start", {}], {}),
        ("end", None, {"wall_minutes": "x"}), ("end", None, {"wall_minutes": float("nan")}), ("end", None, {"code": 5}),
        ("end", None, {"sentence": None}), ("end", None, {"status": "unheard"}), ("set_ranges", None, {"space": {}}),
        ("set_ranges", None, {"space": None}), ("set_ranges", None, {"first_number": "x"}),
        ("set_ranges", None, {"epoch": -7}), ("set_ranges", None, {"step": "sideways"}),
        ("enqueue_trial", None, {"parameters": "x"}), ("enqueue_trial", None, {"parameters": [0.1, 9]}),
        ("set_time_limit", None, {"deadline": "tomorrow"}), ("set_time_limit", None, {"deadline": 5}),
        ("notice", None, {"sentence": 5}), ("notice", None, {"source": None}), ("notice", None, {"sequence": "x"}),
        ("notice", None, {"at": "x"}),
    )},
    "a trigger": sql("CREATE TRIGGER gone AFTER UPDATE ON state BEGIN DELETE FROM trials; END"),
    "a view for a table": sql("ALTER TABLE outputs RENAME TO kept; CREATE VIEW outputs AS WITH RECURSIVE n(i) AS "
                              "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i FROM n"),
    "a generated column": sql("ALTER TABLE trials ADD COLUMN made TEXT AS (upper(data)) VIRTUAL"),
    "a table with a check": sql("DROP TABLE outputs; CREATE TABLE outputs (number INTEGER PRIMARY KEY, "
                                "data TEXT NOT NULL CHECK (length(data) > 0), crc INTEGER NOT NULL)"),
    "a further index": sql("CREATE INDEX further ON trials (data)"),
    "statistics": sql("ANALYZE; INSERT INTO sqlite_stat1 VALUES ('trials', NULL, '1000')"),
    "half a file": truncate,
    "a page of ones": overwrite_page,
}  # fmt: skip


def test_a_hostile_file_gives_a_view_or_is_damaged(whole, tmp_path):
    names = (f"{number}.sqlite" for number in itertools.count())

    def check(damage):
        copy = tmp_path / next(names)
        copy.write_bytes(whole.read_bytes())
        damage(copy)
        before = copy.read_bytes()
        for action in (look, go_on):
            try:
                code = action(copy)
            except (JournalDamaged, JournalVersionError):
                continue
            assert_harmless(code)
        assert copy.read_bytes() == before

    each(DAMAGE, check)


EVIL = '__import__("os").abort()'


@pytest.mark.parametrize(
    "damage",
    [
        put("arguments", f"a=1, b={EVIL}, c", value=1),
        put("arguments", "class", value=1),
        put("arguments", "fine", value={f"x\n{EVIL}": [EVIL, f"\n{EVIL}"]}),
        put("arguments", "fine", value=f"<\n{EVIL}>"),
        put("template", value=f"f\n{EVIL}\n#"),
        put("template", value=f"f)\n{EVIL}\n(\u2028{EVIL}"),
        put("strategy", value=f"RandomSearch\n{EVIL}"),
        put("name", value=f"\n{EVIL}\n"),
        put("objectives", value=[[f'a"\n{EVIL}', f"'\n{EVIL}#", "min"]]),
        put("space", "parameters", 0, "name", value=f'x")\n{EVIL}\n("'),
        put("space", "parameters", 1, "values", value=[
            {"type": f"Evil\n{EVIL}", "index": 0, "label": f"a\n{EVIL}\r{EVIL}\x0c"},
            {"type": "b", "index": 1, "label": "b"},
        ]),
        put("space", "parameters", 1, "name", value=f"kind\n{EVIL}\u00b2"),
        put("settings", "max_failures", value=f"1\n{EVIL}"),
    ],
)  # fmt: skip
def test_the_code_of_a_foreign_journal_runs_nothing(copy, damage):
    damage(copy)
    try:
        code = look(copy)
    except JournalDamaged:
        return
    assert_harmless(code)


def test_a_query_that_does_not_end_is_given_up(copy, monkeypatch):
    monkeypatch.setattr("hpo_widgets.journal.reader.QUERY_SECONDS", 0.0)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with Journal.view(copy) as reader, pytest.raises(JournalDamaged, match="interrupted"), reader._reading() as content:
        content.connection.execute(endless).fetchall()


def test_a_row_that_is_longer_than_any_of_a_journal_is_refused(copy, monkeypatch):
    put("name", value="x" * 5000)(copy)
    look(copy)
    monkeypatch.setattr("hpo_widgets.journal.connection.MOST_BYTES", 5000)
    for action in (look, go_on):
        with pytest.raises(JournalDamaged, match="it holds a longer text than a journal may"):
            action(copy)
    with pytest.raises(JournalError, match=r"could not be made: .* is a longer text than a journal takes"):
        Journal.create(copy.parent, "long", {"name": "x" * 5000})
    assert not list(copy.parent.glob("long*"))


@pytest.mark.parametrize("action", [look, go_on])
def test_an_error_keeps_nothing_of_what_was_read(copy, action):
    mark = "no header of a journal"
    text("header", 1, json.dumps([mark]).encode())(copy)
    with pytest.raises(JournalDamaged, match="its header does not have the form of"):
        action(copy)
    with pytest.raises(JournalDamaged) as raised:
        action(copy)
    assert raised.value.__cause__ is not None
    # Other lists may hold arrays, which are not just equal to a text or not.
    lists = [one for one in gc.get_objects() if type(one) is list and len(one) == 1 and type(one[0]) is str]
    assert [mark] not in lists


WITHIN_BOUNDS = """
import resource
import sys
from pathlib import Path

from hpo_widgets.journal import JournalDamaged
from tests.journal.test_hostile import go_on, look

resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for action in (look, go_on):
    try:
        action(Path(sys.argv[1]))
        print("opened")
    except JournalDamaged as error:
        print(str(error).partition(" is damaged or not a journal: ")[2])
"""


def rubbish(table, count):
    """Add so many rows to a table, each whole and of no sense."""

    def damage(path):
        keys = range(1000, 1000 + count)
        rows = ((key, *["{}"] * (1 + (table == "trials"))) for key in keys)
        number = getattr(schema, table.upper())
        with closing(sqlite3.connect(path)) as vandal, vandal:
            vandal.executemany(
                f"INSERT INTO {table} VALUES ({'?, ' * (2 + (table == 'trials'))}?)",
                ((*row, schema.checksum(number, row[0], *(text.encode() for text in row[1:]))) for row in rows),
            )

    return damage


def nested(num_bytes):
    """What takes the most memory once it is read, as the header."""

    def damage(path):
        lists = b"[" * 500 + b"]" * 500
        text("header", 1, b"[" + (lists + b",") * (num_bytes // 1001) + b"[]]")(path)

    return damage


def deep(path):
    text("header", 1, b"[" * (MOST_BYTES - 100))(path)


def many_objectives(path):
    put("objectives", value=[[str(number), "b", "min"] for number in range(1_000_000)])(path)


def many_combinations(path):
    constants = [{"type": "str", "value": f"s{number}", "index": 0, "label": ""} for number in range(10_000)]
    combinations = [[{"name": "kind", "constant": constant}] for constant in constants]
    put("space", "parameters", 1, value={"type": "ParameterSet", "values": combinations})(path)


def many_choices(path):
    """One has the label of another, so that a label has to be chosen for it."""
    choices = [{"type": "str", "value": str(number), "label": str(number)} for number in range(50_000)]
    choices.append({"type": "int", "value": 1, "label": "1"})
    put("space", "parameters", 1, "values", value=[choice | {"index": at} for at, choice in enumerate(choices)])(path)


def many_left_out(path):
    """An event of nearly the greatest length, of trials that there are not."""
    with closing(Journal.open(path)) as journal:
        journal.write(events=[{"kind": "leave_out", "numbers": list(range(10, 3_500_000))}])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (nested(MOST_BYTES + 1001), "it holds a longer text than a journal may"),
        pytest.param(nested(MOST_BYTES - 1001), "its header does not have the form of", marks=pytest.mark.slow),
        (deep, "maximum recursion depth"),
        pytest.param(many_objectives, "at most 1000 objectives", marks=pytest.mark.slow),
        pytest.param(many_combinations, "opened", marks=pytest.mark.slow),
        pytest.param(many_choices, "opened", marks=pytest.mark.slow),
        pytest.param(many_left_out, "opened", marks=pytest.mark.slow),
        (rubbish("trials", 100_000), "some of its trials are missing"),
        (rubbish("events", 100_000), "an event of write 1000 does not have the form of a journal"),
        (rubbish("scalars", 100_000), "opened"),
    ],
    ids=[
        "too long", "as long as may be", "deep", "objectives", "combinations", "choices", "left out",
        "trials", "events", "reports",
    ],
)  # fmt: skip
def test_a_file_that_was_made_to_cost_much_is_opened_or_refused_in_bounded_time_and_memory(copy, damage, said):
    damage(copy)
    done = subprocess.run(
        [sys.executable, "-c", WITHIN_BOUNDS, str(copy)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr[-1000:]) == (0, "")
    assert [said in line for line in done.stdout.splitlines()] == [True, True], done.stdout
