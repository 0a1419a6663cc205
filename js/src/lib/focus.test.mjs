import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePage } from "./fake_page.mjs";
import { focusedElement, keepFocus } from "./focus";

function put(parent, tag, className = "") {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

/** A part of a panel: a button in a line of its own, then a row of three. */
function shown() {
  const panel = put(fakePage(), "div", "hpo-layout");
  const part = put(panel, "div", "hpo-part");
  const alone = put(put(part, "div"), "button");
  const row = put(part, "div");
  const [first, second, third] = [0, 1, 2].map(() => put(row, "button"));
  return { panel, part, alone, row, first, second, third };
}

test("what comes next has the focus when what had it is removed, else what came before", () => {
  const { row, first, second, third } = shown();
  second.focus();
  keepFocus(() => second.remove());
  assert.equal(document.activeElement, third);
  keepFocus(() => third.remove());
  assert.equal(document.activeElement, first);
  assert.equal(row.childElementCount, 1);
});

test("what is beside it has the focus rather than what is further out, and what is hidden never has", () => {
  const { alone, row, first, second, third } = shown();
  third.focus();
  keepFocus(() => {
    third.hidden = second.hidden = true;
  });
  assert.equal(document.activeElement, first);
  keepFocus(() => {
    row.hidden = true;
  });
  assert.equal(document.activeElement, alone);
});

test("the panel has the focus when the whole part has gone", () => {
  const { panel, part, second } = shown();
  second.focus();
  keepFocus(() => {
    part.hidden = true;
  });
  assert.equal(document.activeElement, panel);
});

test("the focus stays where it is, and where it was put meanwhile", () => {
  const { alone, first, second, third } = shown();
  first.focus();
  keepFocus(() => second.remove());
  assert.equal(document.activeElement, first);
  keepFocus(() => {
    first.remove();
    alone.focus();
  });
  assert.equal(document.activeElement, alone);
  document.body.focus();
  keepFocus(() => third.remove());
  assert.equal(document.activeElement, document.body);
});

test("what has the focus is found in shadow trees, too", () => {
  fakePage();
  const inner = {};
  document.activeElement = {
    shadowRoot: { activeElement: { shadowRoot: { activeElement: inner } } },
  };
  assert.equal(focusedElement(), inner);
  const host = { shadowRoot: { activeElement: null } };
  document.activeElement = host;
  assert.equal(focusedElement(), host);
});
