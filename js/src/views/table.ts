// The table of trials: a real table with rows to select by mouse and keyboard. The top is sorted here, all trials, of
// which one page is here, in the kernel.

import { paintHeading, paintLine, roomForDecimals } from "../controls/table_line";
import { Announcer } from "../lib/announcer";
import {
  closeByEscape,
  element,
  isDisabled,
  isRepeatedClick,
  letterOf,
  makeButton,
  onPress,
  setAttribute,
  setCount,
  setReason,
  setText,
} from "../lib/dom";
import { focusedElement } from "../lib/focus";
import { Stillness } from "../lib/stillness";
import {
  type Column,
  nextSorting,
  type Row,
  rowsOfPage,
  type Sorting,
  sortedRows,
  withoutColumns,
} from "../lib/table_order";
import { view } from "../lib/view";
import "./table.css";

type Model = {
  columns: Column[];
  order: number[];
  selected: number[];
  top_k: number;
  shows_all: boolean;
  is_filtered: boolean;
  sorting: { name: string; is_descending: boolean } | Record<string, never>;
  page: number;
  page_rows: number;
  num_rows: number;
  hidden: string[];
  note: string;
  together: { command: "leave_out" | "take_back"; count: number } | Record<string, never>;
  commands: Record<string, string | null>;
  [row: `row_${number}`]: Row | undefined;
};

const TOGETHER = {
  leave_out: [
    "Leave out",
    "For wrong results: the trials stay, but they are not ranked, and the strategy forgets them",
  ],
  take_back: ["Take back", "Have these trials count again"],
} as const;

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-table-host");
  const heading = element("tr");
  const body = element("tbody");
  const grid = { role: "grid", "aria-multiselectable": "true" };
  const table = element("table", "", grid, element("thead", "", {}, heading), body);
  const scroll = element("div", "hpo-table-scroll", {}, table);
  const frame = element("div", "hpo-table-frame", {}, scroll);
  const field = element("input", "", { type: "number", min: "1", step: "1" });
  const label = element("label", "", {}, element("span", "", {}, "top "), field);
  const all = makeButton("", "hpo-link");
  const together = makeButton("", "hpo-link");
  const note = element("span");
  const summary = element("summary", "", {}, "columns");
  const boxes = element("div", "hpo-table-boxes", { role: "group", "aria-label": "Columns" });
  const choice = element("details", "hpo-table-columns", {}, summary, boxes);
  closeByEscape(choice, summary);
  const makeTurn = (text: string, word: string, step: number): HTMLButtonElement => {
    const button = makeButton(text, "hpo-link", { "aria-label": word });
    onPress(button, () => model.send({ kind: "turn", step }));
    return button;
  };
  const back = makeTurn("‹", "Page before", -1);
  const on = makeTurn("›", "Next page", 1);
  const where = element("span", "hpo-number");
  const pager = element("span", "hpo-table-pager", {}, back, where, on);
  const foot = element(
    "div",
    "hpo-table-foot hpo-muted",
    {},
    label,
    all,
    together,
    note,
    pager,
    choice,
  );
  const announcer = new Announcer(lifetime, () => where.textContent ?? "");
  const root = element("section", "hpo-part hpo-table", { "aria-label": "Trials" });
  root.append(frame, foot, announcer.root);
  el.append(root);

  const put = (name: string, value: unknown): void => model.send({ kind: "set", name, value });

  const lines = new Map<number, HTMLTableRowElement>();
  let sorted: Sorting = null;
  /** The row that Tab leads to, and from which Shift selects: the first one, until somebody goes to another. */
  let current: number | null = null;
  let isChosen = false;
  let shown: Row[] = [];
  /** Which part of the trials was shown last. */
  let part: string | null = null;

  const rowsInOrder = (): Row[] => {
    const rows = model
      .get("order")
      .map((slot) => model.get(`row_${slot}`))
      .filter((row): row is Row => row !== undefined && row.cells !== undefined);
    return model.get("shows_all") ? rows : sortedRows(rows, model.get("columns"), sorted);
  };

  /** By which column the rows are sorted, wherever that was done. */
  const sorting = (): Sorting => {
    const chosen = model.get("sorting");
    return !model.get("shows_all")
      ? sorted
      : chosen.name === undefined
        ? null
        : { name: chosen.name, isDescending: chosen.is_descending };
  };

  const paintFoot = (): void => {
    const showsAll = model.get("shows_all");
    const off = model.get("commands").select ?? null;
    setAttribute(table, "aria-label", showsAll ? "All trials" : "Top trials");
    label.hidden = showsAll;
    setText(all, showsAll ? "top trials only" : "all trials");
    setReason(all, off);
    const { command, count } = model.get("together");
    together.hidden = command === undefined;
    if (command !== undefined) {
      const [verb, hint] = TOGETHER[command];
      setText(together, `${verb} ${count} selected`);
      setReason(together, model.get("commands")[command] ?? null, hint);
    }
    const filtered = model.get("is_filtered") ? ", same filter as the plots" : "";
    const [page, rows, total] = [model.get("page"), model.get("page_rows"), model.get("num_rows")];
    pager.hidden = !showsAll && filtered === "";
    back.hidden = on.hidden = !showsAll;
    setText(
      where,
      (showsAll ? rowsOfPage(page, rows, total) : `top ${model.get("top_k")}`) + filtered,
    );
    // Told is where somebody has gone. How many rows there are changes with each trial that begins.
    const before = part;
    part = [showsAll, page, filtered].join();
    if (before !== null && before !== part) {
      announcer.announce();
    }
    setReason(back, off ?? (page === 0 ? "This is the first page" : null));
    setReason(on, off ?? ((page + 1) * rows >= total ? "This is the last page" : null));
    const columns = model.get("columns").slice(1);
    const hidden = model.get("hidden");
    const labels = setCount(boxes, columns.length, () => {
      const box = element("input", "", { type: "checkbox" });
      box.addEventListener("click", (event) => {
        if (isDisabled(box)) {
          event.preventDefault();
          return;
        }
        model.send({ kind: "hide", name: box.value, is_hidden: !box.checked });
      });
      return element("label", "", {}, box, element("span", "", { dir: "auto" }));
    });
    for (const [place, line] of labels.entries()) {
      const column = columns[place] as Column;
      const [box, word] = [...line.children] as [HTMLInputElement, HTMLElement];
      box.value = column.name;
      box.checked = !hidden.includes(column.name);
      setReason(box, off);
      setText(word, column.label);
      setAttribute(word, "title", column.name);
    }
  };

  const paintSelection = (): void => {
    const selected = new Set(model.get("selected"));
    const reason = model.get("commands").select ?? null;
    if (!isChosen || !shown.some((row) => row.number === current)) {
      current = shown[0]?.number ?? null;
      isChosen = false;
    }
    for (const [number, line] of lines) {
      setAttribute(line, "aria-selected", String(selected.has(number)));
      setAttribute(line, "tabindex", number === current ? "0" : "-1");
      setAttribute(line, "aria-disabled", null);
      setAttribute(line, "title", reason);
    }
  };

  const paint = (): void => {
    if (stillness.isNeeded() && lines.size > 0) {
      paintSelection();
      paintFoot();
    } else {
      paintRows();
    }
  };

  const paintRows = (): void => {
    const focused = focusedElement();
    const hasFocus = focused instanceof HTMLElement && body.contains(focused);
    const place = hasFocus ? shown.findIndex((row) => row.number === numberOf(focused)) : -1;
    const seen = withoutColumns(rowsInOrder(), model.get("columns"), model.get("hidden"));
    const columns = seen.columns;
    shown = seen.rows;
    const commands = model.get("commands");
    paintHeading(heading, columns, sorting());
    const rooms = roomForDecimals(shown, columns);
    const numbers = new Set(shown.map((row) => row.number));
    if (place >= 0 && !numbers.has(numberOf(focused) ?? -1)) {
      // A row that is gone leaves the focus to the one in its place, or to the last one: a reader goes on there.
      current = shown[Math.min(place, shown.length - 1)]?.number ?? null;
    }
    for (const [number, line] of lines) {
      if (!numbers.has(number)) {
        line.remove();
        lines.delete(number);
      }
    }
    for (const [index, row] of shown.entries()) {
      const line = lines.get(row.number) ?? element("tr");
      lines.set(row.number, line);
      paintLine(line, row, columns, rooms, commands.retry ?? null);
      if (body.children[index] !== line) {
        body.insertBefore(line, body.children[index] ?? null);
      }
    }
    paintSelection();
    if (hasFocus && focused !== focusedElement()) {
      // Moving a row takes the focus from it.
      (body.contains(focused) ? focused : lines.get(current ?? -1))?.focus({ preventScroll: true });
    }
    if (focusedElement() !== field) {
      field.value = String(model.get("top_k"));
    }
    const off = commands.select ?? null;
    field.readOnly = off !== null;
    setReason(field, off);
    paintFoot();
    setText(note, model.get("note"));
  };

  const select = (number: number, mode: "one" | "toggle" | "range"): void => {
    if (model.get("commands").select) {
      return;
    }
    if (mode === "range" && current !== null) {
      const places = [current, number].map((one) => shown.findIndex((row) => row.number === one));
      const [from, to] = places.sort((a, b) => a - b) as [number, number];
      const between = shown.slice(from, to + 1).map((row) => row.number);
      model.send({
        kind: "select",
        numbers: [...between.filter((one) => one !== number), number],
      });
    } else {
      current = number;
      isChosen = true;
      model.send({ kind: "click", number, adds: mode === "toggle" });
    }
  };

  const numberOf = (target: EventTarget | null): number | null => {
    const line = (target as Element | null)?.closest<HTMLElement>("tbody tr");
    return line?.dataset.number === undefined ? null : Number(line.dataset.number);
  };

  const press = (event: MouseEvent): void => {
    const target = event.target as Element;
    const name = target.closest<HTMLElement>("thead th")?.dataset.name;
    if (name !== undefined) {
      const next = nextSorting(sorting(), name);
      if (!model.get("shows_all")) {
        sorted = next;
        paint();
      } else if (!model.get("commands").select) {
        put("sorting", next === null ? {} : { name: next.name, is_descending: next.isDescending });
      }
      return;
    }
    const number = numberOf(target);
    // A double click selects a row, as one click does: the second click, which would deselect it, is ignored.
    if (number === null || isRepeatedClick(event)) {
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
    } else if (letterOf(event) === "r" && !event.ctrlKey && !event.metaKey && !event.altKey) {
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
      put("top_k", value);
    } else {
      field.value = String(model.get("top_k"));
    }
  };

  onPress(all, () => put("shows_all", !model.get("shows_all")));
  onPress(together, (event) => {
    // By the second click of a double click it may be Take back.
    if (!isRepeatedClick(event)) {
      model.send({ kind: model.get("together").command, numbers: model.get("selected") });
    }
  });
  table.addEventListener("click", press);
  table.addEventListener("mousedown", (event) => {
    // With Shift, the browser would select the text between here and the last click.
    if (event.shiftKey && numberOf(event.target) !== null) {
      event.preventDefault();
    }
  });
  body.addEventListener("focusin", () => {
    isChosen = true;
  });
  table.addEventListener("keydown", type);
  field.addEventListener("change", enter);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      enter();
    }
  });
  const stillness = new Stillness(lifetime, body, paint);
  const hintAtMore = (): void => {
    const beyond = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
    frame.classList.toggle("hpo-more", beyond > 1);
  };
  scroll.addEventListener("scroll", hintAtMore, { passive: true });
  const resized = new ResizeObserver(hintAtMore);
  resized.observe(scroll);
  resized.observe(table);
  lifetime.atEnd(() => resized.disconnect());
  return paint;
});
