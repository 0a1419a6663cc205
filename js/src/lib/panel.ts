// The whole panel round a view of it, which is there only when all has been put on the page.

import type { Lifetime } from "./lifetime";

/**
 * Calls `act` with the panel once `node`, which is shown, is part of one; never for a view that stands alone.
 *
 * @param selector finds the panel, or another widget that `node` is part of
 */
export function whenInPanel(
  node: HTMLElement,
  lifetime: Lifetime,
  act: (panel: HTMLElement) => void,
  selector = ".hpo-layout",
): void {
  const laidOut = new ResizeObserver(() => {
    const panel = node.closest<HTMLElement>(selector);
    if (panel) {
      laidOut.disconnect();
      act(panel);
    }
  });
  laidOut.observe(node);
  lifetime.atEnd(() => laidOut.disconnect());
}
