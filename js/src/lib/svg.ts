// Drawings that are stretched over the track of a parameter. What they show is said in words elsewhere.

const SVG = "http://www.w3.org/2000/svg";

export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  className = "",
): SVGElementTagNameMap[Tag] {
  const node = document.createElementNS(SVG, tag);
  if (className) {
    node.setAttribute("class", className);
  }
  return node;
}

/** A drawing with a coordinate system of its own, the viewBox, whatever room it has. */
export function stretchedDrawing(className = ""): SVGSVGElement {
  const root = svgElement("svg", className);
  root.setAttribute("preserveAspectRatio", "none");
  root.setAttribute("aria-hidden", "true");
  return root;
}

/** Gives a path another shape; writes only what differs. */
export function setShape(path: SVGPathElement, shape: string): void {
  if (path.getAttribute("d") !== shape) {
    path.setAttribute("d", shape);
  }
}
