// What the table of trials holds, and in which order its rows stand.

export interface Column {
  kind: "trial" | "number" | "text" | "seconds" | "state";
  label: string;
  name: string;
}

export interface Row {
  number: number;
  cells: string[];
  seconds: number | null;
  error: string;
  /** Of several objectives none is the best: trials may be on the front. */
  mark: "best" | "front" | "";
  /** What is to be known of a trial beside its state. */
  note?: string;
}

/** By which column a person has sorted; null: rows stand by their rank. */
export type Sorting = { name: string; isDescending: boolean } | null;

type Key = number | string | null;

/** Up, down, and back to the rank. */
export function nextSorting(before: Sorting, name: string): Sorting {
  if (before?.name !== name) {
    return { name, isDescending: false };
  }
  return before.isDescending ? null : { name, isDescending: true };
}

/** Leaves out the columns of these names, and their cells; the trial's own stays. */
export function withoutColumns(
  rows: readonly Row[],
  columns: readonly Column[],
  hidden: readonly string[],
): { rows: Row[]; columns: Column[] } {
  const places = columns
    .map((_, place) => place)
    .filter((place) => place === 0 || !hidden.includes((columns[place] as Column).name));
  return {
    rows: rows.map((row) => ({ ...row, cells: places.map((place) => row.cells[place] ?? "") })),
    columns: places.map((place) => columns[place] as Column),
  };
}

/** Which rows a page holds, counted from 1: "1–25 of 1203"; an empty table has none. */
export function rowsOfPage(page: number, pageRows: number, numRows: number): string {
  const first = page * pageRows;
  const last = Math.min(first + pageRows, numRows);
  return numRows === 0 ? "no rows" : `rows ${first + 1}–${last} of ${numRows}`;
}

/** Puts `rows`, which come by their rank, into the order of a column. */
export function sortedRows(rows: Row[], columns: readonly Column[], sorting: Sorting): Row[] {
  const index = columns.findIndex((column) => column.name === sorting?.name);
  const column = columns[index];
  if (sorting === null || column === undefined) {
    return rows;
  }
  const sign = sorting.isDescending ? -1 : 1;
  // Rows that look alike keep their rank.
  return rows.sort((a, b) => {
    const [first, second] = [keyOf(a, column, index), keyOf(b, column, index)];
    if (first === null || second === null) {
      return Number(first === null) - Number(second === null);
    }
    return sign * compare(first, second);
  });
}

/** What a row is sorted by in a column; null, for what it does not have, comes last in both directions. */
function keyOf(row: Row, column: Column, index: number): Key {
  const text = row.cells[index] ?? "";
  switch (column.kind) {
    case "trial":
      return row.number;
    case "number":
      return parse(text);
    case "seconds":
      return row.seconds;
    default:
      return text === "–" ? null : text;
  }
}

function parse(text: string): number | null {
  if (text.endsWith("∞")) {
    return text.startsWith("-") ? -Infinity : Infinity;
  }
  const value = Number(text);
  return text === "" || Number.isNaN(value) ? null : value;
}

function compare(a: Key, b: Key): number {
  return a === b ? 0 : (a as number) < (b as number) ? -1 : 1;
}
