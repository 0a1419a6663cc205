// Shows nothing: tells the page that there is a panel, whether or not anybody sees it.

import type { Initialize } from "@anywidget/types";
import { announce, type BeaconState } from "../lib/announcement";

const initialize: Initialize<BeaconState> = ({ model }) => announce(model);

export default { initialize };
