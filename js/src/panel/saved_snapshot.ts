// What a notebook keeps of a panel, a race and the like, read and drawn. It comes from a file, so that nothing of it is trusted: what does not
// fit is left out, and all of it enters the page as text, or as the picture of an <img>.

import { element, keepKeys, makeCopyButton, setText } from "../lib/dom";
import { dateAndTime } from "../lib/moment";
import "./saved_snapshot.css";

export const MIME = "application/vnd.hpo-widgets.snapshot+json";

const VERSION = 1;
const PNG = /^[A-Za-z0-9+/=\s]+$/;

type Budget = { name: string; text: string; fraction: number | null };
type Count = { text: string; isBad: boolean };
type Row = { mark: string; cells: string[] };

type Snapshot = {
  /** When it was made, in Unix seconds. */
  at: number;
  name: string;
  /** What it is a picture of, within a sentence; begins with its kind. */
  about: string;
  /** What the search did, in the past tense, and under which conditions. */
  did: string;
  facts: string[];
  budgets: Budget[];
  counts: Count[];
  best: string;
  /** Whether that tells of the front of several objectives. */
  hasFront: boolean;
  /** What could be said of several searches; empty of one. */
  verdict: string;
  /** Why it had ended, or what the verdict rests on. */
  reason: string;
  space: { name: string; range: string }[];
  /** Which trials picture and table have; empty where they have all. */
  shown: string;
  /** Title of the plot that is pictured. */
  plot: string;
  /** Base64 of a PNG; empty where there was nothing to plot. */
  png: string;
  /** Which trials the rows are, and in what order. */
  caption: string;
  columns: { label: string; isNumber: boolean }[];
  rows: Row[];
  /** What shows the search live; empty where nothing can. */
  code: string;
  /** How it is seen again, where there is no such code. */
  again: string;
};

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list<Item>(value: unknown, read: (item: unknown) => Item): Item[] {
  return Array.isArray(value) ? value.map(read) : [];
}

/** Reads the data of an output; null for one of another version, or of something else. */
export function readSnapshot(data: Json): Snapshot | null {
  const kept = object(data[MIME]);
  if (kept.version !== VERSION) {
    return null;
  }
  const table = object(kept.table);
  const name = string(kept.name);
  const png = string(data["image/png"]).replace(/\s/g, "");
  return {
    at: typeof kept.at === "number" ? kept.at : 0,
    name,
    about: string(kept.about) || `search ${name}`,
    did: string(kept.did),
    facts: list(kept.facts, string),
    budgets: list(kept.budgets, (item) => {
      const { name, text, fraction } = object(item);
      return {
        name: string(name),
        text: string(text),
        fraction: typeof fraction === "number" ? Math.min(1, Math.max(0, fraction)) : null,
      };
    }),
    counts: list(kept.counts, (item) => {
      const { text, is_bad } = object(item);
      return { text: string(text), isBad: is_bad === true };
    }),
    best: string(kept.best),
    hasFront: kept.has_front === true,
    verdict: string(kept.verdict),
    reason: string(kept.reason),
    space: list(kept.space, (item) => {
      const { name, range } = object(item);
      return { name: string(name), range: string(range) };
    }),
    shown: string(kept.shown),
    plot: string(kept.plot),
    png: PNG.test(png) ? png : "",
    caption: string(table.caption),
    columns: list(table.columns, (item) => {
      const { label, is_number } = object(item);
      return { label: string(label), isNumber: is_number === true };
    }),
    rows: list(table.rows, (item) => {
      const { mark, cells } = object(item);
      return { mark: string(mark), cells: list(cells, string) };
    }),
    code: string(kept.code),
    again: string(kept.again),
  };
}

/** The time of day; with the date, unless it is today's. */
export function moment(at: number, now: Date = new Date()): string {
  const isToday = new Date(at * 1000).toDateString() === now.toDateString();
  return isToday ? dateAndTime(at).slice(-"hh:mm".length) : dateAndTime(at);
}

/** Says how the picture becomes a panel again. */
function way(
  { about, code, again }: Snapshot,
  isKernelAwaited: boolean,
  isLookedFor: boolean,
): string {
  if (!isKernelAwaited) {
    return code ? ". To continue:" : again && !isLookedFor ? `. ${again}` : ".";
  }
  const [noun] = about.split(" ");
  const awaited = `. The kernel has not answered yet: if it runs this ${noun}, the panel is live when the running cell has ended.`;
  return code ? `${awaited} If it does not, continue with:` : awaited;
}

/** Says what this is, and how it becomes a panel again; that in an element of its own, as it may change. */
function banner({ at, code }: Snapshot, how: HTMLElement): HTMLElement {
  const time = element("b", "", {}, moment(at));
  const says = element("span", "", {}, "Saved picture from ", time, how);
  const line = element("div", "hpo-saved-banner", {}, says);
  if (code) {
    // Reached by keyboard, so that it can be scrolled; Lab leaves its keys alone.
    const keys = { tabindex: "0", "data-lm-suppress-shortcuts": "true" };
    const shown = element("code", "hpo-listing", keys, code);
    const { copy, outcome } = makeCopyButton(shown);
    line.append(shown, outcome, copy);
  }
  return line;
}

function budgetBar({ name, text, fraction }: Budget): HTMLElement {
  const numbers = element("span", "hpo-number", {}, text);
  const box = element("div", "hpo-saved-budget", {}, element("span", "", {}, name), numbers);
  if (fraction !== null) {
    const used = element("div");
    used.style.width = `${fraction * 100}%`;
    box.append(element("div", "hpo-saved-track", { "aria-hidden": "true" }, used));
  }
  return box;
}

function summary({
  budgets,
  counts,
  best,
  hasFront,
  verdict,
  reason,
  shown,
}: Snapshot): HTMLElement {
  const states = element("p");
  counts.forEach(({ text, isBad }, place) => {
    states.append(place ? " · " : "", element("span", isBad ? "hpo-bad" : "", {}, text));
  });
  const tally = element("div", "hpo-saved-tally", {}, states);
  if (best) {
    tally.append(element("p", "", {}, signOf(hasFront), element("span", "", {}, best)));
  }
  if (verdict || reason) {
    const said = element("b", "", {}, verdict);
    tally.append(element("p", "", {}, said, verdict && reason ? " " : "", reason));
  }
  if (shown) {
    tally.append(element("p", "", {}, shown));
  }
  return element("div", "hpo-saved-summary", {}, ...budgets.map(budgetBar), tally);
}

function signOf(isFront: boolean): HTMLElement {
  return element("span", "hpo-saved-best", { "aria-hidden": "true" }, isFront ? "■" : "▲");
}

function main({ space, plot, png, about }: Snapshot): HTMLElement {
  const box = element("div", "hpo-saved-main hpo-optional");
  if (space.length > 0) {
    const ranges = element("dl", "hpo-saved-space", { "aria-label": "Space" });
    for (const { name, range } of space) {
      const [term, said] = [element("dt", "", {}, name), element("dd", "hpo-number", {}, range)];
      ranges.append(element("div", "", {}, term, said));
    }
    box.append(ranges);
  }
  if (png) {
    const image = element("img", "", {
      alt: `${plot} of the ${about}`,
      src: `data:image/png;base64,${png}`,
    });
    box.append(element("figure", "", {}, element("figcaption", "", {}, plot), image));
  }
  return box;
}

function table({ caption, columns, rows }: Snapshot): HTMLElement {
  const makeCell = (tag: "th" | "td", text: string, place: number): HTMLElement =>
    element(tag, columns[place]?.isNumber ? "hpo-right" : "", {}, text);
  const headings = columns.map(({ label }, place) => makeCell("th", label, place));
  const body = rows.map(({ mark, cells }) => {
    const row = element("tr", "", {}, ...cells.map((text, place) => makeCell("td", text, place)));
    if (mark === "best" || mark === "front") {
      row.firstElementChild?.prepend(signOf(mark === "front"));
    }
    return row;
  });
  const box = element("table");
  if (caption) {
    box.append(element("caption", "hpo-muted", {}, caption));
  }
  box.append(
    element("thead", "", {}, element("tr", "", {}, ...headings)),
    element("tbody", "", {}, ...body),
  );
  const about = { tabindex: "0", role: "group", "aria-label": "Trials" };
  return element("div", "hpo-saved-scroll", about, box);
}

/**
 * Draws it in `node`, in the place of what was there.
 *
 * @returns says whether the kernel is still to answer, which may have the live panel, and whether that is looked for: then
 *   nothing says to run the cell again, as it would seem to be said of what has just been run
 */
export function drawSnapshot(
  node: HTMLElement,
  snapshot: Snapshot,
): (isKernelAwaited: boolean, isLookedFor: boolean) => void {
  const root = element("section", "hpo-part hpo-saved", {
    "aria-label": `Saved picture of the ${snapshot.about}`,
  });
  const facts = [snapshot.did, ...snapshot.facts].filter((fact) => fact !== "").join(" · ");
  const name = element("b", "", {}, snapshot.name);
  const title = element(
    "div",
    "hpo-saved-title",
    {},
    name,
    element("span", "hpo-muted", {}, facts),
  );
  const body = element("div", "hpo-saved-body", {}, title, summary(snapshot), main(snapshot));
  if (snapshot.rows.length > 0) {
    body.append(table(snapshot));
  }
  const how = element("span");
  const tell = (isKernelAwaited: boolean, isLookedFor: boolean): void =>
    setText(how, way(snapshot, isKernelAwaited, isLookedFor));
  tell(false, true);
  root.append(banner(snapshot, how), body);
  keepKeys(root);
  node.replaceChildren(root);
  return tell;
}
