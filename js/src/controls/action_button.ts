// A button that acts on a search: a symbol, and a word that may change in its place.

import { element } from "../lib/dom";

interface ActionButton {
  button: HTMLElement;
  symbol: HTMLElement;
  word: HTMLElement;
}

export function makeActionButton(className: string): ActionButton {
  const button = element("button", className, { type: "button" });
  const symbol = element("span", "", { "aria-hidden": "true" });
  const word = element("span");
  button.append(symbol, " ", word);
  return { button, symbol, word };
}
