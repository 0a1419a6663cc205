"""Public doubles for tests and demonstrations: a scripted search, toy objectives, a ClearML server in memory."""

from __future__ import annotations

from hpo_widgets.testing.scripted_search import ScriptedSearch

__all__ = ["ScriptedSearch"]
