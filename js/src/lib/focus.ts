// Where the focus goes when what has it goes away, as a button does with the line that it acts on. On the page itself no
// key is heard, neither Ctrl+Z nor Escape, and a screen reader begins at the top.

/** What may take the focus, unless it is hidden or disabled. */
export const CONTROLS = "a[href], button, input, select, summary, textarea, [tabindex]";

/** Finds the element that has the focus. In marimo each view is in a shadow tree, of which the document knows the host. */
export function focusedElement(): Element | null {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) {
    found = found.shadowRoot.activeElement;
  }
  return found;
}

/**
 * Calls `act`. Where that removes or hides what has the focus, the nearest control that is left in this part of the panel
 * takes it, the one after it before the one before it; without any, the panel does.
 */
export function keepFocus(act: () => void): void {
  const focused = focusedElement();
  const part = focused?.closest(".hpo-part");
  if (!focused || !part) {
    act();
    return;
  }
  const panel = part.closest<HTMLElement>(".hpo-layout");
  // What is removed tells no neighbours any more.
  const nearby = neighbours(focused, part);
  act();
  const now = focusedElement();
  const isLost = now === null || now === document.body || now === focused;
  if (isLost && !isShown(focused) && !nearby.some((find) => find().some(takesFocus))) {
    panel?.focus({ preventScroll: true });
  }
}

/** Find what is beside a node, from itself outwards: what comes after it, and what comes before it, the nearest first. */
function neighbours(node: Element, part: Element): (() => HTMLElement[])[] {
  const parent = node.parentElement;
  if (node === part || parent === null) {
    return [];
  }
  const siblings = [...parent.children];
  const at = siblings.indexOf(node);
  return [
    () => siblings.slice(at + 1).flatMap(controlsIn),
    () => siblings.slice(0, at).flatMap(controlsIn).reverse(),
    ...neighbours(parent, part),
  ];
}

function controlsIn(node: Element): HTMLElement[] {
  const within = [...node.querySelectorAll<HTMLElement>(CONTROLS)];
  return node.matches(CONTROLS) ? [node as HTMLElement, ...within] : within;
}

function isShown(node: Element): boolean {
  return node.isConnected && node.closest("[hidden]") === null;
}

function takesFocus(node: HTMLElement): boolean {
  if (isShown(node)) {
    node.focus({ preventScroll: true });
  }
  return focusedElement() === node;
}
