// The bounds of a range as two fields to type in. What makes no sense is said below and not taken.

import { element, setAttribute, setReason, setText } from "../lib/dom";
import { focusedElement } from "../lib/focus";
import {
  type Bounds,
  ENDS,
  type Ending,
  format,
  type NumericSpec,
  parse,
  type Scale,
} from "../lib/scale";

/** Letters that a field of the usual width has room for. */
const MOST_LETTERS = 8;

export class BoundFields {
  readonly root: HTMLElement;
  /** Where what is wrong is said: to be placed where a sentence has room. */
  readonly problem: HTMLElement;
  private readonly fields: HTMLInputElement[];
  /** What the fields were last given: another text there is a person's. */
  private readonly written: [string, string] = ["", ""];
  /** What is wrong with the text of each field; null: nothing is. */
  private readonly problems: [string | null, string | null] = [null, null];
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
    this.root = element("span", "hpo-fields", {}, ...this.fields);
    this.fields[0]?.after(element("span", "", { "aria-hidden": "true" }, "…"));
    this.problem = element("div", "hpo-problem hpo-optional", { role: "alert" });
  }

  /** Shows bounds; a reason takes the fields' function away and leaves the text. */
  paint(scale: Scale, bounds: Bounds, reason: string | null): void {
    this.scale = scale;
    this.bounds = bounds;
    this.reason = reason;
    for (const [index, field] of this.fields.entries()) {
      // What somebody is typing stays, whatever happens in the search meanwhile.
      const isTyped = focusedElement() === field && field.value !== this.written[index as Ending];
      if (!isTyped && this.problems[index as Ending] === null) {
        this.write(index as Ending);
      }
      field.readOnly = reason !== null;
      setReason(field, reason);
    }
  }

  /** Forgets what is wrong, as other bounds are about to be shown. */
  forget(): void {
    this.judge(0, null);
    this.judge(1, null);
  }

  /** Says what is wrong with the text of a field; null: nothing is. */
  private judge(end: Ending, problem: string | null): void {
    this.problems[end] = problem;
    setAttribute(this.fields[end] as HTMLElement, "aria-invalid", problem && "true");
    setText(this.problem, problem ?? this.problems[other(end)] ?? "");
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
    for (const event of ["focus", "blur"]) {
      field.addEventListener(event, () => {
        if (this.isUntouched(index)) {
          this.write(index);
        }
      });
    }
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.judge(index, null);
        this.write(index);
        field.select();
      } else if (event.key === "Enter") {
        this.type(index);
      }
    });
    return field;
  }

  /** Whether a field has the text that it was given, of the bound as it is now. */
  private isUntouched(end: Ending): boolean {
    const bound = this.bounds[end];
    const { value } = this.fields[end] as HTMLInputElement;
    return value === this.written[end] && (value === format(bound) || value === String(bound));
  }

  private write(end: Ending): void {
    const field = this.fields[end] as HTMLInputElement;
    // A whole number is typed by its digits, of which a field that is read has no room for all.
    const isExact = this.scale.spec.kind === "int" && focusedElement() === field;
    const text = isExact ? String(this.bounds[end]) : format(this.bounds[end]);
    this.written[end] = text;
    field.classList.toggle("hpo-long", format(this.bounds[end]).length > MOST_LETTERS);
    field.defaultValue = text;
    if (field.value !== text) {
      field.value = text;
    }
  }

  private type(end: Ending): void {
    const field = this.fields[end] as HTMLInputElement;
    if (this.reason !== null || field.value === format(this.bounds[end])) {
      this.judge(end, null);
      return;
    }
    const value = parse(field.value);
    if (value === null) {
      this.judge(end, "Type a number, such as 0.01 or 1e-3.");
      return;
    }
    const both = this.bothTyped(end, value);
    const bounds = both ?? withEnd(this.bounds, end, value);
    const problem = both ? null : problemOf(value, bounds, this.scale);
    this.judge(end, problem);
    if (problem !== null) {
      return;
    }
    this.written[end] = field.defaultValue = field.value;
    if (both) {
      this.judge(other(end), null);
    }
    if (bounds[0] === this.bounds[0] && bounds[1] === this.bounds[1]) {
      this.write(end);
      return;
    }
    this.onBounds(bounds);
  }

  /** Both bounds, where the other one was refused and makes sense with this one: a range may move beyond its own end. */
  private bothTyped(end: Ending, value: number): Bounds | null {
    const typed = this.fields[other(end)] as HTMLInputElement;
    const refused = this.problems[other(end)] === null ? null : parse(typed.value);
    if (refused === null) {
      return null;
    }
    const both = withEnd(withEnd(this.bounds, end, value), other(end), refused);
    return both.every((bound) => problemOf(bound, both, this.scale) === null) ? both : null;
  }
}

function other(end: Ending): Ending {
  return end === 0 ? 1 : 0;
}

function withEnd(bounds: Bounds, end: Ending, value: number): Bounds {
  return end === 0 ? [value, bounds[1]] : [bounds[0], value];
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
