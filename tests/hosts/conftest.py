"""Each host that the package is said to work in, with its own server, under the browser of the browser tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import browser
from tests.browser.notebook import Notebook, new_context, open_page
from tests.browser.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext

    from tests.browser.notebook import Lab

__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="session")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Lab]]:
    """``server_of(kind)`` gives the server of a host, which runs from its first test to the end of all."""
    running: dict[str, Lab] = {}
    with contextlib.ExitStack() as servers:

        def give(kind: str) -> Lab:
            if kind not in running:
                running[kind] = servers.enter_context(serve(kind, tmp_path_factory.mktemp(kind)))
            return running[kind]

        yield give


@pytest.fixture(params=["lab", "notebook"])
def host(request: pytest.FixtureRequest, server_of: Callable[[str], Lab]) -> Lab:
    """The server of each host in turn."""
    return server_of(request.param)


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What the pages of all tests keep: JupyterLab's modules, which are several megabytes, are loaded once."""
    with new_context(browser) as made:
        yield made


@pytest.fixture
def page(host: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """Give a new page of the host."""
    with open_page(host, context) as opened:
        yield opened
