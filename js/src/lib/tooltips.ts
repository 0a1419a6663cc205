// Tooltips of bqplot stay on the page when their mark is drawn again under the pointer: nothing tells them that it left.

import type { Lifetime } from "./lifetime";

const pointer = { x: -1, y: -1 };

function shown(): HTMLElement[] {
  const all = document.querySelectorAll<HTMLElement>(".bqplot_mark_tooltip");
  return [...all].filter(({ style }) => style.display !== "none" && style.opacity !== "0");
}

function hide(tooltips: HTMLElement[]): void {
  for (const tooltip of tooltips) {
    tooltip.style.display = "none";
  }
}

/**
 * Hides them as long as the view lives.
 *
 * @returns what is to be called after the page has been drawn again: hides them where the pointer rests on no mark
 */
export function hideTooltipsLeftBehind(lifetime: Lifetime): () => void {
  document.addEventListener(
    "mouseover",
    (event) => {
      [pointer.x, pointer.y] = [event.clientX, event.clientY];
      // Before the mark that is entered shows its own.
      hide(shown());
    },
    { capture: true, signal: lifetime.signal },
  );
  document.addEventListener(
    "mousemove",
    (event) => {
      [pointer.x, pointer.y] = [event.clientX, event.clientY];
    },
    { capture: true, passive: true, signal: lifetime.signal },
  );
  return () => {
    const tooltips = shown();
    if (
      tooltips.length > 0 &&
      !document.elementFromPoint(pointer.x, pointer.y)?.closest(".bqplot .dot")
    ) {
      hide(tooltips);
    }
  };
}
