// The budgets of a search: a bar each, of which some have a field in the place of their numbers.

import { element, setAttribute, setText } from "../lib/dom";
import type { TypedField } from "./typed_field";

export interface Budget {
  name: string;
  /** What is used and the limit, in words: `96 / 200`. */
  text: string;
  /** Used share of the limit, from 0 to 1; null without a limit. */
  fraction: number | null;
}

export function makeBudget(): HTMLElement {
  const root = element("div");
  const row = element("div", "hpo-row");
  const bar = element("div", "hpo-bar", { role: "progressbar" });
  row.append(element("span"), element("span"));
  bar.append(element("div"));
  root.append(row, bar);
  return root;
}

export function paintBudget(root: HTMLElement, budget: Budget, field: TypedField | null): void {
  const [row, bar] = [...root.children] as [HTMLElement, HTMLElement];
  const [name, text] = [...row.children] as [HTMLElement, HTMLElement];
  setText(name, budget.name);
  if (field === null) {
    setText(text, budget.text);
  } else if (field.root.parentElement !== text) {
    text.replaceChildren(field.root);
  }
  bar.hidden = budget.fraction === null;
  const percent = Math.min(100, 100 * (budget.fraction ?? 0));
  setAttribute(bar, "aria-label", budget.name);
  setAttribute(bar, "aria-valuenow", percent.toFixed(0));
  setAttribute(bar, "aria-valuetext", budget.text);
  (bar.firstElementChild as HTMLElement).style.width = `${percent}%`;
}
