// The details of the selected trial. Only shows, but for Retry.

import type { Render } from "@anywidget/types";
import "./details.css";
import {
  element,
  isDisabled,
  keepKeys,
  setAttribute,
  setCount,
  setKeys,
  setReason,
  setText,
} from "../lib/dom";
import { initialize } from "../lib/late_model";
import { Lifetime } from "../lib/lifetime";
import { setShape, stretchedDrawing, svgElement } from "../lib/svg";
import { SHAPES } from "../lib/trial_states";

type Model = {
  number: number | null;
  state: string;
  sentence: string;
  times: string[][];
  parameters: string[][];
  scalars: string[][];
  /** Of each scalar an SVG path in a box of 100 by 100. */
  curves: string[];
  as_dict: string;
  page: string;
  note: string;
  tags: string[];
  log: string;
  traceback: string;
  commands: Record<string, string | null>;
};

/** Letters of a note and of a tag at most; the same as in the kernel, which refuses more. */
const MOST_NOTE = "4000";
const MOST_TAG = "60";

const ENDED = new Set(["completed", "failed", "aborted", "pruned"]);

interface Section {
  root: HTMLElement;
  heading: HTMLElement;
  body: HTMLElement;
}

function makeSection(word: string, className = ""): Section {
  const root = element("section", className, { "aria-label": word });
  const heading = element("h3");
  setText(heading, word);
  root.append(heading);
  return { root, heading, body: root };
}

function makeTable(word: string, className = "", headings: readonly string[] = []): Section {
  const { root, heading } = makeSection(word, className);
  const table = element("table", "", { "aria-label": word });
  const body = element("tbody");
  if (headings.length > 0) {
    const head = element("thead");
    const row = element("tr");
    for (const heading of headings) {
      const cell = element("th", "", { scope: "col" });
      setText(cell, heading);
      row.append(cell);
    }
    head.append(row);
    table.append(head);
  }
  table.append(body);
  root.append(table);
  return { root, heading, body };
}

function makeText(word: string): Section {
  const { root, heading } = makeSection(word, "hpo-wide");
  const body = element("pre", "", { tabindex: "0", dir: "auto", "aria-label": word });
  root.append(body);
  return { root, heading, body };
}

/** Text that grows, and how far down its end was when it was put in view; null where somebody has scrolled up. */
interface GrowingText extends Section {
  end: number | null;
}

function makeGrowingText(word: string): GrowingText {
  const text: GrowingText = { ...makeText(word), end: 0 };
  const { body } = text;
  body.addEventListener("scroll", () => {
    const { scrollTop } = body;
    const isAtEnd = body.scrollHeight - scrollTop - body.clientHeight < 4;
    // The event comes late: by now the text or its letters may have grown, without anybody having scrolled.
    const hasStayed = text.end !== null && scrollTop >= text.end;
    text.end = isAtEnd || hasStayed ? scrollTop : null;
  });
  return text;
}

function paintTable({ root, body }: Section, rows: string[][]): void {
  root.hidden = rows.length === 0;
  const lines = setCount(body, rows.length, () => element("tr"));
  for (const [index, line] of lines.entries()) {
    const row = rows[index] ?? [];
    while (line.childElementCount < row.length) {
      line.append(
        line.childElementCount === 0
          ? element("th", "", { scope: "row", dir: "auto" })
          : element("td", "", { dir: "auto" }),
      );
    }
    for (const [place, cell] of [...line.children].entries()) {
      if (!cell.classList.contains("hpo-curve")) {
        setText(cell as HTMLElement, row[place] ?? "");
      }
    }
  }
}

/** Draws the curve of each scalar at the end of its line. */
function paintCurves({ body }: Section, curves: readonly string[]): void {
  for (const [index, line] of [...body.children].entries()) {
    let cell = line.querySelector(".hpo-curve");
    if (cell === null) {
      cell = element("td", "hpo-curve");
      const drawing = stretchedDrawing();
      drawing.setAttribute("viewBox", "-2 -6 104 112");
      drawing.append(svgElement("path"));
      cell.append(drawing);
      line.append(cell);
    }
    setShape(cell.querySelector("path") as SVGPathElement, curves[index] ?? "");
  }
}

function paintText({ root, body }: Section, text: string): void {
  root.hidden = text === "";
  setText(body, text);
}

/** What stands before a text of which only the end is kept, as the kernel writes it. */
const CUT = "…\n";
/** Number of characters of a new text that are looked for in the shown one, to find how much of that was cut. */
const KNOWN = 200;

/**
 * Text that grows while somebody reads it, and loses its beginning where it is long: its end stays in view where it was,
 * what is read stays where it is, and a marked passage stays marked.
 */
function paintGrowing(section: GrowingText, text: string): void {
  const { root, body } = section;
  const before = body.textContent ?? "";
  const shown = body.firstChild;
  root.hidden = text === "";
  if (text === before) {
    return;
  }
  const rest = text.startsWith(CUT) ? text.slice(CUT.length) : text;
  const gone = before.indexOf(rest.slice(0, KNOWN));
  if (
    before === "" ||
    gone < 0 ||
    !(shown instanceof Text) ||
    !rest.startsWith(before.slice(gone))
  ) {
    section.end = 0;
    paintText(section, text);
  } else {
    const height = body.scrollHeight;
    const isCut = gone > 0 && !(gone === CUT.length && before.startsWith(CUT));
    if (isCut) {
      shown.replaceData(0, gone, CUT);
    }
    const lost = height - body.scrollHeight;
    shown.appendData(rest.slice(before.length - gone));
    if (section.end === null && lost > 0) {
      body.scrollTop -= lost;
    }
  }
  if (section.end !== null) {
    body.scrollTop = body.scrollHeight;
    section.end = body.scrollTop;
  }
}

const render: Render<Model> = ({ model, el }) => {
  el.classList.add("hpo-details-host");
  const lifetime = new Lifetime();
  const root = element("div", "hpo-part hpo-details", { role: "region" });
  const head = element("div", "hpo-details-head");
  const title = element("b");
  const state = element("span");
  const retry = element("button", "", { type: "button" });
  setText(retry, "Retry");
  const vary = element("button", "", { type: "button" });
  setText(vary, "Try a variation");
  const copy = element("button", "", { type: "button" });
  setText(copy, "Copy as dict");
  const page = element("a", "", { target: "_blank", rel: "noopener noreferrer" });
  setText(page, "Task ↗");
  // Retry is the last button, as it comes and goes and would move the others.
  head.append(title, state, vary, copy, retry, page);
  const sentence = element("div", "hpo-details-sentence", { dir: "auto" });
  const sections = element("div", "hpo-details-sections");
  const parameters = makeTable("Parameters");
  const scalars = makeTable("Scalars", "hpo-scalars hpo-wide", [
    "",
    "last",
    "min",
    "max",
    "reports",
    "curve",
  ]);
  const times = makeTable("Times");
  const traceback = makeText("Traceback");
  const log = makeGrowingText("Output");
  const remarks = makeSection("Note and tags", "hpo-remarks");
  const note = element("textarea", "", {
    "aria-label": "Note",
    rows: "2",
    dir: "auto",
    maxlength: MOST_NOTE,
  });
  const chips = element("div", "hpo-tags");
  const words = element("div", "hpo-tag-words");
  const added = element("input", "", {
    "aria-label": "Add a tag",
    placeholder: "+ tag",
    dir: "auto",
    maxlength: MOST_TAG,
  });
  remarks.root.append(note, chips);
  const all = [parameters, remarks, times, scalars, traceback, log];
  sections.append(...all.map((section) => section.root));
  root.append(head, sentence, sections);
  keepKeys(root);

  /** The trial that is painted: what is typed and pressed is meant for it, whatever is selected meanwhile. */
  let painted: number | null = null;
  let paintedDict = "";
  /** The note of the model when that was painted last, and what was sent since: shown until the kernel has another one. */
  let knownNote = "";
  let sentNote: string | null = null;

  const saveNote = (): void => {
    if (painted !== null && !note.readOnly && note.value !== note.defaultValue) {
      model.send({ kind: "note", number: painted, note: note.value });
      note.defaultValue = note.value;
      sentNote = note.value;
    }
  };

  // Only what changes: another change may still be on its way to the kernel.
  const sendTag = (tag: string, isOn: boolean): void =>
    model.send({ kind: "tag", number: painted, tag, is_on: isOn });

  const makeChip = (tag: string): HTMLElement => {
    const chip = element("button", "hpo-tag", {
      type: "button",
      "aria-label": `Remove the tag ${tag}`,
    });
    setText(chip, `${tag} ✕`);
    chip.addEventListener("click", () => {
      if (!isDisabled(chip)) {
        sendTag(tag, false);
      }
    });
    return chip;
  };

  const paintRemarks = (): void => {
    const commands = model.get("commands");
    const number = model.get("number");
    remarks.root.hidden = number === null || model.get("state") === "";
    if (painted !== number) {
      saveNote();
      added.value = ""; // half a tag of the trial that was shown before
    }
    if (painted !== number || knownNote !== model.get("note")) {
      knownNote = model.get("note");
      sentNote = null;
    }
    // A note that somebody is writing stays as it is.
    if (painted !== number || document.activeElement !== note) {
      painted = number;
      note.defaultValue = sentNote ?? knownNote;
      note.value = note.defaultValue;
    }
    note.readOnly = (commands.set_note ?? null) !== null;
    setReason(note, commands.set_note ?? null);
    const off = commands.set_tags ?? null;
    added.readOnly = off !== null;
    setReason(added, off);
    for (const chip of setKeys(words, model.get("tags"), makeChip)) {
      setReason(chip, off);
    }
  };

  chips.append(words, added);
  note.addEventListener("change", saveNote);
  lifetime.atEnd(saveNote);
  // A field that a page is closed over is not left first.
  window.addEventListener("pagehide", saveNote, { signal: lifetime.signal });
  added.addEventListener("keydown", (event) => {
    const tag = added.value.trim();
    // Enter also ends the word that an input method composes.
    if (event.key === "Enter" && !event.isComposing && tag !== "" && !added.readOnly) {
      event.preventDefault();
      sendTag(tag, true);
      added.value = "";
    }
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(paintedDict);
      setText(copy, "Copied");
    } catch {
      // Not allowed, or no clipboard in a page that does not come over https.
      setText(copy, "This page may not copy");
    }
    lifetime.after(2000, () => setText(copy, "Copy as dict"));
  });

  const paint = (): void => {
    const number = model.get("number");
    if (root.hidden !== (number === null)) {
      root.hidden = number === null;
      // A figure beside the details hears of its new width in no other way.
      lifetime.after(0, () => window.dispatchEvent(new Event("resize")));
    }
    const word = model.get("state");
    setText(title, `Trial #${number}`);
    setAttribute(root, "aria-label", `Details of trial ${number}`);
    setText(state, word && `${SHAPES[word] ?? ""} ${word}`);
    state.className = word === "failed" ? "hpo-bad" : "";
    retry.hidden = !ENDED.has(word);
    setReason(retry, model.get("commands").retry ?? null);
    vary.hidden = word === "";
    setReason(
      vary,
      model.get("commands").enqueue_trial ?? null,
      "Open a form with these values, to be changed and queued next",
    );
    setText(sentence, model.get("sentence"));
    sentence.className = `hpo-details-sentence ${word === "failed" ? "hpo-bad" : "hpo-muted"}`;
    paintTable(parameters, model.get("parameters"));
    paintTable(scalars, model.get("scalars"));
    paintCurves(scalars, model.get("curves"));
    paintRemarks();
    paintedDict = model.get("as_dict");
    copy.hidden = paintedDict === "";
    page.hidden = !/^https?:/.test(model.get("page"));
    setAttribute(page, "href", page.hidden ? null : model.get("page"));
    paintTable(times, model.get("times"));
    paintText(traceback, model.get("traceback"));
    setText(log.heading, word === "running" ? "Output so far" : "Output");
    paintGrowing(log, model.get("log"));
  };

  retry.addEventListener("click", () => {
    if (!isDisabled(retry)) {
      model.send({ kind: "retry", number: painted });
    }
  });

  vary.addEventListener("click", () => {
    if (!isDisabled(vary)) {
      model.send({ kind: "vary", number: painted });
    }
  });

  lifetime.paintOnChange(model, paint);
  el.append(root);
  return lifetime.end;
};

export default { initialize, render };
