// The numbers of a plot as a table in its place, for who reads rather than looks. The kernel makes it when it is asked.

import { type DataColumn, makeDataTable, paintDataTable } from "../controls/data_table";
import { element, makeButton, onPress, setAttribute, setReason, setText } from "../lib/dom";
import { requestIds } from "../lib/request_ids";
import { view } from "../lib/view";
import "./numbers.css";

type Model = {
  is_open: boolean;
  title: string;
  sentence: string;
  columns: DataColumn[];
  rows: string[][];
  commands: Record<string, string | null>;
};

export default view<Model>(({ model, el }) => {
  el.classList.add("hpo-numbers-host");
  const id = `hpo-numbers-${requestIds()()}`;
  const toggle = makeButton("numbers", "", { "aria-controls": id });
  const again = makeButton("Update");
  const sentence = element("span", "hpo-muted", { role: "status", dir: "auto" });
  const table = makeDataTable();
  const scroll = element("div", "hpo-numbers-scroll", { id, role: "region", tabindex: "0" }, table);
  const line = element("div", "hpo-numbers-head", {}, toggle, again, sentence);
  const root = element("section", "hpo-part hpo-numbers", {}, line, scroll);
  el.append(root);

  const open = (isOpen: boolean): void => {
    model.set("is_open", isOpen);
    model.save_changes();
  };

  const paint = (): void => {
    const isOpen = model.get("is_open");
    const rows = model.get("rows");
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
    setReason(again, off, "Show the present numbers");
    again.hidden = scroll.hidden = sentence.hidden = !isOpen;
    setText(sentence, model.get("sentence"));
    setAttribute(scroll, "aria-label", name);
    setAttribute(table, "aria-label", name);
    paintDataTable(table, model.get("columns"), rows, setText);
  };

  onPress(toggle, () => open(!model.get("is_open")));
  onPress(again, () => model.send({ kind: "update" }));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.get("is_open")) {
      event.preventDefault();
      event.stopPropagation();
      open(false);
      toggle.focus();
    }
  });
  return paint;
});
