import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "./announcer";
import { fakePage } from "./fake_page.mjs";
import { Lifetime } from "./lifetime";

test("a sentence is read out once more where the same thing has happened again", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  fakePage();
  const announcer = new Announcer(new Lifetime(), () => "The point is queued next.");
  const said = [1, 2].map(() => {
    announcer.announce();
    context.mock.timers.tick(10_000);
    assert.equal(announcer.root.textContent, "The point is queued next.");
    return announcer.root.nodes[0];
  });
  assert.notEqual(said[0], said[1]);
});
