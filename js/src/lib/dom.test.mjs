import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { inOrder, setName } from "./dom";
import { fakePage } from "./fake_page.mjs";

test("what stays is not moved when what stands before it goes", () => {
  const parent = fakePage();
  const [a, b, c, d] = ["a", "b", "i", "u"].map((tag) => document.createElement(tag));
  parent.append(a, b, c);
  const put = mock.method(parent, "insertBefore");
  inOrder(parent, [b, d, c]);
  assert.deepEqual(parent.children, [b, d, c]);
  assert.deepEqual(
    put.mock.calls.map((call) => call.arguments[0]),
    [d],
  );
});

test("a name may be broken where its words end, and is written only where it differs", () => {
  const node = fakePage();
  setName(node, "encoder/first_rate");
  assert.equal(node.textContent, "encoder/first_rate");
  const broken = node.children;
  assert.deepEqual(
    broken.map(({ tagName }) => tagName),
    ["wbr", "wbr"],
  );
  setName(node, "encoder/first_rate");
  assert.deepEqual(node.children, broken);
});
