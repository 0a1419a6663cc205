import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import advice from "./advice";

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
