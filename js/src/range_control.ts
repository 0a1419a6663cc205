// The range of one numeric parameter: two handles on a track and two fields for typed bounds.

import { element, needs, setAttribute, setReason, setText } from "./dom";
import { type Drawn, Ghost } from "./ghost";
import { Rug } from "./rug";
import { type Bounds, format, type NumericSpec, parse, Scale } from "./scale";

type Ending = 0 | 1;

/** A range that the best trial wants wider. */
export interface Edge {
  name: string;
  end: (typeof ENDS)[number];
  range: [number, number];
}

/** What was tried of a parameter, and what follows from it. */
export interface Tried {
  bins: string;
  /** The best trial's name and value. */
  best: { name: string; value: number } | null;
  edge: Edge | null;
  drawn: Drawn;
}

/** Says that a person has set `bounds`; `isFinal` when the gesture is over. */
export type OnChange = (name: string, bounds: Bounds, isFinal: boolean) => void;

const ENDS = ["lower", "upper"] as const;
const PAGE = 10;

export class RangeControl {
  readonly root: HTMLElement;
  private readonly handles: HTMLElement[];
  private readonly fields: HTMLInputElement[];
  private readonly rail: HTMLElement;
  private readonly fill: HTMLElement;
  private readonly problem: HTMLElement;
  private readonly badge: HTMLElement;
  private readonly rug = new Rug();
  private readonly ghost = new Ghost();
  private readonly edgeNote: HTMLElement;
  private readonly edgeText: HTMLElement;
  private readonly edgeButton: HTMLButtonElement;
  private tried: Tried = {
    bins: "",
    best: null,
    edge: null,
    drawn: { profile: "", range: [0, 1] },
  };
  /** What the fields were last given: another text there is a person's. */
  private readonly written: [string, string] = ["", ""];
  private scale: Scale;
  private bounds: Bounds;
  private reason: string | null = null;
  /** What came from the kernel while a hand was on a handle; shown when it lets go. */
  private waiting: { spec: NumericSpec; bounds: Bounds } | null = null;
  private dragged: { end: Ending; before: Bounds; pointer: number } | null = null;

  constructor(
    spec: NumericSpec,
    bounds: Bounds,
    private readonly onChange: OnChange,
  ) {
    this.scale = new Scale(spec);
    this.bounds = bounds;
    this.root = element("div", "hpo-parameter", { role: "group", "aria-label": spec.label });

    const head = element("div", "hpo-parameter-head");
    const name = element("span", "hpo-parameter-name", { dir: "auto" });
    setText(name, spec.label);
    setAttribute(name, "title", spec.name);
    this.badge = element("span", "hpo-badge");
    this.fields = ENDS.map((end, index) => this.makeField(spec, end, index as Ending));
    const fields = element("span", "hpo-fields");
    const dots = element("span", "", { "aria-hidden": "true" });
    setText(dots, "…");
    fields.append(this.fields[0] as HTMLElement, dots, this.fields[1] as HTMLElement);
    head.append(name, this.badge, fields);

    const track = element("div", "hpo-track");
    this.rail = element("div", "hpo-rail");
    this.fill = element("div", "hpo-fill");
    this.handles = ENDS.map((end, index) => this.makeHandle(spec, end, index as Ending));
    this.rail.append(this.ghost.root, this.rug.root, this.fill, ...this.handles);
    track.append(this.rail);
    track.addEventListener("pointerdown", (event) => this.press(event));
    track.addEventListener("pointermove", (event) => this.drag(event));
    track.addEventListener("pointerup", (event) => this.release(event));
    track.addEventListener("pointercancel", () => this.cancel());

    this.problem = element("div", "hpo-problem", { role: "alert" });
    this.edgeNote = element("div", "hpo-edge", { role: "note" });
    this.edgeText = element("span", "", { dir: "auto" });
    this.edgeButton = element("button", "hpo-link", { type: "button" });
    this.edgeButton.addEventListener("click", () => this.widen());
    this.edgeNote.append(this.edgeText, " ", this.edgeButton);
    this.root.append(head, needs(spec.needs), track, this.problem, this.edgeNote);
    this.paint();
  }

  /** Shows what the kernel says, but never under a hand. */
  update(spec: NumericSpec, bounds: Bounds, reason: string | null): void {
    this.reason = reason;
    if (this.dragged) {
      this.waiting = { spec, bounds };
      return;
    }
    if (bounds[0] !== this.bounds[0] || bounds[1] !== this.bounds[1]) {
      this.complain(null);
    }
    this.scale = new Scale(spec);
    this.bounds = bounds;
    this.paint();
  }

  /** Shows what was tried; also under a hand, since it moves no handle. */
  setTried(tried: Tried): void {
    this.tried = tried;
    this.paintTried();
  }

  private paintTried(): void {
    const { bins, best, edge, drawn } = this.tried;
    this.ghost.paint(this.scale, this.bounds, drawn);
    this.rug.setBins(bins);
    const value = best?.value ?? null;
    const { low, high } = this.scale.spec;
    const isOnTrack = value !== null && value >= low && value <= high;
    const bestName = best && value !== null ? `best trial ${best.name} at ${format(value)}` : "";
    this.rug.setBest(isOnTrack ? this.scale.fraction(value) : null, bestName);
    this.rug.setLabel(
      bins.trim() === ""
        ? "Nothing tried yet"
        : `${["Values tried", bestName].filter(Boolean).join("; ")}. Taller: better. Thin: under earlier ranges. Broken: failed.`,
    );
    const isOffered = edge !== null && this.reason === null;
    this.edgeNote.hidden = !isOffered;
    if (isOffered) {
      setText(this.edgeText, `best sits near the ${edge.end} end of ${this.scale.spec.label}.`);
      setText(this.edgeButton, `Widen to ${format(edge.range[edge.end === "lower" ? 0 : 1])}`);
    }
  }

  private widen(): void {
    const { edge } = this.tried;
    if (edge !== null && this.reason === null) {
      this.tried = { ...this.tried, edge: null };
      this.set(edge.range, true);
    }
  }

  private makeHandle(spec: NumericSpec, end: string, index: Ending): HTMLElement {
    const handle = element("div", "hpo-handle", {
      role: "slider",
      tabindex: "0",
      "aria-orientation": "horizontal",
      "aria-label": `${spec.label}, ${end} end`,
    });
    handle.addEventListener("keydown", (event) => this.key(event, index));
    return handle;
  }

  private makeField(spec: NumericSpec, end: string, index: Ending): HTMLInputElement {
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

  private paint(): void {
    const spec = this.scale.spec;
    const shares = this.bounds.map((bound) => this.scale.fraction(bound)) as [number, number];
    const hasSteps = spec.step !== null && (spec.kind !== "int" || spec.step !== 1);
    setText(this.badge, spec.kind);
    setAttribute(
      this.badge,
      "title",
      hasSteps
        ? `in steps of ${format(spec.step ?? 1)}${spec.kind === "log" ? " of the exponent" : ""}`
        : null,
    );
    this.paintTried();
    this.fill.style.left = `${100 * shares[0]}%`;
    this.fill.style.right = `${100 * (1 - shares[1])}%`;
    for (const [index, handle] of this.handles.entries()) {
      const bound = this.bounds[index as Ending];
      handle.style.left = `${100 * (shares[index as Ending] ?? 0)}%`;
      setAttribute(handle, "aria-valuemin", String(index === 0 ? spec.low : this.bounds[0]));
      setAttribute(handle, "aria-valuemax", String(index === 1 ? spec.high : this.bounds[1]));
      setAttribute(handle, "aria-valuenow", String(bound));
      setAttribute(handle, "aria-valuetext", format(bound));
      setReason(handle, this.reason);
    }
    for (const [index, field] of this.fields.entries()) {
      // What somebody is typing stays, whatever happens in the search meanwhile.
      const isTyped =
        document.activeElement === field && field.value !== this.written[index as Ending];
      if (!isTyped && field.getAttribute("aria-invalid") !== "true") {
        this.write(index as Ending);
      }
      field.readOnly = this.reason !== null;
      setReason(field, this.reason);
    }
  }

  private write(end: Ending): void {
    const text = format(this.bounds[end]);
    this.written[end] = text;
    const field = this.fields[end] as HTMLInputElement;
    if (field.value !== text) {
      field.value = text;
    }
  }

  private complain(sentence: string | null): void {
    setText(this.problem, sentence ?? "");
    if (sentence === null) {
      for (const field of this.fields) {
        setAttribute(field, "aria-invalid", null);
      }
    }
  }

  private set(bounds: Bounds, isFinal: boolean): void {
    const isNew = bounds[0] !== this.bounds[0] || bounds[1] !== this.bounds[1];
    this.bounds = bounds;
    this.complain(null);
    this.paint();
    if (isNew || isFinal) {
      this.onChange(this.scale.spec.name, bounds, isFinal);
    }
  }

  private share(event: PointerEvent): number {
    const box = this.rail.getBoundingClientRect();
    return box.width > 0 ? (event.clientX - box.left) / box.width : 0;
  }

  private press(event: PointerEvent): void {
    if (this.reason !== null || event.button !== 0) {
      return;
    }
    event.preventDefault();
    const share = this.share(event);
    const places = this.bounds.map((bound) => this.scale.fraction(bound)) as [number, number];
    // Where both handles sit together, the side of the pointer says which is meant.
    const near = Math.abs(share - places[0]) - Math.abs(share - places[1]);
    const end: Ending = near < 0 || (near === 0 && share < places[0]) ? 0 : 1;
    this.dragged = { end, before: this.bounds, pointer: event.pointerId };
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.handles[end]?.focus({ preventScroll: true });
    this.root.dataset.dragged = ENDS[end];
    if (event.target !== this.handles[end]) {
      this.drag(event);
    }
  }

  private drag(event: PointerEvent): void {
    if (this.dragged && event.pointerId === this.dragged.pointer) {
      const value = this.scale.value(this.share(event));
      this.set(this.scale.placed(this.bounds, this.dragged.end, value), false);
    }
  }

  private release(event: PointerEvent): void {
    if (this.dragged && event.pointerId === this.dragged.pointer) {
      const { before, end } = this.dragged;
      const isMoved = before[0] !== this.bounds[0] || before[1] !== this.bounds[1];
      const value = this.bounds[end];
      const isOld = this.waiting === null;
      const held = this.bounds;
      this.letGo();
      if (isMoved) {
        // The other end stays where somebody else has moved it meanwhile.
        this.set(isOld ? held : this.scale.placed(this.bounds, end, value), true);
      }
    }
  }

  private cancel(): void {
    if (this.dragged) {
      this.bounds = this.dragged.before;
      this.letGo();
      this.paint();
    }
  }

  private letGo(): void {
    this.dragged = null;
    delete this.root.dataset.dragged;
    if (this.waiting) {
      this.scale = new Scale(this.waiting.spec);
      this.bounds = this.waiting.bounds;
      this.waiting = null;
      this.paint();
    }
  }

  private key(event: KeyboardEvent, end: Ending): void {
    if (event.key === "Escape" && this.dragged) {
      this.cancel();
      return;
    }
    const value = this.valueByKey(event.key, end);
    if (value === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    event.preventDefault();
    if (this.reason === null) {
      this.set(this.scale.placed(this.bounds, end, value), false);
    }
  }

  private valueByKey(key: string, end: Ending): number | null {
    const bound = this.bounds[end];
    switch (key) {
      case "ArrowLeft":
      case "ArrowDown":
        return this.scale.moved(bound, -1);
      case "ArrowRight":
      case "ArrowUp":
        return this.scale.moved(bound, 1);
      case "PageDown":
        return this.scale.moved(bound, -PAGE);
      case "PageUp":
        return this.scale.moved(bound, PAGE);
      case "Home":
        return this.scale.spec.low;
      case "End":
        return this.scale.spec.high;
      default:
        return null;
    }
  }

  private type(end: Ending): void {
    const field = this.fields[end] as HTMLInputElement;
    if (this.reason !== null || field.value === format(this.bounds[end])) {
      this.complain(null);
      return;
    }
    const value = parse(field.value);
    const problem = this.problemOf(value, end);
    if (value === null || problem !== null) {
      setAttribute(field, "aria-invalid", "true");
      this.complain(problem);
      return;
    }
    this.written[end] = field.value;
    if (value === this.bounds[end]) {
      this.complain(null);
      this.write(end);
      return;
    }
    this.set(end === 0 ? [value, this.bounds[1]] : [this.bounds[0], value], true);
  }

  private problemOf(value: number | null, end: Ending): string | null {
    const { kind, limit_low, limit_high } = this.scale.spec;
    if (value === null) {
      return "Type a number, such as 0.01 or 1e-3.";
    }
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
    const bounds: Bounds = end === 0 ? [value, this.bounds[1]] : [this.bounds[0], value];
    const gap = bounds[1] - bounds[0];
    if (gap < 0 || (gap === 0 && !this.scale.mayBeSingle)) {
      return "The lower bound must be below the upper one.";
    }
    // The end of the track may be a value of its own, off the steps.
    if (this.scale.steps(bounds)?.length === 0 && bounds[1] !== this.scale.spec.high) {
      return "No step lies between these bounds.";
    }
    return null;
  }
}
