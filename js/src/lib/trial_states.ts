// The states of a trial: a shape for each beside its word, so that colour is never the only sign.

export const LEFT_OUT = "left out";

export const SHAPES: Readonly<Record<string, string>> = {
  queued: "○",
  running: "◐",
  completed: "●",
  failed: "✕",
  aborted: "■",
  pruned: "◇",
  [LEFT_OUT]: "⊘",
};
