// How many trials are in each state: buttons in a line of text, which select those trials.

import { element, makeButton, onPress, setAttribute, setKeys, setText } from "../lib/dom";

export interface Count {
  label: string;
  number: number;
  is_bad: boolean;
}

/**
 * @param onLook is called with a state whose trials a person wants to see
 */
export function paintCounts(
  root: HTMLElement,
  counts: readonly Count[],
  onLook: (state: string) => void,
): void {
  const states = counts.map(({ label }) => label);
  const places = setKeys(root, states, (state) => {
    const button = makeButton("", "hpo-typed-button");
    onPress(button, () => onLook(state));
    return element("span", "", {}, button, element("span"));
  });
  for (const [index, place] of places.entries()) {
    const count = counts[index];
    const [button, separator] = [...place.children] as [HTMLElement, HTMLElement];
    if (count) {
      button.classList.toggle("hpo-bad", count.is_bad);
      setText(button, `${count.number} ${count.label}`);
      setText(separator, index < counts.length - 1 ? " · " : "");
      setAttribute(button, "aria-disabled", count.number === 0 ? "true" : null);
      setAttribute(button, "title", count.number === 0 ? null : `Select the ${count.label} trials`);
    }
  }
}
