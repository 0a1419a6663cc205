import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import { RENEW, RENEWED } from "../lib/snapshot_events";
import snapshot from "./snapshot";

/** A view of a panel in a page, and the requests that it says are answered. */
function viewOf(model) {
  const el = document.createElement("div");
  const answered = [];
  el.addEventListener(RENEWED, ({ detail }) => answered.push(detail));
  snapshot.render({ model, el });
  return { answered, ask: (id) => el.dispatchEvent(new CustomEvent(RENEW, { detail: id })) };
}

test("a picture is handed on where it was asked for, whatever other pages call their requests", () => {
  fakePage();
  const model = fakeModel({ end: "" });
  const [one, other] = [viewOf(model), viewOf(model)];
  one.ask("0");
  model.hear({ kind: "snapshot", id: model.sent[0].id, data: { "text/plain": "a" } });
  assert.deepEqual(one.answered, [{ id: "0", data: { "text/plain": "a" } }]);
  assert.deepEqual(other.answered, []);
  // The other page saves, too: it gets its own picture only.
  other.ask("0");
  one.ask("1");
  model.hear({ kind: "snapshot", id: model.sent[1].id, data: null });
  assert.deepEqual(other.answered, [{ id: "0", data: null }]);
  assert.equal(one.answered.length, 1);
});

test("the last picture of a panel that is closed is handed on in every page", () => {
  fakePage();
  const model = fakeModel({ end: "" });
  const [one, other] = [viewOf(model), viewOf(model)];
  one.ask("0");
  model.hear({ kind: "snapshot", data: { "text/plain": "a" } });
  for (const { answered } of [one, other]) {
    assert.deepEqual(answered, [{ id: "", data: { "text/plain": "a" } }]);
  }
  model.hear({ kind: "snapshot", id: model.sent[0].id, data: null });
  assert.equal(one.answered.length, 2);
});
