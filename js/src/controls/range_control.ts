// The range of one numeric parameter: two handles on a track, beside fields for typed bounds and what was tried.

import { element, makeButton, setAttribute, setReason, setText } from "../lib/dom";
import { keepFocus } from "../lib/focus";
import {
  movedEnds,
  type Preview,
  type Range,
  type RangeChange,
  withEnds,
} from "../lib/range_change";
import {
  type Bounds,
  ENDS,
  type Ending,
  format,
  type NumericSpec,
  plain,
  Scale,
} from "../lib/scale";
import { BoundFields } from "./bound_fields";
import { adviceNote, parameterFrame } from "./parameter";
import { type Tried, TriedValues } from "./tried_values";

/** Says what a person has moved; `isFinal` when the gesture is over. */
type OnChange = (name: string, change: RangeChange, isFinal: boolean) => void;

const PAGE = 10;

export class RangeControl {
  readonly root: HTMLElement;
  private readonly handles: HTMLElement[];
  private readonly rail = element("div", "hpo-rail");
  private readonly fill = element("div", "hpo-fill");
  private readonly badge: HTMLElement;
  private readonly fields: BoundFields;
  private readonly tried: TriedValues;
  /** What was brushed in a plot: shown before it is a range. */
  private readonly box = element("div", "hpo-preview", { "aria-hidden": "true" });
  private readonly boxWords = element("div", "hpo-preview-words hpo-optional");
  private preview: Bounds | null = null;
  /** Says that the range reaches beyond what was declared, which a typed bound may do unnoticed. */
  private readonly beyond = element("div", "hpo-beyond", { role: "status" });
  private readonly beyondText = element("span");
  private readonly back = makeButton("undo", "hpo-link");
  /** The parts below and above what an advice would keep. */
  private readonly excluded = ENDS.map(() => element("div", "hpo-advised-part"));
  private readonly advised = adviceNote();
  private kept: Bounds | null = null;
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
    this.fields = new BoundFields(this.scale, bounds, (typed) =>
      this.take(movedEnds(this.bounds, typed), true),
    );
    this.tried = new TriedValues((end, bound) => {
      if (this.reason === null) {
        this.set({ [ENDS[end]]: bound }, true);
      }
    });
    const { root, head, badge } = parameterFrame(spec);
    this.root = root;
    this.badge = badge;
    head.append(this.fields.root);

    this.handles = ENDS.map((end, index) => this.makeHandle(spec, end, index as Ending));
    this.rail.append(
      ...this.tried.drawings,
      this.fill,
      ...this.excluded,
      this.box,
      ...this.handles,
    );
    const track = element("div", "hpo-track", {}, this.rail);
    track.addEventListener("pointerdown", (event) => this.press(event));
    track.addEventListener("pointermove", (event) => this.drag(event));
    track.addEventListener("pointerup", (event) => this.release(event));
    for (const type of ["pointercancel", "lostpointercapture"] as const) {
      track.addEventListener(type, (event) => {
        if (event.pointerId === this.dragged?.pointer) {
          this.cancel();
        }
      });
    }

    setAttribute(this.back, "aria-label", `Undo: ${spec.label} back into its declared range`);
    this.back.addEventListener("click", () => this.backIntoDeclared());
    this.beyond.append(this.beyondText, " ", this.back);
    this.root.append(
      track,
      this.advised,
      this.boxWords,
      this.fields.problem,
      this.beyond,
      this.tried.note,
    );
    this.paint();
  }

  /** Shows the range of the kernel; while a handle is dragged, only when it is released. */
  update(spec: NumericSpec, bounds: Bounds, reason: string | null): void {
    this.reason = reason;
    if (this.dragged) {
      this.waiting = { spec, bounds };
      return;
    }
    if (bounds[0] !== this.bounds[0] || bounds[1] !== this.bounds[1]) {
      this.fields.forget();
    }
    this.scale = new Scale(spec);
    this.bounds = bounds;
    this.paint();
  }

  /** Shows what was tried; also under a hand, since it moves no handle. */
  setTried(tried: Tried): void {
    this.tried.set(tried);
    this.paintTried();
  }

  /** Shows what an advice would exclude, given what it would keep; null: nothing. */
  setAdvised(kept: Range | null): void {
    this.kept = kept as Bounds | null;
    this.paintAdvised();
  }

  private paintAdvised(): void {
    const [low, high] = this.kept ?? this.bounds;
    const edges = [this.bounds[0], low, high, this.bounds[1]].map((one) =>
      this.scale.fraction(one),
    ) as [number, number, number, number];
    this.advised.hidden = this.kept === null;
    for (const [end, part] of this.excluded.entries()) {
      const [from, to] = end === 0 ? [edges[0], edges[1]] : [edges[2], edges[3]];
      part.hidden = this.kept === null || to <= from;
      part.style.left = `${100 * from}%`;
      part.style.right = `${100 * (1 - to)}%`;
    }
  }

  /** Shows what was brushed in a plot; null: nothing. */
  setPreview(preview: Preview | null): void {
    this.preview = (preview?.range as Bounds | undefined) ?? null;
    setText(this.boxWords, preview?.words ?? "");
    this.paintPreview();
  }

  private paintPreview(): void {
    this.box.hidden = this.preview === null;
    if (this.preview !== null) {
      const [low, high] = this.preview.map((bound) => this.scale.fraction(bound)) as [
        number,
        number,
      ];
      this.box.style.left = `${100 * low}%`;
      this.box.style.right = `${100 * (1 - high)}%`;
    }
  }

  private paintTried(): void {
    this.tried.paint(this.scale, this.bounds, this.reason === null);
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
    this.paintAdvised();
    this.paintPreview();
    this.fill.style.left = `${100 * shares[0]}%`;
    this.fill.style.right = `${100 * (1 - shares[1])}%`;
    for (const [index, handle] of this.handles.entries()) {
      const bound = this.bounds[index as Ending];
      handle.style.left = `${100 * (shares[index as Ending] ?? 0)}%`;
      setAttribute(handle, "aria-valuemin", plain(index === 0 ? spec.low : this.bounds[0]));
      setAttribute(handle, "aria-valuemax", plain(index === 1 ? spec.high : this.bounds[1]));
      setAttribute(handle, "aria-valuenow", plain(bound));
      setAttribute(handle, "aria-valuetext", format(bound));
      setReason(handle, this.reason);
    }
    this.fields.paint(this.scale, this.bounds, this.reason);
    this.paintBeyond();
  }

  private paintBeyond(): void {
    const { declared } = this.scale.spec;
    const isBeyond = this.bounds[0] < declared[0] || this.bounds[1] > declared[1];
    this.beyond.hidden = !isBeyond;
    setText(
      this.beyondText,
      isBeyond ? `wider than declared (${format(declared[0])} … ${format(declared[1])})` : "",
    );
    this.back.hidden = this.reason !== null || this.declaredPart === null;
  }

  /** What of the range lies inside the declared one; null: nothing. */
  private get declaredPart(): Bounds | null {
    const { declared } = this.scale.spec;
    const [low, high] = [
      Math.max(this.bounds[0], declared[0]),
      Math.min(this.bounds[1], declared[1]),
    ];
    return low < high ? [low, high] : null;
  }

  private backIntoDeclared(): void {
    const part = this.declaredPart;
    if (part !== null && this.reason === null) {
      this.set(movedEnds(this.bounds, part), true);
    }
  }

  private set(change: RangeChange, isFinal: boolean): void {
    this.fields.forget();
    this.take(change, isFinal);
  }

  /** As `set`, but leaves what was typed in the other field and refused. */
  private take(change: RangeChange, isFinal: boolean): void {
    this.bounds = withEnds(this.bounds, change);
    keepFocus(() => this.paint());
    if (Object.keys(change).length > 0) {
      this.onChange(this.scale.spec.name, change, isFinal);
    }
  }

  private moveTo(end: Ending, value: number): void {
    this.set(movedEnds(this.bounds, this.scale.placed(this.bounds, end, value)), false);
  }

  private share(event: PointerEvent): number {
    const box = this.rail.getBoundingClientRect();
    return box.width > 0 ? (event.clientX - box.left) / box.width : 0;
  }

  private press(event: PointerEvent): void {
    // A second finger takes nothing out of the hand of the first one.
    const isHeld = this.dragged !== null && this.dragged.pointer !== event.pointerId;
    // A Mac opens a menu by Ctrl, and the menu takes the release.
    if (isHeld || this.reason !== null || event.button !== 0 || event.ctrlKey) {
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
      if (event.buttons === 0) {
        this.cancel(); // the release was told to something else
        return;
      }
      this.moveTo(this.dragged.end, this.scale.value(this.share(event)));
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
      // Where it may not be changed any more, what came from the kernel is shown by now.
      if (isMoved && this.reason === null) {
        // The other end stays where somebody else has moved it meanwhile.
        const placed = isOld ? held : this.scale.placed(this.bounds, end, value);
        this.set({ [ENDS[end]]: placed[end] }, true);
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
      this.moveTo(end, value);
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
}
