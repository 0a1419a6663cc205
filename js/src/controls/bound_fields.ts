// The bounds of a range as two fields to type in. What makes no sense is said below and not taken.

import { element, setAttribute, setReason, setText } from "../lib/dom";
import {
  type Bounds,
  ENDS,
  type Ending,
  format,
  type NumericSpec,
  parse,
  type Scale,
} from "../lib/scale";

export class BoundFields {
  readonly root: HTMLElement;
  /** Where what is wrong is said: to be placed where a sentence has room. */
  readonly problem: HTMLElement;
  private readonly fields: HTMLInputElement[];
  /** What the fields were last given: another text there is a person's. */
  private readonly written: [string, string] = ["", ""];
  private reason: string | null = null;

  /**
   * @param onBounds tells the bounds that a person has typed
   */
  constructor(
    private scale: Scale,
    private bounds: Bounds,
    private readonly onBounds: (bounds: Bounds) => void,
  ) {
    this.fields = ENDS.map((end, index) => this.make(scale.spec, end, index as Ending));
    this.root = element("span", "hpo-fields");
    const dots = element("span", "", { "aria-hidden": "true" });
    setText(dots, "…");
    this.root.append(this.fields[0] as HTMLElement, dots, this.fields[1] as HTMLElement);
    this.problem = element("div", "hpo-problem", { role: "alert" });
  }

  /** Shows bounds; a reason takes the fields' function away and leaves the text. */
  paint(scale: Scale, bounds: Bounds, reason: string | null): void {
    this.scale = scale;
    this.bounds = bounds;
    this.reason = reason;
    for (const [index, field] of this.fields.entries()) {
      // What somebody is typing stays, whatever happens in the search meanwhile.
      const isTyped =
        document.activeElement === field && field.value !== this.written[index as Ending];
      if (!isTyped && field.getAttribute("aria-invalid") !== "true") {
        this.write(index as Ending);
      }
      field.readOnly = reason !== null;
      setReason(field, reason);
    }
  }

  /** Says what is wrong; null: nothing is. */
  complain(sentence: string | null): void {
    setText(this.problem, sentence ?? "");
    if (sentence === null) {
      for (const field of this.fields) {
        setAttribute(field, "aria-invalid", null);
      }
    }
  }

  private make(spec: NumericSpec, end: string, index: Ending): HTMLInputElement {
    const field = element("input", "hpo-field hpo-number", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": `${spec.label}, ${end} bound`,
    });
    field.addEventListener("change", () => this.type(index));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.complain(null);
        this.write(index);
        field.select();
      } else if (event.key === "Enter") {
        this.type(index);
      }
    });
    return field;
  }

  private write(end: Ending): void {
    const text = format(this.bounds[end]);
    this.written[end] = text;
    const field = this.fields[end] as HTMLInputElement;
    if (field.value !== text) {
      field.value = text;
    }
  }

  private type(end: Ending): void {
    const field = this.fields[end] as HTMLInputElement;
    if (this.reason !== null || field.value === format(this.bounds[end])) {
      this.complain(null);
      return;
    }
    const value = parse(field.value);
    if (value === null) {
      this.refuse(field, "Type a number, such as 0.01 or 1e-3.");
      return;
    }
    const bounds: Bounds = end === 0 ? [value, this.bounds[1]] : [this.bounds[0], value];
    const problem = problemOf(value, bounds, this.scale);
    if (problem !== null) {
      this.refuse(field, problem);
      return;
    }
    this.written[end] = field.value;
    if (value === this.bounds[end]) {
      this.complain(null);
      this.write(end);
      return;
    }
    this.onBounds(bounds);
  }

  private refuse(field: HTMLInputElement, problem: string): void {
    setAttribute(field, "aria-invalid", "true");
    this.complain(problem);
  }
}

/** What is wrong with a value that was typed, and with the bounds that it makes; null: nothing. */
export function problemOf(value: number, bounds: Bounds, scale: Scale): string | null {
  const { kind, limit_low, limit_high } = scale.spec;
  if (kind === "int" && !Number.isInteger(value)) {
    return "Type a whole number.";
  }
  if (kind === "log" && value <= 0) {
    return "A logarithmic range starts above 0.";
  }
  if (limit_low !== null && value < limit_low) {
    return `The limit is ${format(limit_low)}.`;
  }
  if (limit_high !== null && value > limit_high) {
    return `The limit is ${format(limit_high)}.`;
  }
  const gap = bounds[1] - bounds[0];
  if (gap < 0 || (gap === 0 && !scale.mayBeSingle)) {
    return "The lower bound must be below the upper one.";
  }
  // The end of the track may be a value of its own, off the steps.
  if (scale.steps(bounds)?.length === 0 && bounds[1] !== scale.spec.high) {
    return "No step lies between these bounds.";
  }
  return null;
}
