// What was tried of a numeric parameter: the rug under its track, an area over it, and the offer of a wider range
// where the best trial sits near an end.

import { element, makeButton, setText } from "../lib/dom";
import { type Bounds, type ENDS, type Ending, format, type Scale } from "../lib/scale";
import { type RecentSamples, SamplesDrawing } from "./recent_samples";
import { Rug } from "./rug";

/** A range that the best trial wants wider. */
export interface WidenSuggestion {
  name: string;
  end: (typeof ENDS)[number];
  range: [number, number];
}

/** What was tried of a parameter, and what follows from it. */
export interface Tried {
  bins: string;
  /** The best trial's name and value. */
  best: { name: string; value: number } | null;
  suggestion: WidenSuggestion | null;
  samples: RecentSamples;
}

export class TriedValues {
  /** Both belong on the rail. */
  readonly drawings: readonly Element[];
  readonly note = element("div", "hpo-widen", { role: "note" });
  private readonly rug = new Rug();
  private readonly samplesDrawing = new SamplesDrawing();
  private readonly noteText = element("span", "", { dir: "auto" });
  private readonly noteButton = makeButton("", "hpo-link");
  private tried: Tried = {
    bins: "",
    best: null,
    suggestion: null,
    samples: { profile: "", range: [0, 1] },
  };

  /**
   * @param onWiden tells the bound that a person has accepted
   */
  constructor(private readonly onWiden: (end: Ending, bound: number) => void) {
    this.drawings = [this.samplesDrawing.root, this.rug.root];
    this.noteButton.addEventListener("click", () => this.widen());
    this.note.append(this.noteText, " ", this.noteButton);
  }

  /** Takes what was tried; shown by the next `paint`. */
  set(tried: Tried): void {
    this.tried = tried;
  }

  /** Draws it over a range; a wider one is offered only where the range may be changed. */
  paint(scale: Scale, bounds: Bounds, mayChange: boolean): void {
    const { bins, best, suggestion, samples } = this.tried;
    this.samplesDrawing.paint(scale, bounds, samples);
    this.rug.setBins(bins);
    const value = best?.value ?? null;
    const { low, high } = scale.spec;
    const isOnTrack = value !== null && value >= low && value <= high;
    const bestName = best && value !== null ? `best trial ${best.name} at ${format(value)}` : "";
    this.rug.setBest(isOnTrack ? scale.fraction(value) : null, bestName);
    this.rug.setLabel(
      bins.trim() === ""
        ? "Nothing tried yet"
        : `${["Values tried", bestName].filter(Boolean).join("; ")}. Taller: better. Grey: under earlier ranges. Broken: failed.`,
    );
    const isOffered = suggestion !== null && mayChange;
    this.note.hidden = !isOffered;
    if (isOffered) {
      setText(
        this.noteText,
        `best trial is near the ${suggestion.end} end of ${scale.spec.label}.`,
      );
      setText(
        this.noteButton,
        `Widen to ${format(suggestion.range[suggestion.end === "lower" ? 0 : 1])}`,
      );
    }
  }

  private widen(): void {
    const { suggestion } = this.tried;
    if (suggestion !== null) {
      this.tried = { ...this.tried, suggestion: null };
      const end = suggestion.end === "lower" ? 0 : 1;
      this.onWiden(end, suggestion.range[end]);
    }
  }
}
