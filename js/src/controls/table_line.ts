// How a heading and a row of the table of trials are drawn; a cell is touched only where it differs.

import {
  element,
  makeButton,
  setAttribute,
  setCount,
  setName,
  setReason,
  setText,
} from "../lib/dom";
import type { Column, Row, Sorting } from "../lib/table_order";
import { LEFT_OUT, SHAPES } from "../lib/trial_states";

const MARKS = { best: "▲", front: "■" } as const;
const RIGHT = new Set(["number", "seconds"]);

export function paintHeading(
  heading: HTMLElement,
  columns: readonly Column[],
  sorting: Sorting,
): void {
  const cells = setCount(heading, columns.length, () => {
    const button = makeButton(element("span", "", { dir: "auto" }));
    button.append(element("span", "", { "aria-hidden": "true" }));
    return element("th", "", { scope: "col" }, button);
  });
  for (const [index, cell] of cells.entries()) {
    const column = columns[index] as Column;
    const [word, arrow] = [...(cell.firstElementChild as Element).children] as HTMLElement[];
    const direction = sorting?.name === column.name ? sorting : null;
    cell.className = RIGHT.has(column.kind) ? "hpo-right" : "";
    cell.dataset.name = column.name;
    (word as HTMLElement).classList.toggle("hpo-long", column.label.length > LONG);
    setAttribute(cell, "title", column.name);
    setName(word as HTMLElement, column.label);
    setText(arrow as HTMLElement, direction ? (direction.isDescending ? " ▾" : " ▴") : "");
    setAttribute(
      cell,
      "aria-sort",
      direction ? (direction.isDescending ? "descending" : "ascending") : "none",
    );
  }
}

/** A heading of more characters has several lines. */
const LONG = 17;

/** How wide other signs than digits are, in digits. */
const WIDTHS: Readonly<Record<string, number>> = { ".": 0.5, "-": 0.57 };

/** How wide that of a number is which stands from its decimal point on, in digits. */
export function widthOfDecimals(text: string): number {
  const at = text.search(/[.e]/);
  return at < 0 ? 0 : [...text.slice(at)].reduce((sum, sign) => sum + (WIDTHS[sign] ?? 1), 0);
}

/** The most room that a number needs from its decimal point on, in digits, for each column; 0 where there are none. */
export function roomForDecimals(rows: readonly Row[], columns: readonly Column[]): number[] {
  return columns.map(({ kind }, index) =>
    kind === "number"
      ? Math.max(0, ...rows.map((row) => widthOfDecimals(row.cells[index] ?? "")))
      : 0,
  );
}

/**
 * @param rooms what `roomForDecimals` gives for all rows: decimal points stand below each other
 * @param noRetry why a trial cannot be run again; null: it can
 */
export function paintLine(
  line: HTMLTableRowElement,
  row: Row,
  columns: readonly Column[],
  rooms: readonly number[],
  noRetry: string | null,
): void {
  const kinds = columns.map((column) => column.kind).join();
  if (line.dataset.kinds !== kinds) {
    line.dataset.kinds = kinds;
    line.replaceChildren(...columns.map(makeCell));
  }
  line.dataset.number = String(row.number);
  for (const [index, column] of columns.entries()) {
    const cell = line.children[index] as HTMLElement;
    const text = row.cells[index] ?? "";
    if (column.kind === "state") {
      paintState(cell, row, text, noRetry);
    } else if (column.kind === "trial") {
      const [mark, name] = [...cell.children] as [HTMLElement, HTMLElement];
      setText(mark, row.mark === "" ? "" : MARKS[row.mark]);
      setAttribute(mark, "aria-label", row.mark || null);
      setAttribute(mark, "title", row.mark === "front" ? "on the Pareto front" : row.mark || null);
      setAttribute(mark, "role", row.mark === "" ? null : "img");
      setText(name, text);
    } else {
      setText(cell.firstElementChild as HTMLElement, text);
      setAttribute(cell, "title", column.kind === "text" ? text : null);
      const room = (rooms[index] ?? 0) - widthOfDecimals(text);
      // Padding, not parts: a number is read out as one.
      (cell.firstElementChild as HTMLElement).style.paddingRight =
        column.kind === "number" ? `${room.toFixed(2)}ch` : "";
    }
  }
}

function makeCell(column: Column): HTMLElement {
  const cell = column.kind === "trial" ? element("th", "", { scope: "row" }) : element("td");
  cell.classList.toggle("hpo-right", RIGHT.has(column.kind));
  if (column.kind === "trial") {
    cell.append(element("span", "hpo-best-mark"), element("span"));
  } else if (column.kind === "state") {
    const retry = makeButton("retry", "hpo-bad", { tabindex: "-1" });
    cell.className = "hpo-state";
    cell.append(element("div", "", {}, element("span", "", { dir: "auto" }), retry));
  } else {
    cell.append(element("span", "", { dir: "auto" }));
  }
  return cell;
}

function paintState(cell: HTMLElement, row: Row, state: string, noRetry: string | null): void {
  const line = cell.firstElementChild as HTMLElement;
  const [word, retry] = [...line.children] as [HTMLElement, HTMLElement];
  const isFailed = state === "failed";
  cell.parentElement?.classList.toggle("hpo-left-out", state === LEFT_OUT);
  word.className = isFailed ? "hpo-bad" : "";
  const more = (row.note ? ` · ${row.note}` : "") + (row.error ? `: ${row.error}` : "");
  setText(word, `${SHAPES[state] ?? ""} ${state}${more}`);
  setAttribute(cell, "title", row.error || null);
  retry.hidden = !isFailed;
  setAttribute(retry, "aria-label", `Retry trial ${row.number}`);
  setReason(retry, noRetry);
}
