"""Each host that the package is said to work in, with its own server, under the browser of the browser tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import browser
from tests.browser.notebook import Notebook, open_page
from tests.browser.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.notebook import Lab

__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="package", params=["lab", pytest.param("notebook", marks=pytest.mark.slow)])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server of each host in turn."""
    with serve(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def page(host: Lab, browser: Browser) -> Iterator[Notebook]:
    """Give a new page of the host."""
    with open_page(host, browser) as opened:
        yield opened
