// Drawings. What they show is said in words elsewhere.

const SVG = "http://www.w3.org/2000/svg";

export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  className = "",
  attributes: Readonly<Record<string, string>> = {},
  ...content: SVGElement[]
): SVGElementTagNameMap[Tag] {
  const node = document.createElementNS(SVG, tag);
  if (className) {
    node.setAttribute("class", className);
  }
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...content);
  return node;
}

/** A drawing for those who see. */
export function drawing(
  className: string,
  viewBox: string,
  ...content: SVGElement[]
): SVGSVGElement {
  return svgElement("svg", className, { viewBox, "aria-hidden": "true" }, ...content);
}

/** A drawing with a coordinate system of its own, the viewBox, whatever room it has. */
export function stretchedDrawing(
  className: string,
  viewBox: string,
  ...content: SVGElement[]
): SVGSVGElement {
  const root = drawing(className, viewBox, ...content);
  root.setAttribute("preserveAspectRatio", "none");
  return root;
}

/** Gives a path another shape; writes only what differs. */
export function setShape(path: SVGPathElement, shape: string): void {
  if (path.getAttribute("d") !== shape) {
    path.setAttribute("d", shape);
  }
}
