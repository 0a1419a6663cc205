import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { pythonText } from "../lib/python_text";
import { journalEntry } from "./entries";
import { Journals, openingCell } from "./journals";

const titles = (journals) => journals.entries.map(({ title }) => title);

test("the cell that opens a journal says its text in one literal, whatever that text is", () => {
  const cell = (found) => openingCell(journalEntry(found, "work").journal);
  const hostile = 'x"); import os\u2028os.abort(); ("';
  assert.equal(
    cell({ search_id: hostile, opens: hostile }),
    `from hpo_widgets import OptimizerWidget\n\nOptimizerWidget.open(${pythonText(hostile)})`,
  );
  // What the id alone says is not what opens a file that has another name.
  assert.ok(
    cell({ search_id: "a-1", opens: ".hpo_widgets/b.sqlite" }).endsWith(
      '(".hpo_widgets/b.sqlite")',
    ),
  );
  assert.ok(cell({ search_id: "a-1" }).endsWith('("a-1")'));
});

test("each folder is asked for once, and says whose searches they are", async () => {
  const [read, changed] = [
    mock.fn(async (folder) => ({ searches: [{ title: `in ${folder}` }], left_off: 2 })),
    mock.fn(),
  ];
  const journals = new Journals(read, changed);
  await journals.refresh(["a", "b", "a"]);
  assert.deepEqual(titles(journals), ["in a", "in b"]);
  assert.equal(journals.leftOff, 4);
  assert.deepEqual(
    journals.entries.map(({ journal }) => journal.folder),
    ["a", "b"],
  );
  assert.equal(changed.mock.callCount(), 1);
});

test("an answer that comes too late changes nothing", async () => {
  const answers = [];
  const journals = new Journals(
    (folder) =>
      new Promise((resolve) => answers.push(() => resolve({ searches: [{ title: folder }] }))),
    () => {},
  );
  const [first, second] = [journals.refresh(["old"]), journals.refresh(["new"])];
  answers[1]();
  await second;
  answers[0]();
  await first;
  assert.deepEqual(titles(journals), ["new"]);
});

test("a server that cannot tell is known as such", async () => {
  const journals = new Journals(
    async () => null,
    () => {},
  );
  await journals.refresh([""]);
  assert.deepEqual([titles(journals), journals.isUnknown], [[], true]);
});
