"""A page that loses its connection to the server for a while, as a laptop does that changes its network."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button
from tests.browser.notebook import Lab, new_context, open_page
from tests.browser.scripted import panel_of
from tests.conftest import DEADLINE
from tests.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PANEL = panel_of(then="search.command('start')")
# Goes on in the kernel while no page reaches it.
TRIALS = """
import threading, time

def add_trials():
    while search.status == "running":
        search.add_trial(0.5)
        time.sleep(0.1)

threading.Thread(target=add_trials).start()
"""
HAS_ALL = "widget._refresher.flow.is_acknowledged"


class Network:
    """What is between a page and the server: there, deaf (what the page says is lost) or away (nobody answers)."""

    def __init__(self, server: Lab) -> None:
        self.state = "there"
        self.num_lost = 0
        """Acknowledgements that were lost."""
        self._server = urlsplit(server.base)
        self._open: set[asyncio.StreamWriter] = set()
        self._is_listening = threading.Event()
        port = free_port()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen(port)))
        self._thread.start()
        assert self._is_listening.wait(DEADLINE)
        self.lab = Lab(f"http://127.0.0.1:{port}", server.root)

    async def _listen(self, port: int) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        listening = await asyncio.start_server(self._connect, "127.0.0.1", port)
        self._is_listening.set()
        await self._end.wait()
        listening.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.state == "away":
            writer.close()
            return
        there = await asyncio.open_connection(self._server.hostname, self._server.port)
        self._open |= {writer, there[1]}
        await asyncio.gather(self._pass(reader, there[1], "deaf"), self._pass(there[0], writer))
        self._open -= {writer, there[1]}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: str = "") -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.state != lost:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    def note(self, sent: str | bytes) -> None:
        """Take note of what a page sends."""
        self.num_lost += self.state == "deaf" and '"seen"' in str(sent)

    def leave(self) -> None:
        """Cut what is connected, and be away from now on."""
        self.state = "away"
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.close()

    def close(self) -> None:
        """End the thread, and with it all connections."""
        self.leave()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


# As in a host that tells a widget nothing of the connection: JupyterLab's own parts have asked for the signal before.
TELL_NOTHING = """() => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const untold = { connect: () => true, disconnect: () => true };
  Object.defineProperty(Object.getPrototypeOf(kernel), 'connectionStatusChanged', { get: () => untold });
}"""


@pytest.fixture
def network(lab):
    """A `Network` between pages and the server."""
    with contextlib.closing(Network(lab)) as made:
        yield made


@pytest.fixture
def running(network, browser):
    """A page behind the network, with a notebook that will show a panel of a search that goes on."""
    with new_context(browser) as context, open_page(network.lab, context) as notebook:
        # JupyterLab says it too, over all of the page, when it has tried some times.
        said = notebook.page.get_by_role("dialog", name=re.compile("Server Connection Error"))
        notebook.page.add_locator_handler(said, lambda dialog: dialog.get_by_role("button").last.click())
        notebook.page.on("websocket", lambda socket: socket.on("framesent", network.note))
        notebook.open(PANEL, TRIALS)
        yield notebook


def run(notebook):
    """Run the search, and give its panel once trials have come."""
    notebook.run_all()
    panel = notebook.panel()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    notebook.wait_kernel("len(search.snapshot()) > 5")
    return panel


def lose(notebook, network):
    """Lose what the page says, then all: of the panel and of the list of searches each waits for an answer then."""
    network.state = "deaf"
    # One that was under way may be lost without being noted, and no other follows it.
    end = time.monotonic() + 10.0
    while network.num_lost < 2 and time.monotonic() < end:
        notebook.page.wait_for_timeout(50)
    network.leave()


def assert_shows_all(notebook, panel):
    """The panel of a search that was paused shows every trial."""
    expect(panel.locator(".hpo-pill")).to_have_text("❚❚paused")
    notebook.wait_kernel(HAS_ALL)
    number = notebook.kernel("len(search.snapshot())")
    expect(panel.locator(".hpo-counts")).to_contain_text(f"{number} completed")
    expect(panel.locator(".hpo-history-host .dot")).to_have_count(number + 1)  # and the mark of the best


def test_a_panel_goes_on_after_its_connection_was_lost_and_says_so_meanwhile(running, network):
    panel = run(running)
    running.command("hpo-widgets:open-search-panel")
    origin = running.page.locator(".hpo-side .hpo-entry-origin").first
    away = panel.locator(".hpo-away")
    expect(away).to_have_text("")

    lose(running, network)
    expect(away).to_contain_text("No connection since")
    expect(origin).to_contain_text("no connection")
    running.screenshot("connection-away", panel)
    button(panel, "Pause").click()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")

    network.state = "there"
    expect(away).to_have_text("")
    expect(origin).not_to_contain_text("no connection")
    assert_shows_all(running, panel)


def test_a_number_whose_request_was_lost_is_taken_by_another_enter(running, network):
    panel = run(running)
    away = panel.locator(".hpo-away")
    panel.get_by_role("button", name="trials in all").click()
    field = panel.get_by_role("textbox", name="trials in all")
    field.fill("300")
    network.state = "deaf"
    field.press("Enter")
    lose(running, network)
    expect(away).to_contain_text("No connection since")
    network.state = "there"
    expect(away).to_have_text("")
    expect(field).to_be_focused()
    field.press("Enter")
    expect(field).to_be_hidden()
    assert running.kernel("search.total_max_jobs") == 300
    running.kernel("search.command('pause')")


def test_a_panel_that_is_told_nothing_of_its_connection_notices_and_goes_on_by_itself(running, network):
    running.page.evaluate(TELL_NOTHING)
    panel = run(running)
    away = panel.locator(".hpo-away")
    lose(running, network)
    expect(away).to_contain_text("Nothing from the kernel since")
    running.screenshot("connection-silent", panel)
    network.state = "there"
    expect(away).to_have_text("")
    running.kernel("search.command('pause')")
    assert_shows_all(running, panel)
