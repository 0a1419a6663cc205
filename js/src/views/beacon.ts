// Shows nothing: tells the page that there is a panel, whether or not anybody sees it.

import type { Initialize } from "@anywidget/types";
import { announce, type BeaconState } from "../lib/announcement";
import { repairWhenLate } from "../lib/late_model";

const initialize: Initialize<BeaconState & { own_id: string }> = ({ model }) => {
  repairWhenLate(model);
  return announce(model);
};

export default { initialize };
