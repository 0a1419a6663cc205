"""A search seen through its journal."""

from hpo_widgets.viewer.replay import SearchReplay
from hpo_widgets.viewer.viewer import (
    SearchViewer,
)

__all__ = [
    "SearchReplay",
    "SearchViewer",
]
