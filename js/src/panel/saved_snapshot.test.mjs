import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePage } from "../lib/fake_page.mjs";
import { drawSnapshot, MIME, moment, readSnapshot } from "./saved_snapshot";

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
  const awaited =
    ". The kernel has not answered yet: if it runs this search, the panel is live when the running cell has ended.";
  for (const [code, after] of [
    ["open()", [". To go on:", `${awaited} If it does not, go on with:`]],
    ["", [".", awaited]],
  ]) {
    const node = fakePage();
    const tell = drawSnapshot(node, readSnapshot({ [MIME]: { version: 1, code } }));
    const says = () => node.querySelector(".hpo-saved-banner").children[0].textContent;
    const drawn = says();
    tell(true);
    const meanwhile = says();
    tell(false);
    const start = `Saved picture from ${moment(0)}`;
    assert.deepEqual(
      [drawn, meanwhile, says()],
      [after[0], after[1], after[0]].map((words) => start + words),
    );
  }
});
