"""What every test gets: a working directory of its own, and hypothesis without a clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine is slow at times: a deadline would measure its neighbours.
settings.register_profile("default", deadline=None)
# In continuous integration the same examples every time; at a desk, new ones.
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    """Journals go below the working directory by default: a test leaves nothing in the checkout."""
    monkeypatch.chdir(tmp_path)
