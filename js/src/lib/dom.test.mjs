import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "./dom";

/** An element as far as its children go, which tells which of them were put somewhere. */
function parentOf(children) {
  const put = [];
  for (const child of children) {
    child.remove = () => children.splice(children.indexOf(child), 1);
  }
  const insertBefore = (node, next) => {
    put.push(node.name);
    if (children.includes(node)) {
      node.remove();
    }
    children.splice(next ? children.indexOf(next) : children.length, 0, node);
  };
  return { children, insertBefore, put };
}

test("what stays is not moved when what stands before it goes", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => ({ name }));
  const parent = parentOf([a, b, c]);
  inOrder(parent, [b, d, c]);
  assert.deepEqual(parent.children, [b, d, c]);
  assert.deepEqual(parent.put, ["d"]);
});
