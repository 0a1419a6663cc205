// The package's own icon, and the shapes of small buttons.

import { LabIcon } from "@jupyterlab/ui-components";
import { drawing, svgElement } from "../lib/svg";

/** A best value that goes down in steps, and trials round it. */
const SEARCH = `
<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 18 18">
  <path d="M2 4.5h4v5h5v4h5" fill="none" stroke="var(--jp-brand-color1, #1565c0)" stroke-width="2"/>
  <circle cx="12.5" cy="4" r="1.8" fill="var(--jp-brand-color1, #1565c0)"/>
  <circle cx="15.5" cy="8" r="1.4" fill="var(--jp-brand-color1, #1565c0)"/>
  <path d="M5 12l2.6 4.4H2.4z" fill="#d97706"/>
</svg>`;

export const searchIcon = new LabIcon({ name: "hpo-widgets:search", svgstr: SEARCH });

const SHAPES = {
  add: "M9 3.5v11M3.5 9h11",
  open: "M3 4h12v10H3zM3 7h12M9 7v7",
  begin: "M6 4l8 5-8 5z",
  pause: "M6 4.5v9M12 4.5v9",
  refresh: "M14 6a6 6 0 1 0 1 4M14.5 2.5V6H11",
  stop: "M4.5 4.5h9v9h-9z",
} as const;

export type Shape = keyof typeof SHAPES;

/** The drawing of a button; `setShape` gives it another one. */
export function buttonIcon(): SVGSVGElement {
  return drawing("hpo-icon", "0 0 18 18", svgElement("path"));
}

export function setIcon(icon: SVGSVGElement, shape: Shape): void {
  const path = icon.firstElementChild;
  if (path?.getAttribute("d") !== SHAPES[shape]) {
    path?.setAttribute("d", SHAPES[shape]);
  }
}
