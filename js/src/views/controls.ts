// Start, Pause / Resume, Stop and Wait. Each press is one custom message; the kernel side only queues it.

import type { Render } from "@anywidget/types";
import "./controls.css";
import { makeActionButton } from "../controls/action_button";
import { type Answer, typedField } from "../controls/typed_field";
import { connectionNotices } from "../lib/connection_notices";
import {
  element,
  isDisabled,
  isRepeatedClick,
  keepKeys,
  makeCopyButton,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";

type Model = {
  /** Python that shows the search again in another kernel; empty where no journal keeps it. */
  opening_code: string;
  status: string;
  /** The process that ran the search has gone: Start takes it over. */
  owner_died: boolean;
  /** Command name to null when it can be done now, else to the sentence that says why not. */
  commands: Record<string, string | null>;
  waiting: boolean;
  wait_timeout: number | null;
  wait_progress: string;
  wait_limit: string;
  wait_outcome: string;
  answer: Answer;
};

interface Action {
  command: string;
  symbol: string;
  word: string;
  /** What a press does. */
  meaning: string;
}

const START: Action = {
  command: "start",
  symbol: "▶",
  word: "Start",
  meaning: "Start the search",
};
const CONTINUE: Action = {
  command: "start",
  symbol: "▶",
  word: "Continue",
  meaning: "Go on with what is left of the budget",
};
const TAKE_OVER: Action = {
  command: "start",
  symbol: "▶",
  word: "Take over",
  meaning: "Go on with the search in this kernel, with what is left of the budget",
};
const PAUSE: Action = {
  command: "pause",
  symbol: "❚❚",
  word: "Pause",
  meaning: "Begin no more trials; those that run go on to their end",
};
const RESUME: Action = {
  command: "resume",
  symbol: "▶",
  word: "Resume",
  meaning: "Begin trials again",
};
const STOP: Action = {
  command: "stop",
  symbol: "■",
  word: "Stop",
  meaning: "End the trials that run, and the search; Continue takes it up again",
};
const WAIT_MEANING = "Tell when the search ends; the notebook stays free meanwhile";

/** The three fixed places: a word may change in place, a button never moves. */
function actions(status: string, ownerDied: boolean): Action[] {
  const begin = ownerDied ? TAKE_OVER : status === "idle" ? START : CONTINUE;
  return [begin, status === "paused" ? RESUME : PAUSE, STOP];
}

const render: Render<Model> = ({ model, el }) => {
  const lifetime = new Lifetime();
  const root = element("div", "hpo-part hpo-controls-root");
  const group = element("div", "hpo-controls", { role: "group", "aria-label": "Search" });
  const places = ["start", "pause", "stop"].map((place) => makeActionButton(`hpo-${place}`));
  const wait = makeActionButton("hpo-wait-button");
  setText(wait.symbol, "◔");
  setText(wait.word, "Wait");
  group.append(...places.map((place) => place.button), wait.button);

  // The progress of waiting changes every second and is not read out; its outcome is.
  const line = element("div", "hpo-wait");
  const progress = element("span", "hpo-number");
  const timeout = typedField("time-out in minutes", "minutes", "none", (text, id) =>
    model.send({ kind: "type", name: "timeout", text, id }),
  );
  const outcome = element("span", "hpo-wait-outcome", { role: "status" });
  const dismiss = element("button", "hpo-wait-dismiss", { type: "button" });
  const cross = element("span", "", { "aria-hidden": "true" });
  setText(cross, "✕");
  dismiss.append(cross);
  line.append(progress, timeout.root, outcome, dismiss, timeout.problem);

  const { gone, away } = connectionNotices(model, lifetime);
  const back = element("span");
  const way = element("code");
  gone.append(
    "✕ Not connected any more: the kernel of this panel has ended or was restarted. ",
    back,
    way,
  );
  // By keyboard the code cannot be marked.
  const { copy, outcome: copied } = makeCopyButton(way);
  gone.append(copy, " ", copied);
  // The same, but for a view of a search in another kernel. It is read out when that kernel ends.
  const orphaned = element("div", "hpo-orphaned", { role: "status" });
  const orphanedWords = element("span");
  const orphanedWay = element("code");
  orphaned.append(orphanedWords, orphanedWay);
  root.append(gone, away, orphaned, group, line);
  keepKeys(root);

  const paint = (): void => {
    const code = model.get("opening_code");
    setText(
      back,
      code
        ? "To go on with this search:"
        : model.get("status") === "idle"
          ? "This search was not started yet: run its cell again."
          : "No journal keeps this search: run its cell again.",
    );
    setText(way, code);
    copy.hidden = code === "";
    const commands = model.get("commands");
    const ownerDied = model.get("owner_died");
    const canTakeOver = (commands.start ?? null) === null;
    orphaned.classList.toggle("hpo-is-shown", ownerDied);
    setText(
      orphanedWords,
      !ownerDied
        ? ""
        : canTakeOver
          ? "✕ The kernel or script that ran this search has ended. Take over goes on with it here."
          : "✕ The kernel or script that ran this search has ended. To go on with it here:",
    );
    setText(orphanedWay, ownerDied && !canTakeOver ? code : "");
    for (const [index, action] of actions(model.get("status"), ownerDied).entries()) {
      const place = places[index];
      if (place) {
        setText(place.symbol, action.symbol);
        setText(place.word, action.word);
        place.button.dataset.command = action.command;
        setAttribute(place.button, "aria-busy", null);
        setReason(place.button, commands[action.command] ?? null, action.meaning);
      }
    }
    const isWaiting = model.get("waiting");
    setAttribute(wait.button, "aria-pressed", String(isWaiting));
    setReason(wait.button, isWaiting ? null : (commands.wait ?? null), WAIT_MEANING);

    const ended = model.get("wait_outcome");
    line.classList.toggle("hpo-is-shown", isWaiting || ended !== "");
    setText(progress, isWaiting ? `◔ waiting: ${model.get("wait_progress")}` : "");
    timeout.root.hidden = !isWaiting;
    const minutes = model.get("wait_timeout");
    timeout.paint(
      model.get("wait_limit"),
      minutes === null ? "" : String(minutes),
      null,
      model.get("answer"),
    );
    setText(outcome, isWaiting ? "" : ended);
    dismiss.hidden = !isWaiting && ended === "";
    const meaning = isWaiting ? "Stop waiting" : "Dismiss";
    setAttribute(dismiss, "aria-label", meaning);
    setAttribute(dismiss, "title", meaning);
  };

  const press = (event: MouseEvent): void => {
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
  };

  group.addEventListener("click", press);
  wait.button.addEventListener("click", (event) => {
    if (!isRepeatedClick(event) && !isDisabled(wait.button)) {
      model.send({ kind: "wait", on: !model.get("waiting") });
    }
  });
  dismiss.addEventListener("click", () => {
    // The line goes, and with it the button: the focus must not get lost.
    wait.button.focus();
    model.send(model.get("waiting") ? { kind: "wait", on: false } : { kind: "dismiss" });
  });
  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
