// Buttons that act on a search or a race: a symbol, and a word that may change in its place. A press is one message.

import type { AnyModel } from "@anywidget/types";
import {
  element,
  isDisabled,
  isRepeatedClick,
  makeButton,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import type { Lifetime } from "../lib/lifetime";
import "./action_button.css";

export interface Action {
  command: string;
  symbol: string;
  word: string;
  /** What a press does. */
  meaning: string;
}

export const PAUSE: Action = {
  command: "pause",
  symbol: "❚❚",
  word: "Pause",
  meaning: "Start no more trials; running trials continue to their end",
};
export const RESUME: Action = {
  command: "resume",
  symbol: "▶",
  word: "Resume",
  meaning: "Start trials again",
};

export function startAction(word: string, meaning: string): Action {
  return { command: "start", symbol: "▶", word, meaning };
}

export function stopAction(meaning: string): Action {
  return { command: "stop", symbol: "■", word: "Stop", meaning };
}

export class ActionButton {
  readonly root = makeButton();
  private readonly symbol = element("span", "", { "aria-hidden": "true" });
  private readonly word = element("span");

  constructor(className: string) {
    this.root.className = `hpo-action ${className}`;
    this.root.append(this.symbol, " ", this.word);
  }

  show(symbol: string, word: string, reason: string | null, meaning: string): void {
    setText(this.symbol, symbol);
    setText(this.word, word);
    setReason(this.root, reason, meaning);
  }
}

/** Three buttons in fixed places: a word may change in its place, a button never moves. */
export class ActionGroup {
  readonly root: HTMLElement;
  private readonly places = ["start", "pause", "stop"].map(
    (place) => new ActionButton(`hpo-${place}`),
  );

  constructor(
    className: string,
    label: string,
    private readonly model: Pick<AnyModel, "send">,
    private readonly lifetime: Lifetime,
  ) {
    this.root = element("div", className, { role: "group", "aria-label": label });
    for (const { root } of this.places) {
      root.addEventListener("click", (event) => this.press(event, root));
      this.root.append(root);
    }
  }

  paint(
    actions: readonly [Action, Action, Action],
    commands: Readonly<Record<string, string | null>>,
  ): void {
    for (const [index, { command, symbol, word, meaning }] of actions.entries()) {
      const place = this.places[index] as ActionButton;
      place.root.dataset.command = command;
      setAttribute(place.root, "aria-busy", null);
      place.show(symbol, word, commands[command] ?? null, meaning);
    }
  }

  private press(event: MouseEvent, button: HTMLElement): void {
    const isBusy = button.getAttribute("aria-busy") === "true";
    if (!isRepeatedClick(event) && !isDisabled(button) && !isBusy) {
      // Until the kernel has answered with a change, a second press would be a second command.
      setAttribute(button, "aria-busy", "true");
      this.lifetime.after(1000, () => setAttribute(button, "aria-busy", null));
      this.model.send({ kind: "command", name: button.dataset.command });
    }
  }
}
