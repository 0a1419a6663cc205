// What the kernel tells by the names of parameters, which may be any text: also `constructor`, which every object has.

/** What `values` have under a name that somebody chose; nothing that comes from the prototype. */
export function own<Value>(
  values: Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
