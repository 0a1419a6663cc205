import assert from "node:assert/strict";
import { test } from "node:test";
import { pythonText } from "./python_text";

// One literal of Python, of characters that are seen and of escapes: it ends where it ends, on the line where it begins.
const LITERAL = /^"((?:[^"\\\p{C}\p{Z}]| |\\["\\bfnrt]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*)"$/u;
const SHORT = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** What Python reads. */
function read(literal) {
  const inner = LITERAL.exec(literal)?.[1];
  assert.notEqual(inner, undefined, literal);
  return inner.replace(/\\(?:u(.{4})|U(.{8})|(.))/gu, (_all, unit, point, short) =>
    short
      ? (SHORT[short] ?? short)
      : unit
        ? String.fromCharCode(Number.parseInt(unit, 16))
        : String.fromCodePoint(Number.parseInt(point, 16)),
  );
}

test("any text is one literal of Python, and the same text there", () => {
  const units = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
  // Of surrogates pairs only come one after the other here: each is read by itself.
  for (const text of [
    ...units,
    ...units.map((unit) => `\\${unit}`),
    "",
    'x"); import os; os.system("true"); ("',
    "\u{1f600}\u{e0001}\u{10ffff}",
    'a\u2028%%bash\u2029)\u0085!");import os#',
    '\\"\\\\"""\'\n\r\0',
  ]) {
    assert.equal(read(pythonText(text)), text);
  }
});

test("what a person writes is read as it is", () => {
  assert.equal(
    pythonText("größe 2 \u{1f600}-20261124-a3f1c2"),
    '"größe 2 \u{1f600}-20261124-a3f1c2"',
  );
});
