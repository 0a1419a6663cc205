// The plugin for searches: the list at the side, a search as a tab of the main area, commands, a launcher card, the number
// of running searches in the status bar. All searches that it knows are announced by the panels of the open notebooks.

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import {
  Dialog,
  DOMUtils,
  ICommandPalette,
  MainAreaWidget,
  showDialog,
  WidgetTracker,
} from "@jupyterlab/apputils";
import { type Kernel, KernelMessage, ServerConnection } from "@jupyterlab/services";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { MessageLoop } from "@lumino/messaging";
import { Signal } from "@lumino/signaling";
import { Widget } from "@lumino/widgets";
import type { Beacon } from "../lib/announcement";
import { onConnectedAgain, onKernelEnd } from "../lib/connection";
import { element, setText } from "../lib/dom";
import {
  type Entry,
  folderOf,
  type Journal,
  numRunning,
  stoppable,
  type Wanted,
  withJournals,
} from "./entries";
import { searchIcon } from "./icons";
import { Journals, openingCell, type ReadFolder } from "./journals";
import { NEW_SEARCH } from "./new_search";
import { createNotebook, type OpenNotebook, onNotebookOpened } from "./open_notebooks";
import { addCard, statusBarOf } from "./optional_services";
import { SearchTab } from "./search_tab";
import { type KernelWatch, Searches } from "./searches";
import { SidePanel } from "./side_panel";
import { writeCell } from "./write_cell";

const ID = "hpo-widgets:searches";
const COMMANDS = {
  openPanel: "hpo-widgets:open-search-panel",
  openSearch: "hpo-widgets:open-search",
  stopAll: "hpo-widgets:stop-all-searches",
} as const;

/** Where a search is opened: beside its notebook, below it, or as a tab next to it. */
const PLACES = { right: "split-right", below: "split-bottom", tab: "tab-after" } as const;
type Place = keyof typeof PLACES;
const OPENINGS: Readonly<Record<string, string>> = {
  below: "Open below",
  tab: "Open as a tab",
  cell: "Open by a cell",
};
const DEFAULT_PLACE: Place = "right";
const DEFAULT_PACE = 2;

function isPlace(value: unknown): value is Place {
  return typeof value === "string" && value in PLACES;
}

function activate(
  app: JupyterFrontEnd,
  labShell: ILabShell | null,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  settings: ISettingRegistry | null,
): void {
  const { commands, shell } = app;
  const notebooks = new Set<OpenNotebook>();
  const notebookOf = (kernel: string): OpenNotebook | undefined =>
    [...notebooks].find(({ context }) => context.sessionContext.session?.kernel?.id === kernel);
  const searches = new Searches(kernelOf, (kernel) => notebookOf(kernel)?.context.path ?? "");
  onNotebookOpened(app, (notebook) => {
    notebooks.add(notebook);
    let { path } = notebook.context;
    notebook.context.pathChanged.connect((_context, after) => {
      tracker.forEach(({ content }) => {
        content.notebookRenamed(path, after);
      });
      path = after;
      searches.changed();
    });
    notebook.context.sessionContext.kernelChanged.connect(searches.changed);
    notebook.panel.disposed.connect(() => {
      notebooks.delete(notebook);
      searches.changed();
    });
  });

  let place: Place = DEFAULT_PLACE;
  void settings
    ?.load(ID)
    .then((loaded) => {
      const take = (): void => {
        const { place: chosen, updatesPerSecond } = loaded.composite;
        place = isPlace(chosen) ? chosen : DEFAULT_PLACE;
        searches.pace = typeof updatesPerSecond === "number" ? updatesPerSecond : DEFAULT_PACE;
      };
      loaded.changed.connect(take);
      take();
    })
    // Without its schema, as in an installation that is not complete, the defaults hold.
    .catch(() => undefined);

  const tracker = new WidgetTracker<MainAreaWidget<SearchTab>>({ namespace: "hpo-widgets-search" });
  const openSearch = (wanted: Wanted, where: Place): void => {
    const open = tracker.find(({ content }) => isSame(content.wanted, wanted));
    if (open) {
      shell.activateById(open.id);
      return;
    }
    const content = new SearchTab(
      searches,
      wanted,
      (path) => void commands.execute("docmanager:open", { path }),
      () => {
        name(tab);
        void tracker.save(tab);
      },
    );
    const tab = new MainAreaWidget({ content });
    tab.id = DOMUtils.createDomID();
    tab.toolbar.hide();
    tab.title.icon = searchIcon;
    tab.title.closable = true;
    name(tab);
    void tracker.add(tab);
    const add = (): void => {
      const notebook = [...notebooks].find(({ context }) => context.path === wanted.path);
      if (labShell) {
        const ref = notebook?.panel.isAttached ? notebook.panel.id : null;
        labShell.add(tab, "main", { mode: ref ? PLACES[where] : "tab-after", ref });
      } else {
        // The main area of Notebook 7 is its notebook.
        shell.add(tab, "right");
      }
      shell.activateById(tab.id);
    };
    add();
    // A layout that was saved before the tab was opened, and is restored now, takes it out of the main area.
    void app.restored.then(() => {
      if (labShell && !tab.isAttached && !tab.isDisposed) {
        add();
      }
    });
  };

  const stopAll = async (): Promise<void> => {
    const running = stoppable(searches.entries);
    const titles = running.map(({ title }) => title).join(", ");
    const { button } = await showDialog({
      title: running.length === 1 ? "Stop the search?" : `Stop ${running.length} searches?`,
      body: `${titles}: running trials are ended. You can continue later.`,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: "Stop" })],
    });
    if (button.accept) {
      for (const entry of running) {
        searches.command(entry, "stop");
      }
    }
  };

  const opening = new Set<string>();
  /** Only once at a time: a cell that is to come, or waits for another one that runs, is not written twice. */
  const openKept = async (target: string, journal: Journal): Promise<void> => {
    if (!journal.problem && !opening.has(target)) {
      opening.add(target);
      try {
        await openJournal(app, notebooks, journal);
      } finally {
        opening.delete(target);
      }
    }
  };
  const open = (entry: Entry, where: Place): void => {
    if (entry.journal) {
      void openKept(entry.target, entry.journal);
    } else {
      openSearch(wantedOf(entry), where);
    }
  };

  const journals = new Journals(readFolder(app.serviceManager.serverSettings), searches.changed);
  const list = new SidePanel(
    searches,
    journals,
    {
      open: (entry) => open(entry, place),
      show: ({ origin }) => {
        const notebook = notebookOf(origin.kernel);
        if (notebook) {
          shell.activateById(notebook.panel.id);
        }
      },
      command: (entry, command) => searches.command(entry, command),
    },
    {
      newSearch: () => void commands.execute(NEW_SEARCH),
      stopAll: () => void commands.execute(COMMANDS.stopAll),
    },
    () => {
      const folders = [...notebooks].map(({ context }) => folderOf(context.path));
      return journals.refresh(folders.length > 0 ? folders : [""]);
    },
  );
  shell.add(list, "left", { rank: 650, type: "Searches" });

  commands.addCommand(COMMANDS.openPanel, {
    label: (args) => (args.isLauncher ? "Searches" : "Open search panel"),
    caption: "List the searches of all open notebooks",
    icon: searchIcon,
    execute: async () => {
      // When a command has begun, the command palette gives the focus back to the tab in the main area, and a notebook
      // passes it on to a cell: only after these two messages.
      await Promise.resolve();
      MessageLoop.flush();
      MessageLoop.flush();
      shell.activateById(list.id);
    },
  });
  commands.addCommand(COMMANDS.stopAll, {
    label: "Stop all searches",
    isEnabled: () => stoppable(searches.entries).length > 0,
    execute: stopAll,
  });
  commands.addCommand(COMMANDS.openSearch, {
    label: ({ place: where }) => OPENINGS[String(where)] ?? "Open to the right",
    execute: ({ place: where, ...args }) => {
      const chosen = isPlace(where) ? where : place;
      if (isWanted(args)) {
        openSearch(args, chosen);
        return;
      }
      const entry = contextEntry(app, withJournals(searches.entries, journals.entries));
      if (entry) {
        open(entry, chosen);
      }
    },
  });
  for (const [rank, where] of Object.keys(PLACES).entries()) {
    app.contextMenu.addItem({
      command: COMMANDS.openSearch,
      args: { place: where },
      selector: ".hpo-entry:not(.hpo-is-kept)",
      rank,
    });
  }
  app.contextMenu.addItem({
    command: COMMANDS.openSearch,
    args: { place: "cell" },
    selector: ".hpo-entry.hpo-is-kept",
  });
  for (const command of [COMMANDS.openPanel, COMMANDS.stopAll]) {
    palette?.addItem({ command, category: "Hyperparameter search" });
  }
  void addCard(app, COMMANDS.openPanel);

  void statusBarOf(app).then((statusBar) => {
    if (statusBar) {
      const item = new RunningSearches(searches, () => void commands.execute(COMMANDS.openPanel));
      statusBar.registerStatusItem("hpo-widgets:running-searches", {
        item,
        align: "left",
        rank: 10,
        isActive: () => item.count > 0,
        activeStateChanged: item.countChanged,
      });
    }
  });
  searches.onChange(() => commands.notifyCommandChanged(COMMANDS.stopAll));

  restorer?.add(list, list.id);
  void restorer?.restore(tracker, {
    command: COMMANDS.openSearch,
    args: ({ content }) => ({ ...content.wanted }),
    name: ({ content: { wanted } }) => `${wanted.path}:${wanted.searchId}`,
  });
}

export const searchPanelPlugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description:
    "Lists the searches of all open notebooks at the side, and opens them in the main area.",
  autoStart: true,
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ISettingRegistry],
  activate,
};

/** The number of running searches, in the status bar. */
class RunningSearches extends Widget {
  count = 0;
  readonly countChanged = new Signal<this, void>(this);
  private readonly words = element("span");

  constructor(searches: Searches, open: () => void) {
    super();
    this.addClass("hpo-search-status");
    this.addClass("jp-mod-highlighted");
    this.node.title = "Open search panel";
    this.node.setAttribute("role", "button");
    this.node.tabIndex = 0;
    const icon = element("span", "", { "aria-hidden": "true" });
    searchIcon.render(icon);
    this.node.append(icon, this.words);
    this.node.addEventListener("click", open);
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        // A space would scroll.
        event.preventDefault();
        open();
      }
    });
    searches.onChange(() => {
      const count = numRunning(searches.entries);
      if (count !== this.count) {
        this.count = count;
        setText(this.words, `${count} search${count === 1 ? "" : "es"} running`);
        this.countChanged.emit();
      }
    });
  }
}

/** The kernel of a panel, by the manager that made its widgets. */
function kernelOf(beacon: Beacon): KernelWatch | null {
  const { kernel } = beacon.widget_manager as unknown as {
    kernel?: Kernel.IKernelConnection | null;
  };
  return kernel ? new WatchedKernel(kernel) : null;
}

class WatchedKernel implements KernelWatch {
  /** Whether it runs a cell; null before the first cell that began or ended here. */
  private runsCell: boolean | null = null;
  isAway = false;

  constructor(private readonly kernel: Kernel.IKernelConnection) {}

  get id(): string {
    return this.kernel.id;
  }

  get isBusy(): boolean {
    return this.runsCell ?? this.kernel.status === "busy";
  }

  watch(changed: () => void, ended: () => void, connectedAgain: () => void): () => void {
    // The status itself becomes idle whenever a message of a widget was handled, also while a cell computes.
    const onMessage = (_kernel: unknown, message: KernelMessage.IIOPubMessage): void => {
      const { msg_type, subshell_id } = message.parent_header as Record<string, unknown>;
      // What runs beside the cells is none of them.
      if (msg_type === "execute_request" && !subshell_id && KernelMessage.isStatusMsg(message)) {
        this.runsCell = message.content.execution_state === "busy";
        changed();
      }
    };
    this.kernel.statusChanged.connect(changed);
    this.kernel.iopubMessage.connect(onMessage);
    const onConnection = (_kernel: unknown, status: string): void => {
      if (status !== "connected") {
        this.isAway = true;
        changed();
      }
    };
    this.kernel.connectionStatusChanged.connect(onConnection);
    const onBack = (): void => {
      this.isAway = false;
      connectedAgain();
      changed();
    };
    const forget = [onKernelEnd(this.kernel, ended), onConnectedAgain(this.kernel, onBack)];
    return () => {
      for (const end of forget) {
        end();
      }
      this.kernel.connectionStatusChanged.disconnect(onConnection);
      this.kernel.iopubMessage.disconnect(onMessage);
      this.kernel.statusChanged.disconnect(changed);
    };
  }
}

function readFolder(settings: ServerConnection.ISettings): ReadFolder {
  return async (folder) => {
    const address = `${settings.baseUrl}hpo-widgets/searches?directory=${encodeURIComponent(folder)}`;
    try {
      const response = await ServerConnection.makeRequest(address, {}, settings);
      return response.ok ? await response.json() : null;
    } catch {
      // The server has gone; JupyterLab itself says so.
      return null;
    }
  };
}

/**
 * Opens the search of a journal by a cell that a person can read and keep, in an open notebook of its folder or in a
 * new one, and waits until the cell has run. Its panel is listed from then on.
 */
async function openJournal(
  app: JupyterFrontEnd,
  notebooks: ReadonlySet<OpenNotebook>,
  journal: Journal,
): Promise<void> {
  const { folder } = journal;
  const beside = [...notebooks].filter(({ context }) => folderOf(context.path) === folder);
  const notebook =
    beside.find(({ panel }) => panel.isVisible) ?? beside[0] ?? (await createNotebook(app, folder));
  if (notebook) {
    await (await writeCell(app, notebook, openingCell(journal), true)).ran;
  }
}

/** The search on which the context menu was opened. */
function contextEntry(app: JupyterFrontEnd, entries: readonly Entry[]): Entry | undefined {
  const node = app.contextMenuHitTest((one) => one.classList.contains("hpo-entry"));
  return entries.find(({ target }) => target === node?.dataset.target);
}

function wantedOf({ search_id, origin, title }: Entry): Wanted {
  return { searchId: search_id, path: origin.path, title };
}

function isWanted(args: object): args is Wanted {
  return ["searchId", "path", "title"].every(
    (name) => typeof (args as Record<string, unknown>)[name] === "string",
  );
}

function isSame(one: Wanted, other: Wanted): boolean {
  return one.searchId === other.searchId && one.path === other.path;
}

function name(tab: MainAreaWidget<SearchTab>): void {
  const { wanted } = tab.content;
  tab.title.label = wanted.title;
  tab.title.caption = `${wanted.title} · ${wanted.path}`;
}
