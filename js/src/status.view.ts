// The header line, the budgets, the counts, the best trial and the newest notices. The numbers of workers and of
// trials in all can be typed over.

import type { Render } from "@anywidget/types";
import { element, isDisabled, keepKeys, setAttribute, setCount, setText } from "./dom";
import { onChange, onceInARow } from "./painting";
import { type Answer, type TypedField, typedField } from "./typed_field";
import "./status.css";

interface Budget {
  name: string;
  /** What is used and the limit, in words: `96 / 200`. */
  text: string;
  /** Used share of the limit, from 0 to 1; null without a limit. */
  fraction: number | null;
}

interface Count {
  label: string;
  number: number;
  is_bad: boolean;
}

interface Best {
  value: string;
  trial: string;
  note: string;
}

interface Notice {
  at: string;
  text: string;
}

type Model = {
  title: string;
  status: string;
  facts: string[];
  budgets: Budget[];
  counts: Count[];
  best: Best | null;
  forecast: string;
  next_poll: string;
  sentence: string;
  notices: Notice[];
  workers: number;
  jobs: number | null;
  raise_to: number | null;
  commands: Record<string, string | null>;
  answer: Answer;
};

/** Where in `facts` the workers are, and in `budgets` the trials. */
const WORKERS = 1;
const TRIALS = 0;

/** A shape for each state beside its word, so that colour is never the only sign. */
const SHAPES: Readonly<Record<string, string>> = {
  idle: "○",
  running: "●",
  paused: "❚❚",
  stopping: "◐",
  stopped: "■",
  completed: "✓",
  failed: "✕",
};

const ANNOUNCE_EVERY = 5000;

const TRAITS = [
  "title",
  "status",
  "facts",
  "budgets",
  "counts",
  "best",
  "forecast",
  "next_poll",
  "sentence",
  "notices",
  "workers",
  "jobs",
  "raise_to",
  "commands",
  "answer",
] as const;

function makeBudget(): HTMLElement {
  const root = element("div");
  const row = element("div", "hpo-row");
  const bar = element("div", "hpo-bar", { role: "progressbar" });
  row.append(element("span"), element("span"));
  bar.append(element("div"));
  root.append(row, bar);
  return root;
}

function paintBudget(root: HTMLElement, budget: Budget, field: TypedField | null): void {
  const [row, bar] = [...root.children] as [HTMLElement, HTMLElement];
  const [name, text] = [...row.children] as [HTMLElement, HTMLElement];
  setText(name, budget.name);
  if (field === null) {
    setText(text, budget.text);
  } else if (field.root.parentElement !== text) {
    text.replaceChildren(field.root);
  }
  bar.hidden = budget.fraction === null;
  const percent = Math.min(100, 100 * (budget.fraction ?? 0));
  setAttribute(bar, "aria-label", budget.name);
  setAttribute(bar, "aria-valuenow", percent.toFixed(0));
  setAttribute(bar, "aria-valuetext", budget.text);
  (bar.firstElementChild as HTMLElement).style.width = `${percent}%`;
}

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-status-host");
  const root = element("section", "hpo-part hpo-status", { "aria-label": "Status of the search" });

  const head = element("div", "hpo-status-head");
  const title = element("span", "hpo-title");
  const pill = element("span", "hpo-pill", { role: "status" });
  const shape = element("span", "", { "aria-hidden": "true" });
  const word = element("span");
  const facts = element("span", "hpo-muted");
  const [factsBefore, factsAfter] = [element("span"), element("span")];
  pill.append(shape, word);
  const type = (name: string) => (text: string, id: string) =>
    model.send({ kind: "type", name, text, id });
  const workers = typedField("workers", "workers", "", type("workers"));
  const jobs = typedField("trials in all", "in all", "no limit", type("jobs"));
  facts.append(factsBefore, workers.root, factsAfter);
  head.append(title, pill, facts, workers.problem);

  const body = element("div", "hpo-status-body");
  const budgets = element("div", "hpo-budgets hpo-number");
  const bars: HTMLElement[] = [];
  const factsRow = element("div", "hpo-facts-row");
  const counts = element("div", "hpo-counts");
  const bestLine = element("div");
  const bestMark = element("span", "hpo-best-mark", { "aria-hidden": "true" });
  const bestText = element("span");
  const forecast = element("span", "hpo-muted");
  const nextPoll = element("span", "hpo-muted");
  bestLine.append(bestMark, bestText, forecast, nextPoll);
  factsRow.append(counts, bestLine);
  budgets.append(factsRow);
  const ending = element("div", "hpo-ending");
  const sentence = element("span", "hpo-sentence", { role: "status" });
  const raise = element("button", "", { type: "button" });
  ending.append(sentence, raise);
  const notices = element("ul", "hpo-notices", { "aria-label": "Notices" });
  const announcer = element("div", "hpo-hidden", { "aria-live": "polite" });
  body.append(budgets, jobs.problem, ending, notices, announcer);
  root.append(head, body);
  keepKeys(root);
  // The plots of the panel are no views of ours, so this one, which every panel has, keeps the keys for all of it.
  const laidOut = new ResizeObserver(() => {
    const panel = root.closest<HTMLElement>(".hpo-layout");
    if (panel) {
      keepKeys(panel);
      laidOut.disconnect();
    }
  });
  laidOut.observe(head);

  // A new best is read out, but not each of many in a row: the last of them, after a while.
  let announced = -ANNOUNCE_EVERY;
  let announcement: number | undefined;
  const announce = (): void => {
    announcement ??= window.setTimeout(
      () => {
        announcement = undefined;
        announced = performance.now();
        setText(announcer, `new ${bestText.textContent}`);
      },
      announced + ANNOUNCE_EVERY - performance.now(),
    );
  };

  const paint = (): void => {
    const status = model.get("status");
    setText(title, model.get("title"));
    pill.dataset.status = status;
    setText(shape, SHAPES[status] ?? "");
    setText(word, status);
    const words = model.get("facts");
    const commands = model.get("commands");
    const answer = model.get("answer");
    setText(factsBefore, `${words.slice(0, WORKERS).join(" · ")} · `);
    setText(
      factsAfter,
      words.length > WORKERS + 1 ? ` · ${words.slice(WORKERS + 1).join(" · ")}` : "",
    );
    workers.paint(
      words[WORKERS] ?? "",
      String(model.get("workers")),
      commands.workers ?? null,
      answer,
    );
    const limit = model.get("jobs");
    const used = model.get("budgets")[TRIALS]?.text ?? "";
    jobs.paint(
      limit === null ? `${used} / no limit` : used,
      limit === null ? "" : String(limit),
      commands.jobs ?? null,
      answer,
    );

    const shown = model.get("budgets");
    while (bars.length < shown.length) {
      const bar = makeBudget();
      bars.push(bar);
      factsRow.before(bar);
    }
    for (const [index, bar] of bars.entries()) {
      const budget = shown[index];
      bar.hidden = budget === undefined;
      if (budget) {
        paintBudget(bar, budget, index === TRIALS ? jobs : null);
      }
    }

    const states = model.get("counts");
    const places = setCount(counts, states.length, () => {
      const place = element("span");
      const button = element("button", "hpo-count", { type: "button" });
      button.addEventListener("click", () => {
        if (!isDisabled(button)) {
          model.send({ kind: "look", state: button.dataset.state });
        }
      });
      place.append(button, element("span"));
      return place;
    });
    for (const [index, place] of places.entries()) {
      const state = states[index];
      const [button, separator] = [...place.children] as [HTMLElement, HTMLElement];
      if (state) {
        button.dataset.state = state.label;
        button.classList.toggle("hpo-bad", state.is_bad);
        setText(button, `${state.number} ${state.label}`);
        setText(separator, index < states.length - 1 ? " · " : "");
        setAttribute(button, "aria-disabled", state.number === 0 ? "true" : null);
        setAttribute(
          button,
          "title",
          state.number === 0 ? null : `Select the ${state.label} trials`,
        );
      }
    }

    const best = model.get("best");
    setText(bestMark, best ? "▲ " : "");
    const text = best ? `best ${best.value} at ${best.trial}${best.note}` : "no result yet";
    if (best && bestText.textContent && text !== bestText.textContent) {
      announce();
    }
    setText(bestText, text);
    const remaining = model.get("forecast");
    setText(forecast, remaining ? ` · ${remaining}` : "");
    const poll = model.get("next_poll");
    setText(nextPoll, poll ? ` · ${poll}` : "");
    setText(sentence, model.get("sentence"));
    const offer = model.get("raise_to");
    raise.hidden = offer === null;
    setText(raise, offer === null ? "" : `Raise to ${offer} trials and continue`);

    const list = model.get("notices");
    const rows = setCount(notices, list.length, () => {
      const row = element("li");
      row.append(element("span", "hpo-number hpo-muted"), element("span"));
      return row;
    });
    for (const [index, row] of rows.entries()) {
      const notice = list[index];
      const [at, words] = [...row.children] as [HTMLElement, HTMLElement];
      if (notice) {
        setText(at, notice.at);
        setText(words, `✕ ${notice.text}`);
      }
    }
  };

  raise.addEventListener("click", () => model.send({ kind: "raise" }));
  const detach = onChange(model, TRAITS, onceInARow(paint));
  paint();
  el.append(root);
  return () => {
    laidOut.disconnect();
    window.clearTimeout(announcement);
    detach();
  };
};

export default { render };
