"""Messages of a control act while a cell runs.

JupyterLab sends a comm's messages to a subshell of the kernel, so that they need not wait for the
running cell. ipykernel 7 answers on a comm with the shell that last published on it, which pins the
comm to the shell of the cell that made the widget, and a press of Stop waits for that cell after
all. Where ipykernel has that routing, it is switched off for the comms of controls: their
handlers therefore run on another thread than the cell, and only queue commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import Widget

_ROUTING = "_reply_subshell_for"


def act_while_cell_runs(widget: Widget) -> bool:
    """Let the messages of ``widget`` act while a cell runs.

    Returns
    -------
    bool
        True when the kernel has the routing that had to be switched off; False when there was
        nothing to do (another kernel, an older or newer ipykernel, no kernel).
    """
    if not hasattr(widget.comm, _ROUTING):
        return False
    setattr(widget.comm, _ROUTING, lambda _data, default: default)
    return True
