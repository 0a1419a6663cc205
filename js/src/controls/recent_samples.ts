// The area over a track: where values of the present range are drawn. A band where any value is as likely, a hump
// for each step where there are steps; higher where a sampler that learns has drawn most recently.

import { setText } from "../lib/dom";
import type { Bounds, Scale } from "../lib/scale";
import { setShape, stretchedDrawing, svgElement } from "../lib/svg";

const WIDTH = 1000;
const HEIGHT = 10;
/** Half a hump's foot and half its top, as a share of the track. */
const FOOT = 0.025;
const TOP = 0.011;
const FULL = 9;

/** Where values were drawn recently: a digit a bin of `range`, 9 where most; empty: anywhere. */
export interface RecentSamples {
  profile: string;
  range: Bounds;
}

export class SamplesDrawing {
  private readonly title = svgElement("title");
  private readonly path = svgElement("path");
  readonly root = stretchedDrawing("hpo-samples", `0 0 ${WIDTH} ${HEIGHT}`, this.title, this.path);

  paint(scale: Scale, bounds: Bounds, samples: RecentSamples): void {
    const steps = scale.steps(bounds);
    const ends = shares(scale, bounds);
    const profile = new Profile(samples.profile, shares(scale, samples.range));
    const shape =
      steps === null
        ? band(ends, profile)
        : steps.map((step) => hump(step, steps.length, profile.height(step))).join("");
    setShape(this.path, shape);
    setText(
      this.title,
      samples.profile === ""
        ? "Values are drawn from anywhere in here"
        : "Where values were drawn recently: the higher, the more often",
    );
  }
}

function shares(scale: Scale, bounds: Bounds): Bounds {
  return [scale.fraction(bounds[0]), scale.fraction(bounds[1])];
}

/** Heights from 0 to 1 along the track; level beyond the range that they are of. */
class Profile {
  constructor(
    private readonly digits: string,
    private readonly ends: Bounds,
  ) {}

  /** The places at which the heights are known. */
  get places(): number[] {
    const [low, high] = this.ends;
    const last = this.digits.length - 1;
    return [...this.digits].map((_, index) => low + ((high - low) * index) / last);
  }

  height(place: number): number {
    const [low, high] = this.ends;
    if (this.digits === "" || low === high) {
      return 1;
    }
    const last = this.digits.length - 1;
    const index = Math.round(((place - low) / (high - low)) * last);
    return Number(this.digits[Math.min(last, Math.max(0, index))]) / FULL;
  }
}

function band(ends: Bounds, profile: Profile): string {
  const inside = profile.places.filter((place) => place > ends[0] && place < ends[1]);
  const top = [ends[0], ...inside, ends[1]]
    .map((place) => `L${WIDTH * place} ${HEIGHT * (1 - profile.height(place))}`)
    .join("");
  return `M${WIDTH * ends[0]} ${HEIGHT}${top}L${WIDTH * ends[1]} ${HEIGHT}z`;
}

function hump(share: number, count: number, height: number): string {
  const narrow = Math.min(1, 16 / count);
  const at = (offset: number): number => WIDTH * (share + offset * narrow);
  const top = HEIGHT * (1 - height);
  return `M${at(-FOOT)} ${HEIGHT}L${at(-TOP)} ${top}H${at(TOP)}L${at(FOOT)} ${HEIGHT}z`;
}
