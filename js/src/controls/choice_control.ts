// The allowed choices of one parameter: a checkbox each, of which at least one stays checked.

import { element, setAttribute, setReason, setText } from "../lib/dom";
import { type Preview, type RangeChange, withChoices } from "../lib/range_change";
import { adviceNote, parameterFrame } from "./parameter";

export interface ChoiceSpec {
  name: string;
  label: string;
  /** With what it is part of a point; empty: always. */
  needs: string;
  kind: "choice";
  choices: string[];
}

/** Says which choice a person has allowed or excluded. */
type OnChoice = (name: string, change: RangeChange) => void;

export class ChoiceControl {
  readonly root: HTMLElement;
  private readonly boxes: HTMLInputElement[];
  private readonly counts: HTMLElement[] = [];
  private readonly marks: HTMLElement[] = [];
  private readonly problem: HTMLElement;
  private readonly advised = adviceNote();
  private readonly boxWords = element("div", "hpo-preview-words hpo-optional");
  private reason: string | null = null;

  constructor(
    private readonly spec: ChoiceSpec,
    private allowed: readonly number[],
    private readonly onChoice: OnChoice,
  ) {
    const { root, badge } = parameterFrame(spec);
    this.root = root;
    setText(badge, spec.kind);
    const chips = element("div", "hpo-chips");
    this.boxes = spec.choices.map((label, index) => {
      const box = element("input", "", { type: "checkbox" });
      const text = element("span", "hpo-chip-text hpo-cut", { dir: "auto", title: label }, label);
      const mark = element("span", "hpo-best-mark hpo-optional", {
        "aria-hidden": "true",
        title: "best trial",
      });
      const count = element("span", "hpo-chip-count hpo-number", { "aria-hidden": "true" });
      this.counts.push(count);
      this.marks.push(mark);
      chips.append(element("label", "hpo-chip", {}, box, text, count, mark));
      box.addEventListener("click", (event) => this.toggle(event, index));
      return box;
    });
    this.problem = element("div", "hpo-problem hpo-optional", { role: "alert" });
    this.root.append(chips, this.advised, this.boxWords, this.problem);
    this.root.addEventListener("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.root.contains(event.relatedTarget))) {
        setText(this.problem, "");
      }
    });
    this.paint();
  }

  update(allowed: readonly number[], reason: string | null): void {
    if (reason !== this.reason || allowed.join() !== this.allowed.join()) {
      setText(this.problem, "");
    }
    this.allowed = allowed;
    this.reason = reason;
    this.paint();
  }

  /** Shows which allowed choices an advice would exclude, given those that it would keep; null: none. */
  setAdvised(kept: readonly number[] | null): void {
    this.advised.hidden = kept === null;
    for (const [index, box] of this.boxes.entries()) {
      const isExcluded = kept !== null && this.allowed.includes(index) && !kept.includes(index);
      (box.parentElement as HTMLElement).classList.toggle("hpo-advised", isExcluded);
    }
  }

  /** Shows how many trials had each choice, and which one the best has. */
  setTried(counts: readonly number[], best: number | null): void {
    for (const [index, box] of this.boxes.entries()) {
      const count = counts[index] ?? 0;
      const isBest = best === index;
      setText(this.counts[index] as HTMLElement, String(count));
      setText(this.marks[index] as HTMLElement, isBest ? "▲" : "");
      const trials = `${count} trial${count === 1 ? "" : "s"}${isBest ? ", the best trial" : ""}`;
      setAttribute(box, "aria-label", `${this.spec.choices[index]}, ${trials}`);
      setAttribute(this.counts[index] as HTMLElement, "title", trials);
    }
  }

  /** Shows which choices were brushed in a plot; null: nothing was. */
  setPreview(preview: Preview | null): void {
    setText(this.boxWords, preview?.words ?? "");
    for (const [index, box] of this.boxes.entries()) {
      const isOutside = preview !== null && !preview.range.includes(index);
      (box.parentElement as HTMLElement).classList.toggle("hpo-outside-box", isOutside);
    }
  }

  private paint(): void {
    for (const [index, box] of this.boxes.entries()) {
      const isAllowed = this.allowed.includes(index);
      box.checked = isAllowed;
      const chip = box.parentElement as HTMLElement;
      chip.classList.toggle("hpo-off", !isAllowed);
      setReason(box, this.reason);
      setReason(chip, this.reason);
    }
  }

  private toggle(event: Event, index: number): void {
    const isLast = this.allowed.length === 1 && this.allowed[0] === index;
    if (this.reason !== null || isLast) {
      event.preventDefault();
      setText(this.problem, isLast ? "At least one choice stays." : "");
      return;
    }
    setText(this.problem, "");
    const change = { [index]: !this.allowed.includes(index) };
    this.allowed = withChoices(this.allowed, change);
    this.paint();
    this.onChoice(this.spec.name, change);
  }
}
