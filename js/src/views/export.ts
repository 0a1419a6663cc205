// The Export menu. Files are made in the kernel and saved by the page itself, without a server.

import {
  closeByEscape,
  element,
  isCopied,
  makeButton,
  onPress,
  setReason,
  setText,
} from "../lib/dom";
import { requestIds } from "../lib/request_ids";
import { view } from "../lib/view";
import "./export.css";

type Model = {
  /** The files that can be made, in order: of which kind, and what they are called. */
  files: { what: string; text: string }[];
  /** The parameters of the best trial, ready to be copied; offered where `commands` have it. */
  best: string;
  /** Which trials are exported, in words. */
  trials: string;
  commands: Record<string, string | null>;
};

/** What the kernel answers to a request: the file, or why it could not be made. */
type Answer = Partial<Record<"kind" | "id" | "name" | "type" | "words" | "problem", string>>;

function save(name: string, type: string, data: DataView): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  const link = element("a", "", { href: address, download: name });
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-export-host");
  const summary = element("summary", "hpo-export-summary", {}, "Export");
  const trials = element("div", "hpo-muted");
  const outcome = element("div", "hpo-muted", { role: "status" });
  const newId = requestIds();
  const asked = new Set<string>();
  const buttons = model.get("files").map(({ what, text }) => {
    const button = makeButton(text);
    onPress(button, () => {
      setText(outcome, "Making the file …");
      const id = newId();
      asked.add(id);
      model.send({ kind: "export", id, what });
    });
    return button;
  });
  const copy = makeButton("Copy best parameters");
  onPress(copy, async () => {
    const best = model.get("best");
    setText(outcome, (await isCopied(best)) ? "Copied" : best);
  });
  const list = element("div", "hpo-export-list", { role: "group", "aria-label": "Export" });
  list.append(trials, ...buttons, copy, outcome);
  const root = element("details", "hpo-part hpo-export", {}, summary, list);
  el.append(root);
  closeByEscape(root, summary);
  document.addEventListener(
    "pointerdown",
    (event) => {
      if (event.target instanceof Node && !root.contains(event.target)) {
        root.open = false;
      }
    },
    { signal: lifetime.signal },
  );

  lifetime.onMessage(model, (message, buffers) => {
    const { id, kind, name, type, words, problem } = message as Answer;
    const data = buffers[0];
    // What another view or another page has asked for comes here, too.
    if (id === undefined || !asked.delete(id)) {
      return;
    }
    if (kind === "file" && name !== undefined && type !== undefined && data) {
      save(name, type, data);
      setText(outcome, `Saved ${name}${words ? `: ${words}` : ""}`);
    } else if (problem !== undefined) {
      setText(outcome, problem);
    }
  });

  return () => {
    const commands = model.get("commands");
    setText(trials, model.get("trials"));
    for (const button of buttons) {
      setReason(button, commands.export ?? null);
    }
    copy.hidden = !("best" in commands);
    setReason(copy, commands.best ?? commands.export ?? null);
  };
});
