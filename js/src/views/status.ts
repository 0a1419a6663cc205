// The header line, the budgets, the counts, the best trial and the newest notices. The numbers of workers and of
// trials in all can be typed over.

import { makeProgressBar, type Progress, paintProgressBar } from "../controls/progress_bar";
import { type Count, paintCounts } from "../controls/status_counts";
import { type Answer, typedField } from "../controls/typed_field";
import { Announcer } from "../lib/announcer";
import {
  element,
  isRepeatedClick,
  keepKeys,
  makeButton,
  onPress,
  setAttribute,
  setKeys,
  setReason,
  setText,
} from "../lib/dom";
import { keepFocus } from "../lib/focus";
import { whenInPanel } from "../lib/panel";
import { followPlots } from "../lib/plots";
import { SHAPES } from "../lib/search_status";
import { hideTooltipsLeftBehind } from "../lib/tooltips";
import { view } from "../lib/view";
import "./status.css";

interface Best {
  value: string;
  trial: string;
  note: string;
}

interface Notice {
  at: string;
  text: string;
  count: number;
}

type Model = {
  title: string;
  /** The Task that a server keeps of the search; its page is empty where it is not known. */
  task: { id: string; page: string } | null;
  status: string;
  /** The status in a word, and as which status it looks. */
  pill: { word: string; look: string };
  /** Another process runs the search. */
  is_view: boolean;
  facts: string[];
  /** Class of the strategy, of which `facts` has the title. */
  strategy: string;
  budgets: Progress[];
  counts: Count[];
  num_failed_points: number;
  best: Best | null;
  /** Several objectives: `best` is about the front. */
  has_front: boolean;
  forecast: string;
  next_poll: string;
  sentence: string;
  /** What may run now, where the budget was raised since the end. */
  since_end: string;
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
/** Stands for the line that is no notice; a sentence is never empty. */
const REST = "";
const RETRY_FAILED =
  "Queue once more each point that has failed and has no result, the oldest first";
/** Where Escape closes or takes back something of its own, so that it leaves the selection alone. */
const OWN_ESCAPE =
  "input, textarea, [data-dragged], [data-held], .hpo-code, tbody, form, .hpo-numbers, .hpo-box, details[open]";

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-status-host");
  const title = element("span", "hpo-title");
  const readOnly =
    "Read-only view: another process runs this search, or ran it; its journal is shown";
  const badge = element("span", "hpo-viewer", { title: readOnly }, "viewer");
  const shape = element("span", "", { "aria-hidden": "true" });
  const word = element("span");
  const pill = element("span", "hpo-pill", { role: "status" }, shape, word);
  const facts = element("span", "hpo-muted");
  const [factsBefore, factsAfter, beforeTask] = [element("span"), element("span"), element("span")];
  const type = (name: string) => (text: string, id: string) =>
    model.send({ kind: "type", name, text, id });
  const workers = typedField("workers", "workers", "", type("workers"));
  const jobs = typedField("trials in all", "in all", "no limit", type("jobs"));
  // Without an address it is text.
  const task = element("a", "hpo-own-task", { target: "_blank", rel: "noopener noreferrer" });
  facts.append(factsBefore, workers.root, factsAfter, beforeTask, task);
  const head = element("div", "hpo-head hpo-status-head");
  head.append(title, badge, pill, facts, workers.problem);

  const bars: HTMLElement[] = [];
  const counts = element("div", "hpo-counts");
  const retryFailed = makeButton("", "hpo-typed-button hpo-retry-failed");
  const countsLine = element("div", "hpo-counts-line", {}, counts, retryFailed);
  const bestMark = element("span", "hpo-best-mark", { "aria-hidden": "true" });
  const bestText = element("span");
  const forecast = element("span", "hpo-muted");
  const nextPoll = element("span", "hpo-muted");
  const bestLine = element("div", "", {}, bestMark, bestText, forecast, nextPoll);
  const factsRow = element("div", "hpo-facts-row", {}, countsLine, bestLine);
  const sentence = element("span", "hpo-sentence hpo-capital", { role: "status" });
  const sinceEnd = element("span", "hpo-capital", { role: "status" });
  const raise = makeButton();
  const notices = element("ul", "hpo-notices hpo-optional", { "aria-label": "Notices" });
  // A new best is read out.
  const announcer = new Announcer(
    lifetime,
    () => `${model.get("has_front") ? "" : "new "}${bestText.textContent}`,
  );
  const body = element(
    "div",
    "hpo-status-body",
    {},
    element("div", "hpo-budgets hpo-number", {}, factsRow),
    jobs.problem,
    element("div", "hpo-ending", {}, sentence, sinceEnd, raise),
    notices,
    announcer.root,
  );
  const label = { "aria-label": "Status of the search" };
  const root = element("section", "hpo-part hpo-status", label, head, body);
  el.append(root);
  // The plots of the panel are no views of ours, so this one, which every panel has, keeps the keys for all of it.
  whenInPanel(head, lifetime, (panel) => {
    keepKeys(panel, lifetime.signal);
    // So that a click on a plot, which takes no focus itself, brings the keys here.
    panel.tabIndex = -1;
    panel.addEventListener(
      "keydown",
      (event) => {
        const target = event.target as Element;
        // Escape also gives up what an input method suggests.
        if (event.key === "Escape" && !event.isComposing && !target.closest(OWN_ESCAPE)) {
          model.send({ kind: "deselect" });
        }
      },
      { capture: true, signal: lifetime.signal },
    );
  });
  const hideTooltips = hideTooltipsLeftBehind(lifetime);
  const namePlots = followPlots(model, lifetime, root, ".hpo-layout");

  onPress(retryFailed, (event) => {
    // By the second click of a double click it may offer other points.
    if (!isRepeatedClick(event)) {
      model.send({ kind: "retry_failed" });
    }
  });
  raise.addEventListener("click", () => model.send({ kind: "raise" }));

  return () => {
    const shown = model.get("pill");
    setText(title, model.get("title"));
    badge.hidden = !model.get("is_view");
    pill.dataset.status = shown.look;
    setText(shape, SHAPES[shown.look] ?? "");
    setText(word, shown.word);
    const words = model.get("facts");
    const commands = model.get("commands");
    const answer = model.get("answer");
    setText(factsBefore, `${words.slice(0, WORKERS).join(" · ")} · `);
    setText(
      factsAfter,
      words
        .slice(WORKERS + 1)
        .map((text) => ` · ${text}`)
        .join(""),
    );
    setAttribute(factsAfter, "title", model.get("strategy"));
    setText(beforeTask, model.get("task") ? " · " : "");
    paintTask(task, model.get("task"));
    workers.paint(
      words[WORKERS] ?? "",
      String(model.get("workers")),
      commands.workers ?? null,
      answer,
    );
    const limit = model.get("jobs");
    const used = model.get("budgets")[TRIALS]?.text ?? "";
    jobs.paint(
      limit === null ? `${used}, no limit` : used,
      limit === null ? "" : String(limit),
      commands.jobs ?? null,
      answer,
    );

    const lines = model.get("budgets");
    while (bars.length < lines.length) {
      const bar = makeProgressBar("span");
      bars.push(bar);
      factsRow.before(bar);
    }
    for (const [index, bar] of bars.entries()) {
      const budget = lines[index];
      bar.hidden = budget === undefined;
      if (budget) {
        paintProgressBar(bar, budget, index === TRIALS ? jobs : null);
      }
    }

    paintCounts(counts, model.get("counts"), (state) => model.send({ kind: "look", state }));

    const failed = model.get("num_failed_points");
    keepFocus(() => {
      retryFailed.hidden = failed === 0;
    });
    // Without any it is hidden, and says nothing in the text of its line either.
    const points = failed === 1 ? "1 point" : `${failed} points`;
    setText(retryFailed, failed === 0 ? "" : `retry ${points}`);
    setReason(retryFailed, commands.retry_failed ?? null, RETRY_FAILED);

    const best = model.get("best");
    const hasFront = model.get("has_front");
    setText(bestMark, best ? (hasFront ? "■ " : "▲ ") : "");
    const text = !best
      ? "no result yet"
      : hasFront
        ? `${best.value}, the newest ${best.trial}`
        : `best ${best.value} at ${best.trial}${best.note}`;
    if (best && bestText.textContent && text !== bestText.textContent) {
      announcer.announce();
    }
    setText(bestText, text);
    const remaining = model.get("forecast");
    setText(forecast, remaining ? ` · ${remaining}` : "");
    const poll = model.get("next_poll");
    setText(nextPoll, poll ? ` · ${poll}` : "");
    setText(sentence, model.get("sentence"));
    setText(sinceEnd, model.get("since_end"));
    const offer = model.get("raise_to");
    raise.hidden = offer === null || (commands.jobs ?? null) !== null;
    setText(raise, offer === null ? "" : `Raise to ${offer} trials and continue`);

    const list = model.get("notices");
    // The last line may be no notice, but the number of those that are not listed.
    const texts = list.map(({ at, text }) => (at === "" ? REST : text));
    const rows = setKeys(notices, texts, (text) => {
      const dismiss = makeButton("✕", "hpo-close hpo-dismiss", {
        title: "Dismiss",
        "aria-label": "Dismiss this notice",
      });
      dismiss.addEventListener("click", (event) => {
        // By the second click of a double click the next notice is there.
        if (!isRepeatedClick(event)) {
          model.send({ kind: "dismiss", text });
        }
      });
      const [at, words] = [element("span", "hpo-number hpo-muted"), element("span")];
      return element("li", "", {}, at, words, dismiss);
    });
    for (const [index, row] of rows.entries()) {
      const notice = list[index];
      const [at, words, dismiss] = [...row.children] as HTMLElement[];
      if (notice && at && words && dismiss) {
        const isOne = notice.at !== "";
        setText(at, notice.at);
        const times = notice.count > 1 ? ` ×${notice.count}` : "";
        setText(words, `${isOne ? "✕ " : ""}${notice.text}${times}`);
        dismiss.hidden = !isOne;
      }
    }
    hideTooltips();
    namePlots();
  };
});

/** The way to the Task of the search, or where its page is not known its id, which opens the search elsewhere. */
function paintTask(link: HTMLElement, task: Model["task"]): void {
  const page = task !== null && /^https?:/.test(task.page) ? task.page : null;
  link.hidden = task === null;
  setAttribute(link, "href", page);
  setAttribute(link, "title", page && task && `Open the optimizer Task ${task.id} in ClearML`);
  setText(link, task === null ? "" : page ? "Task ↗" : `Task ${task.id}`);
}
