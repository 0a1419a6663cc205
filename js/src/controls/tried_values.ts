// What was tried of a numeric parameter: the rug under its track, the ghost over it, and the offer of a wider range
// where the best trial sits near an end.

import { element, setText } from "../lib/dom";
import { type Bounds, type ENDS, format, type Scale } from "../lib/scale";
import { type Drawn, Ghost } from "./recent_samples";
import { Rug } from "./rug";

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

export class TriedValues {
  /** Both belong on the rail. */
  readonly drawings: readonly Element[];
  readonly note: HTMLElement;
  private readonly rug = new Rug();
  private readonly ghost = new Ghost();
  private readonly noteText: HTMLElement;
  private readonly noteButton: HTMLButtonElement;
  private tried: Tried = {
    bins: "",
    best: null,
    edge: null,
    drawn: { profile: "", range: [0, 1] },
  };

  /**
   * @param onWiden tells the range that a person has accepted
   */
  constructor(private readonly onWiden: (range: Bounds) => void) {
    this.drawings = [this.ghost.root, this.rug.root];
    this.note = element("div", "hpo-edge", { role: "note" });
    this.noteText = element("span", "", { dir: "auto" });
    this.noteButton = element("button", "hpo-link", { type: "button" });
    this.noteButton.addEventListener("click", () => this.widen());
    this.note.append(this.noteText, " ", this.noteButton);
  }

  /** Takes what was tried; shown by the next `paint`. */
  set(tried: Tried): void {
    this.tried = tried;
  }

  /** Draws it over a range; a wider one is offered only where the range may be changed. */
  paint(scale: Scale, bounds: Bounds, mayChange: boolean): void {
    const { bins, best, edge, drawn } = this.tried;
    this.ghost.paint(scale, bounds, drawn);
    this.rug.setBins(bins);
    const value = best?.value ?? null;
    const { low, high } = scale.spec;
    const isOnTrack = value !== null && value >= low && value <= high;
    const bestName = best && value !== null ? `best trial ${best.name} at ${format(value)}` : "";
    this.rug.setBest(isOnTrack ? scale.fraction(value) : null, bestName);
    this.rug.setLabel(
      bins.trim() === ""
        ? "Nothing tried yet"
        : `${["Values tried", bestName].filter(Boolean).join("; ")}. Taller: better. Thin: under earlier ranges. Broken: failed.`,
    );
    const isOffered = edge !== null && mayChange;
    this.note.hidden = !isOffered;
    if (isOffered) {
      setText(this.noteText, `best sits near the ${edge.end} end of ${scale.spec.label}.`);
      setText(this.noteButton, `Widen to ${format(edge.range[edge.end === "lower" ? 0 : 1])}`);
    }
  }

  private widen(): void {
    const { edge } = this.tried;
    if (edge !== null) {
      this.tried = { ...this.tried, edge: null };
      this.onWiden(edge.range);
    }
  }
}
