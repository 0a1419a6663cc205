"""The patches of the SDK: which private names they need, and the event that its loop sleeps on."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

from hpo_widgets.clearml_sdk import patches
from hpo_widgets.clearml_sdk.patches import WakeableEvent
from tests.conftest import DEADLINE


@pytest.fixture
def waits():
    """``waits(event)`` waits on a thread of its own and gives what `wait` will have returned."""
    threads = []

    def begin(event):
        answers = []
        threads.append(threading.Thread(target=lambda: answers.append(event.wait()), daemon=True))
        threads[-1].start()
        return lambda: (threads[-1].join(DEADLINE), answers)[1]

    return begin


def test_a_waiter_is_woken_without_setting(waits):
    event = WakeableEvent(threading.Event())
    answers = waits(event)
    event.wake()
    assert answers() == [False]
    assert not event.is_set()


def test_a_wake_up_between_two_waits_ends_the_next_one():
    event = WakeableEvent(threading.Event())
    event.wake()
    assert event.wait(DEADLINE) is False
    event.wake()
    assert event.wait(DEADLINE) is False
    assert event.wait(0) is False


def test_who_waits_for_the_former_event_is_served_too(waits):
    former = threading.Event()
    answers = waits(former)
    event = WakeableEvent(former)
    event.set()
    assert answers() == [True]
    event.clear()
    assert not former.is_set()
    former.set()
    assert WakeableEvent(former).is_set()


def private_names():
    """Module and name of each use of another object's private name, and whether it is written."""
    for path in Path(patches.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for use in ast.iter_child_nodes(node):
                is_private = isinstance(use, ast.Attribute) and use.attr.startswith("_") and not use.attr.endswith("__")
                if is_private and ast.unparse(use.value) != "self":
                    yield path.name, use.attr, isinstance(use.ctx, ast.Store) or getattr(node, "attr", "") == "set"


def test_each_private_name_of_the_sdk_is_in_the_list_of_those_that_are_needed():
    needed = {name for _, name, _ in private_names()}
    assert "_stop_event" in needed
    assert {name for name in needed - {"_hpo_widgets"} if f"{name}`" not in patches.__doc__} == set()


def test_private_names_of_the_sdk_are_written_in_one_module():
    assert {module for module, _, is_written in private_names() if is_written} == {"patches.py"}
