// Start, Pause / Resume, Stop and Wait. Each press is one custom message; the kernel side only queues it.

import "./controls.css";
import {
  type Action,
  ActionButton,
  ActionGroup,
  PAUSE,
  RESUME,
  startAction,
  stopAction,
} from "../controls/action_button";
import { type Answer, typedField } from "../controls/typed_field";
import { connectionNotices } from "../lib/connection_notices";
import {
  element,
  isRepeatedClick,
  makeButton,
  makeCopyButton,
  onPress,
  setAttribute,
  setText,
} from "../lib/dom";
import { view } from "../lib/view";

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

const START = startAction("Start", "Start the search");
const CONTINUE = startAction("Continue", "Continue with the rest of the budget");
const TAKE_OVER = startAction(
  "Take over",
  "Continue the search in this kernel with the rest of the budget",
);
const STOP = stopAction("End the running trials and the search; it can be continued later");
const WAIT_MEANING = "Tell you when the search ends; the notebook is not blocked";

function actions(status: string, ownerDied: boolean): [Action, Action, Action] {
  const begin = ownerDied ? TAKE_OVER : status === "idle" ? START : CONTINUE;
  return [begin, status === "paused" ? RESUME : PAUSE, STOP];
}

export default view<Model>(({ model, el, lifetime }) => {
  const group = new ActionGroup("hpo-controls", "Search", model, lifetime);
  const wait = new ActionButton("hpo-wait-button");
  group.root.append(wait.root);

  // The progress of waiting changes every second and is not read out; its outcome is.
  const progress = element("span", "hpo-number hpo-optional");
  const timeout = typedField("time-out in minutes", "minutes", "none", (text, id) =>
    model.send({ kind: "type", name: "timeout", text, id }),
  );
  const outcome = element("span", "hpo-capital", { role: "status" });
  const cross = element("span", "", { "aria-hidden": "true" }, "✕");
  const dismiss = makeButton(cross, "hpo-close");
  const line = element("div", "hpo-wait");
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
  const orphanedWords = element("span");
  const orphanedWay = element("code");
  const orphaned = element("div", "hpo-orphaned", { role: "status" }, orphanedWords, orphanedWay);
  el.append(
    element("div", "hpo-part hpo-controls-root", {}, gone, away, orphaned, group.root, line),
  );

  const paint = (): void => {
    const code = model.get("opening_code");
    setText(
      back,
      code
        ? "To continue this search:"
        : model.get("status") === "idle"
          ? "This search was not started yet: run its cell again."
          : "No journal keeps this search: run its cell again.",
    );
    setText(way, code);
    copy.hidden = code === "";
    const commands = model.get("commands");
    const ownerDied = model.get("owner_died");
    const canTakeOver = (commands.start ?? null) === null;
    orphaned.classList.toggle("hpo-hidden", !ownerDied);
    setText(
      orphanedWords,
      !ownerDied
        ? ""
        : canTakeOver
          ? "✕ The kernel or script that ran this search has ended. Take over continues it here."
          : "✕ The kernel or script that ran this search has ended. To continue it here:",
    );
    setText(orphanedWay, ownerDied && !canTakeOver ? code : "");
    group.paint(actions(model.get("status"), ownerDied), commands);
    const isWaiting = model.get("waiting");
    setAttribute(wait.root, "aria-pressed", String(isWaiting));
    wait.show("◔", "Wait", isWaiting ? null : (commands.wait ?? null), WAIT_MEANING);

    // Never taken out of the page: a status that comes into being is not read out everywhere.
    const ended = model.get("wait_outcome");
    line.classList.toggle("hpo-hidden", !isWaiting && ended === "");
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

  onPress(wait.root, (event) => {
    if (!isRepeatedClick(event)) {
      model.send({ kind: "wait", on: !model.get("waiting") });
    }
  });
  dismiss.addEventListener("click", () => {
    // The line goes, and with it the button: the focus must not get lost.
    wait.root.focus();
    model.send(model.get("waiting") ? { kind: "wait", on: false } : { kind: "dismiss" });
  });
  return paint;
});
