// What every control of a parameter has, whatever its range is like: the group with its name and its kind.

import { element, setName } from "../lib/dom";

/** Says in words what is dashed. */
export function adviceNote(): HTMLElement {
  const note = element("div", "hpo-advised-note", {}, "dashed: what the advice would exclude");
  note.hidden = true;
  return note;
}

interface ParameterFrame {
  root: HTMLElement;
  head: HTMLElement;
  /** The kind of the parameter in a word. */
  badge: HTMLElement;
}

/** The group of one parameter, with its head; the rest is put below by the control. */
export function parameterFrame(spec: {
  name: string;
  label: string;
  /** With what it is part of a point; empty: always. */
  needs: string;
}): ParameterFrame {
  const about = { dir: "auto", title: spec.name };
  const name = element("span", "hpo-parameter-name", about);
  setName(name, spec.label);
  const badge = element("span", "hpo-badge");
  const head = element("div", "hpo-parameter-head", {}, name, badge);
  const needs = element("div", "hpo-needs hpo-optional", { dir: "auto" }, spec.needs);
  const root = element("div", "hpo-parameter", { role: "group", "aria-label": spec.label });
  root.append(head, needs);
  return { root, head, badge };
}
