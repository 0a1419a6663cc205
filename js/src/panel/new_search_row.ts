// One parameter in the form for a new search: whether it is searched, on which scale, between which values.

import { element, makeButton, setAttribute, setText } from "../lib/dom";

type Kind = "float" | "log" | "int" | "choice";

/** A row as the kernel proposes it and as the form sends it back; all values are texts that the kernel reads. */
export interface Row {
  name: string;
  kind: Kind;
  low: string;
  high: string;
  choices: string;
  /** All values that there are, as words; null where a person may write others. */
  options: string[] | null;
  /** Which of the options are searched. */
  chosen: number[];
  searched: boolean;
  /** Whether a trial cannot run without it. */
  required: boolean;
  /** Its value without a search. */
  default: string | null;
  note: string;
}

/** A row that is proposed again, as a person has set it before; as proposed where there are other options now. */
export function asSet(proposed: Row, before: Row | undefined): Row {
  if (!before || JSON.stringify(before.options) !== JSON.stringify(proposed.options)) {
    return proposed;
  }
  const { kind, low, high, choices, chosen, searched } = before;
  return { ...proposed, kind, low, high, choices, chosen, searched };
}

const KINDS: Readonly<Record<Kind, string>> = {
  float: "number",
  log: "number, log scale",
  int: "whole number",
  choice: "choices",
};

let numRows = 0;

export class RowView {
  readonly root = element("div", "hpo-new-row", { role: "group" });
  private readonly searched = element("input", "", { type: "checkbox" });
  private readonly nameField = textField("name");
  private readonly range = element("div", "hpo-new-range");
  private readonly kind = choiceField(KINDS);
  private readonly low = textField("", "hpo-new-number", { inputmode: "decimal" });
  private readonly high = textField("", "hpo-new-number", { inputmode: "decimal" });
  private readonly bounds = element("span", "hpo-new-bounds");
  private readonly choices = textField("adam, sgd", "hpo-new-choices");
  private readonly options = element("span", "hpo-new-options");
  private readonly note = element("span", "hpo-muted hpo-new-note hpo-optional");
  private readonly error = element("span", "hpo-bad hpo-new-error hpo-optional");

  /**
   * @param row what it shows, and what is changed in place
   * @param changed is called after each change
   * @param remove is called to take the row away; null: it belongs to what is searched
   */
  constructor(
    readonly row: Row,
    private readonly changed: () => void,
    remove: (() => void) | null,
  ) {
    numRows += 1;
    this.error.id = `hpo-new-row-${numRows}`;
    const head = element("div", "hpo-new-row-head");
    if (remove) {
      const button = makeButton("✕", "hpo-close", { "aria-label": "Remove" });
      button.addEventListener("click", remove);
      this.nameField.value = row.name;
      head.append(this.nameField, button);
    } else {
      const name = element("span", "", {}, row.name);
      this.searched.checked = row.searched;
      head.append(element("label", "hpo-new-searched", {}, this.searched, name), this.note);
    }
    this.kind.value = row.kind;
    this.low.value = row.low;
    this.high.value = row.high;
    this.choices.value = row.choices;
    const to = element("span", "hpo-muted", { "aria-hidden": "true" }, "to");
    this.bounds.append(this.low, to, this.high);
    for (const [index, word] of (row.options ?? []).entries()) {
      const box = element("input", "", { type: "checkbox" });
      box.checked = row.chosen.includes(index);
      box.addEventListener("change", () => {
        row.chosen = [...this.options.querySelectorAll("input")].flatMap((one, place) =>
          one.checked ? [place] : [],
        );
        this.changed();
      });
      this.options.append(element("label", "", {}, box, element("span", "", {}, word)));
    }
    this.range.append(this.kind, this.bounds, this.choices, this.options);
    this.root.append(head, this.range, this.error);
    this.listen();
    this.paint();
  }

  /** Tells what is wrong, by the last part of the field's name: `low`, `choices`, ... */
  showErrors(errors: Readonly<Record<string, string>>): void {
    const fields: Record<string, HTMLElement> = {
      name: this.nameField,
      searched: this.searched,
      low: this.low,
      high: this.high,
      choices: this.row.options ? this.options : this.choices,
    };
    for (const [name, node] of Object.entries(fields)) {
      setAttribute(node, "aria-invalid", name in errors ? "true" : null);
      setAttribute(node, "aria-describedby", name in errors ? this.error.id : null);
    }
    setText(this.error, [...new Set(Object.values(errors))].join("; "));
  }

  focus(): void {
    (this.nameField.isConnected ? this.nameField : this.searched).focus();
  }

  private listen(): void {
    this.searched.addEventListener("change", () => {
      this.row.searched = this.searched.checked;
      this.update();
    });
    this.kind.addEventListener("change", () => {
      this.row.kind = this.kind.value as Kind;
      this.update();
    });
    for (const name of ["low", "high", "choices"] as const) {
      const field = this[name];
      field.addEventListener("input", () => {
        this.row[name] = field.value;
        this.changed();
      });
    }
    this.nameField.addEventListener("input", () => {
      this.row.name = this.nameField.value;
      this.update();
    });
  }

  private update(): void {
    this.paint();
    this.changed();
  }

  private paint(): void {
    const { row } = this;
    const name = row.name || "new parameter";
    const isChoice = row.kind === "choice";
    this.root.setAttribute("aria-label", name);
    this.nameField.setAttribute("aria-label", `Name of ${name}`);
    this.kind.setAttribute("aria-label", `${name}: kind of values`);
    this.low.setAttribute("aria-label", `${name}: lowest value`);
    this.high.setAttribute("aria-label", `${name}: highest value`);
    this.choices.setAttribute("aria-label", `${name}: values to choose from, separated by commas`);
    this.options.setAttribute("role", "group");
    this.options.setAttribute("aria-label", `${name}: values to choose from`);
    this.root.classList.toggle("hpo-new-left", !row.searched);
    this.range.hidden = !row.searched;
    this.kind.hidden = row.options !== null;
    this.bounds.hidden = isChoice;
    this.choices.hidden = !isChoice || row.options !== null;
    this.options.hidden = row.options === null;
    const said =
      row.default === null
        ? ""
        : row.searched
          ? `default ${row.default}`
          : `stays at ${row.default}`;
    setText(this.note, [said, row.note].filter(Boolean).join(" · "));
  }
}

/** A field for code: a name, a value, a path. */
export function textField(
  placeholder: string,
  className = "",
  attributes: Readonly<Record<string, string>> = {},
): HTMLInputElement {
  const plain = { type: "text", placeholder, spellcheck: "false", autocapitalize: "off" };
  return element("input", className, { ...plain, ...attributes });
}

export function optionsOf(words: Readonly<Record<string, string>>): HTMLOptionElement[] {
  return Object.entries(words).map(([value, word]) => element("option", "", { value }, word));
}

/** @param words what each value is called */
export function choiceField(words: Readonly<Record<string, string>>): HTMLSelectElement {
  return element("select", "", {}, ...optionsOf(words));
}
