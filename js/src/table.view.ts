// The table of the top trials: a real table, sorted here, with rows to select by mouse and keyboard.

import type { Render } from "@anywidget/types";
import { element, isDisabled, keepKeys, setAttribute, setCount, setReason, setText } from "./dom";
import { onceInARow } from "./painting";
import { SHAPES } from "./trial_states";
import "./table.css";

interface Column {
  kind: "trial" | "number" | "text" | "seconds" | "state";
  label: string;
  name: string;
}

interface Row {
  number: number;
  cells: string[];
  seconds: number | null;
  error: string;
  is_best: boolean;
  /** Why a trial that is not of the top has a row. */
  note?: string;
}

type Model = {
  columns: Column[];
  order: number[];
  selected: number[];
  top_k: number;
  note: string;
  commands: Record<string, string | null>;
  [row: `row_${number}`]: Row | undefined;
};

type Key = number | string | null;

function parse(text: string): number | null {
  if (text.endsWith("∞")) {
    return text.startsWith("-") ? -Infinity : Infinity;
  }
  const value = Number(text);
  return text === "" || Number.isNaN(value) ? null : value;
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

function compare(a: Key, b: Key): number {
  return a === b ? 0 : (a as number) < (b as number) ? -1 : 1;
}

const RIGHT = new Set(["number", "seconds"]);

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-table-host");
  const root = element("section", "hpo-part hpo-table", { "aria-label": "Trials" });
  const scroll = element("div", "hpo-table-scroll");
  const table = element("table", "", {
    role: "grid",
    "aria-label": "Top trials",
    "aria-multiselectable": "true",
  });
  const heading = element("tr");
  const head = element("thead");
  const body = element("tbody");
  head.append(heading);
  table.append(head, body);
  scroll.append(table);
  const foot = element("div", "hpo-table-foot hpo-muted");
  const field = element("input", "", { type: "number", min: "1", step: "1" });
  const label = element("label");
  const labelText = element("span");
  setText(labelText, "top ");
  label.append(labelText, field);
  const note = element("span");
  foot.append(label, note);
  root.append(scroll, foot);
  keepKeys(root);

  const lines = new Map<number, HTMLTableRowElement>();
  let sorted: { name: string; isDescending: boolean } | null = null;
  /** The row that Tab leads to, and from which Shift selects. */
  let current: number | null = null;
  let shown: Row[] = [];

  const rowsInOrder = (): Row[] => {
    const rows = model
      .get("order")
      .map((slot) => model.get(`row_${slot}`))
      .filter((row): row is Row => row !== undefined && row.cells !== undefined);
    const columns = model.get("columns");
    const index = columns.findIndex((column) => column.name === sorted?.name);
    const column = columns[index];
    if (sorted === null || column === undefined) {
      return rows;
    }
    const sign = sorted.isDescending ? -1 : 1;
    // Rows that look alike keep their rank.
    return rows.sort((a, b) => {
      const [first, second] = [keyOf(a, column, index), keyOf(b, column, index)];
      if (first === null || second === null) {
        return Number(first === null) - Number(second === null);
      }
      return sign * compare(first, second);
    });
  };

  const paintHead = (): void => {
    const columns = model.get("columns");
    const cells = setCount(heading, columns.length, () => {
      const cell = element("th", "", { scope: "col" });
      const button = element("button", "", { type: "button" });
      const word = element("span", "", { dir: "auto" });
      const arrow = element("span", "", { "aria-hidden": "true" });
      button.append(word, arrow);
      cell.append(button);
      return cell;
    });
    for (const [index, cell] of cells.entries()) {
      const column = columns[index] as Column;
      const [word, arrow] = [...(cell.firstElementChild as Element).children] as HTMLElement[];
      const direction = sorted?.name === column.name ? sorted : null;
      cell.className = RIGHT.has(column.kind) ? "hpo-right" : "";
      cell.dataset.name = column.name;
      setAttribute(cell, "title", column.name);
      setText(word as HTMLElement, column.label);
      setText(arrow as HTMLElement, direction ? (direction.isDescending ? " ▾" : " ▴") : "");
      setAttribute(
        cell,
        "aria-sort",
        direction ? (direction.isDescending ? "descending" : "ascending") : "none",
      );
    }
  };

  const paintState = (cell: HTMLElement, row: Row, state: string): void => {
    const line = cell.firstElementChild as HTMLElement;
    const [word, retry] = [...line.children] as [HTMLElement, HTMLElement];
    const isFailed = state === "failed";
    word.className = isFailed ? "hpo-bad" : "";
    const more = row.error ? `: ${row.error}` : row.note ? ` · ${row.note}` : "";
    setText(word, `${SHAPES[state] ?? ""} ${state}${more}`);
    setAttribute(cell, "title", row.error || null);
    retry.hidden = !isFailed;
    setAttribute(retry, "aria-label", `Retry trial ${row.number}`);
    setReason(retry, model.get("commands").retry ?? null);
  };

  const makeLine = (): HTMLTableRowElement => element("tr");

  const paintLine = (line: HTMLTableRowElement, row: Row): void => {
    const columns = model.get("columns");
    const kinds = columns.map((column) => column.kind).join();
    if (line.dataset.kinds !== kinds) {
      line.dataset.kinds = kinds;
      line.replaceChildren(
        ...columns.map((column) => {
          const cell =
            column.kind === "trial" ? element("th", "", { scope: "row" }) : element("td");
          cell.classList.toggle("hpo-right", RIGHT.has(column.kind));
          if (column.kind === "trial") {
            cell.append(element("span", "hpo-best-mark"), element("span"));
          } else if (column.kind === "state") {
            const retry = element("button", "hpo-bad", { type: "button", tabindex: "-1" });
            setText(retry, "retry");
            cell.className = "hpo-state";
            const line = element("div");
            line.append(element("span", "", { dir: "auto" }), retry);
            cell.append(line);
          } else {
            cell.append(element("span", "", { dir: "auto" }));
          }
          return cell;
        }),
      );
    }
    line.dataset.number = String(row.number);
    for (const [index, column] of columns.entries()) {
      const cell = line.children[index] as HTMLElement;
      const text = row.cells[index] ?? "";
      if (column.kind === "state") {
        paintState(cell, row, text);
      } else if (column.kind === "trial") {
        const [mark, name] = [...cell.children] as [HTMLElement, HTMLElement];
        setText(mark, row.is_best ? "▲" : "");
        setAttribute(mark, "aria-label", row.is_best ? "best" : null);
        setAttribute(mark, "role", row.is_best ? "img" : null);
        setText(name, text);
      } else {
        setText(cell.firstElementChild as HTMLElement, text);
        setAttribute(cell, "title", column.kind === "text" ? text : null);
      }
    }
  };

  const paintSelection = (): void => {
    const selected = new Set(model.get("selected"));
    const reason = model.get("commands").select ?? null;
    if (!shown.some((row) => row.number === current)) {
      current = shown[0]?.number ?? null;
    }
    for (const [number, line] of lines) {
      setAttribute(line, "aria-selected", String(selected.has(number)));
      setAttribute(line, "tabindex", number === current ? "0" : "-1");
      setAttribute(line, "aria-disabled", null);
      setAttribute(line, "title", reason);
    }
  };

  const paint = (): void => {
    const focused = document.activeElement;
    const hasFocus = focused instanceof HTMLElement && body.contains(focused);
    shown = rowsInOrder();
    paintHead();
    const numbers = new Set(shown.map((row) => row.number));
    for (const [number, line] of lines) {
      if (!numbers.has(number)) {
        line.remove();
        lines.delete(number);
      }
    }
    for (const [index, row] of shown.entries()) {
      const line = lines.get(row.number) ?? makeLine();
      lines.set(row.number, line);
      paintLine(line, row);
      if (body.children[index] !== line) {
        body.insertBefore(line, body.children[index] ?? null);
      }
    }
    paintSelection();
    if (hasFocus && focused !== document.activeElement) {
      // Moving a row takes the focus from it; a row that is gone leaves it to its neighbour.
      (body.contains(focused) ? focused : lines.get(current ?? -1))?.focus({ preventScroll: true });
    }
    if (document.activeElement !== field) {
      field.value = String(model.get("top_k"));
    }
    const off = model.get("commands").select ?? null;
    field.readOnly = off !== null;
    setReason(field, off);
    setText(note, shown.length === 0 ? "no trial has a result yet" : model.get("note"));
  };

  const select = (number: number, mode: "one" | "toggle" | "range"): void => {
    if (model.get("commands").select) {
      return;
    }
    const before = model.get("selected");
    let after: number[];
    if (mode === "toggle") {
      after = before.includes(number)
        ? before.filter((one) => one !== number)
        : [...before, number];
    } else if (mode === "range" && current !== null) {
      const places = [current, number].map((one) => shown.findIndex((row) => row.number === one));
      const [from, to] = places.sort((a, b) => a - b) as [number, number];
      const between = shown.slice(from, to + 1).map((row) => row.number);
      after = [...between.filter((one) => one !== number), number];
    } else {
      after = before.length === 1 && before[0] === number ? [] : [number];
    }
    if (mode !== "range") {
      current = number;
    }
    model.send({ kind: "select", numbers: after });
  };

  const numberOf = (target: EventTarget | null): number | null => {
    const line = (target as Element | null)?.closest<HTMLElement>("tbody tr");
    return line?.dataset.number === undefined ? null : Number(line.dataset.number);
  };

  const press = (event: MouseEvent): void => {
    const target = event.target as Element;
    const name = target.closest<HTMLElement>("thead th")?.dataset.name;
    if (name !== undefined) {
      if (sorted?.name !== name) {
        sorted = { name, isDescending: false };
      } else {
        // Up, down, and back to the rank.
        sorted = sorted.isDescending ? null : { name, isDescending: true };
      }
      paint();
      return;
    }
    const number = numberOf(target);
    if (number === null) {
      return;
    }
    const retry = target.closest("button");
    if (retry) {
      if (!isDisabled(retry)) {
        model.send({ kind: "retry", number });
      }
      return;
    }
    select(number, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "one");
    lines.get(number)?.focus({ preventScroll: true });
    paintSelection();
  };

  const type = (event: KeyboardEvent): void => {
    const target = event.target as Element;
    const number = numberOf(target);
    if (number === null || target.closest("button")) {
      return;
    }
    const at = shown.findIndex((row) => row.number === number);
    const last = shown.length - 1;
    const goal: Partial<Record<string, number>> = {
      ArrowDown: Math.min(at + 1, last),
      ArrowUp: Math.max(at - 1, 0),
      Home: 0,
      End: last,
    };
    const to = goal[event.key];
    if (to !== undefined) {
      current = shown[to]?.number ?? current;
      paintSelection();
      lines.get(current ?? -1)?.focus();
    } else if (event.key === " " || event.key === "Enter") {
      select(number, event.ctrlKey || event.metaKey || event.key === " " ? "toggle" : "one");
    } else if (event.key === "Escape") {
      if (!model.get("commands").select) {
        model.send({ kind: "select", numbers: [] });
      }
    } else if (event.key === "r") {
      const retry = lines.get(number)?.querySelector<HTMLElement>("td.hpo-state button");
      if (retry && !retry.hidden) {
        retry.click();
      }
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const enter = (): void => {
    if (field.readOnly) {
      return;
    }
    const value = Number(field.value);
    if (Number.isSafeInteger(value) && value >= 1) {
      model.send({ kind: "top", value });
    } else {
      field.value = String(model.get("top_k"));
    }
  };

  const schedule = onceInARow(paint);

  table.addEventListener("click", press);
  table.addEventListener("keydown", type);
  field.addEventListener("change", enter);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      enter();
    }
  });
  // Rows are traits that come into being one by one.
  model.on("change", schedule);
  paint();
  el.append(root);
  return () => model.off("change", schedule);
};

export default { render };
