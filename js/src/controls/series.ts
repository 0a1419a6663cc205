// The line of a competitor beside its name, and the interval of a share. Both are said in words, too.

import { svgElement } from "../lib/svg";
import "./series.css";

function place(node: SVGElement, numbers: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(numbers)) {
    node.setAttribute(name, number.toFixed(1));
  }
}

/** The class that gives a node the looks of a competitor. */
export function seriesClass(series: number): string {
  return `hpo-series-${series}`;
}

export function lineSign(series: number): SVGSVGElement {
  const root = svgElement("svg", `hpo-sign ${seriesClass(series)}`);
  root.setAttribute("aria-hidden", "true");
  root.setAttribute("viewBox", "0 0 22 10");
  const line = svgElement("line");
  place(line, { x1: 0, x2: 22, y1: 5, y2: 5 });
  root.append(line);
  return root;
}

/** Low end, what was counted, high end, what chance alone would give, and whose it is. */
export type Interval = [number, number, number, number, number];

const [WIDTH, HEIGHT, MARGIN] = [70, 18, 6];

/** Where a share lies across the drawing. */
export function across(share: number): number {
  return MARGIN + Math.min(1, Math.max(0, share)) * (WIDTH - 2 * MARGIN);
}

export function intervalSign([low, share, high, even, series]: Interval): SVGSVGElement {
  const root = svgElement("svg", `hpo-interval ${seriesClass(series)}`);
  root.setAttribute("aria-hidden", "true");
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const middle = HEIGHT / 2;
  const ground = svgElement("line", "hpo-ground");
  place(ground, { x1: MARGIN, x2: WIDTH - MARGIN, y1: middle, y2: middle });
  const mark = svgElement("line", "hpo-even");
  place(mark, { x1: across(even), x2: across(even), y1: 2, y2: HEIGHT - 2 });
  const reach = svgElement("line", "hpo-reach");
  place(reach, { x1: across(low), x2: across(high), y1: middle, y2: middle });
  const dot = svgElement("circle");
  place(dot, { cx: across(share), cy: middle, r: 4.5 });
  root.append(ground, mark, reach, dot);
  return root;
}
