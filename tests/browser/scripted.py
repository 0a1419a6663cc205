"""What was asked of the `ScriptedSearch` that the kernel of a page holds as ``search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook


def commands(notebook: Notebook) -> list[list[Any]]:
    """The commands so far, each with its arguments."""
    return notebook.kernel("[list(command) for command in search.commands]")


def wait_for_commands(notebook: Notebook, count: int = 1) -> list[list[Any]]:
    """The commands so far, once there are so many."""
    notebook.wait_kernel(f"len(search.commands) >= {count}")
    return commands(notebook)
