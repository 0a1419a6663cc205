// Services of packages that a host may not have at all, as Voilà has no launcher and no status bar: an import at the top of
// a file, which their tokens in `optional` need, would take the whole extension with it there.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { IStatusBar } from "@jupyterlab/statusbar";

/** Adds a card for a command to the launcher, where the host has one. */
export async function addCard(app: JupyterFrontEnd, command: string): Promise<void> {
  const launcher = await import("@jupyterlab/launcher")
    .then(({ ILauncher }) => app.resolveOptionalService(ILauncher))
    .catch(() => null);
  launcher?.add({ command, args: { isLauncher: true }, category: "Other" });
}

/** The status bar; null where the host has none. */
export function statusBarOf(app: JupyterFrontEnd): Promise<IStatusBar | null> {
  return import("@jupyterlab/statusbar")
    .then((found) => app.resolveOptionalService(found.IStatusBar))
    .catch(() => null);
}
