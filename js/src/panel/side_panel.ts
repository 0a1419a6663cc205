// The list of searches at the side of the window.

import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { element, inOrder, makeButton, onPress, setReason, setText } from "../lib/dom";
import { keepFocus } from "../lib/focus";
import { Lifetime } from "../lib/lifetime";
import { Stillness } from "../lib/stillness";
import {
  type Entry,
  footWords,
  GROUPS,
  grouped,
  numRunning,
  runsUnseen,
  stoppable,
  withJournals,
  withoutRepeats,
} from "./entries";
import { type EntryActions, EntryView } from "./entry_view";
import { buttonIcon, type Shape, searchIcon, setIcon } from "./icons";
import type { Journals } from "./journals";
import type { Searches } from "./searches";
import "./side_panel.css";

/** Milliseconds between two looks for journals at least, and how many times as long as a look they are: it reads large ones. */
const LEAST_PAUSE_MS = 2000;
const PAUSE_FACTOR = 10;

interface GroupView {
  root: HTMLElement;
  count: HTMLElement;
  list: HTMLElement;
}

export class SidePanel extends Widget {
  private readonly filter = element("input", "hpo-side-filter", {
    type: "search",
    placeholder: "filter by name or notebook",
    "aria-label": "Filter searches",
  });
  private readonly newSearch = headButton("hpo-side-new", "add", "New search");
  private readonly stopAll = headButton("hpo-side-stop", "stop", "Stop all searches");
  private readonly refresh = headButton("", "refresh", "Look for journals again");
  private readonly body = element("div", "hpo-side-body");
  private readonly nothing = element("p", "hpo-side-nothing hpo-muted");
  private readonly foot = element("div", "hpo-side-foot hpo-muted", { role: "status" });
  private readonly groups = new Map<string, GroupView>();
  private readonly views = new Map<string, EntryView>();
  private readonly lifetime = new Lifetime();
  /** An entry that comes, goes or moves, and a button that becomes another one, do so under no press. */
  private readonly stillness = new Stillness(this.lifetime, this.body, () => this.paintIfSeen());
  private live = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pause = LEAST_PAUSE_MS;

  /**
   * @param searches what panels of this page show
   * @param journals what is kept beside that
   * @param actions what a person may do with one of them
   * @param all what a person may do beside that
   * @param findJournals looks for journals again
   */
  constructor(
    private readonly searches: Searches,
    private readonly journals: Journals,
    private readonly actions: EntryActions,
    all: { newSearch(): void; stopAll(): void },
    private readonly findJournals: () => Promise<void>,
  ) {
    super();
    this.id = "hpo-widgets-searches";
    this.title.icon = searchIcon;
    this.title.caption = "Searches";
    this.addClass("hpo-part");
    this.addClass("hpo-side");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "Searches");

    const heading = element("h2", "hpo-heading hpo-side-title", {}, "Searches");
    const head = element("div", "hpo-side-head");
    head.append(heading, this.newSearch, this.refresh, this.stopAll);
    this.body.append(this.nothing);
    this.node.append(head, this.filter, this.body, this.foot);

    onPress(this.stopAll, () => all.stopAll());
    this.newSearch.addEventListener("click", () => all.newSearch());
    this.refresh.addEventListener("click", () => void findJournals());
    this.filter.addEventListener("input", () => this.paint());
    this.lifetime.atEnd(searches.onChange(() => this.paintIfSeen()));
  }

  override dispose(): void {
    if (!this.isDisposed) {
      clearTimeout(this.timer);
      this.lifetime.end();
      for (const view of this.views.values()) {
        view.dispose();
      }
      super.dispose();
    }
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.findJournals();
    this.paint();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.filter.focus();
  }

  /** An entry that goes, as with its kernel, leaves the focus to what is beside it. */
  private paintIfSeen(): void {
    if (this.isVisible && !this.stillness.isNeeded()) {
      keepFocus(() => this.paint());
    }
  }

  private paint(): void {
    const focused = document.activeElement;
    const hadFocus = focused instanceof HTMLElement && this.body.contains(focused);
    const live = this.searches.entries;
    // A search that is gone, as with its kernel, is one that is kept from then on.
    const targets = live.map(({ target }) => target).join();
    if (targets !== this.live) {
      this.live = targets;
      void this.findJournals();
    }
    const all = withJournals(live, this.journals.entries);
    this.lookAgain(all);
    const groups = grouped(all, this.filter.value);
    const shown = new Set(groups.flatMap(({ entries }) => entries.map(({ target }) => target)));
    for (const [target, view] of this.views) {
      if (!shown.has(target)) {
        view.dispose();
        this.views.delete(target);
      }
    }
    for (const [title, { root }] of this.groups) {
      root.hidden = !groups.some((group) => group.title === title);
    }
    for (const group of groups) {
      const { count, list } = this.groupView(group.title);
      setText(count, String(group.entries.length));
      inOrder(
        list,
        group.entries.map((entry) => {
          const view = this.views.get(entry.target);
          view?.paint(entry);
          const made = view ?? new EntryView(entry, this.actions);
          this.views.set(entry.target, made);
          return made.root;
        }),
      );
    }
    // Whichever came first: journals may be read before a panel is known.
    const roots = GROUPS.flatMap((title) => this.groups.get(title)?.root ?? []);
    inOrder(this.body, [this.nothing, ...roots]);
    const total = withoutRepeats(all).length;
    this.nothing.hidden = shown.size > 0;
    setText(
      this.nothing,
      total > 0
        ? "No search fits the filter."
        : "No searches in the open notebooks. OptimizerWidget(optimizer) in a cell shows one, here too.",
    );
    setText(this.foot, footWords(total, this.journals));
    setReason(
      this.stopAll,
      stoppable(live).length > 0
        ? null
        : numRunning(live) > 0
          ? "No running search can be stopped from here."
          : "No search is running.",
      "Stop all searches",
    );
    if (hadFocus) {
      // An entry that went into another group, as when its search ends, lost it on the way.
      [...this.views.values()].find(({ root }) => root.contains(focused))?.focus(focused);
    }
  }

  /** Looks for journals again in a while where one says that a search runs: nobody tells when its process has gone. */
  private lookAgain(all: readonly Entry[]): void {
    if (this.timer !== undefined || !all.some(runsUnseen)) {
      return;
    }
    this.timer = setTimeout(async () => {
      const begun = Date.now();
      await this.findJournals();
      this.pause = Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (Date.now() - begun));
      this.timer = undefined;
      this.paintIfSeen();
    }, this.pause);
  }

  private groupView(title: string): GroupView {
    const known = this.groups.get(title);
    if (known) {
      return known;
    }
    const count = element("span", "hpo-number");
    const name = element("span", "", {}, title);
    const heading = element("h3", "hpo-heading hpo-side-heading", {}, name, count);
    const list = element("ul", "hpo-side-list", { "aria-label": title });
    const made = { root: element("section", "hpo-side-group", {}, heading, list), count, list };
    this.groups.set(title, made);
    return made;
  }
}

function headButton(className: string, shape: Shape, meaning: string): HTMLElement {
  const icon = buttonIcon();
  setIcon(icon, shape);
  const about = { title: meaning, "aria-label": meaning };
  return makeButton(icon, `hpo-entry-button ${className}`, about);
}
