// Shows nothing and acknowledges updates, for widgets that have no view of this package, such as a plot alone.

import type { Render } from "@anywidget/types";
import { Lifetime } from "../lib/lifetime";
import { hideTooltipsLeftBehind } from "../lib/tooltips";

const render: Render<Record<string, unknown>> = ({ model }) => {
  const lifetime = new Lifetime();
  lifetime.paintOnChange(model, hideTooltipsLeftBehind(lifetime));
  return lifetime.end;
};

export default { render };
