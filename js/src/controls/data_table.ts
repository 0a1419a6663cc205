// A table of which the kernel gives the cells: headings, and rows whose first cell names them.

import { element, setCount, setText } from "../lib/dom";
import "./data_table.css";

export interface DataColumn {
  label: string;
  is_number: boolean;
}

export function makeDataTable(): HTMLTableElement {
  return element(
    "table",
    "hpo-data",
    {},
    element("thead", "", {}, element("tr")),
    element("tbody"),
  );
}

/**
 * @param paintCell writes what a cell says, in a node that may say it already; `place` is that of its column
 */
export function paintDataTable<Cell>(
  table: HTMLElement,
  columns: readonly DataColumn[],
  rows: readonly (readonly Cell[])[],
  paintCell: (node: HTMLElement, cell: Cell, place: number) => void,
): void {
  const [head, body] = [...table.children] as [HTMLElement, HTMLElement];
  const align = (node: HTMLElement, place: number): void => {
    node.classList.toggle("hpo-right", columns[place]?.is_number === true);
  };
  const headings = setCount(head.firstElementChild as HTMLElement, columns.length, () =>
    element("th", "", { scope: "col", dir: "auto" }),
  );
  for (const [place, node] of headings.entries()) {
    setText(node, columns[place]?.label ?? "");
    align(node, place);
  }
  head.hidden = columns.length === 0;
  const lines = setCount(body, rows.length, () => element("tr"));
  for (const [index, line] of lines.entries()) {
    const cells = rows[index] ?? [];
    const nodes = setCount(line, cells.length, () =>
      line.childElementCount === 0
        ? element("th", "", { scope: "row", dir: "auto" })
        : element("td", "", { dir: "auto" }),
    );
    for (const [place, node] of nodes.entries()) {
      paintCell(node, cells[place] as Cell, place);
      align(node, place);
    }
  }
}
