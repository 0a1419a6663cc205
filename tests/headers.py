"""The header that the journal of a search begins with."""

from __future__ import annotations

from dataclasses import asdict

from hpo_widgets.search.limits import Settings


def header(space, jobs=None, **changes):
    """The header of a random search over a space that minimises validation/loss, but for some changes."""
    return {
        "name": "digits",
        "objectives": [["validation", "loss", "min"]],
        "settings": asdict(Settings(2, total_max_jobs=jobs)),
        "space": space.to_dict(),
        "strategy": "RandomSearch",
        "template": "train",
        "engine": "callable",
        "seed": 1,
        "is_seeded": False,
        "arguments": {},
        **changes,
    }
