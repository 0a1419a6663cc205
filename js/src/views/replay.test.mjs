import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import replay from "./replay";

function rendered(context) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const el = fakePage();
  const model = fakeModel({
    ...{ position: 10, duration: 60, is_playing: false, speed: 1, speeds: [1] },
    ...{ words: "", moment: "", commands: {}, answered: 0 },
  });
  const end = replay.render({ model, el });
  context.after(end);
  return { model, scrubber: el.querySelector("input") };
}

test("the scrubber follows its own page's hand, though another page's clock is ahead", async (context) => {
  const { model, scrubber } = rendered(context);
  const ahead = Date.now() + 5000;
  await model.change({ answered: ahead });
  scrubber.value = "40";
  scrubber.tell("input");
  assert.equal(scrubber.value, "40");
  assert.ok(model.sent[0].id > ahead);
  await model.change({ answered: model.sent[0].id, position: 40.5 });
  assert.equal(scrubber.value, "40.5");
});

test("the scrubber waits for a hand that holds it, and for no menu of the page", async (context) => {
  const { model, scrubber } = rendered(context);
  scrubber.tell("pointerdown", { button: 2 });
  await model.change({ position: 20 });
  assert.equal(scrubber.value, "20");
  scrubber.tell("pointerdown", { button: 0 });
  await model.change({ position: 30 });
  assert.equal(scrubber.value, "20");
  scrubber.tell("pointerup");
  assert.equal(scrubber.value, "30");
});

test("the scrubber follows the replay again when what it has sent was lost", async (context) => {
  const { model, scrubber } = rendered(context);
  scrubber.value = "40";
  scrubber.tell("input");
  await model.change({ position: 11 });
  assert.equal(scrubber.value, "40");
  context.mock.timers.tick(10_000);
  await model.change({ position: 12 });
  assert.equal(scrubber.value, "12");
});
