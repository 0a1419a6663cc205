// How far something is: its name and its numbers in a line, of which some are a field, over a bar.

import { element, setAttribute, setText } from "../lib/dom";
import "./progress_bar.css";
import type { TypedField } from "./typed_field";

export interface Progress {
  name: string;
  /** What is used and the limit, in words: `96 / 200`. */
  text: string;
  /** Used share of the limit, from 0 to 1; null without a limit. */
  fraction: number | null;
}

export function makeProgressBar(nameTag: "b" | "span"): HTMLElement {
  const name = element(nameTag, "", { dir: "auto" });
  const bar = element("div", "hpo-bar", { role: "progressbar" }, element("div"));
  return element("div", "", {}, element("div", "hpo-row", {}, name, element("span")), bar);
}

/** @param field takes the place of the numbers */
export function paintProgressBar(
  root: HTMLElement,
  progress: Progress,
  field: TypedField | null = null,
): void {
  const [row, bar] = [...root.children] as [HTMLElement, HTMLElement];
  const [name, text] = [...row.children] as [HTMLElement, HTMLElement];
  setText(name, progress.name);
  if (field === null) {
    setText(text, progress.text);
  } else if (field.root.parentElement !== text) {
    text.replaceChildren(field.root);
  }
  bar.hidden = progress.fraction === null;
  const percent = Math.min(100, 100 * (progress.fraction ?? 0));
  setAttribute(bar, "aria-label", progress.name);
  setAttribute(bar, "aria-valuenow", percent.toFixed(0));
  setAttribute(bar, "aria-valuetext", progress.text);
  (bar.firstElementChild as HTMLElement).style.width = `${percent}%`;
}
