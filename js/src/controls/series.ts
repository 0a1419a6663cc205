// The line of a competitor beside its name, and the interval of a share. Both are said in words, too.

import { drawing, svgElement } from "../lib/svg";
import "./series.css";

function line(className: string, x1: number, y1: number, x2: number, y2: number): SVGElement {
  const numbers = Object.entries({ x1, y1, x2, y2 });
  const places = numbers.map(([name, number]) => [name, number.toFixed(1)]);
  return svgElement("line", className, Object.fromEntries(places));
}

/** The class that gives a node the looks of a competitor. */
export function seriesClass(series: number): string {
  return `hpo-series-${series}`;
}

export function lineSign(series: number): SVGSVGElement {
  return drawing(`hpo-sign ${seriesClass(series)}`, "0 0 22 10", line("", 0, 5, 22, 5));
}

/** Low end, what was counted, high end, what chance alone would give, and whose it is. */
export type Interval = [number, number, number, number, number];

const [WIDTH, HEIGHT, MARGIN] = [70, 18, 6];

/** Where a share lies across the drawing. */
export function across(share: number): number {
  return MARGIN + Math.min(1, Math.max(0, share)) * (WIDTH - 2 * MARGIN);
}

export function intervalSign([low, share, high, even, series]: Interval): SVGSVGElement {
  const middle = HEIGHT / 2;
  return drawing(
    `hpo-interval ${seriesClass(series)}`,
    `0 0 ${WIDTH} ${HEIGHT}`,
    line("hpo-ground", MARGIN, middle, WIDTH - MARGIN, middle),
    line("hpo-even", across(even), 2, across(even), HEIGHT - 2),
    line("hpo-reach", across(low), middle, across(high), middle),
    svgElement("circle", "", { cx: across(share).toFixed(1), cy: String(middle), r: "4.5" }),
  );
}
