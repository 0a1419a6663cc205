// The notebooks that are open in this page, as the document registry tells of them.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { DocumentRegistry, DocumentWidget } from "@jupyterlab/docregistry";

export type OpenNotebook = {
  panel: DocumentWidget;
  /** Its file, and the session of its kernel. */
  context: DocumentRegistry.Context;
};

/** Calls `act` with each notebook that is opened in this page from here on. */
export function onNotebookOpened(
  app: JupyterFrontEnd,
  act: (notebook: OpenNotebook) => void,
): void {
  app.docRegistry.addWidgetExtension("Notebook", {
    createNew: (panel, context) => {
      act({ panel: panel as DocumentWidget, context });
    },
  });
}

/** Opens a new notebook in a folder, with the server's own kernel; null where the application made none. */
export async function createNotebook(
  { commands, serviceManager }: JupyterFrontEnd,
  folder: string,
): Promise<OpenNotebook | null> {
  const kernelName = serviceManager.kernelspecs.specs?.default;
  const panel = (await commands.execute("notebook:create-new", { cwd: folder, kernelName })) as
    | DocumentWidget
    | undefined;
  await panel?.context.sessionContext.ready;
  return panel ? { panel, context: panel.context } : null;
}
