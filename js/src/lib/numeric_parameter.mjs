// A parameter of numbers as the kernel tells it, for tests.
export const NUMERIC = {
  name: "x",
  label: "x",
  needs: "",
  kind: "float",
  declared: [0, 10],
  low: 0,
  high: 10,
  limit_low: null,
  limit_high: null,
  step: null,
  origin: 0,
  base: 10,
  bins: 32,
};
