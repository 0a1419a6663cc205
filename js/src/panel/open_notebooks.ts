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
