// What a notebook keeps of a panel, a race and the like, read and drawn. It comes from a file, so that nothing of it is trusted: what does not
// fit is left out, and all of it enters the page as text, or as the picture of an <img>.

import { element, keepKeys, makeCopyButton, setText } from "../lib/dom";
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
  const date = new Date(at * 1000);
  const two = (number: number): string => String(number).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === now.toDateString()) {
    return time;
  }
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

function words(
  tag: "p" | "span" | "dt" | "dd" | "b" | "caption" | "th" | "td",
  className: string,
  text: string,
) {
  const node = element(tag, className);
  setText(node, text);
  return node;
}

/** Says how the picture becomes a panel again. */
function way(
  { about, code, again }: Snapshot,
  isKernelAwaited: boolean,
  isLookedFor: boolean,
): string {
  if (!isKernelAwaited) {
    return code ? ". To go on:" : again && !isLookedFor ? `. ${again}` : ".";
  }
  const [noun] = about.split(" ");
  const awaited = `. The kernel has not answered yet: if it runs this ${noun}, the panel is live when the running cell has ended.`;
  return code ? `${awaited} If it does not, go on with:` : awaited;
}

/** Says what this is, and how it becomes a panel again; that in an element of its own, as it may change. */
function banner({ at, code }: Snapshot, how: HTMLElement): HTMLElement {
  const line = element("div", "hpo-saved-banner");
  const says = element("span");
  says.append("Saved picture from ", words("b", "", moment(at)), how);
  line.append(says);
  if (code) {
    // Reached by keyboard, so that it can be scrolled; Lab leaves its keys alone.
    const shown = element("code", "", { tabindex: "0", "data-lm-suppress-shortcuts": "true" });
    setText(shown, code);
    const { copy, outcome } = makeCopyButton(shown);
    line.append(shown, outcome, copy);
  }
  return line;
}

function budgetBar({ name, text, fraction }: Budget): HTMLElement {
  const box = element("div", "hpo-saved-budget");
  box.append(words("span", "", name), words("span", "hpo-number", text));
  if (fraction !== null) {
    const track = element("div", "hpo-saved-track", { "aria-hidden": "true" });
    const used = element("div");
    used.style.width = `${fraction * 100}%`;
    track.append(used);
    box.append(track);
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
  const box = element("div", "hpo-saved-summary");
  const tally = element("div", "hpo-saved-tally");
  const states = element("p");
  counts.forEach(({ text, isBad }, place) => {
    states.append(place ? " · " : "", words("span", isBad ? "hpo-bad" : "", text));
  });
  tally.append(states);
  if (best) {
    const line = element("p");
    line.append(signOf(hasFront), words("span", "", best));
    tally.append(line);
  }
  if (verdict || reason) {
    const line = element("p");
    line.append(words("b", "", verdict), verdict && reason ? " " : "", reason);
    tally.append(line);
  }
  if (shown) {
    tally.append(words("p", "", shown));
  }
  box.append(...budgets.map(budgetBar), tally);
  return box;
}

function signOf(isFront: boolean): HTMLElement {
  const sign = element("span", "hpo-saved-best", { "aria-hidden": "true" });
  setText(sign, isFront ? "■" : "▲");
  return sign;
}

function main({ space, plot, png, about }: Snapshot): HTMLElement {
  const box = element("div", "hpo-saved-main");
  if (space.length > 0) {
    const ranges = element("dl", "hpo-saved-space", { "aria-label": "Space" });
    for (const one of space) {
      const pair = element("div");
      pair.append(words("dt", "", one.name), words("dd", "hpo-number", one.range));
      ranges.append(pair);
    }
    box.append(ranges);
  }
  if (png) {
    const figure = element("figure");
    const caption = element("figcaption");
    setText(caption, plot);
    const image = element("img", "", {
      alt: `${plot} of the ${about}`,
      src: `data:image/png;base64,${png}`,
    });
    figure.append(caption, image);
    box.append(figure);
  }
  return box;
}

function table({ caption, columns, rows }: Snapshot): HTMLElement {
  const scroll = element("div", "hpo-saved-scroll", {
    tabindex: "0",
    role: "group",
    "aria-label": "Trials",
  });
  const box = element("table");
  const head = element("tr");
  head.append(
    ...columns.map(({ label, isNumber }) => words("th", isNumber ? "hpo-right" : "", label)),
  );
  const body = rows.map(({ mark, cells }) => {
    const row = element("tr");
    row.append(
      ...cells.map((text, place) => {
        const cell = words("td", columns[place]?.isNumber ? "hpo-right" : "", text);
        if (place === 0 && (mark === "best" || mark === "front")) {
          cell.prepend(signOf(mark === "front"));
        }
        return cell;
      }),
    );
    return row;
  });
  const top = element("thead");
  const rest = element("tbody");
  top.append(head);
  rest.append(...body);
  if (caption) {
    box.append(words("caption", "hpo-muted", caption));
  }
  box.append(top, rest);
  scroll.append(box);
  return scroll;
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
  const body = element("div", "hpo-saved-body");
  const title = element("div", "hpo-saved-title");
  const facts = [snapshot.did, ...snapshot.facts].filter((fact) => fact !== "");
  title.append(words("b", "", snapshot.name), words("span", "hpo-muted", facts.join(" · ")));
  body.append(title, summary(snapshot), main(snapshot));
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
