// The JupyterLab extension: a list of plugins, loaded by JupyterLab 4 and Notebook 7. The widget never needs them.
//
// A further plugin is a file beside this one that exports a `JupyterFrontEndPlugin`, and an entry in the list below;
// its styles are what it imports. A package of JupyterLab that it needs is a dependency in package.json. A plugin whose
// host may lack something takes that as `optional`: a missing palette must not take the others with it. What a host has
// no package for, as Voilà has none for a launcher, is asked for by `optional_services.ts`.
// `@jupyterlab/notebook` is left out, as it would more than double the installation: `open_notebooks.ts` tells of
// notebooks, by what the document registry says of them.

import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { newSearchPlugin } from "./new_search";
import { searchPanelPlugin } from "./search_panel";
import { snapshotPlugin } from "./snapshot";

const plugins: JupyterFrontEndPlugin<void>[] = [snapshotPlugin, searchPanelPlugin, newSearchPlugin];

export default plugins;
