// The head of a race: status, Start, Pause and Stop, and how far each strategy is. A press is one message.

import { ActionGroup, PAUSE, RESUME, startAction, stopAction } from "../controls/action_button";
import { makeProgressBar, type Progress, paintProgressBar } from "../controls/progress_bar";
import { lineSign, seriesClass } from "../controls/series";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import { element, setCount, setText } from "../lib/dom";
import { followPlots } from "../lib/plots";
import { SHAPES } from "../lib/search_status";
import { view } from "../lib/view";
import "./race.css";

/** How far a strategy is, and which line it has. */
interface Strategy extends Progress {
  series: number;
}

type Model = {
  title: string;
  status: string;
  facts: string;
  progress: string;
  reason: string;
  start_word: string;
  strategies: Strategy[];
  /** Command name to null when it can be done now, else to the sentence that says why not. */
  commands: Record<string, string | null>;
};

const STOP = stopAction("End all running trials; the present repeat does not count");

function paintBar(root: HTMLElement, strategy: Strategy): void {
  root.className = `hpo-race-strategy ${seriesClass(strategy.series)}`;
  paintProgressBar(root, strategy);
  const name = root.querySelector("b");
  if (name?.firstElementChild === null) {
    name.prepend(lineSign(strategy.series));
  }
}

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-race-host");
  const title = element("span", "hpo-title", { dir: "auto" });
  const shape = element("span", "", { "aria-hidden": "true" });
  const word = element("span");
  const pill = element("span", "hpo-pill", { role: "status" }, shape, word);
  const facts = element("span", "hpo-muted");
  const group = new ActionGroup("hpo-race-buttons", "Race", model, lifetime);
  group.root.firstElementChild?.classList.add("hpo-main");
  const bars = element("div", "hpo-race-bars");
  const repeats = element("div");
  const key = element("div", "hpo-muted", {}, "line: median · band: middle half");
  const progress = element("div", "hpo-race-progress", {}, repeats, key);
  const reason = element("div", "hpo-race-reason hpo-bad hpo-optional", {
    role: "alert",
    dir: "auto",
  });
  const { gone, away } = connectionNotices(model, lifetime);
  setText(gone, runAgainWords("race"));
  const root = element(
    "section",
    "hpo-part hpo-race-head",
    { "aria-label": "Race" },
    gone,
    away,
    element("div", "hpo-head", {}, title, pill, facts, group.root),
    element("div", "hpo-race-strip hpo-number", {}, bars, progress),
    reason,
  );
  el.append(root);
  const namePlots = followPlots(model, lifetime, root, ".hpo-race-layout");

  return () => {
    const status = model.get("status");
    setText(title, model.get("title"));
    pill.dataset.status = status;
    setText(shape, SHAPES[status] ?? "");
    setText(word, status);
    setText(facts, model.get("facts"));
    const meaning = "Run the repeats, all strategies side by side";
    const start = startAction(model.get("start_word"), meaning);
    group.paint([start, status === "paused" ? RESUME : PAUSE, STOP], model.get("commands"));
    const strategies = model.get("strategies");
    const places = setCount(bars, strategies.length, () => makeProgressBar("b"));
    for (const [index, bar] of places.entries()) {
      const strategy = strategies[index];
      if (strategy) {
        paintBar(bar, strategy);
      }
    }
    setText(repeats, model.get("progress"));
    setText(reason, model.get("reason"));
    namePlots();
  };
});
