// The head of a race: status, Start, Pause and Stop, and how far each strategy is. A press is one message.

import type { Render } from "@anywidget/types";
import { makeActionButton } from "../controls/action_button";
import { lineSign, seriesClass } from "../controls/series";
import { silenceAround } from "../lib/connection";
import { connectionNotices, runAgainWords } from "../lib/connection_notices";
import {
  element,
  isDisabled,
  isRepeatedClick,
  keepKeys,
  setAttribute,
  setCount,
  setReason,
  setText,
} from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { followPlots } from "../lib/plots";
import { SHAPES } from "../lib/search_status";
import "./race.css";

interface Strategy {
  name: string;
  /** Trials that have ended of how many, in words. */
  text: string;
  fraction: number;
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

const MEANINGS: Readonly<Record<string, string>> = {
  start: "Run the repeats, all strategies side by side",
  pause: "Begin no more trials; those that run go on to their end",
  resume: "Begin trials again",
  stop: "End all trials that run; the repeat that runs counts for nothing",
};

function makeBar(): HTMLElement {
  const root = element("div", "hpo-race-strategy");
  const row = element("div", "hpo-row");
  row.append(element("b", "", { dir: "auto" }), element("span"));
  const bar = element("div", "hpo-bar", { role: "progressbar" });
  bar.append(element("div"));
  root.append(row, bar);
  return root;
}

function paintBar(root: HTMLElement, strategy: Strategy): void {
  const [row, bar] = [...root.children] as [HTMLElement, HTMLElement];
  const [name, text] = [...row.children] as [HTMLElement, HTMLElement];
  root.className = `hpo-race-strategy ${seriesClass(strategy.series)}`;
  if (name.textContent !== strategy.name) {
    name.replaceChildren(lineSign(strategy.series), strategy.name);
  }
  setText(text, strategy.text);
  const percent = Math.min(100, 100 * strategy.fraction);
  setAttribute(bar, "aria-label", strategy.name);
  setAttribute(bar, "aria-valuenow", percent.toFixed(0));
  setAttribute(bar, "aria-valuetext", strategy.text);
  (bar.firstElementChild as HTMLElement).style.width = `${percent}%`;
}

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-race-host");
  const lifetime = new Lifetime();
  const root = element("section", "hpo-part hpo-race-head", { "aria-label": "Race" });
  const line = element("div", "hpo-race-line");
  const title = element("span", "hpo-title", { dir: "auto" });
  const pill = element("span", "hpo-pill", { role: "status" });
  const shape = element("span", "", { "aria-hidden": "true" });
  const word = element("span");
  pill.append(shape, word);
  const facts = element("span", "hpo-muted");
  const group = element("div", "hpo-race-buttons", { role: "group", "aria-label": "Race" });
  const [start, pause, stop] = ["start", "pause", "stop"].map((place) =>
    makeActionButton(`hpo-${place}`),
  ) as [
    ReturnType<typeof makeActionButton>,
    ReturnType<typeof makeActionButton>,
    ReturnType<typeof makeActionButton>,
  ];
  start.button.classList.add("hpo-main");
  group.append(start.button, pause.button, stop.button);
  line.append(title, pill, facts, group);
  const strip = element("div", "hpo-race-strip hpo-number");
  const bars = element("div", "hpo-race-bars");
  const progress = element("div", "hpo-race-progress");
  const [repeats, key] = [element("div"), element("div", "hpo-muted")];
  setText(key, "line: median · band: middle half");
  progress.append(repeats, key);
  strip.append(bars, progress);
  const reason = element("div", "hpo-race-reason hpo-bad", { role: "alert", dir: "auto" });
  const { gone, away } = connectionNotices(model, lifetime);
  setText(gone, runAgainWords("race"));
  root.append(gone, away, line, strip, reason);
  keepKeys(root);
  const namePlots = followPlots(model, lifetime, root, ".hpo-race-layout");

  const paint = (): void => {
    const status = model.get("status");
    const commands = model.get("commands");
    setText(title, model.get("title"));
    pill.dataset.status = status;
    setText(shape, SHAPES[status] ?? "");
    setText(word, status);
    setText(facts, model.get("facts"));
    const isPaused = status === "paused";
    const places = [
      { place: start, command: "start", symbol: "▶", word: model.get("start_word") },
      isPaused
        ? { place: pause, command: "resume", symbol: "▶", word: "Resume" }
        : { place: pause, command: "pause", symbol: "❚❚", word: "Pause" },
      { place: stop, command: "stop", symbol: "■", word: "Stop" },
    ];
    for (const { place, command, symbol, word } of places) {
      setText(place.symbol, symbol);
      setText(place.word, word);
      place.button.dataset.command = command;
      setAttribute(place.button, "aria-busy", null);
      setReason(place.button, commands[command] ?? null, MEANINGS[command] ?? null);
    }
    const strategies = model.get("strategies");
    for (const [index, bar] of setCount(bars, strategies.length, makeBar).entries()) {
      const strategy = strategies[index];
      if (strategy) {
        paintBar(bar, strategy);
      }
    }
    setText(repeats, model.get("progress"));
    setText(reason, model.get("reason"));
    namePlots();
  };

  group.addEventListener("click", (event) => {
    if (isRepeatedClick(event)) {
      return;
    }
    const button = (event.target as Element).closest("button");
    const command = button?.dataset.command;
    if (button && command && !isDisabled(button) && button.getAttribute("aria-busy") !== "true") {
      // Until the kernel has answered with a change, a second press would be a second command.
      button.setAttribute("aria-busy", "true");
      lifetime.after(1000, () => setAttribute(button, "aria-busy", null));
      model.send({ kind: "command", name: command });
    }
  });
  lifetime.paintOnChange(model, paint, silenceAround(root));
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
