// The form for a new search. What can be searched, what is wrong and how the code reads is said by the kernel of the
// chosen notebook; the form shows it, and sends back what a person has changed.

import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import {
  element,
  inOrder,
  isDisabled,
  isRepeatedClick,
  makeButton,
  setAttribute,
  setReason,
  setText,
} from "../lib/dom";
import { fileName } from "./entries";
import { searchIcon } from "./icons";
import { KernelQuestions, Refusal } from "./kernel_questions";
import { Choices, type Source, type SourceKind } from "./new_search_choices";
import { choiceField, optionsOf, type Row, RowView, textField } from "./new_search_row";
import type { OpenNotebook } from "./open_notebooks";
import "./new_search.css";

/** What the form needs of the application. */
interface FormHost {
  notebooks(): OpenNotebook[];
  /** Opens a new notebook. */
  create(): Promise<void>;
  write(notebook: OpenNotebook, code: string, run: boolean): Promise<void>;
  /** Brings the form to the front. */
  show(): void;
  /** Closes the form; the focus goes to a notebook, or back to where it was. */
  leave(notebook: OpenNotebook | null): void;
}

type Functions = {
  functions: { name: string; signature: string }[];
  strategies: Record<string, string>;
  trials: number;
  workers: number;
  example: string;
};
type Proposed = {
  rows: Row[];
  takes_more: boolean;
  about: string;
  sign: string;
};
type Written = { code: string; errors: Record<string, string> };

const RETURNS: Readonly<Record<SourceKind, string>> = {
  function:
    "Left empty: the number that the function returns. If it reports with trial.report_scalar, or returns a dict, name one of these scalars.",
  script:
    'A scalar that the script reports: hpo_widgets.report_scalar("validation", "loss", value).',
  task: "A scalar that the Task reports, as title/series.",
};
/** Milliseconds for which an answer waits at most for the release of the pointer, which the page may never hear of. */
const ANSWER_WAITS_MS = 5000;
const RESTARTS: readonly Kernel.Status[] = ["restarting", "autorestarting"];

let numFields = 0;

/** A field with its label, what there is to say of it, and what is wrong with it. */
class Field<Control extends HTMLElement> {
  readonly root = element("div", "hpo-new-field");
  private readonly hint = element("span", "hpo-muted hpo-new-hint hpo-optional");
  private readonly error = element("span", "hpo-bad hpo-new-error hpo-optional");

  constructor(
    label: string,
    readonly control: Control,
    ...beside: HTMLElement[]
  ) {
    numFields += 1;
    const id = `hpo-new-field-${numFields}`;
    control.id = id;
    this.hint.id = `${id}-hint`;
    this.error.id = `${id}-error`;
    control.setAttribute("aria-describedby", `${this.error.id} ${this.hint.id}`);
    const words = element("label", "", { for: id }, label);
    const line = element("span", "hpo-new-line", {}, control, ...beside);
    this.root.append(words, line, this.error, this.hint);
  }

  say(hint: string): void {
    setText(this.hint, hint);
  }

  showError(message: string | undefined): void {
    setAttribute(this.control, "aria-invalid", message === undefined ? null : "true");
    setText(this.error, message ?? "");
  }
}

export class NewSearchForm extends Widget {
  private readonly newNotebook = makeButton("New notebook");
  private readonly example = makeButton("Write an example");
  private readonly notebook = new Field("Notebook", element("select"), this.newNotebook);
  private readonly kind = new Field(
    "A trial runs",
    choiceField({ function: "a function", script: "a Python script", task: "a ClearML Task" }),
  );
  private readonly function = new Field("Function", element("select"), this.example);
  private readonly script = new Field("Script", textField("train.py"));
  private readonly task = new Field("Task", textField("id, or project/name"));
  private readonly sources: Readonly<
    Record<SourceKind, Field<HTMLInputElement | HTMLSelectElement>>
  > = { function: this.function, script: this.script, task: this.task };
  private readonly rows = element("div", "hpo-new-rows");
  private readonly rowsError = element("span", "hpo-bad hpo-new-error hpo-optional");
  private readonly add = makeButton("Add a parameter");
  private readonly objective = new Field("Objective", textField(""));
  private readonly sign = new Field("Goal", choiceField({ min: "minimise", max: "maximise" }));
  private readonly strategy = new Field("Strategy", element("select"));
  private readonly trials = new Field("Trials", textField(""));
  private readonly workers = new Field("At once", textField(""));
  private readonly code = element("pre", "hpo-listing hpo-new-code", {
    tabindex: "0",
    role: "region",
    "aria-label": "The cell that is written",
    "data-lm-suppress-shortcuts": "true",
  });
  private readonly status = element("span", "hpo-new-status hpo-muted", { role: "status" });
  private readonly write = makeButton("Write the cell");
  private readonly run = makeButton("Write and run", "hpo-main");
  private readonly rest = element("div", "hpo-new-rest");

  private chosen: OpenNotebook | null = null;
  private questions: KernelQuestions | null = null;
  private proposed: RowView[] = [];
  private functions: Functions["functions"] = [];
  private exampleText = "";
  private errors: Record<string, string> = {};
  /** Number of the newest change; an answer to an older one is not shown. */
  private change = 0;
  private answered = 0;
  /** The change with which the cell that is shown was written: another one where the kernel refused to write it. */
  private shown = 0;
  private asking: Promise<void> | null = null;
  private endListening: () => void = () => undefined;
  /** What the rows were proposed for. */
  private proposedFor = "";
  private choices = new Choices<RowView>();
  /** The function that was shown at first, or that a person has chosen: a restart takes it away for a while. */
  private meant = "";
  /** Whether the kernel runs a cell; null before the first one that began or ended under the form. */
  private runsCell: boolean | null = null;
  private numUnanswered = 0;
  /** Resolves when no pointer is pressed: an answer that moved a button under it would take the press away from it. */
  private released = Promise.resolve();

  constructor(private readonly host: FormHost) {
    super();
    this.id = "hpo-widgets-new-search";
    this.title.icon = searchIcon;
    this.title.label = "New search";
    this.title.closable = true;
    this.addClass("hpo-part");
    this.addClass("hpo-new");
    this.node.tabIndex = -1;
    this.node.setAttribute("role", "form");
    this.node.setAttribute("aria-label", "New search");

    const heading = element("h2", "hpo-heading", {}, "New search");
    const close = makeButton("✕", "hpo-close", { "aria-label": "Close" });
    const limits = element("div", "hpo-new-pair", {}, this.trials.root, this.workers.root);
    this.rest.append(
      element(
        "div",
        "",
        {},
        this.kind.root,
        ...Object.values(this.sources).map(({ root }) => root),
      ),
      section("Parameters", this.rows, this.rowsError, this.add),
      section("Search", this.objective.root, this.sign.root, this.strategy.root, limits),
    );
    const form = element("div", "hpo-new-fields", {}, this.notebook.root, this.rest);
    this.node.append(
      element("div", "hpo-new-head", {}, heading, close),
      element("div", "hpo-new-body", {}, form, section("Cell", this.code)),
      element("div", "hpo-new-foot", {}, this.run, this.write, this.status),
    );

    close.addEventListener("click", () => this.host.leave(null));
    this.node.addEventListener("pointerdown", ({ button, target }) => {
      // The release of a press that opens a list or a menu goes to that.
      if (button === 0 && !(target instanceof HTMLSelectElement)) {
        this.released = released();
      }
    });
    onPress(this.newNotebook, () => this.makeNotebook());
    onPress(this.example, () => this.writeExample());
    this.notebook.control.addEventListener("change", () => {
      this.choose(
        this.host.notebooks().find(({ panel }) => panel.id === this.notebook.control.value),
      );
    });
    this.kind.control.addEventListener("change", () => this.propose());
    this.function.control.addEventListener("change", () => {
      this.meant = this.function.control.value;
      this.propose();
    });
    // A path or an id is looked up when it has been typed.
    this.script.control.addEventListener("change", () => this.propose());
    this.task.control.addEventListener("change", () => this.propose());
    for (const { control } of [this.script, this.task, this.objective, this.trials, this.workers]) {
      control.addEventListener("input", this.changed);
    }
    this.sign.control.addEventListener("change", () => {
      this.choices.setGoal(this.sign.control.value, this.source);
      this.meant = this.function.control.value || this.meant;
    });
    for (const { control } of [this.sign, this.strategy]) {
      control.addEventListener("change", this.changed);
    }
    this.add.addEventListener("click", () => this.addRow());
    const finish = onceAtATime((run: boolean) => this.writeAndLeave(run));
    this.write.addEventListener("click", () => finish(false));
    this.run.addEventListener("click", () => finish(true));
    this.paint();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.disconnect();
      super.dispose();
    }
  }

  /** The notebooks have changed; `current` is the one that a person works in. */
  look(current?: OpenNotebook): void {
    const open = this.host.notebooks();
    const options = open.map(({ panel: { id: value }, context: { path: title } }) =>
      element("option", "", { value, title }, title),
    );
    this.notebook.control.replaceChildren(...options);
    const kept = open.find((one) => one.panel === this.chosen?.panel);
    const next = kept ?? current ?? open[0];
    this.notebook.control.value = next?.panel.id ?? "";
    if (next?.panel !== this.chosen?.panel || !next) {
      this.choose(next);
    }
    this.paint();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    const focused = document.activeElement;
    if (!this.node.contains(focused) || focused === this.node) {
      this.first.focus();
    }
  }

  private get first(): HTMLElement {
    return this.chosen ? this.kind.control : this.newNotebook;
  }

  private get source(): Source {
    const kind = this.kind.control.value as SourceKind;
    return { kind, text: this.sources[kind].control.value };
  }

  /** What rows are proposed for: another signature of a function has others. */
  private get wanted(): string {
    const { kind, text } = this.source;
    return JSON.stringify([kind, text, kind === "function" ? this.signatureOf(text) : ""]);
  }

  private signatureOf(name: string): string {
    return this.functions.find((one) => one.name === name)?.signature ?? "";
  }

  private async makeNotebook(): Promise<void> {
    this.say("Opens a notebook …");
    try {
      await this.host.create();
    } finally {
      // Where none could be made JupyterLab says why; of one that was made its kernel is waited for.
      if (!this.chosen) {
        this.say("");
      }
    }
    this.host.show();
  }

  private async writeExample(): Promise<void> {
    if (this.chosen) {
      await this.host.write(this.chosen, this.exampleText, true);
      this.host.show();
    }
  }

  private choose(notebook: OpenNotebook | undefined): void {
    this.disconnect();
    this.chosen = notebook ?? null;
    this.functions = [];
    this.exampleText = "";
    this.proposedFor = "";
    this.meant = "";
    this.choices = new Choices();
    this.showRows([]);
    this.showWritten({ code: "", errors: {} });
    if (notebook) {
      this.listen(notebook);
      void this.connect();
    }
    this.paint();
  }

  private disconnect(): void {
    this.endListening();
    this.endListening = () => undefined;
    this.questions?.dispose();
    this.questions = null;
    this.runsCell = null;
    this.change += 1;
  }

  /** Follows the kernel: another one, its restart, and each cell that ends, as it may have defined something. */
  private listen({ context }: OpenNotebook): void {
    const { sessionContext } = context;
    let hasGone = false;
    const again = (): void => {
      this.runsCell = null;
      this.questions?.dispose();
      this.questions = null;
      void this.connect();
    };
    const onStatus = (_context: unknown, status: Kernel.Status): void => {
      if (RESTARTS.includes(status)) {
        hasGone = true;
      } else if (hasGone && status === "idle") {
        hasGone = false;
        again();
      }
    };
    const onMessage = (_context: unknown, message: KernelMessage.IMessage): void => {
      const parent = message.parent_header as { msg_type?: string; msg_id?: string };
      const { execution_state } = message.content as { execution_state?: string };
      const isCell =
        parent.msg_type === "execute_request" && !this.questions?.isOwn(parent.msg_id ?? "");
      if (isCell && execution_state === "busy") {
        this.runsCell = true;
        this.sayWaiting();
      } else if (isCell && execution_state === "idle") {
        this.runsCell = false;
        void this.readFunctions();
      }
    };
    sessionContext.kernelChanged.connect(again);
    sessionContext.statusChanged.connect(onStatus);
    sessionContext.iopubMessage.connect(onMessage);
    this.endListening = () => {
      sessionContext.kernelChanged.disconnect(again);
      sessionContext.statusChanged.disconnect(onStatus);
      sessionContext.iopubMessage.disconnect(onMessage);
    };
  }

  private async connect(): Promise<void> {
    const { chosen } = this;
    if (!chosen) {
      return;
    }
    this.say(`Waits for the kernel of ${fileName(chosen.context.path)} to start.`);
    await chosen.context.sessionContext.ready;
    const kernel = chosen.context.sessionContext.session?.kernel;
    if (chosen !== this.chosen || this.questions) {
      return;
    }
    if (!kernel) {
      this.say(`${fileName(chosen.context.path)} has no kernel: start one by the menu Kernel.`);
      return;
    }
    const questions = new KernelQuestions(kernel);
    this.questions = questions;
    const info = await kernel.info.catch(() => null);
    if (questions !== this.questions) {
      return;
    }
    if (info && info.language_info.name !== "python") {
      this.say(`The kernel of ${fileName(chosen.context.path)} is not a Python kernel.`);
      return;
    }
    await this.readFunctions();
  }

  private async readFunctions(): Promise<void> {
    const meanwhile = this.exampleText ? "" : "Reads what the notebook has defined …";
    const found = (await this.ask({ kind: "functions" }, meanwhile)) as Functions | null;
    if (!found) {
      return;
    }
    const before = this.function.control.value;
    this.functions = found.functions;
    this.exampleText = found.example;
    // The newest is most likely meant.
    const names = found.functions.map(({ name }) => name);
    this.function.control.replaceChildren(
      ...names.map((name) => element("option", "", { value: name }, name)),
    );
    this.function.control.value =
      [this.meant, before].find((name) => names.includes(name)) ?? names.at(-1) ?? "";
    this.meant ||= this.function.control.value;
    if (this.strategy.control.options.length === 0) {
      this.strategy.control.replaceChildren(...optionsOf(found.strategies));
      this.trials.control.value ||= String(found.trials);
      this.workers.control.placeholder = String(found.workers);
    }
    if (this.proposedFor !== this.wanted) {
      this.propose();
    } else {
      this.changed();
    }
    this.paint();
  }

  private propose(): void {
    this.paint();
    const { source } = this;
    this.proposedFor = this.wanted;
    this.choices.turnTo(source, this.meant);
    this.showRows([]);
    if (!source.text) {
      this.changed();
      return;
    }
    const meanwhile = source.kind === "task" ? "Reads the Task from the ClearML server …" : "";
    // The cell that is shown is another source's.
    this.change += 1;
    void this.ask({ kind: "propose", source }, meanwhile).then((answer) => {
      const found = answer as Proposed | null;
      if (JSON.stringify(source) !== JSON.stringify(this.source)) {
        return;
      }
      if (!found) {
        // It is asked for again after the next cell.
        this.proposedFor = "";
        return;
      }
      this.showRows(found.rows);
      this.add.hidden = !found.takes_more;
      this.sign.control.value = this.choices.present.goal ?? found.sign;
      this.sources[source.kind].say(
        [source.kind === "function" ? this.signatureOf(source.text) : "", found.about]
          .filter(Boolean)
          .join(" — "),
      );
      this.changed();
    });
  }

  /** Shows what is proposed; rows that a person has added stay, and one of them may have the focus. */
  private showRows(rows: readonly Row[]): void {
    const { present } = this.choices;
    const focused = present.added.find(({ root }) => root.contains(document.activeElement));
    this.proposed = this.choices.settle(rows).map((row) => {
      const changed = (): void => {
        present.rows.set(row.name, row);
        this.meant = this.function.control.value || this.meant;
        this.changed();
      };
      return new RowView(row, changed, null);
    });
    inOrder(
      this.rows,
      this.views.map(({ root }) => root),
    );
    if (focused && !present.added.includes(focused)) {
      this.proposed.find(({ row }) => row.name === focused.row.name)?.focus();
    }
    this.add.hidden = this.source.kind === "function";
  }

  private get views(): RowView[] {
    return [...this.proposed, ...this.choices.present.added];
  }

  private addRow(): void {
    const row: Row = {
      name: "",
      kind: "float",
      low: "",
      high: "",
      choices: "",
      options: null,
      chosen: [],
      searched: true,
      required: false,
      default: null,
      note: "",
    };
    const { present } = this.choices;
    const view: RowView = new RowView(row, this.changed, () => {
      present.added = present.added.filter((one) => one !== view);
      view.root.remove();
      this.add.focus();
      this.changed();
    });
    present.added.push(view);
    this.rows.append(view.root);
    view.focus();
    this.changed();
  }

  /** Has the cell written anew; of several changes in a row only the last is asked for. */
  private readonly changed = (): void => {
    this.change += 1;
    this.askOnce();
  };

  private askOnce(): void {
    this.asking ??= this.askForCode().finally(() => {
      this.asking = null;
      if (this.questions && this.answered !== this.change) {
        this.askOnce();
      }
    });
  }

  private async askForCode(): Promise<void> {
    while (this.questions && this.answered !== this.change) {
      const change = this.change;
      const form = {
        source: this.source,
        rows: this.views.map(({ row }) => row),
        objective: this.objective.control.value,
        sign: this.sign.control.value,
        strategy: this.strategy.control.value,
        trials: this.trials.control.value,
        workers: this.workers.control.value,
      };
      const written = (await this.ask({ kind: "write", form })) as Written | null;
      this.answered = change;
      if (written && change === this.change) {
        this.shown = change;
        this.showWritten(written);
      }
    }
  }

  /** The kernel's answer; null when it gives none, which is told, or when it is asked no more. */
  private async ask(question: object, meanwhile = ""): Promise<unknown> {
    const { questions, chosen } = this;
    if (!questions || !chosen) {
      return null;
    }
    this.say(meanwhile);
    this.numUnanswered += 1;
    this.sayWaiting();
    try {
      const answer = await questions.ask(question);
      await this.released;
      if (questions !== this.questions) {
        return null;
      }
      this.say("");
      return answer;
    } catch (error) {
      if (questions === this.questions && !this.isDisposed) {
        this.say(refused(error, fileName(chosen.context.path)));
      }
      return null;
    } finally {
      this.numUnanswered -= 1;
    }
  }

  /** Says what a question waits for: a kernel that answers nothing beside the cell that it runs. */
  private sayWaiting(): void {
    const { questions, chosen } = this;
    const isBusy =
      this.runsCell ?? chosen?.context.sessionContext.session?.kernel?.status === "busy";
    if (chosen && questions && this.numUnanswered > 0 && isBusy && !questions.answersBesideCell) {
      const name = fileName(chosen.context.path);
      this.say(
        `Waits for the running cell in ${name}: this kernel does not answer while a cell runs (ipykernel 7 does).`,
      );
    }
  }

  private showWritten({ code, errors }: Written): void {
    this.errors = errors;
    setText(this.code, code);
    const hasFunction = this.source.kind === "function" && this.functions.length > 0;
    this.function.showError(hasFunction ? errors.source : undefined);
    for (const kind of ["script", "task"] as const) {
      this.sources[kind].showError(this.source.kind === kind ? errors.source : undefined);
    }
    this.objective.showError(errors.objective);
    this.trials.showError(errors.trials);
    this.workers.showError(errors.workers);
    setText(this.rowsError, errors.rows ?? "");
    for (const [index, view] of this.views.entries()) {
      const start = `rows.${index}.`;
      view.showErrors(
        Object.fromEntries(
          Object.entries(errors)
            .filter(([name]) => name.startsWith(start))
            .map(([name, message]) => [name.slice(start.length), message]),
        ),
      );
    }
    const count = Object.keys(errors).length;
    const reason = code
      ? null
      : count > 0
        ? `${count === 1 ? "One field needs" : `${count} fields need`} a change first.`
        : "There is nothing to write yet.";
    setReason(this.write, reason);
    setReason(this.run, reason);
    this.code.classList.toggle("hpo-new-nothing", code === "");
    if (!code) {
      setText(this.code, reason ?? "");
    }
  }

  private async writeAndLeave(run: boolean): Promise<void> {
    // A change of the last instant belongs to the cell. What was refused is asked for again; another refusal is told.
    if (!this.asking && this.shown !== this.change) {
      this.changed();
    }
    await this.asking;
    if (this.isDisposed || this.shown !== this.change) {
      return;
    }
    const { chosen } = this;
    if (Object.keys(this.errors).length > 0) {
      this.node.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
      return;
    }
    if (!chosen || isDisabled(this.write)) {
      return;
    }
    const code = this.code.textContent ?? "";
    await this.host.write(chosen, code, run);
    this.host.leave(chosen);
  }

  private say(words: string): void {
    setText(this.status, words);
  }

  private paint(): void {
    const { kind } = this.source;
    this.rest.hidden = !this.chosen;
    this.notebook.control.hidden = !this.chosen;
    this.notebook.say(
      this.chosen
        ? ""
        : "No notebook is open. The search is a cell of a notebook: open one, or make a new one.",
    );
    for (const [name, { root }] of Object.entries(this.sources)) {
      root.hidden = name !== kind;
    }
    const isWithout = this.functions.length === 0;
    this.function.control.hidden = isWithout;
    this.example.hidden = !isWithout || !this.exampleText;
    if (isWithout) {
      this.function.say(
        // With its answer the kernel tells of an example.
        this.exampleText &&
          "No function in this kernel yet: run the cell that defines one, and it is listed here at once. " +
            "A trial calls it with a value for each parameter; it returns a number.",
      );
    }
    this.objective.say(RETURNS[kind]);
    this.objective.control.placeholder =
      kind === "function" ? "what it returns" : "validation/loss";
  }
}

/** Resolves after the click of the pointer that is pressed now. */
function released(): Promise<void> {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const end = (): void => {
      listening.abort();
      // The click comes after the release.
      setTimeout(resolve);
    };
    setTimeout(end, ANSWER_WAITS_MS);
    for (const type of ["pointerup", "pointercancel"]) {
      window.addEventListener(type, end, { signal: listening.signal });
    }
  });
}

function refused(error: unknown, notebook: string): string {
  if (!(error instanceof Refusal)) {
    return `The kernel of ${notebook} has ended.`;
  }
  if (error.kind === "ModuleNotFoundError") {
    return `The kernel of ${notebook} does not have this version of hpo_widgets: install it there.`;
  }
  return error.kind
    ? `The kernel of ${notebook} cannot answer: ${error.kind}: ${error.message}`
    : `The kernel of ${notebook} cannot answer: ${error.message}`;
}

function section(title: string, ...children: HTMLElement[]): HTMLElement {
  const heading = element("h3", "hpo-heading hpo-side-heading", {}, title);
  return element("section", "hpo-new-section", { "aria-label": title }, heading, ...children);
}

/** A double click is one press. */
function onPress(button: HTMLElement, act: () => Promise<void>): void {
  const once = onceAtATime(act);
  button.addEventListener("click", (event) => {
    if (!isRepeatedClick(event)) {
      once();
    }
  });
}

/** As `act`, but a call does nothing until what an earlier one has begun is done. */
function onceAtATime<Argument extends unknown[]>(
  act: (...args: Argument) => Promise<void>,
): (...args: Argument) => void {
  let isActing = false;
  return async (...args) => {
    if (!isActing) {
      isActing = true;
      await act(...args).finally(() => {
        isActing = false;
      });
    }
  };
}
