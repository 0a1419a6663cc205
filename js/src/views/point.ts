// A form for a point to be tried: the value of each parameter, checked by the kernel, then queued next.

import { Announcer } from "../lib/announcer";
import { element, isDisabled, makeButton, setAttribute, setReason, setText } from "../lib/dom";
import { own } from "../lib/own";
import { NewestRequest, requestIds } from "../lib/request_ids";
import { view } from "../lib/view";
import "./point.css";

interface Field {
  name: string;
  label: string;
  kind: string;
  /** Of a choice: the label of each; its value is an index. */
  choices: string[] | null;
  value: string;
  may_be_empty: boolean;
  /** The present range in words. */
  range?: string;
}

type Model = {
  fields: Field[];
  sentence: string;
  commands: Record<string, string | null>;
  answer: { id?: string; problem?: string; fields?: Record<string, string> };
};

type Input = HTMLInputElement | HTMLSelectElement;

export default view<Model>(({ model, el, lifetime }) => {
  const title = element("b", "", {}, "Try this point");
  const sentence = element("span", "hpo-muted");
  const body = element("div", "hpo-point-fields");
  const queue = makeButton("Queue next", "hpo-main", { type: "submit" });
  const cancel = makeButton("Cancel");
  const problem = element("span", "hpo-bad", { role: "alert" });
  const root = element(
    "form",
    "hpo-part hpo-point",
    { "aria-label": "Try this point", novalidate: "" },
    element("div", "hpo-point-line", {}, title, sentence),
    body,
    element("div", "hpo-point-line", {}, queue, cancel, problem),
  );
  let said = "";
  const announcer = new Announcer(lifetime, () => said);
  el.append(element("div", "hpo-part", {}, root, announcer.root));

  const newId = requestIds();
  const request = new NewestRequest();
  let shown = "";
  let opener: HTMLElement | null = null;
  /** Whether the form had the focus when it went: outside of a panel nothing else takes it. */
  let isAwaited = false;
  const inputs = new Map<string, { input: Input; problem: HTMLElement }>();

  const complain = (name: string, words: string): void => {
    const field = inputs.get(name);
    if (field) {
      setText(field.problem, words);
      setAttribute(field.input, "aria-invalid", words ? "true" : null);
    }
  };

  const make = (field: Field): HTMLElement => {
    const id = `hpo-point-${newId()}`;
    const about = { for: id, dir: "auto", title: field.name };
    const label = element("label", "hpo-cut", about, field.label);
    let input: Input;
    if (field.choices) {
      input = element("select", "", { id });
      if (field.may_be_empty) {
        input.append(element("option", "", { value: "" }, "–"));
      }
      for (const [index, word] of field.choices.entries()) {
        input.append(element("option", "", { value: String(index) }, word));
      }
    } else {
      input = element("input", "hpo-number", {
        id,
        type: "text",
        inputmode: "decimal",
        autocomplete: "off",
        spellcheck: "false",
        placeholder: field.may_be_empty ? "–" : "",
        title: `now ${field.range ?? ""}`,
      });
    }
    input.value = field.value;
    const words = element("div", "hpo-problem hpo-optional", {
      role: "alert",
      id: `${id}-problem`,
    });
    input.setAttribute("aria-describedby", words.id);
    inputs.set(field.name, { input, problem: words });
    return element("div", "hpo-point-field", {}, label, input, words);
  };

  const paint = (): void => {
    const fields = model.get("fields");
    const text = JSON.stringify(fields);
    if (text !== shown) {
      const wasOpen = shown !== "" && shown !== "[]";
      const isFirst = shown === "";
      shown = text;
      inputs.clear();
      const { activeElement } = document;
      const hadFocus = root.contains(activeElement);
      const panel = root.closest<HTMLElement>(".hpo-layout");
      // It opens in all views of the panel, and is for whoever is in one of them; without a panel, for whoever was in it.
      const isMeant = panel
        ? panel.contains(activeElement)
        : hadFocus || (isAwaited && activeElement === document.body);
      body.replaceChildren(...fields.map(make));
      setText(problem, "");
      // On a saved page nothing can be queued.
      root.hidden = fields.length === 0 || (model.get("commands").edit ?? null) !== null;
      if (!root.hidden && !isFirst && isMeant) {
        if (!wasOpen && panel) {
          opener = activeElement instanceof HTMLElement ? activeElement : null;
        }
        body.querySelector<HTMLElement>("input, select")?.focus();
        root.scrollIntoView({ block: "nearest" });
      } else if (root.hidden && hadFocus) {
        (opener?.isConnected ? opener : panel)?.focus();
      }
      isAwaited = root.hidden && hadFocus;
    }
    setText(sentence, model.get("sentence"));
    setReason(queue, model.get("commands").enqueue_trial ?? null);
    const answer = model.get("answer");
    if (request.takes(answer.id)) {
      const wrong = answer.fields ?? {};
      for (const name of inputs.keys()) {
        complain(name, own(wrong, name) ?? "");
      }
      setText(problem, answer.problem ?? "");
      const first = Object.keys(wrong)[0];
      if (first !== undefined) {
        inputs.get(first)?.input.focus();
      } else if (!answer.problem) {
        said = "The point is queued next.";
        announcer.announce();
      }
    }
  };

  /** What was offered stands there again: where the kernel offers the same once more, it has nothing to tell. */
  const giveUp = (): void => {
    for (const { name, value } of model.get("fields")) {
      const field = inputs.get(name);
      if (field) {
        field.input.value = value;
        complain(name, "");
      }
    }
    setText(problem, "");
    model.send({ kind: "cancel" });
  };

  const values = (): Record<string, string> =>
    Object.fromEntries([...inputs].map(([name, { input }]) => [name, input.value]));

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!request.isOpen && !isDisabled(queue)) {
      model.send({ kind: "queue", id: request.begin(), values: values() });
    }
  });
  root.addEventListener("input", () => {
    request.forget();
    model.send({ kind: "edit", values: values() });
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      giveUp();
    }
  });
  cancel.addEventListener("click", giveUp);
  return paint;
});
