import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import advice from "./advice";

test("a number and its sign of per cent stay on one line", (context) => {
  const said = { evidence: "12 of 17 (71 %)", trials: [0], label: "Widen" };
  const el = fakePage();
  const model = fakeModel({ shown: { ...said, key: "a", sentence: "Near the end" }, commands: {} });
  context.after(advice.render({ model, el }));
  assert.match(el.querySelector(".hpo-advice-words").textContent, /12 of 17 \(71\u00a0%\)/);
});

test("a double click answers one advice only, though the next one is there by its second click", async (context) => {
  const body = fakePage();
  const said = { evidence: "", trials: [0], label: "Narrow" };
  const model = fakeModel({ shown: { ...said, key: "first", sentence: "first" }, commands: {} });
  context.after(advice.render({ model, el: body }));
  const [, , putOff] = body.querySelectorAll("button");
  putOff.click();
  await model.change({ shown: { ...said, key: "second", sentence: "second" } });
  putOff.click(2);
  putOff.click();
  assert.deepEqual(
    model.sent.map(({ kind, key }) => [kind, key]),
    [
      ["put_off", "first"],
      ["put_off", "second"],
    ],
  );
});
