// Which panels are shown in a tab of the main area: their cells need not show them a second time.

import { Signal } from "@lumino/signaling";

class PanelTabs {
  /** Model id of a panel, to the tabs that show it. */
  private readonly tabs = new Map<string, Set<object>>();
  readonly changed = new Signal<this, void>(this);

  has(panel: string): boolean {
    return this.tabs.has(panel);
  }

  /** Says what a tab shows from here on; nothing: "". */
  show(tab: object, panel: string): void {
    for (const [shown, tabs] of this.tabs) {
      if (tabs.delete(tab) && tabs.size === 0) {
        this.tabs.delete(shown);
      }
    }
    if (panel) {
      this.tabs.set(panel, (this.tabs.get(panel) ?? new Set()).add(tab));
    }
    this.changed.emit();
  }
}

/** Those of this page, for the tabs that fill it and the cells that look at it. */
export const panelTabs = new PanelTabs();
