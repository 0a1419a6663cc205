"""A real JupyterLab under a real Chromium: one server a session, pages that tests use one after another."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect, sync_playwright

from tests.browser.looks import assert_looks_right
from tests.browser.notebook import PATIENCE, VIEWPORT, Lab, Notebook, new_context, open_page
from tests.browser.saved import SavedPage
from tests.browser.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No page asks anything of another machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
expect.set_options(timeout=1000 * PATIENCE)


def chromium() -> str:
    """Path of the browser; without one the browser tests fail, they are never skipped."""
    given = os.environ.get("HPO_WIDGETS_CHROMIUM")
    found = given or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found or not pathlib.Path(found).is_file():
        pytest.fail(
            f"the browser tests need Chromium ({given or 'none found'}): `apt-get install chromium`, "
            "or set HPO_WIDGETS_CHROMIUM to the path of one",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all browser tests."""
    with serve("lab", tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests.

    Its driver keeps an event loop in the main thread; it ends with the package's tests, as others need their own there.
    """
    path = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield running
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep a picture of the page of a test that failed, before anything is torn down."""
    report = yield
    if report.when == "call" and report.failed:
        for name in ("notebook", "opened"):
            if name in getattr(item, "funcargs", {}):
                with contextlib.suppress(PlaywrightError):  # the page has crashed
                    item.funcargs[name].screenshot(f"failed-{item.name}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Have a test fail of whose page the browser has complained, or in which a text has become a part of the page.

    A test that has the browser complain forgets that at its end.
    """
    result = yield
    for name in ("notebook", "opened", "viewer"):
        if name in pyfuncitem.funcargs:
            shown = pyfuncitem.funcargs[name]
            assert shown.complaints() == []
            assert not shown.page.evaluate("() => window.hit || document.querySelector('img[src=x]') !== null")
    return result


# Closes what is shown and deletes every name; whether with them each search and race has gone that a panel has shown.
FORGET = """[
    __import__('ipywidgets').Widget.close_all(),
    get_ipython().reset(new_session=False),
    __import__('gc').collect(),
    all(
        shown() is None
        for widget in [__import__('hpo_widgets.widget').widget]
        for shown in [*widget.panel._shown, *widget.comparison.strategy_race._shown]
    ),
][-1]"""


class Pages:
    """Pages of JupyterLab, lent to one test or module after another: loading one takes longer than most tests."""

    def __init__(self, lab: Lab, browser: Browser, opened: contextlib.ExitStack) -> None:
        self._lab = lab
        self._browser = browser
        self._opened = opened
        self._free: list[Notebook] = []
        self._with_kernel: Notebook | None = None

    @contextlib.contextmanager
    def lend(self) -> Iterator[Notebook]:
        """Give a page in which nothing of an earlier test runs."""
        page = self._take()
        yield page
        self._take_back(page)

    @contextlib.contextmanager
    def lend_with_kernel(self, source: str) -> Iterator[Notebook]:
        """Give a page with a notebook of one cell, which has not run, and a kernel that has nothing of an earlier test.

        What was imported is all that the kernel keeps: to start one and to import it takes longer than most tests.
        """
        page, self._with_kernel = self._with_kernel, None
        if page is None:
            page = self._take()
            page.open(source)
        else:
            page.set_only_cell(source)
        yield page
        # A kernel that is busy, has gone or cannot forget is shut down.
        with contextlib.suppress(PlaywrightError, AssertionError):
            if page.kernel(FORGET, deadline=10):
                page.tidy()
                self._with_kernel = page
                return
        self._take_back(page)

    def _take(self) -> Notebook:
        return self._free.pop() if self._free else self._open()

    def _take_back(self, page: Notebook) -> None:
        with contextlib.suppress(PlaywrightError):  # a page that was left or has crashed is not used again
            page.leave()
            self._free.append(page)

    def _open(self) -> Notebook:
        # JupyterLab gives pages of one context that are open at once another workspace each.
        context = self._opened.enter_context(new_context(self._browser))
        return self._opened.enter_context(open_page(self._lab, context))


@pytest.fixture(scope="package")
def pages(lab: Lab, browser: Browser) -> Iterator[Pages]:
    """Give the pages that tests use one after another."""
    with contextlib.ExitStack() as opened:
        yield Pages(lab, browser, opened)


@pytest.fixture
def notebook(pages: Pages) -> Iterator[Notebook]:
    """Give a page of JupyterLab in which the test opens a notebook of its own."""
    with pages.lend() as page:
        yield page


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, pages: Pages) -> Iterator[Notebook]:
    """The page that the tests of a module share, with the module's ``PANEL`` as its cell; nothing has run yet."""
    with pages.lend_with_kernel(request.module.PANEL) as page:
        yield page


@pytest.fixture
def run_anew(opened: Notebook) -> Iterator[Notebook]:
    """The shared page with its cell run anew, which makes a `ScriptedSearch` ``search`` and shows its ``widget``."""
    opened.console_errors.clear()
    page = opened.page
    # The page clears a cell's former output some time after the cell has run: no click may go there.
    outputs = "document.querySelectorAll('.jp-OutputArea-output')"
    page.evaluate(f"() => {outputs}.forEach(output => output.classList.add('former'))")
    opened.run_all()
    page.wait_for_function(f"() => {outputs}.length > 0 && ![...{outputs}].some(one => one.matches('.former'))")
    yield opened
    # Nothing of this test is running when the next one begins.
    opened.kernel("[widget.close(), search.set_status('stopped')] and None")


@pytest.fixture
def themes_and_widths(opened: Notebook) -> Iterator[Callable[..., Iterator[str]]]:
    """Show the shared page of a height light and dark, wide and narrow in turn; each is named as ``"dark-600"``.

    After each the panel is readable and whole.
    """

    def show(height: int, *, beside: int = 330) -> Iterator[str]:  # as much as the file browser takes
        for dark in (False, True):
            opened.use_theme(dark=dark)  # which takes longer than to change the width
            for width in (1400, 600):
                opened.page.set_viewport_size({"width": width + beside, "height": height})
                yield f"{'dark' if dark else 'light'}-{width}"
                assert_looks_right(opened.panel())

    yield show
    opened.use_theme(dark=False)
    opened.page.set_viewport_size(VIEWPORT)


@pytest.fixture
def panel(run_anew: Notebook) -> Locator:
    """A new search's panel, in the shared page."""
    shown = run_anew.panel()
    expect(shown.locator(".hpo-pill")).to_have_text("○idle")
    expect(shown.get_by_role("slider").first).to_be_visible()
    return shown


@pytest.fixture
def open_saved(browser: Browser) -> Iterator[Callable[..., SavedPage]]:
    """``open_saved(path, scheme="light")`` gives a `SavedPage`, of which the browser has nothing to complain."""
    pages: list[SavedPage] = []

    def open_one(path: pathlib.Path, scheme: str = "light") -> SavedPage:
        pages.append(SavedPage(browser, path, scheme))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()
    assert [page.complaints for page in pages] == [[]] * len(pages)
