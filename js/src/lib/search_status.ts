// The statuses of a search: a shape for each beside its word, so that colour is never the only sign.

import "./pill.css";

export const SHAPES: Readonly<Record<string, string>> = {
  idle: "○",
  running: "●",
  paused: "❚❚",
  stopping: "◐",
  stopped: "■",
  completed: "✓",
  failed: "✕",
};

/** Whether trials run or may still be launched. */
export function isAlive(status: string): boolean {
  return status === "running" || status === "paused" || status === "stopping";
}
