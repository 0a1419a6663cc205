// Shows nothing and acknowledges updates, for widgets that have no view of this package, such as a plot alone.

import type { Render } from "@anywidget/types";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { followPlots } from "../lib/plots";
import { hideTooltipsLeftBehind } from "../lib/tooltips";
import "./flow.css";

const render: Render<Record<string, unknown>> = ({ model, el }) => {
  const lifetime = new Lifetime();
  const hideTooltips = hideTooltipsLeftBehind(lifetime);
  const namePlots = followPlots(model, lifetime, el, ".hpo-part");
  lifetime.paintOnChange(model, () => {
    hideTooltips();
    namePlots();
  });
  return lifetime.end;
};

export default { initialize, render };
