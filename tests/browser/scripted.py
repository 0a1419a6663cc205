"""A `ScriptedSearch` that the kernel of a page holds as ``search``: its cell, and what was asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook

# Few lines, so that what a cell shows is seen on the page below it.
IMPORTS = """
import math, random, numpy as np; from dataclasses import replace
from hpo_widgets.parameters import *; from hpo_widgets.search import StopReason
from hpo_widgets.testing import ScriptedSearch; from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, SpacePanel
"""
MARKUP = "<img src=x onerror=window.hit=1>"
"""Is to be text wherever it is shown; conftest.py looks whether it was after each test."""
DIGITS = 'name="digits", jobs=200, wall_minutes=5'


def panel_of(arguments: str = DIGITS, then: str = "", panel: str = "") -> str:
    """A cell that shows a search, made of some arguments, and after some lines, in a panel with some arguments."""
    search, shown = f"search = ScriptedSearch({arguments})", f"widget = OptimizerWidget(search{panel})\nwidget\n"
    return "\n".join(part.lstrip("\n") for part in (IMPORTS + search, then, shown) if part)


def commands(notebook: Notebook) -> list[list[Any]]:
    """The commands so far, each with its arguments."""
    return notebook.kernel("[list(command) for command in search.commands]")


def wait_for_commands(notebook: Notebook, count: int = 1) -> list[list[Any]]:
    """The commands so far, once there are so many."""
    notebook.wait_kernel(f"len(search.commands) >= {count}")
    return commands(notebook)
