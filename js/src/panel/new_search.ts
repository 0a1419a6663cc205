// "New search": a launcher card, a palette command and the form that they open.

import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette, MainAreaWidget } from "@jupyterlab/apputils";
import type { Widget } from "@lumino/widgets";
import { folderOf } from "./entries";
import { searchIcon } from "./icons";
import { NewSearchForm } from "./new_search_form";
import { createNotebook, type OpenNotebook, onNotebookOpened } from "./open_notebooks";
import { addCard } from "./optional_services";
import { writeCell } from "./write_cell";

export const NEW_SEARCH = "hpo-widgets:new-search";

function activate(
  app: JupyterFrontEnd,
  labShell: ILabShell | null,
  palette: ICommandPalette | null,
): void {
  const { commands, shell } = app;
  const notebooks = new Set<OpenNotebook>();
  let open: MainAreaWidget<NewSearchForm> | null = null;
  onNotebookOpened(app, (notebook) => {
    const look = (): void => open?.content.look();
    notebooks.add(notebook);
    look();
    notebook.context.pathChanged.connect(look);
    notebook.panel.disposed.connect(() => {
      notebooks.delete(notebook);
      look();
    });
  });

  let recent: Widget | null = null;
  labShell?.currentChanged.connect((_shell, { newValue }) => {
    if ([...notebooks].some(({ panel }) => panel === newValue)) {
      recent = newValue;
    }
  });
  /** The notebook that a person works in, or did before. */
  const current = (): OpenNotebook | undefined => {
    const all = [...notebooks];
    return (
      all.find(({ panel }) => panel === shell.currentWidget) ??
      all.find(({ panel }) => panel === recent) ??
      all.find(({ panel }) => panel.isVisible)
    );
  };

  /** Goes to the form after the command palette, which gives the focus back to what had it before. */
  const activateLast = (tab: Widget): void => {
    queueMicrotask(() => shell.activateById(tab.id));
  };

  const openForm = (isLauncher: boolean, cwd: string | undefined): Widget => {
    if (open) {
      activateLast(open);
      return open;
    }
    const notebook = current();
    const before = shell.currentWidget;
    const content = new NewSearchForm({
      notebooks: () => [...notebooks],
      create: async () => {
        const beside = current();
        await createNotebook(app, cwd ?? (beside ? folderOf(beside.context.path) : ""));
      },
      write: async (chosen, code, run) => {
        await writeCell(app, chosen, code, run);
      },
      show: () => shell.activateById(tab.id),
      leave: (chosen) => {
        tab.dispose();
        const next = chosen?.panel ?? before;
        if (next && !next.isDisposed) {
          shell.activateById(next.id);
        }
      },
    });
    const tab = new MainAreaWidget({ content });
    tab.id = "hpo-widgets-new-search-tab";
    tab.toolbar.hide();
    tab.title.icon = searchIcon;
    tab.title.label = "New search";
    tab.title.closable = true;
    tab.disposed.connect(() => {
      open = null;
    });
    open = tab;
    if (labShell) {
      const beside = !isLauncher && notebook?.panel.isAttached ? notebook.panel.id : null;
      labShell.add(tab, "main", beside ? { mode: "split-right", ref: beside } : {});
    } else {
      // The main area of Notebook 7 is its notebook.
      shell.add(tab, "right");
    }
    content.look(notebook);
    activateLast(tab);
    return tab;
  };

  commands.addCommand(NEW_SEARCH, {
    label: "New search",
    caption:
      "Write the cell of a hyperparameter search from a function, a script or a ClearML Task",
    icon: searchIcon,
    // A launcher is replaced by what its card returns.
    execute: ({ isLauncher, cwd }) =>
      openForm(isLauncher === true, typeof cwd === "string" ? cwd : undefined),
  });
  palette?.addItem({ command: NEW_SEARCH, category: "Hyperparameter search" });
  void addCard(app, NEW_SEARCH);
}

export const newSearchPlugin: JupyterFrontEndPlugin<void> = {
  id: "hpo-widgets:new-search",
  description: "A form that writes the cell of a new search.",
  autoStart: true,
  optional: [ILabShell, ICommandPalette],
  activate,
};
