"""``python -m hpo_widgets``: the command line."""

from __future__ import annotations

import sys

from hpo_widgets.cli import main

if __name__ == "__main__":
    sys.exit(main())
