import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModel, fakePage } from "../lib/fake_page.mjs";
import filter from "./filter";

function rendered(state) {
  const el = fakePage();
  const empty = {
    chips: [],
    left: [],
    names: [],
    tags: [],
    num_epochs: 1,
    answer: {},
    commands: {},
  };
  const model = fakeModel({ ...empty, ...state });
  filter.render({ model, el });
  return { el, model };
}

const chip = (condition, text, value) => ({ condition, name: "", text, value });

test("a double click takes away one condition only", () => {
  const chips = [chip("top_k", "top 3", 3), chip("inside", "in range", true)];
  const { el, model } = rendered({ chips });
  const [first, second] = el.querySelectorAll(".hpo-filter-remove");
  first.click(1);
  second.click(2);
  assert.deepEqual(model.sent, [{ kind: "remove", condition: "top_k", name: "" }]);
});

test("the chip of a tag that no trial has any more opens the form with its tag", () => {
  const { el, model } = rendered({ chips: [chip("tags", "tag good", ["good"])] });
  el.querySelector(".hpo-filter-edit").click();
  el.querySelector("form").tell("submit");
  const { condition, value } = model.sent[0];
  assert.deepEqual({ condition, value }, { condition: "tags", value: ["good"] });
});

test("a condition is asked for once, and again when the answer was lost", (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const { el, model } = rendered({});
  el.querySelector(".hpo-filter-add").click();
  const form = el.querySelector("form");
  form.tell("submit");
  form.tell("submit");
  assert.equal(model.sent.length, 1);
  context.mock.timers.tick(10_000);
  form.tell("submit");
  assert.equal(model.sent.length, 2);
});

test("a chip has the focus as long as it is there, whatever it says and whichever come beside it", async () => {
  const inside = chip("inside", "in range", true);
  const { el, model } = rendered({ chips: [chip("top_k", "top 3", 3)] });
  const edit = el.querySelector(".hpo-filter-edit");
  edit.focus();
  await model.change({ chips: [chip("top_k", "top 3", 3), inside] });
  await model.change({ chips: [chip("top_k", "top 5", 5), inside] });
  assert.equal(document.activeElement, edit);
  assert.equal(edit.textContent, "top 5");
  await model.change({ chips: [inside] });
  const [remove] = el.querySelectorAll(".hpo-filter-remove");
  assert.equal(document.activeElement, remove);
  assert.equal(remove.getAttribute("aria-label"), "Remove the filter in range");
});
