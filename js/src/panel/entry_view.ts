// One search in the list: name and status, notebook, progress beside the best value so far, best value and buttons.

import {
  element,
  isDisabled,
  isRepeatedClick,
  makeButton,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import { isAlive, SHAPES } from "../lib/search_status";
import { drawing, setShape, svgElement } from "../lib/svg";
import { bestWords, type Entry, isElsewhere, originWords, progressWords } from "./entries";
import { buttonIcon, type Shape, setIcon } from "./icons";
import { sparkline } from "./sparkline";

/** What a person may do with a search of the list. */
export interface EntryActions {
  open(entry: Entry): void;
  /** Brings its notebook to the front. */
  show(entry: Entry): void;
  command(entry: Entry, name: string): void;
}

interface Command {
  name: string;
  shape: Shape;
  word: string;
}

/** At most two, in the order of the panel's own buttons: Stop has a place of its own, the others share one. */
function commandsOf({ status, owner_died }: Pick<Entry, "status" | "owner_died">): Command[] {
  if (owner_died) {
    return [{ name: "start", shape: "begin", word: "Take over" }];
  }
  const stop: Command = { name: "stop", shape: "stop", word: "Stop" };
  switch (status) {
    case "running":
      return [{ name: "pause", shape: "pause", word: "Pause" }, stop];
    case "paused":
      return [{ name: "resume", shape: "begin", word: "Resume" }, stop];
    case "stopping":
      return [];
    case "idle":
      return [{ name: "start", shape: "begin", word: "Start" }];
    default:
      return [{ name: "start", shape: "begin", word: "Continue" }];
  }
}

const READ_ONLY = "Read-only view: another process runs this search, or ran it";
const CURVE = { width: 92, height: 30, margin: 6 };
const MOST_COMMANDS = 2;
/** Milliseconds for which no button is pressed twice; the answer of a kernel, a change, usually comes sooner. */
const BUSY_MS = 1000;

export class EntryView {
  readonly root = element("li", "hpo-entry");
  private readonly title = makeButton("", "hpo-entry-title hpo-cut");
  private readonly badge = element("span", "hpo-viewer", { title: READ_ONLY }, "viewer");
  private readonly shape = element("span", "", { "aria-hidden": "true" });
  private readonly word = element("span");
  private readonly pill = element("span", "hpo-pill", {}, this.shape, this.word);
  private readonly origin: HTMLElement;
  private readonly progress = element("span", "hpo-number hpo-cut");
  private readonly filled = element("i");
  private readonly bar = element("div", "hpo-entry-bar", { "aria-hidden": "true" }, this.filled);
  private readonly line = svgElement("path");
  private readonly mark = svgElement("path", "hpo-entry-mark");
  private readonly curve = drawing(
    "hpo-entry-curve",
    `0 0 ${CURVE.width} ${CURVE.height}`,
    this.line,
    this.mark,
  );
  private readonly best = element("span", "hpo-entry-best hpo-cut");
  private readonly bestMark = element("span", "hpo-best-mark", { "aria-hidden": "true" }, "▲");
  private readonly bestValue = element("b", "hpo-number");
  private readonly bestOf = element("span", "hpo-muted");
  private readonly open = actionButton();
  private readonly commands = Array.from({ length: MOST_COMMANDS }, actionButton);
  /** The buttons that were pressed a moment ago; the others take a press meanwhile. */
  private readonly busy = new Map<HTMLElement, ReturnType<typeof setTimeout>>();

  constructor(
    private entry: Entry,
    private readonly actions: EntryActions,
  ) {
    // Of what is kept no notebook is open, which a press could show.
    this.origin = entry.journal ? element("span") : makeButton();
    this.origin.className = "hpo-entry-origin hpo-cut";
    this.root.classList.toggle("hpo-is-kept", entry.journal !== null);
    this.best.append(this.bestMark, " ", this.bestValue, " ", this.bestOf);
    const left = element("div", "hpo-entry-progress", {}, this.progress, this.bar);
    const buttons = [this.open, ...this.commands].map(({ button }) => button);
    this.root.append(
      element("div", "hpo-entry-line", {}, this.title, this.pill),
      element("div", "hpo-entry-line", {}, this.origin, this.badge),
      element("div", "hpo-entry-line hpo-entry-middle", {}, left, this.curve),
      element(
        "div",
        "hpo-entry-line",
        {},
        this.best,
        element("span", "hpo-entry-buttons", {}, ...buttons),
      ),
    );
    setIcon(this.open.icon, "open");

    for (const button of [this.title, this.open.button]) {
      button.addEventListener("click", (event) => {
        if (!isRepeatedClick(event) && !isDisabled(this.open.button)) {
          this.actions.open(this.entry);
        }
      });
    }
    this.origin.addEventListener("click", () => this.actions.show(this.entry));
    for (const { button } of this.commands) {
      button.addEventListener("click", (event) => {
        if (!isRepeatedClick(event)) {
          this.press(button);
        }
      });
    }
    this.paint(entry);
  }

  paint(entry: Entry): void {
    if (entry.status !== this.entry.status) {
      this.endAllBusy();
    }
    this.entry = entry;
    const { word = entry.status, look = entry.status } = entry.pill;
    this.root.dataset.target = entry.target;
    setText(this.title, entry.title);
    setAttribute(this.title, "title", `Open ${entry.title} (${entry.search_id})`);
    this.pill.dataset.status = look;
    setText(this.shape, SHAPES[look] ?? "");
    setText(this.word, word);
    setText(this.origin, originWords(entry));
    setAttribute(this.origin, "title", entry.journal?.problem || entry.origin.path || null);
    this.badge.hidden = !isElsewhere(entry);
    setText(this.progress, progressWords(entry));
    setAttribute(this.progress, "title", progressWords(entry));
    this.bar.hidden = entry.progress === null;
    this.bar.classList.toggle("hpo-is-over", !isAlive(entry.status));
    this.filled.style.width = `${100 * Math.min(1, entry.progress ?? 0)}%`;
    this.paintCurve(entry);
    this.paintBest(entry);
    const problem = entry.journal?.problem || null;
    setReason(this.open.button, problem, `Open ${entry.title}`);
    setAttribute(this.open.button, "aria-label", `Open ${entry.title}`);
    const commands = entry.journal ? [] : commandsOf(entry);
    for (const [place, { button, icon }] of this.commands.entries()) {
      const command = commands[place];
      // One that is not needed keeps its place, unseen: no other button gets under a press that was meant for it.
      button.disabled = command === undefined;
      if (command === undefined) {
        delete button.dataset.command;
      } else {
        setIcon(icon, command.shape);
        button.dataset.command = command.name;
        const told = entry.commands[command.name];
        const reason =
          told === undefined ? "The kernel has not said yet whether this is possible." : told;
        setReason(button, reason, `${command.word} ${entry.title}`);
        setAttribute(button, "aria-label", `${command.word} ${entry.title}`);
      }
    }
  }

  /** Gives `node` the focus if it has lost it; a command that is not needed any more leaves it to the button beside it. */
  focus(node: HTMLElement): void {
    const goal = node.matches(":disabled") ? this.open.button : node;
    if (goal !== document.activeElement) {
      goal.focus({ preventScroll: true });
    }
  }

  dispose(): void {
    this.endAllBusy();
    this.root.remove();
  }

  private paintCurve({ curve, num_trials }: Entry): void {
    const drawn = sparkline(curve, num_trials, CURVE);
    setShape(this.line, drawn?.shape ?? "");
    setShape(this.mark, drawn ? `M${drawn.end.x} ${drawn.end.y - 4}l4 7h-8z` : "");
  }

  private paintBest(entry: Entry): void {
    const { best, objective } = entry;
    this.bestMark.hidden = objective === "" || best === null;
    setText(this.bestValue, best?.value ?? "");
    setText(this.bestOf, best === null ? "no value yet" : objective);
    setAttribute(this.best, "title", bestWords(entry));
  }

  private press(button: HTMLElement): void {
    const { command } = button.dataset;
    if (command && !isDisabled(button) && !this.busy.has(button)) {
      this.actions.command(this.entry, command);
      setAttribute(button, "aria-busy", "true");
      const timer = setTimeout(() => this.endBusy(button), BUSY_MS);
      this.busy.set(button, timer);
    }
  }

  private endBusy(button: HTMLElement): void {
    clearTimeout(this.busy.get(button));
    this.busy.delete(button);
    setAttribute(button, "aria-busy", null);
  }

  private endAllBusy(): void {
    for (const button of this.busy.keys()) {
      this.endBusy(button);
    }
  }
}

function actionButton(): { button: HTMLButtonElement; icon: SVGSVGElement } {
  const icon = buttonIcon();
  return { button: makeButton(icon, "hpo-entry-button"), icon };
}
