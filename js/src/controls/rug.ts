// The rug under a track: what was tried, one bar a bin. A bar is the taller and stronger the better the best
// trial of its bin is; bins of the present ranges are blue, those of earlier ranges grey, and bins in which
// all trials failed broken.

import { element, setAttribute } from "../lib/dom";
import { setShape, stretchedDrawing, svgElement } from "../lib/svg";

const NUM_LEVELS = 8;
/** How strong a bar is, by its level. */
const OPACITIES = [1, 0.6, 0.64, 0.69, 0.75, 0.81, 0.87, 0.93, 1];
const FAILED = 0;
/** In the viewBox, whose lower edge the bars stand on. */
const HEIGHT = 10;
const LEAST_HEIGHT = 3;
/** Bars of few bins may be wide. */
const MOST_WIDE = 32;

/** What a character of the rug's text says: level 1 to 8 or `FAILED`, and whether of the present ranges. */
interface Bin {
  level: number;
  isPresent: boolean;
}

export function binOf(sign: string): Bin | null {
  if (sign === "x" || sign === "X") {
    return { level: FAILED, isPresent: sign === "X" };
  }
  if (sign >= "1" && sign <= "8") {
    return { level: Number(sign), isPresent: false };
  }
  const level = sign.charCodeAt(0) - "a".charCodeAt(0) + 1;
  return level >= 1 && level <= NUM_LEVELS ? { level, isPresent: true } : null;
}

function heightOf(level: number): number {
  return level === FAILED
    ? LEAST_HEIGHT + 1
    : LEAST_HEIGHT + ((HEIGHT - LEAST_HEIGHT) * (level - 1)) / (NUM_LEVELS - 1);
}

export class Rug {
  readonly root: HTMLElement;
  private readonly drawing = stretchedDrawing("", `0 0 1 ${HEIGHT}`);
  private readonly mark = element("span", "hpo-rug-best", {}, "▲");
  private readonly paths = new Map<string, SVGPathElement>();
  private shown = "";

  constructor() {
    this.root = element("div", "hpo-rug", { role: "img" }, this.drawing, this.mark);
    this.setBest(null, "");
  }

  /** Draws a rug; only paths that differ are touched. */
  setBins(text: string): void {
    if (text === this.shown) {
      return;
    }
    this.shown = text;
    const last = Math.max(1, text.length - 1);
    this.drawing.setAttribute("viewBox", `0 0 ${last} ${HEIGHT}`);
    this.drawing.classList.toggle("hpo-few", text.length <= MOST_WIDE);
    const lines = new Map<string, string>();
    const levels = new Map<string, number>();
    for (let index = 0; index < text.length; index++) {
      const bin = binOf(text[index] as string);
      if (bin !== null) {
        const key = `hpo-level-${bin.level}${bin.isPresent ? "" : " hpo-earlier-range"}`;
        levels.set(key, bin.level);
        lines.set(key, `${lines.get(key) ?? ""}M${index} ${HEIGHT}v-${heightOf(bin.level)}`);
      }
    }
    for (const [key, path] of this.paths) {
      if (!lines.has(key)) {
        path.remove();
        this.paths.delete(key);
      }
    }
    for (const [key, d] of lines) {
      let path = this.paths.get(key);
      if (path === undefined) {
        const opacity = String(OPACITIES[levels.get(key) ?? FAILED]);
        path = svgElement("path", key, { "stroke-opacity": opacity });
        this.paths.set(key, path);
        this.drawing.append(path);
      }
      setShape(path, d);
    }
  }

  /** Marks the best trial at a share of the track; null: nowhere. */
  setBest(share: number | null, name: string): void {
    this.mark.hidden = share === null;
    if (share !== null) {
      this.mark.style.left = `${100 * share}%`;
      setAttribute(this.mark, "title", name);
    }
  }

  /** Says in words what is drawn. */
  setLabel(label: string): void {
    setAttribute(this.root, "aria-label", label);
    setAttribute(this.root, "title", label);
  }
}
