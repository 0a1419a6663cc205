"""A saved page in a browser without network, as somebody has it who was sent the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.notebook import ARTEFACTS, PAINTED, PATIENCE, TAKES_PICTURES

if TYPE_CHECKING:
    import pathlib

    from playwright.sync_api import Browser


class SavedPage:
    """An open saved page.

    Attributes
    ----------
    page
        The page.
    complaints
        What the browser complained of, and what the page asked a person.
    requests
        The addresses that it asked for.
    """

    def __init__(self, browser: Browser, path: pathlib.Path, scheme: str = "light") -> None:
        self._context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": 1200, "height": 900})
        self._context.set_default_timeout(1000 * PATIENCE)
        self.page = self._context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self._complain(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-shown]")

    def _complain(self, said: str) -> None:
        # anywidget says this of a view that takes over two seconds to load, on a busy machine. It then shows the view
        # all the same; what it drops are later messages of a kernel, and a saved page has none.
        if said != "[anywidget] Failed to initialize model.":
            self.complaints.append(said)

    def screenshot(self, name: str) -> None:
        """Keep a picture for a person who asked for pictures; without one, too, the page is painted afterwards."""
        self.page.evaluate(PAINTED)
        if TAKES_PICTURES:
            self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)

    def close(self) -> None:
        """Close the page."""
        self._context.close()
