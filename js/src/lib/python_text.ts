// Text in code that is run, or offered to be copied.

/**
 * A text as a literal of Python that is that text and nothing else, wherever it comes from. The escapes of JSON are those
 * of Python; what is not seen is escaped too, as Python's own `repr` does, with all that anybody takes for the end of a
 * line.
 */
export function pythonText(text: string): string {
  return JSON.stringify(text).replace(
    /(?! )[\p{C}\p{Z}]/gu,
    (unseen) => `\\U${(unseen.codePointAt(0) ?? 0).toString(16).padStart(8, "0")}`,
  );
}
