// Tables of things that are compared, with their lines and intervals, and a verdict below.

import { type DataColumn, makeDataTable, paintDataTable } from "../controls/data_table";
import { type Interval, intervalSign, lineSign } from "../controls/series";
import { Announcer } from "../lib/announcer";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import { element, setAttribute, setCount, setText } from "../lib/dom";
import { followPlots } from "../lib/plots";
import { view } from "../lib/view";
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
  columns: DataColumn[];
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
  const tag = cell.strong ? "b" : "span";
  const words = element(tag, cell.muted ? "hpo-muted" : "", { dir: "auto" }, cell.text);
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
  setAttribute(root, "aria-label", shown.title);
  setAttribute(table, "aria-label", shown.title);
  paintDataTable(table, shown.columns, shown.rows, paintCell);
  setText(note, shown.note);
}

function makeTable(): HTMLElement {
  return element(
    "div",
    "hpo-compared hpo-number",
    { role: "region", tabindex: "0" },
    makeDataTable(),
    element("div", "hpo-muted hpo-compared-note hpo-optional"),
  );
}

export default view<Model>(({ model, el, lifetime }) => {
  const root = element("section", "hpo-part hpo-comparison");
  const tables = element("div");
  const sentence = element("b", "", { dir: "auto" });
  const grounds = element("span", "hpo-muted", { dir: "auto" });
  const box = element("div", "hpo-verdict", {}, sentence, " ", grounds);
  const announcer = new Announcer(lifetime, () => model.get("verdict").join(" "));
  if (model.get("alone") !== "") {
    const { gone, away } = connectionNotices(model, lifetime);
    setText(gone, runAgainWords(model.get("alone")));
    root.append(gone, away);
  }
  root.append(tables, box, announcer.root);
  el.append(root);
  const namePlots = followPlots(model, lifetime, root, ".hpo-race-layout");

  return () => {
    setAttribute(root, "aria-label", model.get("label"));
    const shown = model.get("tables");
    for (const [index, node] of setCount(tables, shown.length, makeTable).entries()) {
      const table = shown[index];
      if (table) {
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
});
