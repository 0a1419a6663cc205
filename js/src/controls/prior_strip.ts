// The strip in which a prior is drawn: how likely values are to be good, over how often each was tried. By hand or by
// keyboard; what was drawn is a line, and what still counts of it is filled.

import { element, makeButton, onPress, setAttribute, setReason, setText } from "../lib/dom";
import { focusedElement } from "../lib/focus";
import {
  binAt,
  drawn,
  faded,
  isSameShape,
  type Layout,
  middle,
  type Place,
  raised,
  rounded,
} from "../lib/prior";
import type { Bounds } from "../lib/scale";
import { drawing, setShape, stretchedDrawing, svgElement } from "../lib/svg";

export type Weights = readonly number[];

/** Weights, and of which track they are where they are of one. */
export interface Drawn {
  weights: Weights;
  range?: Bounds;
}

/** Says what a person has drawn, null for nothing any more; `isFinal` when the gesture is over. */
type OnPrior = (name: string, prior: Drawn | null, isFinal: boolean) => void;

/** What the bins are: how many, how they lie, and what each is called. */
export interface Bins {
  count: number;
  layout: Layout;
  name: (index: number) => string;
  /** The ends of the track that they divide; null for choices. */
  track: Bounds | null;
}

interface PriorState {
  weights: Weights | null;
  /** By which power it still counts. */
  exponent: number;
  /** How often each bin was tried: a digit a bin. */
  histogram: string;
  /** Ends of the present range, as shares of the strip. */
  range: readonly [number, number];
  /** Why nothing can be drawn; null: it can. */
  reason: string | null;
}

const WIDTH = 1000;
const HEIGHT = 100;
/** Half a bar, as a share of its bin. */
const HALF = 0.36;
/** Half a bar round a step, as a share of the strip: those at its ends stay in the control. */
const MOST_HALF = 0.03;
const MOST_COUNT = 9;
const BY_KEY = 0.1;
const PAGE = 0.3;
const HINT = "Draw which values are likely to be good";
const FADES = `${HINT}. The search looks there first, and what was drawn fades as trials end`;
const KEYS =
  "Drag to draw. By keyboard: left and right choose a value, up and down raise and lower it, Delete clears";

export class PriorStrip {
  /** Opens and closes the strip. */
  readonly toggle: HTMLButtonElement;
  readonly root = element("div", "hpo-prior");
  private readonly area: HTMLElement;
  private readonly tried = svgElement("path", "hpo-prior-tried");
  private readonly counted = svgElement("path", "hpo-prior-counted");
  private readonly line = svgElement("path", "hpo-prior-line");
  private readonly outside = svgElement("path", "hpo-prior-outside");
  private readonly cursor = svgElement("path", "hpo-prior-cursor");
  private readonly names = element("div", "hpo-prior-names", { "aria-hidden": "true" });
  private readonly note = element("span", "hpo-prior-note");
  private readonly clear = makeButton("clear", "hpo-link");
  private state: PriorState = {
    weights: null,
    exponent: 1,
    histogram: "",
    range: [0, 1],
    reason: null,
  };
  /** What is shown: as a person drew it, where the kernel has only its shape. */
  private shown: Weights | null = null;
  private chosen = 0;
  /** A stroke that is being drawn, and what is shown when it is given up: what the kernel has said last. */
  private held: { bins: Bins; before: Weights | null; at: Place; pointer: number } | null = null;

  /**
   * @param onOpen is called when the strip opens, as the kernel sends only then how often each bin was tried
   */
  constructor(
    private readonly spec: { name: string; label: string },
    private bins: Bins,
    private readonly onPrior: OnPrior,
    private readonly onOpen: (name: string) => void,
  ) {
    this.toggle = makeButton(bell(), "hpo-prior-toggle", {
      "aria-label": `Prior of ${spec.label}`,
      "aria-expanded": "false",
    });
    onPress(this.toggle, () => this.open());
    this.area = element("div", "hpo-prior-area", {
      role: "slider",
      tabindex: "0",
      "aria-label": `Prior of ${spec.label}`,
      "aria-orientation": "vertical",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    const shapes = [this.cursor, this.tried, this.counted, this.line, this.outside];
    this.area.append(stretchedDrawing("", `0 0 ${WIDTH} ${HEIGHT}`, ...shapes));
    this.area.addEventListener("pointerdown", (event) => this.press(event));
    this.area.addEventListener("pointermove", (event) => this.move(event));
    this.area.addEventListener("pointerup", (event) => this.release(event));
    for (const type of ["pointercancel", "lostpointercapture"] as const) {
      this.area.addEventListener(type, (event) => {
        if (event.pointerId === this.held?.pointer) {
          this.cancel();
        }
      });
    }
    this.area.addEventListener("keydown", (event) => this.key(event));
    this.clear.setAttribute("aria-label", `Clear the prior of ${spec.label}`);
    this.clear.addEventListener("click", () => this.take(null, true));
    const foot = element("div", "hpo-prior-foot", {}, this.note, this.clear);
    this.root.append(this.area, this.names, foot);
    this.root.hidden = true;
    this.paint();
  }

  /** Puts the strip into the control of its parameter. */
  attachTo(control: HTMLElement): void {
    control.querySelector(".hpo-badge")?.after(this.toggle);
    control.append(this.root);
  }

  /** Shows the prior of the kernel, unless a person is drawing one. */
  update(bins: Bins, state: PriorState): void {
    this.state = state;
    if (this.held) {
      // What is drawn under a hand is of the track on which it was begun.
      this.held.bins = bins;
      this.held.before = asDrawn(this.held.before, state.weights);
    } else {
      this.bins = bins;
      this.shown = asDrawn(this.shown, state.weights);
    }
    this.paint();
  }

  private open(): void {
    this.root.hidden = !this.root.hidden;
    if (!this.root.hidden) {
      this.onOpen(this.spec.name);
      this.paint();
    }
  }

  private paint(): void {
    const { count, layout, name } = this.bins;
    const { reason, exponent, range } = this.state;
    // Of a single value there is nothing to say: a strip that is open closes, as nothing could close it then.
    this.toggle.hidden = count < 2;
    this.root.hidden ||= count < 2;
    this.toggle.classList.toggle("hpo-has-prior", this.shown !== null);
    const isClosed = this.root.hidden;
    setAttribute(this.toggle, "aria-expanded", String(!isClosed));
    setReason(this.toggle, isClosed && this.shown === null ? reason : null, FADES);
    if (isClosed) {
      return;
    }
    this.chosen = Math.min(this.chosen, count - 1);
    const counts = [...this.state.histogram].map((digit) => Number(digit) / MOST_COUNT);
    setShape(this.tried, counts.length === count ? this.bars(counts) : "");
    setShape(this.line, this.shown === null ? "" : this.outline(this.shown));
    setShape(this.counted, this.shown === null ? "" : this.filled(faded(this.shown, exponent)));
    setShape(
      this.outside,
      layout === "columns" ? "" : box(0, range[0], HEIGHT) + box(range[1], 1, HEIGHT),
    );
    const [from, to] = this.edges(this.chosen);
    setShape(this.cursor, box(from, to, HEIGHT));
    this.paintNames();
    const weight = Math.round(100 * (this.shown?.[this.chosen] ?? 0));
    setAttribute(this.area, "aria-valuenow", String(weight));
    setAttribute(this.area, "aria-valuetext", `${name(this.chosen)}: ${weight} %`);
    setReason(this.area, reason, KEYS);
    setText(this.note, this.words(exponent));
    this.clear.hidden = this.shown === null;
    setReason(this.clear, reason);
  }

  private words(exponent: number): string {
    if (this.shown === null) {
      return `${HINT}.`;
    }
    const counts = exponent >= 1 ? "Counts in full" : `Faded to power ${exponent}`;
    return `${counts}. Grey: tried.`;
  }

  private paintNames(): void {
    const { count, layout, name } = this.bins;
    this.names.hidden = layout !== "columns";
    if (this.names.hidden || this.names.childElementCount === count) {
      return;
    }
    this.names.replaceChildren(
      ...Array.from({ length: count }, (_, index) =>
        element("span", "hpo-cut", { dir: "auto", title: name(index) }, name(index)),
      ),
    );
  }

  /** Both ends of a bin, as shares of the width. */
  private edges(index: number): [number, number] {
    const { count, layout } = this.bins;
    const at = middle(index, count, layout);
    const halves = {
      curve: 0.5 / count,
      steps: Math.min(MOST_HALF, HALF / (count - 1)),
      columns: HALF / count,
    };
    return [at - halves[layout], at + halves[layout]];
  }

  private bars(heights: readonly number[]): string {
    return heights
      .map((height, index) => (height > 0 ? box(...this.edges(index), height * HEIGHT) : ""))
      .join("");
  }

  private filled(heights: readonly number[]): string {
    if (this.bins.layout !== "curve") {
      return this.bars(heights);
    }
    return `M0 ${HEIGHT}L${this.curve(heights)}L${WIDTH} ${HEIGHT}z`;
  }

  private outline(heights: readonly number[]): string {
    if (this.bins.layout === "curve") {
      return `M${this.curve(heights)}`;
    }
    return heights
      .map((height, index) => {
        const [from, to] = this.edges(index);
        return `M${WIDTH * from} ${HEIGHT * (1 - height)}H${WIDTH * to}`;
      })
      .join("");
  }

  private curve(heights: readonly number[]): string {
    const { count, layout } = this.bins;
    const places = heights.map((height, index): [number, number] => [
      middle(index, count, layout),
      height,
    ]);
    const [first, last] = [heights[0] ?? 0, heights[heights.length - 1] ?? 0];
    return [[0, first] as const, ...places, [1, last] as const]
      .map(([across, up]) => `${WIDTH * across} ${HEIGHT * (1 - up)}`)
      .join("L");
  }

  private place(event: PointerEvent): Place {
    const { left, top, width, height } = this.area.getBoundingClientRect();
    const edge = EDGE_PIXELS;
    return {
      across: width > 0 ? (event.clientX - left) / width : 0,
      up: height > 2 * edge ? 1 - (event.clientY - top - edge) / (height - 2 * edge) : 0,
    };
  }

  private press(event: PointerEvent): void {
    // A second finger takes nothing out of the hand of the first one.
    const isHeld = this.held !== null && this.held.pointer !== event.pointerId;
    // A Mac opens a menu by Ctrl, and the menu takes the release.
    if (isHeld || this.state.reason !== null || event.button !== 0 || event.ctrlKey) {
      return;
    }
    event.preventDefault();
    this.area.focus({ preventScroll: true });
    this.area.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.held = { bins: this.bins, before: this.shown, at, pointer: event.pointerId };
    this.area.dataset.held = "";
    this.drawTo(at);
  }

  private move(event: PointerEvent): void {
    if (this.held && event.pointerId === this.held.pointer) {
      if (event.buttons === 0) {
        this.cancel(); // the release was told to something else
        return;
      }
      this.drawTo(this.place(event));
    }
  }

  private drawTo(to: Place): void {
    if (this.held) {
      const { count, layout } = this.bins;
      this.shown = drawn(this.shown ?? Array(count).fill(0), this.held.at, to, layout);
      this.held.at = to;
      this.chosen = binAt(to.across, count, layout);
      this.paint();
    }
  }

  private release(event: PointerEvent): void {
    if (this.held && event.pointerId === this.held.pointer) {
      if (this.state.reason === null) {
        this.letGo();
        this.take(this.shown?.map(rounded) ?? null, true);
      } else {
        this.cancel(); // it came under the hand: what was drawn is not taken
      }
    }
  }

  private cancel(): void {
    if (this.held) {
      const { bins, before } = this.held;
      this.letGo();
      this.bins = bins;
      this.shown = before;
      this.paint();
    }
  }

  private letGo(): void {
    this.held = null;
    delete this.area.dataset.held;
  }

  /** Shows weights and tells them; none above nothing are no prior. */
  private take(weights: Weights | null, isFinal: boolean): void {
    if (this.state.reason === null) {
      const isSaid = weights?.some((weight) => weight > 0) ?? false;
      this.shown = isSaid ? weights : null;
      if (this.shown === null && this.root.contains(focusedElement())) {
        this.area.focus({ preventScroll: true });
      }
      this.paint();
      const { track } = this.bins;
      const prior = this.shown && { weights: this.shown, ...(track && { range: track }) };
      this.onPrior(this.spec.name, prior, isFinal);
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "Escape" && this.held) {
      this.cancel();
      return;
    }
    const { count, layout } = this.bins;
    const by = RAISING[event.key];
    const chosen = CHOOSING[event.key]?.(this.chosen, count - 1);
    if (by !== undefined) {
      this.take(raised(this.shown ?? Array(count).fill(0), this.chosen, by, layout), false);
    } else if (chosen !== undefined) {
      this.chosen = Math.min(count - 1, Math.max(0, chosen));
      this.paint();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.take(null, true);
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** What is shown of the kernel's weights: what a person drew, where they have only its shape. */
function asDrawn(shown: Weights | null, weights: Weights | null): Weights | null {
  return shown !== null && weights !== null && isSameShape(shown, weights) ? shown : weights;
}

/** A pointer this near to the lower or upper edge sets a weight to 0 or 1. */
const EDGE_PIXELS = 3;

const RAISING: Record<string, number | undefined> = {
  ArrowUp: BY_KEY,
  ArrowDown: -BY_KEY,
  PageUp: PAGE,
  PageDown: -PAGE,
};

const CHOOSING: Record<string, ((at: number, last: number) => number) | undefined> = {
  ArrowLeft: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  Home: () => 0,
  End: (_at, last) => last,
};

function box(from: number, to: number, height: number): string {
  return `M${WIDTH * from} ${HEIGHT}V${HEIGHT - height}H${WIDTH * to}V${HEIGHT}z`;
}

/** A small bell curve. */
function bell(): SVGSVGElement {
  const curve = svgElement("path", "", { d: "M1 10C6.5 10 5 2 8 2S9.5 10 15 10" });
  return drawing("", "0 0 16 12", curve);
}
