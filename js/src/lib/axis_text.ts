// Fits the names and numbers of axes into their figure as it is on the page. bqplot draws them over one another and beyond
// the edge, and the kernel knows no width of a saved page.

import type { Lifetime } from "./lifetime";

/** Pixels between two numbers, and between a name and the numbers beside it. */
const GAP = 4;
/** What changes where bqplot draws an axis again. */
const DRAWN = {
  subtree: true,
  childList: true,
  characterData: true,
  attributeFilter: ["transform", "x", "y"],
};
const LOG = / \(log\)$/;

/** Of names that were shortened, the whole ones and what is shown of them. */
const shortened = new WeakMap<Element, { whole: string; shown: string }>();

/**
 * The start of a name, which ends in "…"; where another one has the same start, less of it and what tells them apart.
 *
 * @param most greatest number of characters
 * @param others the names beside it
 */
export function shortName(name: string, most: number, others: readonly string[]): string {
  if (name.length <= most) {
    return name;
  }
  const start = name.slice(0, Math.max(most - 1, 1));
  const twin = others.find((other) => other !== name && other.startsWith(start));
  if (twin === undefined) {
    return `${start.trimEnd()}…`;
  }
  let differs = start.length;
  while (name[differs] === twin[differs]) {
    differs++;
  }
  const head = `${name.slice(0, Math.floor(most / 3))}…`;
  const rest = name.slice(differs);
  const room = Math.max(most - head.length, 2);
  return head + (rest.length <= room ? rest : `${rest.slice(0, room - 1)}…`);
}

function nameOf(label: Element): string {
  const text = label.firstChild?.nodeValue ?? "";
  const known = shortened.get(label);
  return known && known.shown === text ? known.whole : text;
}

function write(label: Element, whole: string, shown: string): void {
  if ((label.firstChild?.nodeValue ?? "") === shown) {
    return;
  }
  label.textContent = shown;
  shortened.set(label, { whole, shown });
  if (shown !== whole) {
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = whole;
    label.append(title);
  }
}

/** One axis with its name, which may be empty, and its numbers. */
interface AxisText {
  frame: DOMRect;
  label: SVGTextElement;
  isUp: boolean;
  numbers: SVGTextElement[];
  /** The names of all axes of the figure. */
  names: string[];
}

function labelsOf(figure: Element): SVGTextElement[] {
  return [...figure.querySelectorAll<SVGTextElement>(".svg-background .axis > text.axislabel")];
}

function numbersOf(label: Element): SVGTextElement[] {
  return [...(label.parentElement?.querySelectorAll<SVGTextElement>(".tick > text") ?? [])];
}

/** Whether it is a choice, which no neighbour lets people guess, so that it is shown in any case. */
function isWord(number: Element): boolean {
  return Number.isNaN(Number((number.textContent ?? "").replace("−", "-").replace("%", "")));
}

/** What bqplot has drawn of the axes of a figure: read without a layout, as that of many points takes long. */
function drawnText(figure: Element): unknown[] {
  return labelsOf(figure).flatMap((label) => [
    label,
    label.firstChild?.nodeValue,
    ...["x", "y", "transform"].map((name) => label.getAttribute(name)),
    label.parentElement?.getAttribute("transform"),
    ...numbersOf(label).flatMap((number) => [
      number,
      number.textContent,
      number.parentElement?.getAttribute("transform"),
    ]),
  ]);
}

/** Shows a whole name again where bqplot has drawn it, and numbers as wide as they are. */
function undo({ label, numbers }: AxisText): void {
  if (label.style.translate !== "") {
    label.style.translate = "";
  }
  const whole = nameOf(label);
  write(label, whole, whole);
  for (const number of numbers) {
    number.removeAttribute("textLength");
  }
}

/** Shortens a name to the length of a figure. */
function shorten({ frame, label, isUp, names }: AxisText): void {
  const whole = nameOf(label);
  const [log = ""] = LOG.exec(whole) ?? [];
  const name = log ? whole.slice(0, -log.length) : whole;
  const room = (isUp ? frame.height : frame.width) - 2 * GAP;
  for (let most = name.length - 1; label.getComputedTextLength() > room && most > 0; ) {
    write(label, whole, shortName(name, most, names) + log);
    const share = room / Math.max(label.getComputedTextLength(), 1);
    most = Math.min(most - 1, Math.ceil(most * share));
  }
}

/** Returns what moves a name to where all of it is inside the figure. */
function moveInside({ frame, label, isUp }: AxisText): () => void {
  const box = label.getBoundingClientRect();
  const [before, after] = isUp
    ? [frame.top + GAP - box.top, frame.bottom - GAP - box.bottom]
    : [frame.left + GAP - box.left, frame.right - GAP - box.right];
  const moved = before > 0 ? before : Math.min(after, 0);
  return () => {
    if (moved !== 0) {
      label.style.translate = isUp ? `0 ${moved}px` : `${moved}px 0`;
    }
  };
}

/** Returns what shows each number, or each second one, and so on, of those side by side: none lies on another. */
function thinOut(numbers: SVGTextElement[]): () => void {
  const boxes = numbers
    .map((number) => ({ number, box: number.getBoundingClientRect() }))
    .sort((one, other) => one.box.left - other.box.left);
  const meet = (every: number): boolean =>
    boxes.some(({ box }, index) => {
      const before = boxes[index - every];
      return index % every === 0 && before !== undefined && box.left < before.box.right + GAP;
    });
  let every = 1;
  while (meet(every)) {
    every++;
  }
  return () => {
    for (const [index, { number }] of boxes.entries()) {
      const visibility = index % every === 0 ? "" : "hidden";
      if (number.style.visibility !== visibility) {
        number.style.visibility = visibility;
      }
    }
  };
}

/** Returns what condenses numbers that stand one above the other where the widest has no room. */
function condense({ frame, label, numbers }: AxisText): () => void {
  const name = label.getBoundingClientRect();
  const left = name.width > 0 ? name.right + GAP / 2 : frame.left + 1;
  const boxes = numbers.map((number) => number.getBoundingClientRect());
  const share = Math.min(...boxes.map(({ right, width }) => (right - left) / width));
  // Numbers that are not laid out have no width, and bqplot may draw them beyond the edge for a moment.
  if (!(share > 0 && share < 1)) {
    return () => {};
  }
  const lengths = numbers.map((number) => number.getComputedTextLength());
  return () => {
    for (const [index, number] of numbers.entries()) {
      number.setAttribute("lengthAdjust", "spacingAndGlyphs");
      number.setAttribute("textLength", String(share * (lengths[index] ?? 0)));
    }
  };
}

/** Fits the axes of figures: first what is written before anything is measured, so that the page is laid out once. */
function fit(figures: readonly Element[]): void {
  const axes = figures.flatMap((figure): AxisText[] => {
    const labels = labelsOf(figure);
    const names = labels.map((label) => nameOf(label).replace(LOG, ""));
    const frame = figure.getBoundingClientRect();
    return labels.map((label) => ({
      frame,
      label,
      isUp: Boolean(label.getAttribute("transform")),
      numbers: numbersOf(label).filter((number) => number.textContent !== ""),
      names,
    }));
  });
  axes.forEach(undo);
  axes.forEach(shorten);
  const changes = axes.flatMap((axis) => [
    moveInside(axis),
    axis.isUp ? condense(axis) : thinOut(axis.numbers.some(isWord) ? [] : axis.numbers),
  ]);
  for (const change of changes) {
    change();
  }
}

/**
 * Returns what has the axes of a figure fitted, now and whenever bqplot draws them again or the figure has another size.
 *
 * As a layout takes long while many points are drawn, it is asked for once in a frame, in which there is one anyway, and
 * only where a name, a number, its place or the size of the figure has changed.
 */
export function axisFitter(lifetime: Lifetime): (figure: Element) => void {
  const sizes = new WeakMap<Element, string>();
  const fitted = new WeakMap<Element, unknown[]>();
  const due = new Set<Element>();
  let frame = 0;
  const state = (figure: Element): unknown[] => [sizes.get(figure), ...drawnText(figure)];
  const isChanged = (figure: Element): boolean => {
    const [now, before] = [state(figure), fitted.get(figure)];
    return now.length !== before?.length || now.some((one, index) => one !== before[index]);
  };
  const fitDue = (): void => {
    frame = 0;
    // One that is hidden is fitted when it is shown, which changes its size.
    const figures = [...due].filter((figure) => sizes.has(figure) && isChanged(figure));
    due.clear();
    if (figures.length > 0) {
      fit(figures);
      redrawn.takeRecords();
      for (const figure of figures) {
        fitted.set(figure, state(figure));
      }
    }
  };
  const plan = (figure: Element | null | undefined): void => {
    if (figure) {
      due.add(figure);
      frame ||= requestAnimationFrame(fitDue);
    }
  };
  const redrawn = new MutationObserver((records) => {
    for (const target of new Set(records.map((record) => record.target))) {
      plan((target instanceof Element ? target : target.parentElement)?.closest(".bqplot"));
    }
  });
  const resized = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const { width, height } = contentRect;
      if (width > 0 && height > 0) {
        sizes.set(target, `${width} ${height}`);
        plan(target);
      } else {
        sizes.delete(target);
      }
    }
  });
  lifetime.atEnd(() => {
    redrawn.disconnect();
    resized.disconnect();
    cancelAnimationFrame(frame);
  });
  return (figure) => {
    const axes = figure.querySelector(":scope > .svg-background");
    if (axes) {
      redrawn.observe(axes, DRAWN);
      resized.observe(figure);
    }
  };
}
