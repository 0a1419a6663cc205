// The numbers of a plot as a table in its place, for who reads rather than looks. The kernel makes it when it is asked.

import type { Render } from "@anywidget/types";
import {
  element,
  isDisabled,
  keepKeys,
  setAttribute,
  setCount,
  setReason,
  setText,
} from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { requestIds } from "../lib/request_ids";
import "./numbers.css";

type Model = {
  is_open: boolean;
  title: string;
  sentence: string;
  columns: { label: string; is_number: boolean }[];
  rows: string[][];
  commands: Record<string, string | null>;
};

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-numbers-host");
  const lifetime = new Lifetime();
  const id = `hpo-numbers-${requestIds()()}`;
  const root = element("section", "hpo-part hpo-numbers");
  const toggle = element("button", "", { type: "button", "aria-controls": id });
  const again = element("button", "", { type: "button" });
  const sentence = element("span", "hpo-muted", { role: "status", dir: "auto" });
  const scroll = element("div", "hpo-numbers-scroll", { id, role: "region", tabindex: "0" });
  const table = element("table");
  const heading = element("tr");
  const head = element("thead");
  const body = element("tbody");
  setText(toggle, "numbers");
  setText(again, "Update");
  head.append(heading);
  table.append(head, body);
  scroll.append(table);
  const line = element("div", "hpo-numbers-head");
  line.append(toggle, again, sentence);
  root.append(line, scroll);
  keepKeys(root);

  const open = (isOpen: boolean): void => {
    model.set("is_open", isOpen);
    model.save_changes();
  };

  const paint = (): void => {
    const isOpen = model.get("is_open");
    const rows = model.get("rows");
    const columns = model.get("columns");
    const name = `Numbers of ${model.get("title")}`;
    const off = model.get("commands").open ?? null;
    if (isOpen && !el.classList.contains("hpo-open")) {
      // Over what is seen of a plot that scrolls.
      el.style.setProperty("--hpo-scrolled", `${el.parentElement?.scrollTop ?? 0}px`);
    }
    el.classList.toggle("hpo-open", isOpen);
    setAttribute(toggle, "aria-expanded", String(isOpen));
    setReason(
      toggle,
      rows.length === 0 ? off : null,
      isOpen ? "Show the plot again" : "Show what is drawn as a table",
    );
    setReason(again, off, "Have the numbers of now");
    again.hidden = scroll.hidden = sentence.hidden = !isOpen;
    setText(sentence, model.get("sentence"));
    setAttribute(scroll, "aria-label", name);
    setAttribute(table, "aria-label", name);
    const headings = setCount(heading, columns.length, () =>
      element("th", "", { scope: "col", dir: "auto" }),
    );
    for (const [place, cell] of headings.entries()) {
      setText(cell, columns[place]?.label ?? "");
      cell.classList.toggle("hpo-right", columns[place]?.is_number === true);
    }
    const lines = setCount(body, rows.length, () => element("tr"));
    for (const [index, row] of lines.entries()) {
      const texts = rows[index] ?? [];
      const cells = setCount(row, texts.length, () =>
        row.childElementCount === 0
          ? element("th", "", { scope: "row", dir: "auto" })
          : element("td", "", { dir: "auto" }),
      );
      for (const [place, cell] of cells.entries()) {
        setText(cell, texts[place] ?? "");
        cell.classList.toggle("hpo-right", columns[place]?.is_number === true);
      }
    }
  };

  toggle.addEventListener("click", () => {
    if (!isDisabled(toggle)) {
      open(!model.get("is_open"));
    }
  });
  again.addEventListener("click", () => {
    if (!isDisabled(again)) {
      model.send({ kind: "update" });
    }
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.get("is_open")) {
      event.preventDefault();
      event.stopPropagation();
      open(false);
      toggle.focus();
    }
  });
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
