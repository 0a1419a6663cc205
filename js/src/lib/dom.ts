// Small helpers for building DOM. Text that comes from a search always enters as text, never as HTML.

type Attributes = Readonly<Record<string, string>>;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  attributes: Attributes = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  if (className) {
    node.className = className;
  }
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...content);
  return node;
}

/** A button that does nothing but what listens to it. */
export function makeButton(
  content: Node | string = "",
  className = "",
  attributes: Attributes = {},
): HTMLButtonElement {
  return element("button", className, { type: "button", ...attributes }, content);
}

/** Writes only what differs: an unchanged node is not laid out, nor read out, again. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Writes a name that may be broken where its words end. */
export function setName(node: Element, name: string): void {
  if (node.textContent !== name) {
    const [first = "", ...others] = name.split(/(?<=[\s/_.-])/);
    node.replaceChildren(first, ...others.flatMap((word) => [element("wbr"), word]));
  }
}

export function setAttribute(node: HTMLElement, name: string, value: string | null): void {
  if (value === null) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/**
 * Marks a control as not available with the reason as its description, else describes what it does. It stays
 * focusable, so that the reason can be reached by keyboard and is read out.
 */
export function setReason(
  node: HTMLElement,
  reason: string | null,
  meaning: string | null = null,
): void {
  setAttribute(node, "aria-disabled", reason === null ? null : "true");
  setAttribute(node, "title", reason ?? meaning);
  setAttribute(node, "aria-description", reason ?? meaning);
}

export function isDisabled(node: HTMLElement): boolean {
  return node.getAttribute("aria-disabled") === "true";
}

/** Calls `act` when a control is pressed, unless it is marked as not available then. */
export function onPress(node: HTMLElement, act: (event: MouseEvent) => void): void {
  node.addEventListener("click", (event) => {
    if (!isDisabled(node)) {
      act(event);
    }
  });
}

/** Makes `parent` hold exactly `count` children made by `make`, keeping those that are there. */
export function setCount(
  parent: HTMLElement,
  count: number,
  make: () => HTMLElement,
): HTMLElement[] {
  while (parent.childElementCount > count) {
    parent.lastElementChild?.remove();
  }
  while (parent.childElementCount < count) {
    parent.append(make());
  }
  return [...parent.children] as HTMLElement[];
}

/**
 * Makes `parent` hold exactly these nodes in this order. What goes is removed first, so that what stays is not taken
 * out and put back: it may have the focus, or a press that is not over yet.
 */
export function inOrder(parent: HTMLElement, nodes: readonly HTMLElement[]): void {
  const wanted = new Set<Element>(nodes);
  for (const child of [...parent.children]) {
    if (!wanted.has(child)) {
      child.remove();
    }
  }
  for (const [place, node] of nodes.entries()) {
    if (parent.children[place] !== node) {
      parent.insertBefore(node, parent.children[place] ?? null);
    }
  }
}

/**
 * Makes `parent` hold one child for each key, in this order. Unlike those of `setCount`, a child stands for the same
 * thing as long as it is there, so that a press acts on what it began on, whatever comes or goes meanwhile.
 */
export function setKeys(
  parent: HTMLElement,
  keys: readonly string[],
  make: (key: string) => HTMLElement,
): HTMLElement[] {
  const known = new Map(
    ([...parent.children] as HTMLElement[]).map((child) => [child.dataset.key, child]),
  );
  const children = keys.map((key) => {
    const child = known.get(key) ?? make(key);
    child.dataset.key = key;
    return child;
  });
  inOrder(parent, children);
  return children;
}

/**
 * Whether this is the second click of a double click, which was meant as one: by then the same place may stand for
 * another command. A key that is pressed is none.
 */
export function isRepeatedClick(event: MouseEvent): boolean {
  return event.detail > 1;
}

/**
 * A notebook has a use of its own for single keys, such as x to cut a cell, and for Ctrl+Z: what is pressed in `root`
 * stays there, but for Shift+Enter and, outside of fields, combinations with Ctrl, Alt or the command key. In a field
 * Ctrl+S saves the notebook, too: the browser would offer to save the page.
 *
 * @param signal ends it, where `root` lives longer than the view
 */
export function keepKeys(root: HTMLElement, signal?: AbortSignal): void {
  const keep = (event: KeyboardEvent): void => {
    const isTyped =
      event.target instanceof HTMLTextAreaElement ||
      (event.target instanceof HTMLInputElement && event.target.type !== "checkbox");
    const isCombined = event.ctrlKey || event.metaKey || event.altKey;
    const isRun = event.key === "Enter" && event.shiftKey;
    const isSave = (event.ctrlKey || event.metaKey) && letterOf(event) === "s";
    if (!isSave && (isTyped || !(isCombined || isRun))) {
      event.stopPropagation();
    }
  };
  root.addEventListener("keydown", keep, { signal });
}

/** The letter of a key; where a keyboard has another script than ours, the one that is printed beside it. */
export function letterOf({ key, code }: KeyboardEvent): string {
  const letter = /^(?!\p{Script=Latin})\p{Letter}$/u.test(key) ? code.replace(/^Key/, "") : key;
  return letter.toLowerCase();
}

/** Escape closes a menu that is open, and its summary has the focus. */
export function closeByEscape(menu: HTMLDetailsElement, summary: HTMLElement): void {
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      event.stopPropagation();
      menu.open = false;
      summary.focus();
    }
  });
}

const SELECTED = "Selected: press Ctrl+C or ⌘C, this page may not copy by itself";

/** Copies a text. Returns whether the page may: not everywhere, and never where it does not come over https. */
export async function isCopied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a button that copies the code that `shown` says, or selects it where the page may not, and the place where it says
 * what became of that.
 */
export function makeCopyButton(shown: HTMLElement): { copy: HTMLElement; outcome: HTMLElement } {
  const copy = makeButton("Copy", "", { "aria-label": "Copy the code" });
  const outcome = element("span", "hpo-muted", { role: "status" });
  copy.addEventListener("click", async () => {
    const isDone = await isCopied(shown.textContent ?? "");
    if (!isDone) {
      window.getSelection()?.selectAllChildren(shown);
    }
    setText(outcome, isDone ? "Copied" : SELECTED);
  });
  return { copy, outcome };
}
