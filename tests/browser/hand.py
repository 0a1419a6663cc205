"""What a person's hand does in a page, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator


def button(within: Locator, name: str) -> Locator:
    """The button of exactly that name."""
    return within.get_by_role("button", name=name, exact=True)


def middle(of: Locator) -> tuple[float, float]:
    """Where on the screen the middle of something is."""
    box = of.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def click_dot(dot: Locator, **options: Any) -> None:
    """Click where a dot of a plot is, whatever lies over it; a figure that is being laid out hides its dots."""
    expect(dot).to_be_visible()
    dot.click(force=True, **options)


def hover_dot(dot: Locator) -> None:
    """Point at a dot of a plot, as `click_dot` does."""
    expect(dot).to_be_visible()
    dot.hover(force=True)


def click_again(on: Locator) -> None:
    """Click as the second time of a double click, on what is in that place by then."""
    mouse = on.page.mouse
    mouse.move(*middle(on))
    mouse.down(click_count=2)
    mouse.up(click_count=2)


def press_keys(on: Locator, keys: Sequence[str]) -> None:
    """Press keys as quickly as a person does, also where each message to the page takes long."""
    on.focus()
    on.evaluate(
        """(node, keys) => keys.forEach(
             key => node.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})))""",
        list(keys),
    )


def take(handle: Locator) -> tuple[float, float]:
    """Press the mouse on a handle of a range, and return where; it is held until the mouse is let go."""
    handle.scroll_into_view_if_needed()
    mouse = handle.page.mouse
    for _look in range(20):  # a running search moves what is below its status
        x, y = middle(handle)
        mouse.move(x, y)
        if handle.evaluate("(handle, place) => handle.contains(document.elementFromPoint(...place))", [x, y]):
            mouse.down()
            if handle.evaluate("handle => handle.closest('[data-dragged]') !== null"):
                return x, y
            # What was pressed instead is let go elsewhere, so that it does nothing.
            handle.page.keyboard.press("Escape")
            mouse.move(1, 1)
            mouse.up()
    message = "the handle was never where it had been a moment before"
    raise AssertionError(message)


def drag(handle: Locator, distance: float, *, steps: int = 5) -> None:
    """Take a handle with the mouse and move it to the right; it is held until the mouse is let go."""
    x, y = take(handle)
    handle.page.mouse.move(x + distance, y, steps=steps)


_REACHED = """panel => {
  const at = document.activeElement;
  if (!panel.contains(at)) { return null; }
  const name = at.getAttribute('aria-label') || at.textContent.trim() || at.className;
  // Chromium's Tab also reaches what scrolls, so that it can be read.
  const isControl = at.matches('a[href], button, input, select, summary, textarea, [tabindex]');
  return [name.slice(0, 40), !isControl || getComputedStyle(at).pointerEvents !== 'none'];
}"""


def reached_by_tab(panel: Locator, first: Locator) -> list[tuple[str, bool]]:
    """Name of each control that Tab reaches from a node of a panel to its end, and whether the mouse may press it."""
    first.evaluate("node => { node.tabIndex = -1; node.focus(); }")
    reached: list[tuple[str, bool]] = []
    for _tab in range(100):
        panel.page.keyboard.press("Tab")
        found = panel.evaluate(_REACHED)
        if found is None:
            return reached
        reached.append((found[0], found[1]))
    message = f"Tab never leaves the panel: {reached}"
    raise AssertionError(message)
