"""How a search runs: the thread that owns its state, and the parts that only this thread uses."""

from hpo_widgets.controller.controller import Controller

__all__ = ["Controller"]
