// A form for a point of one's own: the value of each parameter, checked by the kernel, then queued next, or recorded with
// the result that one has already.

import { Announcer } from "../lib/announcer";
import {
  element,
  isDisabled,
  makeButton,
  setAttribute,
  setName,
  setReason,
  setText,
} from "../lib/dom";
import { focusedElement } from "../lib/focus";
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
  /** Why the constraint of the search does not let the point be run; empty: it does. */
  refusal: string;
  /** The objectives whose values have a field; none: no result is recorded. */
  objectives: string[];
  commands: Record<string, string | null>;
  answer: {
    id?: string;
    problem?: string;
    fields?: Record<string, string>;
    /** By the place of the objective. */
    results?: Record<string, string>;
  };
};

type Input = HTMLInputElement | HTMLSelectElement;

/** A field as it was made, and where it says what is wrong. */
interface Made {
  input: Input;
  problem: HTMLElement;
  root: HTMLElement;
}

export default view<Model>(({ model, el, lifetime }) => {
  const title = element("b", "", {}, "Try this point");
  const sentence = element("span", "hpo-muted");
  const body = element("div", "hpo-point-fields");
  const queue = makeButton("Queue next", "hpo-main", { type: "submit" });
  const cancel = makeButton("Cancel");
  const problem = element("span", "hpo-bad", { role: "alert" });
  const record = makeButton("Record result");
  const results = element("div", "hpo-point-fields");
  const known = element(
    "div",
    "hpo-point-known",
    {},
    element(
      "span",
      "hpo-muted",
      {},
      "Or record its result, if you have it already; nothing runs then.",
    ),
    results,
    record,
  );
  const root = element(
    "form",
    "hpo-part hpo-point",
    { "aria-label": "Try this point", novalidate: "" },
    element("div", "hpo-point-line", {}, title, sentence),
    body,
    element("div", "hpo-point-line", {}, queue, cancel, problem),
    known,
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
  const inputs = new Map<string, Made>();
  /** The field of each objective, in their order. */
  let values: Made[] = [];
  /** Whether the newest request is to record a result. */
  let isRecord = false;
  /** What was wrong with the point when it was taken last. */
  let wrongPoint = "";

  const complain = (field: Made | undefined, words: string): void => {
    if (field) {
      setText(field.problem, words);
      setAttribute(field.input, "aria-invalid", words ? "true" : null);
    }
  };

  /** Offers each choice that is not offered yet: some may have been added while the form is open. */
  const addOptions = (input: Input, { choices, may_be_empty }: Field): void => {
    const known = input.childElementCount - (may_be_empty ? 1 : 0);
    for (const [index, word] of (choices ?? []).entries()) {
      if (index >= known) {
        input.append(element("option", "", { value: String(index) }, word));
      }
    }
  };

  const make = (field: Field): Made => {
    const id = `hpo-point-${newId()}`;
    const about = { for: id, dir: "auto", title: field.name };
    const label = element("label", "", about);
    setName(label, field.label);
    let input: Input;
    if (field.choices) {
      input = element("select", "", { id });
      if (field.may_be_empty) {
        input.append(element("option", "", { value: "" }, "–"));
      }
      addOptions(input, field);
    } else {
      input = element("input", "hpo-number", {
        id,
        type: "text",
        inputmode: "decimal",
        autocomplete: "off",
        spellcheck: "false",
        placeholder: field.may_be_empty ? "–" : "",
        title: field.range === undefined ? "" : `now ${field.range}`,
      });
    }
    input.value = field.value;
    const words = element("div", "hpo-problem hpo-optional", {
      role: "alert",
      id: `${id}-problem`,
    });
    input.setAttribute("aria-describedby", words.id);
    return {
      input,
      problem: words,
      root: element("div", "hpo-point-field", {}, label, input, words),
    };
  };

  const makeResults = (): void => {
    values = model
      .get("objectives")
      .map((label) =>
        make({ name: label, label, kind: "float", choices: null, value: "", may_be_empty: false }),
      );
    results.replaceChildren(...values.map((field) => field.root));
  };

  const paint = (): void => {
    const fields = model.get("fields");
    const text = JSON.stringify(fields.map((field) => ({ ...field, choices: null })));
    if (text === shown) {
      for (const field of fields) {
        const made = inputs.get(field.name);
        if (made && field.choices) {
          addOptions(made.input, field);
        }
      }
    } else {
      const wasOpen = shown !== "" && shown !== "[]";
      const isFirst = shown === "";
      shown = text;
      inputs.clear();
      const activeElement = focusedElement();
      const hadFocus = root.contains(activeElement);
      const panel = root.closest<HTMLElement>(".hpo-layout");
      // It opens in all views of the panel, and is for whoever is in one of them; without a panel, for whoever was in it.
      const isMeant = panel
        ? panel.contains(activeElement)
        : hadFocus || (isAwaited && activeElement === document.body);
      body.replaceChildren(
        ...fields.map((field) => {
          const made = make(field);
          inputs.set(field.name, made);
          return made.root;
        }),
      );
      makeResults();
      wrongPoint = "";
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
    known.hidden = values.length === 0 || (model.get("commands").add_trial ?? null) !== null;
    const answer = model.get("answer");
    if (request.takes(answer.id)) {
      const wrong = answer.fields ?? {};
      const wrongResults = answer.results ?? {};
      for (const [name, field] of inputs) {
        complain(field, own(wrong, name) ?? "");
      }
      for (const [index, field] of values.entries()) {
        complain(field, own(wrongResults, String(index)) ?? "");
      }
      wrongPoint = answer.problem ?? "";
      const first = [...inputs.values(), ...values].find(({ problem }) => problem.textContent);
      if (first) {
        first.input.focus();
      } else if (!answer.problem) {
        said = isRecord ? "The result is recorded." : "The point is queued next.";
        announcer.announce();
      }
    }
    setText(problem, wrongPoint || model.get("refusal"));
  };

  /** What was offered stands there again: where the kernel offers the same once more, it has nothing to tell. */
  const giveUp = (): void => {
    for (const { name, value } of model.get("fields")) {
      const field = inputs.get(name);
      if (field) {
        field.input.value = value;
        complain(field, "");
      }
    }
    makeResults();
    wrongPoint = "";
    setText(problem, "");
    model.send({ kind: "cancel" });
  };

  const typed = (): Record<string, string> =>
    Object.fromEntries([...inputs].map(([name, { input }]) => [name, input.value]));

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!request.isOpen && !isDisabled(queue)) {
      isRecord = false;
      model.send({ kind: "queue", id: request.begin(), values: typed() });
    }
  });
  const recordResult = (): void => {
    if (!request.isOpen) {
      isRecord = true;
      const given = values.map(({ input }) => input.value);
      model.send({ kind: "record", id: request.begin(), values: typed(), results: given });
    }
  };
  record.addEventListener("click", recordResult);
  results.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      // It would run the point.
      event.preventDefault();
      recordResult();
    }
  });
  results.addEventListener("input", (event) => {
    event.stopPropagation(); // the point is as it was
    request.forget();
  });
  root.addEventListener("input", () => {
    request.forget();
    wrongPoint = "";
    model.send({ kind: "edit", values: typed() });
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
