// The ghost over a track: where a parameter's own distribution puts its values within the present range,
// a band where every value may be drawn, a hump for each step where there are steps.

import type { Bounds, Scale } from "./scale";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 10;
/** Half a hump's foot and half its top, as a share of the track. */
const FOOT = 0.025;
const TOP = 0.011;

export class Ghost {
  readonly root: SVGSVGElement;
  private readonly path: SVGPathElement;

  constructor() {
    this.root = document.createElementNS(SVG, "svg");
    this.root.setAttribute("class", "hpo-ghost");
    this.root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.root.setAttribute("preserveAspectRatio", "none");
    this.root.setAttribute("aria-hidden", "true");
    this.path = document.createElementNS(SVG, "path");
    this.root.append(this.path);
  }

  paint(scale: Scale, bounds: Bounds): void {
    const steps = scale.steps(bounds);
    const [low, high] = bounds.map((bound) => WIDTH * scale.fraction(bound)) as [number, number];
    const shape =
      steps === null
        ? `M${low} ${HEIGHT}V0H${high}V${HEIGHT}z`
        : steps.map((step) => hump(step, steps.length)).join("");
    if (this.path.getAttribute("d") !== shape) {
      this.path.setAttribute("d", shape);
    }
  }
}

function hump(share: number, count: number): string {
  const narrow = Math.min(1, 16 / count);
  const at = (offset: number): number => WIDTH * (share + offset * narrow);
  return `M${at(-FOOT)} ${HEIGHT}L${at(-TOP)} 0H${at(TOP)}L${at(FOOT)} ${HEIGHT}z`;
}
