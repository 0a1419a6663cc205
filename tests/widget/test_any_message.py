"""Whatever a page sends to a part of the panel: it raises nothing, and the search stays one that makes sense."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import pkgutil
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets.log import get_logger

import hpo_widgets.widget
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.trial import checked_note, checked_tags
from hpo_widgets.widget.parts.advice import AdviceLine
from hpo_widgets.widget.parts.beacon import SearchBeacon
from hpo_widgets.widget.parts.box_bar import BoxBar
from hpo_widgets.widget.parts.controls import SearchCode, SearchControls
from hpo_widgets.widget.parts.details import TrialDetails
from hpo_widgets.widget.parts.filter_bar import FilterBar
from hpo_widgets.widget.parts.part import PageWidget
from hpo_widgets.widget.parts.point_form import PointForm
from hpo_widgets.widget.parts.space_panel import SpacePanel
from hpo_widgets.widget.parts.status import StatusPanel
from hpo_widgets.widget.parts.table import TrialTable
from hpo_widgets.widget.sync.refresher import Refresher

PACKAGE = str(Path(hpo_widgets.__file__).parent)
PARAMETERS = ["lr", "dropout", "layers", "activation", "gone"]
FIELDS = ["top_k", "states", "epochs", "inside", "tags", "within"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 12), st.floats(-1, 8),
    st.sampled_from([10**30, 10**400, -(10**400), 1e308, math.inf, -math.inf, math.nan]),
    st.sampled_from(["1" * 5000, "0" * 5000 + "3", "1e400", "nan", "-1", "1.5", "", "²", "٣", "\x00", "<b>", "\ud800"]),
)  # fmt: skip


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


JUNK = st.recursive(
    SCALARS | st.builds(_deep, st.just(300)) | st.sampled_from([*PARAMETERS, *FIELDS, "completed", "start", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PARAMETERS, ""]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def near(strategy):
    """What is meant, or anything."""
    return st.one_of(strategy, strategy, JUNK)


IDS, NUMBERS = near(st.just("a")), near(st.integers(0, 7))
FORMS = {
    "type": {"name": near(st.sampled_from(["workers", "jobs", "timeout"])), "text": SCALARS.map(str) | JUNK, "id": IDS},
    "select": {"numbers": near(st.lists(SCALARS, max_size=3))},
    "set": {
        "name": near(st.sampled_from(["top_k", "shows_all", "sorting"])),
        "value": SCALARS | JUNK | st.fixed_dictionaries({"name": JUNK, "is_descending": near(st.booleans())}),
    },
    "click": {"number": NUMBERS, "adds": near(st.booleans())},
    "turn": {"step": near(st.sampled_from([-1, 1]))},
    "hide": {"name": near(st.sampled_from(PARAMETERS)), "is_hidden": near(st.booleans())},
    "retry": {"number": NUMBERS},
    "retry_failed": {},
    "stop": {"number": NUMBERS},
    "vary": {"number": NUMBERS},
    "set_ranges": {
        "ranges": near(
            st.dictionaries(
                st.sampled_from(PARAMETERS),
                near(st.tuples(SCALARS, SCALARS).map(list))
                | near(st.dictionaries(st.sampled_from(["lower", "upper", "0", "1", "9"]), SCALARS | st.booleans())),
            )
        ),
        "id": SCALARS,
    },
    "set_priors": {
        "priors": near(
            st.dictionaries(
                st.sampled_from(PARAMETERS),
                near(st.lists(SCALARS, max_size=4))
                | st.fixed_dictionaries(
                    {"weights": near(st.lists(SCALARS, max_size=4))},
                    optional={"range": near(st.tuples(SCALARS, SCALARS).map(list))},
                ),
            )
        ),
        "id": SCALARS,
    },
    "open_strip": {"name": near(st.sampled_from(PARAMETERS))},
    "command": {"name": near(st.sampled_from(["start", "pause", "resume", "stop", "undo"]))},
    "wait": {"on": near(st.booleans())},
    "note": {"number": NUMBERS, "note": JUNK},
    "tag": {"number": NUMBERS, "tag": JUNK, "is_on": near(st.booleans())},
    "queue": {"values": near(st.fixed_dictionaries(dict.fromkeys(PARAMETERS, near(st.just("1"))))), "id": IDS},
    "record": {
        "values": near(st.fixed_dictionaries(dict.fromkeys(PARAMETERS, near(st.just("1"))))),
        "results": near(st.lists(SCALARS, min_size=1, max_size=1)),
        "id": IDS,
    },
    "add": {
        "condition": near(st.sampled_from(FIELDS)),
        "name": near(st.sampled_from(PARAMETERS)),
        "value": SCALARS | st.lists(SCALARS | JUNK, max_size=2),
        "id": IDS,
    },
    "remove": {"condition": near(st.sampled_from(FIELDS)), "name": JUNK},
    "look": {"state": near(st.sampled_from(["completed", "failed"]))},
    "dismiss": {"text": JUNK},
    "act": {"key": JUNK},
    "put_off": {"key": JUNK},
    "show": {"key": JUNK},
}
STATES = {
    "sorting": FORMS["set"]["value"],
    "selected": FORMS["select"]["numbers"],
    "plot_sizes": near(st.dictionaries(st.sampled_from(["plot", "slices", "x"]), st.lists(SCALARS, max_size=3))),
    "wait_timeout": SCALARS,
    "top_k": SCALARS,
    "page": SCALARS,
}


def handlers_of(kind):
    """The methods of a class of widgets that a page can call by a message, by the kind of the message."""
    return {name.removeprefix("_on_"): getattr(kind, name) for name in dir(kind) if name.startswith("_on_")}


def page_widgets():
    """All classes of widgets that hear messages of a page."""
    for module in pkgutil.walk_packages(hpo_widgets.widget.__path__, "hpo_widgets.widget."):
        importlib.import_module(module.name)
    found, waiting = [], [PageWidget]
    while waiting:
        waiting += (made := waiting.pop().__subclasses__())
        found += [one for one in made if one.__module__.startswith("hpo_widgets.")]
    return found


MADE = {
    kind.__name__: kind
    for kind in (
        AdviceLine, BoxBar, FilterBar, PointForm, SearchBeacon, SearchCode, SearchControls, SpacePanel, StatusPanel,
        TrialDetails, TrialTable,
    )
}  # fmt: skip


@pytest.fixture
def faults(monkeypatch):
    """What was raised in this package while a message was handled: ipywidgets catches it, and logs or shows it."""
    found = []

    def keep(record):
        at = record.exc_info[2] if record.exc_info else None
        frames = [frame.filename for frame in traceback.extract_tb(at)]
        if any(name.startswith(PACKAGE) for name in frames):
            found.append("".join(traceback.format_exception(*record.exc_info, limit=-4)))
        return False

    monkeypatch.setattr(get_logger(), "filters", [keep])
    return found


def make(name):
    """A part of each kind shows a search of seven trials, with a selected one where there is something to select."""
    search = ScriptedSearch(jobs=200, wall_minutes=5, limits={"lr": (1e-6, 1.0)})
    search.command("start")
    search.add_trials([0.5, 0.25, 0.125, 0.75, None])
    search.add_trial(state=TrialState.FAILED, error="ValueError: no")
    search.add_trial(state=TrialState.RUNNING)
    if name == "SearchBeacon":
        return search, SearchBeacon(search, target="panel", notices=Refresher(search))
    part = MADE[name](search)
    if name == "TrialDetails":
        part.selected = [1]
    return search, part


def assert_sound(search):
    """What is searched is still a space with rising ranges inside its limits, and counts are counts."""
    for name, range_ in search.space.ranges.items():
        leaf = search.space.leaf(name)
        if leaf.kind == "choice":
            assert set(range_) <= set(leaf.declared)
            assert range_
        else:
            assert -math.inf < range_[0] <= range_[1] < math.inf
    low, high = search.space.ranges["lr"]
    assert 1e-6 <= low < high <= 1.0
    for limit in (search.total_max_jobs, search.max_number_of_concurrent_tasks):
        assert limit is None or (type(limit) is int and 1 <= limit <= 10**9)
    for number in range(sum(search.counts.values())):
        trial = search.trial(number)
        assert checked_note(trial.note) == trial.note
        assert checked_tags(trial.tags) == trial.tags
        assert search.space.normalise(trial.parameters) == trial.parameters


@functools.cache
def messages_for(name):
    return st.lists(
        st.sampled_from(sorted(handlers_of(MADE[name]))).flatmap(
            lambda kind: st.fixed_dictionaries({"kind": st.just(kind), **FORMS.get(kind, {"x": JUNK})})
        ),
        min_size=1, max_size=6,
    )  # fmt: skip


@functools.cache
def states_for(name):
    kind = MADE[name]
    own = kind.class_trait_names(two_way=True)
    others = sorted(kind.class_trait_names(sync=True))
    names = st.sampled_from(own) | st.sampled_from(own) | st.sampled_from(others)
    return st.lists(
        names.flatmap(lambda one: st.fixed_dictionaries({one: STATES.get(one, JUNK)})), min_size=1, max_size=6
    )


def deliver(name, faults, send):
    search, part = make(name)
    try:
        send(part)
        if part._refresher is not None:
            part._refresher.refresh()
        assert faults == []
        assert_sound(search)
    finally:
        part.close()


ANY = settings(
    # Each example is several messages, and each of the two properties is tried on every part.
    max_examples=max(20, settings().max_examples // 2),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the comms are no part of an example
)


@pytest.mark.usefixtures("refresh")
@pytest.mark.parametrize("name", [name for name, kind in MADE.items() if handlers_of(kind)])
@ANY
@given(st.data())
def test_messages_of_any_form_raise_nothing_and_leave_a_sound_search(wire, faults, name, data):
    messages = data.draw(messages_for(name))
    deliver(name, faults, lambda part: [wire.browser_says(part, **message) for message in messages])


@pytest.mark.usefixtures("refresh")
@pytest.mark.parametrize("name", MADE)
@ANY
@given(st.data())
def test_states_of_any_form_raise_nothing_and_leave_a_sound_search(wire, faults, name, data):
    states = data.draw(states_for(name))
    deliver(name, faults, lambda part: [wire.browser_sets(part, **state) for state in states])


HUGE = 10**400
DIGITS = "0" * 5000 + "1"
FOUND = [
    ("SearchControls", {"kind": "waiting"}),
    ("FilterBar", {"kind": "remove", "condition": {}}),
    ("SpacePanel", {"kind": "set_ranges", "ranges": {"lr": [0.001, 0.01]}, "id": HUGE}),
    ("SpacePanel", {"kind": "set_ranges", "ranges": {"layers": [1, HUGE]}, "id": 1}),
    ("PointForm", {"kind": "queue", "values": {"activation": DIGITS}, "id": "a"}),
    ("PointForm", {"kind": "queue", "values": {"layers": DIGITS}, "id": "a"}),
    ("TrialTable", {"kind": "set", "name": "sorting", "value": {"name": {}, "is_descending": True}}),
]
"""What once raised."""


@pytest.mark.usefixtures("refresh")
@pytest.mark.parametrize(("name", "message"), FOUND)
def test_a_message_that_makes_no_sense_is_no_traceback(wire, faults, name, message):
    deliver(name, faults, lambda part: wire.browser_says(part, **message))


@pytest.mark.usefixtures("refresh")
def test_a_message_to_a_part_that_hears_none_is_no_traceback(wire, faults):
    assert not handlers_of(MADE["SearchCode"])
    deliver("SearchCode", faults, lambda part: wire.browser_says(part, kind="type", x=HUGE))


@pytest.mark.usefixtures("refresh")
def test_a_timeout_that_no_float_holds_is_refused(wire, faults):
    deliver("SearchControls", faults, lambda part: wire.browser_sets(part, wait_timeout=-HUGE))


@pytest.mark.parametrize("name", ["_esm", "_css", "_model_module", "_view_name", "own_id"])
def test_a_page_cannot_set_what_other_pages_run(wire, faults, name):
    def send(part):
        before = getattr(part, name)
        wire.browser_sets(part, **{name: "export default {}"})
        assert getattr(part, name) == before
        assert part._notices.notices[-1].sentence == f"{name} cannot be set by a page; nothing was changed"

    deliver("TrialTable", faults, send)


def test_a_page_can_call_what_is_meant_for_messages_and_nothing_else():
    for kind in page_widgets():
        for name, handler in handlers_of(kind).items():
            _self, *parameters = inspect.signature(handler).parameters
            assert parameters in (["content"], ["_content"]), (kind, name)
