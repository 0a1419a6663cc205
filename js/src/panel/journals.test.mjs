import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Journals } from "./journals";

const titles = (journals) => journals.entries.map(({ title }) => title);

test("each folder is asked for once, and says whose searches they are", async () => {
  const [read, changed] = [mock.fn(async (folder) => [{ title: `in ${folder}` }]), mock.fn()];
  const journals = new Journals(read, changed);
  await journals.refresh(["a", "b", "a"]);
  assert.deepEqual(titles(journals), ["in a", "in b"]);
  assert.deepEqual(
    journals.entries.map(({ journal }) => journal.folder),
    ["a", "b"],
  );
  assert.equal(changed.mock.callCount(), 1);
});

test("an answer that comes too late changes nothing", async () => {
  const answers = [];
  const journals = new Journals(
    (folder) => new Promise((resolve) => answers.push(() => resolve([{ title: folder }]))),
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
