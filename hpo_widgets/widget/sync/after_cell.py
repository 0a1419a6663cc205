"""Something done at the end of each cell, while what is sent still belongs to that cell.

What runs a notebook without a page (nbconvert, nbclient) keeps what a kernel sends while a cell runs, and drops
what comes between cells and after the last one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from IPython import get_ipython

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENT = "post_run_cell"


def after_each_cell(function: Callable[[], None]) -> Callable[[], None]:
    """Call ``function`` at the end of each cell, on the thread that runs cells.

    Returns
    -------
    callable
        Ends it. Outside IPython there is nothing to end and no call.
    """
    shell = get_ipython()
    if shell is None:
        return lambda: None

    def act(_result: object) -> None:
        function()

    shell.events.register(_EVENT, act)

    def end() -> None:
        with contextlib.suppress(ValueError):  # it was ended before
            shell.events.unregister(_EVENT, act)

    return end
