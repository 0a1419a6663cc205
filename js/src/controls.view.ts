// Start, Pause / Resume and Stop. Each press is one custom message; the kernel side only queues it.

import type { Render } from "@anywidget/types";
import "./controls.css";
import { element, isDisabled, setAttribute, setReason, setText } from "./dom";

type Model = {
  status: string;
  /** Command name to null when it can be done now, else to the sentence that says why not. */
  commands: Record<string, string | null>;
};

interface Action {
  command: string;
  symbol: string;
  word: string;
}

const START: Action = { command: "start", symbol: "▶", word: "Start" };
const CONTINUE: Action = { command: "start", symbol: "▶", word: "Continue" };
const PAUSE: Action = { command: "pause", symbol: "❚❚", word: "Pause" };
const RESUME: Action = { command: "resume", symbol: "▶", word: "Resume" };
const STOP: Action = { command: "stop", symbol: "■", word: "Stop" };

/** The three fixed places: a word may change in place, a button never moves. */
function actions(status: string): Action[] {
  const begin = status === "idle" ? START : CONTINUE;
  return [begin, status === "paused" ? RESUME : PAUSE, STOP];
}

const render: Render<Model> = ({ model, el }) => {
  const root = element("div", "hpo-part hpo-controls", { role: "group", "aria-label": "Search" });
  const places = ["start", "pause", "stop"].map((place) => {
    const button = element("button", `hpo-${place}`, { type: "button" });
    const symbol = element("span", "", { "aria-hidden": "true" });
    const word = element("span");
    button.append(symbol, " ", word);
    return { button, symbol, word };
  });
  root.append(...places.map((place) => place.button));

  const paint = (): void => {
    const commands = model.get("commands");
    for (const [index, action] of actions(model.get("status")).entries()) {
      const place = places[index];
      if (place) {
        setText(place.symbol, action.symbol);
        setText(place.word, action.word);
        place.button.dataset.command = action.command;
        setAttribute(place.button, "aria-busy", null);
        setReason(place.button, commands[action.command] ?? null);
      }
    }
  };

  const press = (event: MouseEvent): void => {
    const button = (event.target as Element).closest("button");
    const command = button?.dataset.command;
    if (button && command && !isDisabled(button) && button.getAttribute("aria-busy") !== "true") {
      // Until the kernel has answered with a change, a second press would be a second command.
      button.setAttribute("aria-busy", "true");
      window.setTimeout(() => setAttribute(button, "aria-busy", null), 1000);
      model.send({ kind: "command", name: command });
    }
  };

  root.addEventListener("click", press);
  model.on("change:status", paint);
  model.on("change:commands", paint);
  paint();
  el.append(root);
  return () => {
    model.off("change:status", paint);
    model.off("change:commands", paint);
  };
};

export default { render };
