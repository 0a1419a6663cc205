// Services of packages that a host may not have at all, as Voilà has no launcher and no status bar: an import at the top of
// a file, which their tokens in `optional` need, would take the whole extension with it there.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ILauncher } from "@jupyterlab/launcher";
import type { IStatusBar } from "@jupyterlab/statusbar";

/** The launcher; null where the host has none. */
export async function launcherOf(app: JupyterFrontEnd): Promise<ILauncher | null> {
  try {
    const { ILauncher: token } = await import("@jupyterlab/launcher");
    return await app.resolveOptionalService(token);
  } catch {
    return null;
  }
}

/** The status bar; null where the host has none. */
export async function statusBarOf(app: JupyterFrontEnd): Promise<IStatusBar | null> {
  try {
    const { IStatusBar: token } = await import("@jupyterlab/statusbar");
    return await app.resolveOptionalService(token);
  } catch {
    return null;
  }
}
