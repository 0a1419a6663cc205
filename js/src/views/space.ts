// The space panel: a control for the range of each parameter. One gesture becomes one message.

import { ChoiceControl, type ChoiceSpec } from "../controls/choice_control";
import { paintNeeds } from "../controls/parameter";
import { type Bins, type Drawn, PriorStrip, type Weights } from "../controls/prior_strip";
import { RangeControl } from "../controls/range_control";
import type { WidenSuggestion } from "../controls/tried_values";
import type { Answer } from "../controls/typed_field";
import { PATIENCE_MS } from "../lib/connection";
import { element, isDisabled, letterOf, makeButton, setReason, setText } from "../lib/dom";
import { own } from "../lib/own";
import { whenInPanel } from "../lib/panel";
import {
  type Preview,
  type Range,
  type RangeChange,
  withChoices,
  withEnds,
} from "../lib/range_change";
import { type Bounds, format, type NumericSpec, Scale } from "../lib/scale";
import { type ViewContext, view } from "../lib/view";
import "./space.css";

type Spec = NumericSpec | ChoiceSpec;

type Model = {
  parameters: Spec[];
  /** What points have to meet; empty: nothing. */
  constraint: string;
  ranges: Record<string, Range>;
  commands: Record<string, string | null>;
  /** Number of the newest message whose outcome `ranges` and `priors` show. */
  answered: number;
  /** What the kernel says to the newest choice that was typed. */
  answer: Answer;
  /** What was drawn, by name: a weight a bin, from 0 to 1. */
  priors: Record<string, Weights>;
  /** The power, 0 to 1, by which a prior still counts. */
  prior_exponents: Record<string, number>;
  /** How often each bin was tried, a digit a bin, where the strip is open. */
  histograms: Record<string, string>;
  /** What was brushed in a plot, by name: a range, and what it says in words. */
  preview: Record<string, Preview>;
  /** What `undo`, `redo` and `reset` will do, in words. */
  undo_labels: Record<string, string>;
  best: { name: string; point: (number | null)[] } | Record<string, never>;
  widen_suggestions: WidenSuggestion[];
  /** What an advice would leave of ranges. */
  advised: Record<string, Range>;
  /** Where each parameter was drawn recently; see `RecentSamples`. */
  recent_samples: string[];
  /** By the parameter's place: the text of its rug, or the trials of each choice. */
  [tried: `tried_${number}`]: string | number[] | undefined;
};

type Control = { spec: Spec; shown: RangeControl | ChoiceControl; strip: PriorStrip };

/** Keys and clicks that follow each other this fast are one gesture. */
const GESTURE_MS = 1000;

/** With more parameters than this a field finds those whose name holds what is typed. */
const MOST_AT_A_GLANCE = 12;

const BUTTONS = [
  { kind: "undo", text: "↶ undo", label: "Undo the last change of ranges" },
  { kind: "redo", text: "↷ redo", label: "Redo the change of ranges" },
  { kind: "reset", text: "reset", label: "Reset all ranges to those of the start" },
] as const;

/** What a gesture has set, by name; a prior of null is taken away. */
interface Gathered {
  ranges: Map<string, RangeChange>;
  priors: Map<string, Drawn | null>;
}

/** What was sent by any view of one panel and not yet answered: shown by all, instead of what the kernel had before. */
class Sent {
  readonly ranges = new Map<string, { id: number; change: RangeChange }>();
  readonly priors = new Map<string, { id: number; prior: Drawn | null }>();
  /** Called when a view has sent something. */
  readonly listeners = new Set<() => void>();
  private newest = 0;

  add({ ranges, priors }: Gathered, answered: number): number {
    // The id is above all that were answered, even where another page's clock is ahead of this one's.
    this.newest = Math.max(Date.now(), answered + 1, this.newest + 1);
    for (const [name, change] of ranges) {
      const before = this.ranges.get(name)?.change;
      this.ranges.set(name, { id: this.newest, change: { ...before, ...change } });
    }
    for (const [name, prior] of priors) {
      this.priors.set(name, { id: this.newest, prior });
    }
    return this.newest;
  }

  forgetUpTo(answered: number): void {
    for (const kind of [this.ranges, this.priors]) {
      for (const [name, { id }] of kind) {
        if (id <= answered) {
          kind.delete(name);
        }
      }
    }
  }

  forget(): void {
    this.ranges.clear();
    this.priors.clear();
  }
}

/** The bins in which the prior of a parameter is drawn. */
function binsOf(spec: Spec): Bins {
  if (spec.kind === "choice") {
    const { choices } = spec;
    return {
      count: choices.length,
      layout: "columns",
      name: (index) => choices[index] ?? "",
      track: null,
    };
  }
  const scale = new Scale(spec);
  const count = spec.bins;
  const track: Bounds = [spec.low, spec.high];
  if (scale.steps(track)?.length === count) {
    return {
      count,
      layout: "steps",
      name: (index) => format(scale.near(index / (count - 1), count)),
      track,
    };
  }
  const end = (index: number): string => format(scale.near(index / count, count));
  return { count, layout: "curve", name: (index) => `${end(index)} … ${end(index + 1)}`, track };
}

function make({ model, el, lifetime }: ViewContext<Model>, sent: Sent): () => void {
  const buttons = BUTTONS.map(({ kind, text, label }) => {
    const button = makeButton(text, "hpo-link", { "aria-label": label });
    button.addEventListener("click", () => command(kind, button));
    return { kind, button };
  });
  const tools = element("span", "hpo-tools", {}, ...buttons.map(({ button }) => button));
  const title = element("h3", "hpo-heading", {}, "Space");
  const head = element("div", "hpo-space-head", {}, title, tools);
  const list = element("div", "hpo-parameters");
  const filter = element("input", "hpo-filter", {
    type: "search",
    placeholder: "find a parameter",
    "aria-label": "Find a parameter by its name",
    autocomplete: "off",
    spellcheck: "false",
  });
  filter.addEventListener("input", () => applyFilter());
  const none = element("div", "hpo-muted", { role: "status" });
  const constraint = element("div", "hpo-constraint");
  const root = element("section", "hpo-part hpo-space", { "aria-label": "Space" });
  root.append(head, constraint, filter, none, list);
  el.append(root);

  const controls = new Map<string, Control>();
  /** What the gesture under way has set and the kernel does not know yet. */
  const gathered: Gathered = { ranges: new Map(), priors: new Map() };
  let cancelFlush = (): void => {};
  let cancelRevert = (): void => {};

  function flush(): void {
    cancelFlush();
    const { ranges, priors } = gathered;
    if (ranges.size + priors.size === 0) {
      return;
    }
    const id = sent.add(gathered, model.get("answered"));
    if (ranges.size > 0) {
      model.send({ kind: "set_ranges", id, ranges: Object.fromEntries(ranges) });
    }
    if (priors.size > 0) {
      model.send({ kind: "set_priors", id, priors: Object.fromEntries(priors) });
    }
    ranges.clear();
    priors.clear();
    for (const hear of sent.listeners) {
      hear();
    }
  }

  /** Called when any view has sent something: until the answer comes, this view shows what was sent. */
  function onSent(): void {
    cancelRevert();
    cancelRevert = lifetime.after(PATIENCE_MS, () => {
      sent.forget();
      paint();
    });
    paint();
  }

  /** What the kernel does not know yet is undone here: no change begins there only to be taken back. */
  function command(kind: string, button: HTMLElement): void {
    if (kind === "undo" && gathered.ranges.size + gathered.priors.size > 0) {
      cancelFlush();
      gathered.ranges.clear();
      gathered.priors.clear();
      paint();
    } else if (!isDisabled(button)) {
      flush();
      model.send({ kind });
    }
  }

  function flushSoon(): void {
    cancelFlush();
    cancelFlush = lifetime.after(GESTURE_MS, flush);
  }

  function gather(name: string, change: RangeChange): void {
    gathered.ranges.set(name, { ...gathered.ranges.get(name), ...change });
    flushSoon();
  }

  function onPrior(name: string, prior: Drawn | null, isFinal: boolean): void {
    gathered.priors.set(name, prior);
    if (isFinal) {
      flush();
    } else {
      flushSoon();
    }
  }

  function onOpen(name: string): void {
    model.send({ kind: "open_strip", name });
  }

  function onRange(name: string, change: RangeChange, isFinal: boolean): void {
    if (isFinal) {
      gather(name, change);
      flush();
    } else if (root.querySelector("[data-dragged]") === null) {
      gather(name, change);
    }
  }

  function onNew(name: string, text: string, id: string): void {
    flush();
    model.send({ kind: "type", name, text, id });
  }

  function makeControl(spec: Spec, range: Range): Control {
    const strip = new PriorStrip(spec, binsOf(spec), onPrior, onOpen);
    const shown =
      spec.kind === "choice"
        ? new ChoiceControl(spec, range, gather, onNew)
        : new RangeControl(spec, range as Bounds, onRange);
    strip.attachTo(shown.root);
    return { spec, shown, strip };
  }

  /** Whether a control can be kept, so that it loses neither focus nor drag, as its parameter is the same. */
  function isSame({ spec, shown }: Control, after: Spec): boolean {
    if (shown instanceof ChoiceControl && after.kind === "choice") {
      return shown.canShow(after);
    }
    return spec.kind === after.kind;
  }

  function applyFilter(): void {
    filter.hidden = controls.size <= MOST_AT_A_GLANCE;
    const wanted = filter.hidden ? "" : filter.value.trim().toLowerCase();
    let isAny = wanted === "";
    for (const [name, { shown }] of controls) {
      shown.root.hidden = !name.toLowerCase().includes(wanted);
      isAny ||= !shown.root.hidden;
    }
    setText(none, isAny ? "" : "No parameter has this in its name.");
  }

  function paint(): void {
    const answered = model.get("answered");
    const commands = model.get("commands");
    const ranges = model.get("ranges");
    sent.forgetUpTo(answered);
    const condition = model.get("constraint");
    constraint.hidden = condition === "";
    constraint.textContent = condition && `Only points for which ${condition} is true`;
    const specs = model.get("parameters");
    const names = new Set(specs.map((spec) => spec.name));
    for (const [name, control] of controls) {
      if (!names.has(name)) {
        control.shown.root.remove();
        controls.delete(name);
      }
    }
    const reason = commands.set_ranges ?? null;
    const advised = model.get("advised");
    for (const spec of specs) {
      const known = own(ranges, spec.name) ?? [];
      const change = { ...sent.ranges.get(spec.name)?.change, ...gathered.ranges.get(spec.name) };
      const range = spec.kind === "choice" ? withChoices(known, change) : withEnds(known, change);
      let control = controls.get(spec.name);
      if (control === undefined || !isSame(control, spec)) {
        const made = makeControl(spec, range);
        if (control) {
          control.shown.root.replaceWith(made.shown.root);
        } else {
          list.append(made.shown.root);
        }
        control = made;
      }
      controls.set(spec.name, { ...control, spec });
      paintNeeds(control.shown.root, spec);
      const { shown } = control;
      if (shown instanceof ChoiceControl) {
        shown.update(spec as ChoiceSpec, range, reason, commands.add_choices ?? null);
      } else {
        shown.update(spec as NumericSpec, range as Bounds, reason);
      }
      shown.setAdvised(own(advised, spec.name) ?? null);
      paintPrior(control.strip, spec, range);
    }
    applyFilter();
    const undoLabels = model.get("undo_labels");
    for (const { kind, button } of buttons) {
      setReason(button, commands[kind] ?? null, undoLabels[kind] ?? null);
    }
  }

  function paintPrior(strip: PriorStrip, spec: Spec, range: Range): void {
    const { name } = spec;
    const isGathered = gathered.priors.has(name);
    const prior = isGathered ? gathered.priors.get(name) : sent.priors.get(name)?.prior;
    const bins = binsOf(spec);
    // What was drawn on another track than the present one is shown once the kernel has it.
    const isOfTrack = !prior?.range || prior.range.join() === bins.track?.join();
    const isSet = isOfTrack && (isGathered || sent.priors.has(name));
    const scale = spec.kind === "choice" ? null : new Scale(spec);
    strip.update(bins, {
      weights: (isSet ? prior?.weights : own(model.get("priors"), name)) ?? null,
      exponent: isSet ? 1 : (own(model.get("prior_exponents"), name) ?? 1),
      histogram: own(model.get("histograms"), name) ?? "",
      range: scale
        ? [scale.fraction(range[0] as number), scale.fraction(range[1] as number)]
        : [0, 1],
      reason: model.get("commands").set_priors ?? null,
    });
  }

  function paintAnswer(): void {
    for (const { shown } of controls.values()) {
      if (shown instanceof ChoiceControl) {
        shown.answer(model.get("answer"));
      }
    }
  }

  function paintPreview(): void {
    const preview = model.get("preview");
    for (const [name, { shown }] of controls) {
      shown.setPreview(own(preview, name) ?? null);
    }
  }

  function paintTried(): void {
    const best = model.get("best");
    const suggestions = new Map(
      model.get("widen_suggestions").map((suggestion) => [suggestion.name, suggestion]),
    );
    for (const [index, spec] of model.get("parameters").entries()) {
      const shown = controls.get(spec.name)?.shown;
      const tried = model.get(`tried_${index}`);
      const value = best.point?.[index] ?? null;
      if (shown instanceof ChoiceControl) {
        shown.setTried(Array.isArray(tried) ? tried : [], value);
      } else {
        shown?.setTried({
          bins: typeof tried === "string" ? tried : "",
          best: value === null ? null : { name: best.name ?? "", value },
          suggestion: suggestions.get(spec.name) ?? null,
          samples: {
            profile: model.get("recent_samples")[index] ?? "",
            range: own(model.get("ranges"), spec.name) as Bounds,
          },
        });
      }
    }
  }

  const stepByKey = (event: KeyboardEvent): void => {
    const { target } = event;
    // Text that somebody is typing has an undo of its own; a bound that was taken has none.
    const isField = target instanceof HTMLInputElement && target.type !== "checkbox";
    const isTyped = isField && (target.defaultValue === "" || target.value !== target.defaultValue);
    const letter = letterOf(event);
    const isMeant = letter === "z" || letter === "y";
    if (isTyped || !(event.ctrlKey || event.metaKey) || event.altKey || !isMeant) {
      return;
    }
    // The notebook would otherwise undo a change in a cell.
    event.preventDefault();
    event.stopPropagation();
    const kind = letter === "y" || event.shiftKey ? "redo" : "undo";
    const button = buttons.find((one) => one.kind === kind)?.button;
    if (button) {
      command(kind, button);
    }
  };
  root.addEventListener("keydown", stepByKey);
  whenInPanel(head, lifetime, (panel) =>
    panel.addEventListener("keydown", stepByKey, { signal: lifetime.signal }),
  );

  // Leaving the panel ends a gesture; going on to the next box or handle does not.
  root.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && root.contains(event.relatedTarget))) {
      flush();
    }
  });
  // When the page is closed, gathered changes are sent; a drag that is under way has gathered none yet.
  window.addEventListener("pagehide", flush, { signal: lifetime.signal });
  sent.listeners.add(onSent);
  lifetime.atEnd(() => {
    flush();
    sent.listeners.delete(onSent);
  });
  return () => {
    paint();
    paintAnswer();
    paintTried();
    paintPreview();
  };
}

/** Called once for each panel, however many views it has. */
export default () => {
  const sent = new Sent();
  return view<Model>((context) => make(context, sent));
};
