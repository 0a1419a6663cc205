import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { drawSnapshot, MIME, moment, readSnapshot } from "./saved_snapshot";

/** A page with what is drawn of a snapshot, and what tells how it is seen again. */
function drawn(kept, more = {}) {
  const node = fakePage();
  const tell = drawSnapshot(node, readSnapshot({ [MIME]: { version: 1, ...kept }, ...more }));
  return { node, tell };
}

test("a snapshot is what its version says, else nothing", () => {
  assert.equal(readSnapshot({}), null);
  assert.equal(readSnapshot({ [MIME]: null }), null);
  assert.equal(readSnapshot({ [MIME]: { version: 2, name: "digits" } }), null);
  assert.equal(readSnapshot({ [MIME]: { version: 1, name: "digits" } }).name, "digits");
});

test("what does not fit is left out", () => {
  const odd = {
    version: 1,
    name: 3,
    facts: "none",
    budgets: [null, { fraction: 7 }],
    table: { rows: [{}] },
  };
  const read = readSnapshot({ [MIME]: odd, "image/png": 'x" onerror="alert(1)' });
  assert.equal(read.name, "");
  assert.deepEqual(read.facts, []);
  assert.deepEqual(
    read.budgets.map(({ fraction }) => fraction),
    [null, 1],
  );
  assert.deepEqual(read.rows, [{ mark: "", cells: [] }]);
  assert.equal(read.png, "");
});

test("which trials are shown is read, and not there in what an earlier release has kept", () => {
  const table = { caption: "Best trials first, failed ones last" };
  const kept = { version: 1, shown: "1 of 2 trials shown: failed", table };
  const read = readSnapshot({ [MIME]: kept });
  assert.deepEqual([read.shown, read.caption], [kept.shown, table.caption]);
  const earlier = readSnapshot({ [MIME]: { version: 1, table: {} } });
  assert.deepEqual([earlier.shown, earlier.caption], ["", ""]);
});

test("what the picture is of is said, of a search too that an earlier release has kept", () => {
  for (const [kept, about] of [
    [{ name: "digits" }, "search digits"],
    [
      { name: "Race on branin", about: "race on branin of grid, TPE" },
      "race on branin of grid, TPE",
    ],
  ]) {
    const { node } = drawn({ plot: "History", ...kept }, { "image/png": "aGk=" });
    const [root] = node.children;
    assert.equal(root.getAttribute("aria-label"), `Saved picture of the ${about}`);
    assert.equal(root.querySelector("img").getAttribute("alt"), `History of the ${about}`);
  }
});

test("a front has the sign that it has in the panel", () => {
  const signs = (kept, marks) => {
    const rows = marks.map((mark) => ({ mark, cells: ["#0"] }));
    const table = { columns: [{ label: "trial" }], rows };
    const { node } = drawn({ ...kept, table });
    return node.querySelectorAll(".hpo-saved-best").map(({ textContent }) => textContent);
  };
  const front = { best: "2 trials on the front", has_front: true };
  assert.deepEqual(signs(front, ["front", "front", ""]), ["■", "■", "■"]);
  assert.deepEqual(signs({ best: "0.5 at #0" }, ["best", ""]), ["▲", "▲"]);
});

test("a verdict stands before what it rests on, and a reason alone without one", () => {
  const said = (kept) =>
    drawn(kept).node.querySelector(".hpo-saved-tally").children.at(-1).textContent;
  assert.equal(said({ verdict: "TPE is ahead.", reason: "9 of 10." }), "TPE is ahead. 9 of 10.");
  assert.equal(said({ reason: "All trials were run." }), "All trials were run.");
});

test("nothing says to run a cell again as long as its output may be live in a moment", () => {
  const { node, tell } = drawn({ about: "race on branin", again: "Run its cell again." });
  const says = () => node.querySelector(".hpo-saved-banner").textContent;
  const isSaid = [[], [false, true], [false, false]].map((args) => {
    if (args.length) {
      tell(...args);
    }
    return says().includes("Run its cell");
  });
  assert.deepEqual(isSaid, [false, false, true]);
});

test("a picture may be written in several lines", () => {
  assert.equal(readSnapshot({ [MIME]: { version: 1 }, "image/png": "aGk=\n" }).png, "aGk=");
});

test("the date is said of another day only", () => {
  const now = new Date(2026, 10, 28, 18, 0);
  const at = (...parts) => new Date(...parts).getTime() / 1000;
  assert.equal(moment(at(2026, 10, 28, 9, 5), now), "09:05");
  assert.equal(moment(at(2026, 10, 27, 14, 32), now), "2026-11-27 14:32");
});

test("beside a kernel that has not answered yet, the panel is said to come, and else how to go on", () => {
  const awaited = (noun) =>
    `. The kernel has not answered yet: if it runs this ${noun}, the panel is live when the running cell has ended.`;
  const race = { about: "race on branin", again: "Run its cell again." };
  for (const [kept, after] of [
    [{ code: "open()" }, [". To continue:", `${awaited("search")} If it does not, continue with:`]],
    [race, [". Run its cell again.", awaited("race")]],
    [{}, [".", awaited("search")]],
  ]) {
    const { node, tell } = drawn(kept);
    const says = () => node.querySelector(".hpo-saved-banner").children[0].textContent;
    tell(false, false);
    const before = says();
    tell(true, false);
    const meanwhile = says();
    tell(false, false);
    const start = `Saved picture from ${moment(0)}`;
    assert.deepEqual(
      [before, meanwhile, says()],
      [after[0], after[1], after[0]].map((words) => start + words),
    );
  }
});
