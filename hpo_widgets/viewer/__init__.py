"""A search seen through its journal."""

from hpo_widgets.viewer.viewer import (
    SearchViewer,
)

__all__ = [
    "SearchViewer",
]
