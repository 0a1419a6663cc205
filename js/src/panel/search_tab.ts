// A search in the main area: the panel of its notebook, shown once more, and the same one again after a restart.

import { Panel, Widget } from "@lumino/widgets";
import { element, makeButton, setText } from "../lib/dom";
import { type Entry, followed, renamed, type Wanted, waitingWords, wantedEntry } from "./entries";
import { panelTabs } from "./panel_tabs";
import type { Searches } from "./searches";

export class SearchTab extends Panel {
  private readonly sentence = element("span");
  private readonly open = makeButton("Show the notebook");
  private readonly line = element("div", "hpo-search-tab-waiting", { role: "status" });
  private readonly endListening: () => void;
  private panel: Widget | null = null;
  /** Model id of the panel that is shown, or about to be; empty while the search is not there. */
  private target = "";

  /**
   * @param searches where the search is looked for
   * @param wanted which one it is; follows what is shown
   * @param openNotebook is called when its notebook is to be opened
   * @param changed is called when the tab shows another search
   */
  constructor(
    private readonly searches: Searches,
    public wanted: Wanted,
    openNotebook: (path: string) => void,
    private readonly changed: () => void,
  ) {
    super();
    this.addClass("hpo-search-tab");
    const host = new Widget();
    host.addClass("hpo-part");
    this.open.addEventListener("click", () => openNotebook(this.wanted.path));
    this.line.append(this.sentence, this.open);
    host.node.append(this.line);
    this.addWidget(host);
    this.endListening = searches.onChange(() => this.look());
    this.look();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.endListening();
      panelTabs.show(this, "");
      super.dispose();
    }
  }

  /** A notebook has another path. */
  notebookRenamed(before: string, after: string): void {
    this.want(renamed(this.wanted, before, after));
  }

  private look(): void {
    const entry = wantedEntry(this.searches.entries, this.wanted);
    this.line.hidden = entry !== undefined;
    if (entry === undefined) {
      setText(this.sentence, waitingWords(this.wanted));
      this.open.hidden = this.wanted.path === "";
      this.target = "";
      panelTabs.show(this, "");
      this.panel?.node.setAttribute("inert", "");
    } else if (entry.target !== this.target) {
      this.target = entry.target;
      void this.showPanel(entry);
    } else if (this.panel) {
      this.follow(entry);
    }
  }

  private follow(entry: Entry): void {
    this.want(followed(this.wanted, entry));
  }

  private want(next: Wanted): void {
    if (next !== this.wanted) {
      this.wanted = next;
      this.changed();
    }
  }

  private async showPanel(entry: Entry): Promise<void> {
    const view = await this.searches.viewOf(entry);
    if (this.isDisposed || this.target !== entry.target) {
      view?.remove();
      return;
    }
    if (view === null) {
      this.target = ""; // looked for again at the next change
      return;
    }
    this.panel?.dispose();
    this.panel = view.luminoWidget;
    this.addWidget(this.panel);
    panelTabs.show(this, entry.target);
    this.follow(entry);
  }
}
