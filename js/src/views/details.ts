// The details of the selected trial. Only shows, but for Retry.

import "./details.css";
import { makeDataTable, paintDataTable } from "../controls/data_table";
import {
  element,
  isCopied,
  isRepeatedClick,
  makeButton,
  onPress,
  setAttribute,
  setKeys,
  setName,
  setReason,
  setText,
} from "../lib/dom";
import { focusedElement } from "../lib/focus";
import { setShape, stretchedDrawing, svgElement } from "../lib/svg";
import { LEFT_OUT, SHAPES } from "../lib/trial_states";
import { view } from "../lib/view";

type Model = {
  number: number | null;
  num_selected: number;
  state: string;
  result: string;
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

const ENDED = new Set(["completed", "failed", "aborted", "pruned", LEFT_OUT]);

interface Section {
  root: HTMLElement;
  heading: HTMLElement;
  body: HTMLElement;
}

function makeSection(word: string, className: string, body: HTMLElement): Section {
  const heading = element("h3", "", {}, word);
  const root = element("section", className, { "aria-label": word }, heading, body);
  return { root, heading, body };
}

function makeTable(word: string, className = ""): Section {
  const table = makeDataTable();
  table.setAttribute("aria-label", word);
  return makeSection(word, className, table);
}

function makeText(word: string): Section {
  const body = element("pre", "", { tabindex: "0", dir: "auto", "aria-label": word });
  return makeSection(word, "hpo-wide", body);
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

/** Writes a cell: names are long, and end their lines where their words end. */
function paintCell(cell: HTMLElement, text: string, place: number): void {
  (place === 0 ? setName : setText)(cell, text);
}

function paintTable({ root, body }: Section, rows: string[][]): void {
  root.hidden = rows.length === 0;
  paintDataTable(body, [], rows, paintCell);
}

const SCALAR_COLUMNS = ["", "last", "min", "max", "reports", "curve"].map((label) => ({
  label,
  is_number: false,
}));

/** Draws the curve of each scalar at the end of its line. */
function paintScalars({ root, body }: Section, rows: string[][], curves: string[]): void {
  root.hidden = rows.length === 0;
  const withCurves = rows.map((row, index) => [...row, curves[index] ?? ""]);
  paintDataTable(body, SCALAR_COLUMNS, withCurves, (cell, text, place) => {
    if (place < SCALAR_COLUMNS.length - 1) {
      paintCell(cell, text, place);
      return;
    }
    if (cell.firstElementChild === null) {
      cell.classList.add("hpo-curve");
      cell.append(stretchedDrawing("", "-2 -6 104 112", svgElement("path")));
    }
    setShape(cell.querySelector("path") as SVGPathElement, text);
  });
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

export default view<Model>(({ model, el, lifetime }) => {
  el.classList.add("hpo-details-host");
  const title = element("b");
  const state = element("span");
  const among = element("div", "hpo-muted");
  const retry = makeButton("Retry", "hpo-details-asking");
  const stop = makeButton("Stop trial", "hpo-details-asking");
  const vary = makeButton("Try a variation", "hpo-details-asking");
  const leave = makeButton("Leave out", "hpo-details-asking");
  const copy = makeButton("Copy as dict");
  const page = element("a", "", { target: "_blank", rel: "noopener noreferrer" }, "Task ↗");
  const result = element("div", "hpo-details-result", { dir: "auto" });
  const sentence = element("div", "hpo-details-sentence", { dir: "auto" });
  const parameters = makeTable("Parameters");
  const scalars = makeTable("Scalars", "hpo-scalars hpo-wide");
  const times = makeTable("Times");
  const traceback = makeText("Traceback");
  const log = makeGrowingText("Output");
  const note = element("textarea", "", {
    "aria-label": "Note",
    rows: "2",
    dir: "auto",
    maxlength: MOST_NOTE,
  });
  const words = element("div", "hpo-tag-words");
  const added = element("input", "", {
    "aria-label": "Add a tag",
    placeholder: "+ tag",
    dir: "auto",
    maxlength: MOST_TAG,
  });
  const remarks = makeSection("Note and tags", "hpo-remarks", note);
  remarks.root.append(element("div", "hpo-tags", {}, words, added));
  const sections = [parameters, remarks, times, scalars, traceback, log];
  const root = element(
    "div",
    "hpo-part hpo-details",
    { role: "region" },
    // Stop, Retry and Leave out are the last buttons, as they come and go and would move the others.
    element("div", "hpo-details-head", {}, title, state, vary, copy, stop, retry, leave, page),
    result,
    among,
    sentence,
    element("div", "hpo-details-sections", {}, ...sections.map((section) => section.root)),
  );
  el.append(root);

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
    const chip = makeButton(`${tag} ✕`, "hpo-tag", { "aria-label": `Remove the tag ${tag}` });
    onPress(chip, () => sendTag(tag, false));
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
    if (painted !== number || focusedElement() !== note) {
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

  note.addEventListener("change", saveNote);
  note.addEventListener("blur", () => {
    // What came from elsewhere while it was only looked at.
    if (note.value === note.defaultValue) {
      paintRemarks();
    }
  });
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
    setText(copy, (await isCopied(paintedDict)) ? "Copied" : "This page may not copy");
    lifetime.after(2000, () => setText(copy, "Copy as dict"));
  });

  for (const [button, kind] of [
    [stop, "stop"],
    [retry, "retry"],
  ] as const) {
    onPress(button, (event) => {
      // By the second click of a double click on Stop, Retry is in its place.
      if (!isRepeatedClick(event)) {
        model.send({ kind, number: painted });
      }
    });
  }
  onPress(leave, (event) => {
    // By the second click of a double click it may be Take back.
    if (!isRepeatedClick(event)) {
      const isLeftOut = model.get("state") === LEFT_OUT;
      model.send({ kind: isLeftOut ? "take_back" : "leave_out", number: painted });
    }
  });
  onPress(vary, () => model.send({ kind: "vary", number: painted }));

  return () => {
    const number = model.get("number");
    root.hidden = number === null;
    const word = model.get("state");
    setText(title, `Trial #${number}`);
    setAttribute(root, "aria-label", `Details of trial ${number}`);
    setText(state, word && `${SHAPES[word] ?? ""} ${word}`);
    state.className = word === "failed" ? "hpo-bad" : "";
    const numSelected = model.get("num_selected");
    setText(among, numSelected > 1 ? `the last of ${numSelected} selected trials` : "");
    among.hidden = numSelected < 2;
    stop.hidden = word === "" || ENDED.has(word);
    setReason(
      stop,
      model.get("commands").stop_trial ?? null,
      "End this trial now; it counts as aborted, and the search goes on",
    );
    retry.hidden = !ENDED.has(word);
    setReason(retry, model.get("commands").retry ?? null);
    const isLeftOut = word === LEFT_OUT;
    leave.hidden = !ENDED.has(word);
    setText(leave, isLeftOut ? "Take back" : "Leave out");
    setReason(
      leave,
      model.get("commands")[isLeftOut ? "take_back" : "leave_out"] ?? null,
      isLeftOut
        ? "Have this trial count again"
        : "For a wrong result: the trial stays, but it is not ranked, and the strategy forgets it",
    );
    vary.hidden = word === "";
    setReason(
      vary,
      model.get("commands").enqueue_trial ?? null,
      "Open a form with these values, to be changed and queued next",
    );
    setText(result, model.get("result"));
    setText(sentence, model.get("sentence"));
    sentence.className = `hpo-details-sentence ${word === "failed" ? "hpo-bad" : "hpo-muted"}`;
    paintTable(parameters, model.get("parameters"));
    paintScalars(scalars, model.get("scalars"), model.get("curves"));
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
});
