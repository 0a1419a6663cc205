"""A `ScriptedSearch` that the kernel of a page holds as ``search``: its cell, and what was asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook

IMPORTS = """
import math
import random
from dataclasses import replace
import numpy as np
from hpo_widgets.parameters import *
from hpo_widgets.search import StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, SpacePanel
"""
MARKUP = "<img src=x onerror=window.hit=1>"
"""Is to be text wherever it is shown; conftest.py looks whether it was after each test."""
DIGITS = 'name="digits", jobs=200, wall_minutes=5'


def panel_of(arguments: str = DIGITS, then: str = "", panel: str = "") -> str:
    """A cell that shows a search, made of some arguments, and after some lines, in a panel with some arguments."""
    return f"{IMPORTS}\nsearch = ScriptedSearch({arguments})\n{then}\nwidget = OptimizerWidget(search{panel})\nwidget\n"


def commands(notebook: Notebook) -> list[list[Any]]:
    """The commands so far, each with its arguments."""
    return notebook.kernel("[list(command) for command in search.commands]")


def wait_for_commands(notebook: Notebook, count: int = 1) -> list[list[Any]]:
    """The commands so far, once there are so many."""
    notebook.wait_kernel(f"len(search.commands) >= {count}")
    return commands(notebook)
