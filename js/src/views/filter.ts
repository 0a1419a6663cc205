// The filter as chips, how many trials it leaves, and a form for one more condition.

import { Announcer } from "../lib/announcer";
import {
  element,
  isDisabled,
  isRepeatedClick,
  makeButton,
  setAttribute,
  setKeys,
  setReason,
  setText,
} from "../lib/dom";
import {
  type Chip,
  conditionOf,
  type Fields,
  fieldsOf,
  keyOf,
  leftInWords,
  type Named,
  topics,
} from "../lib/filter_form";
import { focusedElement } from "../lib/focus";
import { NewestRequest } from "../lib/request_ids";
import { SHAPES } from "../lib/trial_states";
import { view } from "../lib/view";
import "./filter.css";

type Model = {
  chips: Chip[];
  /** How many trials pass, and of how many; empty: no filter. */
  left: number[];
  names: Named[];
  tags: string[];
  num_epochs: number;
  answer: { id?: string; problem?: string };
  /** What can be done to null, else to the sentence that says why not. */
  commands: Record<string, string | null>;
};

const EDIT_MEANING = "Change this condition";
const TRY_MEANING = "Open a form for a point of your own, to be queued next";
const STATES = Object.keys(SHAPES);

export default view<Model>(({ model, el, lifetime }) => {
  const list = element("div", "hpo-filter-chips", { role: "list" });
  const add = makeButton("+ filter", "hpo-filter-chip hpo-filter-add", {
    "aria-expanded": "false",
  });
  const count = element("span", "hpo-filter-left hpo-number");
  const clear = makeButton("clear all", "hpo-link hpo-filter-clear");
  const announcer = new Announcer(lifetime, () =>
    model.get("left").length > 0 ? `Filter: ${leftInWords(model.get("left"))}` : "No filter",
  );
  const point = makeButton("try a point", "hpo-link hpo-try");
  const line = element("div", "hpo-filter-line");
  line.append(list, add, point, count, clear, announcer.root);

  const form = element("form", "hpo-filter-form", { "aria-label": "Filter by", novalidate: "" });
  form.hidden = true;
  const topic = element("select", "", { "aria-label": "Filter by" });
  const fields = element("span", "hpo-filter-fields");
  const take = makeButton("Add", "hpo-main", { type: "submit" });
  const cancel = makeButton("Cancel");
  const problem = element("div", "hpo-problem hpo-optional", { role: "alert" });
  form.append(topic, fields, take, cancel, problem);
  el.append(element("section", "hpo-part hpo-filter-bar", { "aria-label": "Filter" }, line, form));

  const request = new NewestRequest();
  let shownFields: Fields = { kind: "none" };

  const textField = (label: string, text: string, placeholder = ""): HTMLInputElement => {
    const field = element("input", "hpo-number", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      placeholder,
      "aria-label": label,
    });
    field.value = text;
    return field;
  };

  const paintFields = (): void => {
    const key = topic.value;
    const label = topic.selectedOptions[0]?.textContent ?? "";
    shownFields = fieldsOf(
      key,
      model.get("names"),
      STATES,
      model.get("tags"),
      model.get("num_epochs"),
      model.get("chips"),
    );
    setText(problem, "");
    if (shownFields.kind === "number") {
      fields.replaceChildren(textField("How many of the best trials", shownFields.text));
    } else if (shownFields.kind === "bounds") {
      const [low, high] = shownFields.texts;
      fields.replaceChildren(
        textField(`${label}, at least`, low, "any"),
        "…",
        textField(`${label}, at most`, high, "any"),
      );
    } else if (shownFields.kind === "boxes") {
      const { labels, values, checked } = shownFields;
      fields.replaceChildren(
        ...labels.map((word, index) => {
          const box = element("input", "", { type: "checkbox" });
          box.checked = checked.includes(values[index] as never);
          const name = element("span", "hpo-cut", { dir: "auto" }, word);
          return element("label", "hpo-filter-box", {}, box, name);
        }),
      );
    } else {
      fields.replaceChildren();
    }
  };

  const valueOfFields = (): unknown => {
    const inputs = [...fields.querySelectorAll("input")];
    switch (shownFields.kind) {
      case "number":
        return inputs[0]?.value ?? "";
      case "bounds":
        return inputs.map((field) => field.value);
      case "boxes": {
        const { values } = shownFields;
        return values.filter((_, index) => inputs[index]?.checked);
      }
      default:
        return true;
    }
  };

  const close = (): void => {
    request.forget();
    const hadFocus = form.contains(focusedElement());
    form.hidden = true;
    setAttribute(add, "aria-expanded", "false");
    if (hadFocus) {
      add.focus();
    }
  };

  const open = (key: string): void => {
    const offered = topics(model.get("names"), model.get("tags"), model.get("chips"));
    topic.replaceChildren(
      ...offered.map(({ key: value, label }) => element("option", "", { value }, label)),
    );
    topic.value = key;
    paintFields();
    form.hidden = false;
    setAttribute(add, "aria-expanded", "true");
  };

  const makeChip = (key: string): HTMLElement => {
    const edit = makeButton("", "hpo-filter-edit hpo-cut", { dir: "auto" });
    edit.addEventListener("click", () => {
      open(key);
      (fields.querySelector("input") ?? topic).focus();
    });
    const remove = makeButton("✕", "hpo-filter-remove");
    remove.addEventListener("click", (event) => {
      // By the second click of a double click the next chip is there.
      if (!isRepeatedClick(event)) {
        model.send({ kind: "remove", ...conditionOf(key) });
      }
    });
    return element("span", "hpo-filter-chip", { role: "listitem" }, edit, remove);
  };

  const paintChips = (): void => {
    const chips = model.get("chips");
    const focused = focusedElement();
    const at = [...list.children].findIndex((item) => item.contains(focused));
    for (const [index, item] of setKeys(list, chips.map(keyOf), makeChip).entries()) {
      const [edit, remove] = [...item.children] as [HTMLElement, HTMLElement];
      const text = chips[index]?.text ?? "";
      setText(edit, text);
      setAttribute(remove, "aria-label", `Remove the filter ${text}`);
    }
    if (at >= 0 && !list.contains(focused)) {
      // The chip under the focus is gone: its neighbour has it now, else what adds one.
      const next = list.children[Math.min(at, chips.length - 1)];
      (next?.querySelector<HTMLElement>(".hpo-filter-remove") ?? add).focus();
    }
  };

  const paint = (): void => {
    paintChips();
    const words = leftInWords(model.get("left"));
    const wasFiltered = count.textContent !== "";
    if (words !== count.textContent) {
      setText(count, words);
      if (words !== "" || wasFiltered) {
        announcer.announce();
      }
    }
    const reason = model.get("commands").filter ?? null;
    setReason(add, reason);
    setReason(clear, reason);
    setReason(point, model.get("commands").try ?? null, TRY_MEANING);
    for (const button of list.querySelectorAll("button")) {
      const isEdit = button.classList.contains("hpo-filter-edit");
      setReason(button, reason, isEdit ? EDIT_MEANING : null);
    }
    if (clear.contains(focusedElement()) && words === "") {
      add.focus();
    }
    clear.hidden = words === "";
    const answer = model.get("answer");
    if (request.takes(answer.id)) {
      if (answer.problem) {
        setText(problem, answer.problem);
        fields.querySelector("input")?.focus();
      } else {
        close();
      }
    }
  };

  add.addEventListener("click", () => {
    if (form.hidden) {
      open("top_k");
      topic.focus();
    } else {
      close();
    }
  });
  topic.addEventListener("change", paintFields);
  cancel.addEventListener("click", close);
  // What is off does nothing, whichever button it is.
  line.addEventListener(
    "click",
    (event) => {
      const button = (event.target as Element).closest("button");
      if (button && isDisabled(button)) {
        event.stopPropagation();
      }
    },
    { capture: true },
  );
  clear.addEventListener("click", () => model.send({ kind: "clear" }));
  point.addEventListener("click", () => model.send({ kind: "try" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!request.isOpen) {
      const condition = conditionOf(topic.value);
      model.send({ kind: "add", id: request.begin(), ...condition, value: valueOfFields() });
    }
  });
  form.addEventListener("input", () => {
    request.forget();
    setText(problem, "");
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
  });
  return paint;
});
