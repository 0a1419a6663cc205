// The details of the selected trial. Only shows, but for Retry.

import type { Render } from "@anywidget/types";
import "./details.css";
import {
  element,
  isDisabled,
  keepKeys,
  setAttribute,
  setCount,
  setReason,
  setText,
} from "../lib/dom";
import { Lifetime } from "../lib/lifetime";
import { SHAPES } from "../lib/trial_states";

type Model = {
  number: number | null;
  state: string;
  sentence: string;
  times: string[][];
  parameters: string[][];
  scalars: string[][];
  log: string;
  traceback: string;
  commands: Record<string, string | null>;
};

const ENDED = new Set(["completed", "failed", "aborted", "pruned"]);

interface Section {
  root: HTMLElement;
  heading: HTMLElement;
  body: HTMLElement;
}

function makeSection(word: string, className = ""): Section {
  const root = element("section", className, { "aria-label": word });
  const heading = element("h3");
  setText(heading, word);
  root.append(heading);
  return { root, heading, body: root };
}

function makeTable(word: string, className = "", headings: readonly string[] = []): Section {
  const { root, heading } = makeSection(word, className);
  const table = element("table", "", { "aria-label": word });
  const body = element("tbody");
  if (headings.length > 0) {
    const head = element("thead");
    const row = element("tr");
    for (const heading of headings) {
      const cell = element("th", "", { scope: "col" });
      setText(cell, heading);
      row.append(cell);
    }
    head.append(row);
    table.append(head);
  }
  table.append(body);
  root.append(table);
  return { root, heading, body };
}

function makeText(word: string): Section {
  const { root, heading } = makeSection(word, "hpo-wide");
  const body = element("pre", "", { tabindex: "0", dir: "auto", "aria-label": word });
  root.append(body);
  return { root, heading, body };
}

function paintTable({ root, body }: Section, rows: string[][]): void {
  root.hidden = rows.length === 0;
  const lines = setCount(body, rows.length, () => element("tr"));
  for (const [index, line] of lines.entries()) {
    const row = rows[index] ?? [];
    while (line.childElementCount < row.length) {
      line.append(
        line.childElementCount === 0
          ? element("th", "", { scope: "row", dir: "auto" })
          : element("td", "", { dir: "auto" }),
      );
    }
    for (const [place, cell] of [...line.children].entries()) {
      setText(cell as HTMLElement, row[place] ?? "");
    }
  }
}

function paintText({ root, body }: Section, text: string): void {
  root.hidden = text === "";
  setText(body, text);
}

/** Text that grows while somebody reads it: its end stays in view where it was, and a marked passage stays marked. */
function paintGrowing(section: Section, text: string): void {
  const { body } = section;
  const before = body.textContent ?? "";
  const isAtEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 4;
  if (before !== "" && text.length > before.length && text.startsWith(before)) {
    body.append(text.slice(before.length));
  } else {
    paintText(section, text);
  }
  if (isAtEnd && text !== before) {
    body.scrollTop = body.scrollHeight;
  }
}

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-details-host");
  const lifetime = new Lifetime();
  const root = element("div", "hpo-part hpo-details", { role: "region" });
  const head = element("div", "hpo-details-head");
  const title = element("b");
  const state = element("span");
  const retry = element("button", "", { type: "button" });
  setText(retry, "Retry");
  const vary = element("button", "", { type: "button" });
  setText(vary, "Try a variation");
  head.append(title, state, vary, retry);
  const sentence = element("div", "hpo-details-sentence", { dir: "auto" });
  const sections = element("div", "hpo-details-sections");
  const parameters = makeTable("Parameters");
  const scalars = makeTable("Scalars", "hpo-scalars hpo-wide", [
    "",
    "last",
    "min",
    "max",
    "reports",
  ]);
  const times = makeTable("Times");
  const traceback = makeText("Traceback");
  const log = makeText("Output");
  const all = [parameters, times, scalars, traceback, log];
  sections.append(...all.map((section) => section.root));
  root.append(head, sentence, sections);
  keepKeys(root);

  const paint = (): void => {
    const number = model.get("number");
    if (root.hidden !== (number === null)) {
      root.hidden = number === null;
      // A figure beside the details hears of its new width in no other way.
      lifetime.after(0, () => window.dispatchEvent(new Event("resize")));
    }
    const word = model.get("state");
    setText(title, `Trial #${number}`);
    setAttribute(root, "aria-label", `Details of trial ${number}`);
    setText(state, word && `${SHAPES[word] ?? ""} ${word}`);
    state.className = word === "failed" ? "hpo-bad" : "";
    retry.hidden = !ENDED.has(word);
    setReason(retry, model.get("commands").retry ?? null);
    vary.hidden = word === "";
    setReason(
      vary,
      model.get("commands").enqueue_trial ?? null,
      "Open a form with these values, to be changed and queued next",
    );
    setText(sentence, model.get("sentence"));
    sentence.className = `hpo-details-sentence ${word === "failed" ? "hpo-bad" : "hpo-muted"}`;
    paintTable(parameters, model.get("parameters"));
    paintTable(scalars, model.get("scalars"));
    paintTable(times, model.get("times"));
    paintText(traceback, model.get("traceback"));
    setText(log.heading, word === "running" ? "Output so far" : "Output");
    paintGrowing(log, model.get("log"));
  };

  retry.addEventListener("click", () => {
    if (!isDisabled(retry)) {
      model.send({ kind: "retry" });
    }
  });

  vary.addEventListener("click", () => {
    if (!isDisabled(vary)) {
      model.send({ kind: "vary" });
    }
  });

  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { render };
