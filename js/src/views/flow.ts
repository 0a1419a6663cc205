// Shows nothing and acknowledges updates, for widgets that have no view of this package, such as a plot alone.

import { followPlots } from "../lib/plots";
import { hideTooltipsLeftBehind } from "../lib/tooltips";
import { view } from "../lib/view";
import "./flow.css";

export default view(({ model, el, lifetime }) => {
  const hideTooltips = hideTooltipsLeftBehind(lifetime);
  const namePlots = followPlots(model, lifetime, el, ".hpo-part");
  return () => {
    hideTooltips();
    namePlots();
  };
});
