// Tables of things that are compared, with their lines and intervals, and a verdict below.

import type { Render } from "@anywidget/types";
import { type Interval, intervalSign, lineSign } from "../controls/series";
import { Announcer } from "../lib/announcer";
import { silenceAround } from "../lib/connection";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import { element, keepKeys, setAttribute, setCount, setText } from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { followPlots } from "../lib/plots";
import "./comparison.css";

interface Cell {
  text: string;
  /** Which competitor's line stands before the words. */
  series: number | null;
  strong: boolean;
  muted: boolean;
  interval: Interval | null;
}

interface Table {
  title: string;
  columns: { label: string; is_number: boolean }[];
  rows: Cell[][];
  note: string;
}

type Model = {
  label: string;
  /** What is shown, where no other view of it follows the connection; empty where one does. */
  alone: string;
  tables: Table[];
  /** A sentence, and what it rests on; empty: none. */
  verdict: [string, string];
};

/** Draws a cell anew where it says something else. */
function paintCell(node: HTMLElement, cell: Cell): void {
  const key = JSON.stringify(cell);
  if (node.dataset.shown === key) {
    return;
  }
  node.dataset.shown = key;
  const words = element(cell.strong ? "b" : "span", cell.muted ? "hpo-muted" : "", { dir: "auto" });
  setText(words, cell.text);
  const sign =
    cell.interval !== null
      ? [intervalSign(cell.interval)]
      : cell.series !== null
        ? [lineSign(cell.series)]
        : [];
  node.replaceChildren(...sign, words);
}

function paintTable(root: HTMLElement, shown: Table): void {
  const [table, note] = [...root.children] as [HTMLElement, HTMLElement];
  const [head, body] = [...table.children] as [HTMLElement, HTMLElement];
  setAttribute(table, "aria-label", shown.title);
  const heading = head.firstElementChild as HTMLElement;
  const headings = setCount(heading, shown.columns.length, () =>
    element("th", "", { scope: "col", dir: "auto" }),
  );
  for (const [index, node] of headings.entries()) {
    setText(node, shown.columns[index]?.label ?? "");
    node.classList.toggle("hpo-right", shown.columns[index]?.is_number === true);
  }
  for (const [index, row] of setCount(body, shown.rows.length, () => element("tr")).entries()) {
    const cells = shown.rows[index] ?? [];
    const nodes = setCount(row, cells.length, () =>
      row.childElementCount === 0 ? element("th", "", { scope: "row" }) : element("td"),
    );
    for (const [place, node] of nodes.entries()) {
      const cell = cells[place];
      if (cell) {
        paintCell(node, cell);
        node.classList.toggle("hpo-right", shown.columns[place]?.is_number === true);
      }
    }
  }
  setText(note, shown.note);
}

function makeTable(): HTMLElement {
  const root = element("div", "hpo-compared hpo-number", { role: "region", tabindex: "0" });
  const head = element("thead");
  head.append(element("tr"));
  const table = element("table");
  table.append(head, element("tbody"));
  root.append(table, element("div", "hpo-muted hpo-compared-note"));
  return root;
}

const render: Render<Model> = ({ model, el }) => {
  const lifetime = new Lifetime();
  const root = element("section", "hpo-part hpo-comparison");
  const tables = element("div");
  const box = element("div", "hpo-verdict");
  const sentence = element("b", "", { dir: "auto" });
  const grounds = element("span", "hpo-muted", { dir: "auto" });
  box.append(sentence, " ", grounds);
  const announcer = new Announcer(lifetime, () => model.get("verdict").join(" "));
  if (model.get("alone") !== "") {
    const { gone, away } = connectionNotices(model, lifetime);
    setText(gone, runAgainWords(model.get("alone")));
    root.append(gone, away);
  }
  root.append(tables, box, announcer.root);
  keepKeys(root);
  const namePlots = followPlots(model, lifetime, root, ".hpo-race-layout");

  const paint = (): void => {
    setAttribute(root, "aria-label", model.get("label"));
    const shown = model.get("tables");
    for (const [index, node] of setCount(tables, shown.length, makeTable).entries()) {
      const table = shown[index];
      if (table) {
        setAttribute(node, "aria-label", table.title);
        paintTable(node, table);
      }
    }
    const [said, why] = model.get("verdict");
    if (sentence.textContent !== said) {
      announcer.announce();
    }
    setText(sentence, said);
    setText(grounds, why);
    box.hidden = said === "";
    namePlots();
  };

  lifetime.paintOnChange(model, paint, silenceAround(root));
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
